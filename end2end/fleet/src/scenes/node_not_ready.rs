//! `node-not-ready`: a node is gone. Its lease belongs to somebody who never renews it, so KWOK lets go of the node and of its
//! pods, and a real node controller finds that out: after some 50 s the node's conditions are Unknown, it is tainted, its
//! pods are not ready, and after 5 min they are to be deleted, which nobody on that node hears.

use anyhow::Result;
use k8s_openapi::api::{coordination::v1::Lease, core::v1::Node};
use kube::{
    Api, ResourceExt,
    api::{DeleteParams, ListParams, Patch, PatchParams},
};
use serde_json::json;

use super::Stage;
use crate::MARK;

const NAMESPACE: &str = "kube-node-lease";
/// Who holds the lease of a node that is gone.
const NOBODY: &str = "gone";
/// Longer than any fleet lives.
const FOR_EVER: i32 = 365 * 24 * 60 * 60;

pub async fn play(stage: &Stage) -> Result<()> {
    let client = stage.client().await?;
    let nodes = Api::<Node>::all(client.clone()).list(&ListParams::default()).await?;
    // The last without GPUs: the first may have a taint from another scene.
    let plain = |node: &&Node| {
        !node.labels().contains_key("nvidia.com/gpu.present")
            && !node.labels().contains_key(&format!("{MARK}/scene"))
    };
    let Some(node) = nodes.items.iter().rfind(plain) else { return Ok(()) };
    let patch = json!({ "spec": { "holderIdentity": NOBODY, "leaseDurationSeconds": FOR_EVER } });
    let leases = Api::<Lease>::namespaced(client, NAMESPACE);
    leases.patch(&node.name_any(), &PatchParams::default(), &Patch::Merge(patch)).await?;
    Ok(())
}

pub async fn undo(stage: &Stage) -> Result<()> {
    let leases = Api::<Lease>::namespaced(stage.client().await?, NAMESPACE);
    for lease in leases.list(&ListParams::default()).await? {
        let holder = lease.spec.as_ref().and_then(|spec| spec.holder_identity.as_deref());
        if holder == Some(NOBODY) {
            // KWOK makes a new one, and with it the node is its own again.
            leases.delete(&lease.name_any(), &DeleteParams::default()).await?;
        }
    }
    Ok(())
}
