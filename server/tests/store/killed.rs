//! kill -9 in the middle of a write: what was committed stands, what was not has never been.
#![expect(clippy::disallowed_methods, reason = "a process is started here, to be killed")]

use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::{Command, Stdio},
};

use server::{
    clock::Clock,
    journal::AuditRow,
    store::{Db, Sql, StoreConfig, testing},
    vault::ChainKeys,
};

const URL: &str = "QUARTERDECK_TEST_CHILD_URL";
const ENOUGH: i64 = 25;

/// Not a test of its own: the process that [`a_killed_writer_loses_nothing_committed`] kills.
#[tokio::test]
#[ignore = "started by the test beside it, and killed"]
async fn child_that_writes_until_it_is_killed() {
    let url = std::env::var(URL).expect("the database to write to");
    let db = Db::open(&StoreConfig::at(url), Clock::system()).await.expect("opens");
    db.chain_with(ChainKeys::for_tests());
    for n in 1.. {
        let mut tx = db.begin().await.expect("a transaction");
        for half in [1_i64, 2] {
            let sql = Sql::new("INSERT INTO halves (n, half, padding) VALUES ").list([
                server::store::Value::from(n),
                half.into(),
                "x".repeat(2_000).into(),
            ]);
            tx.execute(sql).await.expect("a row");
        }
        let row = AuditRow::allowed(&testing::admin(), "platform.test").detail("n", n);
        tx.commit(vec![row]).await.expect("committed");
        let mut out = std::io::stdout();
        writeln!(out, "committed {n}").and_then(|()| out.flush()).expect("said");
    }
}

/// Starts the child, lets it commit a while, kills it, and says the last number that it had reported.
fn write_and_kill(url: &str) -> i64 {
    let mut child = Command::new(std::env::current_exe().expect("this test"))
        .args([
            "--ignored",
            "--exact",
            "--nocapture",
            "killed::child_that_writes_until_it_is_killed",
        ])
        .env(URL, url)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("a child");
    let said = BufReader::new(child.stdout.take().expect("its output"));
    let mut last = 0;
    for line in said.lines() {
        // libtest puts its own words on the first line.
        let Some(n) =
            line.expect("a line").rsplit_once("committed ").and_then(|(_, n)| n.parse().ok())
        else {
            continue;
        };
        last = n;
        if last == ENOUGH {
            // Signal 9; from here the child may still commit before it arrives.
            child.kill().expect("killed");
        }
    }
    let status = child.wait().expect("it ended");
    assert!(!status.success() && last >= ENOUGH, "it was killed after {last}: {status}");
    last
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_writer_loses_nothing_committed() {
    for engine in testing::engines().await {
        let mut tx = engine.db.begin().await.expect("a transaction");
        let table = "CREATE TABLE halves (n BIGINT NOT NULL, half BIGINT NOT NULL, padding TEXT NOT NULL, PRIMARY KEY (n, half))";
        tx.execute(Sql::new(table)).await.expect("a table");
        tx.commit(Vec::new()).await.expect("committed");

        let url = engine.config.url.clone();
        let reported = tokio::task::spawn_blocking(move || write_and_kill(&url))
            .await
            .expect("a child was killed");

        let sql = Sql::new(
            "SELECT count(*) AS rows_found, count(DISTINCT n) AS writes, max(n) AS last, \
             (SELECT count(*) FROM audit_log) AS audited, (SELECT seq FROM audit_head) AS head FROM halves",
        );
        let db = engine.again().await;
        let row = db.fetch_one(sql).await.expect("a row");
        let [rows, writes, last, audited, head] =
            ["rows_found", "writes", "last", "audited", "head"]
                .map(|c| row.i64(c).expect("a number"));
        assert!(last >= reported, "{last} of {reported} reported writes are there");
        assert_eq!([writes, rows], [last, last * 2], "no write is there by half");
        assert_eq!([audited, head], [last, last], "nor one without its audit row");
        // Whoever comes next can write at once.
        let mut tx = db.begin().await.expect("a transaction");
        tx.execute(Sql::new("DELETE FROM halves")).await.expect("written");
        tx.commit(Vec::new()).await.expect("committed");
    }
}
