//! Migrations: the same tables in both engines, applied once, refused where they do not fit.

use std::collections::BTreeMap;

use app::time::Micros;
use server::{
    clock::Clock,
    store::{Db, Dialect, SCHEMA_VERSION, SchemaProblem, Sql, StoreConfig, StoreError, testing},
};

/// What can be said of a column in both engines: type, whether it may be NULL, default, place in the key.
type Columns = BTreeMap<String, (String, bool, Option<String>, i64)>;

async fn sqlite_columns(db: &Db) -> BTreeMap<String, Columns> {
    let sql = Sql::new(
        "SELECT m.name AS t, c.name AS c, c.type AS kind, c.\"notnull\" AS filled, c.dflt_value AS d, c.pk AS pk \
         FROM sqlite_master m, pragma_table_info(m.name) c WHERE m.type = 'table' \
         AND m.name NOT LIKE 'sqlite%' AND m.name NOT LIKE 'operation_search%'",
    );
    let mut tables: BTreeMap<String, Columns> = BTreeMap::new();
    for row in db.fetch_all(sql).await.expect("SQLite's catalogue") {
        let key = row.i64("pk").expect("a place");
        let kind = match row.text("kind").expect("a type").as_str() {
            "INTEGER" => "bigint",
            "REAL" => "double precision",
            "TEXT" => "text",
            "BLOB" => "bytea",
            other => panic!("a column of type {other}"),
        };
        let column = (
            kind.to_owned(),
            // SQLite calls a rowid key nullable; it is not.
            !row.bool("filled").expect("a flag") && key == 0,
            row.opt_text("d").expect("a default"),
            key,
        );
        tables
            .entry(row.text("t").expect("a table"))
            .or_default()
            .insert(row.text("c").expect("a column"), column);
    }
    tables
}

async fn postgres_columns(db: &Db) -> BTreeMap<String, Columns> {
    let sql = Sql::new(
        "SELECT CAST(c.table_name AS TEXT) AS t, CAST(c.column_name AS TEXT) AS c, CAST(c.data_type AS TEXT) AS kind, \
         CASE WHEN c.is_nullable = 'YES' THEN 1 ELSE 0 END AS empty, CAST(c.column_default AS TEXT) AS d, \
         CAST(c.collation_name AS TEXT) AS collation, COALESCE(CAST(k.ordinal_position AS BIGINT), 0) AS pk \
         FROM information_schema.columns c LEFT JOIN information_schema.key_column_usage k \
         ON k.table_name = c.table_name AND k.column_name = c.column_name AND k.constraint_name = c.table_name || '_pkey' \
         WHERE c.table_schema = 'public'",
    );
    let mut tables: BTreeMap<String, Columns> = BTreeMap::new();
    for row in db.fetch_all(sql).await.expect("Postgres' catalogue") {
        let (table, name) = (row.text("t").expect("a table"), row.text("c").expect("a column"));
        let kind = row.text("kind").expect("a type");
        let collation = row.opt_text("collation").expect("a collation");
        assert_eq!(collation.as_deref(), (kind == "text").then_some("C"), "{table}.{name}");
        let default = row.opt_text("d").expect("a default");
        let column = (
            kind,
            row.bool("empty").expect("a flag"),
            default.map(|d| d.trim_end_matches("::text").to_owned()),
            row.i64("pk").expect("a place"),
        );
        tables.entry(table).or_default().insert(name, column);
    }
    tables
}

