//! Many addresses before a few API servers: each front is a port of 127.0.0.1 with a fate of its own, in this process.
//!
//! With them a test has five hundred clusters, of which fifty answer nothing, for the price of two. A front lives until its
//! [`Fronts`] is dropped. It passes bytes or refuses them, and must not read what it passes.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    task::JoinSet,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    },
};

use crate::{cluster::Plan, pki::Authority, state};

/// What becomes of a connection to a front.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It reaches the server behind.
    Through(SocketAddr),
    /// It reaches the server behind, and each connection waits for so long first.
    Late(SocketAddr, Duration),
    /// It is accepted, and never answered.
    BlackHole,
    /// It is never accepted: the queue of the port is full, so that the kernel drops what knocks.
    Unreachable,
    /// It is refused.
    Refusing,
    /// It meets a certificate of an authority that nobody knows.
    Stranger,
    /// It meets a server that speaks no TLS.
    Plain,
}

impl Fate {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Through(_) => "through",
            Self::Late(..) => "late",
            Self::BlackHole => "black_hole",
            Self::Unreachable => "unreachable",
            Self::Refusing => "refusing",
            Self::Stranger => "stranger",
            Self::Plain => "plain",
        }
    }
}

/// How many further addresses the clusters have, shared out among them, and how many addresses lead nowhere.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wish {
    pub through: usize,
    pub black_holes: usize,
    pub unreachable: usize,
    pub refusing: usize,
    pub strangers: usize,
}

impl Wish {
    /// The fates that these servers' fronts have.
    pub fn fates(self, servers: &[SocketAddr]) -> Vec<Fate> {
        let through = servers.iter().cycle().take(self.through).copied().map(Fate::Through);
        let nowhere = [
            (Fate::BlackHole, self.black_holes),
            (Fate::Unreachable, self.unreachable),
            (Fate::Refusing, self.refusing),
            (Fate::Stranger, self.strangers),
        ];
        let nowhere =
            nowhere.into_iter().flat_map(|(fate, count)| std::iter::repeat_n(fate, count));
        through.chain(nowhere).collect()
    }
}

/// One port.
#[derive(Clone, Copy, Debug)]
pub struct Front {
    pub at: SocketAddr,
    pub fate: Fate,
}

/// Open ports; dropping it closes them and whatever was connected.
pub struct Fronts {
    pub all: Vec<Front>,
    tasks: JoinSet<()>,
    /// Ports that are held without anybody listening, and the connections that fill a queue.
    held: Vec<Held>,
}

/// Nothing reads them: they are there to stay open.
enum Held {
    Port { _socket: TcpSocket },
    Queue { _listener: TcpListener, _knocks: Vec<TcpStream> },
}

/// A knock that the kernel would take is taken within this time on loopback.
const KNOCK: Duration = Duration::from_millis(150);
/// A queue of length nought takes one or two; more than this is no queue that can be filled.
const MOST_KNOCKS: usize = 16;

impl Fronts {
    /// Opens a port for each fate, in this order.
    pub async fn open(fates: impl IntoIterator<Item = Fate>) -> Result<Self> {
        let mut fronts = Self { all: Vec::new(), tasks: JoinSet::new(), held: Vec::new() };
        let mut stranger = None;
        for fate in fates {
            let at = fronts.open_one(fate, &mut stranger).await?;
            fronts.all.push(Front { at, fate });
        }
        Ok(fronts)
    }

    /// `stranger` is made once: a key for each of many ports would take its time.
    async fn open_one(
        &mut self,
        fate: Fate,
        stranger: &mut Option<TlsAcceptor>,
    ) -> Result<SocketAddr> {
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
        let at = socket.local_addr()?;
        match fate {
            Fate::Refusing => self.held.push(Held::Port { _socket: socket }),
            Fate::Unreachable => {
                let listener = socket.listen(0)?;
                let knocks = fill(at).await?;
                self.held.push(Held::Queue { _listener: listener, _knocks: knocks });
            }
            Fate::Stranger => {
                if stranger.is_none() {
                    *stranger = Some(unknown()?);
                }
                let acceptor = stranger.clone().context("it was just made")?;
                self.tasks.spawn(serve(socket.listen(1024)?, Manner::Stranger(acceptor)));
            }
            Fate::Through(behind) => {
                let manner = Manner::Pass(behind, Duration::ZERO);
                self.tasks.spawn(serve(socket.listen(1024)?, manner));
            }
            Fate::Late(behind, late) => {
                self.tasks.spawn(serve(socket.listen(1024)?, Manner::Pass(behind, late)));
            }
            Fate::BlackHole => {
                self.tasks.spawn(serve(socket.listen(1024)?, Manner::Silence));
            }
            Fate::Plain => {
                self.tasks.spawn(serve(socket.listen(1024)?, Manner::Plain));
            }
        }
        Ok(at)
    }

