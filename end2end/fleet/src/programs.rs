//! The local programs that stand behind pods: what a Service answers when someone asks it through the API server.
//!
//! A pod names its program in the annotation `practice-fleet.dev/program`. To add one: a variant of [`Program`], its name
//! and port, and an axum router that [`Program::serve`] returns; a workload in [`crate::life::teams`] then runs it.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::Result;
use axum::{
    Json, Router,
    extract::{Request, State},
    routing::any,
};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tokio::net::TcpListener;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// Answers every request with what it was asked.
    Echo,
}

impl Program {
    pub const ALL: [Self; 1] = [Self::Echo];

    /// Its name in the annotation of a pod.
    pub fn name(self) -> &'static str {
        match self {
            Self::Echo => "echo",
        }
    }

    /// The port on which its pods listen.
    pub fn pod_port(self) -> u16 {
        match self {
            Self::Echo => 8080,
        }
    }

    fn serve(self, cluster: String) -> Router {
        match self {
            Self::Echo => Router::new().fallback(any(echo)).with_state(cluster),
        }
    }
}

/// The programs of one cluster, each on a port of its own.
#[derive(Clone)]
pub struct Programs {
    running: Vec<(Program, SocketAddr)>,
}

impl Programs {
    /// Starts them all; they end with the runtime.
    pub async fn start(cluster: &str) -> Result<Self> {
        let mut running = Vec::new();
        for program in Program::ALL {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
            running.push((program, listener.local_addr()?));
            let router = program.serve(cluster.to_owned());
            tokio::spawn(async move { axum::serve(listener, router).await });
        }
        Ok(Self { running })
    }

    /// Where the program listens that a pod calls by this name and port.
    pub fn find(&self, name: &str, pod_port: u16) -> Option<SocketAddr> {
        self.iter()
            .find(|(program, _)| program.name() == name && program.pod_port() == pod_port)
            .map(|(_, at)| at)
    }

    pub fn iter(&self) -> impl Iterator<Item = (Program, SocketAddr)> {
        self.running.iter().copied()
    }
}

/// More of a body than this is not read back.
const ECHO_LIMIT: usize = 64 * 1024;

async fn echo(State(cluster): State<String>, request: Request) -> Json<Value> {
    let (head, body) = request.into_parts();
    let body = http_body_util::Limited::new(body, ECHO_LIMIT).collect().await;
    let headers: serde_json::Map<String, Value> = head
        .headers
        .iter()
        .map(|(name, value)| {
            (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned().into())
        })
        .collect();
    Json(json!({
        "cluster": cluster,
        "method": head.method.as_str(),
        "path": head.uri.path(),
        "query": head.uri.query(),
        "headers": headers,
        "body": body.ok().map(|body| String::from_utf8_lossy(&body.to_bytes()).into_owned()),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_program_is_found_by_its_name_and_the_pods_port() {
        let programs = Programs::start("harbour").await.expect("starts");
        assert!(programs.find("echo", 8080).is_some());
        assert!(programs.find("echo", 9999).is_none());
        assert!(programs.find("solitaire", 8080).is_none());
    }
}
