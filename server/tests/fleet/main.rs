//! Clusters over HTTP and in the store, on both engines: who may, what is refused, what two at once make of each other,
//! and that what opens a cluster comes out nowhere.

mod runs;
#[path = "../web_kit/mod.rs"]
mod web_kit;

use app::{
    fleet::{Clusters as _, Manage},
    identity::permit,
};
use axum::{body::Body, extract::Request};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use http::StatusCode;
use serde_json::{Value, json};
use server::{
    clock::{Clock, Rng},
    egress::{Egress, EgressConfig},
    fleet::{Clients, FleetService, clients::Own},
    operations::queue::Queue,
    store::{Db, Fault, Faults, Sql, testing},
    vault::Vault,
};
use web_kit::{Answer, Kit, Who};

async fn kits() -> Vec<Kit> {
    let mut kits = Vec::new();
    for engine in testing::engines().await {
        let dialect = engine.db.dialect();
        kits.push(Kit::on(dialect, Who::Admin, Clock::system(), |_| {}, |routes| routes).await);
    }
    kits
}

async fn method(kit: &Kit, method: &str, path: &str, body: &Value) -> Answer {
    let request = Request::builder().method(method).uri(path);
    let request = request.header("content-type", "application/json");
    kit.send(request, Body::from(body.to_string())).await
}

async fn patch(kit: &Kit, id: &str, change: &Value) -> Answer {
    method(kit, "PATCH", &format!("/api/v1/clusters/{id}"), change).await
}

async fn create(kit: &Kit, new: &Value) -> Value {
    let made = kit.post_json("/api/v1/clusters", new.to_string()).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text());
    made.json()
}

fn id(cluster: &Value) -> String {
    cluster["id"].as_str().expect("an id").to_owned()
}

fn names(page: &Answer) -> Vec<String> {
    let json = page.json();
    let items = json["items"].as_array().unwrap_or_else(|| panic!("a page: {json}"));
    items.iter().map(|item| item["name"].as_str().expect("a name").to_owned()).collect()
}

/// A port of this machine at which nothing listens.
fn nowhere() -> String {
    "https://127.0.0.1:9".to_owned()
}

async fn count(kit: &Kit, sql: &'static str) -> i64 {
    kit.console.db.fetch_one(Sql::new(sql)).await.expect("a count").i64("n").expect("a number")
}

#[tokio::test]
async fn a_cluster_is_registered_found_changed_and_removed() {
    for kit in kits().await {
        let made =
            create(&kit, &json!({ "name": "prod-east-1", "api_server_url": nowhere() })).await;
        assert_eq!(made["cluster_type"], "SPOKE");
        assert_eq!(made["platform"], "OPENSHIFT");
        assert_eq!(made["environment"], "DEVELOPMENT");
        assert_eq!(made["status"]["state"], "UNKNOWN");
        assert_eq!(made["status"]["connectivity"], "DISCONNECTED");
        assert_eq!(made["external_id"], "prod-east-1");
        for unknown in ["capabilities", "credential", "region", "last_seen_at"] {
            assert!(made.get(unknown).is_none(), "{unknown} in {made}");
        }
        let id = id(&made);
        assert_eq!(kit.get(&format!("/api/v1/clusters/{id}")).await.json(), made);
        assert_eq!(kit.get("/api/v1/clusters/by-name/prod-east-1").await.json(), made);
        let change = json!({ "region": "eu", "labels": { "team": "a" }, "display_name": "East" });
        let changed = patch(&kit, &id, &change).await.json();
        assert_eq!((&changed["region"], &changed["display_name"]), (&json!("eu"), &json!("East")));
        let cleared =
            patch(&kit, &id, &json!({ "region": null, "labels": { "team": null } })).await;
        assert!(cleared.json().get("region").is_none(), "{}", cleared.text());
        assert_eq!(cleared.json()["labels"], json!({}));
        assert_eq!(cleared.json()["display_name"], "East");
        let stale = patch(&kit, &id, &json!({ "region": "us", "version": made["version"] })).await;
        assert_eq!((stale.status.as_u16(), stale.code().as_str()), (409, "CHANGED_MEANWHILE"));
        let gone = method(&kit, "DELETE", &format!("/api/v1/clusters/{id}"), &json!({})).await;
        assert_eq!(gone.status, StatusCode::NO_CONTENT);
        let missing = kit.get(&format!("/api/v1/clusters/{id}")).await;
        assert_eq!((missing.status.as_u16(), missing.code().as_str()), (404, "CLUSTER_NOT_FOUND"));
        // Its name is free again.
        create(&kit, &json!({ "name": "prod-east-1", "api_server_url": nowhere() })).await;
        let rows = "SELECT COUNT(*) AS n FROM audit_log WHERE action LIKE 'fleet.cluster.%' AND decision = 'allowed'";
        assert_eq!(count(&kit, rows).await, 5);
    }
}

