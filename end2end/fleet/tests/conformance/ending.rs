//! However a fleet ends, nothing of it is left: asked, orphaned, or killed with no chance to say goodbye.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::{Child, Command},
};

use fleet::{guard::children_of, state::Fleet};
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, api::AttachParams};
use rustix::process::{Pid, Signal};

use crate::practice::{await_ready, client, echo_pod, eventually, eventually_in, start};

/// A process, told apart from a later one with the same number by the time of its start.
type Process = (i32, String);

fn place(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

fn started_at(pid: i32) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = stat.rsplit_once(')')?;
    // A zombie is over; only its parent has not looked yet.
    let mut fields = fields.split_whitespace();
    (fields.next()? != "Z").then_some(())?;
    fields.nth(18).map(ToOwned::to_owned)
}

/// All that came of a process, itself included.
fn family(root: u32) -> BTreeSet<Process> {
    let mut found = BTreeSet::new();
    let mut pending = vec![i32::try_from(root).expect("a process id")];
    while let Some(pid) = pending.pop() {
        if let Some(started) = started_at(pid) {
            found.insert((pid, started));
            pending.extend(children_of(pid));
        }
    }
    found
}

fn await_all_gone(family: &BTreeSet<Process>) {
    eventually("every process to be gone", || {
        let left = family.iter().any(|(pid, started)| started_at(*pid).as_ref() == Some(started));
        (!left).then_some(())
    });
}

fn signal(process: &Child, signal: Signal) {
    let pid = i32::try_from(process.id()).ok().and_then(Pid::from_raw).expect("a process id");
    rustix::process::kill_process(pid, signal).expect("sent");
}

/// Runs a program in a pod that stays, together with one that has left its session.
async fn stay_in_a_pod(fleet: &Fleet, root: u32) {
    let client = client(&fleet.clusters[0].admin_kubeconfig).await;
    let pod = echo_pod(&client).await;
    let before = family(root).len();
    let pods = Api::<Pod>::namespaced(client, "agents");
    let command = ["sh", "-c", "setsid sleep 3000 & sleep 3000"];
    let _process = pods.exec(&pod, command, &AttachParams::default()).await.expect("exec");
    eventually_in("the programs in the pod", async || {
        Ok((family(root).len() >= before + 3).then_some(()))
    })
    .await;
}

#[tokio::test]
async fn no_child_is_left_after_kill_9() {
    let folder = place("k");
    let mut process = start(&folder, 1);
    let fleet = await_ready(&folder);
    stay_in_a_pod(&fleet, process.id()).await;
    let family = family(process.id());
    // fleet, etcd, toxiproxy, API server, controller manager, scheduler, KWOK and its guard, three in the pod.
    assert!(family.len() >= 11, "{family:?}");

    signal(&process, Signal::KILL);
    process.wait().expect("it ends");
    await_all_gone(&family);
}

#[tokio::test]
async fn down_ends_the_fleet_in_order() {
    let folder = place("d");
    let mut process = start(&folder, 1);
    await_ready(&folder);
    let family = family(process.id());
    let _stdin = process.stdin.take();
    let down =
        Command::new(env!("CARGO_BIN_EXE_fleet")).args(["down", "--dir"]).arg(&folder).status();
    assert!(down.expect("the command runs").success());
    assert!(process.wait().expect("it ends").success());
    await_all_gone(&family);
    assert!(Fleet::load(&folder).is_err(), "nothing claims to run there");
}

#[tokio::test]
async fn a_fleet_that_is_interrupted_while_it_starts_ends_too() {
    let folder = place("i");
    let mut process = start(&folder, 1);
    eventually("its first children", || (family(process.id()).len() > 2).then_some(()));
    let family = family(process.id());
    drop(process.stdin.take());
    assert!(process.wait().expect("it ends").success());
    await_all_gone(&family);
}

#[tokio::test]
async fn a_fleet_without_its_etcd_says_so_and_ends() {
    let folder = place("e");
    let mut process = start(&folder, 1);
    await_ready(&folder);
    // Kept open: to wait for a child closes its standard input, which would be a reason to end by itself.
    let _stdin = process.stdin.take();
    let family = family(process.id());
    let etcd = family.iter().find(|(pid, _)| is_etcd(*pid)).expect("etcd runs");
    rustix::process::kill_process(Pid::from_raw(etcd.0).expect("a process id"), Signal::KILL)
        .expect("sent");
    assert!(!process.wait().expect("it ends").success());
    await_all_gone(&family);
    let log = std::fs::read_to_string(folder.join("up.log")).expect("a log");
    assert!(log.contains("etcd ended"), "{log}");
}

fn is_etcd(pid: i32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name.trim() == "etcd")
}
