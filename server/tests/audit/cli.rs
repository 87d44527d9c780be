//! `quarterdeck audit verify`, as a process: what it ends with.
#![expect(clippy::disallowed_methods, reason = "the program is started here")]

use std::process::{Command, Output};

use futures::TryStreamExt as _;
use server::{
    audit::Heads,
    store::{Dialect, Sql, testing},
    vault::{ChainKeys, TEST_KEYS},
};

use super::{tamper, write};

async fn run(url: &str, keys: &'static str, args: &[&str]) -> (i32, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_quarterdeck"));
    command.args(["audit", "verify", "--database-url", url]).args(args);
    command.env("QUARTERDECK_VAULT_KEYS", keys).env_remove("DATABASE_URL");
    let ended = tokio::task::spawn_blocking(move || command.output()).await;
    let Output { status, stdout, stderr } = ended.expect("it was waited for").expect("it starts");
    let said = [stdout, stderr].concat();
    (status.code().expect("it ended by itself"), String::from_utf8(said).expect("text"))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_exit_code_says_whole_broken_or_unchecked() {
    for engine in testing::engines().await {
        let (db, url) = (&engine.db, engine.config.url.as_str());
        write(db, 6).await;
        let head = Heads::new(db.clone(), ChainKeys::for_tests()).sign(0).await;
        let head = head.expect("the store answers").expect("signed").to_string();
        let line = format!(
            "2026-01-01T00:00:00Z INFO server::audit: audit chain head signed: {head} audit.seq=6"
        );

        // Beside this process, which has the same file open for writing.
        let (code, said) = run(url, TEST_KEYS, &[]).await;
        assert_eq!(code, 0, "{said}");
        assert!(said.contains("whole") && said.contains('6'), "{said}");
        for args in [&["--from", "2", "--to", "4"][..], &["--head", &line]] {
            let (code, said) = run(url, TEST_KEYS, args).await;
            assert_eq!(code, 0, "{said}");
        }

        let other = "other MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";
        for (keys, args) in [
            (TEST_KEYS, &["--from", "7"][..]),
            (TEST_KEYS, &["--from", "none"]),
            (TEST_KEYS, &["--head", "no head"]),
            (TEST_KEYS, &["--head", &head.replace(":1:6:", ":1:5:")]),
            ("no key", &[]),
        ] {
            let (code, said) = run(url, keys, args).await;
            assert_eq!(code, 2, "{args:?}: {said}");
        }
        // Another ring: refused as `serve` refuses it, or each row named as one of an unknown key.
        let (code, said) = run(url, other, &[]).await;
        assert_ne!(code, 0, "{said}");

        tamper(db, Sql::new("UPDATE audit_log SET reason = 'none' WHERE seq = 5")).await;
        let (code, said) = run(url, TEST_KEYS, &[]).await;
        assert_eq!(code, 1, "{said}");
        assert!(said.contains("row 5 was changed"), "{said}");
        let (code, said) = run(url, TEST_KEYS, &["--to", "4"]).await;
        assert_eq!(code, 0, "{said}");

        tamper(db, Sql::new("DELETE FROM audit_log WHERE seq > 4")).await;
        tamper(db, Sql::new("DELETE FROM audit_heads")).await;
        let back =
            "UPDATE audit_head SET seq = 4, hash = (SELECT hash FROM audit_log WHERE seq = 4)";
        tamper(db, Sql::new(back)).await;
        assert_eq!(run(url, TEST_KEYS, &[]).await.0, 0, "nothing inside tells");
        let (code, said) = run(url, TEST_KEYS, &["--head", &line]).await;
        assert_eq!(code, 1, "{said}");
        assert!(said.contains("row 5 is missing"), "{said}");

        if engine.dialect() == Dialect::Sqlite {
            let nowhere = format!("{url}-nowhere");
            let (code, said) = run(&nowhere, TEST_KEYS, &[]).await;
            assert_eq!(code, 2, "{said}");
            let path = nowhere.trim_start_matches("sqlite:");
            assert!(!std::path::Path::new(path).exists(), "it makes no file");
        }
    }
}

/// A SQLite file that nobody has open, and one whose last writer was killed: it has a WAL that nobody put back.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_at_rest_is_verified_too() {
    if !testing::dialects().contains(&Dialect::Sqlite) {
        return;
    }
    let engine = testing::Engine::fresh(Dialect::Sqlite, server::clock::Clock::system()).await;
    write(&engine.db, 3).await;
    let path = engine.config.url.trim_start_matches("sqlite:").to_owned();
    let copy = format!("{path}.copy");
    for suffix in ["", "-wal"] {
        std::fs::copy(format!("{path}{suffix}"), format!("{copy}{suffix}")).expect("copied");
    }
    let (code, said) = run(&format!("sqlite:{copy}"), TEST_KEYS, &[]).await;
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("3 rows"), "{said}");
    engine.db.close().await;
    let (code, said) = run(&engine.config.url, TEST_KEYS, &[]).await;
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("3 rows"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_is_verified_without_its_database() {
    let engine = testing::Engine::fresh(Dialect::Sqlite, server::clock::Clock::system()).await;
    write(&engine.db, 4).await;
    let permit = super::list::permitted(&engine.db, app::identity::Reach::Everything).await;
    let service = server::audit::AuditService::new(engine.db.clone());
    let query = app::list::ListQuery::default();
    let export = service.export(&permit, server::audit::Format::Ndjson, &query).await;
    let text: String = export.expect("it begins").stream().try_collect().await.expect("it ends");
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("log.ndjson");
    let nowhere = format!("sqlite:{}", folder.path().join("none.db").display());
    let args = ["--bundle", file.to_str().expect("text")];
    for (text, code, said) in [
        (text.clone(), 0, "without a gap, 5 rows, 1 to 5"),
        (text.replacen("Operation #3", "Operation #4", 1), 1, "line 4, row 3: the row was changed"),
        (
            text.split_inclusive('\n').take(4).collect(),
            1,
            "line 5: the file ends here, without its seal",
        ),
    ] {
        std::fs::write(&file, text).expect("written");
        let (ended, output) = run(&nowhere, TEST_KEYS, &args).await;
        assert_eq!(ended, code, "{output}");
        assert!(output.contains(said), "{output}");
    }
    std::fs::remove_file(&file).expect("removed");
    assert_eq!(run(&nowhere, TEST_KEYS, &args).await.0, 2);
    let (code, output) = run(&nowhere, TEST_KEYS, &[&args[..], &["--from", "1"]].concat()).await;
    assert_eq!(code, 2, "{output}");
    assert!(!folder.path().join("none.db").exists(), "no database is made");
}
