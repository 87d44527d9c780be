//! Pruning: what is left verifies from a signed checkpoint, and nothing but the console can have made one.
#![expect(clippy::disallowed_methods, reason = "a process is started here, to be killed")]

use std::{
    process::{Command, Stdio},
    time::Duration,
};

use app::time::Micros;
use server::{
    audit::{Ask, Broken, Fault, Heads, Retention, SignedHead, Unverified, Verdict, verify},
    clock::Clock,
    store::{Db, Sql, StoreConfig, testing},
    vault::ChainKeys,
};
use tokio_util::sync::CancellationToken;

use super::{broken, look, tamper, whole, write};

const START: Micros = Micros(1_700_000_000_000_000);
const DAY: Duration = Duration::from_hours(24);

fn retention(db: &Db) -> Retention {
    Retention::new(db.clone(), ChainKeys::for_tests(), testing::admin(), 400)
}

async fn prune(db: &Db) -> u64 {
    retention(db).prune(&CancellationToken::new()).await.expect("the store answers").batches
}

/// A head as it would have been signed when this row was the last.
async fn signed(db: &Db, seq: i64) -> SignedHead {
    let sql = Sql::new("SELECT hash FROM audit_log WHERE seq = ").arg(seq);
    let hash = db.fetch_one(sql).await.expect("a row").bytes("hash").expect("a hash");
    SignedHead::sign(&ChainKeys::for_tests(), START, seq, hash.try_into().expect("32 bytes"))
}

/// Ninety rows of long ago and ten of today.
async fn old_and_new() -> Vec<testing::Engine> {
    let mut engines = Vec::new();
    for (engine, hand) in testing::engines_at(START).await {
        write(&engine.db, 90).await;
        hand.advance(DAY * 401);
        write(&engine.db, 10).await;
        engines.push(engine);
    }
    engines
}

#[tokio::test]
async fn what_is_left_verifies_from_the_checkpoint() {
    for engine in old_and_new().await {
        let db = &engine.db;
        let heads = Heads::new(db.clone(), ChainKeys::for_tests());
        let head = heads.sign(0).await.expect("the store answers").expect("signed");
        // Of a row that goes, and of the last one to go, which the checkpoint names.
        let (gone, last) = (signed(db, 30).await, signed(db, 90).await);
        assert_eq!(prune(db).await, 1);
        let left = whole(db, &Ask::default()).await;
        assert_eq!((left.rows, left.last, left.pruned_to), (11, 101, 90));
        let row =
            db.fetch_one(Sql::new("SELECT action, details FROM audit_log WHERE seq = 101")).await;
        let row = row.expect("the pruning is a row");
        assert_eq!(row.text("action").expect("text"), "audit.prune");
        assert!(row.text("details").expect("text").contains("qd-audit-checkpoint:1:90:"));
        assert_eq!(prune(db).await, 0, "nothing is that old any more");

        write(db, 5).await;
        assert_eq!(whole(db, &Ask::default()).await.rows, 16);
        let from = Ask { from: Some(91), to: Some(95), head: None };
        assert_eq!(whole(db, &from).await.rows, 5);
        let given = Ask { head: Some(head), ..Ask::default() };
        assert_eq!(whole(db, &given).await.last, 106, "a head of a row that is there still counts");
        let given = Ask { head: Some(last), ..Ask::default() };
        assert_eq!(whole(db, &given).await.last, 106, "and so does one of the checkpoint's row");
        let given = Ask { head: Some(gone), ..Ask::default() };
        let looked = verify(db, &ChainKeys::for_tests(), &given).await;
        assert!(matches!(looked, Err(Unverified::Pruned { asked: 30, .. })), "{looked:?}");
        for gone in [1, 90] {
            let ask = Ask { from: Some(gone), ..Ask::default() };
            let looked = verify(db, &ChainKeys::for_tests(), &ask).await;
            assert!(matches!(looked, Err(Unverified::Pruned { first: 91, .. })), "{looked:?}");
        }
    }
}