/// Index names with their table, and whether they are unique. The search index is each engine's own.
async fn indexes(db: &Db) -> BTreeMap<String, (String, bool)> {
    let sql = Sql::new(match db.dialect() {
        Dialect::Sqlite => {
            "SELECT l.name AS i, m.name AS t, l.\"unique\" AS u FROM sqlite_master m, pragma_index_list(m.name) l \
             WHERE m.type = 'table' AND l.origin = 'c' AND m.name NOT LIKE 'operation_search%'"
        }
        Dialect::Postgres => {
            "SELECT CAST(i.relname AS TEXT) AS i, CAST(t.relname AS TEXT) AS t, x.indisunique AS u FROM pg_index x \
             JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_class t ON t.oid = x.indrelid \
             JOIN pg_namespace n ON n.oid = t.relnamespace \
             WHERE n.nspname = 'public' AND NOT x.indisprimary AND i.relname <> 'operation_runs_by_text'"
        }
    });
    let rows = db.fetch_all(sql).await.expect("the catalogue");
    let index = |row: &server::store::Row| {
        (
            row.text("i").expect("an index"),
            (row.text("t").expect("a table"), row.bool("u").expect("a flag")),
        )
    };
    rows.iter().map(index).collect()
}

/// `table.column → table, what happens on delete`.
async fn references(db: &Db) -> Vec<String> {
    let sql = Sql::new(match db.dialect() {
        Dialect::Sqlite => {
            "SELECT m.name || '.' || f.\"from\" || ' ' || f.\"table\" || ' ' || f.on_delete AS r \
             FROM sqlite_master m, pragma_foreign_key_list(m.name) f WHERE m.type = 'table'"
        }
        Dialect::Postgres => {
            "SELECT CAST(t.relname || '.' || a.attname || ' ' || o.relname || ' ' || CASE c.confdeltype \
             WHEN 'c' THEN 'CASCADE' WHEN 'n' THEN 'SET NULL' ELSE 'NO ACTION' END AS TEXT) AS r FROM pg_constraint c \
             JOIN pg_class t ON t.oid = c.conrelid JOIN pg_class o ON o.oid = c.confrelid \
             JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1] WHERE c.contype = 'f'"
        }
    });
    let rows = db.fetch_all(sql).await.expect("the catalogue");
    let mut all: Vec<String> = rows.iter().map(|row| row.text("r").expect("a reference")).collect();
    all.sort();
    all
}

#[tokio::test]
async fn both_folders_make_the_same_tables() {
    let engines = testing::engines().await;
    let [sqlite, postgres] = engines.as_slice() else {
        assert_eq!(engines.len(), 1, "one engine was asked for: nothing to compare");
        return;
    };
    let (ours, theirs) = (sqlite_columns(&sqlite.db).await, postgres_columns(&postgres.db).await);
    assert_eq!(ours.keys().collect::<Vec<_>>(), theirs.keys().collect::<Vec<_>>());
    for (table, columns) in &ours {
        assert_eq!(columns, &theirs[table], "{table}");
    }
    assert!(ours.contains_key("operation_runs") && ours["audit_log"].len() == 24);
    assert_eq!(indexes(&sqlite.db).await, indexes(&postgres.db).await);
    let references = (references(&sqlite.db).await, references(&postgres.db).await);
    assert_eq!(references.0, references.1);
    assert!(references.0.len() >= 10);
}

#[tokio::test]
async fn migrating_twice_and_at_once_applies_each_step_once() {
    for dialect in testing::dialects() {
        let engine = testing::Engine::empty(dialect, Clock::system()).await;
        let behind = engine.db.check_schema().await.expect_err("never migrated");
        assert!(
            matches!(&behind, StoreError::Schema(SchemaProblem::Behind { found: 0, .. })),
            "{behind:?}"
        );
        assert!(behind.to_string().contains("quarterdeck migrate"));
        let other = engine.again().await;
        let (one, two, three) =
            tokio::join!(engine.db.migrate(), other.migrate(), engine.db.migrate());
        let applied: usize = [one, two, three].map(|m| m.expect("migrated").len()).iter().sum();
        assert_eq!(i64::try_from(applied).expect("few"), SCHEMA_VERSION);
        engine.db.check_schema().await.expect("up to date");
        assert!(engine.db.migrate().await.expect("nothing to do").is_empty());
    }
}

async fn set(db: &Db, sql: Sql) {
    let mut tx = db.begin().await.expect("a transaction");
    tx.execute(sql).await.expect("a statement");
    tx.commit(Vec::new()).await.expect("committed");
}

