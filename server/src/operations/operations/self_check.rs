//! `system.self_check`: what the console stands on. Safe to repeat: it writes nothing but its own log.
//!
//! Each check is a step and stands alone; a failed one fails the run in the end, the others run all the same.
//! A value that could not be read is said to be so, with the reason; nothing is made up.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use app::{
    identity::Capability,
    operations::inputs::{FieldChoice, FieldKind, InputField},
};
use serde::Deserialize;

use crate::{
    egress::Egress,
    operations::{
        failure::Failure,
        probe::{self, Upstream},
        run::{Done, Run},
        schedule::Schedule,
        spec::{Catalog, Limits, RetrySafety, Retryable, Spec},
        store,
    },
    store::{Db, Dialect},
};

pub const SPEC: Spec = Spec {
    kind: "system.self_check",
    label: "Self-check",
    summary: "Checks the store, the clock, the disk, the built-in assets and each configured upstream; changes nothing.",
    capability: Capability::OperationsManage,
    queue: "system",
    limits: Limits { per_type: Some(1), per_target: None },
    budget: Duration::from_mins(1),
    cancelable: true,
    retryable: Retryable::Yes,
    retry_safety: RetrySafety::Safe,
    secrets: &[],
    input_version: 1,
    runbook: include_str!("self_check.md"),
};

/// Clocks further apart make leases and schedules unreliable.
const SKEW_MAX_MICROS: i64 = 2_000_000;
/// Less room than that, and SQLite's journal or a report may not fit.
const FREE_MIN_BYTES: u64 = 256 << 20;
const FREE_MIN_PERCENT: u64 = 2;
const UPSTREAM_TIMEOUT: Duration = Duration::from_secs(5);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// One check instead of all of them.
    pub only: Option<Check>,
}

/// What can be asked of [`Input`].
pub const INPUTS: &[InputField] = &[InputField {
    name: "only",
    label: "Check only",
    help: "One check instead of all of them.",
    required: false,
    kind: FieldKind::Choice {
        choices: &[
            FieldChoice { value: "store", label: "Store" },
            FieldChoice { value: "clock", label: "Clock" },
            FieldChoice { value: "disk", label: "Disk" },
            FieldChoice { value: "assets", label: "Assets" },
            FieldChoice { value: "upstreams", label: "Upstreams" },
        ],
    },
}];

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Check {
    Store,
    Clock,
    Disk,
    Assets,
    Upstreams,
}

impl Check {
    const ALL: [Self; 5] = [Self::Store, Self::Clock, Self::Disk, Self::Assets, Self::Upstreams];

    const fn label(self) -> &'static str {
        match self {
            Self::Store => "Store",
            Self::Clock => "Clock",
            Self::Disk => "Disk",
            Self::Assets => "Assets",
            Self::Upstreams => "Upstreams",
        }
    }

    /// Does it, as a step of the run.
    async fn run(self, run: &Run, deps: &Deps) -> Result<(), Failure> {
        let label = self.label();
        match self {
            Self::Store => run.step("store", label, check_store(run, &deps.db)).await,
            Self::Clock => run.step("clock", label, check_clock(run, &deps.db)).await,
            Self::Disk => run.step("disk", label, check_disk(deps)).await,
            Self::Assets => run.step("assets", label, async { check_assets(deps) }).await,
            Self::Upstreams => run.step("upstreams", label, check_upstreams(run, deps)).await,
        }
    }
}

/// What is checked, from the configuration.
#[derive(Clone)]
pub struct Deps {
    pub db: Db,
    /// Where the SQLite file lives, or where temporary files go.
    pub folder: PathBuf,
    /// How much room there is.
    pub room: fn(&Path) -> std::io::Result<Room>,
    /// Looks through the built-in assets: what it found, or what is missing.
    pub assets: fn() -> Result<String, String>,
    pub upstreams: Vec<Upstream>,
    pub egress: Egress,
}

/// Of a file system, in bytes.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    pub free: u64,
    pub all: u64,
}

