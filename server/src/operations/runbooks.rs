//! Runbooks: the product's text of each type, what workspaces write instead, and the page around both.
//!
//! Must not draw Markdown, and not decide who may start a type: `start` asks for its capability again.

use std::collections::BTreeMap;

use app::{
    error::{ApiError, Conflict, Rule, Thing},
    identity::{Caller, Capability, Permit, Reach},
    operations::{
        Operations as _, View,
        inputs::InputField,
        model::Named,
        runbooks::{
            Desk, ManageRunbooks, Runbook, RunbookSource, RunbookVersion, Runbooks, SaveRunbook,
            Shelf, Treatment, kept,
        },
    },
};
use async_trait::async_trait;

use super::{
    Base, OperationsService,
    spec::{Entry, Retryable},
    store::{refused, runbooks as store, schedules},
};
use crate::journal::AuditRow;

/// The workspace of what the console does for itself.
const PLATFORM: i64 = 1;

const NO_TYPE: ApiError = ApiError::NotFound(Thing::OperationType);
const NO_WORKSPACE: ApiError = ApiError::NotFound(Thing::Workspace);

fn find_entry<'a>(base: &'a Base, kind: &str) -> Result<&'a Entry, ApiError> {
    base.catalog.find(kind).ok_or(NO_TYPE)
}

/// A workspace within reach. "Not yours" and "not there" are one answer.
async fn find_place(base: &Base, reach: &Reach, id: i64) -> Result<Named, ApiError> {
    if !reach.includes(id) {
        return Err(NO_WORKSPACE);
    }
    let found = store::find_place(&base.db, id).await.map_err(refused)?.ok_or(NO_WORKSPACE)?;
    Ok(Named { id, name: found.name })
}

/// The text that counts: the workspace's newest, unless that one is empty.
fn counts(entry: &Entry, workspace: &Named, newest: Option<&RunbookVersion>) -> Runbook {
    let own = newest.filter(|newest| !newest.markdown.is_empty());
    Runbook {
        kind: entry.spec.kind.to_owned(),
        label: entry.spec.label.to_owned(),
        workspace: workspace.clone(),
        source: if own.is_some() { RunbookSource::Workspace } else { RunbookSource::Product },
        markdown: own.map_or(entry.spec.runbook, |own| &own.markdown).to_owned(),
        version: newest.map_or(0, |newest| newest.version),
        author_name: newest.map(|newest| newest.author_name.clone()),
        saved_at: newest.map(|newest| newest.created_at),
    }
}

async fn treatment(base: &Base, entry: &Entry) -> Result<Treatment, ApiError> {
    let spec = &entry.spec;
    let schedule = base.schedules.iter().find(|schedule| schedule.kind == spec.kind);
    let next_at = match schedule {
        Some(schedule) => schedules::next_at(&base.db, schedule.name).await.map_err(refused)?,
        None => None,
    };
    Ok(Treatment {
        retry_safety: spec.retry_safety.spoken(),
        not_retryable_because: match spec.retryable {
            Retryable::Yes => None,
            Retryable::No(why) => Some(why.to_owned()),
        },
        cancelable: spec.cancelable,
        queue: spec.queue.to_owned(),
        at_once: spec.limits.per_type,
        at_once_per_target: spec.limits.per_target,
        budget: base.budgets.get(base, spec.kind).await.map_err(refused)?,
        next_at,
    })
}

/// Where the reader is when the address names no workspace.
fn first_of(workspaces: &[Named]) -> Result<i64, ApiError> {
    let own = workspaces.iter().find(|workspace| workspace.id == PLATFORM);
    own.or(workspaces.first()).map(|workspace| workspace.id).ok_or(NO_WORKSPACE)
}

impl OperationsService {
    /// What each type asks for, for the API's description.
    pub fn described(&self) -> impl Iterator<Item = (&'static str, &'static [InputField])> {
        self.base.catalog.iter().map(|entry| (entry.spec.kind, entry.inputs))
    }

    /// Where a type's description and its input disagree, by type; nothing when all agree. For tests.
    pub fn disagreements(&self) -> Vec<(&'static str, Vec<String>)> {
        let all = self.base.catalog.iter().map(|entry| (entry.spec.kind, entry.disagreements()));
        all.filter(|(_, disagreements)| !disagreements.is_empty()).collect()
    }

    /// What a type can be started with; none for one that is not there.
    pub fn find_inputs(&self, kind: &str) -> Option<&'static [InputField]> {
        self.base.catalog.find(kind).map(|entry| entry.inputs)
    }

    /// One transaction: the version and its audit row. Two that read the same version meet at its number.
    async fn write(
        &self,
        permit: &Permit<ManageRunbooks>,
        entry: &Entry,
        workspace_id: i64,
        save: &SaveRunbook,
    ) -> Result<(), ApiError> {
        let markdown = kept(&save.markdown).map_err(|v| ApiError::Invalid(vec![v]))?;
        let mut tx = self.base.db.begin().await.map_err(refused)?;
        let place = store::find_place_in(&mut tx, workspace_id).await.map_err(refused)?;
        if place.ok_or(NO_WORKSPACE)?.archived_at.is_some() {
            return Err(ApiError::Conflict(Conflict::Archived));
        }
        let kind = entry.spec.kind;
        let newest = store::newest_in(&mut tx, workspace_id, kind).await.map_err(refused)?;
        let (version, text) = newest.as_ref().map_or((0, ""), |n| (n.version, n.markdown.as_str()));
        if version != save.version {
            return Err(ApiError::Conflict(Conflict::Changed));
        }
        if text == markdown || text.is_empty() && markdown == entry.spec.runbook.trim_end() {
            return Ok(());
        }
        let caller = permit.caller();
        let new = RunbookVersion {
            version: version + 1,
            markdown,
            author_id: caller.id.clone(),
            author_name: caller.name.clone(),
            created_at: tx.now().await.map_err(refused)?,
        };
        if !store::insert(&mut tx, workspace_id, kind, &new).await.map_err(refused)? {
            return Err(ApiError::Conflict(Conflict::Changed));
        }
        let row = save_audit(caller, entry, workspace_id, &new, save.restores);
        tx.commit(vec![row]).await.map_err(refused)
    }
}

