//! Many at once: nothing is lost, nothing is refused.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use server::store::{Db, Dialect, Sql, StoreError, testing};
use tokio::task::JoinSet;

const WRITERS: i64 = 8;
const WRITES: i64 = 60;
const READERS: usize = 4;

/// One account that all writers read and write, and one line in the book per write.
async fn open_the_book(db: &Db) {
    let mut tx = db.begin().await.expect("a transaction");
    let tables = [
        Sql::new("CREATE TABLE account (id BIGINT PRIMARY KEY, balance BIGINT NOT NULL)"),
        Sql::new(
            "CREATE TABLE book (writer BIGINT NOT NULL, n BIGINT NOT NULL, PRIMARY KEY (writer, n))",
        ),
        Sql::new("INSERT INTO account (id, balance) VALUES (1, 0)"),
    ];
    for sql in tables {
        tx.execute(sql).await.expect("a statement");
    }
    tx.commit(Vec::new()).await.expect("committed");
}

/// Reads, then writes what follows from it: lost at once if two did so side by side.
async fn write(db: &Db, writer: i64, n: i64) -> Result<(), StoreError> {
    let mut tx = db.begin().await?;
    let lock = tx.dialect().row_lock();
    let read = Sql::new("SELECT balance FROM account WHERE id = 1").push(lock);
    let balance = tx.fetch_one(read).await?.i64("balance")?;
    tokio::task::yield_now().await;
    let line =
        Sql::new("INSERT INTO book (writer, n) VALUES (").arg(writer).push(", ").arg(n).push(")");
    tx.execute(line).await?;
    let update = Sql::new("UPDATE account SET balance = ").arg(balance + 1).push(" WHERE id = 1");
    tx.execute(update).await?;
    tx.commit(Vec::new()).await
}

/// Account and book agree in every snapshot.
async fn read(db: &Db) -> Result<(), StoreError> {
    let sql = Sql::new(
        "SELECT (SELECT balance FROM account WHERE id = 1) AS balance, (SELECT count(*) FROM book) AS lines",
    );
    let row = db.fetch_one(sql).await?;
    assert_eq!(row.i64("balance")?, row.i64("lines")?, "half of a write was seen");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn eight_writers_and_four_readers_lose_nothing_and_refuse_nothing() {
    for engine in testing::engines().await {
        open_the_book(&engine.db).await;
        let done = Arc::new(AtomicBool::new(false));
        let reads = Arc::new(AtomicU64::new(0));
        let (mut writers, mut readers) = (JoinSet::new(), JoinSet::new());
        // Every other one through connections of its own, as `quarterdeck migrate` beside the server has them.
        let beside = engine.again().await;
        for writer in 0..WRITERS {
            let db = if writer % 2 == 0 { engine.db.clone() } else { beside.clone() };
            writers.spawn(async move {
                for n in 0..WRITES {
                    write(&db, writer, n).await.expect("no write is refused");
                }
            });
        }
        for _ in 0..READERS {
            let (db, done, reads) = (engine.db.clone(), done.clone(), reads.clone());
            readers.spawn(async move {
                while !done.load(Ordering::Relaxed) {
                    read(&db).await.expect("no read is refused");
                    reads.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        while let Some(writer) = writers.join_next().await {
            writer.expect("a writer ends well");
        }
        done.store(true, Ordering::Relaxed);
        while let Some(reader) = readers.join_next().await {
            reader.expect("a reader ends well");
        }
        let row =
            engine.db.fetch_one(Sql::new("SELECT balance FROM account")).await.expect("a row");
        assert_eq!(row.i64("balance").expect("a number"), WRITERS * WRITES);
        assert!(reads.load(Ordering::Relaxed) > 0, "readers read beside the writers");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn audit_rows_of_writers_at_once_make_one_chain_without_gaps() {
    for engine in testing::engines().await {
        let mut writers = JoinSet::new();
        for _ in 0..WRITERS {
            let db = engine.db.clone();
            writers.spawn(async move {
                for n in 0..20 {
                    let mut tx = db.begin().await.expect("a transaction");
                    tx.fetch_one(Sql::new("SELECT 1 AS one")).await.expect("a row");
                    let row =
                        server::journal::AuditRow::allowed(&testing::admin(), "platform.test");
                    // Each fifth is given up: it must leave no gap.
                    if n % 5 != 0 {
                        tx.commit(vec![row.clone(), row]).await.expect("committed");
                    }
                }
            });
        }
        while let Some(writer) = writers.join_next().await {
            writer.expect("a writer ends well");
        }
        let sql =
            Sql::new("SELECT count(*) AS n, min(seq) AS low, max(seq) AS high FROM audit_log");
        let row = engine.db.fetch_one(sql).await.expect("a row");
        let expected = WRITERS * 16 * 2;
        let found = ["n", "low", "high"].map(|column| row.i64(column).expect("a number"));
        assert_eq!(found, [expected, 1, expected]);
    }
}

#[tokio::test]
async fn a_reader_never_waits_for_a_writer() {
    for engine in testing::engines().await {
        let mut tx = engine.db.begin().await.expect("a transaction");
        tx.execute(Sql::new("UPDATE workspaces SET name = 'renamed' WHERE id = 1"))
            .await
            .expect("a row");
        let row = engine.db.fetch_one(Sql::new("SELECT name FROM workspaces WHERE id = 1")).await;
        assert_eq!(row.expect("read beside the writer").text("name").expect("a name"), "platform");
        drop(tx);
    }
}

#[tokio::test]
async fn a_write_that_was_dropped_halfway_leaves_the_writer_free() {
    for engine in testing::engines().await {
        for _ in 0..20 {
            let mut tx = engine.db.begin().await.expect("a transaction");
            let mut statement = Box::pin(
                tx.execute(Sql::new("UPDATE workspaces SET name = 'dropped' WHERE id = 1")),
            );
            // As when a client goes away while its request is being served.
            let answered = futures::poll!(statement.as_mut()).is_ready();
            drop(statement);
            if answered {
                drop(tx);
            } else {
                assert!(matches!(tx.commit(Vec::new()).await, Err(StoreError::Aborted)));
            }
            let mut begin = Box::pin(engine.db.begin());
            let _ = futures::poll!(begin.as_mut());
            drop(begin);
        }
        let row = engine.db.fetch_one(Sql::new("SELECT name FROM workspaces WHERE id = 1")).await;
        assert_eq!(row.expect("a row").text("name").expect("a name"), "platform");
        let dialect = engine.dialect();
        assert!(engine.db.begin().await.is_ok(), "{}", Dialect::as_str(dialect));
    }
}
