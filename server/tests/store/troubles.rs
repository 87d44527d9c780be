//! A locked, full, read-only, slow or broken database: a clear error, and nothing is lost.

use std::time::Duration;

use app::error::{ApiError, Dependency};
use server::store::{Db, Dialect, Fault, Faults, Sql, StoreConfig, StoreError, testing};

fn add_workspace(name: impl Into<String>) -> Sql {
    Sql::new("INSERT INTO workspaces (name, created_at) VALUES (")
        .arg(name.into())
        .push(", ")
        .arg(0_i64)
        .push(")")
}

async fn add(db: &Db, name: &str) -> Result<(), StoreError> {
    let mut tx = db.begin().await?;
    tx.execute(add_workspace(name)).await?;
    tx.commit(Vec::new()).await
}

async fn names(db: &Db) -> Vec<String> {
    let rows =
        db.fetch_all(Sql::new("SELECT name FROM workspaces ORDER BY id")).await.expect("rows");
    rows.iter().map(|row| row.text("name").expect("a name")).collect()
}

async fn impatient(engine: &testing::Engine) -> Db {
    let config = StoreConfig { lock_timeout: Duration::from_millis(200), ..engine.config.clone() };
    Db::open(&config, engine.db.clock().clone()).await.expect("opens")
}

#[tokio::test]
async fn a_locked_database_says_so_and_goes_on_afterwards() {
    for engine in testing::engines().await {
        let other = impatient(&engine).await;
        let mut holder = engine.db.begin().await.expect("a transaction");
        holder
            .execute(Sql::new("UPDATE workspaces SET name = 'held' WHERE id = 1"))
            .await
            .expect("a row");
        let refused = async {
            let mut tx = other.begin().await?;
            tx.execute(add_workspace("beside")).await?;
            tx.execute(Sql::new("UPDATE workspaces SET name = 'mine' WHERE id = 1")).await?;
            tx.commit(Vec::new()).await
        }
        .await
        .expect_err("another writer holds the row");
        assert!(matches!(refused, StoreError::Locked(_)), "{refused:?}");
        assert_eq!(ApiError::from(refused), ApiError::Unavailable(Dependency::Database));
        holder.commit(Vec::new()).await.expect("the holder is not disturbed");
        assert_eq!(names(&other).await, ["held"], "nothing half done");
        add(&other, "afterwards").await.expect("free again");
        assert_eq!(names(&engine.db).await, ["held", "afterwards"]);
    }
}

#[tokio::test]
async fn a_full_sqlite_says_so_loses_nothing_and_goes_on_when_there_is_room() {
    if !testing::dialects().contains(&Dialect::Sqlite) {
        return;
    }
    let engine = testing::Engine::fresh(Dialect::Sqlite, server::clock::Clock::system()).await;
    let db = &engine.db;
    let limit = async |sql: &'static str| {
        let mut tx = db.begin().await.expect("a transaction");
        tx.fetch_all(Sql::new(sql)).await.expect("a pragma");
        tx.commit(Vec::new()).await.expect("committed");
    };
    // The smallest number there is: as many pages as are used.
    limit("PRAGMA max_page_count = 1").await;
    let mut kept = vec!["platform".to_owned()];
    let refused = loop {
        let name = format!("{:04}-{}", kept.len(), "x".repeat(1_000));
        match add(db, &name).await {
            Ok(()) => kept.push(name),
            Err(error) => break error,
        }
        assert!(kept.len() < 1_000, "it never became full");
    };
    assert!(matches!(refused, StoreError::Full(_)), "{refused:?}");
    assert_eq!(ApiError::from(refused), ApiError::Unavailable(Dependency::Database));
    assert_eq!(names(db).await, kept, "everything that was committed is there, nothing else");
    // SQLite has rolled back by itself; the one write connection must not be stuck in a transaction.
    for _ in 0..3 {
        limit("PRAGMA max_page_count = 1").await;
        assert!(matches!(add(db, &"y".repeat(100_000)).await, Err(StoreError::Full(_))));
    }
    limit("PRAGMA max_page_count = 1000000").await;
    add(db, "room again").await.expect("there is room");
    kept.push("room again".to_owned());
    assert_eq!(names(db).await, kept);
}

