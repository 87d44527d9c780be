//! Starting a run: every rule between a request and a queued row. Must not decide who may see it afterwards.

use std::fmt::Write as _;

use app::{
    error::{ApiError, Conflict, Expected, Rule, Thing, Violation},
    identity::{Caller, Reach, require},
    operations::model::{StartOperation, Started},
    time::Micros,
};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{
    Base,
    spec::Entry,
    store::{self, Key, NewRun, refused},
    timer::start_audit,
};
use crate::store::Tx;

const PLATFORM: i64 = 1;
const PRIORITY: i64 = 100;
const TARGET_MAX: u32 = 200;
const KEY_MAX: u32 = 200;
/// A run that is further away than that is a calendar's, not a queue's.
const YEAR: i64 = 366 * 24 * 3_600 * Micros::SECOND;

/// A request that may be queued.
struct Checked<'a> {
    entry: &'a Entry,
    workspace_id: i64,
    tenant_id: Option<i64>,
    target: Option<&'a str>,
    target_label: Option<&'a str>,
    priority: i64,
    input: Value,
    scheduled_at: Option<Micros>,
}

/// Queues a run, or answers with the one that the same key gave before.
pub(super) async fn start(
    base: &Base,
    caller: &Caller,
    request: &StartOperation,
    key: Option<&str>,
) -> Result<Started, ApiError> {
    let entry = find_type(base, &request.kind)?;
    let reach = require(caller, entry.spec.capability).await?;
    let checked = check(base, entry, request, key).await?;
    check_place(base, &reach, &checked).await?;
    let hash = checked.hash();
    let key = key.map(|key| Key { key, request_hash: &hash });
    let (id, created) = queue(base, caller, &checked, key).await?;
    if created {
        base.wake.notify_one();
    }
    Ok(Started { run: super::find(base, &Reach::Everything, id).await?, created })
}

fn find_type<'a>(base: &'a Base, kind: &str) -> Result<&'a Entry, ApiError> {
    base.catalog.find(kind).ok_or_else(|| {
        let allowed = base.catalog.kinds().map(str::to_owned).collect();
        ApiError::invalid("type", Rule::OneOf { allowed })
    })
}

/// What values alone decide; every violation is named, not the first alone.
async fn check<'a>(
    base: &Base,
    entry: &'a Entry,
    request: &'a StartOperation,
    key: Option<&str>,
) -> Result<Checked<'a>, ApiError> {
    let mut violations = Vec::new();
    violations.extend(entry.check(&request.input).err());
    violations.extend(key.and_then(key_violation));
    violations.extend(request.target.as_deref().and_then(target_violation));
    let priority = request.priority.unwrap_or(0);
    if !(-PRIORITY..=PRIORITY).contains(&priority) {
        violations.push(Violation::new("priority", Rule::Range { min: -PRIORITY, max: PRIORITY }));
    }
    if let Some(at) = request.scheduled_at {
        let now = base.db.now().await.map_err(refused)?;
        if at.since(now) > YEAR {
            let expected = Rule::Malformed { expected: Expected::Time };
            violations.push(Violation::new("scheduled_at", expected));
        }
    }
    if !violations.is_empty() {
        return Err(ApiError::Invalid(violations));
    }
    Ok(Checked {
        entry,
        workspace_id: request.workspace_id.unwrap_or(PLATFORM),
        tenant_id: request.tenant_id,
        target: request.target.as_deref(),
        target_label: request.target_label.as_deref(),
        priority,
        input: if request.input.is_null() { json!({}) } else { request.input.clone() },
        scheduled_at: request.scheduled_at,
    })
}

/// `cluster:…`: a kind in lower case, then the thing's own id.
fn target_violation(target: &str) -> Option<Violation> {
    if target.contains('\0') {
        return Some(Violation::new("target", Rule::NulByte));
    }
    if !(1..=TARGET_MAX as usize).contains(&target.chars().count()) {
        return Some(Violation::new("target", Rule::Length { min: 1, max: TARGET_MAX }));
    }
    let good = target.split_once(':').is_some_and(|(kind, id)| {
        let is_kind = |c: char| c.is_ascii_lowercase() || c == '_';
        !kind.is_empty() && kind.chars().all(is_kind) && !id.trim().is_empty()
    });
    (!good).then(|| Violation::new("target", Rule::Malformed { expected: Expected::Text }))
}

fn key_violation(key: &str) -> Option<Violation> {
    const FIELD: &str = "Idempotency-Key";
    if !(1..=KEY_MAX as usize).contains(&key.chars().count()) {
        return Some(Violation::new(FIELD, Rule::Length { min: 1, max: KEY_MAX }));
    }
    let printable = key.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    (!printable).then(|| Violation::new(FIELD, Rule::Malformed { expected: Expected::Text }))
}

