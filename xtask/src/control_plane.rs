//! Owns building the control plane of the practice fleet: Kubernetes, etcd, KWOK and toxiproxy from the Go modules that
//! `end2end/control-plane/go.mod` pins. Must not start any of it.
//!
//! The result lies outside the tree, in a folder whose name says what it was made of. It is built beside that place and
//! renamed, so that an interrupted build is never taken for a whole one.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use sha2::{Digest, Sha256};

use crate::process;
use crate::setup::{lock, version};

/// Changes when the way of building does, so that what was built another way is not taken for it.
const RECIPE: &str = "1";

/// Where the modules are pinned, below the workspace.
const SOURCE: &str = "end2end/control-plane";

const KUBERNETES: &str = "k8s.io/kubernetes";
const KWOK: &str = "sigs.k8s.io/kwok";

/// What decides the result; the file of Go is what we add to KWOK.
const INPUTS: [&str; 3] = ["go.mod", "go.sum", "kwok/exit_status.go"];

/// Packages that are built into a folder, or, where the package's own name says too little, into a file.
const PROGRAMS: [(&str, &[&str]); 3] = [
    (
        "",
        &[
            "k8s.io/kubernetes/cmd/kube-apiserver",
            "k8s.io/kubernetes/cmd/kube-controller-manager",
            "k8s.io/kubernetes/cmd/kube-scheduler",
            "k8s.io/kubernetes/cmd/kubectl",
            "sigs.k8s.io/kwok/cmd/kwok",
        ],
    ),
    ("etcd", &["go.etcd.io/etcd/server/v3"]),
    ("toxiproxy", &["github.com/Shopify/toxiproxy/v2/cmd/server"]),
];

/// Builds what is missing and gives the folder with the programs, and with KWOK's stages in `stage/`.
pub fn ensure(cache: &Path, workspace: &Path) -> Result<PathBuf> {
    version::ensure_go()?;
    let source = workspace.join(SOURCE);
    let home = cache.join("control-plane");
    let go_version = go(&source, &["env", "GOVERSION", "GOARCH"])?;
    let whole = home.join(key(&source, &INPUTS, &go_version)?);
    if whole.is_dir() {
        return Ok(whole);
    }
    let _lock = lock(&home)?;
    // Another run may have built it while this one waited.
    if whole.is_dir() {
        return Ok(whole);
    }
    let draft = Draft { source: &source, folder: home.join("draft"), log: home.join("build.log") };
    draft.build().with_context(|| {
        format!(
            "the control plane was not built; its modules are in {SOURCE}, and Go's words in {}",
            draft.log.display()
        )
    })?;
    fs::rename(draft.programs(), &whole)
        .with_context(|| format!("cannot make {}", whole.display()))?;
    remove(&draft.folder)?;
    Ok(whole)
}

/// A build on its way.
struct Draft<'a> {
    source: &'a Path,
    folder: PathBuf,
    log: PathBuf,
}

impl Draft<'_> {
    fn programs(&self) -> PathBuf {
        self.folder.join("programs")
    }

    fn build(&self) -> Result<()> {
        remove(&self.folder)?;
        fs::create_dir_all(self.programs())?;
        let go_mod = fs::read_to_string(self.source.join("go.mod"))?;
        let kwok = self.patch_kwok()?;
        copy_tree(&kwok.join("kustomize/stage"), &self.programs().join("stage"))?;

        // A module file of its own: the one in the tree must not name a folder of this machine.
        let modules = self.folder.join("go.mod");
        fs::write(&modules, format!("{go_mod}\nreplace {KWOK} => {}\n", kwok.display()))?;
        fs::copy(self.source.join("go.sum"), self.folder.join("go.sum"))?;
        let flags = linker_flags(&go_mod)?;
        for (file, packages) in PROGRAMS {
            let mut modfile = OsString::from("-modfile=");
            modfile.push(&modules);
            let mut command = process::command("go");
            command.current_dir(self.source).env("CGO_ENABLED", "0").env("GOWORK", "off");
            command.args(["build", "-trimpath"]).arg(modfile).args(["-ldflags", &flags, "-o"]);
            // With its closing slash, which `join("")` gives, it is a folder to Go.
            command.arg(self.programs().join(file)).args(packages);
            process::run_logged(&mut command, &self.log)?;
        }
        Ok(())
    }

    /// A copy of KWOK in which `exec` tells exit codes; `exit_status.go` says why.
    fn patch_kwok(&self) -> Result<PathBuf> {
        let mut download = process::command("go");
        download.current_dir(self.source).env("GOWORK", "off").args(["mod", "download", KWOK]);
        process::run_logged(&mut download, &self.log)?;
        let original = go(self.source, &["list", "-m", "-f", "{{.Dir}}", KWOK])?;
        let copy = self.folder.join("kwok");
        copy_tree(Path::new(original.trim()), &copy)?;
        let server = copy.join("pkg/kwok/server");
        fs::copy(self.source.join("kwok/exit_status.go"), server.join("exit_status.go"))?;
        let exec = server.join("debugging_exec.go");
        fs::write(&exec, with_exit_status(&fs::read_to_string(&exec)?)?)?;
        Ok(copy)
    }
}

/// Lets both ways of an exec, with a terminal and without, pass their error through `exitStatus`.
fn with_exit_status(source: &str) -> Result<String> {
    let mut text = source.to_owned();
    for call in [
        "s.execInContainerWithTTY(ctx, cmd, in, stdout, resize)",
        "s.execInContainer(ctx, cmd, in, stdout, stderr)",
    ] {
        let before = format!("return {call}");
        ensure!(
            text.matches(&before).count() == 1,
            "this KWOK has not one `{before}`; look whether it still needs the patch"
        );
        text = text.replace(&before, &format!("return exitStatus({call})"));
    }
    Ok(text)
}

