//! The one etcd that all clusters share, each under a prefix of its own.
//!
//! It does not sync its disk: the data of a practice fleet lives as long as the fleet.

use std::{path::Path, time::Duration};

use anyhow::Result;

use crate::{
    nursery::{Child, Nursery, Spec},
    ports::Ports,
    tools::Tools,
    wait,
};

pub struct Etcd {
    pub child: Child,
    pub url: String,
}

/// Starts etcd and returns at once; the API servers try until it answers.
pub async fn start(nursery: &Nursery, tools: &Tools, ports: &Ports, run: &Path) -> Result<Etcd> {
    let folder = run.join("etcd");
    std::fs::create_dir_all(&folder)?;
    let url = format!("http://127.0.0.1:{}", ports.take()?);
    let peer = format!("http://127.0.0.1:{}", ports.take()?);
    let args = [
        "--name=fleet".into(),
        "--data-dir=data".into(),
        "--unsafe-no-fsync".into(),
        "--log-level=warn".into(),
        // Several API servers in one etcd write more than its default quota of 2 GiB expects of one.
        format!("--quota-backend-bytes={}", 8_u64 << 30),
        format!("--listen-client-urls={url}"),
        format!("--advertise-client-urls={url}"),
        format!("--listen-peer-urls={peer}"),
        format!("--initial-advertise-peer-urls={peer}"),
        format!("--initial-cluster=fleet={peer}"),
    ];
    let child = nursery
        .start(Spec {
            name: "etcd".into(),
            program: tools.program("etcd"),
            args: args.into(),
            log: folder.join("etcd.log"),
            folder,
            path: None,
            has_descendants: false,
        })
        .await?;
    Ok(Etcd { child, url })
}

impl Etcd {
    pub async fn ready(&self, limit: Duration) -> Result<()> {
        let http = reqwest::Client::builder().no_proxy().build()?;
        wait::until("etcd", limit, async || -> Result<Option<()>> {
            self.child.check()?;
            let answer = http.get(format!("{}/readyz", self.url)).send().await?;
            Ok(answer.status().is_success().then_some(()))
        })
        .await
    }
}
