//! The vault: which ring goes with which database, what opens where, and when a key is made.

#![expect(
    clippy::disallowed_methods,
    reason = "the program is started here, where there is neither our clock nor our tasks"
)]

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::LazyLock,
};

use proptest::{collection::vec, prelude::*, sample::Index};
use server::{
    clock::{Clock, Rng},
    config::Config,
    console::store_config,
    store::{Db, Sql, testing},
    vault::{self, KeyRing, Place, TEST_KEYS, Vault, VaultError},
};

const PLACE: Place<'static> = Place { table: "sessions", row: "17", column: "tokens" };

fn ring() -> KeyRing {
    KeyRing::generate(&Rng::system())
}

/// A ring of these, the first of them active.
fn joined(rings: &[&KeyRing]) -> KeyRing {
    let text: String = rings.iter().map(|ring| ring.text().as_str().to_owned()).collect();
    KeyRing::parse(&text).expect("keys of different names")
}

fn id(ring: &KeyRing) -> String {
    ring.ids().next().expect("an active key").to_owned()
}

/// The base64 of its active key.
fn bytes(ring: &KeyRing) -> String {
    ring.text().split_whitespace().nth(1).expect("two words").to_owned()
}

async fn open(ring: &KeyRing, db: &Db) -> Result<Vault, VaultError> {
    Vault::open(ring.clone(), db, &Rng::system()).await
}

async fn refusal(ring: &KeyRing, db: &Db) -> String {
    let error = open(ring, db).await.expect_err("another ring").to_string();
    assert!(!error.contains(&bytes(ring)), "{error}");
    error
}

async fn recorded(db: &Db) -> Vec<String> {
    vault::recorded(db).await.expect("the keys").into_iter().map(|key| key.id).collect()
}

#[tokio::test]
async fn a_store_knows_its_keys_and_takes_no_others() {
    for engine in testing::engines().await {
        let db = &engine.db;
        let (ours, theirs) = (ring(), ring());
        let vault = open(&ours, db).await.expect("a new database takes any ring");
        let sealed = vault.seal(PLACE, b"hunter2");
        let again = open(&ours, &engine.again().await).await.expect("the same ring, later");
        assert_eq!(again.open_sealed(PLACE, &sealed).expect("opens").as_slice(), b"hunter2");

        let missing = refusal(&theirs, db).await;
        assert!(missing.contains(&id(&ours)) && missing.contains("put its line back"), "{missing}");
        // The right name with other bytes.
        let line = format!("{} {}", id(&ours), bytes(&theirs));
        let wrong = refusal(&KeyRing::parse(&line).expect("a line"), db).await;
        assert!(wrong.contains(&id(&ours)) && wrong.contains("other bytes"), "{wrong}");
        assert_eq!(recorded(db).await, [id(&ours)], "what was refused left nothing behind");
    }
}

#[tokio::test]
async fn a_new_first_line_seals_and_the_old_one_still_opens() {
    for engine in testing::engines().await {
        let db = &engine.db;
        let (old, new) = (ring(), ring());
        let before = open(&old, db).await.expect("a new database");
        let sealed = before.seal(PLACE, b"hunter2");
        let rotated = open(&joined(&[&new, &old]), db).await.expect("a key was added");
        assert_eq!(rotated.open_sealed(PLACE, &sealed).expect("opens").as_slice(), b"hunter2");
        assert!(rotated.needs_reseal(&sealed) && !before.needs_reseal(&sealed));
        let fresh = rotated.seal(PLACE, b"hunter2");
        assert!(!rotated.needs_reseal(&fresh));
        let unknown = before.open_sealed(PLACE, &fresh).expect_err("the key came later");
        assert!(matches!(&unknown, VaultError::NotInRing { id: key } if *key == id(&new)));
        assert_eq!(rotated.chain().active().0, id(&new));
        let (was, is) = (before.chain(), rotated.chain());
        let mac = is.find(&id(&old)).map(|key| key.mac(b"row"));
        assert_eq!(mac, Some(was.active().1.mac(b"row")), "old rows can still be verified");
        assert_ne!(before.derive("cookies"), rotated.derive("cookies"));

        let mut both = recorded(db).await;
        both.sort();
        let mut wanted = [id(&old), id(&new)];
        wanted.sort();
        assert_eq!(both, wanted);
        let alone = refusal(&new, db).await;
        assert!(alone.contains(&id(&old)), "{alone}");
    }
}