impl Room {
    /// As the kernel counts it, for those who are not root.
    pub fn of(folder: &Path) -> std::io::Result<Self> {
        let stat = rustix::fs::statvfs(folder)?;
        let bytes = |blocks: u64| blocks.saturating_mul(stat.f_frsize);
        Ok(Self { free: bytes(stat.f_bavail), all: bytes(stat.f_blocks) })
    }

    const fn is_enough(self) -> bool {
        self.free >= FREE_MIN_BYTES && self.free / 100 >= self.all / 10_000 * FREE_MIN_PERCENT
    }
}

/// Adds the type to the catalog.
#[must_use]
pub fn register(catalog: Catalog, deps: Deps) -> Catalog {
    let deps = Arc::new(deps);
    catalog.with_inputs(SPEC, INPUTS, move |run: Run, input: Input| {
        run_checks(run, input, Arc::clone(&deps))
    })
}

/// Every 5 minutes.
pub fn schedule() -> Schedule {
    Schedule::new("system.self_check", SPEC.kind, "*/5 * * * *", "every 5 minutes")
}

async fn run_checks(run: Run, input: Input, deps: Arc<Deps>) -> Result<(), Failure> {
    let wanted = |check: &Check| input.only.is_none_or(|only| only == *check);
    let mut results = Vec::new();
    for check in Check::ALL.into_iter().filter(wanted) {
        results.push((check.label(), check.run(&run, &deps).await));
    }
    verdict(&results)
}

/// Names the first failure, and how many there were.
fn verdict(results: &[(&str, Result<(), Failure>)]) -> Result<(), Failure> {
    let failed: Vec<_> =
        results.iter().filter_map(|(name, result)| Some((name, result.as_ref().err()?))).collect();
    let Some((name, first)) = failed.first() else { return Ok(()) };
    let count = failed.len();
    let message = match count {
        1 => format!("{name}: {}", first.message()),
        _ => format!("{name}: {} ({count} of {} checks failed)", first.message(), results.len()),
    };
    Err(Failure::new("check_failed", message))
}

/// Writes a line and reads it back through another connection.
async fn check_store(run: &Run, db: &Db) -> Result<Done<()>, Failure> {
    let began = run.clock().monotonic();
    let line = format!("Store check, attempt {}.", run.facts().attempt);
    run.log(line.as_str()).await?;
    if !store::has_line(db, run.facts().id, &line).await? {
        return Err(Failure::new(
            "store_forgets",
            "A row that was written could not be read back.",
        ));
    }
    let took = run.clock().monotonic().saturating_sub(began);
    Ok(Done::saying(format!(
        "{}: a row was written and read back in {:.1} ms.",
        name(db.dialect()),
        took.as_secs_f64() * 1_000.0
    )))
}

fn name(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Sqlite => "SQLite",
        Dialect::Postgres => "Postgres",
    }
}

/// Our clock against the database's, which is asked between two looks at ours.
async fn check_clock(run: &Run, db: &Db) -> Result<Done<()>, Failure> {
    if db.dialect() == Dialect::Sqlite {
        return Ok(Done::saying("SQLite has no clock of its own: it is this machine's."));
    }
    let before = run.clock().now();
    let theirs = db.now().await?;
    let after = run.clock().now();
    let ours = before.plus(after.since(before) / 2);
    let skew = theirs.since(ours);
    let spoken = format!(
        "{:+.3} s",
        std::time::Duration::from_micros(skew.unsigned_abs()).as_secs_f64()
            * if skew < 0 { -1.0 } else { 1.0 }
    );
    if skew.abs() > SKEW_MAX_MICROS {
        let message =
            format!("The database's clock differs from ours by {spoken}; 2 s are allowed.");
        return Err(Failure::new("clock_skew", message));
    }
    Ok(Done::saying(format!("The database's clock differs from ours by {spoken}.")))
}

