//! One of each thing that pages show.

use super::{NOW, World};
use crate::{
    audit::model::{AuditEntry, Decision},
    home::model::{FailedToday, OpenWork, Source},
    identity::Capability,
    list::Page,
    operations::{
        lineage::Lineage,
        lists::Counts,
        model::{
            LastRun, Named, OperationDetail, OperationRun, OperationType, Outcome, Status, Step,
            StepStatus,
        },
        since::{Found, SinceLastSuccess},
        triage::Triage,
        workers::WorkerProcess,
    },
    settings::model::{TaskState, TaskStatus},
    time::Micros,
};

/// A run that stands alone: nobody tried it again, and there is no success to compare it with.
pub fn detail(run: OperationRun, steps: Vec<Step>) -> OperationDetail {
    let since_last_success = SinceLastSuccess::nothing(Found::NoneKept);
    let lineage = Lineage { total: 1, position: 1, ..Lineage::default() };
    let triage = Triage {
        retry: false,
        retry_refused: None,
        retry_safety: None,
        cancel: false,
        end_anyway: false,
        lacking: None,
    };
    OperationDetail { run, steps, lineage, since_last_success, stuck: None, triage }
}

pub fn run(id: i64, label: &str, target: Option<&str>) -> OperationRun {
    let created = NOW.plus(-(48_300 - id) * 60 * Micros::SECOND);
    OperationRun {
        id,
        workspace_id: 1,
        tenant_id: None,
        workspace: Named { id: 1, name: "platform".to_owned() },
        tenant: None,
        kind: "system.self_check".to_owned(),
        type_label: label.to_owned(),
        status: Status::Completed,
        outcome: Outcome::Succeeded,
        initiator_kind: "system".to_owned(),
        initiator_id: None,
        initiator_name: Some("schedule".to_owned()),
        target: target.map(str::to_owned),
        target_label: None,
        queue: "default".to_owned(),
        priority: 0,
        attempt: 1,
        error_summary: None,
        error_fingerprint: None,
        stuck_class: None,
        progress: None,
        retry_of_run_id: None,
        superseded_by_run_id: None,
        cancelled: false,
        open_work: false,
        input: serde_json::json!({}),
        context: serde_json::json!({}),
        scheduled_at: created,
        created_at: created,
        started_at: Some(created.plus(Micros::SECOND)),
        completed_at: Some(created.plus(3 * Micros::SECOND + 100_000)),
    }
}

pub fn step(position: i64, label: &str, status: StepStatus, detail: Option<&str>) -> Step {
    let started = NOW.plus(position * Micros::SECOND);
    let ran = matches!(status, StepStatus::Succeeded | StepStatus::Failed);
    Step {
        position,
        name: label.to_owned(),
        label: label.to_owned(),
        status,
        detail: detail.map(str::to_owned),
        started_at: (ran || status == StepStatus::Running).then_some(started),
        completed_at: ran.then(|| started.plus(200_000)),
    }
}

pub fn entry(seq: i64, action: &str, decision: Decision) -> AuditEntry {
    AuditEntry {
        seq,
        at: NOW.plus(-seq * Micros::SECOND),
        actor_kind: "user".to_owned(),
        actor_id: "u-1".to_owned(),
        actor_name: "Ada".to_owned(),
        on_behalf_of: None,
        service_identity: None,
        action: action.to_owned(),
        target_kind: Some("operation".to_owned()),
        target_id: Some("7".to_owned()),
        target_label: Some("Self-check".to_owned()),
        workspace_id: Some(1),
        workspace_name: Some("platform".to_owned()),
        capability: Some("identity.manage".to_owned()),
        decision,
        reason: None,
        request_id: "r-1".to_owned(),
        correlation_id: "r-1".to_owned(),
        session_hash: Some("s-1".to_owned()),
        address: Some("127.0.0.1".to_owned()),
        details: serde_json::json!({"role": "admin"}),
    }
}

pub fn page<T>(items: Vec<T>) -> Page<T> {
    Page {
        total: i64::try_from(items.len()).unwrap_or(0),
        items,
        total_capped: false,
        page: Some(1),
        page_size: 20,
        total_pages: 1,
        next_cursor: None,
        previous_cursor: None,
        searched: None,
    }
}

fn last_run() -> LastRun {
    LastRun {
        id: 48_211,
        status: Status::Completed,
        outcome: Outcome::Failed,
        created_at: NOW.plus(-90 * Micros::SECOND),
        started_at: Some(NOW.plus(-89 * Micros::SECOND)),
        completed_at: Some(NOW.plus(-88 * Micros::SECOND)),
    }
}

pub fn world(items: Vec<OperationRun>) -> World {
    World {
        page: Ok(page(items)),
        detail: None,
        catalog: vec![OperationType {
            kind: "system.self_check".to_owned(),
            label: "Self-check".to_owned(),
            summary: "Checks what the console stands on and says what it found.".to_owned(),
            capability: Capability::OperationsManage,
            startable: true,
            runbook: "# When it fails\n\n1. Read the failed *step*.\n2. Run `df`.\n\n<script>alert(1)</script>"
                .to_owned(),
            schedule: Some("every 5 minutes".to_owned()),
            last_run: Some(last_run()),
            recent_runs: vec![last_run()],
        }],
        inputs: Vec::new(),
        versions: Vec::new(),
        work: OpenWork {
            looked_at: NOW,
            day_began: NOW,
            rows: Vec::new(),
            more: false,
            today: Some(FailedToday::default()),
            closed: Vec::new(),
            sources: vec![Source { name: "operations", unavailable: None }],
        },
        entries: Ok(page(Vec::new())),
        counts: Counts::default(),
        groups: Vec::new(),
        views: Vec::new(),
        workers: vec![WorkerProcess {
            id: "w-1".to_owned(),
            name: "ops-1:4711".to_owned(),
            queues: vec!["system".to_owned(), "upkeep".to_owned()],
            workers: 4,
            version: "0.1.0".to_owned(),
            started_at: NOW.plus(-3600 * Micros::SECOND),
            heartbeat_at: NOW.plus(-7 * Micros::SECOND),
            alive: true,
        }],
        lines: Vec::new(),
        tasks: vec![TaskState {
            name: "events.sequencer".to_owned(),
            what: "Numbers news in the order of their commits.".to_owned(),
            state: TaskStatus::Running,
            restarts: 0,
            last_error: None,
            since: NOW.plus(-3600 * Micros::SECOND),
            last_beat: Some(NOW.plus(-2 * Micros::SECOND)),
        }],
    }
}
