//! From one key to the next: a new first key, values sealed again under it, and the old key retired when nothing needs
//! it. On both engines, with troubles at every statement, and by the program itself.

#![expect(clippy::disallowed_methods, reason = "the program is started here")]

use std::{
    fs::{self, Permissions},
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::Path,
    process::{Child, Command, Stdio},
    sync::Arc,
};

use app::identity::Gate;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use server::{
    clock::Rng,
    console::KEY_USES,
    identity::{
        AuditedGate,
        oidc::{SEALED_FLOWS, SEALED_TOKENS},
    },
    journal::AuditRow,
    store::{
        Db, Fault, Faults, Sql,
        testing::{self, Engine},
    },
    vault::{self, InUse, KeyRing, Resealed, Resealer, TEST_KEYS, Vault},
};

const SESSIONS: usize = 130;
const FLOWS: usize = 5;
const ALL: u64 = (SESSIONS + FLOWS) as u64;

/// The ring of tests, under whose key the engines chain their audit rows.
fn old() -> KeyRing {
    KeyRing::parse(TEST_KEYS).expect("a line")
}

fn joined(rings: &[&KeyRing]) -> KeyRing {
    let text: String = rings.iter().map(|ring| ring.text().as_str().to_owned()).collect();
    KeyRing::parse(&text).expect("keys of different names")
}

fn id(ring: &KeyRing) -> &str {
    ring.ids().next().expect("an active key")
}

async fn open(ring: &KeyRing, db: &Db) -> Vault {
    Vault::open(ring.clone(), db, &Rng::system()).await.expect("the ring goes with the database")
}

fn resealer(vault: &Vault, db: &Db) -> Resealer {
    Resealer { vault: vault.clone(), db: db.clone(), columns: KEY_USES.sealed }
}

/// Sessions and sign-ins on their way, sealed by this vault; one session without tokens.
async fn fill(db: &Db, vault: &Vault) {
    fill_with(db, vault, SESSIONS).await;
}

async fn fill_with(db: &Db, vault: &Vault, sessions: usize) {
    let mut tx = db.begin().await.expect("a transaction");
    let person = "INSERT INTO people (id, source, login, display_name, created_at) \
                  VALUES ('p', 'oidc', 'x', 'X', 1)";
    tx.execute(Sql::new(person)).await.expect("a person");
    for n in 0..=sessions {
        let session = format!("s-{n:03}");
        let sealed =
            (n < sessions).then(|| vault.seal(SEALED_TOKENS.place(&session), session.as_bytes()));
        let sql = Sql::new(
            "INSERT INTO sessions (id, person_id, method, created_at, seen_at, expires_at, token_hash, tokens) \
             VALUES (",
        );
        let sql =
            sql.arg(session.as_str()).push(", 'p', 'oidc', 1, 1, 1, ").arg(session.as_bytes());
        tx.execute(sql.push(", ").arg(sealed).push(")")).await.expect("a session");
    }
    for n in 0..FLOWS {
        let hash = [u8::try_from(n).expect("few"), 0xff, 0];
        let name = URL_SAFE_NO_PAD.encode(hash);
        let sealed = vault.seal(SEALED_FLOWS.place(&name), name.as_bytes());
        let sql = Sql::new(
            "INSERT INTO sign_in_flows (created_at, expires_at, state_hash, sealed) VALUES (1, 1, ",
        );
        let sql = sql.arg(hash.as_slice()).push(", ").arg(sealed).push(")");
        tx.execute(sql).await.expect("a flow");
    }
    tx.commit(Vec::new()).await.expect("committed");
}

