//! `vault.reseal`: what older keys of the ring have sealed (credentials of clusters, tokens of sessions) is sealed again
//! under the active key, now instead of within the hour. Safe to repeat: a value is under one key or the other.

use std::time::Duration;

use app::identity::Capability;
use serde::Deserialize;

use crate::{
    operations::{
        failure::Failure,
        run::{Done, Run},
        spec::{Catalog, Limits, RetrySafety, Retryable, Spec},
    },
    store::Db,
    vault::{Resealed, Resealer, SealedColumn, Vault},
};

pub const SPEC: Spec = Spec {
    kind: "vault.reseal",
    label: "Seal secrets under the active key",
    summary: "Seals again what older keys of the ring have sealed, so that those keys can be retired; nothing is interrupted.",
    capability: Capability::SettingsManage,
    queue: "upkeep",
    limits: Limits { per_type: Some(1), per_target: None },
    budget: Duration::from_mins(10),
    cancelable: true,
    retryable: Retryable::Yes,
    retry_safety: RetrySafety::Safe,
    secrets: &[],
    input_version: 1,
    runbook: include_str!("reseal.md"),
};

/// Nothing to choose.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {}

/// Adds the type to the catalog.
#[must_use]
pub fn register(
    catalog: Catalog,
    db: &Db,
    vault: &Vault,
    columns: &'static [SealedColumn],
) -> Catalog {
    let (db, vault) = (db.clone(), vault.clone());
    catalog.with(SPEC, move |run: Run, _: Input| {
        reseal(run, Resealer { vault: vault.clone(), db: db.clone(), columns })
    })
}

async fn reseal(run: Run, resealer: Resealer) -> Result<(), Failure> {
    run.step("seal", "Seal again", async {
        let Resealed { values, unopened } = resealer.round().await?;
        if unopened > 0 {
            return Err(Failure::new(
                "unopened",
                format!("{values} values were sealed again; {unopened} are under a key that the ring lacks."),
            ));
        }
        Ok(Done::<()>::saying(format!("{values} values were sealed again.")))
    })
    .await
}
