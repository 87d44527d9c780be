//! The guarded way out against real servers on loopback: where it goes, what it sends, and what it puts up with.
#![expect(
    clippy::disallowed_methods,
    reason = "servers run beside the client here, and one test runs itself again as a process"
)]

use std::{
    collections::VecDeque,
    io,
    net::IpAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use app::time::Micros;
use async_trait::async_trait;
use http::{Request, Response, StatusCode, Uri};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use server::{
    clock::{Clock, ManualClock},
    egress::{
        self, Cause, Client, Egress, EgressConfig, EgressError, Limits, Phase, Refusal, Resolve,
        Scope,
    },
};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::TcpListener,
    sync::Notify,
};
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt as _;

trait Io: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Io for T {}
type Peer = Box<dyn Io>;

/// Reads the head of each request, then does as its script says.
struct Server {
    port: u16,
    taken: Arc<AtomicUsize>,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Server {
    async fn with<F, D>(tls: Option<TlsAcceptor>, script: F) -> Self
    where
        F: Fn(Peer) -> D + Send + Sync + 'static,
        D: Future<Output = ()> + Send,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        let (taken, heads) = (Arc::<AtomicUsize>::default(), Arc::<Mutex<Vec<String>>>::default());
        let (count, log) = (Arc::clone(&taken), Arc::clone(&heads));
        let script = Arc::new(script);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                let (tls, log, script) = (tls.clone(), Arc::clone(&log), Arc::clone(&script));
                tokio::spawn(async move {
                    let mut peer: Peer = match tls {
                        Some(tls) => match tls.accept(stream).await {
                            Ok(stream) => Box::new(stream),
                            Err(_) => return,
                        },
                        None => Box::new(stream),
                    };
                    let head = head(&mut peer).await;
                    log.lock().expect("no test panics in here").push(head);
                    script(peer).await;
                });
            }
        });
        Self { port, taken, heads }
    }

    async fn answering(answer: &'static str) -> Self {
        Self::with(None, move |mut peer| async move {
            let _ = peer.write_all(answer.as_bytes()).await;
            let _ = peer.shutdown().await;
        })
        .await
    }

    fn taken(&self) -> usize {
        self.taken.load(Ordering::SeqCst)
    }

    fn head(&self) -> String {
        self.heads.lock().expect("no test panics in here").last().cloned().unwrap_or_default()
    }

    fn url(&self, host: &str) -> String {
        format!("http://{host}:{}/", self.port)
    }
}

async fn head(peer: &mut Peer) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match peer.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => break,
        }
    }
    String::from_utf8(head).expect("a head is ASCII")
}

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi";

/// Each question for an address takes the next answer; the last one stays.
struct Names {
    answers: Mutex<VecDeque<Vec<IpAddr>>>,
    asked: AtomicUsize,
}

impl Names {
    fn new(answers: &[&[&str]]) -> Arc<Self> {
        let read = |answer: &&[&str]| answer.iter().map(|a| a.parse().expect("one")).collect();
        let answers = Mutex::new(answers.iter().map(read).collect());
        Arc::new(Self { answers, asked: AtomicUsize::new(0) })
    }
}

#[async_trait]
impl Resolve for Names {
    async fn resolve(&self, _: &str) -> io::Result<Vec<IpAddr>> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let mut answers = self.answers.lock().expect("no test panics in here");
        let last = answers.len() <= 1;
        let next = if last { answers.front().cloned() } else { answers.pop_front() };
        Ok(next.unwrap_or_default())
    }
}

fn client(scope: Scope) -> Client {
    Egress::new(EgressConfig::default(), &Clock::system()).client(scope)
}

fn named(names: &Arc<Names>, scope: Scope) -> Client {
    let names = Arc::clone(names);
    let config = EgressConfig { names, ..EgressConfig::default() };
    Egress::new(config, &Clock::system()).client(scope)
}

async fn get(client: &Client, url: &str) -> Result<Response<Vec<u8>>, EgressError> {
    let request = Request::get(url).body(Vec::new()).expect("a request");
    client.send(request).await
}