#[tokio::test]
async fn of_two_that_take_one_name_at_once_one_gets_it() {
    for kit in kits().await {
        let body = json!({ "name": "wanted", "api_server_url": nowhere() }).to_string();
        let one = kit.post_json("/api/v1/clusters", body.clone());
        let other = kit.post_json("/api/v1/clusters", body);
        let (one, other) = futures::join!(one, other);
        let mut statuses = [one.status.as_u16(), other.status.as_u16()];
        statuses.sort_unstable();
        assert_eq!(statuses, [201, 409], "{} {}", one.text(), other.text());
        assert_eq!(count(&kit, "SELECT COUNT(*) AS n FROM clusters").await, 1);
        // The external id of another is as taken as its name.
        let other =
            json!({ "name": "another", "external_id": "wanted", "api_server_url": nowhere() });
        let taken = kit.post_json("/api/v1/clusters", other.to_string()).await;
        assert_eq!((taken.status.as_u16(), taken.code().as_str()), (409, "CLUSTER_ALREADY_EXISTS"));
    }
}

#[tokio::test]
async fn a_list_is_filtered_by_what_people_ask_for() {
    for kit in kits().await {
        for (name, more) in [
            ("hub-one", json!({ "cluster_type": "HUB", "labels": { "team": "a", "tier": "1" } })),
            (
                "spoke-one",
                json!({ "environment": "LAB", "region": "eu", "labels": { "team": "a" } }),
            ),
            ("spoke-two", json!({ "region": "us", "transport": "outpost" })),
        ] {
            let mut new = json!({ "name": name });
            if more.get("transport").is_none() {
                new["api_server_url"] = json!(nowhere());
            }
            for (key, value) in more.as_object().expect("an object") {
                new[key] = value.clone();
            }
            create(&kit, &new).await;
        }
        for (query, expected) in [
            ("", vec!["hub-one", "spoke-one", "spoke-two"]),
            ("?name=ONE", vec!["hub-one", "spoke-one"]),
            ("?cluster_type=HUB", vec!["hub-one"]),
            ("?environment=LAB&region=eu", vec!["spoke-one"]),
            ("?region=eu&region=us", vec!["spoke-one", "spoke-two"]),
            ("?label=team%3Da", vec!["hub-one", "spoke-one"]),
            ("?label=team%3Da&label=tier", vec!["hub-one"]),
            ("?state=UNKNOWN&transport=outpost", vec!["spoke-two"]),
            ("?has_gpu=true", vec![]),
            ("?name=100%25", vec![]),
            ("?page_size=1&page=2", vec!["spoke-one"]),
            ("?page=9", vec![]),
        ] {
            let page = kit.get(&format!("/api/v1/clusters{query}")).await;
            assert_eq!(names(&page), expected, "{query}: {}", page.text());
        }
        for bad in
            ["?state=GONE", "?page_size=0", "?page_size=101", "?has_gpu=maybe", "?colour=red"]
        {
            let refused = kit.get(&format!("/api/v1/clusters{bad}")).await;
            assert_eq!(refused.status.as_u16(), 422, "{bad}");
        }
        let summary = kit.get("/api/v1/fleet/summary").await.json();
        assert_eq!(summary["total_clusters"], 3);
        assert_eq!(summary["by_type"], json!({ "HUB": 1, "SPOKE": 2 }));
        assert_eq!(summary["undiscovered"], 3);
        assert_eq!(summary["avg_health_score"], Value::Null);
        let health = kit.get("/api/v1/fleet/health").await.json();
        assert_eq!((&health["unknown"], &health["healthy"]), (&json!(3), &json!(0)));
        let all = kit.get("/api/v1/fleet/capabilities").await.json();
        assert_eq!((&all["gpu"]["total_gpu_count"], &all["undiscovered"]), (&json!(0), &json!(3)));
    }
}