#[tokio::test]
async fn replicas_that_start_at_once_agree_or_one_of_them_is_refused() {
    for engine in testing::engines().await {
        let (one, two) = (engine.again().await, engine.again().await);
        let ours = ring();
        let (first, second) = tokio::join!(open(&ours, &one), open(&ours, &two));
        let sealed = first.expect("opens").seal(PLACE, b"hunter2");
        second.expect("opens too").open_sealed(PLACE, &sealed).expect("the other's value");
    }
    for engine in testing::engines().await {
        let mut opened = 0;
        let (one, two) = (engine.again().await, engine.again().await);
        let rings = [ring(), ring()];
        let (first, second) = tokio::join!(open(&rings[0], &one), open(&rings[1], &two));
        for (ring, done) in rings.iter().zip([first, second]) {
            opened += usize::from(done.is_ok());
            assert_eq!(done.is_ok(), recorded(&engine.db).await == [id(ring)]);
        }
        assert_eq!(opened, 1, "two rings that do not go together");
    }
}

#[tokio::test]
async fn a_read_only_console_records_nothing_and_checks_all_the_same() {
    for engine in testing::engines().await {
        let config = server::store::StoreConfig { read_only: true, ..engine.config.clone() };
        let db = Db::open(&config, Clock::system()).await.expect("opens");
        let ours = ring();
        open(&ours, &db).await.expect("nothing is known that could be missing");
        assert!(recorded(&engine.db).await.is_empty());
        open(&ours, &engine.db).await.expect("a new database");
        open(&ours, &db).await.expect("the recorded one");
        open(&joined(&[&ring(), &ours]), &db).await.expect("one more, not recorded");
        assert_eq!(recorded(&engine.db).await, [id(&ours)]);
        refusal(&ring(), &db).await;
    }
}

#[test]
fn a_value_opens_at_its_place_only() {
    let vault = Vault::for_tests();
    let sealed = vault.seal(PLACE, b"hunter2");
    assert_ne!(sealed, vault.seal(PLACE, b"hunter2"), "no nonce is used twice");
    assert!(!sealed.windows(7).any(|window| window == b"hunter2"));
    for elsewhere in [
        Place { row: "18", ..PLACE },
        Place { row: "1", ..PLACE },
        Place { column: "token", ..PLACE },
        Place { table: "people", ..PLACE },
        Place { table: "sessions1", row: "7", ..PLACE },
    ] {
        let refused = vault.open_sealed(elsewhere, &sealed).expect_err("moved");
        assert!(matches!(refused, VaultError::Broken), "{refused:?}");
    }
    // The same bytes under another name: the name is bound too.
    let renamed = TEST_KEYS.replacen("test", "tset", 1);
    let mut forged = sealed.clone();
    forged[2..6].copy_from_slice(b"tset");
    let text = format!("{renamed}\n{TEST_KEYS}");
    let both = KeyRing::parse(&text).expect("two names");
    let open_both = |place, sealed: &[u8]| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(async {
            let engine =
                testing::Engine::fresh(server::store::Dialect::Sqlite, Clock::system()).await;
            open(&both, &engine.db).await.expect("opens").open_sealed(place, sealed).map(|_| ())
        })
    };
    open_both(PLACE, &sealed).expect("as it was sealed");
    assert!(matches!(open_both(PLACE, &forged), Err(VaultError::Broken)));
}

