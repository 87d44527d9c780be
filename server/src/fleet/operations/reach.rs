//! What the types about one cluster have in common: their spec, the cluster that a run is about, and a look at it with
//! what is stored.

use std::time::Duration;

use app::{
    fleet::{model::Transport, preflight::Preflight, trouble::Trouble},
    identity::{Capability, Reach},
};
use uuid::Uuid;

use crate::{
    fleet::{
        Clients, FleetError, Purpose,
        clients::Made,
        preflight::{self, Known},
        rotation::verdict,
        store::{self, credentials::validated, discovery},
    },
    operations::{
        failure::Failure,
        run::Run,
        spec::{Limits, RetrySafety, Retryable, Spec},
    },
    store::Db,
};

/// They ask, and write down what they were told: safe to repeat, one at a time for a cluster. Each says what it is.
pub(super) const SPEC: Spec = Spec {
    kind: "",
    label: "",
    summary: "",
    capability: Capability::FleetManage,
    queue: "fleet",
    limits: Limits { per_type: Some(16), per_target: Some(1) },
    budget: Duration::from_mins(2),
    cancelable: true,
    retryable: Retryable::Yes,
    retry_safety: RetrySafety::Safe,
    secrets: &[],
    input_version: 1,
    runbook: "",
};

/// What opens a cluster, as a run finds it.
pub(super) enum Way {
    /// By the credential of this version; 0 where the console's own identity is used.
    Open(i64),
    /// An outpost is to come, or a credential.
    Shut(Trouble),
}

/// A run and the cluster of its target.
pub(super) struct Visit<'a> {
    pub run: &'a Run,
    pub db: &'a Db,
    pub clients: &'a Clients,
    pub id: Uuid,
}

/// `cluster:<id>`
pub(super) fn target(run: &Run) -> Result<Uuid, Failure> {
    let target = run.facts().target.as_deref();
    let id = target.and_then(|target| Uuid::parse_str(target.strip_prefix("cluster:")?).ok());
    id.ok_or_else(|| Failure::new("no_target", "The target names no cluster: cluster:<id>."))
}

pub(super) fn gone() -> Failure {
    Failure::new("cluster_gone", "The cluster was removed, or was never registered.")
}

pub(super) fn failed(trouble: Trouble) -> Failure {
    Failure::new(trouble.as_str(), format!("{} {}", trouble.says(), trouble.way_out()))
}

impl Visit<'_> {
    pub async fn way(&self) -> Result<(Way, Known), Failure> {
        let found = store::find(self.db, &Reach::Everything, &self.id.to_string()).await?;
        let found = found.ok_or_else(gone)?;
        let known = Known::of(&found);
        let way = match (found.transport, &found.credential) {
            (Transport::Outpost, _) => Way::Shut(Trouble::NoOutpost),
            (Transport::Direct, None) => Way::Shut(Trouble::NoCredential),
            (Transport::Direct, Some(meta)) => Way::Open(meta.version),
            (Transport::InCluster, _) => Way::Open(0),
        };
        Ok((way, known))
    }

    /// Looks at the cluster with what is stored now, keeps what it says beside the credential, and tells the log what
    /// the credential should not be able to do, and what it lacks.
    pub async fn look(&self, known: &Known) -> Result<Preflight, Failure> {
        let clock = self.db.clock();
        let (found, version) = match self.clients.of(self.id, Purpose::Validation).await {
            Ok(client) => {
                let made =
                    Made { client: client.client.clone(), handshakes: client.handshakes.clone() };
                (preflight::look(&made, known, clock).await, client.version)
            }
            Err(FleetError::Missing) => return Err(gone()),
            Err(FleetError::Store(error)) => return Err(error.into()),
            Err(error) => {
                let trouble = error.trouble().unwrap_or(Trouble::Credential);
                (preflight::failed(trouble, known, clock), -1)
            }
        };
        let identity = found.identity.as_deref().filter(|_| found.is_open());
        let (id, says) = (self.id.to_string(), verdict(&found));
        let mut tx = self.db.begin().await?;
        validated(&mut tx, &id, version, says, identity).await?;
        if !found.is_open() {
            let now = tx.now().await?;
            discovery::due(&mut tx, &id, now).await?;
        }
        tx.commit(Vec::new()).await?;
        for excess in &found.excess {
            self.run
                .warn(format!("It may {}, and should not: {}", excess.what, excess.why))
                .await?;
        }
        for missing in &found.missing {
            let what = missing.what.join(", ");
            self.run.log(format!("{} lacks: {what}.", missing.feature)).await?;
        }
        Ok(found)
    }
}

/// Who opened what.
pub(super) fn opened(found: &Preflight) -> String {
    let who = found.identity.as_deref().unwrap_or("an identity that the cluster does not name");
    let version = found.kubernetes_version.as_deref().unwrap_or("of unknown version");
    let lacking = match found.missing.len() {
        0 => String::new(),
        1 => " One feature lacks rights; the log names it.".to_owned(),
        n => format!(" {n} features lack rights; the log names them."),
    };
    format!("Kubernetes {version} knows it as {who}.{lacking}")
}
