//! What the engine promises, through a store that fails, loses its answer, or is late, at each statement: the twins of
//! the tests beside this folder. (A death at any statement is in `crash`, a silent minute in `outage`, statements that
//! fail for many workers at once in `contention`.)

mod life;
mod queue;
mod reports;
mod schedules;
mod triage;
mod upkeep;

use std::sync::Arc;

use app::{
    error::ApiError,
    identity::{Caller, CallerKind, Capability, Reach},
    operations::model::OperationRun,
};
use server::{
    identity::AuditedGate,
    store::{Db, Sql},
};

use super::{kit::Kit, trial::Trial};

fn runs() -> Sql {
    Sql::new("SELECT COUNT(*) AS n FROM operation_runs")
}

/// How often this was allowed for the run, as the audit says.
async fn audited(kit: &Kit, action: &'static str, id: i64) -> i64 {
    let sql =
        Sql::new("SELECT COUNT(*) AS n FROM audit_log WHERE decision = 'allowed' AND action = ")
            .arg(action)
            .push(" AND target_id = ")
            .arg(id.to_string());
    kit.count(sql).await
}

/// Somebody who sees everything and may do nothing, refused through this store.
fn viewer(db: &Db) -> Caller {
    let sees = [Capability::AccessSystemPanel, Capability::OperationsView];
    let grants = sees.map(|capability| (capability, Reach::Everything)).to_vec();
    Caller::new(CallerKind::User, "vera", "Vera", grants, Arc::new(AuditedGate::new(db.clone())))
}

async fn denied(trial: &Trial) -> i64 {
    let sql = Sql::new("SELECT COUNT(*) AS n FROM audit_log WHERE decision = 'denied'");
    trial.kit.count(sql).await
}

/// Nobody hears yes. Where the audit cannot be written, the refusal stands all the same.
async fn refused<T: std::fmt::Debug>(trial: &Trial, answer: Result<T, ApiError>, before: i64) {
    match answer {
        Err(ApiError::Forbidden(Capability::OperationsManage)) => {
            assert!(denied(trial).await > before || trial.is_troubled(), "no word of it");
        }
        Err(_) if trial.is_troubled() => {}
        other => panic!("{other:?}: {}", trial.what()),
    }
}

/// A run that failed, and how it stands.
async fn failed(trial: &Trial) -> OperationRun {
    let run = trial.kit.start("test.fail").await;
    trial.kit.work_all("w").await.expect("works");
    trial.kit.get(run.id).await.run
}