fn newer(version: i64, min_reader: i64) -> Sql {
    Sql::new(
        "INSERT INTO schema_migrations (version, name, checksum, min_reader, applied_at) VALUES (",
    )
    .arg(version)
    .push(", 'of a newer program', 'x', ")
    .arg(min_reader)
    .push(", ")
    .arg(Micros(0))
    .push(")")
}

#[tokio::test]
async fn an_older_program_runs_on_a_newer_schema_until_that_says_no() {
    for engine in testing::engines().await {
        let db = &engine.db;
        set(db, newer(SCHEMA_VERSION + 1, SCHEMA_VERSION)).await;
        db.check_schema().await.expect("schema N+1 still lets N read");
        assert!(db.migrate().await.expect("nothing of ours is missing").is_empty());
        set(db, newer(SCHEMA_VERSION + 2, SCHEMA_VERSION + 1)).await;
        for refused in [db.check_schema().await.err(), db.migrate().await.err()] {
            let expected =
                SchemaProblem::TooNew { min_reader: SCHEMA_VERSION + 1, known: SCHEMA_VERSION };
            assert!(matches!(refused, Some(StoreError::Schema(found)) if found == expected));
        }
    }
}

#[tokio::test]
async fn another_builds_database_is_refused() {
    for engine in testing::engines().await {
        set(&engine.db, Sql::new("UPDATE schema_migrations SET checksum = 'x' WHERE version = 1"))
            .await;
        let refused = engine.db.check_schema().await.expect_err("altered");
        assert!(
            matches!(&refused, StoreError::Schema(SchemaProblem::Altered { version: 1, .. })),
            "{refused:?}"
        );
    }
}

#[tokio::test]
async fn a_migration_that_fails_changes_nothing_and_is_named() {
    for dialect in testing::dialects() {
        let engine = testing::Engine::empty(dialect, Clock::system()).await;
        // Something of the second migration stands in the way already.
        set(&engine.db, Sql::new("CREATE TABLE operation_runs (id BIGINT PRIMARY KEY)")).await;
        let failed = engine.db.migrate().await.expect_err("the table is there");
        assert!(
            matches!(&failed, StoreError::Schema(SchemaProblem::Failed { version: 2, reason, .. }) if reason.contains("operation_runs")),
            "{failed:?}"
        );
        let behind = engine.db.check_schema().await.expect_err("nothing was applied");
        assert!(matches!(behind, StoreError::Schema(SchemaProblem::Behind { found: 0, .. })));
    }
}

#[tokio::test]
async fn a_postgres_user_who_may_not_add_the_text_index_is_told_what_to_do() {
    if !testing::dialects().contains(&Dialect::Postgres) {
        return;
    }
    let engine = testing::Engine::empty(Dialect::Postgres, Clock::system()).await;
    let role = "DO 'BEGIN CREATE ROLE qd_test_plain LOGIN PASSWORD ''plain''; \
                EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END'";
    set(&engine.db, Sql::new(role)).await;
    set(&engine.db, Sql::new("GRANT USAGE, CREATE ON SCHEMA public TO qd_test_plain")).await;
    let (_, place) = engine.config.url.rsplit_once('@').expect("a URL with a user");
    let config = StoreConfig::at(format!("postgres://qd_test_plain:plain@{place}"));
    let db = Db::open(&config, Clock::system()).await.expect("opens");
    let refused = db.migrate().await.expect_err("no right to create an extension");
    assert!(matches!(refused, StoreError::Schema(SchemaProblem::NoTrigrams)), "{refused:?}");
    assert!(refused.to_string().contains("CREATE EXTENSION pg_trgm"));
    // An administrator does what the sentence says.
    set(&engine.db, Sql::new("CREATE EXTENSION pg_trgm")).await;
    assert_eq!(i64::try_from(db.migrate().await.expect("migrated").len()), Ok(SCHEMA_VERSION));
    db.check_schema().await.expect("up to date");
}
