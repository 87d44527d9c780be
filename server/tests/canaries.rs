//! Secrets are planted wherever one can be entered today, then everything that leaves the console or stays behind is
//! searched for them: every answer of a crawl as admin, the whole log at its finest, the metrics, the database's file.

#![expect(
    clippy::disallowed_methods,
    reason = "a process is looked at from outside, where there is neither our clock nor our tasks"
)]

mod process_kit;

use std::path::Path;

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use http::Method;
use process_kit::{Serving, folder, send};
use server::routes;

/// Forty letters that stand nowhere else.
const PASSWORD: &str = "canary-password-7f3a91c2e8b04d56a1f0e9d8";
const WRONG: &str = "canary-mistyped-51d0c7b29e6f48a3b2c1d0e9";
const CHANGED: &str = "canary-new-password-93be07aa41c8d2f6e5b4";
const TYPED_AS_NAME: &str = "canary-typed-as-name-0a1b2c3d4e5f6a7b8c";
const KUBECONFIG: &str = "canary-kubeconfig-client-key-data-c4d5e6";
const PROMPT: &str = "canary-prompt-please-restart-the-thing-ab";
const MADE_UP_KEY: &str = "qd_canary-key-that-never-was-1234567890ab";
const CLUSTER_TOKEN: &str = "canary-cluster-token-3f9d8e7c6b5a4f3e2d1c0b";
const ROTATED_TOKEN: &str = "canary-rotated-cluster-token-aa11bb22cc33d";
const THOUGHT_ABOUT: &str = "canary-token-of-a-registration-4455667788aa";
const QUERY: &str = "canary-token-in-an-address-99887766554433";

