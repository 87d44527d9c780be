//! One SQL text, the same answer: values, NULs, sums, case, search, names of constraints.

use server::store::{Db, Dialect, Search, Searchable, Sql, StoreError, testing};

async fn run(db: &Db, sql: Sql) -> Result<u64, StoreError> {
    let mut tx = db.begin().await?;
    let changed = tx.execute(sql).await?;
    tx.commit(Vec::new()).await?;
    Ok(changed)
}

#[tokio::test]
async fn every_kind_of_value_comes_back_as_it_went() {
    for engine in testing::engines().await {
        let db = &engine.db;
        let blob = if engine.dialect() == Dialect::Sqlite { "BLOB" } else { "BYTEA" };
        let table = Sql::new("CREATE TABLE v (n BIGINT, d DOUBLE PRECISION, t TEXT, b ")
            .push(blob)
            .push(")");
        run(db, table).await.expect("a table");
        let text = "Ünïcode, 'quotes', \"more\", 50%_\\ and 🛟\n\ttabs";
        for n in [i64::MIN, -1, 0, i64::MAX] {
            let sql = Sql::new("INSERT INTO v (n, d, t, b) VALUES ").list([
                server::store::Value::from(n),
                0.1_f64.into(),
                text.into(),
                vec![0_u8, 255].into(),
            ]);
            run(db, sql).await.expect("a row");
        }
        let empty = Sql::new("INSERT INTO v (n, d, t, b) VALUES (")
            .arg(None::<i64>)
            .push(", ")
            .arg(None::<f64>)
            .push(", ")
            .arg(None::<&str>)
            .push(", ")
            .arg(None::<Vec<u8>>)
            .push(")");
        run(db, empty).await.expect("a row of nothing");
        let rows = db
            .fetch_all(Sql::new("SELECT n, d, t, b FROM v WHERE n IS NOT NULL ORDER BY n"))
            .await
            .expect("rows");
        let numbers: Vec<i64> = rows.iter().map(|row| row.i64("n").expect("a number")).collect();
        assert_eq!(numbers, [i64::MIN, -1, 0, i64::MAX]);
        for row in &rows {
            assert_eq!(row.text("t").expect("text"), text);
            assert!((row.f64("d").expect("a number") - 0.1).abs() < f64::EPSILON);
            assert_eq!(row.bytes("b").expect("bytes"), [0, 255]);
        }
        let row = db
            .fetch_one(Sql::new("SELECT n, d, t, b FROM v WHERE n IS NULL"))
            .await
            .expect("a row");
        assert_eq!(row.opt_i64("n").expect("nothing"), None);
        assert_eq!(row.opt_f64("d").expect("nothing"), None);
        assert_eq!(row.opt_text("t").expect("nothing"), None);
        assert_eq!(row.opt_bytes("b").expect("nothing"), None);
        for (error, column) in
            [(row.i64("n").err(), "n"), (row.text("t").err(), "t"), (row.i64("gone").err(), "gone")]
        {
            let error = error.expect("not there");
            assert!(error.to_string().contains(&format!("`{column}`")), "{error}");
        }
        assert!(matches!(row.word::<Never>("t"), Err(StoreError::Column { .. })));
    }
}

#[derive(Debug)]
struct Never;

impl std::str::FromStr for Never {
    type Err = ();

    fn from_str(_: &str) -> Result<Self, ()> {
        Err(())
    }
}

#[tokio::test]
async fn a_nul_byte_in_text_is_refused_alike() {
    for engine in testing::engines().await {
        let sql = || Sql::new("UPDATE workspaces SET name = ").arg("a\0b").push(" WHERE id = 1");
        assert!(matches!(run(&engine.db, sql()).await, Err(StoreError::NulInText)));
        let asked = Sql::new("SELECT id FROM workspaces WHERE name = ").arg("a\0b");
        assert!(matches!(engine.db.fetch_all(asked).await.err(), Some(StoreError::NulInText)));
        let row = engine.db.fetch_one(Sql::new("SELECT name FROM workspaces WHERE id = 1")).await;
        assert_eq!(row.expect("a row").text("name").expect("a name"), "platform");
    }
}

#[tokio::test]
async fn sums_counts_and_conditions_read_as_whole_numbers() {
    for engine in testing::engines().await {
        let sql = Sql::new(
            "SELECT CAST(COALESCE(SUM(id), 0) AS BIGINT) AS total, count(*) AS n, \
             CAST(COALESCE(SUM(archived_at), 0) AS BIGINT) AS none, \
             CASE WHEN EXISTS (SELECT 1 FROM tenants) THEN 1 ELSE 0 END AS any_tenant, \
             EXISTS (SELECT 1 FROM workspaces) AS plain, CAST(AVG(id) AS DOUBLE PRECISION) AS mean FROM workspaces",
        );
        let row = engine.db.fetch_one(sql).await.expect("a row");
        let found =
            ["total", "n", "none", "any_tenant", "plain"].map(|c| row.i64(c).expect("a number"));
        assert_eq!(found, [1, 1, 0, 0, 1]);
        assert!((row.f64("mean").expect("a number") - 1.0).abs() < f64::EPSILON);
    }
}