#[tokio::test]
async fn what_no_cluster_can_be_is_refused_with_its_field() {
    let kit = Kit::new(Who::Admin).await;
    let broken = [
        (json!({}), "name"),
        (json!({ "name": "ab", "api_server_url": nowhere() }), "name"),
        (json!({ "name": "../../etc", "api_server_url": nowhere() }), "name"),
        (json!({ "name": "abc" }), "api_server_url"),
        (json!({ "name": "abc", "api_server_url": "http://h" }), "api_server_url"),
        (json!({ "name": "abc", "api_server_url": "https://u:p@h" }), "api_server_url"),
        (
            json!({ "name": "abc", "api_server_url": nowhere(), "cluster_type": "BIG" }),
            "cluster_type",
        ),
        (json!({ "name": "abc", "api_server_url": nowhere(), "colour": "red" }), "colour"),
        (json!({ "name": "abc", "api_server_url": nowhere(), "region": "a\u{0}b" }), "region"),
        (
            json!({ "name": "abc", "transport": "in_cluster", "api_server_url": "https://h" }),
            "api_server_url",
        ),
        (
            json!({ "name": "abc", "api_server_url": nowhere(), "labels": { "a b": "c" } }),
            "labels.a b",
        ),
    ];
    for (new, field) in broken {
        let refused = kit.post_json("/api/v1/clusters", new.to_string()).await;
        assert!(matches!(refused.status.as_u16(), 400 | 422), "{new}: {}", refused.text());
        assert!(refused.violations().contains_key(field), "{new}: {}", refused.text());
    }
    for path in
        ["/api/v1/clusters/1", "/api/v1/clusters/by-name/nobody", "/api/v1/clusters/%27%20OR%201"]
    {
        assert_eq!(kit.get(path).await.status.as_u16(), 404, "{path}");
    }
    assert_eq!(count(&kit, "SELECT COUNT(*) AS n FROM clusters").await, 0);
}

/// Forty letters that stand nowhere else.
const TOKEN: &str = "canary-cluster-token-0b1c2d3e4f5a6b7c8d9e";

fn token() -> Value {
    json!({ "auth_type": "SERVICE_ACCOUNT", "token": TOKEN })
}

