//! What needs a human among operations: failures that nobody has dealt with, one row for each cause, and runs
//! that do not move. Only reads: what the end of a run or a person's mark changes is written where it happens.

use std::{cmp::Reverse, collections::BTreeMap};

use app::{
    error::ApiError,
    home::{
        NeedsHuman,
        model::{Answer, Closed, EXPIRES_AFTER, FailedAgain, LeftBy, OpenRow, Severity, WayOn},
    },
    identity::{Caller, Capability, Reach, model::WorkspaceName},
    operations::{
        model::OperationRun,
        stuck::{Stuck, StuckClass},
    },
    paths,
    time::Micros,
    ui::moment,
};
use async_trait::async_trait;

use super::{
    Base, OperationsService,
    spec::RetrySafety,
    store::{
        self, Standing,
        open_work::{self as open, Cause, Gone, Mark},
        refused,
    },
    stuck::Judge,
};
use crate::store::StoreError;

const SOURCE: &str = "operations";
const VIEW: Capability = Capability::OperationsView;

#[async_trait]
impl NeedsHuman for OperationsService {
    fn name(&self) -> &'static str {
        SOURCE
    }

    fn needs(&self) -> &'static [Capability] {
        &[Capability::AccessSystemPanel, VIEW]
    }

    async fn look(&self, caller: &Caller, day_began: Micros) -> Result<Answer, ApiError> {
        let Some(reach) = caller.reach(VIEW) else { return Ok(Answer::default()) };
        look(&self.base, &reach, day_began).await.map_err(refused)
    }
}

async fn look(base: &Base, reach: &Reach, day_began: Micros) -> Result<Answer, StoreError> {
    let now = base.db.now().await?;
    let (mut rows, more_failed) = failed(base, reach, now).await?;
    let (stuck, more_stuck) = stuck(base, reach, now).await?;
    rows.extend(stuck);
    let gone = open::gone(&base.db, reach, day_began).await?;
    Ok(Answer {
        rows,
        more: more_failed || more_stuck,
        today: Some(open::failed_since(&base.db, reach, day_began).await?),
        closed: gone.into_iter().map(|gone| closed(base, gone)).collect(),
    })
}

/// One row for each cause and workspace.
async fn failed(
    base: &Base,
    reach: &Reach,
    now: Micros,
) -> Result<(Vec<OpenRow>, bool), StoreError> {
    let (causes, more) = open::causes(&base.db, reach, now).await?;
    let newest: Vec<i64> = causes.iter().map(|cause| cause.newest).collect();
    let runs = store::read(&base.db, &base.catalog, &newest).await?;
    let runs: BTreeMap<i64, OperationRun> =
        runs.into_iter().map(|standing| (standing.run.id, standing.run)).collect();
    let steps = open::stopped_at(&base.db, &newest).await?;
    let steps: BTreeMap<i64, String> = steps.into_iter().rev().collect();
    let retries: BTreeMap<i64, i64> =
        open::under_way(&base.db, &newest).await?.into_iter().collect();
    let marks = open::marks(&base.db, &causes).await?;
    let row = |cause: &Cause| {
        let run = runs.get(&cause.newest)?;
        let mark = marks.iter().find(|mark| {
            mark.workspace_id == cause.workspace_id
                && Some(&mark.fingerprint) == cause.fingerprint.as_ref()
        });
        let row = failed_row(cause, run, steps.get(&run.id), mark);
        Some(match retries.get(&run.id) {
            Some(retry) => OpenRow { next: tried_again(*retry), ..row },
            None => row,
        })
    };
    Ok((causes.iter().filter_map(row).collect(), more))
}

fn failed_row(
    cause: &Cause,
    run: &OperationRun,
    step: Option<&String>,
    mark: Option<&Mark>,
) -> OpenRow {
    let what = match step {
        Some(step) => format!("{} stopped at “{step}”", run.type_label),
        None => format!("{} failed", run.type_label),
    };
    let fingerprint = cause.fingerprint.as_deref();
    let all = fingerprint.filter(|_| cause.count > 1).map(|fingerprint| WayOn {
        label: "All of this cause".to_owned(),
        href: paths::failures_of_cause(fingerprint, cause.workspace_id),
    });
    let again = mark.map(|mark| FailedAgain {
        investigated_by: mark.by.clone(),
        investigated_at: mark.at,
        before: WayOn { label: format!("#{}", mark.run_id), href: paths::run(mark.run_id) },
    });
    let key = fingerprint.unwrap_or(&run.kind);
    OpenRow {
        source: SOURCE,
        key: format!("failed.{}.{key}", cause.workspace_id),
        what,
        why: run.error_summary.clone(),
        severity: Severity::Bad,
        state: "failed".to_owned(),
        subject: subject(run),
        workspace: workspace(run),
        since: cause.since,
        count: cause.count,
        href: paths::run(run.id),
        next: WayOn {
            label: "Read the runbook".to_owned(),
            href: paths::runbook(&run.kind, Some(run.workspace_id)),
        },
        all,
        capability: VIEW,
        again,
        expires_at: Some(cause.last_at.plus(EXPIRES_AFTER)),
    }
}

