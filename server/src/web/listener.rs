//! Connections: accepted, given a time to say what they want, and drained when the console stops.

use std::{convert::Infallible, net::SocketAddr, time::Duration};

use axum::{body::Body, extract::Request, response::Response};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;

/// A browser sends its head at once; who takes longer keeps a connection for nothing.
const HEAD_PATIENCE: Duration = Duration::from_secs(15);
/// Connections at the same time; beyond it the next ones wait in the system's queue.
const CONNECTIONS: usize = 4096;

/// Serves until `stop`, then lets running requests finish. Ends when the last connection has.
pub async fn serve<F, Fut>(listener: TcpListener, clock: Clock, stop: CancellationToken, answer: F)
where
    F: Fn(SocketAddr, Request) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Response> + Send + 'static,
{
    let mut connections = JoinSet::new();
    loop {
        // Those that have ended make room.
        while connections.try_join_next().is_some() {}
        let accepted = tokio::select! {
            accepted = listener.accept(), if connections.len() < CONNECTIONS => accepted,
            _ = connections.join_next(), if connections.len() >= CONNECTIONS => continue,
            () = stop.cancelled() => break,
        };
        match accepted {
            Ok((stream, peer)) => {
                connections.spawn(connection(stream, peer, stop.clone(), answer.clone()));
            }
            Err(error) => {
                // Out of file descriptors, or a client that is gone already. Neither is helped by haste.
                tracing::warn!(%error, "a connection could not be accepted");
                clock.sleep(Duration::from_millis(50)).await;
            }
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

async fn connection<F, Fut>(stream: TcpStream, peer: SocketAddr, stop: CancellationToken, answer: F)
where
    F: Fn(SocketAddr, Request) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Response> + Send + 'static,
{
    // Small answers must not wait for more to send.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request: Request<Incoming>| {
        let answered = answer(peer, request.map(Body::new));
        async move { Ok::<_, Infallible>(answered.await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_PATIENCE)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection broke");
    }
}
