//! The programs and KWOK stages that the fleet runs, all in one folder that `cargo xtask` builds.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

const PROGRAMS: [&str; 6] =
    ["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok", "toxiproxy"];

/// Stages of KWOK that we take as they are; our own are in `stages/`.
const STAGES: [&str; 4] = [
    "node/fast/node-initialize.yaml",
    "node/heartbeat-with-lease/node-heartbeat-with-lease.yaml",
    "pod/fast/pod-ready.yaml",
    "pod/fast/pod-delete.yaml",
];

pub struct Tools {
    folder: PathBuf,
    /// KWOK's stages, one YAML text with a document each.
    pub stages: String,
}

impl Tools {
    pub fn find(folder: &Path) -> Result<Self> {
        let advice = "build them with `cargo xtask test fleet` or `cargo xtask demo`";
        for program in PROGRAMS {
            if !folder.join(program).is_file() {
                bail!("{} has no {program}: {advice}", folder.display());
            }
        }
        let stages = STAGES
            .iter()
            .map(|stage| {
                let path = folder.join("stage").join(stage);
                std::fs::read_to_string(&path)
                    .with_context(|| format!("cannot read {}: {advice}", path.display()))
            })
            .collect::<Result<Vec<_>>>()?
            .join("\n---\n");
        Ok(Self { folder: folder.canonicalize()?, stages })
    }

    pub fn program(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_lacks_a_program_is_told_what_to_run() {
        let folder = tempfile::tempdir().expect("a folder");
        let error = Tools::find(folder.path()).err().expect("it is empty");
        assert!(error.to_string().contains("has no etcd"));
        assert!(error.to_string().contains("cargo xtask"));
    }
}
