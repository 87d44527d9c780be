//! One cluster: its keys, its API server, what runs beside it, and the order in which all that starts and stops.
//!
//! The components talk to the API server directly, so that a scene on the link troubles only those outside.

pub mod arguments;
pub mod kwok;
pub mod viewer;

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result};
use kube::Client;

use crate::{
    egress::Egress,
    kubeconfig::{self, Identity},
    life,
    link::Links,
    nursery::{Child, Nursery, Spec},
    pki::{self, Authority, Pair},
    ports::Ports,
    programs::Programs,
    state::write_whole,
    tools::Tools,
    wait,
};

/// A cold API server on two busy cores has been seen to need 20 s; more than this is a fault.
const START_LIMIT: Duration = Duration::from_mins(2);
/// How long a component may take to end; the API server waits for its watches.
const STOP_GRACE: Duration = Duration::from_secs(5);

/// Where the API server finds the certificate that it presents; it looks again when the file changes.
pub const CERTIFICATE: &str = "server.crt";
pub const KEY: &str = "server.key";
/// A scene makes this file to have the API server killed and started again; the fleet removes it when that is done.
pub const RESTART: &str = "restart";
/// The names and addresses in the certificate.
pub const SERVER_NAMES: [&str; 6] = [
    "127.0.0.1",
    "10.96.0.1",
    "localhost",
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
];

/// What a cluster is made of before anything runs.
pub struct Plan {
    pub name: String,
    /// 0, 1, 2 …: keeps pod networks and the course of life apart.
    pub index: u8,
    pub nodes: usize,
    pub folder: PathBuf,
    pub api_port: u16,
    pub link_port: u16,
    pub node_port: u16,
    /// How long the viewer's token lives.
    pub token_hours: u32,
    /// Whose tokens the API server takes besides its own.
    pub authentication: Option<PathBuf>,
    authority: Authority,
    admin: Pair,
}

/// What those outside know a cluster by.
pub struct Outside {
    pub authority: Authority,
    pub link_port: u16,
    pub token_hours: u32,
    pub authentication: Option<PathBuf>,
}

impl Plan {
    pub fn new(
        name: &str,
        index: u8,
        nodes: usize,
        run: &Path,
        ports: &Ports,
        outside: Outside,
    ) -> Result<Self> {
        let Outside { authority, link_port, token_hours, authentication } = outside;
        let folder = run.join(name);
        std::fs::create_dir_all(&folder)?;
        let admin = authority.client("fleet-admin", Some("system:masters"))?;
        let plan = Self {
            name: name.to_owned(),
            index,
            nodes,
            folder,
            api_port: ports.take()?,
            link_port,
            node_port: ports.take()?,
            token_hours,
            authentication,
            authority,
            admin,
        };
        plan.write_keys()?;
        plan.write_kubeconfigs()?;
        Ok(plan)
    }

    pub fn ca(&self) -> &str {
        &self.authority.certificate
    }

    pub fn api_url(&self) -> String {
        format!("https://127.0.0.1:{}", self.api_port)
    }

    pub fn link_url(&self) -> String {
        format!("https://127.0.0.1:{}", self.link_port)
    }

    pub fn admin_kubeconfig(&self) -> PathBuf {
        self.folder.join("admin.kubeconfig")
    }

    pub fn viewer_kubeconfig(&self) -> PathBuf {
        self.folder.join("viewer.kubeconfig")
    }

    fn write(&self, file: &str, content: &str) -> Result<()> {
        write_whole(&self.folder.join(file), content.as_bytes())
    }

    fn write_keys(&self) -> Result<()> {
        let server = self.authority.server("kube-apiserver", &SERVER_NAMES)?;
        let components = self.authority.server("kube-apiserver", &[kubeconfig::COMPONENTS])?;
        let (signing, checking) = pki::token_keys()?;
        self.write("ca.crt", self.ca())?;
        self.write(CERTIFICATE, &server.certificate)?;
        self.write(KEY, &server.key)?;
        self.write("components.crt", &components.certificate)?;
        self.write("components.key", &components.key)?;
        self.write("tokens.key", &signing)?;
        self.write("tokens.pub", &checking)
    }

    fn write_kubeconfigs(&self) -> Result<()> {
        let admin = Identity::Certificate(&self.admin);
        self.write(
            "admin.kubeconfig",
            &kubeconfig::render(&self.name, &self.link_url(), self.ca(), &admin)?,
        )?;
        self.write("kwok.kubeconfig", &self.direct(&admin)?)?;
        for component in ["kube-controller-manager", "kube-scheduler"] {
            let pair = self.authority.client(&format!("system:{component}"), None)?;
            self.write(
                &format!("{component}.kubeconfig"),
                &self.direct(&Identity::Certificate(&pair))?,
            )?;
        }
        Ok(())
    }

    fn direct(&self, identity: &Identity<'_>) -> Result<String> {
        let outside = kubeconfig::render(&self.name, &self.api_url(), self.ca(), identity)?;
        kubeconfig::within(&outside, &self.api_url())
    }

    async fn client(&self) -> Result<Client> {
        kubeconfig::client(&self.direct(&Identity::Certificate(&self.admin))?).await
    }
}

