//! What needs a human among operations, against rows whose fate a test decides.

use app::{
    home::{
        NeedsHuman as _,
        model::{Answer, EXPIRES_AFTER, LeftBy, OpenRow, Severity},
    },
    identity::{Caller, Capability, Reach},
    time::Micros,
};
use server::store::{Db, Sql, testing};

use super::kit::Kit;

const HOUR: i64 = 3_600 * Micros::SECOND;
const NOON: Micros = Micros(1_795_262_400_000_000);
const MIDNIGHT: Micros = Micros(NOON.0 - 12 * HOUR);

/// A failure, with what became of it.
#[derive(Clone, Copy)]
struct Failure {
    cause: Option<&'static str>,
    workspace: i64,
    /// Before noon.
    hours: i64,
    open: bool,
    superseded_by: Option<i64>,
    /// Hours before noon.
    investigated: Option<i64>,
    cancelled: bool,
    expired: bool,
}

const OPEN: Failure = Failure {
    cause: Some("a"),
    workspace: 1,
    hours: 1,
    open: true,
    superseded_by: None,
    investigated: None,
    cancelled: false,
    expired: false,
};

async fn add(db: &Db, failure: Failure) -> i64 {
    let mut tx = db.begin().await.expect("a write begins");
    let at = NOON.plus(-failure.hours * HOUR);
    let investigated = failure.investigated.map(|hours| NOON.plus(-hours * HOUR));
    let sql = Sql::new(
        "INSERT INTO operation_runs (workspace_id, type, status, outcome, initiator_kind, queue, priority, \
         input, context, scheduled_at, attempt, search_text, created_at, started_at, completed_at, \
         error_summary, error_fingerprint, open_work, superseded_by_run_id, investigated_at, \
         investigated_by, investigated_reason, cancel_requested_at, open_work_expired_at) VALUES ",
    )
    .list([
        server::store::Value::from(failure.workspace),
        "test.fail".into(),
        "completed".into(),
        "failed".into(),
        "user".into(),
        "test".into(),
        0_i64.into(),
        "{}".into(),
        "{}".into(),
        at.into(),
        1_i64.into(),
        "".into(),
        at.into(),
        at.into(),
        at.into(),
        "it broke".into(),
        failure.cause.into(),
        failure.open.into(),
        failure.superseded_by.into(),
        investigated.into(),
        investigated.map(|_| "Ada".to_owned()).into(),
        investigated.map(|_| "looked".to_owned()).into(),
        failure.cancelled.then_some(at).into(),
        failure.expired.then_some(at).into(),
    ])
    .push(" RETURNING id");
    let id = tx.fetch_one(sql).await.expect("a run").i64("id").expect("a number");
    tx.commit(Vec::new()).await.expect("a commit");
    id
}

async fn workspace(db: &Db, id: i64) {
    let mut tx = db.begin().await.expect("a write begins");
    let sql = Sql::new("INSERT INTO workspaces (id, name, created_at) VALUES (").arg(id);
    tx.execute(sql.push(", ").arg(format!("w{id}")).push(", 0)")).await.expect("a workspace");
    tx.commit(Vec::new()).await.expect("a commit");
}

async fn look(kit: &Kit, caller: &Caller) -> Answer {
    kit.service.look(caller, MIDNIGHT).await.expect("an answer")
}

fn viewer(reach: Reach) -> Caller {
    testing::caller("viewer", vec![(Capability::OperationsView, reach)])
}

fn told(row: &OpenRow) -> (&str, i64, i64) {
    (row.key.as_str(), row.count, NOON.since(row.since) / HOUR)
}

#[tokio::test]
async fn failures_of_one_cause_and_workspace_are_one_row() {
    for (engine, _) in testing::engines_at(NOON).await {
        let kit = Kit::on(&engine.db);
        workspace(&kit.db, 7).await;
        for hours in [1, 5, 3] {
            add(&kit.db, Failure { hours, ..OPEN }).await;
        }
        let newest = add(&kit.db, Failure { hours: 0, ..OPEN }).await;
        add(&kit.db, Failure { workspace: 7, hours: 2, ..OPEN }).await;
        add(&kit.db, Failure { cause: None, hours: 4, ..OPEN }).await;
        let answer = look(&kit, &viewer(Reach::Everything)).await;
        let rows: Vec<_> = answer.rows.iter().map(told).collect();
        assert_eq!(
            rows,
            [("failed.1.a", 4, 5), ("failed.1.test.fail", 1, 4), ("failed.7.a", 1, 2)]
        );
        let row = &answer.rows[0];
        assert_eq!(
            (row.href.clone(), row.severity),
            (format!("/system/ops/runs/{newest}"), Severity::Bad)
        );
        assert_eq!(
            row.all.as_ref().map(|all| all.href.as_str()),
            Some("/system/ops/failures?fingerprint=a&workspace_id=1")
        );
        assert_eq!(
            (row.why.as_deref(), row.workspace.name.as_str()),
            (Some("it broke"), "platform")
        );
        assert_eq!(row.expires_at, Some(NOON.plus(EXPIRES_AFTER)));
        assert!(answer.rows[2].all.is_none());
        // Who reaches one workspace sees that one, in the counts too.
        let narrow = look(&kit, &viewer(Reach::of(Some(7)))).await;
        assert_eq!(narrow.rows.iter().map(told).collect::<Vec<_>>(), [("failed.7.a", 1, 2)]);
        assert_eq!(narrow.today.map(|today| (today.failed, today.open)), Some((1, 1)));
        let nobody = look(&kit, &testing::caller("nobody", Vec::new())).await;
        assert_eq!(nobody, Answer::default());
    }
}