/// How many values need sealing again; every value opens and says what it said.
async fn behind(db: &Db, vault: &Vault) -> usize {
    let mut behind = 0;
    let sessions = Sql::new("SELECT id, tokens FROM sessions WHERE tokens IS NOT NULL ORDER BY id");
    for row in db.fetch_all(sessions).await.expect("rows") {
        let (id, sealed) = (row.text("id").expect("text"), row.bytes("tokens").expect("bytes"));
        let plain = vault.open_sealed(SEALED_TOKENS.place(&id), &sealed).expect("it opens");
        assert!(plain.starts_with(id.as_bytes()));
        behind += usize::from(vault.needs_reseal(&sealed));
    }
    let flows = Sql::new("SELECT state_hash, sealed FROM sign_in_flows");
    for row in db.fetch_all(flows).await.expect("rows") {
        let name = URL_SAFE_NO_PAD.encode(row.bytes("state_hash").expect("bytes"));
        let sealed = row.bytes("sealed").expect("bytes");
        let plain = vault.open_sealed(SEALED_FLOWS.place(&name), &sealed).expect("it opens");
        assert_eq!(plain.as_slice(), name.as_bytes());
        behind += usize::from(vault.needs_reseal(&sealed));
    }
    behind
}

#[tokio::test]
async fn what_the_old_key_sealed_is_sealed_again_under_the_new_one() {
    for engine in testing::engines().await {
        let db = &engine.db;
        let (old, new) = (old(), KeyRing::generate(&Rng::system()));
        let before = open(&old, db).await;
        fill(db, &before).await;
        assert_eq!(resealer(&before, db).round().await.expect("a round"), Resealed::default());
        let after = open(&joined(&[&new, &old]), db).await;
        assert_eq!(behind(db, &after).await, SESSIONS + FLOWS);
        let used = |id: &str| {
            let id = id.to_owned();
            async move { KEY_USES.of(db, &id).await.expect("counted") }
        };
        assert_eq!(used(id(&old)).await, InUse { sealed: 135, verified: 0 });

        // A replica that still runs with the older ring seals nothing back.
        let done = resealer(&after, db).round().await.expect("a round");
        assert_eq!(done, Resealed { values: ALL, unopened: 0 });
        let late = open(&joined(&[&old, &new]), db).await;
        assert_eq!(resealer(&late, db).round().await.expect("a round"), Resealed::default());
        assert_eq!(behind(db, &after).await, 0);
        assert_eq!(resealer(&after, db).round().await.expect("a round"), Resealed::default());
        assert_eq!((used(id(&old)).await, used(id(&new)).await.sealed), (InUse::default(), 135));
    }
}

#[tokio::test]
async fn what_no_key_opens_stays_and_holds_nothing_up() {
    for engine in testing::engines().await {
        let db = &engine.db;
        let (old, new) = (old(), KeyRing::generate(&Rng::system()));
        fill(db, &open(&old, db).await).await;
        let mut tx = db.begin().await.expect("a transaction");
        let garbage = Sql::new("UPDATE sessions SET tokens = ").arg([7_u8; 90].as_slice());
        let some = garbage.push(" WHERE id IN ('s-000', 's-001', 's-064', 's-129')");
        tx.execute(some).await.expect("altered");
        tx.commit(Vec::new()).await.expect("committed");
        let after = open(&joined(&[&new, &old]), db).await;
        let done = resealer(&after, db).round().await.expect("a round");
        assert_eq!(done, Resealed { values: ALL - 4, unopened: 4 });
        let again = resealer(&after, db).round().await.expect("a round");
        assert_eq!(again, Resealed { values: 0, unopened: 4 });
    }
}

#[tokio::test]
async fn whatever_breaks_on_the_way_every_value_opens_and_the_next_round_goes_on() {
    for engine in testing::engines().await {
        let db = &engine.db;
        let old = old();
        let mut ring = old.clone();
        fill(db, &open(&old, db).await).await;
        for fault in [Fault::Fail, Fault::Lock, Fault::LoseAnswer] {
            for n in [1, 2, 3, 4, 50, 102, 103, 104, 105, 140, 141, 142, 143] {
                ring = joined(&[&KeyRing::generate(&Rng::system()), &ring]);
                let vault = open(&ring, db).await;
                let faults = Faults::none();
                let troubled = engine.with_faults(&faults).await;
                faults.add(n, fault.clone());
                let broken = resealer(&vault, &troubled).round().await;
                troubled.close().await;
                assert!(broken.is_err(), "{fault:?} at {n}: {broken:?}");
                behind(db, &vault).await;
                resealer(&vault, db).round().await.expect("the next round");
                assert_eq!(behind(db, &vault).await, 0, "{fault:?} at {n}");
            }
        }
    }
}