#[tokio::test]
async fn what_opens_a_cluster_goes_in_and_never_comes_out() {
    for kit in kits().await {
        let new = json!({ "name": "sealed", "api_server_url": nowhere(), "credentials": token() });
        let made = create(&kit, &new).await;
        let id = id(&made);
        assert_eq!(made["status"]["state"], "PROVISIONING");
        assert_eq!(made["credential"]["auth_type"], "SERVICE_ACCOUNT");
        assert_eq!(made["credential"]["validation"], "unreachable");
        for path in [
            format!("/api/v1/clusters/{id}"),
            format!("/api/v1/clusters/{id}/credentials"),
            format!("/api/v1/clusters/{id}/status"),
            "/api/v1/clusters".to_owned(),
            "/api/v1/audit".to_owned(),
        ] {
            let answer = kit.get(&path).await;
            assert_eq!(answer.status, StatusCode::OK, "{path}");
            assert!(!answer.text().contains("canary"), "{path}");
        }
        let stored = "SELECT COUNT(*) AS n FROM cluster_credentials WHERE sealed IS NOT NULL";
        assert_eq!(count(&kit, stored).await, 1);
        // The address is bound to what was given for it.
        let moved =
            patch(&kit, &id, &json!({ "api_server_url": "https://elsewhere.example" })).await;
        assert_eq!((moved.status.as_u16(), moved.code().as_str()), (409, "CREDENTIAL_BOUND"));
        let path = format!("/api/v1/clusters/{id}/credentials");
        let rotated = method(&kit, "PUT", &path, &token()).await;
        assert_eq!(rotated.json()["version"], 2, "{}", rotated.text());
        assert_eq!(count(&kit, stored).await, 1, "the one before is erased");
        let checked = kit.post_json(&format!("{path}/validate"), "").await;
        assert_eq!(checked.json()["status"], "unreachable", "{}", checked.text());
        assert_eq!(checked.json()["valid"], false);
        let gone = method(&kit, "DELETE", &path, &json!({})).await;
        assert_eq!(gone.status, StatusCode::NO_CONTENT);
        assert_eq!(kit.get(&path).await.code(), "CREDENTIALS_NOT_FOUND");
        let moved =
            patch(&kit, &id, &json!({ "api_server_url": "https://elsewhere.example" })).await;
        assert_eq!(moved.status, StatusCode::OK, "{}", moved.text());
        let uses = "SELECT COUNT(*) AS n FROM audit_log WHERE action = 'fleet.credential.use'";
        assert_eq!(count(&kit, uses).await, 1, "one client, one purpose");
    }
}

#[tokio::test]
async fn removing_a_cluster_erases_what_opened_it() {
    for kit in kits().await {
        let new = json!({ "name": "sealed", "api_server_url": nowhere(), "credentials": token() });
        let id = id(&create(&kit, &new).await);
        let path = format!("/api/v1/clusters/{id}");
        assert_eq!(method(&kit, "DELETE", &path, &json!({})).await.status, StatusCode::NO_CONTENT);
        assert_eq!(count(&kit, "SELECT COUNT(*) AS n FROM cluster_credentials").await, 0);
        assert_eq!(count(&kit, "SELECT COUNT(*) AS n FROM clusters").await, 1);
    }
}

#[tokio::test]
async fn a_credential_is_refused_by_the_rule_that_it_breaks_and_not_repeated() {
    let kit = Kit::new(Who::Admin).await;
    let made = create(&kit, &json!({ "name": "abc", "api_server_url": nowhere() })).await;
    let path = format!("/api/v1/clusters/{}/credentials", id(&made));
    let config = |user: &str, server: &str| {
        format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: a\ncontexts:\n- name: a\n  context: {{cluster: c, user: u}}\n\
             clusters:\n- name: c\n  cluster: {{server: '{server}'}}\nusers:\n- name: u\n  user: {{{user}}}\n"
        )
    };
    let kubeconfig = |text: String| json!({ "auth_type": "KUBECONFIG", "kubeconfig": text });
    let here = nowhere();
    for (given, rule) in [
        (kubeconfig(format!("{TOKEN}: [")), "malformed"),
        (
            kubeconfig(config(&format!("exec: {{command: {TOKEN}, apiVersion: v1}}"), &here)),
            "kubeconfig_holds",
        ),
        (kubeconfig(config("tokenFile: /etc/shadow", &here)), "kubeconfig_holds"),
        (kubeconfig(config("", &here)), "kubeconfig_lacks"),
        (kubeconfig(config(&format!("token: {TOKEN}"), "https://other.example")), "other_server"),
    ] {
        let refused = method(&kit, "PUT", &path, &given).await;
        assert_eq!(refused.status.as_u16(), 422, "{}", refused.text());
        assert_eq!(refused.violations().get("kubeconfig").map(String::as_str), Some(rule));
        assert!(!refused.text().contains("canary"), "{}", refused.text());
    }
    let twice = json!({ "auth_type": "SERVICE_ACCOUNT", "token": TOKEN, "kubeconfig": TOKEN });
    let refused = method(&kit, "PUT", &path, &twice).await;
    assert!(refused.violations().contains_key("kubeconfig"), "{}", refused.text());
    assert!(!refused.text().contains("canary"), "{}", refused.text());
    assert_eq!(count(&kit, "SELECT COUNT(*) AS n FROM cluster_credentials").await, 0);
}