/// The free space; asked on a thread of its own, since a network file system may let us wait.
async fn check_disk(deps: &Deps) -> Result<Done<()>, Failure> {
    let (folder, path, room) = (deps.folder.display(), deps.folder.clone(), deps.room);
    let room = tokio::task::spawn_blocking(move || room(&path)).await;
    let room = room.map_err(std::io::Error::other).flatten().map_err(|error| {
        let message = format!("The free space of {folder} is unavailable: {error}");
        Failure::new("disk_unreadable", message)
    })?;
    let found = format!("{} of {} free in {folder}.", gib(room.free), gib(room.all));
    if room.is_enough() {
        Ok(Done::saying(found))
    } else {
        Err(Failure::new("disk_full", format!("Only {found}")))
    }
}

fn gib(bytes: u64) -> String {
    // One decimal of a GiB, without a float.
    let tenths = bytes / ((1 << 30) / 10);
    format!("{}.{} GiB", tenths / 10, tenths % 10)
}

fn check_assets(deps: &Deps) -> Result<Done<()>, Failure> {
    (deps.assets)().map(Done::saying).map_err(|missing| Failure::new("assets_damaged", missing))
}

/// Asks each upstream, all at once; names each that did not answer.
async fn check_upstreams(run: &Run, deps: &Deps) -> Result<Done<()>, Failure> {
    if deps.upstreams.is_empty() {
        return Ok(Done::saying("No upstream is configured."));
    }
    let asked = deps.upstreams.iter().map(|upstream| async move {
        let name = &upstream.name;
        let answer = probe::ask(run.clock(), &deps.egress, upstream, UPSTREAM_TIMEOUT).await;
        // As they come: who follows sees which one is waited for.
        match &answer {
            Ok(found) => run.log(format!("{name}: {found}")).await?,
            Err(why) => run.warn(format!("{name}: unavailable, {why}")).await?,
        }
        Ok::<_, Failure>(answer)
    });
    run.log(format!("Asking the upstreams: {}.", deps.upstreams.len())).await?;
    let answers = futures::future::try_join_all(asked).await?;
    let spoken = |good: bool| {
        let chosen = deps.upstreams.iter().zip(&answers).filter(|(_, a)| a.is_ok() == good);
        let lines = chosen.map(|(upstream, answer)| match answer {
            Ok(found) => format!("{}: {found}", upstream.name),
            Err(why) => format!("{}: unavailable, {why}", upstream.name),
        });
        lines.collect::<Vec<_>>().join(" ")
    };
    if answers.iter().all(Result::is_ok) {
        return Ok(Done::saying(spoken(true)));
    }
    Err(Failure::new(
        "upstream_unreachable",
        format!("{} {}", spoken(false), spoken(true)).trim_end(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_form_asks_for_what_it_takes() {
        let FieldKind::Choice { choices } = INPUTS[0].kind else { panic!("a choice") };
        let words: Vec<_> = choices.iter().map(|choice| (choice.value, choice.label)).collect();
        for (check, (word, label)) in Check::ALL.into_iter().zip(words) {
            let input = serde_json::json!({ "only": word });
            let read: Input = serde_json::from_value(input).expect("an input");
            assert_eq!((read.only, check.label()), (Some(check), label));
        }
    }

    #[test]
    fn the_summary_names_the_first_failure_and_the_count() {
        let failure = |message: &str| Err(Failure::new("c", message));
        assert_eq!(verdict(&[("A", Ok(())), ("B", Ok(()))]), Ok(()));
        let one = verdict(&[("A", Ok(())), ("B", failure("b"))]).expect_err("one failed");
        assert_eq!(one.message(), "B: b");
        let two = verdict(&[("A", failure("a")), ("B", failure("b")), ("C", Ok(()))]);
        assert_eq!(two.expect_err("two failed").message(), "A: a (2 of 3 checks failed)");
    }

    #[test]
    fn room_is_said_in_gib() {
        assert_eq!(gib(0), "0.0 GiB");
        assert_eq!(gib(3 << 30), "3.0 GiB");
        assert_eq!(gib((3 << 30) + (1 << 29) + (1 << 20)), "3.5 GiB");
    }
}