#[tokio::test]
async fn a_checkpoint_that_is_not_ours_is_refused() {
    for engine in old_and_new().await {
        let db = &engine.db;
        prune(db).await;
        let forged = Broken { seq: 90, fault: Fault::Checkpoint };
        let keep = "CREATE TABLE kept AS SELECT * FROM audit_checkpoint";
        let mut tx = db.begin().await.expect("a transaction");
        tx.execute(Sql::new(keep)).await.expect("kept");
        tx.commit(vec![]).await.expect("committed");
        for forge in [
            "UPDATE audit_checkpoint SET hash = signature",
            "UPDATE audit_checkpoint SET signature = hash",
            "UPDATE audit_checkpoint SET at = at + 1",
            "UPDATE audit_checkpoint SET key_id = 'other'",
            "UPDATE audit_checkpoint SET signature = NULL",
        ] {
            tamper(db, Sql::new(forge)).await;
            assert_eq!(broken(db, &Ask::default()).await, forged, "{forge}");
            assert_eq!(prune(db).await, 0, "nothing is pruned after it either");
            tamper(db, Sql::new("DELETE FROM audit_checkpoint")).await;
            tamper(db, Sql::new("INSERT INTO audit_checkpoint SELECT * FROM kept")).await;
            assert_eq!(whole(db, &Ask::default()).await.pruned_to, 90);
        }
        // Moved on, to hide what was cut off by hand.
        tamper(db, Sql::new("UPDATE audit_checkpoint SET seq = 95")).await;
        assert_eq!(broken(db, &Ask::default()).await, Broken { seq: 95, fault: Fault::Checkpoint });
        tamper(db, Sql::new("UPDATE audit_checkpoint SET seq = 90")).await;
        tamper(db, Sql::new("DELETE FROM audit_log WHERE seq <= 95")).await;
        let cut = Broken { seq: 91, fault: Fault::Gap { next: 96 } };
        assert_eq!(broken(db, &Ask::default()).await, cut);
        // Taken away.
        for gone in ["UPDATE audit_checkpoint SET seq = 0", "DELETE FROM audit_checkpoint"] {
            tamper(db, Sql::new(gone)).await;
            let missing = Broken { seq: 1, fault: Fault::Gap { next: 96 } };
            assert_eq!(broken(db, &Ask::default()).await, missing, "{gone}");
        }
    }
}

#[tokio::test]
async fn rows_that_were_tampered_with_are_kept_as_evidence() {
    for engine in old_and_new().await {
        let db = &engine.db;
        tamper(db, Sql::new("UPDATE audit_log SET reason = 'none' WHERE seq = 40")).await;
        assert_eq!(prune(db).await, 0);
        assert_eq!(broken(db, &Ask::default()).await, Broken { seq: 40, fault: Fault::Hash });
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn replicas_prune_at_once_beside_writers_and_a_verifier() {
    for (engine, hand) in testing::engines_at(START).await {
        write(&engine.db, 2_500).await;
        hand.advance(DAY * 401);
        write(&engine.db, 1).await;
        let (one, other) = (engine.again().await, engine.again().await);
        let verified = async {
            for _ in 0..5 {
                assert!(matches!(look(&engine.db, &Ask::default()).await, Verdict::Whole(_)));
            }
        };
        let written = async {
            for _ in 0..20 {
                write(&engine.db, 3).await;
            }
        };
        let (first, second, (), ()) = tokio::join!(prune(&one), prune(&other), verified, written);
        assert_eq!(first + second, 3, "each batch is pruned once");
        let left = whole(&engine.db, &Ask::default()).await;
        assert_eq!((left.pruned_to, left.last), (2_500, 2_501 + 60 + 3));
    }
}

const URL: &str = "QUARTERDECK_TEST_CHILD_URL";

/// Not a test of its own: the process that [`killed_while_pruning`] kills.
#[tokio::test]
#[ignore = "started by the test beside it, and killed"]
async fn child_that_prunes_until_it_is_killed() {
    let url = std::env::var(URL).expect("the database to prune");
    let db = Db::open(&StoreConfig::at(url), Clock::system()).await.expect("opens");
    db.chain_with(ChainKeys::for_tests());
    prune(&db).await;
    // Whoever is not killed by now waits for it.
    std::future::pending::<()>().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_pruning() {
    for dialect in testing::dialects() {
        let (clock, _) = Clock::manual(START);
        let engine = testing::Engine::fresh(dialect, clock).await;
        write(&engine.db, 4_200).await;
        let mut child = Command::new(std::env::current_exe().expect("this test"))
            .args(["--ignored", "--exact", "retention::child_that_prunes_until_it_is_killed"])
            .env(URL, &engine.config.url)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("a child");
        let seq = testing::eventually("a batch is pruned", async || {
            let row = engine.db.fetch_one(Sql::new("SELECT seq FROM audit_checkpoint")).await?;
            let seq = row.i64("seq")?;
            Ok((seq > 0).then_some(seq))
        });
        assert!(seq.await >= 1_000);
        // Signal 9, in the middle of a batch or between two.
        child.kill().expect("killed");
        child.wait().expect("it ended");
        let left = whole(&engine.db, &Ask::default()).await;
        assert!(left.pruned_to >= 1_000, "{left:?}");
        let today = Db::open(&engine.config, Clock::system()).await.expect("opens");
        today.chain_with(ChainKeys::for_tests());
        prune(&today).await;
        // The last row of long ago goes when another one stands behind it.
        let end = whole(&today, &Ask::default()).await;
        assert_eq!(end.pruned_to, 4_200, "{end:?}");
    }
}
