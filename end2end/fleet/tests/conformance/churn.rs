//! `churn`: pods come and go while it plays, and nothing of it is left after its undo.

use std::{collections::BTreeSet, process::Command};

use k8s_openapi::api::core::v1::{Namespace, Node, Pod};
use kube::{Api, ResourceExt, api::ListParams};

use crate::{
    practice::{LAGOON, admin, eventually_in, fleet, folder, is_running},
    scenes::{LINK, scene},
};

#[tokio::test]
async fn pods_come_and_go_until_the_undo() {
    let _link = LINK.lock().await;
    let client = admin(LAGOON).await;
    let output = Command::new(env!("CARGO_BIN_EXE_fleet"))
        .args(["scene", "churn", "--pods", "60", "--rate", "5", "--cluster"])
        .args([&fleet().clusters[LAGOON].name, "--dir"])
        .arg(folder())
        .output()
        .expect("the command runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    let pods = Api::<Pod>::namespaced(client.clone(), "churn");
    let first: BTreeSet<_> = eventually_in("sixty pods that run", async || {
        let all = pods.list(&ListParams::default()).await?;
        let running: BTreeSet<_> =
            all.iter().filter(|pod| is_running(pod)).map(ResourceExt::name_any).collect();
        Ok((running.len() >= 60).then_some(running))
    })
    .await;
    eventually_in("others in the place of ten of them", async || {
        let all = pods.list(&ListParams::default()).await?;
        let now: BTreeSet<_> = all.iter().map(ResourceExt::name_any).collect();
        Ok((first.difference(&now).count() >= 10 && now.len() >= 60).then_some(()))
    })
    .await;

    scene("churn", LAGOON, true);
    assert!(Api::<Namespace>::all(client.clone()).get_opt("churn").await.expect("asked").is_none());
    eventually_in("the nodes of before", async || {
        let nodes = Api::<Node>::all(client.clone()).list(&ListParams::default()).await?;
        Ok((nodes.items.len() == 3).then_some(()))
    })
    .await;
}
