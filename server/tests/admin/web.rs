//! The pages' forms and the JSON API, through every layer.

use app::identity::Capability;
use axum::extract::Request;
use server::store::Sql;

use super::web_kit::{Answer, Kit, Who};

async fn post(kit: &Kit, path: &str, form: &str) -> Answer {
    let request = Request::post(path)
        .header("content-type", "application/x-www-form-urlencoded")
        .header("sec-fetch-site", "same-origin");
    kit.send(request, form.to_owned()).await
}

async fn send(kit: &Kit, method: &str, path: &str, body: &'static str) -> Answer {
    let request = Request::builder().method(method).uri(path);
    let request = request.header("content-type", "application/json");
    kit.send(request.header("sec-fetch-site", "same-origin"), body).await
}

/// `u-1`, as whom the kit asks, has an account.
async fn account(kit: &Kit) {
    let mut tx = kit.console.db.begin().await.expect("a transaction");
    let sql = "INSERT INTO people (id, source, login, display_name, created_at) \
               VALUES ('u-1', 'local', 'u', 'Test', 0)";
    tx.execute(Sql::new(sql)).await.expect("a person");
    tx.commit(Vec::new()).await.expect("committed");
}

async fn dump(kit: &Kit) -> String {
    let mut all = String::new();
    for sql in [
        "SELECT details AS text FROM audit_log",
        "SELECT target_label AS text FROM audit_log",
        "SELECT prefix AS text FROM api_keys",
    ] {
        let rows = kit.console.db.fetch_all(Sql::new(sql)).await.expect("rows");
        for row in &rows {
            all.push_str(&row.opt_text("text").expect("text").unwrap_or_default());
        }
    }
    all
}

#[tokio::test]
async fn a_person_is_added_and_the_link_stands_on_that_answer_alone() {
    let kit = Kit::new(Who::Admin).await;
    let answer = post(&kit, "/settings/people", "do=add&login=ada&display_name=Ada&email=").await;
    assert_eq!(answer.status.as_u16(), 200, "{}", answer.text());
    let html = answer.text();
    let at = html.find("/welcome?link=").expect("the link");
    let token: String = html[at + 14..].chars().take(43).collect();
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.header("set-cookie"), "", "it travels in no cookie");
    let page = kit.get("/settings/people").await;
    assert!(page.text().contains("Ada") && !page.text().contains(&token));
    assert!(!dump(&kit).await.contains(&token));

    let refused = post(&kit, "/settings/people", "do=add&login=ADA&display_name=Kept").await;
    assert_eq!(refused.status.as_u16(), 409);
    assert!(
        refused.text().contains("This name is taken.") && refused.text().contains("value=\"Kept\"")
    );
    for (form, status) in [
        ("do=add", 422),
        ("do=add&login=a&login=b", 422),
        ("do=add&login=a&colour=red", 422),
        ("do=fly&login=a", 422),
        ("", 422),
        ("do=add&login=%ff", 422),
    ] {
        let refused = post(&kit, "/settings/people", form).await;
        assert!([400, status].contains(&refused.status.as_u16()), "{form}: {}", refused.status);
    }
}