async fn refused(client: &Client, url: &str) -> Refusal {
    match get(client, url).await {
        Err(EgressError { cause: Cause::Refused { why, .. }, .. }) => why,
        other => panic!("{url} was not refused: {other:?}"),
    }
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_is_not_followed() {
    let there = Server::answering(OK).await;
    let location = there.url("127.0.0.1");
    for status in ["301", "302", "303", "307", "308"] {
        let answer = format!(
            "HTTP/1.1 {status} Go\r\nLocation: {location}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        );
        let here = Server::with(None, move |mut peer| {
            let answer = answer.clone();
            async move {
                let _ = peer.write_all(answer.as_bytes()).await;
            }
        })
        .await;
        let answer = get(&client(Scope::Registered), &here.url("127.0.0.1")).await;
        let answer = answer.expect("an answer");
        assert_eq!(answer.status().as_str(), status);
        assert_eq!(answer.headers()["location"], location);
    }
    assert_eq!(there.taken(), 0);
}

/// This very test binary once more, in an environment that sends every client through a proxy.
#[test]
fn proxy_variables_are_not_read() {
    let itself = std::env::current_exe().expect("this binary");
    let mut again = std::process::Command::new(itself);
    again.args(["--exact", "a_redirect_is_an_answer_and_is_not_followed"]);
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
        // Nobody answers there.
        again.env(name, "http://127.0.0.1:9").env(name.to_lowercase(), "http://127.0.0.1:9");
    }
    let ended = again.env_remove("NO_PROXY").env_remove("no_proxy").output().expect("it runs");
    let said = String::from_utf8_lossy(&ended.stdout);
    assert!(ended.status.success() && said.contains("1 passed"), "{said}");
}

#[tokio::test]
async fn a_name_is_resolved_once_and_what_was_checked_is_dialled() {
    let server = Server::answering(OK).await;
    // A name that changes its mind between the check and the connection.
    let names = Names::new(&[&["127.0.0.1"], &["169.254.169.254"]]);
    let client = named(&names, Scope::Registered);
    let url = server.url("rebind.test");
    assert_eq!(get(&client, &url).await.expect("the first address").status(), StatusCode::OK);
    assert_eq!(names.asked.load(Ordering::SeqCst), 1, "no second look-up for one connection");
    // The next connection is checked anew.
    assert_eq!(refused(&client, &url).await, Refusal::LinkLocal);
    assert_eq!((names.asked.load(Ordering::SeqCst), server.taken()), (2, 1));
}

#[tokio::test]
async fn of_several_addresses_only_allowed_ones_are_dialled() {
    let server = Server::answering(OK).await;
    // Forbidden, nobody there, the server.
    let names = Names::new(&[&["169.254.169.254", "::ffff:127.0.0.1", "127.0.0.2", "127.0.0.1"]]);
    let answer = get(&named(&names, Scope::Registered), &server.url("many.test")).await;
    assert_eq!(answer.expect("the last one answers").body(), b"hi");
    assert_eq!(
        refused(&named(&names, Scope::Public), &server.url("many.test")).await,
        Refusal::LinkLocal
    );
    let nothing = get(&named(&Names::new(&[&[]]), Scope::Registered), "http://nobody.test/").await;
    assert!(matches!(nothing.expect_err("no address").cause, Cause::UnknownName(_)));
    assert_eq!(server.taken(), 1);
}

#[tokio::test]
async fn what_is_never_dialled_is_refused_in_every_spelling() {
    let client = client(Scope::Registered);
    for (host, why) in [
        ("169.254.169.254", Refusal::LinkLocal),
        ("2852039166", Refusal::LinkLocal),
        ("0xa9fea9fe", Refusal::LinkLocal),
        ("0xA9.0xFE.0xA9.0xFE", Refusal::LinkLocal),
        ("0251.0376.0251.0376", Refusal::LinkLocal),
        ("169.254.43518", Refusal::LinkLocal),
        ("169.16689662", Refusal::LinkLocal),
        ("169.254.169.254.", Refusal::LinkLocal),
        ("[fe80::1]", Refusal::LinkLocal),
        ("0.0.0.0", Refusal::Unspecified),
        ("0", Refusal::Unspecified),
        ("[::]", Refusal::Unspecified),
        ("[fd00:ec2::254]", Refusal::Metadata),
        ("100.100.100.200", Refusal::Metadata),
        ("168.63.129.16", Refusal::Metadata),
        ("192.0.0.192", Refusal::Metadata),
        ("224.0.0.1", Refusal::Multicast),
        ("[ff02::1]", Refusal::Multicast),
        ("255.255.255.255", Refusal::Broadcast),
        ("[::ffff:127.0.0.1]", Refusal::Hidden),
        ("[::ffff:169.254.169.254]", Refusal::Hidden),
        ("[::ffff:a9fe:a9fe]", Refusal::Hidden),
        ("[::127.0.0.1]", Refusal::Hidden),
        ("[64:ff9b::169.254.169.254]", Refusal::Hidden),
        ("[64:ff9b:1::7f00:1]", Refusal::Hidden),
        ("[2002:7f00:1::1]", Refusal::Hidden),
        ("[2001:0:7f00:1::]", Refusal::Hidden),
    ] {
        for scheme in ["http", "https"] {
            assert_eq!(refused(&client, &format!("{scheme}://{host}/")).await, why, "{host}");
        }
    }
    // A client with a TLS of its own (kube) is guarded by the same check.
    let dial = Egress::new(EgressConfig::default(), &Clock::system()).dial(Scope::Registered);
    let uri = Uri::from_static("https://0xa9fea9fe/");
    let error = dial.oneshot(uri).await.expect_err("forbidden");
    assert!(matches!(error.cause, Cause::Refused { why: Refusal::LinkLocal, .. }), "{error}");
}

#[tokio::test]
async fn own_networks_are_for_registered_targets_only() {
    let server = Server::answering(OK).await;
    let (public, registered) = (client(Scope::Public), client(Scope::Registered));
    for host in
        ["127.0.0.1", "localhost", "LOCALHOST", "127.1", "2130706433", "0x7f.1", "017700000001"]
    {
        assert_eq!(refused(&public, &server.url(host)).await, Refusal::NotPublic, "{host}");
        let answer = get(&registered, &server.url(host)).await;
        assert_eq!(answer.expect(host).body(), b"hi");
    }
    assert_eq!(server.taken(), 7, "the public client reached nothing");
    for host in ["10.0.0.1", "172.16.0.1", "192.168.0.1", "100.64.0.1", "[fc00::1]", "192.0.2.1"] {
        assert_eq!(
            refused(&public, &format!("http://{host}/")).await,
            Refusal::NotPublic,
            "{host}"
        );
    }
}

#[tokio::test]
async fn an_idle_connection_is_not_shared_between_scopes() {
    let server = Server::with(None, |mut peer| async move {
        loop {
            let answered = peer.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
            if answered.is_err() || head(&mut peer).await.is_empty() {
                return;
            }
        }
    })
    .await;
    let egress = Egress::new(EgressConfig::default(), &Clock::system());
    let url = server.url("127.0.0.1");
    for _ in 0..3 {
        get(&egress.client(Scope::Registered), &url).await.expect("an answer");
    }
    assert_eq!(server.taken(), 1, "the connection was kept");
    assert_eq!(refused(&egress.client(Scope::Public), &url).await, Refusal::NotPublic);
}

fn small(client: Client) -> Client {
    client.within(|limits| Limits { body: 64 << 10, ..limits })
}

#[tokio::test]
async fn a_body_ends_at_its_limit() {
    let ended = Arc::new(Notify::new());
    let heard = Arc::clone(&ended);
    let endless = Server::with(None, move |mut peer| {
        let ended = Arc::clone(&ended);
        async move {
            let part = [b'x'; 8192];
            let _ = peer.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
            while peer.write_all(&part).await.is_ok() {}
            ended.notify_one();
        }
    })
    .await;
    let client = small(client(Scope::Registered));
    let error = get(&client, &endless.url("127.0.0.1")).await.expect_err("too large");
    assert_eq!(error.cause, Cause::TooLarge { limit: 64 << 10 });
    heard.notified().await;

    // Announced, and not one byte of it sent: nobody waits for it.
    let announced = Server::with(None, |mut peer| async move {
        let _ = peer.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 65537\r\n\r\n").await;
        let _ = peer.read_u8().await;
    })
    .await;
    let error = get(&client, &announced.url("127.0.0.1")).await.expect_err("too large");
    assert_eq!(error.cause, Cause::TooLarge { limit: 64 << 10 });

    let fitting = Server::with(None, |mut peer| async move {
        let _ = peer.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 65536\r\n\r\n").await;
        let _ = peer.write_all(&vec![b'x'; 65536]).await;
    })
    .await;
    let answer = get(&client, &fitting.url("127.0.0.1")).await.expect("it just fits");
    assert_eq!(answer.body().len(), 64 << 10);
}

/// A client whose time is in a test's hand.
fn timed() -> (Client, ManualClock) {
    let (clock, hand) = Clock::manual(Micros(1_790_000_000_000_000));
    (Egress::new(EgressConfig::default(), &clock).client(Scope::Registered), hand)
}

/// Asks `server`, and moves the clock by `by` once the server has come as far as it will.
async fn late(server: &Server, far: &Notify, by: Duration) -> Cause {
    let (client, hand) = timed();
    let url = server.url("127.0.0.1");
    let asked = get(&client, &url);
    let (answer, ()) = tokio::join!(asked, async {
        far.notified().await;
        hand.advance(by);
    });
    answer.expect_err("too late").cause
}

#[tokio::test]
async fn slow_headers_are_not_waited_for() {
    let far = Arc::new(Notify::new());
    let reached = Arc::clone(&far);
    let server = Server::with(None, move |mut peer| {
        let far = Arc::clone(&far);
        async move {
            let _ = peer.write_all(b"HTTP/1.1 200 OK\r\nX-Slow").await;
            far.notify_one();
            let _ = peer.read_u8().await;
        }
    })
    .await;
    let limit = Limits::default().headers;
    let cause = late(&server, &reached, limit).await;
    assert_eq!(cause, Cause::TimedOut { phase: Phase::Headers, limit });
}

#[tokio::test]
async fn a_slow_body_is_ended_however_it_drips() {
    let limit = Limits::default().total;
    let (client, hand) = timed();
    let hand = Arc::new(hand);
    let dripping = Server::with(None, move |mut peer| {
        let hand = Arc::clone(&hand);
        async move {
            let _ = peer.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n").await;
            // A byte a second, until the client has gone.
            while peer.write_all(b"x").await.is_ok() {
                hand.advance(Duration::from_secs(1));
                tokio::task::yield_now().await;
            }
        }
    })
    .await;
    let error = get(&client, &dripping.url("127.0.0.1")).await.expect_err("too late");
    assert_eq!(error.cause, Cause::TimedOut { phase: Phase::Total, limit });
}

/// Connections are taken by the system's queue; TLS is never spoken.
#[tokio::test]
async fn a_handshake_that_never_comes_is_not_waited_for() {
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = silent.local_addr().expect("bound").port();
    let (client, hand) = timed();
    let url = format!("https://127.0.0.1:{port}/");
    let limit = Limits::default().connect;
    let (answer, _held) = tokio::join!(get(&client, &url), async {
        let (mut stream, _) = silent.accept().await.expect("a connection");
        // The client's hello: it waits for ours from here on.
        stream.read_u8().await.expect("a byte");
        hand.advance(limit);
        stream
    });
    assert_eq!(answer.expect_err("late").cause, Cause::TimedOut { phase: Phase::Handshake, limit });
}

#[tokio::test]
async fn a_name_that_is_never_answered_is_not_waited_for() {
    struct Never(Arc<Notify>);
    #[async_trait]
    impl Resolve for Never {
        async fn resolve(&self, _: &str) -> io::Result<Vec<IpAddr>> {
            self.0.notify_one();
            std::future::pending().await
        }
    }
    let asked = Arc::new(Notify::new());
    let (clock, hand) = Clock::manual(Micros(1_790_000_000_000_000));
    let names = Arc::new(Never(Arc::clone(&asked)));
    let config = EgressConfig { names, ..EgressConfig::default() };
    let client = Egress::new(config, &clock).client(Scope::Public);
    let limit = Limits::default().connect;
    let (answer, ()) = tokio::join!(get(&client, "http://slow.test/"), async {
        asked.notified().await;
        hand.advance(limit);
    });
    assert_eq!(answer.expect_err("late").cause, Cause::TimedOut { phase: Phase::Connect, limit });
}

#[tokio::test]
async fn who_somebody_is_does_not_leave() {
    let server = Server::answering(OK).await;
    let request = Request::post(server.url("127.0.0.1"))
        .header("Host", "elsewhere.test")
        .header("Cookie", "told=1")
        .header("X-User-Id", "told")
        .header("x-user-email", "told")
        .header("X-Remote-User", "told")
        .header("X-Remote-Extra-Scopes", "told")
        .header("X-Forwarded-For", "told")
        .header("X-Forwarded-For", "told-twice")
        .header("X-Forwarded-Access-Token", "told")
        .header("X-Auth-Request-User", "told")
        .header("X-Real-IP", "told")
        .header("Forwarded", "for=told")
        .header("Impersonate-User", "told")
        .header("Impersonate-Group", "told")
        .header("Proxy-Authorization", "told")
        .header("Authorization", "Bearer ours")
        .header("X-Scope-OrgID", "tenant")
        .body(b"q=1".to_vec())
        .expect("a request");
    client(Scope::Registered).send(request).await.expect("an answer");
    let head = server.head().to_ascii_lowercase();
    assert!(!head.contains("told") && !head.contains("elsewhere"), "{head}");
    for kept in [
        "post / http/1.1\r\n",
        "authorization: bearer ours\r\n",
        "x-scope-orgid: tenant\r\n",
        "content-length: 3\r\n",
        "user-agent: quarterdeck/",
    ] {
        assert!(head.contains(kept), "{kept} is missing in {head}");
    }
    assert!(head.contains(&format!("host: 127.0.0.1:{}\r\n", server.port)), "{head}");
}

#[tokio::test]
async fn an_error_holds_no_secret() {
    let closed = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = closed.local_addr().expect("bound").port();
    drop(closed);
    let request = Request::get(format!("http://127.0.0.1:{port}/hook/hunter2?token=hunter2"))
        .header("Authorization", "Bearer hunter2")
        .body(b"hunter2".to_vec())
        .expect("a request");
    let error = client(Scope::Registered).send(request).await.expect_err("nobody listens");
    let told = format!("{error} {error:?}");
    assert!(told.contains(&port.to_string()) && told.contains("refused"), "{told}");
    assert!(!told.contains("hunter2"), "{told}");
    let url = format!("http://me:hunter2@127.0.0.1:{port}/");
    let error = get(&client(Scope::Registered), &url).await.expect_err("a password");
    assert_eq!(error.cause, Cause::Userinfo);
    assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
}

#[tokio::test]
async fn only_http_and_https_are_spoken() {
    for url in ["ftp://127.0.0.1/", "file:///etc/passwd", "gopher://127.0.0.1/", "/relative"] {
        // What is no absolute URL does not even become a request.
        let Ok(request) = Request::get(url).body(Vec::new()) else { continue };
        let error = client(Scope::Registered).send(request).await.expect_err(url);
        assert_eq!(error.cause, Cause::Scheme, "{url}");
    }
    let other = Server::answering("SSH-2.0-OpenSSH_9.9\r\n").await;
    let error = get(&client(Scope::Registered), &other.url("127.0.0.1")).await;
    assert_eq!(error.expect_err("not HTTP").cause, Cause::NotHttp);
}

/// An authority of its own, and a server with a certificate for `console.test` and 127.0.0.1 from it.
async fn secure() -> (CertificateDer<'static>, Server) {
    let key = || KeyPair::generate().expect("a key");
    let mut params = CertificateParams::new(Vec::new()).expect("no name");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, key()).expect("an authority");
    let leaf = key();
    let names = vec!["console.test".to_owned(), "127.0.0.1".to_owned()];
    let certificate = CertificateParams::new(names).expect("names");
    let certificate = certificate.signed_by(&leaf, &authority).expect("signed");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring's")
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::Pkcs8(leaf.serialize_der().into()),
        )
        .expect("a certificate with its key");
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let server = Server::with(Some(acceptor), |mut peer| async move {
        let _ = peer.write_all(OK.as_bytes()).await;
        let _ = peer.shutdown().await;
    })
    .await;
    let authorities = egress::authorities(authority.pem().as_bytes()).expect("one");
    (authorities[0].clone(), server)
}

