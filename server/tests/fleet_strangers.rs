//! What stands at an address and is no cluster that opens: each is called by its own name with its own way out, over JSON
//! and on the page, and none is waited for without end.

#![expect(clippy::disallowed_methods, reason = "the strangers are servers beside the test")]

mod web_kit;

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use app::{fleet::trouble::Trouble, time::Micros};
use axum::{body::Body, extract::Request};
use futures::future::join_all;
use http::StatusCode;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use rustls::{
    ServerConfig,
    pki_types::{PrivateKeyDer, pem::PemObject as _},
};
use serde_json::{Value, json};
use server::{
    clock::Clock,
    store::{Dialect, testing},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpSocket, TcpStream},
    sync::Notify,
};
use tokio_rustls::TlsAcceptor;
use web_kit::{Kit, Who};

/// More than the connection's own limit, and less than anybody's patience.
const BOUND: Duration = Duration::from_secs(15);

struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::<String>::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        Self(CertifiedIssuer::self_signed(params, key).expect("an authority"))
    }

    fn server(&self, name: &str, is_over: bool) -> TlsAcceptor {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new([name.to_owned()]).expect("a name");
        if is_over {
            params.not_before = date_time_ymd(2020, 1, 1);
            params.not_after = date_time_ymd(2021, 1, 1);
        }
        let leaf = params.signed_by(&key, &self.0).expect("signed");
        let key = PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).expect("a key");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("ring has them")
            .with_no_client_auth()
            .with_single_cert(vec![leaf.der().clone()], key);
        TlsAcceptor::from(Arc::new(config.expect("a pair")))
    }
}

/// How somebody answers whatever is asked.
#[derive(Clone)]
enum Manner {
    /// Takes the connection and says nothing.
    Silent,
    /// Without TLS.
    Plain(&'static str),
    Tls(TlsAcceptor, &'static str),
    /// Hears the question, and tells the test.
    Mute(TlsAcceptor, Arc<Notify>),
}

async fn stands(manner: Manner) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let at = listener.local_addr().expect("bound");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(meet(stream, manner.clone()));
        }
    });
    at
}

async fn meet(mut stream: TcpStream, manner: Manner) {
    match manner {
        Manner::Silent => drop(tokio::io::copy(&mut stream, &mut tokio::io::sink()).await),
        Manner::Plain(answer) => {
            let _ = stream.read_u8().await;
            let _ = stream.write_all(answer.as_bytes()).await;
            let _ = stream.shutdown().await;
        }
        Manner::Tls(acceptor, answer) => {
            let Ok(mut tls) = acceptor.accept(stream).await else { return };
            let mut asked = Vec::new();
            while !asked.ends_with(b"\r\n\r\n") {
                match tls.read_u8().await {
                    Ok(byte) => asked.push(byte),
                    Err(_) => return,
                }
            }
            let _ = tls.write_all(answer.as_bytes()).await;
            let _ = tls.shutdown().await;
        }
        Manner::Mute(acceptor, heard) => {
            let Ok(mut tls) = acceptor.accept(stream).await else { return };
            let _ = tls.read_u8().await;
            heard.notify_one();
            drop(tokio::io::copy(&mut tls, &mut tokio::io::sink()).await);
        }
    }
}

/// A port whose queue is full: what knocks is dropped, as a firewall does it.
async fn black_hole() -> (SocketAddr, Vec<TcpStream>, TcpListener) {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind("127.0.0.1:0".parse().expect("an address")).expect("a port");
    let at = socket.local_addr().expect("bound");
    let listener = socket.listen(0).expect("it listens");
    let mut knocks = Vec::new();
    let knock = || tokio::time::timeout(Duration::from_millis(300), TcpStream::connect(at));
    while let Ok(opened) = knock().await {
        knocks.push(opened.expect("a connection"));
        assert!(knocks.len() < 16, "the queue does not fill");
    }
    (at, knocks, listener)
}