fn save_audit(
    caller: &Caller,
    entry: &Entry,
    workspace_id: i64,
    new: &RunbookVersion,
    restores: Option<i64>,
) -> AuditRow {
    let row = AuditRow::allowed(caller, "platform.runbooks.save")
        .target("runbook", entry.spec.kind, entry.spec.label)
        .workspace(workspace_id)
        .capability(Capability::RunbooksManage)
        .detail("type", entry.spec.kind)
        .detail("version", new.version)
        .detail("characters", new.markdown.chars().count());
    match restores {
        Some(version) => row.detail("restores", version),
        None => row,
    }
}

#[async_trait]
impl Runbooks for OperationsService {
    async fn runbook(
        &self,
        permit: &Permit<View>,
        kind: &str,
        workspace_id: i64,
    ) -> Result<Runbook, ApiError> {
        let entry = find_entry(&self.base, kind)?;
        let place = find_place(&self.base, permit.reach(), workspace_id).await?;
        let newest =
            store::versions(&self.base.db, workspace_id, kind, 1).await.map_err(refused)?;
        Ok(counts(entry, &place, newest.first()))
    }

    async fn all(
        &self,
        permit: &Permit<View>,
        workspace_id: i64,
    ) -> Result<Vec<Runbook>, ApiError> {
        let place = find_place(&self.base, permit.reach(), workspace_id).await?;
        let newest = store::newest(&self.base.db, workspace_id).await.map_err(refused)?;
        let newest: BTreeMap<String, RunbookVersion> = newest.into_iter().collect();
        let of = |entry: &Entry| counts(entry, &place, newest.get(entry.spec.kind));
        Ok(self.base.catalog.iter().map(of).collect())
    }

    async fn versions(
        &self,
        permit: &Permit<View>,
        kind: &str,
        workspace_id: i64,
    ) -> Result<Vec<RunbookVersion>, ApiError> {
        find_entry(&self.base, kind)?;
        find_place(&self.base, permit.reach(), workspace_id).await?;
        let most = store::VERSIONS_MAX;
        store::versions(&self.base.db, workspace_id, kind, most).await.map_err(refused)
    }

    async fn save(
        &self,
        permit: &Permit<ManageRunbooks>,
        kind: &str,
        workspace_id: i64,
        save: SaveRunbook,
    ) -> Result<Runbook, ApiError> {
        let entry = find_entry(&self.base, kind)?;
        permit.within(Some(workspace_id)).await?;
        if save.version < 0 {
            return Err(ApiError::invalid("version", Rule::Range { min: 0, max: i64::MAX }));
        }
        self.write(permit, entry, workspace_id, &save).await?;
        let place = find_place(&self.base, permit.reach(), workspace_id).await?;
        let newest =
            store::versions(&self.base.db, workspace_id, kind, 1).await.map_err(refused)?;
        Ok(counts(entry, &place, newest.first()))
    }

    async fn desk(
        &self,
        permit: &Permit<View>,
        kind: &str,
        workspace_id: Option<i64>,
    ) -> Result<Desk, ApiError> {
        let base = &self.base;
        let entry = find_entry(base, kind)?;
        let workspaces = store::workspaces(&base.db, permit.reach()).await.map_err(refused)?;
        let id = match workspace_id {
            Some(id) => id,
            None => first_of(&workspaces)?,
        };
        let place = find_place(base, permit.reach(), id).await?;
        let most = store::VERSIONS_MAX;
        let versions = store::versions(&base.db, id, kind, most).await.map_err(refused)?;
        let caller = permit.caller();
        let startable_in = match caller.reach(entry.spec.capability) {
            Some(reach) => store::workspaces(&base.db, &reach).await.map_err(refused)?,
            None => Vec::new(),
        };
        let edits = caller.reach(Capability::RunbooksManage);
        let catalog = self.catalog(permit).await?.into_iter();
        Ok(Desk {
            entry: catalog.into_iter().find(|entry| entry.kind == kind).ok_or(NO_TYPE)?,
            inputs: entry.inputs.to_vec(),
            treatment: treatment(base, entry).await?,
            runbook: counts(entry, &place, versions.first()),
            product: entry.spec.runbook.to_owned(),
            versions,
            editable: edits.is_some_and(|reach| reach.includes(id)),
            workspaces,
            startable_in,
            kinds: base.catalog.kinds().map(str::to_owned).collect(),
            form_key: base.rng.uuid(),
        })
    }

    async fn shelf(&self, permit: &Permit<View>) -> Result<Shelf, ApiError> {
        let types = self.catalog(permit).await?.into_iter();
        let with_inputs = types.map(|entry| {
            let found = self.base.catalog.find(&entry.kind);
            (entry, found.map_or_else(Vec::new, |found| found.inputs.to_vec()))
        });
        Ok(Shelf { types: with_inputs.collect(), form_key: self.base.rng.uuid() })
    }
}