#[test]
fn nothing_of_a_key_is_shown() {
    let vault = Vault::for_tests();
    let shown = format!("{vault:?} {:?} {:?}", vault.chain(), vault.chain().active());
    let raw = "quarterdeck test ring, not secre";
    let listed = format!("{:?}", &raw.as_bytes()[..4]);
    let listed = listed.trim_matches(['[', ']']);
    assert!(shown.contains("test"), "{shown}");
    for secret in [raw, &TEST_KEYS[5..], listed] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

static VAULT: LazyLock<Vault> = LazyLock::new(Vault::for_tests);

proptest! {
    #[test]
    fn whatever_was_sealed_opens_and_nothing_else(
        plain in vec(any::<u8>(), 0..300),
        row in "\\PC{0,20}",
        at in any::<Index>(),
        bit in 0_u8..8,
        cut in any::<Index>(),
    ) {
        let place = Place { row: &row, ..PLACE };
        let sealed = VAULT.seal(place, &plain);
        let opened = VAULT.open_sealed(place, &sealed).expect("as it was sealed");
        prop_assert_eq!(opened.as_slice(), plain.as_slice());
        let mut flipped = sealed.clone();
        flipped[at.index(sealed.len())] ^= 1 << bit;
        prop_assert!(VAULT.open_sealed(place, &flipped).is_err());
        prop_assert!(VAULT.open_sealed(place, &sealed[..cut.index(sealed.len())]).is_err());
    }

    #[test]
    fn no_bytes_make_it_panic(sealed in vec(any::<u8>(), 0..100)) {
        prop_assert!(VAULT.open_sealed(PLACE, &sealed).is_err());
        VAULT.needs_reseal(&sealed);
    }

    #[test]
    fn no_text_makes_a_ring_panic(text in "\\PC{0,200}") {
        let _ = KeyRing::parse(&text);
    }
}

/// A SQLite database in a folder, and the configuration that names it.
struct Room {
    folder: tempfile::TempDir,
    config: Config,
}

impl Room {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder for the test");
        let database_url = format!("sqlite:{}", folder.path().join("q.db").display());
        Self { folder, config: Config { database_url, ..Config::defaults() } }
    }

    fn key(&self) -> PathBuf {
        self.folder.path().join("q.db.key")
    }

    async fn db(&self) -> Db {
        let db = Db::open(&store_config(&self.config), Clock::system()).await.expect("opens");
        if !self.config.read_only {
            db.migrate().await.expect("migrated");
        }
        db
    }

    async fn open(&self) -> Result<Vault, VaultError> {
        let db = self.db().await;
        let opened = vault::open_for(&self.config, &db, &Rng::system()).await;
        db.close().await;
        opened
    }

    async fn refusal(&self) -> String {
        self.open().await.expect_err("no vault").to_string()
    }

    fn files(&self) -> usize {
        let files = fs::read_dir(self.folder.path()).expect("the folder");
        files.filter(|file| file.as_ref().is_ok_and(|f| is_key(&f.path()))).count()
    }
}

fn is_key(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "key")
}

#[tokio::test]
async fn an_empty_sqlite_file_gets_a_key_that_is_its_owners_alone() {
    let room = Room::new();
    let sealed = room.open().await.expect("a key is made").seal(PLACE, b"hunter2");
    let mode = fs::metadata(room.key()).expect("the key file").permissions().mode();
    assert_eq!((mode & 0o777, room.files()), (0o600, 1), "and no half of it is left");
    let again = room.open().await.expect("the same key");
    again.open_sealed(PLACE, &sealed).expect("it opens after a restart");

    fs::set_permissions(room.key(), Permissions::from_mode(0o640)).expect("set");
    let open = room.refusal().await;
    assert!(open.contains(&format!("chmod 600 {}", room.key().display())), "{open}");
}

#[tokio::test]
async fn a_database_that_was_used_gets_no_second_key() {
    let room = Room::new();
    room.open().await.expect("a key is made");
    let kept = fs::read(room.key()).expect("the key file");
    fs::remove_file(room.key()).expect("lost");
    let lost = room.refusal().await;
    assert!(lost.contains("put the file back") && lost.contains("q.db.key"), "{lost}");
    assert_eq!(room.files(), 0);

    // A chained row alone is enough: there was a key once.
    let db = room.db().await;
    let mut tx = db.begin().await.expect("a transaction");
    tx.execute(Sql::new("DELETE FROM vault_keys")).await.expect("forgotten");
    let row = Sql::new(
        "INSERT INTO audit_log (seq, at, actor_kind, actor_id, actor_name, action, decision, request_id, \
         correlation_id, details, hash) VALUES (999, 0, 'user', 'u', 'u', 'a', 'allowed', 'r', 'r', '{}', ",
    );
    tx.execute(row.arg(vec![1_u8; 32]).push(")")).await.expect("a chained row");
    tx.commit(Vec::new()).await.expect("committed");
    db.close().await;
    assert!(room.refusal().await.contains("put the file back"));
    assert_eq!(room.files(), 0);

    fs::write(room.key(), kept).expect("found again");
    fs::set_permissions(room.key(), Permissions::from_mode(0o600)).expect("set");
    room.open().await.expect("all is well");
}