const HTML: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 29\r\nconnection: close\r\n\r\n<html><h1>It works!</h1>\n</ht";
const OTHER_JSON: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 16\r\nconnection: close\r\n\r\n{\"version\":\"12\"}";
const REDIRECT: &str = "HTTP/1.1 302 Found\r\nlocation: https://127.0.0.1:1/login\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
const NOBODY: &str = "HTTP/1.1 401 Unauthorized\r\ncontent-type: application/json\r\ncontent-length: 61\r\nconnection: close\r\n\r\n{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"code\":401,\"metadata\":{ }}";
const NOT_YOU: &str = "HTTP/1.1 403 Forbidden\r\ncontent-type: application/json\r\ncontent-length: 61\r\nconnection: close\r\n\r\n{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"code\":403,\"metadata\":{ }}";
const GATE: &str = "HTTP/1.1 403 Forbidden\r\ncontent-type: text/html\r\ncontent-length: 6\r\nconnection: close\r\n\r\n<html>";
const BROKEN: &str = "HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
const NOT_HTTP: &str = "SSH-2.0-OpenSSH_9.9\r\n";
const PLAIN: &str = "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

/// Somebody at an address, what the console calls it, and the check that says so.
struct Stranger {
    name: &'static str,
    at: SocketAddr,
    trouble: Trouble,
    check: &'static str,
}

async fn strangers(authority: &Authority) -> Vec<Stranger> {
    let good = authority.server("127.0.0.1", false);
    let tls = |answer| Manner::Tls(good.clone(), answer);
    let unknown = Authority::new().server("127.0.0.1", false);
    let other = authority.server("api.example.com", false);
    let over = authority.server("127.0.0.1", true);
    let all: Vec<(&str, Manner, Trouble, &str)> = vec![
        ("silent", Manner::Silent, Trouble::Silent, "reached"),
        ("plain", Manner::Plain(PLAIN), Trouble::NotTls, "reached"),
        ("ssh", Manner::Plain(NOT_HTTP), Trouble::NotTls, "reached"),
        ("html", tls(HTML), Trouble::NotKubernetes, "reached"),
        ("json", tls(OTHER_JSON), Trouble::NotKubernetes, "reached"),
        ("redirect", tls(REDIRECT), Trouble::Redirected, "reached"),
        ("gate", tls(GATE), Trouble::NotKubernetes, "reached"),
        ("broken", tls(BROKEN), Trouble::ServerError, "reached"),
        ("smtp", tls(NOT_HTTP), Trouble::NotKubernetes, "reached"),
        ("name", Manner::Tls(other, HTML), Trouble::TlsName, "certificate"),
        ("unknown", Manner::Tls(unknown, HTML), Trouble::TlsAuthority, "certificate"),
        ("over", Manner::Tls(over, HTML), Trouble::TlsExpired, "certificate"),
        ("nobody", tls(NOBODY), Trouble::Unauthorized, "identity"),
        ("not-you", tls(NOT_YOU), Trouble::Forbidden, "identity"),
    ];
    let mut stand = Vec::new();
    for (name, manner, trouble, check) in all {
        stand.push(Stranger { name, at: stands(manner).await, trouble, check });
    }
    stand
}

fn opens(authority: &Authority) -> Value {
    json!({ "auth_type": "SERVICE_ACCOUNT", "token": "a-token", "certificate_authority": authority.0.pem() })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_stranger_has_its_own_word_and_a_way_out() {
    let kit = Kit::new(Who::Admin).await;
    let authority = Authority::new();
    let mut all = strangers(&authority).await;
    let (at, _knocks, _listener) = black_hole().await;
    all.push(Stranger { name: "black-hole", at, trouble: Trouble::NoWay, check: "reached" });
    let refusing = {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind("127.0.0.1:0".parse().expect("an address")).expect("a port");
        socket
    };
    let at = refusing.local_addr().expect("bound");
    all.push(Stranger { name: "refusing", at, trouble: Trouble::Unreachable, check: "reached" });
    let (kit, authority) = (&kit, &authority);
    // Together, so that those which are waited for are waited for once.
    join_all(all.iter().map(|stranger| async move {
        over_json(kit, authority, stranger).await;
        on_the_page(kit, authority, stranger).await;
    }))
    .await;
}

async fn over_json(kit: &Kit, authority: &Authority, stranger: &Stranger) {
    let Stranger { name, at, trouble, check } = stranger;
    let new = json!({ "name": format!("at-{name}"), "api_server_url": format!("https://{at}"), "credentials": opens(authority) });
    let since = Instant::now();
    let made = kit.post_json("/api/v1/clusters", new.to_string()).await;
    assert!(since.elapsed() < BOUND, "{name} took {:?}", since.elapsed());
    if trouble.is_refusal() {
        assert_eq!(made.status, StatusCode::BAD_REQUEST, "{name}: {}", made.text());
        assert!(made.text().contains(trouble.says()), "{name}: {}", made.text());
        return;
    }
    assert_eq!(made.status, StatusCode::CREATED, "{name}: {}", made.text());
    let made = made.json();
    assert_eq!(made["credential"]["validation"], trouble.as_str(), "{name}");
    let path =
        format!("/api/v1/clusters/{}/credentials/validate", made["id"].as_str().expect("an id"));
    let looked = kit.post_json(&path, "{}").await.json();
    assert_eq!(looked["status"], trouble.as_str(), "{name}: {looked}");
    assert_eq!(looked["message"], format!("{} {}", trouble.says(), trouble.way_out()), "{name}");
    let checks = looked["checks"].as_array().expect("checks");
    let bad: Vec<_> = checks.iter().filter(|check| check["verdict"] == "bad").collect();
    assert_eq!(bad.len(), 1, "{name}: {looked}");
    assert_eq!(
        (&bad[0]["key"], &bad[0]["says"]),
        (&json!(check), &json!(trouble.says())),
        "{name}"
    );
    assert_eq!(bad[0]["way_out"], trouble.way_out(), "{name}");
}

async fn on_the_page(kit: &Kit, authority: &Authority, stranger: &Stranger) {
    let Stranger { name, at, trouble, .. } = stranger;
    let (name, url, pem) = (format!("of-{name}"), format!("https://{at}"), authority.0.pem());
    let form = [
        ("do", "check"),
        ("by", "token"),
        ("name", &name),
        ("api_server_url", &url),
        ("token", "a-token"),
        ("certificate_authority", &pem),
        ("cluster_type", "SPOKE"),
        ("environment", "LAB"),
    ];
    let body = serde_html_form::to_string(form).expect("a form");
    let request = Request::post("/clusters/new")
        .header("content-type", "application/x-www-form-urlencoded")
        .header("sec-fetch-site", "same-origin");
    let looked = kit.send(request, body).await;
    assert_eq!(looked.status, StatusCode::SEE_OTHER, "{name}: {}", looked.text());
    let page = kit.get(looked.header("location")).await;
    let text = plain(page.text());
    for said in [trouble.says(), trouble.way_out()] {
        assert!(text.contains(said), "{name}: {said} in {text}");
    }
    assert!(!text.contains("a-token"), "{name}");
}

/// Without what markup makes of quotes, and with what is set as code between backticks again.
fn plain(html: &str) -> String {
    let mut text = html.replace("<!>", "").replace("<code>", "`").replace("</code>", "`");
    for (written, meant) in [
        ("&quot;", "\""),
        ("&#x27;", "'"),
        ("&#39;", "'"),
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&amp;", "&"),
    ] {
        text = text.replace(written, meant);
    }
    text
}

#[tokio::test]
async fn one_that_hears_the_question_and_never_answers_is_not_waited_for() {
    let (clock, hand) = Clock::manual(Micros(1_790_000_000_000_000));
    let kit = Kit::on(Dialect::Sqlite, Who::Admin, clock, |_| {}, |routes| routes).await;
    let (authority, heard) = (Authority::new(), Arc::new(Notify::new()));
    let good = authority.server("127.0.0.1", false);
    let at = stands(Manner::Mute(good, Arc::clone(&heard))).await;
    let new = json!({ "name": "mute", "api_server_url": format!("https://{at}"), "credentials": opens(&authority) });
    let (made, ()) = tokio::join!(kit.post_json("/api/v1/clusters", new.to_string()), async {
        heard.notified().await;
        hand.advance(Duration::from_secs(26));
    });
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text());
    assert_eq!(made.json()["credential"]["validation"], Trouble::Timeout.as_str());
}

#[tokio::test]
async fn a_look_says_by_which_way_each_upstream_is_reached() {
    for dialect in testing::dialects() {
        let kit = Kit::on(dialect, Who::Admin, Clock::system(), |_| {}, |routes| routes).await;
        let inside = "http://prometheus.monitoring.svc:9090";
        let new = json!({
            "name": "ways", "api_server_url": "https://127.0.0.1:9",
            "endpoints": { "prometheus_url": inside, "loki_url": "https://loki.example.com" },
            "credentials": { "auth_type": "SERVICE_ACCOUNT", "token": "a-token",
                "prometheus_token": "dropped-token", "loki_token": "sent-token" },
        });
        let made = kit.post_json("/api/v1/clusters", new.to_string()).await;
        assert_eq!(made.status, StatusCode::CREATED, "{}", made.text());
        let id = made.json()["id"].as_str().expect("an id").to_owned();
        let path = format!("/api/v1/clusters/{id}/credentials/validate");
        let looked = kit.post_json(&path, "{}").await;
        let json = looked.json();
        let (prometheus, loki) = (&json["upstreams"][0], &json["upstreams"][1]);
        assert_eq!(json["upstreams"].as_array().map(Vec::len), Some(2), "{json}");
        assert_eq!(
            (&prometheus["upstream"], &prometheus["url"]),
            (&json!("prometheus"), &json!(inside))
        );
        assert_eq!(prometheus["reached_by"], "service_proxy");
        assert_eq!(
            (&prometheus["has_token"], &prometheus["token_arrives"]),
            (&json!(true), &json!(false))
        );
        assert!(
            prometheus["says"]
                .as_str()
                .is_some_and(|says| says.contains("drops the Authorization header"))
        );
        assert_eq!(
            (&loki["reached_by"], &loki["token_arrives"]),
            (&json!("own_address"), &json!(true))
        );
        let check = json["checks"].as_array().expect("checks").iter();
        let check = check.clone().find(|check| check["key"] == "prometheus").expect("a check");
        assert_eq!(check["verdict"], "warn");
        assert!(!looked.text().contains("-token\""), "no token comes out: {}", looked.text());
        let page = kit.get(&format!("/clusters/{id}")).await;
        let text = plain(page.text());
        assert!(text.contains("drops the Authorization header"), "{text}");
        assert!(
            text.contains("not known") && text.contains("Nobody has looked at it yet"),
            "{text}"
        );
    }
}

#[tokio::test]
async fn the_form_takes_upstreams_and_says_what_becomes_of_their_tokens() {
    let kit = Kit::new(Who::Admin).await;
    let form = [
        ("do", "check"),
        ("by", "token"),
        ("name", "ways"),
        ("api_server_url", "https://127.0.0.1:9"),
        ("token", "a-token"),
        ("prometheus_url", "http://prometheus.monitoring.svc:9090"),
        ("prometheus_token", "dropped-token"),
        ("tempo_url", "https://tempo.example.com"),
        ("loki_url", ""),
        ("cluster_type", "SPOKE"),
        ("environment", "LAB"),
    ];
    let body = serde_html_form::to_string(form).expect("a form");
    let request = Request::post("/clusters/new")
        .header("content-type", "application/x-www-form-urlencoded")
        .header("sec-fetch-site", "same-origin");
    let looked = kit.send(request, Body::from(body)).await;
    assert_eq!(looked.status, StatusCode::SEE_OTHER, "{}", looked.text());
    let text = plain(kit.get(looked.header("location")).await.text());
    for said in [
        "Prometheus is reached through the API server's service proxy, as service monitoring/prometheus",
        "drops the Authorization header",
        "Tempo is reached by its own address, without a token.",
    ] {
        assert!(text.contains(said), "{said}: {text}");
    }
    assert!(!text.contains("dropped-token") && !text.contains("Loki is reached"), "{text}");
}
