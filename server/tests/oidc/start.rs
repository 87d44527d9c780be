//! A console that nobody could use does not start.

use app::identity::Role;
use server::{
    config::{Config, GroupRole},
    identity::check_start,
    store::{Db, Sql, testing::engines},
};

use crate::kit;

async fn put(db: &Db, sql: &'static str) {
    let mut tx = db.begin().await.expect("a transaction");
    tx.execute(Sql::new(sql)).await.expect("a statement");
    tx.commit(Vec::new()).await.expect("committed");
}

#[tokio::test]
async fn with_a_provider_somebody_must_have_a_role() {
    for engine in engines().await {
        let db = &engine.db;
        let without = Config::defaults();
        check_start(&without, db).await.expect("no provider, no rule");
        let with =
            Config { oidc: Some(kit::config("https://login.example")), ..Config::defaults() };
        let refused = check_start(&with, db).await.expect_err("nobody may do anything").to_string();
        for word in ["https://login.example", "--oidc-grant GROUP=admin", "QUARTERDECK_OIDC_GRANT"]
        {
            assert!(refused.contains(word), "{refused}");
        }
        let grant = GroupRole { group: "ops".to_owned(), role: Role::Admin };
        let named = Config { oidc_grants: vec![grant], ..with.clone() };
        check_start(&named, db).await.expect("the configuration names a group");

        put(
            db,
            "INSERT INTO people (id, source, login, display_name, created_at) \
                 VALUES ('p', 'local', 'ada', 'Ada', 1)",
        )
        .await;
        check_start(&with, db).await.expect_err("a person without a grant");
        put(
            db,
            "INSERT INTO grants (id, subject_kind, subject_id, role, created_at, created_by_id, \
                 created_by_name) VALUES ('g', 'person', 'p', 'admin', 1, 'x', 'x')",
        )
        .await;
        check_start(&with, db).await.expect("a local admin");
        put(db, "UPDATE people SET disabled_at = 1").await;
        check_start(&with, db).await.expect_err("who is disabled cannot come in");
        put(
            db,
            "INSERT INTO grants (id, subject_kind, subject_id, role, created_at, created_by_id, \
                 created_by_name) VALUES ('h', 'group', 'ops', 'auditor', 1, 'x', 'x')",
        )
        .await;
        check_start(&with, db).await.expect("a stored grant to a group");
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the program is started here")]
fn the_program_says_how_somebody_gets_a_role_and_ends() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_quarterdeck"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("QUARTERDECK_") {
            command.env_remove(name);
        }
    }
    command.current_dir(folder.path()).env("DATABASE_URL", "sqlite:q.db").args([
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--metrics-listen",
        "off",
        "--public-url",
        "http://localhost:7080",
        "--oidc-issuer",
        "https://login.example",
        "--oidc-client-id",
        "quarterdeck",
    ]);
    let output = command.output().expect("it starts");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("--oidc-grant GROUP=admin"), "{said}");
}
