//! The whole fleet in the foreground: starts etcd, toxiproxy and the clusters, tells when each is ready, stops all in order.
//!
//! Order of an end: the clusters (components, then API servers), toxiproxy, etcd last. An API server whose etcd has gone
//! first hangs for minutes.

use std::{
    convert::Infallible,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Result, bail, ensure};
use futures::future::join_all;
use tokio::sync::watch;

use crate::{
    cluster::{Cluster, Outside, Plan, RESTART, viewer},
    etcd::{self, Etcd},
    fronts::{self, Fronts},
    life,
    link::Links,
    nursery::{Child, Nursery, Spec},
    pki::{self, Authority},
    ports::Ports,
    state::{self, State, StateFolder, write_whole},
    tools::Tools,
    wait,
};

/// Names for the first clusters; those beyond are numbered.
const NAMES: [&str; 6] = ["harbour", "lagoon", "lighthouse", "breakwater", "estuary", "atoll"];
/// Each cluster has a pod network of its own, `10.100.0.0/16` and up.
pub const MOST: u8 = 100;
const START_LIMIT: Duration = Duration::from_secs(30);
const STOP_GRACE: Duration = Duration::from_secs(5);
const RESTART_LOOK: Duration = Duration::from_millis(200);

pub struct Wish {
    pub clusters: u8,
    pub nodes: usize,
    /// Where the clusters are reached, for somebody who has to know before they are there; free ports otherwise.
    pub links: Vec<u16>,
    /// PEM of the private key that signs every cluster's certificate, for the same reason.
    pub authority_key: Option<String>,
    /// How many hours each cluster's viewer token lives; the last one is for all further clusters.
    pub token_hours: Vec<u32>,
    /// Whose tokens the API servers take besides their own: a file, by its whole path.
    pub authentication: Option<PathBuf>,
    /// Ports beside the clusters' own, each with its fate.
    pub fronts: fronts::Wish,
}

/// What the clusters share while they start, run and stop.
struct Ground {
    nursery: Nursery,
    tools: Tools,
    state: StateFolder,
    etcd: Etcd,
    toxiproxy: Child,
    links: Links,
    fronts: Fronts,
    begun: Instant,
}

/// Runs a fleet until `asked` says that it must end.
pub async fn run(
    wish: &Wish,
    tools: &Path,
    folder: &Path,
    asked: watch::Receiver<bool>,
) -> Result<()> {
    ensure!((1..=MOST).contains(&wish.clusters), "a fleet has 1 to {MOST} clusters");
    ensure!(wish.nodes > 0, "a cluster has at least one node");
    let begun = Instant::now();
    let tools = Tools::find(tools)?;
    let ports = Ports::new();
    let toxiproxy_port = ports.take()?;
    let toxiproxy_url = format!("http://127.0.0.1:{toxiproxy_port}");
    let nobody = state::Fleet {
        pid: std::process::id(),
        toxiproxy: toxiproxy_url.clone(),
        etcd: String::new(),
        clusters: Vec::new(),
        fronts: None,
    };
    let state = StateFolder::claim(folder, nobody)?;
    let plans = plans(wish, &state, &ports)?;

    let nursery = Nursery::open()?;
    let etcd = etcd::start(&nursery, &tools, &ports, &state.run()).await?;
    let toxiproxy = start_toxiproxy(&nursery, &tools, &state.run(), toxiproxy_port).await?;
    state.change(|fleet| fleet.etcd.clone_from(&etcd.url))?;
    let links = Links::at(&toxiproxy_url)?;
    let servers = plans.iter().map(|plan| SocketAddr::from((Ipv4Addr::LOCALHOST, plan.api_port)));
    let fronts = Fronts::open(wish.fronts.fates(&servers.collect::<Vec<_>>())).await?;
    let ground = Ground { nursery, tools, state, etcd, toxiproxy, links, fronts, begun };
    ground.tell_fronts(&plans)?;

    let outcome = ground.serve(&plans, asked).await;
    ground.toxiproxy.stop(STOP_GRACE).await;
    ground.etcd.child.stop(STOP_GRACE).await;
    ground.state.retire()?;
    outcome
}

fn plans(wish: &Wish, state: &StateFolder, ports: &Ports) -> Result<Vec<Plan>> {
    let plans = (0..wish.clusters)
        .map(|index| {
            let name = cluster_name(index);
            let folder = state.run();
            let authority = match &wish.authority_key {
                Some(key) => Authority::from_key(pki::SHARED, key)?,
                None => Authority::new(&format!("{name}-ca"))?,
            };
            let link = wish.links.get(usize::from(index)).copied();
            let link = link.map_or_else(|| ports.take(), Ok)?;
            let hours = wish.token_hours.get(usize::from(index)).or(wish.token_hours.last());
            let hours = hours.copied().unwrap_or(viewer::LONGEST_HOURS);
            let outside = Outside {
                authority,
                link_port: link,
                token_hours: hours,
                authentication: wish.authentication.clone(),
            };
            let plan = Plan::new(&name, index, wish.nodes, &folder, ports, outside)?;
            life::logs::begin(&plan.folder)?;
            Ok(plan)
        })
        .collect::<Result<Vec<_>>>()?;
    state.change(|fleet| fleet.clusters = plans.iter().map(announce).collect())?;
    Ok(plans)
}

fn cluster_name(index: u8) -> String {
    NAMES
        .get(usize::from(index))
        .map_or_else(|| format!("buoy-{:02}", index + 1), |name| (*name).to_owned())
}

