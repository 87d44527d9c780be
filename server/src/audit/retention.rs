//! Prunes the log from its old end, and leaves a signed checkpoint.
//!
//! In the order of numbers, never of times: what is left is a chain without gaps that begins after the checkpoint.
//! A batch is one transaction: rows gone, checkpoint moved, an audit row about it; killed in between, nothing of it
//! happened. A row that does not verify is not pruned: it is evidence, and the checkpoint would cover it up.
//!
//! A step of `system.prune` does it, when the oldest row is a day older than rows are kept: each batch leaves an audit
//! row itself, so not often.

use app::{identity::Caller, time::Micros};
use tokio_util::sync::CancellationToken;

use super::{
    Checkpoint, link,
    store::{self, Link, StoredCheckpoint},
};
use crate::{
    journal::{
        AuditRow,
        encoding::{Hash, START},
    },
    store::{Db, StoreError},
    vault::ChainKeys,
};

/// Short enough that writers hardly wait.
const BATCH: i64 = 1_000;
const DAY: i64 = 86_400 * Micros::SECOND;

/// Cheap to clone.
#[derive(Clone)]
pub struct Retention {
    db: Db,
    chain: ChainKeys,
    system: Caller,
    days: u32,
}

/// What is older than rows are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Old {
    /// Counted up to 100 000.
    pub rows: i64,
    /// Whether the oldest of them is older by a day.
    pub by_a_day: bool,
}

/// What pruning did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    pub batches: u64,
    pub rows: u64,
    /// The old end is not as it was written, and was left as it is.
    pub suspect: bool,
}

/// What a batch found.
enum Round {
    Pruned(u64),
    Nothing,
    /// The old end is not as it was written; people must look first.
    Suspect,
}

impl Retention {
    pub fn new(db: Db, chain: ChainKeys, system: Caller, days: u32) -> Self {
        Self { db, chain, system, days }
    }

    async fn cutoff(&self) -> Result<Micros, StoreError> {
        Ok(self.db.now().await?.plus(-i64::from(self.days) * DAY))
    }

    /// What [`Retention::prune`] would remove.
    pub async fn old(&self) -> Result<Old, StoreError> {
        let cutoff = self.cutoff().await?;
        let oldest = store::prune::oldest(&self.db).await?;
        let by_a_day = oldest.is_some_and(|(_, at)| at < cutoff.plus(-DAY));
        let rows = if by_a_day { store::prune::count_before(&self.db, cutoff).await? } else { 0 };
        Ok(Old { rows, by_a_day })
    }

    /// Prunes whatever is older than it is to be kept, until told to stop.
    pub async fn prune(&self, stop: &CancellationToken) -> Result<Pruned, StoreError> {
        let mut pruned = Pruned::default();
        while !stop.is_cancelled() {
            match self.batch(self.cutoff().await?).await? {
                Round::Pruned(rows) => {
                    pruned.batches += 1;
                    pruned.rows += rows;
                }
                Round::Nothing => break,
                Round::Suspect => {
                    tracing::error!(
                        "The old end of the audit chain is not as it was written, so it is not pruned: \
                         run `quarterdeck audit verify`."
                    );
                    pruned.suspect = true;
                    break;
                }
            }
        }
        Ok(pruned)
    }

    async fn batch(&self, cutoff: Micros) -> Result<Round, StoreError> {
        // Without a write for the usual case: nothing is that old.
        if store::prune::oldest(&self.db).await?.is_none_or(|(_, at)| at >= cutoff) {
            return Ok(Round::Nothing);
        }
        let mut tx = self.db.begin().await?;
        let before = store::prune::lock(&mut tx).await?;
        let Some((after, prev)) = before.and_then(|before| self.base(&before)) else {
            return Ok(Round::Suspect);
        };
        let rows = store::prune::candidates(&mut tx, after, BATCH).await?;
        let old: Vec<_> = rows.into_iter().take_while(|(_, at, _)| *at < cutoff).collect();
        let Some((last, ..)) = old.last() else { return Ok(Round::Nothing) };
        let (last, count) = (*last, old.len() as u64);
        let Some(hash) = self.walk(after, prev, &old) else { return Ok(Round::Suspect) };
        let at = tx.now().await?;
        let checkpoint = Checkpoint::sign(&self.chain, at, last, hash);
        if store::prune::cut(&mut tx, after, &checkpoint).await? != count {
            return Ok(Round::Suspect);
        }
        let row = AuditRow::allowed(&self.system, "audit.prune")
            .target("audit", "log", "Audit log")
            .detail("from", after + 1)
            .detail("to", last)
            .detail("kept_days", self.days)
            .detail("checkpoint", checkpoint.to_string());
        tx.commit(vec![row]).await?;
        tracing::info!(from = after + 1, to = last, "pruned the audit log: {checkpoint}");
        Ok(Round::Pruned(count))
    }

    /// Where the chain begins; none when the checkpoint is not ours.
    fn base(&self, checkpoint: &StoredCheckpoint) -> Option<(i64, Hash)> {
        if checkpoint.seq == 0 {
            return Some((0, START));
        }
        let signed = checkpoint.signed.as_ref()?;
        signed.check(&self.chain).ok()?;
        Some((signed.seq(), signed.hash()))
    }

    /// The last row's hash, if each row follows the one before it.
    fn walk(&self, after: i64, mut prev: Hash, rows: &[(i64, Micros, Link)]) -> Option<Hash> {
        for (expected, (seq, _, row)) in (after + 1..).zip(rows) {
            let proven = link::prove(&self.chain, row).ok()?;
            if *seq != expected || proven.prev != prev {
                return None;
            }
            prev = proven.hash;
        }
        Some(prev)
    }
}