/// Somebody is at it already.
fn tried_again(retry: i64) -> WayOn {
    WayOn { label: format!("Being tried again: #{retry}"), href: paths::run(retry) }
}

fn subject(run: &OperationRun) -> Option<String> {
    run.target_label.clone().or_else(|| run.target.clone())
}

fn workspace(run: &OperationRun) -> WorkspaceName {
    WorkspaceName { id: run.workspace.id, name: run.workspace.name.clone() }
}

type Group<'a> = Vec<(&'a Standing, Stuck)>;

/// Runs that do not move, one row for each type, class and workspace; the longest of them speaks for all.
async fn stuck(
    base: &Base,
    reach: &Reach,
    now: Micros,
) -> Result<(Vec<OpenRow>, bool), StoreError> {
    let (ids, more) = open::active(&base.db, reach, now).await?;
    let standings = store::read(&base.db, &base.catalog, &ids).await?;
    let kinds = standings.iter().map(|standing| standing.run.kind.as_str());
    let judge = Judge::open(base, kinds).await?;
    let mut groups: BTreeMap<(i64, &str, StuckClass), Group<'_>> = BTreeMap::new();
    for standing in &standings {
        let Some(stuck) = judge.verdict(standing) else { continue };
        if looked_into(&standing.run).is_some_and(|at| at >= stuck.since) {
            continue;
        }
        let key = (standing.run.workspace_id, standing.run.kind.as_str(), stuck.class);
        groups.entry(key).or_default().push((standing, stuck));
    }
    let rows = groups.into_values().filter_map(|group| {
        let count = i64::try_from(group.len()).unwrap_or(i64::MAX);
        let oldest = group.into_iter().max_by_key(|(s, stuck)| Reverse((stuck.since, s.run.id)))?;
        Some(stuck_row(base, oldest.0, &oldest.1, count, judge.now))
    });
    Ok((rows.collect(), more))
}

/// When somebody marked this run as looked into.
fn looked_into(run: &OperationRun) -> Option<Micros> {
    run.context.pointer("/triage/investigated/at")?.as_str()?.parse().ok()
}

fn stuck_row(base: &Base, standing: &Standing, stuck: &Stuck, count: i64, now: Micros) -> OpenRow {
    let run = &standing.run;
    let all = (count > 1).then(|| WayOn {
        label: format!("All {count} of them"),
        href: paths::stuck_of_class(stuck.class.as_str(), &run.kind, run.workspace_id),
    });
    OpenRow {
        source: SOURCE,
        key: format!("stuck.{}.{}.{}", run.workspace_id, run.kind, stuck.class.as_str()),
        what: format!("{} does not move", run.type_label),
        why: Some(evidence(base, standing, stuck, now)),
        severity: Severity::Warn,
        state: stuck.class.label().to_owned(),
        subject: subject(run),
        workspace: workspace(run),
        since: stuck.since,
        count,
        href: paths::run(run.id),
        next: WayOn { label: "Read the evidence".to_owned(), href: paths::run(run.id) },
        all,
        capability: VIEW,
        again: None,
        expires_at: None,
    }
}

/// In one sentence, why it is said not to move.
fn evidence(base: &Base, standing: &Standing, stuck: &Stuck, now: Micros) -> String {
    let since = moment::span(now.since(stuck.since));
    let allowed = moment::span(stuck.threshold_micros);
    let worker = standing.lease.as_ref().map_or("its worker", |lease| lease.owner.as_str());
    let queue = &standing.run.queue;
    let said = match stuck.class {
        StuckClass::NoWorker => {
            format!("due for {since}; no living worker serves the queue “{queue}”")
        }
        StuckClass::QueuedTooLong => format!("waits for {since}; {allowed} are allowed"),
        StuckClass::NeverHeartbeat => {
            format!("taken {since} ago by {worker}, which was never heard of since")
        }
        StuckClass::HeartbeatLost => format!("no heartbeat for {since} from {worker}"),
        StuckClass::CancelIgnored => format!("asked to end {since} ago and still running"),
        StuckClass::OverBudget => format!("running for {since}; {allowed} are usual"),
    };
    let silent = matches!(stuck.class, StuckClass::NeverHeartbeat | StuckClass::HeartbeatLost);
    let entry = base.catalog.find(&standing.run.kind);
    match entry.map(|entry| entry.spec.retry_safety) {
        Some(RetrySafety::Unsafe(_)) if silent => {
            format!("{said}; may act twice if started again, so it waits for you")
        }
        _ => said,
    }
}

fn closed(base: &Base, gone: Gone) -> Closed {
    let left_by = match (gone.superseded_by, gone.investigated) {
        (Some(_), _) => LeftBy::Superseded,
        (None, true) => LeftBy::Investigated,
        (None, false) => LeftBy::Expired,
    };
    let through = |id: i64| WayOn { label: format!("#{id}"), href: paths::run(id) };
    Closed {
        what: format!("#{} {}", gone.id, base.catalog.label(&gone.kind)),
        subject: gone.target,
        href: paths::run(gone.id),
        left_by,
        who: gone.investigated_by,
        through: gone.superseded_by.map(through),
        at: gone.at,
    }
}