    /// As `fleet.json` says them: with names, and with the clusters that they belong to.
    pub fn tell(&self, plans: &[Plan]) -> Vec<state::Front> {
        let named = self.all.iter().zip(1_usize..).filter_map(|(front, number)| {
            let behind = match front.fate {
                Fate::Through(server) | Fate::Late(server, _) => {
                    plans.iter().find(|plan| plan.api_port == server.port())
                }
                // Whoever knocks there has some credential, too.
                _ => plans.first(),
            }?;
            Some(state::Front {
                name: format!("{}-{number:03}", behind.name),
                url: format!("https://{}", front.at),
                fate: front.fate.as_str().to_owned(),
                cluster: behind.name.clone(),
            })
        });
        named.collect()
    }

    pub fn with(&self, fate: Fate) -> impl Iterator<Item = &Front> {
        self.all.iter().filter(move |front| front.fate == fate)
    }
}

/// A kubeconfig with a context for each front whose cluster has its viewer.
pub fn kubeconfig(fronts: &[state::Front], plans: &[Plan]) -> Result<String> {
    let mut whole = json!({ "apiVersion": "v1", "kind": "Config", "clusters": [], "users": [], "contexts": [] });
    for plan in plans {
        let Ok(text) = std::fs::read_to_string(plan.viewer_kubeconfig()) else { continue };
        let viewer: Value = serde_json::from_str(&text)?;
        push(&mut whole, "users", json!({ "name": plan.name, "user": viewer["users"][0]["user"] }));
        for front in fronts.iter().filter(|front| front.cluster == plan.name) {
            let mut cluster = viewer["clusters"][0]["cluster"].clone();
            cluster["server"] = front.url.as_str().into();
            let context = json!({ "cluster": front.name, "user": plan.name });
            push(&mut whole, "clusters", json!({ "name": front.name, "cluster": cluster }));
            push(&mut whole, "contexts", json!({ "name": front.name, "context": context }));
        }
    }
    Ok(serde_json::to_string_pretty(&whole)?)
}

fn push(whole: &mut Value, list: &str, item: Value) {
    if let Some(list) = whole[list].as_array_mut() {
        list.push(item);
    }
}

/// Knocks until nobody opens any more.
async fn fill(at: SocketAddr) -> Result<Vec<TcpStream>> {
    let mut knocks = Vec::new();
    while let Ok(opened) = tokio::time::timeout(KNOCK, TcpStream::connect(at)).await {
        knocks.push(opened?);
        ensure!(knocks.len() <= MOST_KNOCKS, "the queue of {at} does not fill");
    }
    Ok(knocks)
}

#[derive(Clone)]
enum Manner {
    Pass(SocketAddr, Duration),
    Silence,
    Stranger(TlsAcceptor),
    Plain,
}

/// Takes connections until it is dropped; those that it has taken end with it.
async fn serve(listener: TcpListener, manner: Manner) {
    let mut open = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => { open.spawn(meet(stream, manner.clone())); }
                // Out of file descriptors for a moment: those that knock wait.
                Err(_) => tokio::time::sleep(KNOCK).await,
            },
            Some(_) = open.join_next() => {}
        }
    }
}

/// A connection that breaks is the client's to notice.
async fn meet(mut stream: TcpStream, manner: Manner) {
    match manner {
        Manner::Pass(behind, late) => {
            tokio::time::sleep(late).await;
            if let Ok(mut server) = TcpStream::connect(behind).await {
                drop(tokio::io::copy_bidirectional(&mut stream, &mut server).await);
            }
        }
        Manner::Silence => {
            // Reads, so that the client's bytes are gone and not only queued, until the client has enough.
            drop(tokio::io::copy(&mut stream, &mut tokio::io::sink()).await);
        }
        Manner::Stranger(acceptor) => {
            if let Ok(mut tls) = acceptor.accept(stream).await {
                drop(tokio::io::copy(&mut tls, &mut tokio::io::sink()).await);
            }
        }
        Manner::Plain => {
            use tokio::io::AsyncWriteExt;
            let answer =
                b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
            drop(stream.write_all(answer).await);
        }
    }
}

