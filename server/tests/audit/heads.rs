//! Signed heads: a tail that was cut off shows, also when `audit_head` was put back.

use server::{
    audit::{Ask, Broken, Fault, Heads, SignedHead, Unverified, verify},
    store::{Db, Sql, testing},
    vault::ChainKeys,
};

use super::{broken, tamper, whole, write};

async fn sign(db: &Db) -> Option<SignedHead> {
    Heads::new(db.clone(), ChainKeys::for_tests()).sign(0).await.expect("the store answers")
}

async fn cut(db: &Db, last: i64) {
    tamper(db, Sql::new("DELETE FROM audit_log WHERE seq > ").arg(last)).await;
}

async fn put_back(db: &Db, last: i64) {
    let sql = Sql::new("UPDATE audit_head SET seq = ")
        .arg(last)
        .push(", hash = (SELECT hash FROM audit_log WHERE seq = ")
        .arg(last)
        .push(")");
    tamper(db, sql).await;
}

#[tokio::test]
async fn a_cut_tail_is_missed() {
    for engine in testing::engines().await {
        let db = &engine.db;
        write(db, 10).await;
        let head = sign(db).await.expect("signed");
        assert_eq!(head.seq, 10);
        assert_eq!(whole(db, &Ask::default()).await.heads, 1);
        let given = Ask { head: Some(head.to_string().parse().expect("a line")), ..Ask::default() };
        assert_eq!(whole(db, &given).await.heads, 2);

        cut(db, 7).await;
        let found = broken(db, &Ask::default()).await;
        assert_eq!(found, Broken { seq: 8, fault: Fault::CutTail { head: 10 } });

        put_back(db, 7).await;
        let lost = Broken { seq: 8, fault: Fault::SignedCutTail { at: head.at, seq: 10 } };
        assert_eq!(broken(db, &Ask::default()).await, lost);

        // Nothing in the database speaks of them any more; the log does.
        tamper(db, Sql::new("DELETE FROM audit_heads")).await;
        assert_eq!(whole(db, &Ask::default()).await.rows, 7);
        assert_eq!(broken(db, &given).await, lost);

        // The console goes on, past where it had been.
        write(db, 10).await;
        assert_eq!(whole(db, &Ask::default()).await.rows, 17);
        let other = Broken { seq: 10, fault: Fault::SignedHash { at: head.at } };
        assert_eq!(broken(db, &given).await, other);
        for (from, to) in [(Some(11), None), (None, Some(9))] {
            let ask = Ask { from, to, ..given.clone() };
            assert_eq!(broken(db, &ask).await, other, "looked up outside of the range");
        }
    }
}

#[tokio::test]
async fn a_stored_head_is_compared_with_its_row() {
    for engine in testing::engines().await {
        let db = &engine.db;
        for n in 1..=3 {
            write(db, 5).await;
            assert_eq!(sign(db).await.expect("signed").seq, n * 5);
        }
        assert_eq!(whole(db, &Ask::default()).await.heads, 3);
        let sql = "UPDATE audit_heads SET signature = hash WHERE seq = 10";
        tamper(db, Sql::new(sql)).await;
        assert_eq!(broken(db, &Ask::default()).await, Broken { seq: 10, fault: Fault::Signature });
        // One of a row that never was.
        tamper(db, Sql::new("DELETE FROM audit_heads WHERE seq = 10")).await;
        tamper(db, Sql::new("UPDATE audit_heads SET seq = 99 WHERE seq = 15")).await;
        assert_eq!(broken(db, &Ask::default()).await, Broken { seq: 99, fault: Fault::Signature });
    }
}

#[tokio::test]
async fn only_a_head_of_this_ring_is_compared() {
    for engine in testing::engines().await {
        write(&engine.db, 2).await;
        let head = sign(&engine.db).await.expect("signed");
        let others = [
            SignedHead { seq: 1, ..head.clone() },
            SignedHead { hash: [1; 32], ..head.clone() },
            SignedHead { key_id: "other".to_owned(), ..head },
        ];
        for other in others {
            let ask = Ask { head: Some(other), ..Ask::default() };
            let looked = verify(&engine.db, &ChainKeys::for_tests(), &ask).await;
            assert!(
                matches!(looked, Err(Unverified::HeadSignature | Unverified::HeadKey(_))),
                "{looked:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_head_is_signed_when_it_moved_and_only_if_it_fits() {
    for engine in testing::engines().await {
        let db = &engine.db;
        let heads = Heads::new(db.clone(), ChainKeys::for_tests());
        let sign = async |said| heads.sign(said).await.expect("the store answers").map(|h| h.seq);
        assert_eq!(sign(0).await, None, "there is nothing to sign yet");
        write(db, 4).await;
        assert_eq!(sign(0).await, Some(4));
        assert_eq!(sign(4).await, None, "it has not moved");
        assert_eq!(sign(0).await, Some(4), "another replica, or another start, says it once more");
        write(db, 1).await;
        assert_eq!(sign(4).await, Some(5));
        let rows = db.fetch_all(Sql::new("SELECT seq FROM audit_heads ORDER BY seq")).await;
        let seqs: Vec<i64> =
            rows.expect("rows").iter().map(|row| row.i64("seq").expect("a number")).collect();
        assert_eq!(seqs, [4, 5]);
        // A chain that lost its end is not signed as if nothing were the matter.
        cut(db, 3).await;
        assert_eq!(sign(5).await, None);
        assert_eq!(sign(0).await, None);
        put_back(db, 3).await;
        assert_eq!(sign(5).await, None);
    }
}