#[tokio::test]
async fn tls_needs_an_authority_that_we_trust_and_the_right_name() {
    let (authority, server) = secure().await;
    let trusting = |extra_authorities: Vec<CertificateDer<'static>>| {
        let names = Names::new(&[&["127.0.0.1"]]);
        let config = EgressConfig { extra_authorities, names, ..EgressConfig::default() };
        Egress::new(config, &Clock::system()).client(Scope::Registered)
    };
    let ours = trusting(vec![authority]);
    for host in ["console.test", "CONSOLE.test", "127.0.0.1", "0x7f.1"] {
        let answer = get(&ours, &format!("https://{host}:{}/", server.port)).await;
        assert_eq!(answer.expect(host).body(), b"hi", "{host}");
    }
    assert_eq!(server.heads.lock().expect("no test panics in here").len(), 4);
    let not_trusted = |answer: Result<Response<Vec<u8>>, EgressError>| match answer {
        Err(EgressError { cause: Cause::Tls(why), .. }) => why,
        other => panic!("trusted: {other:?}"),
    };
    let url = |host: &str| format!("https://{host}:{}/", server.port);
    let why = not_trusted(get(&ours, &url("other.test")).await);
    assert!(why.contains("not valid for name"), "{why}");
    let why = not_trusted(get(&trusting(Vec::new()), &url("console.test")).await);
    assert!(why.contains("UnknownIssuer"), "{why}");
    assert_eq!(server.heads.lock().expect("no test panics in here").len(), 4, "nothing was sent");
}