#[tokio::test]
async fn a_value_that_is_written_meanwhile_is_not_overwritten() {
    for engine in testing::engines().await {
        let db = &engine.db;
        let (old, new) = (old(), KeyRing::generate(&Rng::system()));
        fill(db, &open(&old, db).await).await;
        let vault = open(&joined(&[&new, &old]), db).await;
        let (one, two) = (resealer(&vault, db), resealer(&vault, db));
        let writer = async {
            for n in 0..SESSIONS {
                let session = format!("s-{n:03}");
                let place = SEALED_TOKENS.place(&session);
                let fresh = vault.seal(place, format!("{session} renewed").as_bytes());
                let mut tx = db.begin().await.expect("a transaction");
                let sql = Sql::new("UPDATE sessions SET tokens = ").arg(fresh).push(" WHERE id = ");
                tx.execute(sql.arg(session.as_str())).await.expect("written");
                tx.commit(Vec::new()).await.expect("committed");
            }
        };
        let (one, two, ()) = tokio::join!(one.round(), two.round(), writer);
        one.expect("a round");
        two.expect("a round");
        assert_eq!(behind(db, &vault).await, 0);
        let rows = Sql::new("SELECT id, tokens FROM sessions WHERE tokens IS NOT NULL");
        for row in db.fetch_all(rows).await.expect("rows") {
            let (id, sealed) = (row.text("id").expect("text"), row.bytes("tokens").expect("bytes"));
            let plain = vault.open_sealed(SEALED_TOKENS.place(&id), &sealed).expect("it opens");
            assert_eq!(plain.as_slice(), format!("{id} renewed").as_bytes(), "the newer one stays");
        }
    }
}

/// A console that seals again as soon as it is up, until it is killed.
fn serve(engine: &Engine, file: &Path) -> Child {
    let mut command = program(engine, file);
    command.args(["serve", "--listen", "127.0.0.1:0", "--metrics-listen", "off"]);
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_console_that_is_killed_while_it_seals_again_loses_nothing() {
    const MANY: usize = 3_000;
    for engine in testing::engines().await {
        let db = &engine.db;
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("ring.key");
        fs::write(&file, format!("{TEST_KEYS}\n")).expect("written");
        fs::set_permissions(&file, Permissions::from_mode(0o600)).expect("set");
        fill_with(db, &open(&old(), db).await, MANY).await;
        vault::rotate(&file, &Rng::system()).expect("rotated");
        let left = || async { KEY_USES.of(db, "test").await.expect("counted").sealed };
        let all = left().await;

        let mut first = serve(&engine, &file);
        testing::eventually("it is at it", || async { Ok((left().await < all).then_some(())) })
            .await;
        first.kill().expect("killed");
        first.wait().expect("it is gone");
        let ring = KeyRing::parse(&fs::read_to_string(&file).expect("the file")).expect("a ring");
        let vault = open(&ring, db).await;
        let behind_then = behind(db, &vault).await;
        assert_eq!(i64::try_from(behind_then), Ok(left().await), "under one key or the other");

        let mut second = serve(&engine, &file);
        testing::eventually("all of it", || async { Ok((left().await == 0).then_some(())) }).await;
        second.kill().expect("killed");
        second.wait().expect("it is gone");
        assert_eq!(behind(db, &vault).await, 0);
    }
}

/// Each column of the schema that holds sealed values, or names a key, stands in the registry.
#[tokio::test]
async fn every_column_of_the_registry_is_there() {
    for engine in testing::engines().await {
        KEY_USES.of(&engine.db, "anything").await.expect("every column can be counted");
    }
}

/// The program, on this engine and with this key file.
fn program(engine: &Engine, file: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_quarterdeck"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("QUARTERDECK_") {
            command.env_remove(name);
        }
    }
    command.env("DATABASE_URL", &engine.config.url).env("QUARTERDECK_VAULT_KEY_FILE", file);
    command
}