#[tokio::test]
async fn an_address_of_a_metadata_service_is_never_dialled() {
    let kit = Kit::new(Who::Admin).await;
    let new = json!({ "name": "abc", "api_server_url": "https://169.254.169.254", "credentials": token() });
    let made = create(&kit, &new).await;
    assert_eq!(made["credential"]["validation"], "address_refused");
}

#[tokio::test]
async fn a_cluster_of_another_workspace_is_not_there() {
    use app::identity::Role;
    let kit = Kit::new(Who::Real).await;
    kit.workspace(7, "seven").await;
    let admin = kit.signed_in("admin", Some((Role::Admin, None))).await;
    let theirs = kit.signed_in("theirs", Some((Role::Admin, Some(7)))).await;
    let body = json!({ "name": "ours", "api_server_url": nowhere() });
    let made = kit.json_as(&admin, "/api/v1/clusters", body.clone()).await;
    let path = format!("/api/v1/clusters/{}", id(&made.json()));
    assert_eq!(kit.get_as(&admin, &path).await.status.as_u16(), 200);
    assert_eq!(kit.get_as(&theirs, &path).await.status.as_u16(), 404);
    assert_eq!(kit.get_as(&theirs, "/api/v1/clusters").await.json()["total"], 0);
    assert_eq!(kit.get_as(&theirs, "/api/v1/fleet/summary").await.json()["total_clusters"], 0);
    let made = kit
        .json_as(
            &theirs,
            "/api/v1/clusters",
            json!({ "name": "theirs", "api_server_url": nowhere() }),
        )
        .await;
    assert_eq!(made.json()["workspace_id"], 7, "{}", made.text());
    // What belongs to the console itself is not theirs to use.
    let own = json!({ "name": "own", "transport": "in_cluster" });
    assert_eq!(kit.json_as(&theirs, "/api/v1/clusters", own).await.status.as_u16(), 403);
    let refers = json!({ "name": "refers", "api_server_url": nowhere(), "credentials":
        { "auth_type": "SERVICE_ACCOUNT", "service_account_token_secret_ref": "quarterdeck/other" } });
    assert_eq!(kit.json_as(&theirs, "/api/v1/clusters", refers).await.status.as_u16(), 403);
    let foreign = json!({ "name": "foreign", "api_server_url": nowhere(), "workspace_id": 1 });
    assert_eq!(kit.json_as(&theirs, "/api/v1/clusters", foreign).await.status.as_u16(), 404);
}

/// A registration that fails at any statement leaves nothing, or is there as a whole, with its audit row.
#[tokio::test]
async fn a_registration_is_whole_or_not_there_at_whatever_statement_it_fails() {
    for engine in testing::engines().await {
        let mut at = 1;
        loop {
            let faults = Faults::none();
            let db = engine.with_faults(&faults).await;
            let service = service(&db);
            let permit = permit::<Manage>(&testing::admin()).await.expect("a permit");
            let name = format!("attempt-{at}");
            let new = json!({ "name": name, "api_server_url": nowhere(), "credentials": token() });
            faults.add(at, Fault::LoseAnswer);
            let before = faults.seen();
            let done =
                service.create(&permit, serde_json::from_value(new).expect("its shape")).await;
            let used = faults.seen() - before;
            let count = async |sql: Sql| {
                let row = engine.db.fetch_one(sql).await.expect("a count");
                row.i64("n").expect("a number")
            };
            let there = Sql::new("SELECT COUNT(*) AS n FROM clusters WHERE name = ").arg(&name);
            let there = count(there).await;
            let sealed = "SELECT COUNT(*) AS n FROM cluster_credentials k JOIN clusters c \
                          ON c.id = k.cluster_id WHERE c.name = ";
            assert_eq!(count(Sql::new(sealed).arg(&name)).await, there, "statement {at}");
            let told = "SELECT COUNT(*) AS n FROM audit_log WHERE action = 'fleet.cluster.create' \
                        AND target_label = ";
            assert_eq!(count(Sql::new(told).arg(&name)).await, there, "statement {at}");
            let follows = "SELECT COUNT(*) AS n FROM operation_runs r JOIN clusters c \
                           ON r.target = 'cluster:' || c.id WHERE r.type = 'fleet.register' AND c.name = ";
            assert_eq!(count(Sql::new(follows).arg(&name)).await, there, "statement {at}");
            if done.is_ok() && used < at {
                assert_eq!(there, 1);
                break;
            }
            at += 1;
            assert!(at < 60, "it never ends");
        }
        assert!(at > 5, "only {at} statements were tried");
    }
}

