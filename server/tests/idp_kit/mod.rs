//! A real identity provider for tests (`end2end/idp`), and a browser that goes where it is sent.
//!
//! One provider process serves a whole test program, each test in a realm of its own. It ends when its standard
//! input does, that is, with the test program.

#![expect(dead_code, reason = "each test program uses its own part")]

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
};

use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use serde_json::{Value, json};
use url::Url;

pub struct Idp {
    http: String,
    /// The PEM of the authority of the realms with https.
    pub authority: PathBuf,
    _files: tempfile::TempDir,
    _child: Child,
}

static IDP: OnceLock<Idp> = OnceLock::new();

impl Idp {
    pub fn get() -> &'static Self {
        IDP.get_or_init(Self::start)
    }

    fn start() -> Self {
        // Beside the crate of whichever test uses it.
        let folders = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
        let mut folders = folders.map(|folder| folder.join("end2end/idp"));
        let folder = folders.find(|folder| folder.is_dir()).expect("the provider's program");
        let advice = "`cargo xtask test identity` runs these tests with all that they need";
        let here = folder.join("node_modules");
        assert!(
            here.is_dir() || std::env::var_os("IDP_PACKAGES").is_some(),
            "the identity provider is not installed: {advice}; or run `npm ci` in end2end/idp"
        );
        let files = tempfile::tempdir().expect("a folder for certificates");
        let authority = certificates(files.path());
        let mut child = Command::new("node")
            .arg(folder.join("idp.mjs"))
            .arg("--tls-cert")
            .arg(files.path().join("leaf.pem"))
            .arg("--tls-key")
            .arg(files.path().join("leaf.key"))
            .env("NO_COLOR", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap_or_else(|error| panic!("node cannot be started ({error}): {advice}"));
        let mut line = String::new();
        let output = child.stdout.take().expect("piped");
        BufReader::new(output).read_line(&mut line).expect("a line");
        let bases: Value = serde_json::from_str(&line)
            .unwrap_or_else(|_| panic!("the identity provider did not start: {advice}"));
        let http = bases["http"].as_str().expect("a base").to_owned();
        Self { http, authority, _files: files, _child: child }
    }
}

/// An authority and a certificate of 127.0.0.1 by it.
fn certificates(folder: &Path) -> PathBuf {
    let key = || KeyPair::generate().expect("a key");
    let mut authority = CertificateParams::new(Vec::<String>::new()).expect("no names");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, key()).expect("an authority");
    let (leaf_key, leaf) = (key(), CertificateParams::new(["127.0.0.1".to_owned()]));
    let leaf = leaf.expect("an address").signed_by(&leaf_key, &authority).expect("signed");
    let write = |name: &str, text: String| {
        let path = folder.join(name);
        let mut file = std::fs::File::create(&path).expect("a file");
        file.write_all(text.as_bytes()).expect("room");
        path
    };
    write("leaf.pem", leaf.pem());
    write("leaf.key", leaf_key.serialize_pem());
    write("ca.pem", authority.pem())
}

/// One provider, with people and faults of its own.
pub struct Realm {
    pub name: String,
    pub issuer: String,
    control: Url,
}

impl Realm {
    /// `wishes` as `end2end/idp/idp.mjs` describes them.
    pub async fn new(redirect: &str, mut wishes: Value) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("t{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let control = format!("{}/control/realms/{name}", Idp::get().http);
        let control = Url::parse(&control).expect("a URL");
        let client = wishes["client"].as_object().cloned().unwrap_or_default();
        let mut client = Value::Object(client);
        if client["redirect_uris"].is_null() {
            client["redirect_uris"] = json!([redirect]);
        }
        wishes["client"] = client;
        let made = ask(Method::POST, &control, &[], wishes.to_string()).await;
        assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
        let issuer = made.json()["issuer"].as_str().expect("an issuer").to_owned();
        Self { name, issuer, control }
    }

    /// Replaces the faults.
    pub async fn faults(&self, faults: Value) {
        self.change(json!({ "faults": faults })).await;
    }

    pub async fn change(&self, wishes: Value) {
        let done = ask(Method::PATCH, &self.control, &[], wishes.to_string()).await;
        assert_eq!(done.status, StatusCode::OK, "{}", done.text);
    }

    pub async fn rotate_keys(&self, keep: bool) {
        let url = self.control_at("rotate");
        ask(Method::POST, &url, &[], json!({ "keep": keep }).to_string()).await;
    }

