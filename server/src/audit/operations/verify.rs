//! `audit.verify`: whether the audit chain is whole. Safe to repeat: it only reads.
//!
//! The same walk as `quarterdeck audit verify`, with progress. The first row that is not as it was written is named in
//! the run's failure.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use app::identity::Capability;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::{
    audit::{
        Ask, Unverified, Verdict, Whole,
        store::{self, Ends},
        verify_telling,
    },
    operations::{
        failure::Failure,
        run::{Done, Run},
        schedule::Schedule,
        spec::{Catalog, Limits, RetrySafety, Retryable, Spec},
    },
    store::Db,
    vault::ChainKeys,
};

pub const SPEC: Spec = Spec {
    kind: "audit.verify",
    label: "Verify the audit log",
    summary: "Reads the audit log from its first row to its last and checks that nothing was changed or removed; changes nothing.",
    // Whoever only sees starts nothing, though what this does is reading.
    capability: Capability::OperationsManage,
    queue: "upkeep",
    limits: Limits { per_type: Some(1), per_target: None },
    budget: Duration::from_mins(10),
    cancelable: true,
    retryable: Retryable::Yes,
    retry_safety: RetrySafety::Safe,
    secrets: &[],
    input_version: 1,
    runbook: include_str!("verify.md"),
};

/// Between two looks at how far the walk has come.
const LOOK: Duration = Duration::from_secs(1);

/// Nothing to choose.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {}

/// What is to be walked over.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Span {
    first: i64,
    last: i64,
}

/// Adds the type to the catalog.
#[must_use]
pub fn register(catalog: Catalog, db: &Db) -> Catalog {
    let db = db.clone();
    catalog.with(SPEC, move |run: Run, _: Input| verify(run, db.clone()))
}

/// In the night of those whose console it is.
pub fn schedule(zone: &TimeZone) -> Schedule {
    Schedule::new("audit.verify", SPEC.kind, "40 3 * * *", "daily at 03:40").in_zone(zone)
}

async fn verify(run: Run, db: Db) -> Result<(), Failure> {
    let span = run.step("ends", "Ends", find_ends(&db)).await?;
    run.step("rows", "Rows", walk(&run, &db, span)).await
}

async fn find_ends(db: &Db) -> Result<Done<Span>, Failure> {
    let ends: Ends = store::ends(db).await?;
    let pruned = store::checkpoint(db).await?.seq;
    let span = Span { first: pruned + 1, last: ends.head.max(ends.last) };
    let says = match pruned {
        0 => format!("Rows 1 to {}.", span.last),
        _ => format!(
            "Rows {} to {}; a checkpoint says that those before were pruned.",
            span.first, span.last
        ),
    };
    Ok(Done::with(span).and_saying(says))
}

async fn walk(run: &Run, db: &Db, span: Span) -> Result<Done<()>, Failure> {
    let no_key = || Failure::new("no_key", "This console has no key ring, so it cannot tell.");
    let chain: ChainKeys = db.chain().cloned().ok_or_else(no_key)?;
    let come_to = Arc::new(AtomicI64::new(span.first - 1));
    let told = Arc::clone(&come_to);
    let tell = move |row| told.store(row, Ordering::Relaxed);
    let ask = Ask::default();
    let walked = verify_telling(db, &chain, &ask, &tell);
    let telling = async {
        loop {
            run.clock().sleep(LOOK).await;
            if let Err(failure) = run.progress(percent(span, come_to.load(Ordering::Relaxed))).await
            {
                return failure;
            }
        }
    };
    let verdict = tokio::select! {
        verdict = walked => verdict,
        failure = telling => return Err(failure),
        () = run.cancellation().cancelled() => {
            return Err(Failure::new("cancelled", "Cancelled before the last row."));
        }
    };
    let whole = said(verdict)?;
    run.progress(100).await?;
    Ok(Done::saying(whole))
}

fn percent(span: Span, row: i64) -> u8 {
    let (done, all) = (row - span.first + 1, span.last - span.first + 1);
    // 100 is said when the verdict is there.
    u8::try_from(done.saturating_mul(100) / all.max(1)).unwrap_or(0).min(99)
}

fn said(verdict: Result<Verdict, Unverified>) -> Result<String, Failure> {
    match verdict {
        Ok(Verdict::Whole(Whole { rows, last, heads, .. })) => Ok(format!(
            "{rows} rows are as they were written, the last is {last}; {heads} signed heads fit."
        )),
        Ok(Verdict::Broken(broken)) => {
            Err(Failure::new("chain_broken", format!("The audit chain is broken: {broken}.")))
        }
        Err(Unverified::Store(error)) => Err(error.into()),
        Err(error) => {
            Err(Failure::new("unverified", format!("The chain could not be checked: {error}.")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_the_part_of_the_rows_and_never_says_done() {
        let span = Span { first: 401, last: 600 };
        assert_eq!(percent(span, 400), 0);
        assert_eq!(percent(span, 500), 50);
        assert_eq!(percent(span, 600), 99);
        assert_eq!(percent(Span { first: 1, last: 0 }, 0), 0);
    }
}