fn service(db: &Db) -> FleetService {
    let (vault, clock) = (Vault::for_tests(), db.clock().clone());
    let egress = Egress::new(EgressConfig::default(), &clock);
    let own = Own::default();
    let clients = Clients::new(db.clone(), vault.clone(), egress, testing::admin(), own);
    FleetService::new(db.clone(), vault, Rng::system(), clients, Queue::default())
}

/// A token that says when it ends.
fn ending_in(days: i64) -> Value {
    let exp = Clock::system().now().0 / 1_000_000 + days * 86_400;
    let claims = format!(r#"{{"sub":"system:serviceaccount:a:b","exp":{exp}}}"#);
    let token = format!("e30.{}.sig", URL_SAFE_NO_PAD.encode(claims));
    json!({ "auth_type": "SERVICE_ACCOUNT", "token": token })
}

#[tokio::test]
async fn a_credential_that_ends_within_a_week_is_told_of_once_and_stays_open_work() {
    for kit in kits().await {
        for (name, days) in [("ends-soon", 3), ("ends-later", 30), ("is-over", -1)] {
            let new = json!({ "name": name, "api_server_url": nowhere(), "credentials": ending_in(days) });
            let made = kit.post_json("/api/v1/clusters", new.to_string()).await;
            assert_eq!(made.status, StatusCode::CREATED, "{}", made.text());
        }
        let list = kit.get("/api/v1/clusters").await.json();
        let expiry = |at: usize| list["items"][at]["credential"]["expiry"].clone();
        assert_eq!(
            (expiry(0), expiry(1), expiry(2)),
            (json!("later"), json!("soon"), json!("over"))
        );
        assert_eq!(kit.console.fleet.warn_once().await.expect("a look"), 2);
        assert_eq!(kit.console.fleet.warn_once().await.expect("a look"), 0, "told of already");
        let news = "SELECT COUNT(*) AS n FROM event_outbox WHERE kind = 'CREDENTIAL_EXPIRING'";
        assert_eq!(count(&kit, news).await, 2);
        let work = kit.get("/api/v1/open-work").await.json();
        let rows = work["rows"].as_array().expect("rows").iter();
        let subjects: Vec<_> = rows
            .filter(|row| row["source"] == "fleet")
            .map(|row| (row["subject"].clone(), row["state"].clone()))
            .collect();
        assert_eq!(subjects.len(), 2, "{work}");
        assert!(subjects.contains(&(json!("ends-soon"), json!("ends soon"))), "{subjects:?}");
        assert!(subjects.contains(&(json!("is-over"), json!("expired"))), "{subjects:?}");
    }
}

async fn post(kit: &Kit, path: &str, form: &[(&str, &str)]) -> Answer {
    let body = serde_html_form::to_string(form).expect("a form");
    let request = Request::post(path)
        .header("content-type", "application/x-www-form-urlencoded")
        .header("sec-fetch-site", "same-origin");
    kit.send(request, body).await
}

const FACTS: [(&str, &str); 2] = [("cluster_type", "SPOKE"), ("environment", "LAB")];

fn contexts() -> String {
    let here = nowhere();
    format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: east\ncontexts:\n\
         - {{name: east, context: {{cluster: c, user: u}}}}\n\
         - {{name: 'West 2', context: {{cluster: c, user: u}}}}\n\
         - {{name: bad, context: {{cluster: c, user: x}}}}\n\
         clusters:\n- name: c\n  cluster: {{server: '{here}'}}\n\
         users:\n- name: u\n  user: {{token: {TOKEN}}}\n\
         - name: x\n  user: {{exec: {{command: aws, apiVersion: v1}}}}\n"
    )
}

