//! Somebody who may write to the database, and does.

use server::{
    audit::{Ask, Fault, Verdict, verify},
    clock::Rng,
    journal::encoding::{COLUMNS, Kind},
    store::{Db, Sql, Value, testing},
    vault::{KeyRing, TEST_KEYS, Vault},
};

use super::{append, broken, look, row, tamper, whole, write};

const CHAIN: [&str; 4] = ["hash_version", "hash_key", "prev_hash", "hash"];
const NULLABLE: [&str; 9] = [
    "on_behalf_of",
    "service_identity",
    "target_kind",
    "target_id",
    "target_label",
    "capability",
    "reason",
    "session_hash",
    "address",
];

fn set(column: &'static str, value: impl Into<Value>, seq: i64) -> Sql {
    Sql::new("UPDATE audit_log SET ")
        .push(column)
        .push(" = ")
        .arg(value)
        .push(" WHERE seq = ")
        .arg(seq)
}

/// The verdict on a row that was just touched; rows behind it were touched before.
async fn expect(db: &Db, seq: i64, fault: Fault, what: &str) {
    let found = broken(db, &Ask::default()).await;
    assert_eq!((found.seq, found.fault), (seq, fault), "{what}");
}

#[tokio::test]
async fn a_change_of_any_column_is_found_and_named() {
    for engine in testing::engines().await {
        let db = &engine.db;
        write(db, 200).await;
        // From the end on, so that each time another row is the first bad one; each third row has all its fields
        // filled, the one after it has them empty, and the one before it has them absent.
        let mut filled = (1..=66).rev().map(|n| n * 3);
        let mut next = || filled.next().expect("enough rows");
        for (column, kind) in COLUMNS {
            let seq = next();
            let fault = match column {
                "seq" => Fault::Gap { next: seq + 1 },
                _ => Fault::Hash,
            };
            match (column, kind) {
                ("seq", _) => tamper(db, set(column, 9_000_i64, seq)).await,
                (_, Kind::Number) => tamper(db, set(column, 41_i64, seq)).await,
                ("details", _) => tamper(db, set(column, r#"{"n": 3}"#, seq)).await,
                (_, Kind::Text) => tamper(db, set(column, "other", seq)).await,
            }
            expect(db, seq, fault, column).await;
        }
        for column in NULLABLE {
            let seq = next();
            tamper(db, set(column, None::<String>, seq)).await;
            expect(db, seq, Fault::Hash, column).await;
        }
        tamper(db, set("workspace_id", None::<i64>, next())).await;
        for column in ["on_behalf_of", "service_identity", "reason", "session_hash"] {
            let seq = next();
            tamper(db, set(column, "", seq - 1)).await;
            expect(db, seq - 1, Fault::Hash, "absent, now empty").await;
            let seq = next();
            tamper(db, set(column, None::<String>, seq + 1)).await;
            expect(db, seq + 1, Fault::Hash, "empty, now absent").await;
        }
        let seq = next();
        tamper(db, set("hash_version", 2_i64, seq)).await;
        expect(db, seq, Fault::UnknownVersion(2), "hash_version").await;
        let seq = next();
        tamper(db, set("hash_key", "other", seq)).await;
        expect(db, seq, Fault::UnknownKey("other".to_owned()), "hash_key").await;
        for column in ["prev_hash", "hash"] {
            for bytes in [vec![7; 32], vec![7], Vec::new()] {
                let seq = next();
                tamper(db, set(column, bytes, seq)).await;
                expect(db, seq, Fault::Hash, column).await;
            }
        }
        for column in CHAIN {
            let seq = next();
            let none = match column {
                "hash_version" => Value::Integer(None),
                "hash_key" => Value::Text(None),
                _ => Value::Bytes(None),
            };
            tamper(db, set(column, none, seq)).await;
            expect(db, seq, Fault::Unchained, column).await;
        }
    }
}

/// A column that is added to the table and not to the encoding would be outside the chain.
#[tokio::test]
async fn every_column_of_the_table_is_hashed() {
    for engine in testing::engines().await {
        let columns = match engine.dialect() {
            server::store::Dialect::Sqlite => "SELECT name FROM pragma_table_info('audit_log')",
            server::store::Dialect::Postgres => {
                "SELECT CAST(column_name AS TEXT) AS name FROM information_schema.columns WHERE table_name = 'audit_log'"
            }
        };
        let rows = engine.db.fetch_all(Sql::new(columns)).await.expect("the columns");
        let mut found: Vec<String> = rows.iter().map(|r| r.text("name").expect("a name")).collect();
        found.sort_unstable();
        let mut hashed: Vec<&str> = COLUMNS.iter().map(|(name, _)| *name).chain(CHAIN).collect();
        hashed.sort_unstable();
        assert_eq!(found, hashed);
    }
}

#[tokio::test]
async fn a_removed_row_is_missed() {
    for engine in testing::engines().await {
        let db = &engine.db;
        write(db, 1_100).await;
        // The last row of a page, the first of one, and the first of all.
        for seq in [1_000_i64, 501, 500, 1] {
            tamper(db, Sql::new("DELETE FROM audit_log WHERE seq = ").arg(seq)).await;
            let found = broken(db, &Ask::default()).await;
            let next = if seq == 500 { 502 } else { seq + 1 };
            assert_eq!((found.seq, found.fault), (seq, Fault::Gap { next }));
        }
        // Also when the range ends with it.
        let ask = Ask { from: Some(900), to: Some(1_000), head: None };
        let found = broken(db, &ask).await;
        assert_eq!((found.seq, found.fault), (1_000, Fault::Gap { next: 1_001 }));
    }
}

#[tokio::test]
async fn swapped_rows_are_found() {
    for engine in testing::engines().await {
        let db = &engine.db;
        write(db, 10).await;
        for (from, to) in [(4_i64, 100_i64), (5, 4), (100, 5)] {
            tamper(db, set("seq", to, from)).await;
        }
        expect(db, 4, Fault::Hash, "swapped").await;
        let ask = Ask { from: Some(6), ..Ask::default() };
        let found = broken(db, &ask).await;
        assert_eq!((found.seq, found.fault), (6, Fault::Prev), "it follows another row than this");
        assert_eq!(whole(db, &Ask { from: Some(7), ..Ask::default() }).await.rows, 4);
        assert_eq!(whole(db, &Ask { to: Some(3), ..Ask::default() }).await.rows, 3);
    }
}

const COPY: &str = "actor_kind, actor_id, actor_name, action, decision, request_id, correlation_id, details, \
     hash_version, hash_key, prev_hash, hash";

fn copy(from: i64, to: i64) -> Sql {
    Sql::new("INSERT INTO audit_log (seq, at, ")
        .push(COPY)
        .push(") SELECT CAST(")
        .arg(to)
        .push(" AS BIGINT), at, ")
        .push(COPY)
        .push(" FROM audit_log WHERE seq = ")
        .arg(from)
}

#[tokio::test]
async fn an_inserted_row_is_found_wherever_it_stands() {
    for engine in testing::engines().await {
        let db = &engine.db;
        write(db, 10).await;
        tamper(db, copy(10, 11)).await;
        expect(db, 11, Fault::BeyondHead { head: 10 }, "behind the head").await;
        let head =
            "UPDATE audit_head SET seq = 11, hash = (SELECT hash FROM audit_log WHERE seq = 11)";
        tamper(db, Sql::new(head)).await;
        expect(db, 11, Fault::Hash, "with the head set to it").await;
        tamper(db, copy(3, -2)).await;
        expect(db, -2, Fault::BeforeFirst, "before the first").await;
    }
}

#[tokio::test]
async fn a_head_that_was_changed_is_found() {
    for engine in testing::engines().await {
        let db = &engine.db;
        write(db, 10).await;
        let head = "UPDATE audit_head SET hash = (SELECT hash FROM audit_log WHERE seq = 9)";
        tamper(db, Sql::new(head)).await;
        expect(db, 10, Fault::HeadHash, "another hash").await;
        tamper(db, Sql::new("UPDATE audit_head SET hash = NULL")).await;
        expect(db, 10, Fault::HeadHash, "no hash").await;
    }
}

#[tokio::test]
async fn rows_of_an_older_key_verify_with_the_ring_and_not_without_it() {
    for engine in testing::engines().await {
        write(&engine.db, 3).await;
        let fresh = KeyRing::generate(&Rng::seeded(5));
        let text = format!("{}\n{TEST_KEYS}", fresh.text().as_str());
        let ring = KeyRing::parse(&text).expect("two keys");
        let (old, new) = {
            let ids: Vec<&str> = ring.ids().collect();
            (ids[1].to_owned(), ids[0].to_owned())
        };
        let vault = Vault::open(ring.clone(), &engine.db, &Rng::seeded(6)).await.expect("opens");
        let db = Db::open(&engine.config, engine.db.clock().clone()).await.expect("opens");
        db.chain_with(vault.chain());
        append(&db, vec![row(1), row(2)]).await.expect("appended");
        append(&db, vec![row(3)]).await.expect("appended");

        let both = verify(&db, &vault.chain(), &Ask::default()).await.expect("checked");
        assert!(matches!(both, Verdict::Whole(whole) if whole.rows == 6), "{both:?}");
        let Verdict::Broken(one) = look(&db, &Ask::default()).await else { panic!("{new}") };
        assert_eq!((one.seq, one.fault), (4, Fault::UnknownKey(new)));
        // A known key in place of another one.
        tamper(&db, set("hash_key", old, 5)).await;
        let both = verify(&db, &vault.chain(), &Ask::default()).await.expect("checked");
        assert!(
            matches!(&both, Verdict::Broken(b) if b.seq == 5 && b.fault == Fault::Hash),
            "{both:?}"
        );
    }
}
