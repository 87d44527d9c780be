//! The list of what does not move: each class made with the store's own rows and a clock that is moved by hand.

use std::time::Duration;

use app::{
    identity::{Capability, Permit, Reach, permit},
    list::{ListQuery, Page},
    operations::{
        Lists, View, filters::List, lists::ListedRun, model::StartOperation, stuck::StuckClass,
    },
    time::Micros,
};
use server::store::{Db, Sql, testing};

use super::kit::{Kit, request};

const START: Micros = Micros(1_795_000_000_000_000);

async fn write(db: &Db, statements: impl IntoIterator<Item = Sql>) {
    let mut tx = db.begin().await.expect("a write begins");
    for sql in statements {
        tx.execute(sql).await.expect("a row");
    }
    tx.commit(Vec::new()).await.expect("a commit");
}

/// A process that serves the kit's queue, heard of now.
fn served(now: Micros) -> Sql {
    Sql::new(
        "INSERT INTO operation_workers (id, name, queues, workers, version, started_at, \
         heartbeat_at) VALUES ",
    )
    .list([
        server::store::Value::from("w-1"),
        "host/1".into(),
        "[\"test\"]".into(),
        1_i64.into(),
        "1".into(),
        now.into(),
        now.into(),
    ])
    .push(" ON CONFLICT (id) DO UPDATE SET heartbeat_at = ")
    .arg(now)
}

/// Taken by a worker at `at`, heard of at `heartbeat`.
fn taken(id: i64, at: Micros, heartbeat: Option<Micros>) -> [Sql; 2] {
    let running = Sql::new("UPDATE operation_runs SET status = 'running', started_at = ")
        .arg(at)
        .push(" WHERE id = ")
        .arg(id);
    let lease = Sql::new(
        "INSERT INTO operation_leases (run_id, owner, token, heartbeat_at, acquired_at, \
         expires_at) VALUES ",
    )
    .list([
        server::store::Value::from(id),
        "w-1".into(),
        "t".into(),
        heartbeat.into(),
        at.into(),
        at.into(),
    ]);
    [running, lease]
}

fn cancelled(id: i64, at: Micros) -> Sql {
    Sql::new("UPDATE operation_runs SET cancel_requested_at = ")
        .arg(at)
        .push(" WHERE id = ")
        .arg(id)
}

async fn stuck(kit: &Kit, permit: &Permit<View>, pairs: &[(&str, &str)]) -> Page<ListedRun> {
    let pairs = pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    let query = ListQuery::parse(List::Stuck.filters(), pairs).expect("allowed");
    Lists::list(&kit.service, permit, List::Stuck, &query).await.expect("the list answers")
}

fn classes(page: &Page<ListedRun>) -> Vec<(i64, StuckClass)> {
    let class = |row: &ListedRun| (row.run.id, row.stuck.expect("a verdict").class);
    page.items.iter().map(class).collect()
}

