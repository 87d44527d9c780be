//! One SQL text on both engines: what a transaction promises, and what every column gives back.

mod concurrency;
mod killed;
mod schema;
mod troubles;
mod words;

use server::{
    journal::{
        AuditRow,
        events::{News, publish},
    },
    store::{Dialect, Sql, StoreError, testing},
};

fn add_workspace(name: &str) -> Sql {
    Sql::new("INSERT INTO workspaces (name, created_at) VALUES (")
        .arg(name)
        .push(", ")
        .arg(0_i64)
        .push(") RETURNING id")
}

#[tokio::test]
async fn a_write_is_all_or_nothing() {
    for engine in testing::engines().await {
        let db = &engine.db;
        let mut tx = db.begin().await.expect("a transaction");
        let id =
            tx.fetch_one(add_workspace("kept")).await.expect("a row").i64("id").expect("an id");
        assert_eq!(id, 2, "workspace 1 is built in");
        tx.commit(Vec::new()).await.expect("committed");

        let mut tx = db.begin().await.expect("a transaction");
        tx.execute(add_workspace("dropped")).await.expect("a row");
        drop(tx);

        let names =
            db.fetch_all(Sql::new("SELECT name FROM workspaces ORDER BY id")).await.expect("rows");
        let names: Vec<String> =
            names.iter().map(|row| row.text("name").expect("a name")).collect();
        assert_eq!(names, ["platform", "kept"]);
    }
}

#[tokio::test]
async fn audit_rows_and_news_are_part_of_the_write() {
    for engine in testing::engines().await {
        let db = &engine.db;
        let caller = testing::admin();
        let news = db.news();
        for keep in [true, false, true] {
            let mut tx = db.begin().await.expect("a transaction");
            let news = News {
                topic: "operations",
                kind: "OPERATION_UPDATED",
                id: "7".to_owned(),
                capability: app::identity::Capability::OperationsView,
                workspace_id: 1,
            };
            publish(&mut tx, news).await.expect("published");
            let row = AuditRow::allowed(&caller, "platform.operations.start")
                .target("operation", 7, "Operation #7")
                .workspace(1)
                .detail("type", "system.self_check");
            if keep {
                tx.commit(vec![row.clone(), row]).await.expect("committed");
            }
        }
        assert!(news.has_changed().expect("the store stands"));
        let outbox =
            db.fetch_one(Sql::new("SELECT count(*) AS n FROM event_outbox")).await.expect("a row");
        assert_eq!(outbox.i64("n").expect("a count"), 2);
        let rows = db
            .fetch_all(Sql::new("SELECT seq, details, decision, hash FROM audit_log ORDER BY seq"))
            .await
            .expect("rows");
        let seqs: Vec<i64> = rows.iter().map(|row| row.i64("seq").expect("a number")).collect();
        assert_eq!(seqs, [1, 2, 3, 4], "no gaps");
        assert_eq!(rows[0].text("details").expect("JSON"), r#"{"type":"system.self_check"}"#);
        assert_eq!(rows[0].text("decision").expect("a word"), "allowed");
        assert_eq!(rows[0].bytes("hash").expect("a place in the chain").len(), 32);
    }
}

#[tokio::test]
async fn a_failed_statement_ends_its_transaction_on_both_engines() {
    for engine in testing::engines().await {
        let db = &engine.db;
        let mut tx = db.begin().await.expect("a transaction");
        tx.execute(add_workspace("before")).await.expect("a row");
        let error = tx.execute(add_workspace("platform")).await.expect_err("the name is taken");
        assert!(
            matches!(&error, StoreError::Unique { constraint } if constraint == "workspaces_by_name"),
            "{error:?}"
        );
        assert!(matches!(tx.execute(add_workspace("after")).await, Err(StoreError::Aborted)));
        assert!(matches!(tx.commit(Vec::new()).await, Err(StoreError::Aborted)));
        let count =
            db.fetch_one(Sql::new("SELECT count(*) AS n FROM workspaces")).await.expect("a row");
        assert_eq!(count.i64("n").expect("a count"), 1, "{}", engine.dialect().as_str());
    }
}

#[tokio::test]
async fn both_engines_say_which_is_which() {
    let dialects: Vec<Dialect> =
        testing::engines().await.iter().map(testing::Engine::dialect).collect();
    assert_eq!(dialects, testing::dialects());
}