#[tokio::test]
async fn a_persons_page_renames_disables_and_enables() {
    let kit = Kit::new(Who::Admin).await;
    let added = send(&kit, "POST", "/api/v1/people", r#"{"login":"ada"}"#).await;
    assert_eq!(added.status.as_u16(), 201, "{}", added.text());
    let id = added.json()["id"].as_str().expect("an id").to_owned();
    assert!(
        added.json()["password_link"]["link"].as_str().expect("a link").contains("/welcome?link=")
    );
    let page = format!("/settings/people/{id}");
    for (form, says) in [
        ("do=rename&display_name=Ada+L&email=ada%40example.com", "was changed"),
        ("do=disable", "was disabled"),
        ("do=enable", "may sign in again"),
    ] {
        let done = post(&kit, &page, form).await;
        assert_eq!((done.status.as_u16(), done.header("location")), (303, page.as_str()), "{form}");
        let cookie = done.header("set-cookie").split(';').next().expect("a flash").to_owned();
        let told = kit.send(Request::get(&page).header("cookie", cookie), "").await;
        assert!(told.text().contains(says), "{says}");
    }
    let shown = kit.get(&page).await;
    assert!(shown.text().contains("ada@example.com") && shown.text().contains("Disable…"));
    let link = post(&kit, &page, "do=link").await;
    assert!(link.status.as_u16() == 200 && link.text().contains("/welcome?link="));
    let gone = post(&kit, &page, "do=end&session=none").await;
    assert_eq!(gone.status.as_u16(), 404);
    assert_eq!(post(&kit, "/settings/people/nobody", "do=disable").await.status.as_u16(), 404);
    assert_eq!(kit.get("/settings/people/nobody").await.status.as_u16(), 404);
}

#[tokio::test]
async fn grants_are_given_and_removed_by_form() {
    let kit = Kit::new(Who::Admin).await;
    let form = "do=add&subject_kind=group&subject=sre&role=operator&workspace_id=everything";
    assert_eq!(post(&kit, "/settings/grants", form).await.status.as_u16(), 303);
    let again = post(&kit, "/settings/grants", form).await;
    assert_eq!(again.status.as_u16(), 409);
    assert!(again.text().contains("granted already") && again.text().contains("value=\"sre\""));
    // Nothing is granted on everything because a field was left out.
    for form in [
        "do=add&subject_kind=group&subject=x&role=admin",
        "do=add&subject_kind=group&subject=x&role=admin&workspace_id=",
        "do=add&subject_kind=group&subject=x&role=admin&workspace_id=all",
        "do=add&subject_kind=group&subject=x&role=root&workspace_id=everything",
        "do=add&subject_kind=robot&subject=x&role=admin&workspace_id=everything",
    ] {
        assert_eq!(post(&kit, "/settings/grants", form).await.status.as_u16(), 422, "{form}");
    }
    let forged = "do=add&subject_kind=group&subject=x&role=admin&workspace_id=77";
    assert_eq!(post(&kit, "/settings/grants", forged).await.status.as_u16(), 404);
    let list = kit.get("/api/v1/grants").await.json();
    assert_eq!(list["total"], 1);
    let id = list["items"][0]["id"].as_str().expect("an id").to_owned();
    let page = kit.get("/settings/grants").await;
    assert!(page.text().contains("sre") && page.text().contains("Remove…"));
    let form = format!("do=remove&grant={id}");
    assert_eq!(post(&kit, "/settings/grants", &form).await.status.as_u16(), 303);
    assert_eq!(post(&kit, "/settings/grants", &form).await.status.as_u16(), 404);
}

#[tokio::test]
async fn keys_are_made_taken_over_and_revoked_by_form() {
    let kit = Kit::new(Who::Admin).await;
    let form = "do=mint&name=bot&service_identity=n8n&workspace_id=everything&expires_in_days=30\
                &capabilities=gpu.view&capabilities=fleet.view";
    let made = post(&kit, "/settings/keys", form).await;
    assert_eq!(made.status.as_u16(), 200, "{}", made.text());
    let at = made.text().find("qd_").expect("the key");
    let token: String = made.text()[at..].chars().take(46).collect();
    assert_eq!(made.header("set-cookie"), "");
    let page = kit.get("/settings/keys").await;
    assert!(page.text().contains("service n8n") && page.text().contains(&token[..9]));
    assert!(!page.text().contains(&token[9..]));
    assert!(!dump(&kit).await.contains(&token[9..]));

    let secret = "an-existing-key-of-theirs";
    let import = format!(
        "do=import&name=old&service_identity=debug&workspace_id=everything&expires_in_days=never\
         &capabilities=debug.use&key={secret}"
    );
    let broken = import.replace("name=old", "name=");
    let refused = post(&kit, "/settings/keys", &broken).await;
    assert_eq!(refused.status.as_u16(), 422);
    assert!(!refused.text().contains(secret), "a secret is never sent back");
    assert_eq!(post(&kit, "/settings/keys", &import).await.status.as_u16(), 303);
    let known = post(&kit, "/settings/keys", &import).await;
    assert_eq!(known.status.as_u16(), 409);
    assert!(!known.text().contains(secret));
    for form in [
        "do=mint&name=k&service_identity=s&expires_in_days=30&capabilities=gpu.view",
        "do=mint&name=k&service_identity=s&workspace_id=everything&capabilities=gpu.view",
        "do=mint&name=k&service_identity=s&workspace_id=everything&expires_in_days=30",
        "do=mint&name=k&service_identity=s&workspace_id=everything&expires_in_days=0&capabilities=gpu.view",
        "do=mint&name=k&service_identity=s&workspace_id=everything&expires_in_days=30&capabilities=root",
    ] {
        assert_eq!(post(&kit, "/settings/keys", form).await.status.as_u16(), 422, "{form}");
    }
    let list = kit.get("/api/v1/keys?state=active").await.json();
    assert_eq!(list["total"], 2);
    let id = list["items"][0]["id"].as_str().expect("an id");
    let revoked = post(&kit, "/settings/keys", &format!("do=revoke&id={id}")).await;
    assert_eq!(revoked.status.as_u16(), 303);
    assert_eq!(kit.get("/api/v1/keys?state=active").await.json()["total"], 1);
}

#[tokio::test]
async fn anybody_makes_keys_of_their_own_with_what_they_have() {
    let kit = Kit::new(Who::Holding(&[Capability::GpuView])).await;
    let nobody = kit.get("/account/keys").await;
    assert!(nobody.text().contains("A key belongs to an account"));
    account(&kit).await;
    let page = kit.get("/account/keys").await;
    assert!(page.text().contains("gpu.view") && !page.text().contains("fleet.view"));
    let form = "do=mint&name=mine&workspace_id=everything&expires_in_days=7&capabilities=";
    let more = post(&kit, "/account/keys", &format!("{form}fleet.view")).await;
    assert_eq!(more.status.as_u16(), 403);
    let made = post(&kit, "/account/keys", &format!("{form}gpu.view")).await;
    assert!(made.status.as_u16() == 200 && made.text().contains("qd_"), "{}", made.text());
    let smuggled = post(&kit, "/account/keys", &format!("{form}gpu.view&service_identity=x")).await;
    assert_eq!(smuggled.status.as_u16(), 422);
    let body = r#"{"name":"s","capabilities":["gpu.view"],"service_identity":"x"}"#;
    assert_eq!(send(&kit, "POST", "/api/v1/me/keys", body).await.status.as_u16(), 403);
    let list = kit.get("/api/v1/me/keys").await.json();
    assert_eq!(
        (list["total"].as_i64(), list["items"][0]["name"].as_str()),
        (Some(1), Some("mine"))
    );
    let id = list["items"][0]["id"].as_str().expect("an id").to_owned();
    assert_eq!(kit.get("/settings/keys").await.status.as_u16(), 403);
    let revoked = send(&kit, "DELETE", &format!("/api/v1/me/keys/{id}"), "").await;
    assert_eq!(revoked.status.as_u16(), 204);
}

#[tokio::test]
async fn workspaces_change_by_form_and_over_json() {
    let kit = Kit::new(Who::Admin).await;
    let page = "/settings/workspaces";
    assert_eq!(post(&kit, page, "do=create&name=payments").await.status.as_u16(), 303);
    let list = kit.get("/api/v1/workspaces?q=PAY").await.json();
    let id = list["items"][0]["id"].as_i64().expect("an id");
    assert_eq!(
        post(&kit, page, &format!("do=create_tenant&id={id}&name=eu")).await.status.as_u16(),
        303
    );
    let taken = post(&kit, page, &format!("do=rename&id={id}&name=platform")).await;
    assert_eq!(taken.status.as_u16(), 409);
    assert!(taken.text().contains("This name is taken."));
    let built_in = post(&kit, page, "do=archive&id=1").await;
    assert_eq!(built_in.status.as_u16(), 409);
    assert!(built_in.text().contains("belongs to the console itself"));
    for form in ["do=archive", "do=archive&id=one", "do=create", "do=archive&id=1&name=x", "do=x"] {
        assert_eq!(post(&kit, page, form).await.status.as_u16(), 422, "{form}");
    }
    let archived = send(&kit, "DELETE", &format!("/api/v1/workspaces/{id}"), "").await;
    assert_eq!(archived.status.as_u16(), 204);
    let body: &'static str = Box::leak(
        format!(r#"{{"type":"system.self_check","input":{{}},"workspace_id":{id}}}"#).into(),
    );
    let refused = send(&kit, "POST", "/api/v1/operations", body).await;
    assert_eq!((refused.status.as_u16(), refused.code().as_str()), (409, "ARCHIVED"));
    let unknown = send(&kit, "POST", "/api/v1/workspaces", r#"{"name":"x","colour":1}"#).await;
    assert_eq!(unknown.violations()["colour"], "unknown_field");
    let html = kit.get(page).await;
    assert!(html.text().contains("archived") && html.text().contains("built in"));
}

#[tokio::test]
async fn who_only_sees_has_no_forms_and_is_refused_when_they_are_forged() {
    const SEES: &[Capability] = &[Capability::IdentityView];
    let kit = Kit::new(Who::Holding(SEES)).await;
    for (page, capability) in [
        ("/settings/people", "identity.manage"),
        ("/settings/grants", "identity.manage"),
        ("/settings/keys", "identity.manage"),
        ("/settings/workspaces", "settings.manage"),
    ] {
        let seen = kit.get(page).await;
        assert_eq!(seen.status.as_u16(), 200, "{page}");
        let main = seen.text().split_once("<main").map_or("", |(_, main)| main);
        assert!(!main.contains("method=\"post\""), "{page}");
        assert!(main.contains(capability), "{page} names what is missing");
        let forged = post(&kit, page, "do=add").await;
        assert_eq!(forged.status.as_u16(), 403, "{page}");
    }
    let rows = Sql::new("SELECT decision FROM audit_log WHERE decision = 'denied'");
    assert_eq!(kit.console.db.fetch_all(rows).await.expect("rows").len(), 4);
}

#[tokio::test]
async fn what_was_typed_becomes_no_markup() {
    let kit = Kit::new(Who::Admin).await;
    let evil = "%3C%2Ftitle%3E%3Cscript%3Ealert(1)%3C%2Fscript%3E";
    post(&kit, "/settings/people", &format!("do=add&login=ada&display_name={evil}")).await;
    post(&kit, "/settings/workspaces", &format!("do=create&name={evil}")).await;
    let grant = "do=add&subject_kind=group&role=auditor&workspace_id=everything&subject=";
    post(&kit, "/settings/grants", &format!("{grant}{evil}")).await;
    let refused = post(&kit, "/settings/grants", &format!("{grant}{evil}")).await;
    assert_eq!(refused.status.as_u16(), 409);
    let person = kit.get("/api/v1/people").await.json()["items"][0]["id"].clone();
    let person = format!("/settings/people/{}", person.as_str().expect("an id"));
    for page in ["/settings/people", &person, "/settings/workspaces", "/settings/grants"] {
        let html = kit.get(page).await;
        assert!(html.text().contains("alert(1)"), "{page} shows it");
        assert!(!html.text().contains("<script>alert"), "{page}");
    }
    assert!(!refused.text().contains("<script>alert"));
}
