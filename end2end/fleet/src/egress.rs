//! The way out of an API server: a CONNECT proxy on a unix socket that decides what stands behind an address.
//!
//! The API server sends here all that goes to nodes and pods. A node's address passes to KWOK. A pod's address passes to the
//! local program that the pod names in its annotation; a pod without one refuses, as a pod that does not listen would.
//! Any other address is refused: this is no way to the machine's other servers.

use std::{convert::Infallible, net::SocketAddr, path::Path, sync::Arc};

use anyhow::{Context, Result, bail, ensure};
use axum::body::Body;
use http::{Method, Request, Response, StatusCode, uri::Authority};
use hyper::{body::Incoming, server::conn::http1, service::service_fn, upgrade::OnUpgrade};
use hyper_util::rt::TokioIo;
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, Client, api::ListParams};
use tokio::net::{TcpStream, UnixListener};

use crate::{MARK, programs::Programs};

/// The length of `sun_path` less its closing zero byte.
const SOCKET_PATH_LIMIT: usize = 107;

/// What the router of one cluster knows.
pub struct Egress {
    /// KWOK's server, the kubelet of every node.
    pub node: SocketAddr,
    pub programs: Programs,
    /// To ask which pod has an address; asked each time, since pods come and go.
    pub client: Client,
}

impl Egress {
    /// Serves on `socket` until the runtime ends.
    pub fn serve(self, socket: &Path) -> Result<()> {
        let length = socket.as_os_str().len();
        ensure!(
            length <= SOCKET_PATH_LIMIT,
            "{} is too long for a unix socket ({length} bytes of {SOCKET_PATH_LIMIT}): choose a shorter --dir",
            socket.display()
        );
        let listener = UnixListener::bind(socket)
            .with_context(|| format!("cannot listen at {}", socket.display()))?;
        tokio::spawn(accept(listener, Arc::new(self)));
        Ok(())
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        match self.open(&request).await {
            Ok(target) => {
                tokio::spawn(carry(hyper::upgrade::on(request), target));
                Response::new(Body::empty())
            }
            Err(error) => {
                let mut refusal = Response::new(Body::from(format!("{error:#}\n")));
                *refusal.status_mut() = StatusCode::BAD_GATEWAY;
                refusal
            }
        }
    }

    async fn open(&self, request: &Request<Incoming>) -> Result<TcpStream> {
        ensure!(request.method() == Method::CONNECT, "only CONNECT is served here");
        let asked = request.uri().authority().context("CONNECT without an address")?;
        let target = self.find(asked).await?;
        TcpStream::connect(target).await.with_context(|| format!("nothing listens behind {asked}"))
    }

    async fn find(&self, asked: &Authority) -> Result<SocketAddr> {
        let port = asked.port_u16().context("CONNECT without a port")?;
        if asked.host() == self.node.ip().to_string() {
            ensure!(port == self.node.port(), "{asked} is not a port of a node");
            return Ok(self.node);
        }
        let pods = Api::<Pod>::all(self.client.clone());
        let at_address = ListParams::default().fields(&format!("status.podIP={}", asked.host()));
        for pod in pods.list(&at_address).await.context("cannot ask for the pod")? {
            let annotations = pod.metadata.annotations.unwrap_or_default();
            if let Some(name) = annotations.get(&format!("{MARK}/program")) {
                return self
                    .programs
                    .find(name, port)
                    .with_context(|| format!("{name} does not listen at {port}"));
            }
        }
        bail!("no pod at {asked} runs a program")
    }
}

async fn accept(listener: UnixListener, egress: Arc<Egress>) {
    while let Ok((stream, _)) = listener.accept().await {
        let egress = Arc::clone(&egress);
        tokio::spawn(async move {
            let service = service_fn(move |request| {
                let egress = Arc::clone(&egress);
                async move { Ok::<_, Infallible>(egress.answer(request).await) }
            });
            // A connection that breaks is the API server's to notice.
            drop(
                http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service)
                    .with_upgrades()
                    .await,
            );
        });
    }
}

async fn carry(upgrade: OnUpgrade, mut target: TcpStream) {
    if let Ok(upgraded) = upgrade.await {
        drop(tokio::io::copy_bidirectional(&mut TokioIo::new(upgraded), &mut target).await);
    }
}