#[tokio::test]
async fn a_row_leaves_by_a_success_a_mark_or_its_age() {
    for (engine, _) in testing::engines_at(NOON).await {
        let kit = Kit::on(&engine.db);
        let success = add(&kit.db, Failure { hours: 30, expired: true, open: false, ..OPEN }).await;
        let closed = Failure { open: false, ..OPEN };
        let superseded =
            add(&kit.db, Failure { superseded_by: Some(success), hours: 3, ..closed }).await;
        add(&kit.db, Failure { investigated: Some(1), hours: 4, ..closed }).await;
        add(&kit.db, Failure { expired: true, hours: 5, ..closed }).await;
        add(&kit.db, Failure { cancelled: true, hours: 6, ..closed }).await;
        // Nobody came for it in seven days, and nobody has said so yet.
        add(&kit.db, Failure { hours: 7 * 24 + 1, ..OPEN }).await;
        let answer = look(&kit, &viewer(Reach::Everything)).await;
        assert_eq!(answer.rows, []);
        let today = answer.today.expect("counts");
        assert_eq!((today.failed, today.closed_by_success, today.investigated), (3, 1, 1));
        assert_eq!((today.open, today.expired, today.cancelled, today.capped), (0, 1, 1, false));
        let how: Vec<_> = answer.closed.iter().map(|closed| closed.left_by).collect();
        assert_eq!(how, [LeftBy::Superseded, LeftBy::Investigated, LeftBy::Expired]);
        let first = &answer.closed[0];
        assert_eq!(first.href, format!("/system/ops/runs/{superseded}"));
        assert_eq!(
            first.through.as_ref().map(|way| way.href.clone()),
            Some(format!("/system/ops/runs/{success}"))
        );
        assert_eq!(answer.closed[1].who.as_deref(), Some("Ada"));
    }
}

#[tokio::test]
async fn what_fails_again_after_a_mark_says_who_had_looked() {
    for (engine, _) in testing::engines_at(NOON).await {
        let kit = Kit::on(&engine.db);
        workspace(&kit.db, 7).await;
        let marked = Failure { open: false, hours: 9, investigated: Some(8), ..OPEN };
        let before = add(&kit.db, marked).await;
        add(&kit.db, Failure { hours: 2, ..OPEN }).await;
        add(&kit.db, Failure { workspace: 7, hours: 2, ..OPEN }).await;
        // Marked after its cause failed last: that row is not open for this mark's sake.
        add(
            &kit.db,
            Failure { cause: Some("b"), open: false, hours: 4, investigated: Some(1), ..OPEN },
        )
        .await;
        add(&kit.db, Failure { cause: Some("b"), hours: 3, ..OPEN }).await;
        let answer = look(&kit, &viewer(Reach::Everything)).await;
        let again = |key: &str| {
            let row = answer.rows.iter().find(|row| row.key == key).expect("a row");
            row.again.clone()
        };
        let mark = again("failed.1.a").expect("it had been looked into");
        assert_eq!(mark.investigated_by.as_deref(), Some("Ada"));
        assert_eq!(mark.investigated_at, NOON.plus(-8 * HOUR));
        assert_eq!(mark.before.href, format!("/system/ops/runs/{before}"));
        assert_eq!(again("failed.7.a"), None);
        assert_eq!(again("failed.1.b"), None);
    }
}

#[tokio::test]
async fn what_is_being_tried_again_leads_to_its_retry() {
    for (engine, _) in testing::engines_at(NOON).await {
        let kit = Kit::on(&engine.db);
        let failed = add(&kit.db, OPEN).await;
        let retry = kit.start("test.steps").await.id;
        let mut tx = kit.db.begin().await.expect("a write begins");
        let sql = Sql::new("UPDATE operation_runs SET retry_of_run_id = ").arg(failed);
        tx.execute(sql.push(" WHERE id = ").arg(retry)).await.expect("an update");
        tx.commit(Vec::new()).await.expect("a commit");
        let row = &look(&kit, &viewer(Reach::Everything)).await.rows[0];
        assert_eq!(row.next.href, format!("/system/ops/runs/{retry}"));
        assert!(row.next.label.contains("tried again"), "{}", row.next.label);
    }
}

#[tokio::test]
async fn what_does_not_move_is_open_until_somebody_looked() {
    for (engine, hand) in testing::engines_at(NOON).await {
        let kit = Kit::on(&engine.db);
        let (one, two) = (kit.start("test.steps").await, kit.start("test.steps").await);
        let viewer = viewer(Reach::Everything);
        assert_eq!(look(&kit, &viewer).await.rows, []);
        hand.advance(std::time::Duration::from_secs(31));
        let answer = look(&kit, &viewer).await;
        assert_eq!(answer.rows.len(), 1, "{:?}", answer.rows);
        let row = &answer.rows[0];
        assert_eq!(
            (row.key.as_str(), row.count, row.severity),
            ("stuck.1.test.steps.no_worker", 2, Severity::Warn)
        );
        assert!(row.why.as_deref().is_some_and(|why| why.contains("no living worker")));
        assert_eq!(row.href, format!("/system/ops/runs/{}", one.id));
        let mut tx = kit.db.begin().await.expect("a write begins");
        let mark =
            Sql::new("UPDATE operation_runs SET investigated_by = 'Ada', investigated_at = ")
                .arg(kit.db.now().await.expect("now"))
                .push(" WHERE id IN ")
                .list([one.id, two.id]);
        tx.execute(mark).await.expect("an update");
        tx.commit(Vec::new()).await.expect("a commit");
        assert_eq!(look(&kit, &viewer).await.rows, []);
    }
}