#[tokio::test]
async fn a_full_or_closing_postgres_is_understood() {
    if !testing::dialects().contains(&Dialect::Postgres) {
        return;
    }
    let engine = testing::Engine::fresh(Dialect::Postgres, server::clock::Clock::system()).await;
    let raised = async |sql: &'static str| {
        let mut tx = engine.db.begin().await.expect("a transaction");
        tx.execute(add_workspace("half")).await.expect("a row");
        tx.execute(Sql::new(sql)).await.expect_err("raised")
    };
    let full =
        raised("DO 'BEGIN RAISE EXCEPTION ''no room'' USING ERRCODE = ''53100''; END'").await;
    assert!(matches!(full, StoreError::Full(_)), "{full:?}");
    // Shut down, and closed to connections.
    for sql in [
        "DO 'BEGIN RAISE EXCEPTION ''going'' USING ERRCODE = ''57P01''; END'",
        "DO 'BEGIN RAISE EXCEPTION ''closed'' USING ERRCODE = ''55000''; END'",
    ] {
        let closing = raised(sql).await;
        assert!(matches!(closing, StoreError::Connection(_)), "{closing:?}");
    }
    assert_eq!(names(&engine.db).await, ["platform"]);
}

#[tokio::test]
async fn a_read_only_store_reads_and_refuses_every_write() {
    for engine in testing::engines().await {
        let config = StoreConfig { read_only: true, ..engine.config.clone() };
        let db = Db::open(&config, engine.db.clock().clone()).await.expect("opens");
        assert_eq!(names(&db).await, ["platform"]);
        assert!(matches!(db.begin().await.err(), Some(StoreError::ReadOnly(_))));
        assert!(matches!(db.migrate().await.err(), Some(StoreError::ReadOnly(_))));
        // Reads have no way to write either, whatever the SQL says.
        let refused =
            engine.db.fetch_all(add_workspace("slipped in").push(" RETURNING id")).await.err();
        assert!(matches!(&refused, Some(StoreError::ReadOnly(_))), "{refused:?}");
        assert_eq!(names(&engine.db).await, ["platform"]);
    }
}

#[tokio::test]
async fn a_database_that_takes_no_writes_says_so_and_still_reads() {
    for engine in testing::engines().await {
        let mut tx = engine.db.begin().await.expect("a transaction");
        let closed = match engine.dialect() {
            Dialect::Sqlite => tx.fetch_all(Sql::new("PRAGMA query_only = 1")).await.map(|_| 0),
            Dialect::Postgres => {
                tx.execute(Sql::new(
                    "DO 'BEGIN EXECUTE format(''ALTER DATABASE %I SET default_transaction_read_only = on'', \
                     current_database()); END'",
                ))
                .await
            }
        };
        closed.expect("closed to writes");
        tx.commit(Vec::new()).await.expect("committed");
        // On Postgres that holds for new connections, on SQLite for the one that writes.
        let db = match engine.dialect() {
            Dialect::Sqlite => engine.db.clone(),
            Dialect::Postgres => engine.again().await,
        };
        for _ in 0..2 {
            let refused = add(&db, "refused").await.expect_err("read-only");
            assert!(matches!(refused, StoreError::ReadOnly(_)), "{refused:?}");
            assert_eq!(names(&db).await, ["platform"]);
        }
    }
}

#[tokio::test]
async fn a_read_that_takes_too_long_ends() {
    for engine in testing::engines().await {
        let config =
            StoreConfig { statement_timeout: Duration::from_millis(150), ..engine.config.clone() };
        let db = Db::open(&config, engine.db.clock().clone()).await.expect("opens");
        let endless = Sql::new(
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000000000) \
             SELECT max(i) AS most FROM n",
        );
        let refused = db.fetch_all(endless).await.err();
        assert!(matches!(&refused, Some(StoreError::Timeout)), "{refused:?}");
        for _ in 0..8 {
            db.ping().await.expect("the connection can be used again");
        }
    }
}

