//! Writers at once, writers in trouble, writers that die: the chain stays one and whole.
#![expect(clippy::disallowed_methods, reason = "a process is started here, to be killed")]

use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::{Command, Stdio},
};

use server::{
    audit::Ask,
    clock::Clock,
    store::{Db, Fault, Faults, StoreConfig, StoreError, testing},
    vault::ChainKeys,
};
use tokio::task::JoinSet;

use super::{append, row, whole, write};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixteen_writers_keep_one_chain() {
    for engine in testing::engines().await {
        // Half of them in another process, as far as the database can tell.
        let beside = engine.again().await;
        let mut writers = JoinSet::new();
        for writer in 0..16_i64 {
            let db = if writer % 2 == 0 { engine.db.clone() } else { beside.clone() };
            writers.spawn(async move {
                for n in 1..=15 {
                    let rows: Vec<_> = (0..1 + (writer + n) % 3).map(row).collect();
                    // Each fifth is given up.
                    if n % 5 == 0 {
                        drop(db.begin().await.expect("a transaction"));
                        continue;
                    }
                    append(&db, rows).await.expect("appended");
                }
            });
        }
        let mut verified = 0;
        while let Some(writer) = writers.join_next().await {
            writer.expect("a writer ends well");
            // Beside those that still write.
            whole(&beside, &Ask::default()).await;
            verified += 1;
        }
        assert_eq!(verified, 16);
        let expected: i64 = (0..16)
            .flat_map(|writer| (1..=15).filter(|n| n % 5 != 0).map(move |n| 1 + (writer + n) % 3))
            .sum();
        let all = whole(&engine.db, &Ask::default()).await;
        assert_eq!((i64::try_from(all.rows).expect("few"), all.last), (expected, expected));
    }
}

/// A fault at each statement in turn, an answer that is lost among them: the rows are there or not, and what
/// comes after them follows what is there.
#[tokio::test]
async fn troubles_leave_a_chain_that_verifies() {
    for engine in testing::engines().await {
        let counting = Faults::none();
        let db = engine.with_faults(&counting).await;
        let before = counting.seen();
        append(&db, vec![row(1), row(2)]).await.expect("no fault");
        let statements = counting.seen() - before;
        let mut there = 2;
        for fault in [Fault::Fail, Fault::Lock, Fault::LoseAnswer] {
            for n in 1..=statements {
                let faults = Faults::none();
                let db = engine.with_faults(&faults).await;
                faults.add(n, fault.clone());
                let done = append(&db, vec![row(3), row(4)]).await;
                assert!(done.is_err(), "{fault:?} at {n}");
                if matches!(done, Err(StoreError::CommitUnknown(_))) && fault == Fault::LoseAnswer {
                    there += 2;
                }
                assert_eq!(whole(&db, &Ask::default()).await.last, there, "{fault:?} at {n}");
                append(&db, vec![row(5)]).await.expect("goes on");
                there += 1;
                assert_eq!(whole(&db, &Ask::default()).await.last, there, "{fault:?} at {n}");
            }
        }
    }
}

const URL: &str = "QUARTERDECK_TEST_CHILD_URL";
const ENOUGH: i64 = 25;

/// Not a test of its own: the process that [`a_killed_writer_leaves_a_chain_that_verifies`] kills.
#[tokio::test]
#[ignore = "started by the test beside it, and killed"]
async fn child_that_appends_until_it_is_killed() {
    let url = std::env::var(URL).expect("the database to write to");
    let db = Db::open(&StoreConfig::at(url), Clock::system()).await.expect("opens");
    db.chain_with(ChainKeys::for_tests());
    for n in 1.. {
        append(&db, vec![row(n), row(n + 1)]).await.expect("appended");
        let mut out = std::io::stdout();
        writeln!(out, "committed {n}").and_then(|()| out.flush()).expect("said");
    }
}

fn append_and_kill(url: &str) -> i64 {
    let mut child = Command::new(std::env::current_exe().expect("this test"))
        .args(["--ignored", "--exact", "--nocapture"])
        .arg("writers::child_that_appends_until_it_is_killed")
        .env(URL, url)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("a child");
    let said = BufReader::new(child.stdout.take().expect("its output"));
    let mut last = 0;
    for line in said.lines() {
        let line = line.expect("a line");
        let Some(n) = line.rsplit_once("committed ").and_then(|(_, n)| n.parse().ok()) else {
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
async fn a_killed_writer_leaves_a_chain_that_verifies() {
    for engine in testing::engines().await {
        let url = engine.config.url.clone();
        let killed = tokio::task::spawn_blocking(move || append_and_kill(&url)).await;
        let reported = killed.expect("a child was killed");
        let db = engine.again().await;
        let left = whole(&db, &Ask::default()).await.last;
        assert!(left >= reported * 2 && left % 2 == 0, "{left} rows of {reported} commits");
        write(&db, 3).await;
        assert_eq!(whole(&db, &Ask::default()).await.last, left + 3);
    }
}
