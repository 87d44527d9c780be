//! What the whole program does when something that it stands on is gone: the lines of `deploy/DEPENDENCIES.md` that no
//! other test tries.

#![expect(
    clippy::disallowed_methods,
    reason = "processes are looked at from outside, where there is neither our clock nor our tasks"
)]

mod process_kit;
mod web_kit;

use std::{
    io::{Read as _, Write as _},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    process::{Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use app::time::Micros;
use process_kit::{PATIENCE, Serving, ask, folder, program, send};
use server::{
    clock::Clock,
    journal::AuditRow,
    store::{Dialect, testing},
    vault::TEST_KEYS,
};
use web_kit::{Kit, Who};

/// Carries connections to a server, until it is pulled; plugged in again it carries new ones.
struct Cable {
    address: SocketAddr,
    carries: Arc<AtomicBool>,
    open: Arc<Mutex<Vec<TcpStream>>>,
}

impl Cable {
    fn to(server: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("some port");
        let address = listener.local_addr().expect("bound");
        let carries = Arc::new(AtomicBool::new(true));
        let open = Arc::new(Mutex::new(Vec::new()));
        let (flag, all) = (Arc::clone(&carries), Arc::clone(&open));
        thread::spawn(move || {
            for near in listener.incoming().flatten() {
                // A pulled cable takes the connection and lets go of it.
                let far = flag.load(Ordering::SeqCst).then(|| TcpStream::connect(&server).ok());
                let Some(far) = far.flatten() else { continue };
                let twin = |stream: &TcpStream| stream.try_clone().expect("a second handle");
                all.lock().expect("nobody panics").extend([twin(&near), twin(&far)]);
                let (near_too, far_too) = (twin(&near), twin(&far));
                thread::spawn(move || pour(near, far));
                thread::spawn(move || pour(far_too, near_too));
            }
        });
        Self { address, carries, open }
    }

    fn pull(&self) {
        self.carries.store(false, Ordering::SeqCst);
        for stream in self.open.lock().expect("nobody panics").drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    fn plug(&self) {
        self.carries.store(true, Ordering::SeqCst);
    }
}

fn pour(mut from: TcpStream, mut to: TcpStream) {
    let mut bytes = [0; 16 * 1024];
    while let Ok(read @ 1..) = from.read(&mut bytes) {
        if to.write_all(&bytes[..read]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}

fn until(what: &str, mut look: impl FnMut() -> Result<(), String>) {
    let end = Instant::now() + PATIENCE;
    while let Err(last) = look() {
        assert!(Instant::now() < end, "still waiting until {what}: {last}");
        thread::sleep(Duration::from_millis(50));
    }
}

fn json(answer: &str) -> serde_json::Value {
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {answer}"))
}

fn post(serving: &Serving, path: &str, body: &str) -> serde_json::Value {
    let (console, key) = (serving.console, &serving.key);
    json(&send(
        console,
        &format!(
            "POST {path} HTTP/1.1\r\nHost: {console}\r\nConnection: close\r\nX-API-Key: {key}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ),
    ))
}

fn self_check(serving: &Serving) -> serde_json::Value {
    let started = post(serving, "/api/v1/operations", r#"{"type":"system.self_check"}"#);
    let mut run = serde_json::Value::Null;
    until("the run has ended", || {
        run = json(&serving.ask(&format!("GET /api/v1/operations/{}", started["id"])));
        if run["status"] == "completed" { Ok(()) } else { Err(run.to_string()) }
    });
    run
}

#[tokio::test(flavor = "multi_thread")]
async fn a_console_without_its_database_lives_says_so_and_comes_back() {
    for dialect in testing::dialects() {
        if dialect == Dialect::Sqlite {
            continue;
        }
        let engine = testing::Engine::fresh(dialect, Clock::system()).await;
        let url = engine.config.url.clone();
        let (before, after) = url.split_once('@').expect("a user");
        let (server, name) = after.split_once('/').expect("a database");
        let cable = Cable::to(server.to_owned());
        let through = format!("{before}@{}/{name}", cable.address);
        let folder = folder();
        let flags = ["--database-url", &through, "--vault-keys", TEST_KEYS];
        let serving = Serving::start(&folder, &flags);
        let ready = || ask(serving.console, "GET /readyz");
        until("it is ready", || if ready().ends_with("ready\n") { Ok(()) } else { Err(ready()) });

        cable.pull();
        until("it says so", || {
            let answer = ready();
            if answer.starts_with("HTTP/1.1 503") { Ok(()) } else { Err(answer) }
        });
        let alive = ask(serving.console, "GET /healthz");
        assert!(alive.starts_with("HTTP/1.1 200"), "a restart would not help: {alive}");
        let verbose = ask(serving.metrics, "GET /readyz?verbose");
        assert!(verbose.contains("[-] store failed"), "{verbose}");
        let began = Instant::now();
        let list = serving.ask("GET /api/v1/operations");
        assert!(list.starts_with("HTTP/1.1 503"), "{list}");
        assert!(!list.contains("postgres"), "how it is reached is nobody's business: {list}");
        assert!(began.elapsed() < Duration::from_secs(30), "it hangs");
        let page = serving.ask("GET /system/ops/runs HTTP/1.1\r\nAccept: text/html");
        assert!(page.starts_with("HTTP/1.1 503") && page.contains("<html"), "{page}");
        let metrics = ask(serving.metrics, "GET /metrics");
        assert!(metrics.starts_with("HTTP/1.1 200"), "{metrics}");

        cable.plug();
        until("it is back", || if ready().ends_with("\nready\n") { Ok(()) } else { Err(ready()) });
        assert_eq!(self_check(&serving)["attempt"], 1, "and works");
    }
}

/// What it says when it does not start.
fn refused(command: &mut Command) -> String {
    let output = command.output().expect("it starts");
    let said = String::from_utf8([output.stdout, output.stderr].concat()).expect("text");
    assert_eq!(output.status.code(), Some(1), "{said}");
    said
}

#[test]
fn a_start_without_its_database_ends_and_says_why() {
    let folder = folder();
    let taken = TcpListener::bind("127.0.0.1:0").expect("some port");
    let closed = taken.local_addr().expect("bound");
    drop(taken);
    for host in [closed.to_string(), "nowhere.invalid:5432".to_owned()] {
        for verb in ["serve", "work", "migrate", "backup"] {
            let url = format!("postgres://me:canary-password@{host}/quarterdeck");
            let mut command = program(&folder);
            command.arg(verb).args((verb == "backup").then_some("a.backup"));
            let any = ["--vault-keys", TEST_KEYS, "--metrics-listen", "127.0.0.1:0"];
            let listen = ["--listen", "127.0.0.1:0", "--database-url", &url];
            let said = refused(command.args(any).args(listen));
            assert!(said.contains("the database cannot be"), "{verb}: {said}");
            assert!(!said.contains("canary-password"), "{verb}: {said}");
        }
    }
    assert!(!folder.path().join("a.backup").exists());
}

#[test]
fn a_console_whose_key_is_gone_does_not_start_and_makes_no_other() {
    let folder = folder();
    drop(Serving::start(&folder, &[]));
    let key = folder.path().join("quarterdeck.db.key");
    let kept = std::fs::read(&key).expect("made at the first start");
    std::fs::remove_file(&key).expect("lost");
    let listen = ["--listen", "127.0.0.1:0", "--metrics-listen", "off"];
    let said = refused(program(&folder).args(listen));
    assert!(said.contains("put the file back"), "{said}");
    assert!(!key.exists(), "a second key would hide that the first is lost");
    let said = refused(program(&folder).args(["backup", "a.backup"]));
    assert!(said.contains("key ring"), "{said}");
    std::fs::write(&key, kept).expect("found again");
    let said = refused(program(&folder).args(listen));
    assert!(said.contains("chmod 600"), "it is its owner's alone, or of no use: {said}");
}

#[test]
fn upstreams_that_are_gone_fail_the_self_check_and_leave_the_console_ready() {
    let folder = folder();
    let taken = TcpListener::bind("127.0.0.1:0").expect("some port");
    let dead = format!("dead=http://{}/", taken.local_addr().expect("bound"));
    drop(taken);
    let flags = ["--upstreams", &dead, "--upstreams", "lost=http://nowhere.invalid/"];
    let serving = Serving::start(&folder, &flags);
    let run = self_check(&serving);
    assert_eq!(run["outcome"], "failed", "{run:#}");
    let steps = run["steps"].as_array().expect("steps");
    let step = steps.iter().find(|step| step["name"] == "upstreams").expect("its step");
    let told = step.to_string();
    assert!(told.contains("dead") && told.contains("lost"), "{told}");
    let ready = ask(serving.console, "GET /readyz");
    assert!(ready.ends_with("\nready\n"), "{ready}");
}

#[test]
fn clusters_that_are_down_are_told_apart_and_leave_the_console_ready() {
    let folder = folder();
    let serving = Serving::start(&folder, &[]);
    let taken = TcpListener::bind("127.0.0.1:0").expect("some port");
    let closed = taken.local_addr().expect("bound").to_string();
    drop(taken);
    let other = TcpListener::bind("127.0.0.1:0").expect("some port");
    let plain = other.local_addr().expect("bound").to_string();
    thread::spawn(move || {
        for mut stream in other.incoming().flatten() {
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
        }
    });
    let names = ["closed", "unknown", "plain"];
    let hosts = [closed, "nowhere.invalid".to_owned(), plain];
    let troubles = ["unreachable", "unknown_name", "not_tls"];
    for ((name, host), trouble) in names.iter().zip(hosts).zip(troubles) {
        let credentials =
            r#"{"auth_type":"SERVICE_ACCOUNT","token":"not-a-real-token-of-anybody"}"#;
        let body = format!(
            r#"{{"name":"{name}-cluster","api_server_url":"https://{host}","credentials":{credentials}}}"#
        );
        let made = post(&serving, "/api/v1/clusters", &body);
        assert_eq!(made["credential"]["validation"], trouble, "{made:#}");
    }
    let list = json(&serving.ask("GET /api/v1/clusters"));
    assert_eq!(list["total"], 3, "{list:#}");
    let ready = ask(serving.console, "GET /readyz");
    assert!(ready.ends_with("\nready\n"), "{ready}");
}

#[tokio::test]
async fn readiness_says_when_the_clocks_are_apart() {
    for dialect in testing::dialects() {
        if dialect == Dialect::Sqlite {
            // The file has no clock of its own.
            continue;
        }
        let (_, hand) = Clock::manual(Micros(1_700_000_000_000_000));
        let clock = hand.process(0);
        let kit = Kit::on(dialect, Who::Nobody, clock.clone(), |_| {}, |routes| routes).await;
        let found = async || {
            let findings = kit.console.readiness.ask().await;
            findings.into_iter().find(|finding| finding.name == "clock").expect("it is asked").found
        };
        found().await.expect("one clock");
        clock.set_askew(-6 * Micros::SECOND);
        let why = found().await.expect_err("leases would be judged wrongly");
        assert!(why.contains("6000 ms apart"), "{why}");
        clock.set_askew(2 * Micros::SECOND);
        found().await.expect("near enough");
    }
}

/// No file of this process may grow beyond half a kilobyte: what a full disk says, said by the kernel.
#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_finds_no_room_says_so_and_leaves_nothing() {
    for dialect in testing::dialects() {
        if dialect == Dialect::Sqlite {
            // Its own files would find no room either, and `a_full_sqlite_says_so…` tries that.
            continue;
        }
        let engine = testing::Engine::fresh(dialect, Clock::system()).await;
        let row = || AuditRow::allowed(&testing::admin(), "test.row");
        let rows = (0..50).map(|_| row()).collect();
        let tx = engine.db.begin().await.expect("begun");
        tx.commit(rows).await.expect("committed");
        let folder = folder();
        let script = "trap '' XFSZ; ulimit -f 1; exec \"$0\" backup a.backup --database-url \"$1\"";
        let output = Command::new("sh")
            .args(["-c", script, env!("CARGO_BIN_EXE_quarterdeck"), &engine.config.url])
            .env("QUARTERDECK_VAULT_KEYS", TEST_KEYS)
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .output()
            .expect("sh is there");
        let said = String::from_utf8([output.stdout, output.stderr].concat()).expect("text");
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("a.backup") && said.contains("File too large"), "{said}");
        let left = std::fs::read_dir(folder.path()).expect("the folder").count();
        assert_eq!(left, 0, "not even a part of it");
    }
}
