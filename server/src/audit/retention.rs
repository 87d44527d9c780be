//! Prunes the log from its old end, and leaves a signed checkpoint.
//!
//! In the order of numbers, never of times: what is left is a chain without gaps that begins after the checkpoint.
//! A batch is one transaction: rows gone, checkpoint moved, an audit row about it; killed in between, nothing of it
//! happened. A row that does not verify is not pruned: it is evidence, and the checkpoint would cover it up.

use std::time::Duration;

use app::{identity::Caller, time::Micros};
use tokio_util::sync::CancellationToken;

use super::{
    Checkpoint, link,
    store::{self, Link, StoredCheckpoint},
};
use crate::{
    clock::Clock,
    journal::{
        AuditRow,
        encoding::{Hash, START},
    },
    store::{Db, StoreError},
    tasks,
    vault::ChainKeys,
};

/// Each round that prunes leaves an audit row, so not often.
const EVERY: Duration = Duration::from_hours(24);
/// Short enough that writers hardly wait.
const BATCH: i64 = 1_000;
const DAY: i64 = 86_400 * Micros::SECOND;

pub struct Retention {
    db: Db,
    chain: ChainKeys,
    clock: Clock,
    system: Caller,
    days: u32,
}

/// What a batch found.
enum Round {
    Pruned,
    Nothing,
    /// The old end is not as it was written; people must look first.
    Suspect,
}

impl Retention {
    pub fn new(db: Db, chain: ChainKeys, system: Caller, days: u32) -> Self {
        let clock = db.clock().clone();
        Self { db, chain, clock, system, days }
    }

    /// Until told to stop. A store that does not answer ends it; it is started again.
    pub async fn run(&self, stop: CancellationToken) -> Result<(), StoreError> {
        loop {
            self.prune(&stop).await?;
            tasks::beat();
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = self.clock.sleep(EVERY) => {}
            }
        }
    }

    /// Prunes whatever is older than it is to be kept; says how many batches that were.
    pub async fn prune(&self, stop: &CancellationToken) -> Result<u64, StoreError> {
        let mut batches = 0;
        while !stop.is_cancelled() {
            let cutoff = self.db.now().await?.plus(-i64::from(self.days) * DAY);
            match self.batch(cutoff).await? {
                Round::Pruned => batches += 1,
                Round::Nothing => break,
                Round::Suspect => {
                    tracing::error!(
                        "The old end of the audit chain is not as it was written, so it is not pruned: \
                         run `quarterdeck audit verify`."
                    );
                    break;
                }
            }
        }
        Ok(batches)
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
        Ok(Round::Pruned)
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
