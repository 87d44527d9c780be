//! Home through every layer: who is led there, who sees what, and what a person's mark does to it.

mod web_kit;

use app::{identity::Role, time::Micros};
use http::StatusCode;
use serde_json::json;
use server::store::Sql;
use web_kit::{Answer, Kit, Who, people::PASSWORD};

/// A failure that nobody has dealt with.
async fn fail(kit: &Kit, workspace: i64, cause: &str, summary: &str) -> i64 {
    let now = kit.console.db.now().await.expect("now").plus(-60 * Micros::SECOND);
    let sql = Sql::new(
        "INSERT INTO operation_runs (workspace_id, type, status, outcome, initiator_kind, queue, priority, \
         input, context, scheduled_at, attempt, search_text, created_at, started_at, completed_at, \
         error_summary, error_code, error_fingerprint, open_work) VALUES (",
    )
    .arg(workspace)
    .push(", 'system.self_check', 'completed', 'failed', 'user', 'system', 0, '{}', '{}', ")
    .arg(now)
    .push(", 1, '', ")
    .arg(now)
    .push(", ")
    .arg(now)
    .push(", ")
    .arg(now)
    .push(", ")
    .arg(summary)
    .push(", 'broken', ")
    .arg(cause)
    .push(", 1)");
    kit.change(sql).await;
    let newest = Sql::new("SELECT MAX(id) AS id FROM operation_runs");
    kit.console.db.fetch_one(newest).await.expect("a run").i64("id").expect("a number")
}

fn main_of(page: &Answer) -> &str {
    page.text().split_once("<main").map_or("", |(_, main)| main)
}

#[tokio::test]
async fn who_signs_in_comes_home() {
    let kit = Kit::new(Who::Real).await;
    let person = kit.person("ada").await;
    kit.grant("person", &person, Role::Auditor, None).await;
    let fields = [("name", "ada"), ("password", PASSWORD)];
    let entered = kit.form(&web_kit::people::Proof::Nothing, "/sign-in", &fields).await;
    assert_eq!((entered.status, entered.header("location")), (StatusCode::SEE_OTHER, "/"));
    let stranger = kit.get_as(&web_kit::people::Proof::Nothing, "/").await;
    assert_eq!((stranger.status, stranger.header("location")), (StatusCode::SEE_OTHER, "/sign-in"));
}

#[tokio::test]
async fn each_sees_what_they_reach_and_nobody_an_empty_shell() {
    let kit = Kit::new(Who::Real).await;
    kit.workspace(7, "seven").await;
    let here = fail(&kit, 1, "cause-a", "disk <b>full</b>").await;
    fail(&kit, 1, "cause-a", "disk full").await;
    fail(&kit, 7, "cause-b", "image pull refused").await;
    let admin = kit.signed_in("admin", Some((Role::Admin, None))).await;
    let operator = kit.signed_in("operator", Some((Role::Operator, None))).await;
    let auditor = kit.signed_in("auditor", Some((Role::Auditor, None))).await;
    for proof in [&admin, &operator, &auditor] {
        let page = kit.get_as(proof, "/").await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.text());
        let main = main_of(&page);
        assert!(main.contains("2 things need a human") && main.contains("2 times"), "{main}");
        assert!(main.contains("image pull refused") && main.contains("seven"));
        assert!(main.contains("3 failed today") && main.contains("3 open"));
        assert!(main.contains("fingerprint=cause-a&amp;workspace_id=1"));
        assert!(!main.contains("<form") && !main.contains("<b>full"));
    }
    let narrow = kit.signed_in("narrow", Some((Role::Operator, Some(7)))).await;
    let page = kit.get_as(&narrow, "/").await;
    assert!(main_of(&page).contains("1 thing needs a human"), "{}", page.text());
    assert!(!page.text().contains("disk") && main_of(&page).contains("1 failed today"));
    let nobody = kit.signed_in("nobody", None).await;
    let page = kit.get_as(&nobody, "/").await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.text().contains("nothing is granted to you yet") && !page.text().contains("disk"));
    assert_eq!(kit.get_as(&nobody, "/api/v1/open-work").await.json()["sources"], json!([]));
    // Looking at home is no refusal.
    let denied = Sql::new("SELECT COUNT(*) AS n FROM audit_log WHERE decision = 'denied'");
    let denied = kit.console.db.fetch_one(denied).await.expect("a count");
    assert_eq!(denied.i64("n").expect("a number"), 0);

    let work = kit.get_as(&admin, "/api/v1/open-work?zone=Europe/Lisbon").await.json();
    assert_eq!((&work["today"]["failed"], &work["today"]["open"]), (&json!(3), &json!(3)));
    let rows = work["rows"].as_array().expect("rows");
    assert_eq!(
        (rows.len(), &rows[0]["count"], &rows[0]["capability"]),
        (2, &json!(2), &json!("platform.operations.view"))
    );
    assert!(rows.iter().all(|row| row["href"] != format!("/system/ops/runs/{here}")));
    for odd in ["?zone=Mars/Olympus", "?colour=red", "?zone=UTC&zone=UTC"] {
        let refused = kit.get_as(&admin, &format!("/api/v1/open-work{odd}")).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{odd}");
    }
}

#[tokio::test]
async fn a_mark_takes_the_row_away_until_it_fails_again() {
    let kit = Kit::new(Who::Real).await;
    let admin = kit.signed_in("admin", Some((Role::Admin, None))).await;
    let first = fail(&kit, 1, "cause-a", "disk full").await;
    let path = format!("/api/v1/operations/{first}/investigate");
    let seen = json!({"reason": "made room on the disk"});
    let marked = kit.json_as(&admin, &path, seen).await;
    assert!(marked.status.is_success(), "{} {}", marked.status, marked.text());
    let page = kit.get_as(&admin, "/").await;
    assert!(page.text().contains("<h1>Nothing needs a human</h1>"), "{}", page.text());
    assert!(main_of(&page).contains("investigated by"));
    let again = Sql::new(
        "UPDATE operation_runs SET investigated_at = investigated_at - 3600000000, completed_at = completed_at - 3600000000",
    );
    kit.change(again).await;
    fail(&kit, 1, "cause-a", "disk full").await;
    let page = kit.get_as(&admin, "/").await;
    assert!(page.text().contains("Failed again after"), "{}", page.text());
    assert!(main_of(&page).contains(&format!("href=\"/system/ops/runs/{first}\"")));
}