async fn run(engine: &Engine, file: &Path, args: &[&str]) -> (i32, String) {
    let mut command = program(engine, file);
    command.args(args);
    let ended = tokio::task::spawn_blocking(move || command.output()).await;
    let output = ended.expect("it was waited for").expect("it starts");
    let said = [output.stdout, output.stderr].concat();
    (output.status.code().expect("it ended by itself"), String::from_utf8(said).expect("text"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_comes_first_and_goes_when_nothing_needs_it() {
    for engine in testing::engines().await {
        let db = &engine.db;
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("ring.key");
        fs::write(&file, format!("# keep a copy\n{TEST_KEYS}\n")).expect("written");
        fs::set_permissions(&file, Permissions::from_mode(0o600)).expect("set");
        let before = open(&old(), db).await;
        fill(db, &before).await;

        let (code, said) = run(&engine, &file, &["keys", "rotate"]).await;
        assert_eq!(code, 0, "{said}");
        let text = fs::read_to_string(&file).expect("the file");
        let ring = KeyRing::parse(&text).expect("a ring");
        let fresh = id(&ring).to_owned();
        assert!(said.contains(&fresh) && fresh != "test", "{said}");
        assert!(
            text.contains("# keep a copy") && text.contains(TEST_KEYS),
            "what stood there stays"
        );
        let found = fs::metadata(&file).expect("the file");
        assert_eq!((found.permissions().mode() & 0o777, found.nlink()), (0o600, 1));
        assert_eq!(fs::read_dir(folder.path()).expect("the folder").count(), 1, "no half is left");
        assert!(!said.contains(text.split_whitespace().nth(1).expect("base64")), "never the bytes");

        let (code, said) = run(&engine, &file, &["keys", "list"]).await;
        assert_eq!(code, 0, "{said}");
        assert!(said.contains(&format!("{fresh}  active  not recorded yet")), "{said}");
        assert!(said.contains("135 sealed values, 0 audit rows"), "{said}");

        let (code, said) = run(&engine, &file, &["keys", "retire", &fresh]).await;
        assert!(code == 1 && said.contains("active key"), "{said}");
        let (code, said) = run(&engine, &file, &["keys", "retire", "test"]).await;
        assert!(code == 1 && said.contains("135 sealed values"), "{said}");
        assert_eq!(fs::read_to_string(&file).expect("the file"), text, "nothing happened");

        let vault = open(&ring, db).await;
        resealer(&vault, db).round().await.expect("a round");
        // An audit row of the old key, as the engines write them.
        let gate: Arc<dyn Gate> = Arc::new(AuditedGate::new(db.clone()));
        let row =
            AuditRow::allowed(&server::identity::system(gate), "test.row").target("t", "1", "1");
        let tx = db.begin().await.expect("a transaction");
        tx.commit(vec![row]).await.expect("committed");
        let (code, said) = run(&engine, &file, &["keys", "retire", "test"]).await;
        assert!(code == 1 && said.contains("0 sealed values, 1 audit row."), "{said}");
        assert!(said.contains("until they are pruned"), "{said}");
        let (code, said) = run(&engine, &file, &["audit", "verify"]).await;
        assert_eq!(code, 0, "two keys, one chain: {said}");
        let (code, said) = run(&engine, &file, &["keys", "retire", "nobody"]).await;
        assert!(code == 1 && said.contains("knows no key nobody"), "{said}");

        // As pruning will leave it.
        let mut tx = db.begin().await.expect("a transaction");
        tx.execute(Sql::new("DELETE FROM audit_log")).await.expect("pruned");
        tx.execute(Sql::new("UPDATE audit_head SET seq = 0, hash = NULL")).await.expect("pruned");
        tx.commit(Vec::new()).await.expect("committed");
        let (code, said) = run(&engine, &file, &["keys", "retire", "test"]).await;
        assert!(code == 0 && said.contains("test is retired"), "{said}");
        let text = fs::read_to_string(&file).expect("the file");
        assert_eq!(
            KeyRing::parse(&text).expect("a ring").ids().collect::<Vec<_>>(),
            [fresh.as_str()]
        );
        assert!(text.contains("# keep a copy"));
        let row = "SELECT action FROM audit_log ORDER BY seq DESC LIMIT 1";
        let row = db.fetch_one(Sql::new(row)).await.expect("a row");
        assert_eq!(row.text("action").expect("text"), "vault.key.retire");

        // The ring without it opens, and the key does not come back as the active one.
        let alone = open(&KeyRing::parse(&text).expect("a ring"), db).await;
        assert_eq!(behind(db, &alone).await, 0);
        let back = joined(&[&old(), &KeyRing::parse(&text).expect("a ring")]);
        let refused = Vault::open(back, db, &Rng::system()).await.expect_err("retired");
        assert!(refused.to_string().contains("was retired"), "{refused}");
        let (code, said) = run(&engine, &file, &["keys", "list"]).await;
        assert!(code == 0 && !said.contains("MISSING"), "{said}");
        let (code, said) = run(&engine, &file, &["audit", "verify"]).await;
        assert_eq!(code, 0, "{said}");
        // Killed before the line was gone, it can be done once more.
        fs::write(&file, format!("{text}{TEST_KEYS}\n")).expect("written");
        let (code, said) = run(&engine, &file, &["keys", "retire", "test"]).await;
        assert!(code == 0 && said.contains("no longer in"), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ring_that_is_no_file_is_not_changed_and_a_file_only_as_a_whole() {
    let engine = testing::engines().await.remove(0);
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("ring.key");
    let (code, said) = run(&engine, &file, &["keys", "rotate"]).await;
    assert!(code == 1 && said.contains("is not there"), "{said}");
    fs::write(&file, "no key at all\n").expect("written");
    fs::set_permissions(&file, Permissions::from_mode(0o600)).expect("set");
    let (code, said) = run(&engine, &file, &["keys", "rotate"]).await;
    assert!(code == 1 && said.contains("line"), "{said}");
    assert_eq!(fs::read_to_string(&file).expect("the file"), "no key at all\n");

    let mut command = Command::new(env!("CARGO_BIN_EXE_quarterdeck"));
    command.args(["keys", "rotate"]).env("DATABASE_URL", &engine.config.url);
    command.env_remove("QUARTERDECK_VAULT_KEY_FILE").env("QUARTERDECK_VAULT_KEYS", TEST_KEYS);
    let output = command.output().expect("it starts");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains("`quarterdeck keys new`"), "{said}");

    // A link is followed, and what is locked is left alone.
    fs::write(&file, format!("{TEST_KEYS}\n")).expect("written");
    let link = folder.path().join("link.key");
    std::os::unix::fs::symlink(&file, &link).expect("a link");
    vault::rotate(&link, &Rng::system()).expect("rotated");
    assert!(fs::symlink_metadata(&link).expect("the link").is_symlink());
    let ring = KeyRing::parse(&fs::read_to_string(&file).expect("the file")).expect("a ring");
    assert_eq!(ring.ids().count(), 2);
    let held = fs::File::open(&file).expect("the file");
    held.lock().expect("locked");
    let refused = vault::rotate(&file, &Rng::system()).expect_err("somebody else is at it");
    assert!(refused.to_string().contains("somebody else"), "{refused}");
}