#[tokio::test]
async fn a_read_only_console_makes_no_key() {
    let mut room = Room::new();
    room.db().await.close().await;
    room.config.read_only = true;
    room.open().await.expect("nothing was sealed, nothing will be");
    assert_eq!(room.files(), 0);
    room.config.read_only = false;
    room.open().await.expect("a key is made");
    room.config.read_only = true;
    room.open().await.expect("the key is there");
    fs::remove_file(room.key()).expect("lost");
    assert!(room.refusal().await.contains("put the file back"));
}

#[tokio::test]
async fn a_key_that_is_configured_is_used_and_never_made() {
    let mut room = Room::new();
    let named = room.folder.path().join("mine");
    room.config.vault_key_file = Some(named.clone());
    let absent = room.refusal().await;
    assert!(absent.contains("mine") && absent.contains("quarterdeck keys new"), "{absent}");
    assert!(!named.exists() && !room.key().exists());
    let ours = ring();
    fs::write(&named, ours.text().as_bytes()).expect("written");
    fs::set_permissions(&named, Permissions::from_mode(0o644)).expect("set");
    assert!(room.refusal().await.contains("chmod 600"));
    fs::set_permissions(&named, Permissions::from_mode(0o400)).expect("set");
    let sealed = room.open().await.expect("opens").seal(PLACE, b"hunter2");
    fs::remove_file(&named).expect("removed");
    fs::create_dir(&named).expect("a folder in its place");
    assert!(room.refusal().await.contains("is not a file"));

    room.config.vault_key_file = None;
    room.config.vault_keys = Some(ours);
    room.open().await.expect("the same ring").open_sealed(PLACE, &sealed).expect("opens");
    assert!(!room.key().exists());
}

#[tokio::test]
async fn postgres_without_a_key_is_told_how_to_make_one() {
    for engine in testing::engines().await {
        if engine.dialect() != server::store::Dialect::Postgres {
            continue;
        }
        let database_url = engine.config.url.clone();
        let mut config = Config { database_url, ..Config::defaults() };
        let refused = vault::open_for(&config, &engine.db, &Rng::system()).await;
        let refused = refused.expect_err("no key").to_string();
        assert!(refused.contains("quarterdeck keys new"), "{refused}");
        config.vault_keys = Some(ring());
        vault::open_for(&config, &engine.db, &Rng::system()).await.expect("a key is given");
    }
}

fn program(folder: &Path, args: &[&str]) -> (Output, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_quarterdeck"));
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        if name.starts_with("QUARTERDECK_") || name == "DATABASE_URL" {
            command.env_remove(name);
        }
    }
    let output = command.current_dir(folder).args(args).output().expect("the program starts");
    let text = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes));
    let text = text.concat();
    (output, text)
}

#[tokio::test]
async fn keys_are_printed_when_new_and_listed_by_name() {
    let room = Room::new();
    let folder = room.folder.path();
    let (output, line) = program(folder, &["keys", "new"]);
    assert!(output.status.success());
    let fresh = KeyRing::parse(&line).expect("a line for the ring");
    assert_eq!(room.files(), 0);

    room.open().await.expect("a key is made");
    let old = fs::read_to_string(room.key()).expect("the key file");
    fs::write(room.key(), format!("{line}{old}")).expect("a new first line");
    let args = ["keys", "list", "--database-url", "sqlite:q.db"];
    let (output, listed) = program(folder, &args);
    let old = KeyRing::parse(&old).expect("a ring");
    assert!(output.status.success(), "{listed}");
    assert!(listed.contains(&format!("{}  active  not recorded yet", id(&fresh))), "{listed}");
    assert!(listed.contains(&format!("{}  older  recorded 2", id(&old))), "{listed}");
    assert!(!listed.contains(&bytes(&old)) && !listed.contains(&bytes(&fresh)), "{listed}");

    fs::write(room.key(), line).expect("the old line is lost");
    let (output, listed) = program(folder, &args);
    assert_eq!(output.status.code(), Some(1), "{listed}");
    assert!(listed.contains(&format!("{}  MISSING", id(&old))), "{listed}");
    let serve = ["--listen", "127.0.0.1:0", "--metrics-listen", "off"];
    let (output, refused) = program(folder, &[&args[2..], &serve[..]].concat());
    assert_eq!(output.status.code(), Some(1), "{refused}");
    assert!(refused.contains(&id(&old)) && refused.contains("put its line back"), "{refused}");
}
