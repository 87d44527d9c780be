//! What holds of every run, whatever was done to the engine: asked of the whole database after each scenario.

use server::{
    audit::{Ask, Verdict, verify},
    store::{Db, Sql},
    vault::ChainKeys,
};

/// Each counts what must not be there.
const NEVER: [(&str, &str); 17] = [
    (
        "a run that ended without an outcome or a time",
        "FROM operation_runs WHERE status = 'completed' AND (outcome = 'pending' OR completed_at IS NULL)",
    ),
    (
        "an active run with an outcome or an end",
        "FROM operation_runs WHERE status <> 'completed' AND (outcome <> 'pending' OR completed_at IS NOT NULL)",
    ),
    (
        "a run at work that never started",
        "FROM operation_runs WHERE status = 'running' AND (attempt < 1 OR started_at IS NULL)",
    ),
    (
        "a run at work without a lease: nobody would ever take it back",
        "FROM operation_runs r LEFT JOIN operation_leases l ON l.run_id = r.id \
         WHERE r.status = 'running' AND l.run_id IS NULL",
    ),
    (
        "a lease of a run that is not at work",
        "FROM operation_leases l JOIN operation_runs r ON r.id = l.run_id WHERE r.status <> 'running'",
    ),
    (
        "a slot of a run that is not at work",
        "FROM operation_slots s JOIN operation_runs r ON r.id = s.run_id WHERE r.status <> 'running'",
    ),
    (
        "a step that goes on in a run that ended",
        "FROM operation_steps s JOIN operation_runs r ON r.id = s.run_id \
         WHERE r.status = 'completed' AND s.status NOT IN ('succeeded', 'failed', 'skipped')",
    ),
    (
        "a step at work that has an end",
        "FROM operation_steps WHERE status = 'running' AND completed_at IS NOT NULL",
    ),
    (
        "a finished step without an end",
        "FROM operation_steps WHERE status IN ('succeeded', 'failed') AND completed_at IS NULL",
    ),
    (
        "a success with a step that did not succeed",
        "FROM operation_steps s JOIN operation_runs r ON r.id = s.run_id \
         WHERE r.outcome = 'succeeded' AND s.status <> 'succeeded'",
    ),
    (
        "steps that are not numbered from 1 without a gap",
        "FROM (SELECT run_id FROM operation_steps GROUP BY run_id \
         HAVING MIN(position) <> 1 OR MAX(position) <> COUNT(*)) gaps",
    ),
    (
        "log lines that are not numbered from 1 without a gap",
        "FROM (SELECT run_id FROM operation_logs GROUP BY run_id \
         HAVING MIN(seq) <> 1 OR MAX(seq) <> COUNT(*)) gaps",
    ),
    (
        "two retries of one run",
        "FROM (SELECT retry_of_run_id FROM operation_runs WHERE retry_of_run_id IS NOT NULL \
         GROUP BY retry_of_run_id HAVING COUNT(*) > 1) twins",
    ),
    ("more lost workers than a run may have", "FROM operation_runs WHERE losses > 3"),
    (
        "a success that waits for somebody, or that says what went wrong",
        "FROM operation_runs WHERE outcome = 'succeeded' AND (open_work <> 0 OR error_fingerprint IS NOT NULL)",
    ),
    (
        "a failure without its cause, or whose cause has no line",
        "FROM operation_runs r LEFT JOIN operation_failure_groups g \
         ON g.workspace_id = r.workspace_id AND g.fingerprint = r.error_fingerprint \
         WHERE r.outcome = 'failed' AND g.fingerprint IS NULL",
    ),
    (
        "a cause that counts other failures than there are",
        "FROM operation_failure_groups g WHERE g.failures <> (SELECT COUNT(*) FROM operation_runs r \
         WHERE r.workspace_id = g.workspace_id AND r.error_fingerprint = g.fingerprint)",
    ),
];

/// The same for the audit, which is longer to read.
const NEVER_IN_AUDIT: [(&str, &str); 3] = [
    (
        "a run whose start stands not once in the audit",
        "FROM operation_runs r WHERE r.retry_of_run_id IS NULL AND (SELECT COUNT(*) FROM audit_log a \
         WHERE a.decision = 'allowed' AND a.action = 'platform.operations.start' AND a.target_id = CAST(r.id AS TEXT)) <> 1",
    ),
    (
        "a run whose end stands twice in the audit, or too early",
        "FROM operation_runs r WHERE (SELECT COUNT(*) FROM audit_log a \
         WHERE a.action = 'platform.operations.finish' AND a.target_id = CAST(r.id AS TEXT)) \
         > CASE r.status WHEN 'completed' THEN 1 ELSE 0 END",
    ),
    (
        "a run that ended after a worker had it, and no word of it in the audit: of its end, or of who wished it",
        "FROM operation_runs r WHERE r.status = 'completed' AND r.attempt > 0 AND NOT EXISTS \
         (SELECT 1 FROM audit_log a WHERE (a.action LIKE 'platform.operations.%' \
         AND a.action <> 'platform.operations.start' OR a.action = 'platform.system_console.cancel') \
         AND a.target_id = CAST(r.id AS TEXT))",
    ),
];

/// Fails with the first thing that must not be.
pub async fn hold(db: &Db, when: &str) {
    find_none(db, &NEVER, when).await;
}

async fn find_none(db: &Db, never: &[(&'static str, &'static str)], when: &str) {
    for (what, rows) in never {
        let sql = Sql::new("SELECT COUNT(*) AS n ").push(rows);
        let found = db.fetch_one(sql).await.expect(what).i64("n").expect("a number");
        assert_eq!(found, 0, "{what} ({when})");
    }
}

/// The same, the audit of each run, and the audit chain from its first row to its last.
pub async fn hold_to_the_end(db: &Db, when: &str) {
    hold(db, when).await;
    find_none(db, &NEVER_IN_AUDIT, when).await;
    let verdict = verify(db, &ChainKeys::for_tests(), &Ask::default()).await;
    assert!(matches!(verdict, Ok(Verdict::Whole(_))), "{when}: {verdict:?}");
}