#[tokio::test]
async fn a_store_that_cannot_be_reached_is_named() {
    let clock = server::clock::Clock::system();
    let nowhere = StoreConfig::at("postgres://me:hunter2@127.0.0.1:1/quarterdeck");
    let refused = Db::open(&nowhere, clock.clone()).await.err().expect("nobody listens on port 1");
    assert!(matches!(refused, StoreError::Connection(_)), "{refused:?}");
    assert!(!refused.to_string().contains("hunter2"));
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("notes.txt");
    std::fs::write(&file, "these are notes, not a database, and they are long enough to be asked")
        .expect("written");
    let notes = StoreConfig::at(format!("sqlite:{}", file.display()));
    let refused = Db::open(&notes, clock).await.err().expect("not a database");
    assert!(matches!(refused, StoreError::Connection(_)), "{refused:?}");
    for engine in testing::engines().await {
        engine.db.close().await;
        assert!(matches!(engine.db.ping().await, Err(StoreError::Connection(_))));
    }
}

#[tokio::test]
async fn postgres_may_drop_our_connections() {
    if !testing::dialects().contains(&Dialect::Postgres) {
        return;
    }
    let engine = testing::Engine::fresh(Dialect::Postgres, server::clock::Clock::system()).await;
    let other = engine.again().await;
    let mut tx = engine.db.begin().await.expect("a transaction");
    tx.execute(add_workspace("half")).await.expect("a row");
    let sql = "SELECT count(pg_terminate_backend(pid)) AS n FROM pg_stat_activity \
               WHERE datname = current_database() AND pid <> pg_backend_pid()";
    other.fetch_one(Sql::new(sql)).await.expect("all others are gone");
    let refused = tx.commit(Vec::new()).await.expect_err("the line is dead");
    assert!(matches!(refused, StoreError::CommitUnknown(_)), "{refused:?}");
    assert_eq!(names(&engine.db).await, ["platform"], "a new connection, and nothing half done");
    add(&engine.db, "afterwards").await.expect("writes go on");
}

/// Runs the same write with a fault at each of its statements in turn.
#[tokio::test]
async fn a_fault_at_any_statement_leaves_all_or_nothing() {
    for engine in testing::engines().await {
        let counting = Faults::none();
        let db = engine.with_faults(&counting).await;
        let before = counting.seen();
        add_two(&db, "counted").await.expect("no fault");
        let statements = counting.seen() - before;
        assert!(statements >= 4, "begin, two statements, commit");
        for fault in
            [Fault::Fail, Fault::Lock, Fault::LoseAnswer, Fault::Delay(Duration::from_millis(1))]
        {
            for n in 1..=statements {
                let faults = Faults::none();
                let db = engine.with_faults(&faults).await;
                faults.add(n, fault.clone());
                let name = format!("{fault:?}-{n}");
                let done = add_two(&db, &name).await;
                let written =
                    names(&engine.db).await.iter().filter(|w| w.starts_with(&name)).count();
                let lost_commit = fault == Fault::LoseAnswer && n == statements;
                assert_eq!(written, if done.is_ok() || lost_commit { 2 } else { 0 }, "{name}");
                assert_eq!(done.is_ok(), matches!(fault, Fault::Delay(_)), "{name}");
                if lost_commit {
                    let error = done.expect_err("the answer was lost");
                    assert!(matches!(error, StoreError::CommitUnknown(_)));
                    assert_eq!(
                        ApiError::from(error),
                        ApiError::Timeout,
                        "not: nothing was changed"
                    );
                }
                add_two(&db, &format!("after-{name}")).await.expect("goes on");
            }
        }
    }
}

async fn add_two(db: &Db, name: &str) -> Result<(), StoreError> {
    let mut tx = db.begin().await?;
    tx.execute(add_workspace(format!("{name}-a"))).await?;
    tx.execute(add_workspace(format!("{name}-b"))).await?;
    tx.commit(Vec::new()).await
}