#[tokio::test]
async fn each_class_is_found_counted_and_filtered_by() {
    use StuckClass::{
        CancelIgnored, HeartbeatLost, NeverHeartbeat, NoWorker, OverBudget, QueuedTooLong,
    };
    for (engine, hand) in testing::engines_at(START).await {
        let kit = Kit::on(&engine.db);
        let permit = permit::<View>(&kit.admin).await.expect("may");
        let mut ids = Vec::new();
        for _ in 0..6 {
            ids.push(kit.start("test.steps").await.id);
        }
        // Not due yet, moving, and ended: none of them is stuck, however long it has been.
        let due = Some(START.plus(86_400 * Micros::SECOND));
        kit.ask(StartOperation { scheduled_at: due, ..request("test.steps") }).await.expect("ok");
        let moving = kit.start("test.steps").await.id;
        let ended = kit.start("test.steps").await.id;
        assert!(stuck(&kit, &permit, &[]).await.items.is_empty());

        hand.advance(Duration::from_mins(10));
        let now = START.plus(600 * Micros::SECOND);
        let ago = |seconds: i64| now.plus(-seconds * Micros::SECOND);
        write(&kit.db, [served(now)]).await;
        let other_queue = Sql::new("UPDATE operation_runs SET queue = 'nobody' WHERE id = ");
        write(&kit.db, [other_queue.arg(ids[0])]).await;
        // ids[1] waits longer than its budget of a minute and the two minutes that every run has.
        write(&kit.db, taken(ids[2], ago(31), None)).await;
        write(&kit.db, taken(ids[3], ago(100), Some(ago(40)))).await;
        write(&kit.db, taken(ids[4], ago(70), Some(now))).await;
        write(&kit.db, [cancelled(ids[4], ago(61))]).await;
        write(&kit.db, taken(ids[5], ago(500), Some(now))).await;
        write(&kit.db, taken(moving, ago(20), Some(now))).await;
        let done = Sql::new(
            "UPDATE operation_runs SET status = 'completed', outcome = 'succeeded' WHERE id = ",
        );
        write(&kit.db, [done.arg(ended)]).await;

        let all = stuck(&kit, &permit, &[]).await;
        let mut expected: Vec<(i64, StuckClass)> = ids
            .iter()
            .copied()
            .zip([
                NoWorker,
                QueuedTooLong,
                NeverHeartbeat,
                HeartbeatLost,
                CancelIgnored,
                OverBudget,
            ])
            .collect();
        expected.reverse();
        assert_eq!(classes(&all), expected);
        assert_eq!((all.total, all.total_capped), (6, false));
        assert!(all.items.iter().all(|row| row.run.stuck_class == row.stuck.map(|s| s.class)));

        let two = [("stuck_class", "heartbeat_lost"), ("stuck_class", "no_worker")];
        let some = stuck(&kit, &permit, &two).await;
        assert_eq!(classes(&some), [(ids[3], HeartbeatLost), (ids[0], NoWorker)]);
        let queued = stuck(&kit, &permit, &[("status", "queued")]).await;
        assert_eq!(classes(&queued), [(ids[1], QueuedTooLong), (ids[0], NoWorker)]);
        assert!(stuck(&kit, &permit, &[("type", "test.fail")]).await.items.is_empty());
        assert_eq!(stuck(&kit, &permit, &[("initiator", "admin")]).await.total, 6);
        assert!(stuck(&kit, &permit, &[("q", "nobody asked")]).await.items.is_empty());
        assert_eq!(stuck(&kit, &permit, &[("q", "ADMIN")]).await.total, 6);

        // All runs by their class, and the badge beside the others.
        let by_class = ListQuery::default().with("stuck_class", "over_budget");
        let by_class = Lists::list(&kit.service, &permit, List::Runs, &by_class).await;
        assert_eq!(classes(&by_class.expect("a list")), [(ids[5], OverBudget)]);
        let runs = Lists::list(&kit.service, &permit, List::Runs, &ListQuery::default()).await;
        let runs = runs.expect("a list");
        let of = |id: i64| runs.items.iter().find(|row| row.run.id == id).expect("listed").stuck;
        assert_eq!(of(ids[3]).map(|stuck| stuck.class), Some(HeartbeatLost));
        assert_eq!((of(moving), of(ended)), (None, None));

        let counts = kit.service.counts(&permit, &ListQuery::default()).await.expect("counts");
        assert_eq!((counts.stuck.total, counts.stuck_classes.len()), (6, 6));
        let newer = kit.service.newer(&permit, List::Stuck, &ListQuery::default(), ids[3]).await;
        assert_eq!(newer, Ok(2));

        let first = stuck(&kit, &permit, &[("page_size", "4")]).await;
        assert_eq!(classes(&first), expected[..4]);
        let next = first.next_cursor.expect("there is more");
        let second = stuck(&kit, &permit, &[("page_size", "4"), ("cursor", &next)]).await;
        assert_eq!(classes(&second), expected[4..]);
    }
}

#[tokio::test]
async fn a_narrow_permit_sees_what_is_stuck_in_its_workspaces() {
    for (engine, hand) in testing::engines_at(START).await {
        let kit = Kit::on(&engine.db);
        let place =
            Sql::new("INSERT INTO workspaces (id, name, created_at) VALUES (7, 'seven', 0)");
        write(&kit.db, [place]).await;
        kit.start("test.steps").await;
        let seven = kit.ask(StartOperation { workspace_id: Some(7), ..request("test.steps") });
        let seven = seven.await.expect("started").id;
        hand.advance(Duration::from_mins(1));
        let reach = Reach::Workspaces([7].into());
        let narrow = testing::caller("n", vec![(Capability::OperationsView, reach)]);
        let permit = permit::<View>(&narrow).await.expect("may");
        let page = stuck(&kit, &permit, &[]).await;
        assert_eq!(classes(&page), [(seven, StuckClass::NoWorker)]);
        assert!(stuck(&kit, &permit, &[("workspace_id", "1")]).await.items.is_empty());
    }
}

/// A long queue is judged slim; what is beyond the look is said, not hidden.
#[tokio::test]
async fn of_a_very_long_queue_the_oldest_ten_thousand_are_judged() {
    for (engine, hand) in testing::engines_at(START).await {
        let kit = Kit::on(&engine.db);
        let permit = permit::<View>(&kit.admin).await.expect("may");
        let first = kit.start("test.steps").await.id;
        let many = |count: i64| {
            Sql::new("WITH RECURSIVE n (i) AS (SELECT CAST(1 AS BIGINT) UNION ALL SELECT i + 1 FROM n WHERE i < ")
                .arg(count)
                .push(
                    ") INSERT INTO operation_runs (workspace_id, type, status, outcome, \
                     initiator_kind, queue, priority, input, context, scheduled_at, attempt, created_at) \
                     SELECT r.workspace_id, r.type, r.status, r.outcome, r.initiator_kind, r.queue, \
                     r.priority, r.input, r.context, r.scheduled_at, 0, r.created_at \
                     FROM n JOIN operation_runs r ON r.id = ",
                )
                .arg(first)
        };
        write(&kit.db, [many(9_999)]).await;
        hand.advance(Duration::from_secs(31));
        let all = stuck(&kit, &permit, &[]).await;
        assert_eq!((all.total, all.total_capped, all.items.len()), (10_000, false, 20));
        write(&kit.db, [many(5)]).await;
        let more = stuck(&kit, &permit, &[]).await;
        assert_eq!((more.total, more.total_capped), (10_000, true));
        let last = stuck(&kit, &permit, &[("page", "100"), ("page_size", "100")]).await;
        assert_eq!(last.items.last().map(|row| row.run.id), Some(first));
    }
}
