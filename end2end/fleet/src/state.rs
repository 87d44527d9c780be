//! `fleet.json`: what a running fleet tells the world about itself, and the lock that says that it runs.
//!
//! Readers may look at any time: the file is replaced whole, never written in place.

use std::{
    fs::{self, File, TryLockError},
    path::{Path, PathBuf},
    sync::Mutex,
};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

const FILE: &str = "fleet.json";
const LOCK: &str = "fleet.lock";

/// The whole of `fleet.json`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Fleet {
    /// The process to ask for an end.
    pub pid: u32,
    /// The API of toxiproxy, through which scenes act on the links.
    pub toxiproxy: String,
    /// The client address of the etcd that all clusters share.
    pub etcd: String,
    pub clusters: Vec<Cluster>,
    /// Further addresses, where some were asked for.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub fronts: Option<Fronts>,
}

/// Ports beside the clusters' own.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Fronts {
    /// A context for each, with a viewer's token; those of a cluster are there as soon as it is ready.
    pub kubeconfig: PathBuf,
    pub all: Vec<Front>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Front {
    /// Its context, too.
    pub name: String,
    pub url: String,
    /// `through`, `black_hole`, `unreachable`, `refusing`, `stranger`.
    pub fate: String,
    /// The cluster that it leads to, or whose credential it is given.
    pub cluster: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Cluster {
    pub name: String,
    pub state: State,
    /// Where the API server listens; only the cluster's own components use it.
    pub api_url: String,
    /// Where the kubeconfigs point: the link that scenes cut and slow.
    pub proxied_url: String,
    /// The cluster's certificate authority, PEM.
    pub ca: String,
    pub admin_kubeconfig: PathBuf,
    /// Reads everything but secrets and changes nothing.
    pub viewer_kubeconfig: PathBuf,
    /// Why the cluster is in the state `failed`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub error: Option<String>,
    /// From the start of the fleet until the cluster was ready.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ready_after_ms: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    Starting,
    Ready,
    Failed,
}

impl State {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Ready => "ready",
            Self::Failed => "failed",
        }
    }
}

impl Cluster {
    /// Where the cluster's keys, logs and kubeconfigs lie.
    pub fn folder(&self) -> &Path {
        self.admin_kubeconfig.parent().unwrap_or(Path::new(""))
    }
}

impl Fleet {
    /// Reads what the fleet in `folder` last wrote.
    pub fn load(folder: &Path) -> Result<Self> {
        let path = folder.join(FILE);
        let text = fs::read(&path).with_context(|| {
            format!("no fleet in {} (start one with `fleet up`)", folder.display())
        })?;
        serde_json::from_slice(&text)
            .with_context(|| format!("{} is not a fleet's file", path.display()))
    }

    /// The cluster called `name`, or the first one.
    pub fn cluster(&self, name: Option<&str>) -> Result<&Cluster> {
        let found = match name {
            Some(name) => self.clusters.iter().find(|cluster| cluster.name == name),
            None => self.clusters.first(),
        };
        found.with_context(|| {
            let names: Vec<_> = self.clusters.iter().map(|cluster| cluster.name.as_str()).collect();
            format!("no cluster {}; there are: {}", name.unwrap_or("at all"), names.join(", "))
        })
    }
}

/// The fleet's own view of its state folder: it alone writes there, and holds the lock while it lives.
pub struct StateFolder {
    folder: PathBuf,
    fleet: Mutex<Fleet>,
    _lock: File,
}

impl StateFolder {
    /// Takes the folder, and clears away what an earlier fleet left in it.
    pub fn claim(folder: &Path, fleet: Fleet) -> Result<Self> {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let lock = File::create(folder.join(LOCK))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => bail!("a fleet already runs in {}", folder.display()),
            Err(TryLockError::Error(error)) => {
                return Err(error).context("cannot lock the state folder");
            }
        }
        let run = folder.join("run");
        if run.exists() {
            fs::remove_dir_all(&run).with_context(|| format!("cannot clear {}", run.display()))?;
        }
        fs::create_dir_all(&run)?;
        let state = Self { folder: folder.canonicalize()?, fleet: Mutex::new(fleet), _lock: lock };
        state.change(|_| ())?;
        Ok(state)
    }

    /// Where logs, sockets, keys and data go; made anew by each fleet.
    pub fn run(&self) -> PathBuf {
        self.folder.join("run")
    }

    /// Changes what `fleet.json` says.
    pub fn change(&self, change: impl FnOnce(&mut Fleet)) -> Result<()> {
        let mut fleet = self.fleet.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        change(&mut fleet);
        write_whole(&self.folder.join(FILE), &serde_json::to_vec_pretty(&*fleet)?)
    }

    pub fn change_cluster(&self, name: &str, change: impl FnOnce(&mut Cluster)) -> Result<()> {
        self.change(|fleet| {
            if let Some(cluster) = fleet.clusters.iter_mut().find(|cluster| cluster.name == name) {
                change(cluster);
            }
        })
    }

    /// Says that nothing runs here any more.
    pub fn retire(&self) -> Result<()> {
        fs::remove_file(self.folder.join(FILE)).context("cannot remove fleet.json")
    }
}

/// Whether a living fleet holds the folder; the lock tells, so a stale file of a killed one deceives nobody.
pub fn is_held(folder: &Path) -> bool {
    File::open(folder.join(LOCK))
        .is_ok_and(|lock| matches!(lock.try_lock(), Err(TryLockError::WouldBlock)))
}

/// Writes beside the target and renames, readable by the owner only: kubeconfigs pass here too.
pub fn write_whole(path: &Path, content: &[u8]) -> Result<()> {
    use std::{io::Write, os::unix::fs::OpenOptionsExt};
    let draft = path.with_extension("draft");
    let mut file =
        fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
    file.write_all(content)?;
    fs::rename(&draft, path).with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nobody() -> Fleet {
        Fleet {
            pid: 1,
            toxiproxy: String::new(),
            etcd: String::new(),
            clusters: Vec::new(),
            fronts: None,
        }
    }

    #[test]
    fn a_folder_serves_one_fleet_at_a_time() {
        let folder = tempfile::tempdir().expect("a folder");
        assert!(!is_held(folder.path()));
        let held = StateFolder::claim(folder.path(), nobody()).expect("free");
        assert!(is_held(folder.path()));
        let refused = StateFolder::claim(folder.path(), nobody());
        assert!(refused.err().expect("it is taken").to_string().contains("already runs"));
        drop(held);
        assert!(!is_held(folder.path()));
    }

    #[test]
    fn a_folder_without_a_fleet_says_how_to_start_one() {
        let folder = tempfile::tempdir().expect("a folder");
        let error = Fleet::load(folder.path()).expect_err("nothing is there");
        assert!(error.to_string().contains("fleet up"));
    }

    #[test]
    fn an_unknown_cluster_is_answered_with_the_known_ones() {
        let error = nobody().cluster(Some("atlantis")).expect_err("there is none");
        assert!(error.to_string().contains("atlantis"));
    }
}