/// TLS for 127.0.0.1 by an authority that is made for the moment.
fn unknown() -> Result<TlsAcceptor> {
    let authority = Authority::new("somebody-elses-ca")?;
    let pair = authority.server("somebody-else", &["127.0.0.1", "localhost"])?;
    let chain = vec![CertificateDer::from_pem_slice(pair.certificate.as_bytes())?];
    let key = PrivateKeyDer::from_pem_slice(pair.key.as_bytes())?;
    let config = ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;
    use crate::kubeconfig::{self, Identity};

    const LIMIT: Duration = Duration::from_secs(10);

    async fn open(fates: &[Fate]) -> Fronts {
        crate::use_ring();
        Fronts::open(fates.iter().copied()).await.expect("open")
    }

    async fn connect(front: &Front) -> TcpStream {
        let connected = tokio::time::timeout(LIMIT, TcpStream::connect(front.at)).await;
        connected.expect("in time").expect("accepted")
    }

    /// A server that says what it hears.
    async fn echo() -> SocketAddr {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let at = listener.local_addr().expect("an address");
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut read, mut write) = stream.split();
                    drop(tokio::io::copy(&mut read, &mut write).await);
                });
            }
        });
        at
    }

    #[tokio::test]
    async fn what_goes_through_comes_back() {
        let fronts = open(&[Fate::Through(echo().await)]).await;
        let mut stream = connect(&fronts.all[0]).await;
        stream.write_all(b"hello").await.expect("written");
        let mut answer = [0; 5];
        stream.read_exact(&mut answer).await.expect("an answer");
        assert_eq!(&answer, b"hello");
        drop(fronts);
        assert_eq!(stream.read(&mut answer).await.unwrap_or(0), 0, "closed with its front");
    }

    #[tokio::test]
    async fn a_late_front_takes_its_time() {
        let late = Duration::from_millis(300);
        let fronts = open(&[Fate::Late(echo().await, late)]).await;
        let begun = std::time::Instant::now();
        let mut stream = connect(&fronts.all[0]).await;
        stream.write_all(b"x").await.expect("written");
        assert_eq!(stream.read_u8().await.expect("an answer"), b'x');
        assert!(begun.elapsed() >= late);
    }

    #[tokio::test]
    async fn a_black_hole_takes_all_and_gives_nothing() {
        let fronts = open(&[Fate::BlackHole]).await;
        let mut stream = connect(&fronts.all[0]).await;
        stream.write_all(b"hello").await.expect("taken");
        let silence = tokio::time::timeout(Duration::from_millis(200), stream.read_u8()).await;
        assert!(silence.is_err(), "{silence:?}");
    }

    #[tokio::test]
    async fn an_unreachable_front_lets_nobody_in_and_a_refusing_one_says_so() {
        let fronts = open(&[Fate::Unreachable, Fate::Refusing]).await;
        let [unreachable, refusing] = &fronts.all[..] else { panic!("two were asked for") };
        let waits = tokio::time::timeout(2 * KNOCK, TcpStream::connect(unreachable.at)).await;
        assert!(waits.is_err(), "{waits:?}");
        let refused = TcpStream::connect(refusing.at).await.expect_err("refused");
        assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
    }

    #[tokio::test]
    async fn a_strangers_certificate_and_plain_text_are_no_api_server() {
        let fronts = open(&[Fate::Stranger, Fate::Plain]).await;
        let known = Authority::new("known").expect("an authority").certificate;
        for (front, words) in fronts.all.iter().zip(["UnknownIssuer", "InvalidContentType"]) {
            let url = format!("https://{}", front.at);
            let config = kubeconfig::render("x", &url, &known, &Identity::Token("x"));
            let client = kubeconfig::client(&config.expect("renders")).await.expect("a client");
            let error = format!("{:?}", client.apiserver_version().await.expect_err("refused"));
            assert!(error.contains(words), "{error}");
        }
    }

    #[tokio::test]
    async fn hundreds_are_open_at_once_each_at_its_own_port() {
        let mut fates = vec![Fate::Through(echo().await); 400];
        fates.extend([Fate::BlackHole; 50]);
        fates.extend([Fate::Refusing; 50]);
        let fronts = open(&fates).await;
        let mut ports: Vec<_> = fronts.all.iter().map(|front| front.at.port()).collect();
        ports.sort_unstable();
        ports.dedup();
        assert_eq!(ports.len(), 500);
        assert_eq!(fronts.with(Fate::BlackHole).count(), 50);
        connect(&fronts.all[399]).await;
    }
}