struct Planted(Vec<(&'static str, String)>);

impl Planted {
    fn new() -> Self {
        let known = [
            ("password", PASSWORD),
            ("mistyped password", WRONG),
            ("new password", CHANGED),
            ("password typed as name", TYPED_AS_NAME),
            ("kubeconfig", KUBECONFIG),
            ("prompt", PROMPT),
            ("made-up key", MADE_UP_KEY),
            ("cluster token", CLUSTER_TOKEN),
            ("rotated cluster token", ROTATED_TOKEN),
            ("token of a registration", THOUGHT_ABOUT),
            ("token in an address", QUERY),
        ];
        Self(known.into_iter().map(|(what, secret)| (what, secret.to_owned())).collect())
    }

    fn add(&mut self, what: &'static str, secret: &str) {
        assert!(secret.len() >= 40, "{what} is too short to be searched for");
        self.0.push((what, secret.to_owned()));
    }

    /// As it is, and packed in base64 as headers and tokens often are.
    fn search(&self, place: &str, bytes: &[u8]) {
        assert!(!bytes.is_empty(), "{place} is empty: nothing was searched");
        for (what, secret) in &self.0 {
            // Of a secret packed with something before it, the middle is the same in one of three ways.
            let packed = (0..3).map(|n| {
                let text = STANDARD_NO_PAD.encode(format!("{}{secret}", &"___"[..n]));
                text.get(4..text.len() - 4).unwrap_or_default().to_owned()
            });
            for needle in packed.chain([secret.clone()]) {
                let found = bytes.windows(needle.len()).any(|part| part == needle.as_bytes());
                assert!(!found, "the {what} is in {place}");
            }
        }
    }
}

fn request(serving: &Serving, line: &str, headers: &str, body: &str) -> String {
    let head = format!(
        "{line} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Length: {}\r\n{headers}\r\n{body}",
        serving.console,
        body.len()
    );
    send(serving.console, &head)
}

const FORM: &str =
    "Content-Type: application/x-www-form-urlencoded\r\nSec-Fetch-Site: same-origin\r\n";
const JSON: &str = "Content-Type: application/json\r\n";

/// The session that an answer sets.
fn session(answer: &str) -> String {
    let cookie = answer.lines().find_map(|line| line.strip_prefix("set-cookie: qd_session="));
    let cookie = cookie.unwrap_or_else(|| panic!("no session in {answer}"));
    cookie.split(';').next().unwrap_or_default().to_owned()
}

/// The first admin comes by the link that is printed, and changes the password; somebody mistypes theirs.
fn plant_people(serving: &Serving, folder: &Path, planted: &mut Planted) {
    // Whoever is answered can know that it has been printed.
    process_kit::ask(serving.console, "GET /readyz");
    let printed = std::fs::read_to_string(folder.join("stdout")).expect("what was printed");
    let link = printed.split("link=").nth(1).expect("a link").trim().to_owned();
    planted.add("setup link", &link);
    request(serving, &format!("GET /welcome?link={link}"), "", "");
    let weak = format!("link={link}&name=ada&display_name=Ada&password=short");
    assert!(request(serving, "POST /welcome", FORM, &weak).starts_with("HTTP/1.1 422"));
    let form = format!("link={link}&name=ada&display_name=Ada&password={PASSWORD}");
    let first = session(&request(serving, "POST /welcome", FORM, &form));
    planted.add("session of the link", &first);
    let again = request(serving, "POST /welcome", FORM, &form);
    assert!(again.starts_with("HTTP/1.1 4"), "{again}");
    for (name, password) in [("ada", WRONG), (TYPED_AS_NAME, WRONG), ("nobody", PASSWORD)] {
        let body = format!(r#"{{"name":"{name}","password":"{password}"}}"#);
        let refused = request(serving, "POST /api/v1/session", JSON, &body);
        assert!(refused.starts_with("HTTP/1.1 401"), "{refused}");
        planted.search("a refused sign-in", refused.as_bytes());
    }
    let typed = format!("name=ada&password={WRONG}&to=/");
    planted.search("a refused form", request(serving, "POST /sign-in", FORM, &typed).as_bytes());
    let with_session = format!("{FORM}Cookie: qd_session={first}\r\n");
    let change = format!("password={PASSWORD}&new_password={CHANGED}");
    let changed = request(serving, "POST /account/password", &with_session, &change);
    assert!(changed.starts_with("HTTP/1.1 303"), "{changed}");
    let body = format!(r#"{{"name":"ada","password":"{CHANGED}"}}"#);
    planted.add("session", &session(&request(serving, "POST /api/v1/session", JSON, &body)));
}

/// Texts that do not belong where they were put: refused, and not repeated to anybody.
fn plant_texts(serving: &Serving, planted: &Planted) {
    let key = format!("X-API-Key: {}\r\n", serving.key);
    let with_key = format!("{JSON}{key}");
    for body in [
        format!(r#"{{"type":"system.self_check","input":{{"kubeconfig":"{KUBECONFIG}"}}}}"#),
        format!(r#"{{"type":"system.self_check","input":"{PROMPT}"}}"#),
        format!(r#"{{"type":"{PROMPT}"}}"#),
        format!(r#"{{"type":"system.self_check","target":"{PROMPT}"}}"#),
        format!(r#"{{"type":"system.self_check","priority":"{KUBECONFIG}"}}"#),
    ] {
        let refused = request(serving, "POST /api/v1/operations", &with_key, &body);
        assert!(refused.starts_with("HTTP/1.1 4"), "{refused}");
        planted.search("a refused operation", refused.as_bytes());
    }
    for headers in [
        format!("X-API-Key: {MADE_UP_KEY}\r\n"),
        format!("Authorization: Bearer {MADE_UP_KEY}\r\n"),
        format!("Cookie: qd_session={MADE_UP_KEY}\r\n"),
    ] {
        let refused = request(serving, "GET /api/v1/me", &headers, "");
        assert!(refused.starts_with("HTTP/1.1 401"), "{refused}");
        planted.search("a refused key", refused.as_bytes());
    }
    for path in ["/healthz", "/api/v1/me", "/no/such/page", "/welcome"] {
        request(serving, &format!("GET {path}?token={QUERY}"), &key, "");
    }
}

/// What opens clusters: stored, replaced, refused, and typed into a registration that nobody decides.
fn plant_clusters(serving: &Serving, planted: &Planted, session: &str) {
    let key = format!("{JSON}X-API-Key: {}\r\n", serving.key);
    let token = |token: &str| format!(r#"{{"auth_type":"SERVICE_ACCOUNT","token":"{token}"}}"#);
    let nowhere = "https://127.0.0.1:9";
    let new = format!(
        r#"{{"name":"canary","api_server_url":"{nowhere}","credentials":{}}}"#,
        token(CLUSTER_TOKEN)
    );
    let made = request(serving, "POST /api/v1/clusters", &key, &new);
    assert!(made.starts_with("HTTP/1.1 201"), "{made}");
    planted.search("a registered cluster", made.as_bytes());
    let id = made.split(r#""id":""#).nth(1).and_then(|rest| rest.split('"').next());
    let id = id.expect("an id").to_owned();
    let credentials = format!("/api/v1/clusters/{id}/credentials");
    let rotated = request(serving, &format!("PUT {credentials}"), &key, &token(ROTATED_TOKEN));
    assert!(rotated.starts_with("HTTP/1.1 200"), "{rotated}");
    let checked = request(serving, &format!("POST {credentials}/validate"), &key, "");
    assert!(checked.starts_with("HTTP/1.1 200"), "{checked}");
    for path in [credentials.clone(), format!("/api/v1/clusters/{id}"), format!("/clusters/{id}")] {
        let read = request(serving, &format!("GET {path}"), &key, "");
        assert!(read.starts_with("HTTP/1.1 200"), "{path}: {read}");
        planted.search(&path, read.as_bytes());
    }
    for odd in [
        format!(r#"{{"auth_type":"KUBECONFIG","kubeconfig":"{KUBECONFIG}"}}"#),
        format!(r#"{{"auth_type":"SERVICE_ACCOUNT","token":"{CLUSTER_TOKEN} {PROMPT}"}}"#),
        format!(r#"{{"auth_type":"{CLUSTER_TOKEN}"}}"#),
        format!(r#"{{"auth_type":"KUBECONFIG","token":"{CLUSTER_TOKEN}"}}"#),
    ] {
        let refused = request(serving, &format!("PUT {credentials}"), &key, &odd);
        assert!(refused.starts_with("HTTP/1.1 4"), "{refused}");
        planted.search("a refused credential", refused.as_bytes());
    }
    let with_session = format!("{FORM}Cookie: qd_session={session}\r\n");
    let facts = "cluster_type=SPOKE&environment=LAB";
    let form = format!(
        "do=check&by=token&name=thought&api_server_url={nowhere}&token={THOUGHT_ABOUT}&{facts}"
    );
    let looked = request(serving, "POST /clusters/new", &with_session, &form);
    assert!(looked.starts_with("HTTP/1.1 303"), "{looked}");
    let draft = looked.lines().find_map(|line| line.strip_prefix("location: "));
    let page = request(serving, &format!("GET {}", draft.expect("a draft")), &with_session, "");
    assert!(page.starts_with("HTTP/1.1 200"), "{page}");
    planted.search("a registration", page.as_bytes());
    let form = format!("do=check&by=token&name=X&api_server_url=h&token={THOUGHT_ABOUT}&{facts}");
    let refused = request(serving, "POST /clusters/new", &with_session, &form);
    assert!(refused.starts_with("HTTP/1.1 422"), "{refused}");
    planted.search("a refused registration", refused.as_bytes());
}

/// Every address that is read, as the admin: with the key, and with the session as a browser.
fn crawl(serving: &Serving, planted: &Planted, session: &str) {
    let with_key = format!("Authorization: Bearer {}\r\n", serving.key);
    let with_session = format!("Cookie: qd_session={session}\r\n");
    let mut read = 0;
    for row in routes::all().table().iter().filter(|row| row.method == Method::GET) {
        if row.path == app::paths::route::EVENTS_STREAM {
            // It would never end, and carries numbers and names of topics alone.
            continue;
        }
        let file = if row.path.starts_with("/api/schemas") { "Me.json" } else { "none" };
        let path = row.path.replace("{file}", file);
        let path = path.split('/').map(|part| if part.starts_with('{') { "1" } else { part });
        let path = path.collect::<Vec<_>>().join("/");
        for headers in [&with_key, &with_session] {
            let answer = request(serving, &format!("GET {path}"), headers, "");
            planted.search(&format!("the answer to GET {path}"), answer.as_bytes());
            read += usize::from(answer.starts_with("HTTP/1.1 200"));
        }
    }
    assert!(read > 20, "only {read} answers had anything to search");
}

fn search_files(folder: &Path, planted: &Planted) {
    let mut searched = 0;
    for entry in std::fs::read_dir(folder).expect("the folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        // The database with its journal and whatever lies beside it; not what was told to people on purpose.
        if name.starts_with("quarterdeck.db") {
            let bytes = std::fs::read(&path).expect("a file");
            if !bytes.is_empty() {
                planted.search(&name, &bytes);
                searched += bytes.len();
            }
        }
    }
    assert!(searched > 100_000, "a database is larger than {searched} bytes");
}

#[test]
fn no_secret_leaves_the_console_nor_stays_behind_in_it() {
    let folder = folder();
    let mut planted = Planted::new();
    let finest = ["--log-level", "trace"];
    let mut first = Serving::alone(&folder, &finest);
    plant_people(&first, folder.path(), &mut planted);
    first.terminate();
    assert!(first.wait().success());
    planted.search("the first log", first.rest_of_log().as_bytes());

    let mut second = Serving::start(&folder, &finest);
    planted.add("API key", &second.key);
    let access = std::fs::read(folder.path().join("access.json")).expect("the demo's file");
    let access: serde_json::Value = serde_json::from_slice(&access).expect("JSON");
    for user in access["users"].as_array().expect("people") {
        planted.add("demo password", user["password"].as_str().expect("a password"));
    }
    plant_texts(&second, &planted);
    let body = format!(r#"{{"name":"ada","password":"{CHANGED}"}}"#);
    let session = session(&request(&second, "POST /api/v1/session", JSON, &body));
    planted.add("session", &session);
    let wait_for_run = |id: &str| second.ask(&format!("GET /api/v1/operations/{id}"));
    let with_key = format!("{JSON}X-API-Key: {}\r\n", second.key);
    let run = r#"{"type":"system.self_check"}"#;
    let started = request(&second, "POST /api/v1/operations", &with_key, run);
    assert!(started.starts_with("HTTP/1.1 20"), "{started}");
    planted.search("a run", wait_for_run("1").as_bytes());
    plant_clusters(&second, &planted, &session);
    crawl(&second, &planted, &session);
    let metrics = process_kit::ask(second.metrics, "GET /metrics");
    planted.search("the metrics", metrics.as_bytes());
    let ready = process_kit::ask(second.metrics, "GET /readyz");
    planted.search("the readiness", ready.as_bytes());
    // As a thief of the running machine would find it, then as a backup has it.
    search_files(folder.path(), &planted);
    second.terminate();
    assert!(second.wait().success());
    let log = second.rest_of_log();
    assert!(log.contains("\"level\":\"TRACE\""), "the log was not at its finest");
    planted.search("the log", log.as_bytes());
    search_files(folder.path(), &planted);
}

#[test]
fn a_search_finds_what_is_there() {
    let planted = Planted::new();
    let plain = format!("x{PASSWORD}y");
    let packed = STANDARD_NO_PAD.encode(format!("ada:{PASSWORD}"));
    for text in [plain, packed] {
        let found = std::panic::catch_unwind(|| planted.search("here", text.as_bytes()));
        assert!(found.is_err(), "{text}");
    }
    planted.search("elsewhere", b"nothing to see");
}