#[tokio::test]
async fn the_databases_clock_counts_microseconds() {
    for engine in testing::engines().await {
        let sql = Sql::new("SELECT ").push(engine.dialect().now()).push(" AS now");
        let theirs = engine.db.fetch_one(sql).await.expect("a row").micros("now").expect("a time");
        let ours = engine.db.now().await.expect("a time");
        assert!(ours.since(theirs).abs() < 60 * app::time::Micros::SECOND, "{ours} and {theirs}");
    }
}

#[tokio::test]
async fn a_manual_clock_stands_for_the_databases() {
    for (engine, hand) in testing::engines_at(app::time::Micros(5)).await {
        hand.advance(std::time::Duration::from_micros(2));
        assert_eq!(engine.db.now().await.expect("a time").0, 7);
        assert_eq!(
            engine.db.begin().await.expect("a transaction").now().await.expect("a time").0,
            7
        );
    }
}

#[tokio::test]
async fn constraints_have_one_name_in_both_engines() {
    for engine in testing::engines().await {
        let db = &engine.db;
        let twice = |sql: &'static str| Sql::new(sql);
        let broken = [
            (
                twice("INSERT INTO workspaces (name, created_at) VALUES ('platform', 0)"),
                "workspaces_by_name",
            ),
            (
                twice("INSERT INTO workspaces (id, name, created_at) VALUES (1, 'other', 0)"),
                "workspaces_pkey",
            ),
            (
                twice("INSERT INTO event_feed (id, head, pruned_to) VALUES (1, 0, 0)"),
                "event_feed_pkey",
            ),
            (
                twice(
                    "INSERT INTO leases (name, owner, token, expires_at) VALUES ('a', 'x', 1, 0), ('a', 'y', 1, 0)",
                ),
                "leases_pkey",
            ),
        ];
        for (sql, name) in broken {
            let error = run(db, sql).await.expect_err("broken");
            assert!(
                matches!(&error, StoreError::Unique { constraint } if constraint == name),
                "{error:?}"
            );
        }
        let orphan = Sql::new(
            "INSERT INTO tenants (workspace_id, name, created_at) VALUES (99, 'orphan', 0)",
        );
        assert!(matches!(run(db, orphan).await, Err(StoreError::ForeignKey(_))));
        // A wrong type is refused by both, not turned into something else.
        let wrong = Sql::new("INSERT INTO workspaces (name, created_at) VALUES ('wrong', ")
            .arg("soon")
            .push(")");
        assert!(run(db, wrong).await.is_err());
    }
}

const RUNS: Searchable = Searchable {
    table: "operation_runs r",
    column: "r.search_text",
    id: "r.id",
    index: "operation_search",
};

async fn add_run(db: &Db, text: &str) -> i64 {
    let sql = Sql::new(
        "INSERT INTO operation_runs (workspace_id, type, status, outcome, initiator_kind, queue, priority, input, \
         context, scheduled_at, attempt, created_at, search_text) VALUES (1, 'system.self_check', 'queued', \
         'pending', 'user', 'default', 0, '{}', '{}', 0, 1, 0, ",
    )
    .arg(text.to_lowercase())
    .push(") RETURNING id");
    let mut tx = db.begin().await.expect("a transaction");
    let id = tx.fetch_one(sql).await.expect("a row").i64("id").expect("an id");
    tx.commit(Vec::new()).await.expect("committed");
    id
}

async fn found(db: &Db, words: &str) -> Vec<i64> {
    let Search { from_where, id } = db.dialect().search(&RUNS, words);
    let sql =
        Sql::new("SELECT r.id AS id").append(from_where).push(" ORDER BY ").push(id).push(" DESC");
    let rows = db.fetch_all(sql).await.expect("an answer");
    rows.iter().map(|row| row.i64("id").expect("an id")).collect()
}

#[tokio::test]
async fn a_search_finds_the_same_rows_in_both_engines() {
    for engine in testing::engines().await {
        let db = &engine.db;
        let one = add_run(db, "Connection REFUSED by cluster:edge-7 (Ålesund)").await;
        let two = add_run(db, "100% of \"quoted\" C:\\temp_files, edge").await;
        let three = add_run(db, "nothing at all").await;
        for (words, ids) in [
            ("refused", vec![one]),
            ("REFUSED BY", vec![one]),
            ("edge", vec![two, one]),
            ("ålesund", vec![one]),
            ("ÅLESUND", vec![one]),
            ("100%", vec![two]),
            ("%", vec![two]),
            ("_", vec![two]),
            ("\\temp_f", vec![two]),
            ("\"quoted\"", vec![two]),
            ("at", vec![three]),
            ("no", vec![three]),
            ("edge refused", vec![]),
            ("tempXfiles", vec![]),
            // All its trigrams are there, the word is not.
            ("refused by clu cluster", vec![]),
            ("' OR 1=1 --", vec![]),
            ("NEAR(a b)", vec![]),
        ] {
            assert_eq!(found(db, words).await, ids, "{words} on {}", engine.dialect().as_str());
        }
        run(
            db,
            Sql::new("UPDATE operation_runs SET search_text = 'timed out' WHERE id = ").arg(one),
        )
        .await
        .expect("a row");
        assert_eq!(found(db, "refused").await, Vec::<i64>::new());
        assert_eq!(found(db, "timed out").await, [one]);
        run(db, Sql::new("DELETE FROM operation_runs WHERE id = ").arg(two)).await.expect("a row");
        assert_eq!(found(db, "edge").await, Vec::<i64>::new());
        db.optimize().await.expect("optimized");
    }
}
