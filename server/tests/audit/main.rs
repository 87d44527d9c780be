//! The audit chain: whatever is done to it is found and named, whatever happens to its writers leaves it whole.

mod cli;
mod export;
mod heads;
mod list;
mod retention;
mod tampering;
mod writers;

use server::{
    audit::{Ask, Broken, Verdict, Whole, verify},
    journal::{AuditRow, Decision},
    store::{Db, Sql, StoreError, testing},
    vault::ChainKeys,
};

/// Rows that use every column, in turn absent, empty and filled.
fn row(n: i64) -> AuditRow {
    let mut row = AuditRow::allowed(&testing::admin(), "platform.test")
        .target("operation", n, format!("Operation #{n}"))
        .workspace(n)
        .capability(app::identity::Capability::OperationsView)
        .reason("Ålesund: a 'reason'")
        .correlated("trace")
        .on_behalf_of("somebody")
        .detail("n", n);
    row.service_identity = Some("service".to_owned());
    row.session_hash = Some("00ff".to_owned());
    row.address = Some("127.0.0.1".to_owned());
    match n % 3 {
        0 => row,
        1 => AuditRow {
            on_behalf_of: Some(String::new()),
            service_identity: Some(String::new()),
            target_id: Some(String::new()),
            target_label: Some(String::new()),
            reason: Some(String::new()),
            session_hash: Some(String::new()),
            address: Some(String::new()),
            ..row
        },
        _ => AuditRow::denied(
            &testing::admin(),
            "platform.test",
            app::identity::Capability::OperationsView,
        ),
    }
}

async fn append(db: &Db, rows: Vec<AuditRow>) -> Result<(), StoreError> {
    db.begin().await?.commit(rows).await
}

/// A chain of `count` rows, several by one transaction.
async fn write(db: &Db, count: i64) {
    let rows: Vec<AuditRow> = (1..=count).map(row).collect();
    for rows in rows.chunks(50) {
        append(db, rows.to_vec()).await.expect("appended");
    }
}

/// What nobody but a thief or a fool does.
async fn tamper(db: &Db, sql: Sql) {
    let mut tx = db.begin().await.expect("a transaction");
    assert!(tx.execute(sql).await.expect("a statement") > 0, "nothing was changed");
    tx.commit(Vec::new()).await.expect("committed");
}

async fn look(db: &Db, ask: &Ask) -> Verdict {
    verify(db, &ChainKeys::for_tests(), ask).await.expect("it can be checked")
}

async fn broken(db: &Db, ask: &Ask) -> Broken {
    match look(db, ask).await {
        Verdict::Broken(broken) => broken,
        Verdict::Whole(whole) => panic!("said to be whole: {whole:?}"),
    }
}

async fn whole(db: &Db, ask: &Ask) -> Whole {
    match look(db, ask).await {
        Verdict::Whole(whole) => whole,
        Verdict::Broken(broken) => panic!("said to be broken: {broken}"),
    }
}

#[tokio::test]
async fn a_chain_that_nobody_touched_is_whole() {
    for engine in testing::engines().await {
        assert_eq!(
            whole(&engine.db, &Ask::default()).await,
            Whole { rows: 0, last: 0, heads: 0, pruned_to: 0 }
        );
        // More than a page, and not a whole number of them.
        write(&engine.db, 1_203).await;
        let all = whole(&engine.db, &Ask::default()).await;
        assert_eq!(all, Whole { rows: 1_203, last: 1_203, heads: 0, pruned_to: 0 });
        for (from, to, rows) in [(1, 1, 1), (2, 501, 500), (700, 1_203, 504), (1_203, 1_203, 1)] {
            let ask = Ask { from: Some(from), to: Some(to), head: None };
            assert_eq!(
                whole(&engine.db, &ask).await,
                Whole { rows, last: to, heads: 0, pruned_to: 0 }
            );
        }
    }
}

#[tokio::test]
async fn rows_that_are_not_there_cannot_be_asked_for() {
    for engine in testing::engines().await {
        write(&engine.db, 3).await;
        for (from, to) in [(Some(4), None), (None, Some(4)), (Some(3), Some(2))] {
            let ask = Ask { from, to, head: None };
            let looked = verify(&engine.db, &ChainKeys::for_tests(), &ask).await;
            assert!(looked.is_err(), "{ask:?}: {looked:?}");
        }
    }
}

#[tokio::test]
async fn no_row_is_written_outside_the_chain() {
    for engine in testing::engines().await {
        let db = Db::open(&engine.config, engine.db.clock().clone()).await.expect("opens");
        let refused = append(&db, vec![row(1)]).await;
        assert!(matches!(refused, Err(StoreError::NoChain)), "{refused:?}");
        append(&db, Vec::new()).await.expect("without a row there is nothing to chain");
        assert_eq!(whole(&engine.db, &Ask::default()).await.rows, 0);
    }
}

#[tokio::test]
async fn a_row_says_what_it_was_given() {
    for engine in testing::engines().await {
        append(&engine.db, vec![row(3)]).await.expect("appended");
        let sql = Sql::new(
            "SELECT reason, workspace_id, decision, session_hash, details, hash_version, hash_key, \
             prev_hash, hash, (SELECT hash FROM audit_head) AS head FROM audit_log",
        );
        let row = engine.db.fetch_one(sql).await.expect("a row");
        assert_eq!(row.text("reason").expect("text"), "Ålesund: a 'reason'");
        assert_eq!(row.i64("workspace_id").expect("a number"), 3);
        assert_eq!(row.text("decision").expect("text"), Decision::Allowed.as_str());
        assert_eq!(row.text("session_hash").expect("text"), "00ff");
        assert_eq!(row.text("details").expect("text"), r#"{"n":3}"#);
        assert_eq!(row.i64("hash_version").expect("a number"), 1);
        assert_eq!(row.text("hash_key").expect("text"), ChainKeys::for_tests().active().0);
        assert_eq!(row.bytes("prev_hash").expect("bytes"), [0; 32]);
        assert_eq!(row.bytes("hash").expect("bytes"), row.bytes("head").expect("bytes"));
    }
}
