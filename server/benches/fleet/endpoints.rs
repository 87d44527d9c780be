//! Addresses for the benchmark, in a process of their own so that its processor time is not the console's: most answer
//! over TLS what an API server answers to the questions of a look, some take connections and say nothing, some let
//! nobody in.
//!
//! It is no Kubernetes: it knows four paths by heart. What is measured is the console's side.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::SocketAddr,
    process::{Child, ChildStdin, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{
    ServerConfig,
    pki_types::{PrivateKeyDer, pem::PemObject as _},
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufStream},
    net::{TcpListener, TcpSocket, TcpStream},
};
use tokio_rustls::TlsAcceptor;

/// The word by which this program is asked to be the endpoints.
pub const SERVE: &str = "serve-endpoints";

/// The running process, which ends when this is dropped.
pub struct Endpoints {
    child: Child,
    input: Option<ChildStdin>,
    pub authority: String,
    pub answering: Vec<String>,
    /// Half of them silent, half of them closed to everybody.
    pub black_holes: Vec<String>,
}

impl Drop for Endpoints {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ = self.child.wait();
    }
}

/// So many of each kind.
pub fn start(answering: usize, black_holes: usize) -> Endpoints {
    let program = std::env::current_exe().expect("this program");
    let mut child = Command::new(program)
        .args([SERVE, &answering.to_string(), &black_holes.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts once more");
    let mut line = String::new();
    let output = child.stdout.take().expect("piped");
    BufReader::new(output).read_line(&mut line).expect("a line");
    let told: Value = serde_json::from_str(&line).expect("JSON");
    let urls = |key: &str| -> Vec<String> {
        let all = told[key].as_array().expect("a list").iter();
        all.map(|at| format!("https://{}", at.as_str().expect("an address"))).collect()
    };
    Endpoints {
        input: child.stdin.take(),
        authority: told["authority"].as_str().expect("PEM").to_owned(),
        answering: urls("answering"),
        black_holes: urls("black_holes"),
        child,
    }
}

/// Serves until standard input ends.
pub async fn serve(answering: usize, black_holes: usize) {
    let (acceptor, authority) = tls();
    let mut told: (Vec<SocketAddr>, Vec<SocketAddr>) = Default::default();
    for _ in 0..answering {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        told.0.push(listener.local_addr().expect("bound"));
        tokio::spawn(answer(listener, acceptor.clone()));
    }
    let mut held = Vec::new();
    for at in 0..black_holes {
        if at % 2 == 0 {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
            told.1.push(listener.local_addr().expect("bound"));
            tokio::spawn(silence(listener));
        } else {
            let hole = closed().await;
            told.1.push(hole.0.local_addr().expect("bound"));
            held.push(hole);
        }
    }
    let told = json!({ "authority": authority, "answering": told.0, "black_holes": told.1 });
    let mut out = std::io::stdout();
    writeln!(out, "{told}").and_then(|()| out.flush()).expect("somebody listens");
    let ends = || std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
    let _ = tokio::task::spawn_blocking(ends).await;
    drop(held);
}

fn tls() -> (TlsAcceptor, String) {
    let key = || KeyPair::generate().expect("a key");
    let mut params = CertificateParams::new(Vec::<String>::new()).expect("no names");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, key()).expect("an authority");
    let (leaf_key, leaf) = (key(), CertificateParams::new(["127.0.0.1".to_owned()]));
    let leaf = leaf.expect("an address").signed_by(&leaf_key, &authority).expect("signed");
    let leaf_key = PrivateKeyDer::from_pem_slice(leaf_key.serialize_pem().as_bytes());
    let config =
        ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("ring has them")
            .with_no_client_auth()
            .with_single_cert(vec![leaf.der().clone()], leaf_key.expect("a key"));
    (TlsAcceptor::from(Arc::new(config.expect("a pair"))), authority.pem())
}

async fn silence(listener: TcpListener) {
    let mut taken = Vec::new();
    while let Ok((stream, _)) = listener.accept().await {
        taken.push(stream);
        // Whoever came a while ago has given up.
        if taken.len() > 64 {
            taken.drain(..32);
        }
    }
}

/// A port whose queue is full: what knocks is dropped.
async fn closed() -> (TcpListener, Vec<TcpStream>) {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind("127.0.0.1:0".parse().expect("an address")).expect("a port");
    let at = socket.local_addr().expect("bound");
    let listener = socket.listen(0).expect("it listens");
    let mut knocks = Vec::new();
    let knock = || tokio::time::timeout(Duration::from_millis(200), TcpStream::connect(at));
    while let Ok(opened) = knock().await {
        knocks.push(opened.expect("a connection"));
    }
    (listener, knocks)
}

async fn answer(listener: TcpListener, acceptor: TlsAcceptor) {
    while let Ok((stream, _)) = listener.accept().await {
        let acceptor = acceptor.clone();
        tokio::spawn(async move {
            if let Ok(tls) = acceptor.accept(stream).await {
                let _ = talk(BufStream::new(tls)).await;
            }
        });
    }
}

/// Requests one after another over one connection, until it ends.
async fn talk<S>(mut stream: BufStream<S>) -> std::io::Result<()>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    loop {
        let (mut path, mut length, mut line) = (String::new(), 0, String::new());
        loop {
            line.clear();
            if stream.read_line(&mut line).await? == 0 {
                return Ok(());
            }
            let header = line.trim_end().to_ascii_lowercase();
            if header.is_empty() {
                break;
            }
            if path.is_empty() {
                path = line.split(' ').nth(1).unwrap_or("/").to_owned();
            } else if let Some(value) = header.strip_prefix("content-length:") {
                length = value.trim().parse().unwrap_or(0);
            }
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await?;
        let (status, answer) = known(&path);
        let head = format!(
            "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            answer.len()
        );
        stream.write_all(head.as_bytes()).await?;
        stream.write_all(answer.as_bytes()).await?;
        stream.flush().await?;
    }
}

fn known(path: &str) -> (&'static str, &'static str) {
    let path = path.split('?').next().unwrap_or(path);
    match path.rsplit('/').next().unwrap_or(path) {
        "readyz" => ("200 OK", "ok"),
        "version" => (
            "200 OK",
            r#"{"major":"1","minor":"36","gitVersion":"v1.36.0","gitCommit":"","gitTreeState":"","buildDate":"","goVersion":"","compiler":"","platform":""}"#,
        ),
        "selfsubjectreviews" => (
            "201 Created",
            r#"{"apiVersion":"authentication.k8s.io/v1","kind":"SelfSubjectReview","metadata":{},"status":{"userInfo":{"username":"system:serviceaccount:quarterdeck:quarterdeck-viewer","groups":["system:authenticated"]}}}"#,
        ),
        "selfsubjectaccessreviews" => (
            "201 Created",
            r#"{"apiVersion":"authorization.k8s.io/v1","kind":"SelfSubjectAccessReview","metadata":{},"spec":{},"status":{"allowed":true}}"#,
        ),
        "nodes" => (
            "200 OK",
            r#"{"apiVersion":"meta.k8s.io/v1","kind":"Table","metadata":{},"columnDefinitions":[{"name":"Name","type":"string","format":"name","description":"","priority":0},{"name":"Status","type":"string","format":"","description":"","priority":0}],"rows":[{"cells":["node-0","Ready"]},{"cells":["node-1","Ready"]}]}"#,
        ),
        _ => (
            "404 Not Found",
            r#"{"apiVersion":"v1","kind":"Status","status":"Failure","code":404}"#,
        ),
    }
}