fn announce(plan: &Plan) -> state::Cluster {
    state::Cluster {
        name: plan.name.clone(),
        state: State::Starting,
        api_url: plan.api_url(),
        proxied_url: plan.link_url(),
        ca: plan.ca().to_owned(),
        admin_kubeconfig: plan.admin_kubeconfig(),
        viewer_kubeconfig: plan.viewer_kubeconfig(),
        error: None,
        ready_after_ms: None,
    }
}

async fn start_toxiproxy(nursery: &Nursery, tools: &Tools, run: &Path, port: u16) -> Result<Child> {
    let spec = Spec {
        name: "toxiproxy".into(),
        program: tools.program("toxiproxy"),
        args: vec!["-host".into(), "127.0.0.1".into(), "-port".into(), port.to_string()],
        folder: run.to_owned(),
        log: run.join("toxiproxy.log"),
        path: None,
        has_descendants: false,
    };
    nursery.start(spec).await
}

impl Ground {
    /// Keeps all clusters until somebody asks for the end, or a program that all need has ended.
    async fn serve(&self, plans: &[Plan], mut asked: watch::Receiver<bool>) -> Result<()> {
        tokio::select! {
            outcome = self.await_shared() => outcome?,
            _ = asked.wait_for(|asked| *asked) => return Ok(()),
        }
        let (end, ends) = watch::channel(false);
        let clusters = join_all(plans.iter().map(|plan| self.keep(plan, plans, ends.clone())));
        let reason = async {
            let reason = tokio::select! {
                _ = asked.wait_for(|asked| *asked) => Ok(()),
                _ = self.etcd.child.ended() => self.etcd.child.check(),
                _ = self.toxiproxy.ended() => self.toxiproxy.check(),
            };
            end.send_replace(true);
            reason
        };
        futures::future::join(clusters, reason).await.1
    }

    async fn await_shared(&self) -> Result<()> {
        wait::until("toxiproxy", START_LIMIT, async || -> Result<Option<()>> {
            self.toxiproxy.check()?;
            Ok(Some(self.links.version().await?))
        })
        .await?;
        self.etcd.ready(START_LIMIT).await
    }

    /// One cluster from start to stop.
    async fn keep(&self, plan: &Plan, plans: &[Plan], mut ends: watch::Receiver<bool>) {
        let started =
            Cluster::start(plan, &self.nursery, &self.tools, &self.etcd.url, &self.links).await;
        let mut cluster = match started {
            Ok(cluster) => cluster,
            Err(error) => return self.tell_failure(plan, &error),
        };
        tokio::select! {
            Err(error) = self.live(&mut cluster, plan, plans) => self.tell_failure(plan, &error),
            _ = ends.wait_for(|ends| *ends) => {}
        }
        cluster.stop().await;
    }

    /// Returns only when something of the cluster has failed.
    async fn live(&self, cluster: &mut Cluster, plan: &Plan, plans: &[Plan]) -> Result<Infallible> {
        cluster.complete(plan, &self.nursery, &self.tools).await?;
        self.tell_fronts(plans)?;
        self.tell_ready(plan)?;
        let life = life::go_on(cluster.client.clone(), &plan.folder, plan.index);
        let mut life = std::pin::pin!(life);
        loop {
            tokio::select! {
                () = cluster.fails() => {}
                () = &mut life => bail!("life in {} has ended", plan.name),
                () = asked_to_restart(plan) => {
                    let etcd = &self.etcd.url;
                    cluster.restart(plan, &self.nursery, &self.tools, etcd).await?;
                    std::fs::remove_file(plan.folder.join(RESTART))?;
                }
            }
            cluster.check()?;
        }
    }

    fn tell_ready(&self, plan: &Plan) -> Result<()> {
        let taken = self.begun.elapsed();
        self.state.change_cluster(&plan.name, |cluster| {
            cluster.state = State::Ready;
            cluster.ready_after_ms = u64::try_from(taken.as_millis()).ok();
        })?;
        println!(
            "{} ready after {:.1} s  {}  KUBECONFIG={}",
            plan.name,
            taken.as_secs_f64(),
            plan.link_url(),
            plan.admin_kubeconfig().display()
        );
        Ok(())
    }

    /// Says where the fronts are, and how to come in through those whose clusters are ready.
    fn tell_fronts(&self, plans: &[Plan]) -> Result<()> {
        if self.fronts.all.is_empty() {
            return Ok(());
        }
        let kubeconfig = self.state.run().join("fronts.kubeconfig");
        let told = self.fronts.tell(plans);
        write_whole(&kubeconfig, fronts::kubeconfig(&told, plans)?.as_bytes())?;
        self.state.change(|fleet| fleet.fronts = Some(state::Fronts { kubeconfig, all: told }))
    }

    fn tell_failure(&self, plan: &Plan, error: &anyhow::Error) {
        eprintln!("{} failed: {error:#}", plan.name);
        let told = self.state.change_cluster(&plan.name, |cluster| {
            cluster.state = State::Failed;
            cluster.error = Some(format!("{error:#}"));
        });
        if let Err(error) = told {
            eprintln!("{error:#}");
        }
    }
}

/// Looks whether a scene wants the API server to be started again.
async fn asked_to_restart(plan: &Plan) {
    let file = plan.folder.join(RESTART);
    while !file.exists() {
        tokio::time::sleep(RESTART_LOOK).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_number_of_clusters_has_names() {
        let names: std::collections::BTreeSet<_> = (0..MOST).map(cluster_name).collect();
        assert_eq!(names.len(), usize::from(MOST));
        assert_eq!(cluster_name(0), "harbour");
        assert_eq!(cluster_name(6), "buoy-07");
    }
}