/// Without them clients choke on the version of a build from source.
fn linker_flags(go_mod: &str) -> Result<String> {
    let version =
        kubernetes_version(go_mod).context("go.mod does not require k8s.io/kubernetes")?;
    let mut parts = version.trim_start_matches('v').split('.');
    let (major, minor) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let stamps = ["k8s.io/component-base/version", "k8s.io/client-go/pkg/version"].map(|package| {
        format!(
            "-X {package}.gitVersion={version} -X {package}.gitCommit=unknown -X {package}.gitTreeState=clean \
             -X {package}.gitMajor={major} -X {package}.gitMinor={minor}"
        )
    });
    Ok(format!("-s -w {}", stamps.join(" ")))
}

fn kubernetes_version(go_mod: &str) -> Option<&str> {
    go_mod.lines().find_map(|line| {
        let line = line.trim().trim_start_matches("require ");
        line.strip_prefix(KUBERNETES)?
            .strip_prefix(' ')?
            .split_whitespace()
            .next()
            .filter(|version| version.starts_with('v'))
    })
}

/// The name of the folder: what was built, with what, and how.
pub fn key(source: &Path, inputs: &[&str], go: &str) -> Result<String> {
    let mut hash = Sha256::new();
    for part in [RECIPE, go.trim()] {
        hash.update(part);
        hash.update([0]);
    }
    for input in inputs {
        let path = source.join(input);
        let content = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        hash.update(u64::try_from(content.len())?.to_be_bytes());
        hash.update(content);
    }
    // 64 bits tell apart more builds than anyone makes.
    let digest = hash.finalize();
    let start = digest.as_slice().first_chunk().copied().context("a digest is longer")?;
    Ok(format!("{:016x}", u64::from_be_bytes(start)))
}

/// Asks Go, in the folder of a module of ours.
pub fn go(folder: &Path, arguments: &[&str]) -> Result<String> {
    process::capture(
        process::command("go").current_dir(folder).env("GOWORK", "off").args(arguments),
    )
}

/// Copies contents only: Go's module cache is read-only, and what is copied will be changed and removed.
fn copy_tree(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        let kind = entry.file_type()?;
        if kind.is_dir() {
            copy_tree(&entry.path(), &target)?;
        } else if kind.is_file() {
            fs::write(target, fs::read(entry.path())?)?;
        }
    }
    Ok(())
}

fn remove(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", folder.display()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GO_MOD: &str = "module x\n\nrequire (\n\tk8s.io/kubernetes v1.36.3 // indirect\n)\n\nreplace k8s.io/kubernetes/x => y v0\n";

    #[test]
    fn the_version_is_what_the_module_file_requires() {
        assert_eq!(kubernetes_version(GO_MOD), Some("v1.36.3"));
        assert_eq!(kubernetes_version("require k8s.io/kubernetes v1.2.3\n"), Some("v1.2.3"));
        assert_eq!(kubernetes_version("module x\n"), None);
        let flags = linker_flags(GO_MOD).expect("a version");
        assert!(flags.contains("component-base/version.gitMinor=36"), "{flags}");
    }

    #[test]
    fn the_patch_refuses_a_kwok_that_it_does_not_know() {
        let known = "return s.execInContainerWithTTY(ctx, cmd, in, stdout, resize)\n\
                     return s.execInContainer(ctx, cmd, in, stdout, stderr)\n";
        let patched = with_exit_status(known).expect("known");
        assert_eq!(patched.matches("return exitStatus(s.exec").count(), 2);
        assert!(with_exit_status("package server\n").is_err());
        assert!(with_exit_status(&patched).is_err());
    }

    #[test]
    fn any_input_changes_the_key() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir(folder.path().join("kwok")).expect("made");
        for input in INPUTS {
            fs::write(folder.path().join(input), "a").expect("written");
        }
        let before = key(folder.path(), &INPUTS, "go1.26.0").expect("a key");
        assert_eq!(before, key(folder.path(), &INPUTS, "go1.26.0\n").expect("a key"));
        assert_ne!(before, key(folder.path(), &INPUTS, "go1.26.1").expect("a key"));
        for input in INPUTS {
            fs::write(folder.path().join(input), "b").expect("written");
            assert_ne!(before, key(folder.path(), &INPUTS, "go1.26.0").expect("a key"), "{input}");
            fs::write(folder.path().join(input), "a").expect("written");
        }
    }

    #[test]
    fn a_copy_can_be_removed_though_its_original_is_read_only() {
        let folder = tempfile::tempdir().expect("a folder");
        let from = folder.path().join("from");
        fs::create_dir_all(from.join("deep")).expect("made");
        fs::write(from.join("deep/file"), "text").expect("written");
        let file = from.join("deep/file");
        let mut rights = fs::metadata(&file).expect("rights").permissions();
        rights.set_readonly(true);
        fs::set_permissions(&file, rights).expect("set");
        let to = folder.path().join("to");
        copy_tree(&from, &to).expect("copied");
        assert_eq!(fs::read_to_string(to.join("deep/file")).expect("read"), "text");
        assert!(!fs::metadata(to.join("deep/file")).expect("rights").permissions().readonly());
        remove(&to).expect("removed");
        remove(&to).expect("nothing there is as good as removed");
    }
}