#[tokio::test]
async fn a_registration_goes_in_steps_and_shows_no_secret() {
    let kit = Kit::new(Who::Admin).await;
    let config = contexts();
    let mut form = vec![("do", "check"), ("by", "kubeconfig"), ("kubeconfig", config.as_str())];
    form.extend(FACTS);
    let looked = post(&kit, "/clusters/new", &form).await;
    assert_eq!(looked.status, StatusCode::SEE_OTHER, "{}", looked.text());
    let draft = looked.header("location").to_owned();
    let page = kit.get(&draft).await;
    assert_eq!(page.status, StatusCode::OK);
    for said in ["east", "West 2", "runs no programs"] {
        assert!(page.text().contains(said), "{said}: {}", page.text());
    }
    assert!(!page.text().contains("canary"));
    let id = draft.split("draft=").nth(1).expect("a draft");
    let chosen = post(&kit, &draft, &[("do", "choose"), ("draft", id), ("context", "east")]).await;
    assert_eq!(chosen.status, StatusCode::SEE_OTHER, "{}", chosen.text());
    let second = chosen.header("location").to_owned();
    let page = kit.get(&second).await;
    assert!(page.text().contains("Nothing answers at this address"), "{}", page.text());
    assert!(page.text().contains("kind: ClusterRole"), "the manifest is shown");
    assert!(!page.text().contains("canary"));
    assert_eq!(count(&kit, "SELECT COUNT(*) AS n FROM clusters").await, 0, "nothing is saved");
    let id = second.split("draft=").nth(1).expect("a draft");
    let made = post(&kit, &second, &[("do", "register"), ("draft", id)]).await;
    assert_eq!(made.status, StatusCode::SEE_OTHER, "{}", made.text());
    let cluster = made.header("location").to_owned();
    let page = kit.get(&cluster).await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.text());
    assert!(page.text().contains("east") && !page.text().contains("canary"));
    // Decided once is decided.
    let again = post(&kit, &second, &[("do", "register"), ("draft", id)]).await;
    assert_eq!(again.status, StatusCode::NOT_FOUND);
    assert_eq!(kit.get(&second).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn several_clusters_are_taken_over_from_one_file() {
    let kit = Kit::new(Who::Admin).await;
    let body = json!({ "kubeconfig": contexts() });
    let done = kit.post_json("/api/v1/clusters/import", body.to_string()).await.json();
    let items = done["items"].as_array().expect("items");
    let names: Vec<_> = items.iter().map(|item| item["name"].clone()).collect();
    assert_eq!(names, ["east", "west-2"], "{done}");
    assert!(items.iter().all(|item| item["status"] == "unreachable"), "{done}");
    let body = json!({ "kubeconfig": contexts(), "contexts": ["east", "bad", "none"] });
    let done = kit.post_json("/api/v1/clusters/import", body.to_string()).await;
    let items = done.json()["items"].as_array().cloned().expect("items");
    assert!(items.iter().all(|item| item["cluster_id"].is_null()), "{}", done.text());
    let why = |at: usize| items[at]["message"].as_str().unwrap_or_default().to_owned();
    assert!(why(0).contains("registered already"), "{}", why(0));
    assert!(why(1).contains("exec"), "{}", why(1));
    assert!(why(2).contains("such context"), "{}", why(2));
    assert!(!done.text().contains("canary"));
    assert_eq!(count(&kit, "SELECT COUNT(*) AS n FROM clusters").await, 2);
}

#[tokio::test]
async fn pages_are_drawn_for_those_who_may_and_forms_keep_what_was_typed() {
    let kit = Kit::new(Who::Admin).await;
    let empty = kit.get("/clusters").await;
    assert!(empty.text().contains("No clusters yet"), "{}", empty.text());
    let new = json!({ "name": "abc", "api_server_url": nowhere(), "labels": { "team": "a" } });
    let id = id(&create(&kit, &new).await);
    let page = format!("/clusters/{id}");
    for by in
        ["kubeconfig", "token", "certificate", "reference", "oidc", "in_cluster", "outpost", "x"]
    {
        let path = format!("/clusters/new?by={by}");
        assert_eq!(kit.get(&path).await.status, StatusCode::OK, "{path}");
    }
    for path in ["/clusters", "/clusters?view=grid", "/clusters?state=UNKNOWN", &page] {
        let drawn = kit.get(path).await;
        assert_eq!(drawn.status, StatusCode::OK, "{path}");
        assert!(drawn.text().contains("abc"), "{path}");
    }
    assert_eq!(kit.get("/clusters/none").await.status, StatusCode::NOT_FOUND);
    // Refused: what was typed stays, what is secret does not.
    let mut form = vec![("do", "check"), ("by", "token"), ("name", "UPPER"), ("token", TOKEN)];
    form.extend([("api_server_url", "https://h"), ("region", "eu-kept")]);
    form.extend(FACTS);
    let refused = post(&kit, "/clusters/new", &form).await;
    assert_eq!(refused.status.as_u16(), 422, "{}", refused.text());
    assert!(refused.text().contains("eu-kept") && !refused.text().contains("canary"));
    let mut edit = vec![("do", "edit"), ("external_id", "abc"), ("region", "eu"), ("version", "1")];
    edit.extend([("labels", "team=b"), ("api_server_url", "https://127.0.0.1:9")]);
    edit.extend(FACTS);
    let saved = post(&kit, &page, &edit).await;
    assert_eq!(saved.status, StatusCode::SEE_OTHER, "{}", saved.text());
    let now = kit.get(&format!("/api/v1/clusters/{id}")).await.json();
    assert_eq!((&now["region"], &now["labels"]), (&json!("eu"), &json!({ "team": "b" })));
    let stale = post(&kit, &page, &edit).await;
    assert_eq!(stale.status.as_u16(), 409, "{}", stale.text());
    let rotate = [("do", "rotate"), ("token", TOKEN)];
    assert_eq!(post(&kit, &page, &rotate).await.status, StatusCode::SEE_OTHER);
    let shown = kit.get(&page).await;
    assert!(shown.text().contains("service account token") && !shown.text().contains("canary"));
    let wrong = post(&kit, &page, &[("do", "remove"), ("name", "abd")]).await;
    assert_eq!(wrong.status.as_u16(), 422);
    let gone = post(&kit, &page, &[("do", "remove"), ("name", "abc")]).await;
    assert_eq!(gone.status, StatusCode::SEE_OTHER);
    assert_eq!(kit.get(&page).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn who_may_only_look_sees_no_forms_and_the_name_of_what_is_lacking() {
    use app::identity::Role;
    let kit = Kit::new(Who::Real).await;
    let admin = kit.signed_in("admin", Some((Role::Admin, None))).await;
    let auditor = kit.signed_in("auditor", Some((Role::Auditor, None))).await;
    let body = json!({ "name": "seen", "api_server_url": nowhere() });
    let made = kit.json_as(&admin, "/api/v1/clusters", body).await.json();
    for path in ["/clusters".to_owned(), format!("/clusters/{}", id(&made))] {
        let page = kit.get_as(&auditor, &path).await;
        assert_eq!(page.status, StatusCode::OK, "{path}");
        assert!(page.text().contains("fleet.manage"), "{path}");
        for form in ["value=\"rotate\"", "value=\"remove\"", "Register a cluster"] {
            assert!(!page.text().contains(form), "{form} on {path}");
        }
    }
    assert_eq!(kit.get_as(&auditor, "/clusters/new").await.status, StatusCode::FORBIDDEN);
}