/// The running processes of a cluster.
pub struct Cluster {
    pub client: Client,
    /// In the order in which they were started.
    children: Vec<Child>,
}

impl Cluster {
    /// Starts the API server; [`Cluster::complete`] does the rest once it answers.
    pub async fn start(
        plan: &Plan,
        nursery: &Nursery,
        tools: &Tools,
        etcd: &str,
        links: &Links,
    ) -> Result<Self> {
        let programs = Programs::start(&plan.name).await?;
        let client = plan.client().await?;
        let node = SocketAddr::from((Ipv4Addr::LOCALHOST, plan.node_port));
        let egress = Egress { node, programs: programs.clone(), client: client.clone() };
        let socket = plan.folder.join("egress.sock");
        egress.serve(&socket)?;
        plan.write("egress.yaml", &arguments::egress_configuration(&socket))?;
        plan.write("kwok.yaml", &kwok::configuration(plan, &tools.stages, &programs)?)?;
        links.add(&plan.name, plan.link_port, plan.api_port).await?;

        let mut cluster = Self { client, children: Vec::new() };
        cluster
            .add(plan, nursery, tools, "kube-apiserver", arguments::api_server(plan, etcd))
            .await?;
        Ok(cluster)
    }

    /// Waits for the API server, starts what runs beside it, and gives the cluster its nodes, its viewer and its life.
    pub async fn complete(&mut self, plan: &Plan, nursery: &Nursery, tools: &Tools) -> Result<()> {
        self.await_api().await?;
        self.add(
            plan,
            nursery,
            tools,
            "kube-controller-manager",
            arguments::controller_manager(plan),
        )
        .await?;
        self.add(plan, nursery, tools, "kube-scheduler", arguments::scheduler()).await?;
        self.add(plan, nursery, tools, "kwok", arguments::kwok(plan)).await?;

        life::nodes::create(&self.client, plan).await.context("cannot create the nodes")?;
        life::apply_all(&self.client, plan).await.context("cannot create the teams' workloads")?;
        let token = viewer::create(&self.client, plan.token_hours)
            .await
            .context("cannot create the viewer")?;
        let viewer =
            kubeconfig::render(&plan.name, &plan.link_url(), plan.ca(), &Identity::Token(&token))?;
        plan.write("viewer.kubeconfig", &viewer)?;
        wait::until("the nodes to be Ready", START_LIMIT, async || {
            self.check()?;
            Ok::<_, anyhow::Error>(
                life::nodes::all_ready(&self.client, plan.nodes).await?.then_some(()),
            )
        })
        .await
    }

    async fn await_api(&self) -> Result<()> {
        wait::until("the API server", START_LIMIT, async || -> Result<Option<()>> {
            self.check()?;
            let request = http::Request::get("/readyz").body(Vec::new())?;
            self.client.request_text(request).await?;
            Ok(Some(()))
        })
        .await
        // A wait that ends because the server died has the server's own last words to show.
        .map_err(|error| self.check().err().unwrap_or(error))
    }

    async fn add(
        &mut self,
        plan: &Plan,
        nursery: &Nursery,
        tools: &Tools,
        program: &str,
        args: Vec<String>,
    ) -> Result<()> {
        self.children.push(start(plan, nursery, tools, program, args).await?);
        Ok(())
    }

    /// Ends the API server with no time to say goodbye, and starts it again: on the same port, with the files as they are.
    pub async fn restart(
        &mut self,
        plan: &Plan,
        nursery: &Nursery,
        tools: &Tools,
        etcd: &str,
    ) -> Result<()> {
        let api_server = self.children.first().context("a cluster has an API server")?;
        api_server.stop(Duration::ZERO).await;
        self.children[0] =
            start(plan, nursery, tools, "kube-apiserver", arguments::api_server(plan, etcd))
                .await?;
        self.await_api().await
    }

    /// An error as soon as one process of the cluster has ended.
    pub fn check(&self) -> Result<()> {
        self.children.iter().try_for_each(Child::check)
    }

    /// Waits until a process ends that should not.
    pub async fn fails(&self) {
        let ends = self.children.iter().map(|child| Box::pin(child.ended()));
        futures::future::select_all(ends).await;
    }

    /// Stops the components first and the API server last, so that nobody complains of its absence.
    pub async fn stop(&self) {
        let Some((api_server, others)) = self.children.split_first() else {
            return;
        };
        futures::future::join_all(others.iter().map(|child| child.stop(STOP_GRACE))).await;
        api_server.stop(STOP_GRACE).await;
    }
}

async fn start(
    plan: &Plan,
    nursery: &Nursery,
    tools: &Tools,
    program: &str,
    args: Vec<String>,
) -> Result<Child> {
    let runs_exec = program == "kwok";
    let spec = Spec {
        name: format!("{}/{program}", plan.name),
        program: tools.program(program),
        args,
        folder: plan.folder.clone(),
        log: plan.folder.join(format!("{program}.log")),
        // KWOK runs what `exec` asks for, and looks for it on its own PATH.
        path: runs_exec.then(|| kwok::search_path(&plan.folder)),
        has_descendants: runs_exec,
    };
    nursery.start(spec).await
}