    pub async fn logout_token(&self, wishes: Value) -> String {
        let url = self.control_at("logout-token");
        let made = ask(Method::POST, &url, &[], wishes.to_string()).await;
        made.json()["token"].as_str().expect("a token").to_owned()
    }

    /// A refresh token of somebody who signed in, without the browser.
    pub async fn refresh_token(&self, person: &str) -> String {
        let url = self.control_at("refresh-token");
        let made = ask(Method::POST, &url, &[], json!({ "person": person }).to_string()).await;
        made.json()["token"].as_str().expect("a token").to_owned()
    }

    /// How often an address was asked.
    pub async fn calls(&self, leg: &str) -> u64 {
        let seen = ask(Method::GET, &self.control, &[], String::new()).await;
        seen.json()["calls"][leg].as_u64().unwrap_or(0)
    }

    /// What clients asked for with their own credentials: scope and audience.
    pub async fn asked(&self) -> Value {
        let seen = ask(Method::GET, &self.control, &[], String::new()).await;
        seen.json()["asked"].clone()
    }

    /// Every token that it gave.
    pub async fn tokens(&self) -> Vec<String> {
        let seen = ask(Method::GET, &self.control, &[], String::new()).await;
        let tokens = seen.json()["tokens"].as_array().cloned().unwrap_or_default();
        tokens.iter().filter_map(|token| token.as_str().map(str::to_owned)).collect()
    }

    fn control_at(&self, verb: &str) -> Url {
        Url::parse(&format!("{}/{verb}", self.control)).expect("a URL")
    }
}

/// What came back over the socket.
#[derive(Debug)]
pub struct Got {
    pub status: StatusCode,
    pub headers: http::HeaderMap,
    pub text: String,
}

impl Got {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error} in {}", self.text))
    }
}

/// One request over a connection of its own; follows nothing.
pub async fn ask(method: Method, url: &Url, headers: &[(&str, &str)], body: String) -> Got {
    let address = (url.host_str().expect("a host"), url.port_or_known_default().expect("a port"));
    let stream = tokio::net::TcpStream::connect(address).await.expect("the provider listens");
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.expect("http");
    let target = &url[url::Position::BeforePath..url::Position::AfterQuery];
    let host = format!("{}:{}", address.0, address.1);
    let mut request = Request::builder().method(method).uri(target).header(header::HOST, host);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::new(Bytes::from(body))).expect("a request");
    let exchange = async move {
        let response = sender.send_request(request).await.expect("an answer");
        let (parts, body) = response.into_parts();
        (parts, body.collect().await.expect("the body ends").to_bytes())
    };
    let ((parts, bytes), _) = tokio::join!(exchange, connection);
    let text = String::from_utf8_lossy(&bytes).into_owned();
    Got { status: parts.status, headers: parts.headers, text }
}

/// Keeps cookies per origin, as a browser does, and goes on until it is sent to somebody else.
#[derive(Default)]
pub struct Browser {
    cookies: BTreeMap<String, BTreeMap<String, String>>,
}

impl Browser {
    /// From the provider's sign-in page back to the console: gives the address that it is sent to.
    pub async fn sign_in(&mut self, start: &Url, person: &str) -> Url {
        let mut url = start.clone();
        url.query_pairs_mut().append_pair("login_hint", person);
        self.follow(url, &start.origin()).await
    }

    pub async fn follow(&mut self, mut url: Url, within: &url::Origin) -> Url {
        for _ in 0..10 {
            if url.origin() != *within {
                return url;
            }
            let got = self.ask(Method::GET, &url, String::new()).await;
            let to = got.headers.get(header::LOCATION);
            let to = to.unwrap_or_else(|| panic!("{} at {url}: {}", got.status, got.text));
            url = url.join(to.to_str().expect("ASCII")).expect("a URL");
        }
        panic!("the provider sends round and round, last to {url}");
    }

    pub async fn ask(&mut self, method: Method, url: &Url, body: String) -> Got {
        let jar = self.cookies.entry(url.origin().ascii_serialization()).or_default();
        let line: Vec<_> = jar.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let line = line.join("; ");
        let form = ("content-type", "application/x-www-form-urlencoded");
        let got = ask(method, url, &[("cookie", line.as_str()), form], body).await;
        for set in got.headers.get_all(header::SET_COOKIE) {
            let set = set.to_str().expect("ASCII").split(';').next().unwrap_or_default();
            if let Some((name, value)) = set.split_once('=') {
                jar.insert(name.to_owned(), value.to_owned());
            }
        }
        got
    }
}

/// What stands behind a name in an address.
pub fn query(url: &Url, name: &str) -> Option<String> {
    url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}
