//! `fleet.register`: brings a registered cluster in: looks at it with what opens it, then asks what is installed. Queued
//! in the transaction that registers it. Safe to repeat: it asks, and writes down what it was told.

use app::{fleet::trouble::Trouble, operations::inputs::InputField};
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
    kind: "fleet.register",
    label: "Register a cluster",
    summary: "Looks at a cluster that was registered, and asks what is installed in it; changes nothing there.",
    runbook: include_str!("register.md"),
    ..reach::SPEC
};

/// Which cluster it is stands in the target: `cluster:<id>`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {}

pub const INPUTS: &[InputField] = &[];

/// What the look came to, for the step after it.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum Looked {
    Open,
    /// It may answer later: probes go on.
    NotYet,
}

/// Adds the type to the catalog.
#[must_use]
pub fn register(catalog: Catalog, db: &Db, clients: &Clients) -> Catalog {
    let (db, clients) = (db.clone(), clients.clone());
    catalog.with_inputs(SPEC, INPUTS, move |run: Run, _: Input| {
        let (db, clients) = (db.clone(), clients.clone());
        async move {
            let id = reach::target(&run)?;
            let visit = Visit { run: &run, db: &db, clients: &clients, id };
            match run.step("look", "Look at the cluster", look(&visit)).await? {
                Looked::NotYet => Ok(()),
                Looked::Open => Discovering { run: &run, db: &db, clients: &clients }.one(id).await,
            }
        }
    })
}

async fn look(visit: &Visit<'_>) -> Result<Done<Looked>, Failure> {
    let (way, known) = visit.way().await?;
    if let Way::Shut(trouble) = way {
        return Ok(not_yet(trouble));
    }
    let found = visit.look(&known).await?;
    match found.trouble {
        None => Ok(Done::with(Looked::Open).and_saying(reach::opened(&found))),
        // Registered before its line is laid: nothing is wrong with the registration.
        Some(trouble) if trouble.may_pass() => Ok(not_yet(trouble)),
        Some(trouble) => Err(reach::failed(trouble)),
    }
}

fn not_yet(trouble: Trouble) -> Done<Looked> {
    let says = trouble.says();
    Done::with(Looked::NotYet).and_saying(format!(
        "{says} It is registered, and what is installed is asked once it answers."
    ))
}
