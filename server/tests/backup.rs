//! `quarterdeck backup` and `quarterdeck restore`, on both engines and from either to the other: what comes back,
//! what is refused and by which words, what is left when a process is killed in between.

#![expect(
    clippy::disallowed_methods,
    reason = "the program is started and killed here, and looked at from outside"
)]

mod process_kit;

use std::{
    collections::BTreeMap,
    fs,
    io::{Read as _, Write as _},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};

use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use process_kit::{PATIENCE, Serving, folder, program, send};
use server::{
    audit::{self, Verdict},
    backup,
    clock::{Clock, Rng},
    identity::oidc::SEALED_TOKENS,
    journal::AuditRow,
    store::{
        Db, Dialect, SCHEMA_VERSION, Sql, StoreConfig, Value,
        testing::{self, Engine},
    },
    vault::{KeyRing, TEST_KEYS, Vault},
};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

/// Kept sealed by the vault, as a provider's tokens are.
const CANARY: &str = "canary-refresh-token-55d0c7b29e6f48a3b2c1d0e9";
/// What opens a cluster, given to a console as people do.
const CLUSTER: &str = "canary-cluster-token-0b1c2d3e4f5a6b7c8d9e0f1a";

/// A ring in a file, as a deployment has it.
fn key_file(folder: &TempDir) -> PathBuf {
    let path = folder.path().join("ring.key");
    fs::write(&path, TEST_KEYS).expect("written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("its owner's alone");
    path
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

fn run(command: &mut Command) -> (i32, String) {
    let Output { status, stdout, stderr } = command.output().expect("it starts");
    let said = String::from_utf8([stdout, stderr].concat()).expect("text");
    (status.code().expect("it ended by itself"), said)
}

fn quarterdeck(folder: &TempDir, verb: &str, url: &str, file: &Path, more: &[&str]) -> Command {
    let mut command = program(folder);
    let key = folder.path().join("ring.key");
    command.arg(verb).arg(file).args(["--database-url", url]);
    if key.exists() {
        command.args(["--vault-key-file", text(&key)]);
    }
    command.args(more);
    command
}

fn post(serving: &Serving, path: &str, body: &str) -> String {
    let (console, key) = (serving.console, &serving.key);
    let answer = send(
        console,
        &format!(
            "POST {path} HTTP/1.1\r\nHost: {console}\r\nConnection: close\r\nX-API-Key: {key}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ),
    );
    assert!(answer.starts_with("HTTP/1.1 20"), "{answer}");
    answer
}

fn json(answer: &str) -> serde_json::Value {
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {answer}"))
}

fn start_run(serving: &Serving) -> i64 {
    let id = json(&post(serving, "/api/v1/operations", r#"{"type":"system.self_check"}"#));
    let id = id["id"].as_i64().expect("an id");
    let until = Instant::now() + PATIENCE;
    loop {
        let run = json(&serving.ask(&format!("GET /api/v1/operations/{id}")));
        if run["status"] == "completed" {
            return id;
        }
        assert!(Instant::now() < until, "{run:#}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

async fn vault(db: &Db) -> Vault {
    Vault::open(KeyRing::for_tests(), db, &Rng::system()).await.expect("the ring fits")
}

/// A session whose tokens are sealed.
async fn seal_canary(db: &Db) {
    let vault = vault(db).await;
    let mut tx = db.begin().await.expect("a transaction");
    let person = "INSERT INTO people (id, source, login, display_name, created_at) \
                  VALUES ('p-canary', 'oidc', 'canary', 'Zoë \"Canary\"', 1)";
    tx.execute(Sql::new(person)).await.expect("a person");
    let sealed = vault.seal(SEALED_TOKENS.place("s-canary"), CANARY.as_bytes());
    let sql = Sql::new(
        "INSERT INTO sessions (id, person_id, method, created_at, seen_at, expires_at, token_hash, tokens) \
         VALUES ('s-canary', 'p-canary', 'oidc', 1, 1, 1, ",
    );
    let sql = sql.arg([0_u8, 255, 10].as_slice()).push(", ").arg(sealed).push(")");
    tx.execute(sql).await.expect("a session");
    tx.commit(Vec::new()).await.expect("committed");
}

/// Every row of every table, in an order of its own, but for the audit row of the restore.
async fn everything(db: &Db, audit_to: Option<i64>) -> BTreeMap<String, Vec<String>> {
    let mut snapshot = db.snapshot().await.expect("a snapshot");
    let mut all = BTreeMap::new();
    for table in snapshot.tables().await.expect("tables") {
        let seq = table.columns.iter().position(|column| column.name == "seq");
        let mut rows = Vec::new();
        let each = |row: Vec<Value>| {
            let beyond = match (table.name.as_str(), seq.map(|n| &row[n]), audit_to) {
                ("audit_log", Some(Value::Integer(Some(seq))), Some(last)) => *seq > last,
                ("audit_head", _, Some(_)) => true,
                _ => false,
            };
            if !beyond {
                let mut fields: Vec<_> = table.columns.iter().map(|c| &c.name).zip(row).collect();
                fields.sort_by(|one, other| one.0.cmp(other.0));
                rows.push(format!("{fields:?}"));
            }
            Ok::<_, server::store::StoreError>(())
        };
        snapshot.each_row(&table, each).await.expect("rows");
        rows.sort();
        all.insert(table.name, rows);
    }
    snapshot.close().await.expect("closed");
    all
}

async fn chain_is_whole(db: &Db) -> i64 {
    let chain = KeyRing::for_tests().chain();
    match audit::verify(db, &chain, &audit::Ask::default()).await.expect("it can be looked at") {
        Verdict::Whole(whole) => whole.last,
        Verdict::Broken(broken) => panic!("{broken}"),
    }
}

fn unpacked(path: &Path) -> Vec<u8> {
    let mut plain = Vec::new();
    GzDecoder::new(fs::File::open(path).expect("a file")).read_to_end(&mut plain).expect("gzip");
    plain
}

fn pack(path: &Path, plain: &[u8]) {
    let mut out = GzEncoder::new(fs::File::create(path).expect("a file"), Compression::fast());
    out.write_all(plain).expect("written");
    out.finish().expect("finished");
}

fn holds(bytes: &[u8], needle: &[u8]) -> bool {
    bytes.windows(needle.len()).any(|part| part == needle)
}

/// What a console and its people leave, with a backup that is made while it serves and one after its end.
struct Original {
    engine: Engine,
    folder: TempDir,
    live: PathBuf,
    rest: PathBuf,
    /// A run of before both, and the admin's key.
    run: i64,
    key: String,
}

async fn original(dialect: Dialect) -> Original {
    let engine = Engine::fresh(dialect, Clock::system()).await;
    seal_canary(&engine.db).await;
    let folder = folder();
    let key_file = key_file(&folder);
    let url = engine.config.url.clone();
    let flags = ["--database-url", &url, "--vault-key-file", text(&key_file)];
    let mut serving = Serving::start(&folder, &flags);
    post(&serving, "/api/v1/workspaces", r#"{"name":"Zoë's \"team\""}"#);
    let cluster = format!(
        r#"{{"name":"harbour","api_server_url":"https://127.0.0.1:1","credentials":{{"auth_type":"SERVICE_ACCOUNT","token":"{CLUSTER}"}}}}"#
    );
    post(&serving, "/api/v1/clusters", &cluster);
    let run = start_run(&serving);
    let live = folder.path().join("live.backup");
    let (code, said) = self::run(&mut quarterdeck(&folder, "backup", &url, &live, &[]));
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("qd-audit-head:1:") && said.contains("test"), "{said}");
    start_run(&serving);
    let key = serving.key.clone();
    serving.terminate();
    assert!(serving.wait().success());
    let rest = folder.path().join("rest.backup");
    let (code, said) = self::run(&mut quarterdeck(&folder, "backup", &url, &rest, &[]));
    assert_eq!(code, 0, "{said}");
    Original { engine, folder, live, rest, run, key }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_either_engine_fills_either() {
    for from in testing::dialects() {
        let original = original(from).await;
        let Original { engine, folder, live, rest, key, .. } = &original;
        for file in [live, rest] {
            let plain = unpacked(file);
            assert!(holds(&plain, b"harbour"), "the cluster is in it");
            for secret in [CLUSTER, CANARY, key.as_str()] {
                assert!(!holds(&plain, secret.as_bytes()), "{secret} is in clear");
            }
        }
        let last = chain_is_whole(&engine.db).await;
        let before = everything(&engine.db, None).await;
        assert!(before["operation_runs"].len() >= 2 && before["audit_log"].len() > 4);
        for to in testing::dialects() {
            let target = Engine::empty(to, Clock::system()).await;
            let url = &target.config.url;
            let (code, said) = run(&mut quarterdeck(folder, "restore", url, rest, &[]));
            assert_eq!(code, 0, "{from:?} to {to:?}: {said}");
            assert!(said.contains("The audit chain is whole"), "{said}");
            let mut after = everything(&target.db, Some(last)).await;
            let mut before = before.clone();
            before.remove("audit_head");
            after.remove("audit_head");
            for (table, rows) in &before {
                assert_eq!(Some(rows), after.get(table), "{table}, {from:?} to {to:?}");
            }
            assert_eq!(before.len(), after.len());
            assert_eq!(chain_is_whole(&target.db).await, last + 1, "and the restore is in it");
            let vault = vault(&target.db).await;
            let sql = Sql::new("SELECT tokens FROM sessions WHERE id = 's-canary'");
            let sealed = target.db.fetch_one(sql).await.expect("there").bytes("tokens");
            let opened =
                vault.open_sealed(SEALED_TOKENS.place("s-canary"), &sealed.expect("bytes"));
            assert_eq!(opened.expect("the same place").as_slice(), CANARY.as_bytes());
            goes_on(&target, &original).await;

            let target = Engine::empty(to, Clock::system()).await;
            let url = &target.config.url;
            let (code, said) = run(&mut quarterdeck(folder, "restore", url, live, &[]));
            assert_eq!(code, 0, "made while it served: {said}");
            chain_is_whole(&target.db).await;
        }
    }
}

/// A console on the restored database knows its people, and its next run has a number that was never given before.
async fn goes_on(target: &Engine, original: &Original) {
    let key_file = original.folder.path().join("ring.key");
    let url = &target.config.url;
    let mut serving = Serving::alone(
        &original.folder,
        &["--database-url", url, "--vault-key-file", text(&key_file)],
    );
    serving.key.clone_from(&original.key);
    let run = json(&serving.ask(&format!("GET /api/v1/operations/{}", original.run)));
    assert_eq!(run["status"], "completed", "{run:#}");
    let next = start_run(&serving);
    let given: i64 = target
        .db
        .fetch_one(Sql::new("SELECT MAX(id) AS id FROM operation_runs"))
        .await
        .expect("rows")
        .i64("id")
        .expect("a number");
    assert!(next > original.run + 1 && next <= given, "{next} after {}", original.run);
    if target.dialect() == Dialect::Sqlite {
        let sql = "SELECT (SELECT COUNT(*) FROM operation_search) AS s, (SELECT COUNT(*) FROM operation_runs) AS r";
        let row = target.db.fetch_one(Sql::new(sql)).await.expect("counted");
        assert_eq!(row.i64("s").expect("a number"), row.i64("r").expect("a number"));
    }
    serving.terminate();
    assert!(serving.wait().success());
    chain_is_whole(&target.db).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_once_given_is_never_given_again() {
    for from in testing::dialects() {
        for to in testing::dialects() {
            let source = Engine::fresh(from, Clock::system()).await;
            vault(&source.db).await;
            let mut tx = source.db.begin().await.expect("a transaction");
            let sql = || {
                Sql::new("INSERT INTO workspaces (name, created_at) VALUES ('a', 1) RETURNING id")
            };
            let gone = tx.fetch_one(sql()).await.expect("inserted").i64("id").expect("an id");
            tx.execute(Sql::new("DELETE FROM workspaces WHERE id > 1")).await.expect("deleted");
            tx.commit(Vec::new()).await.expect("committed");
            let folder = folder();
            let file = folder.path().join("a.backup");
            let ring = KeyRing::for_tests();
            backup::write(&source.db, &ring, &file, false).await.expect("written");
            let target = Engine::empty(to, Clock::system()).await;
            restore(&target.db, &file).await.expect("restored");
            let mut tx = target.db.begin().await.expect("a transaction");
            let next = tx.fetch_one(sql()).await.expect("inserted").i64("id").expect("an id");
            assert!(next > gone, "{from:?} to {to:?}: {next} after {gone}");
        }
    }
}

async fn restore(db: &Db, file: &Path) -> Result<backup::Restored, backup::BackupError> {
    let ring = KeyRing::for_tests();
    let inspected = backup::inspect(file, &ring)?;
    let row = AuditRow::allowed(&testing::admin(), "backup.restore");
    backup::restore(db, &ring, file, &inspected, row).await
}

/// A database with something in it, in this process alone.
async fn small(dialect: Dialect, rows: usize) -> Engine {
    let engine = Engine::fresh(dialect, Clock::system()).await;
    seal_canary(&engine.db).await;
    for chunk in 0..rows.div_ceil(500) {
        let row = || AuditRow::allowed(&testing::admin(), "test.row").detail("chunk", chunk as u64);
        let rows = (0..500).map(|_| row()).collect();
        engine.db.begin().await.expect("begun").commit(rows).await.expect("committed");
    }
    engine
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_schema_is_brought_up_and_a_newer_one_refused() {
    for dialect in testing::dialects() {
        let source = Engine::empty(dialect, Clock::system()).await;
        source.db.migrate_to(SCHEMA_VERSION - 1).await.expect("migrated");
        vault(&source.db).await;
        let row = AuditRow::allowed(&testing::admin(), "test.row");
        source.db.begin().await.expect("begun").commit(vec![row]).await.expect("committed");
        let folder = folder();
        key_file(&folder);
        let file = folder.path().join("older.backup");
        let ring = KeyRing::for_tests();
        let written = backup::write(&source.db, &ring, &file, false).await.expect("written");
        assert_eq!(written.manifest.schema, SCHEMA_VERSION - 1);
        let target = Engine::empty(dialect, Clock::system()).await;
        let url = &target.config.url;
        let (code, said) = run(&mut quarterdeck(&folder, "restore", url, &file, &[]));
        assert_eq!(code, 0, "{said}");
        assert!(said.contains("applied 00"), "{said}");
        assert_eq!(target.db.schema_version().await.expect("a schema"), SCHEMA_VERSION);
        assert_eq!(chain_is_whole(&target.db).await, 2);

        let newer = folder.path().join("newer.backup");
        let plain = String::from_utf8(unpacked(&file)).expect("text");
        let schema = |n: i64| format!("\"schema\":{n},");
        let changed = plain.replacen(&schema(SCHEMA_VERSION - 1), &schema(SCHEMA_VERSION + 1), 1);
        assert_ne!(plain, changed);
        pack(&newer, changed.as_bytes());
        let (code, said) = run(&mut quarterdeck(&folder, "restore", url, &newer, &["--check"]));
        assert_eq!(code, 1);
        let wanted = format!("with schema {}", SCHEMA_VERSION + 1);
        assert!(said.contains(&wanted) && said.contains("newer.backup"), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_cut_or_changed_is_refused_by_name_and_nothing_is_written() {
    let source = small(Dialect::Sqlite, 500).await;
    let folder = folder();
    key_file(&folder);
    let file = folder.path().join("good.backup");
    let ring = KeyRing::for_tests();
    backup::write(&source.db, &ring, &file, false).await.expect("written");
    let good = fs::read(&file).expect("read");
    let bad = folder.path().join("bad.backup");
    let refusal = |bytes: &[u8]| {
        fs::write(&bad, bytes).expect("written");
        let refused = backup::inspect(&bad, &ring).expect_err("it was taken").to_string();
        assert!(refused.contains("bad.backup"), "{refused}");
        refused
    };
    for cut in [good.len() - 1, good.len() - 9, good.len() / 2, 200, 20] {
        assert!(refusal(&good[..cut]).contains("truncated"), "cut at {cut}");
    }
    for at in (0..good.len()).step_by(good.len() / 150) {
        let mut bytes = good.clone();
        bytes[at] ^= 0x10;
        // A bit of the gzip header's time or system says nothing.
        if !(4..10).contains(&at) {
            refusal(&bytes);
        }
    }
    assert!(refusal(&[good.as_slice(), b"more"].concat()).contains("damaged"));
    assert!(refusal(b"not a backup at all").contains("not a backup"));
    assert!(refusal(b"").contains("truncated"));

    // By somebody who knows the form, but has no key.
    let plain = String::from_utf8(unpacked(&file)).expect("text");
    let changed = plain.replacen("test.row", "test.nil", 1);
    pack(&bad, changed.as_bytes());
    let said = backup::inspect(&bad, &ring).expect_err("changed").to_string();
    assert!(said.contains("damaged"), "{said}");
    let (above, last) = changed.trim_end().rsplit_once('\n').expect("lines");
    let digest = Sha256::digest(format!("{above}\n"));
    let digest: String = digest.iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
    let mut end: serde_json::Value = serde_json::from_str(last).expect("JSON");
    end["end"]["sha256"] = digest.into();
    pack(&bad, format!("{above}\n{end}\n").as_bytes());
    let said = backup::inspect(&bad, &ring).expect_err("changed").to_string();
    assert!(said.contains("was changed after it was made"), "{said}");
    let fewer = plain.replacen("\n[", "\n", 1);
    pack(&bad, fewer.as_bytes());
    backup::inspect(&bad, &ring).expect_err("changed");

    for (other, wanted) in [
        ("other MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=", "which the key ring lacks"),
        ("test MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=", "signed with another key"),
    ] {
        let other = KeyRing::parse(other).expect("a ring");
        let said = backup::inspect(&file, &other).expect_err("another ring").to_string();
        assert!(said.contains(wanted), "{said}");
    }
    for dialect in testing::dialects() {
        let target = Engine::empty(dialect, Clock::system()).await;
        let url = &target.config.url;
        let (code, said) = run(&mut quarterdeck(&folder, "restore", url, &bad, &[]));
        assert_eq!(code, 1, "{said}");
        let mut tx = target.db.begin().await.expect("begun");
        assert_eq!(tx.find_table().await.expect("asked"), None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_an_empty_database_is_filled_and_no_file_is_replaced() {
    for dialect in testing::dialects() {
        let source = small(dialect, 1).await;
        let folder = folder();
        key_file(&folder);
        let file = folder.path().join("a.backup");
        let url = &source.config.url;
        let (code, said) = run(&mut quarterdeck(&folder, "backup", url, &file, &[]));
        assert_eq!(code, 0, "{said}");
        let first = fs::read(&file).expect("read");
        let (code, said) = run(&mut quarterdeck(&folder, "backup", url, &file, &[]));
        assert_eq!(code, 1);
        assert!(said.contains("never replaces a file"), "{said}");
        assert_eq!(fs::read(&file).expect("read"), first);
        let before = everything(&source.db, None).await;
        let (code, said) = run(&mut quarterdeck(&folder, "restore", url, &file, &[]));
        assert_eq!(code, 1);
        assert!(said.contains("not empty") && said.contains("--database-url"), "{said}");
        assert_eq!(everything(&source.db, None).await, before);
    }
    let folder = folder();
    key_file(&folder);
    let file = folder.path().join("a.backup");
    let (code, said) = run(&mut quarterdeck(&folder, "backup", "sqlite:none.db", &file, &[]));
    assert_eq!(code, 1);
    assert!(said.contains("no database at none.db"), "{said}");
    assert!(!folder.path().join("none.db").exists(), "and none is made");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_file_holds_no_secret_in_clear_and_the_key_where_it_was_asked_for() {
    let key = TEST_KEYS.split(' ').nth(1).expect("the bytes");
    for dialect in testing::dialects() {
        let source = small(dialect, 1).await;
        let folder = folder();
        key_file(&folder);
        let url = &source.config.url;
        let (without, with) = (folder.path().join("a.backup"), folder.path().join("b.backup"));
        let (code, said) = run(&mut quarterdeck(&folder, "backup", url, &without, &[]));
        assert_eq!(code, 0, "{said}");
        let with_key = ["--include-key"];
        let (code, said) = run(&mut quarterdeck(&folder, "backup", url, &with, &with_key));
        assert_eq!(code, 0, "{said}");
        assert!(said.contains("keep the file as you would keep the key"), "{said}");
        let plain = unpacked(&without);
        assert!(holds(&plain, b"s-canary"), "the row is there");
        assert!(!holds(&plain, CANARY.as_bytes()) && !holds(&plain, key.as_bytes()));
        assert!(
            !holds(&unpacked(&with), CANARY.as_bytes()) && holds(&unpacked(&with), key.as_bytes())
        );
        let rights = fs::metadata(&with).expect("there").permissions().mode();
        assert_eq!(rights & 0o077, 0, "others may not read it");

        // On another machine, which has neither.
        let elsewhere = self::folder();
        let target = format!("sqlite:{}", elsewhere.path().join("new.db").display());
        let (code, said) = run(&mut quarterdeck(&elsewhere, "restore", &target, &without, &[]));
        assert_eq!(code, 1);
        assert!(said.contains("the key ring is needed"), "{said}");
        assert!(!elsewhere.path().join("new.db").exists());
        let (code, said) = run(&mut quarterdeck(&elsewhere, "restore", &target, &with, &[]));
        assert_eq!(code, 0, "{said}");
        let made = fs::read_to_string(elsewhere.path().join("new.db.key")).expect("the ring");
        assert_eq!(made.trim(), TEST_KEYS);
        Serving::alone(&elsewhere, &["--database-url", &target]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_written_meanwhile_is_in_it_as_a_whole_or_not_at_all() {
    for dialect in testing::dialects() {
        let source = small(dialect, 3_000).await;
        let folder = folder();
        let ring = KeyRing::for_tests();
        let beside = source.again().await;
        let stop = std::sync::atomic::AtomicBool::new(false);
        let writes = async {
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                let row = AuditRow::allowed(&testing::admin(), "test.meanwhile");
                let tx = beside.begin().await.expect("nobody is kept waiting");
                tx.commit(vec![row.clone(), row]).await.expect("committed");
                tokio::task::yield_now().await;
            }
        };
        let copies = async {
            let mut files = Vec::new();
            for n in 0..3 {
                let file = folder.path().join(format!("{n}.backup"));
                backup::write(&source.db, &ring, &file, false).await.expect("written");
                files.push(file);
            }
            stop.store(true, std::sync::atomic::Ordering::Relaxed);
            files
        };
        let ((), files) = futures::join!(writes, copies);
        for file in files {
            let target = Engine::empty(dialect, Clock::system()).await;
            restore(&target.db, &file).await.expect("restored");
            chain_is_whole(&target.db).await;
            let count = "SELECT COUNT(*) AS n FROM audit_log WHERE action = 'test.meanwhile'";
            let n = target.db.fetch_one(Sql::new(count)).await.expect("counted").i64("n");
            assert_eq!(n.expect("a number") % 2, 0, "half of a transaction");
        }
    }
}

/// Kills at later and later moments until one comes through; tells how many were killed on their way.
fn kill_until_done(mut start: impl FnMut() -> Command, mut after: impl FnMut(bool)) -> u32 {
    let mut killed = 0;
    let mut patience = Duration::from_millis(20);
    loop {
        let mut child = start().stdout(Stdio::null()).spawn().expect("it starts");
        std::thread::sleep(patience);
        let done = child.try_wait().expect("our own child");
        let _ = child.kill();
        child.wait().expect("our own child");
        let done = done.is_some_and(|status| status.success());
        after(done);
        if done {
            return killed;
        }
        killed += 1;
        patience = patience * 5 / 4;
        assert!(patience < PATIENCE, "it never ends");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_in_between_nothing_looks_whole() {
    for dialect in testing::dialects() {
        let source = small(dialect, 3_000).await;
        let folder = folder();
        key_file(&folder);
        let file = folder.path().join("a.backup");
        let url = &source.config.url;
        let ring = KeyRing::for_tests();
        let killed = kill_until_done(
            || quarterdeck(&folder, "backup", url, &file, &[]),
            |_| {
                // Whole, or not there; a kill may come after the last step.
                if file.exists() {
                    backup::inspect(&file, &ring).expect("what has the name is whole");
                }
                let parts = fs::read_dir(folder.path()).expect("the folder");
                let parts = parts.map(|entry| entry.expect("an entry").path());
                for part in parts.filter(|path| text(path).ends_with(".partial")) {
                    backup::inspect(&part, &ring).expect_err("a part is no backup");
                }
                if file.exists() {
                    fs::remove_file(&file).expect("removed");
                }
            },
        );
        assert!(killed > 1, "nothing was killed");
        backup::write(&source.db, &ring, &file, false).await.expect("written");

        let target = Engine::empty(dialect, Clock::system()).await;
        let config = target.config.clone();
        let handle = tokio::runtime::Handle::current();
        let tables = || {
            let config = StoreConfig { ..config.clone() };
            tokio::task::block_in_place(|| {
                handle.block_on(async {
                    let db = Db::open(&config, Clock::system()).await.expect("it opens");
                    let found = db.begin().await.expect("begun").find_table().await;
                    let schema = db.schema_version().await.expect("looked at");
                    db.close().await;
                    (found.expect("asked"), schema)
                })
            })
        };
        let url = config.url.clone();
        let whole = std::cell::Cell::new(false);
        let killed = kill_until_done(
            || {
                quarterdeck(
                    &folder,
                    "restore",
                    &url,
                    &file,
                    if whole.get() { &["--check"] } else { &[] },
                )
            },
            |_| match tables() {
                (None, schema) => assert_eq!(schema, 0),
                // Killed between its commit and its end.
                (Some(_), schema) => {
                    assert_eq!(schema, SCHEMA_VERSION);
                    whole.set(true);
                }
            },
        );
        assert!(killed > 1, "nothing was killed");
        chain_is_whole(&target.db).await;
    }
}
