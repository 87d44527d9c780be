//! `fleet.rotate`: proves a credential that was stored in place of another: the next client is made with it, the API
//! server says who it is and what it may, and what is installed is asked with its eyes. Queued in the transaction that
//! stores it. Safe to repeat: it asks, and writes down what it was told.

use app::operations::inputs::{FieldKind, InputField};
use serde::{Deserialize, Serialize};

use super::{
    discover::Discovering,
    reach::{self, Visit, Way},
};
use crate::{
    fleet::Clients,
    operations::{
        failure::Failure,
        run::{Done, Run},
        spec::{Catalog, Spec},
    },
    store::Db,
};

pub const SPEC: Spec = Spec {
    kind: "fleet.rotate",
    label: "Rotate a cluster's credential",
    summary: "Proves the credential that was stored for a cluster, and asks with it what is installed; changes nothing there.",
    runbook: include_str!("rotate.md"),
    ..reach::SPEC
};

/// Which cluster it is stands in the target: `cluster:<id>`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// The version of the credential that is to be proven.
    pub version: i64,
}

pub const INPUTS: &[InputField] = &[InputField {
    name: "version",
    label: "Version",
    help: "Of the stored credential that is to be proven; the cluster's page names it.",
    required: true,
    kind: FieldKind::Integer { min: 1, max: i64::MAX },
}];

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum Proven {
    Yes,
    /// Another one was stored since, and is proven by a run of its own.
    Replaced,
}

/// Adds the type to the catalog.
#[must_use]
pub fn register(catalog: Catalog, db: &Db, clients: &Clients) -> Catalog {
    let (db, clients) = (db.clone(), clients.clone());
    catalog.with_inputs(SPEC, INPUTS, move |run: Run, input: Input| {
        let (db, clients) = (db.clone(), clients.clone());
        async move {
            let id = reach::target(&run)?;
            let visit = Visit { run: &run, db: &db, clients: &clients, id };
            match run.step("prove", "Prove the credential", prove(&visit, input.version)).await? {
                Proven::Replaced => Ok(()),
                Proven::Yes => Discovering { run: &run, db: &db, clients: &clients }.one(id).await,
            }
        }
    })
}

async fn prove(visit: &Visit<'_>, version: i64) -> Result<Done<Proven>, Failure> {
    let (way, known) = visit.way().await?;
    let replaced = match way {
        Way::Open(now) => (now != version).then(|| format!("Version {now} stands there now.")),
        Way::Shut(_) => Some("The credential was removed since.".to_owned()),
    };
    if let Some(says) = replaced {
        return Ok(Done::with(Proven::Replaced).and_saying(says));
    }
    let found = visit.look(&known).await?;
    match found.trouble {
        None => Ok(Done::with(Proven::Yes).and_saying(reach::opened(&found))),
        Some(trouble) => Err(reach::failed(trouble)),
    }
}