/// Whether the workspace is there and within this caller's reach, and the tenant is its own. "Not yours" and
/// "not there" are one answer.
async fn check_place(base: &Base, reach: &Reach, run: &Checked<'_>) -> Result<(), ApiError> {
    let id = run.workspace_id;
    let missing = ApiError::NotFound(Thing::Workspace);
    if !reach.includes(id) {
        return Err(missing);
    }
    let mut archived =
        store::find_workspace(&base.db, id).await.map_err(refused)?.ok_or(missing)?.archived;
    if let Some(tenant) = run.tenant_id {
        let tenant = store::find_tenant(&base.db, id, tenant).await.map_err(refused)?;
        archived |= tenant.ok_or(ApiError::NotFound(Thing::Tenant))?.archived;
    }
    if archived { Err(ApiError::Conflict(Conflict::Archived)) } else { Ok(()) }
}

/// One transaction: the run, its news, its audit row. Two that bring one key at once meet at its unique index:
/// the second waits for the first and then finds its run.
async fn queue(
    base: &Base,
    caller: &Caller,
    run: &Checked<'_>,
    key: Option<Key<'_>>,
) -> Result<(i64, bool), ApiError> {
    let mut tx = base.db.begin().await.map_err(refused)?;
    if let Some(found) = earlier(&mut tx, caller, key).await? {
        return Ok((found, false));
    }
    let now = tx.now().await.map_err(refused)?;
    let spec = &run.entry.spec;
    let new = NewRun {
        workspace_id: run.workspace_id,
        tenant_id: run.tenant_id,
        kind: spec.kind,
        queue: spec.queue,
        input_version: spec.input_version,
        initiator_kind: caller.kind.as_str(),
        initiator_id: Some(&caller.id),
        initiator_name: Some(&caller.name),
        target: run.target,
        target_label: run.target_label,
        priority: run.priority,
        input: &run.input,
        scheduled_at: run.scheduled_at.unwrap_or(now),
        created_at: now,
        key,
        parent: None,
    };
    let Some(id) = store::insert(&mut tx, &new).await.map_err(refused)? else {
        let found = earlier(&mut tx, caller, key).await?;
        return found.map(|id| (id, false)).ok_or(ApiError::Conflict(Conflict::Changed));
    };
    let audit = start_audit(caller, spec, id, run.workspace_id);
    tx.commit(vec![audit]).await.map_err(refused)?;
    Ok((id, true))
}

/// The run that this key gave before; another request under the same key is refused.
async fn earlier(
    tx: &mut Tx,
    caller: &Caller,
    key: Option<Key<'_>>,
) -> Result<Option<i64>, ApiError> {
    let Some(key) = key else { return Ok(None) };
    let found = store::find_by_key(tx, caller.kind.as_str(), &caller.id, key.key).await;
    match found.map_err(refused)? {
        None => Ok(None),
        Some((id, hash)) if hash.as_deref() == Some(key.request_hash) => Ok(Some(id)),
        Some(_) => Err(ApiError::Conflict(Conflict::IdempotencyKeyReused)),
    }
}

impl Checked<'_> {
    /// The same for requests that ask for the same, however they were spelled.
    fn hash(&self) -> String {
        let request = json!({
            "type": self.entry.spec.kind,
            "workspace_id": self.workspace_id,
            "tenant_id": self.tenant_id,
            "target": self.target,
            "priority": self.priority,
            "input": self.input,
            "scheduled_at": self.scheduled_at,
        });
        Sha256::digest(request.to_string()).iter().fold(String::new(), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_has_a_kind_and_an_id() {
        for good in ["cluster:edge-1", "agent:ns/name", "gpu_node:a:b"] {
            assert_eq!(target_violation(good), None, "{good}");
        }
        for bad in ["", "cluster", "cluster:", ":x", "Cluster:x", "cluster: ", "a\0:b"] {
            assert!(target_violation(bad).is_some(), "{bad:?}");
        }
        assert!(target_violation(&format!("a:{}", "x".repeat(199))).is_some());
    }

    #[test]
    fn a_key_is_printable_and_short() {
        assert_eq!(key_violation("retry 1"), None);
        assert_eq!(key_violation(&"k".repeat(200)), None);
        for bad in ["", "a\nb", "ключ", &"k".repeat(201)] {
            assert!(key_violation(bad).is_some(), "{bad:?}");
        }
    }
}
