//! What the detail page reads: the log, the chain of retries, the last success; on both engines.

use std::{sync::Arc, time::Duration};

use super::kit::{Kit, SPEC, request};
use app::{
    error::{ApiError, Thing},
    identity::{Capability, Permit, Reach, permit},
    operations::{
        Follow as _, Operations as _, View,
        lineage::Lineage,
        log::{Level, Span},
        model::{OperationRun, StartOperation, Status},
        since::{Found, SinceLastSuccess},
    },
    time::Micros,
};
use serde::Deserialize;
use serde_json::json;
use server::{
    clock::Rng,
    operations::{
        OperationsService,
        failure::Failure,
        run::{Done, Run},
        spec::{Catalog, Spec},
    },
    store::{Db, Sql, StoreError, testing},
};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

const START: Micros = Micros(1_790_000_000_000_000);

#[derive(Debug, Deserialize)]
struct Talk {
    lines: i64,
    #[serde(default)]
    #[expect(dead_code, reason = "stands in the input to be hidden")]
    password: Option<String>,
}

/// A type that writes so many lines, and then waits at the gate.
fn talkative(db: &Db, gate: &Arc<Semaphore>) -> OperationsService {
    let gate = Arc::clone(gate);
    let catalog =
        Catalog::default().with(Spec { kind: "test.talk", ..SPEC }, move |run: Run, talk: Talk| {
            let gate = Arc::clone(&gate);
            async move {
                for n in 1..=talk.lines {
                    run.log(format!("line {n}")).await?;
                }
                run.step("gate", "Gate", async {
                    gate.acquire().await.expect("never closed").forget();
                    Ok::<_, Failure>(Done::saying("passed"))
                })
                .await?;
                run.warn("hunter22 \0 was seen").await?;
                run.error("last").await
            }
        });
    OperationsService::new(db.clone(), Rng::system(), catalog, Vec::new(), testing::admin())
}

async fn talk(service: &OperationsService, lines: i64) -> OperationRun {
    let input = json!({"lines": lines, "password": "hunter22"});
    let asked = StartOperation { input, ..request("test.talk") };
    service.start(&testing::admin(), asked, None).await.expect("started").run
}

async fn admin() -> Permit<View> {
    permit::<View>(&testing::admin()).await.expect("an admin may look")
}

/// Somebody who sees one workspace alone.
async fn of_workspace(id: i64) -> Permit<View> {
    let grants = vec![(Capability::OperationsView, Reach::of(Some(id)))];
    permit::<View>(&testing::caller("narrow", grants)).await.expect("may look there")
}

#[tokio::test]
async fn lines_are_read_by_place_and_by_those_who_reach_the_run() {
    for engine in testing::engines().await {
        let service = talkative(&engine.db, &Arc::new(Semaphore::new(1)));
        let run = talk(&service, 7).await;
        let worker = service.worker("w", &[super::kit::QUEUE]);
        assert!(worker.work_one(&CancellationToken::new()).await.expect("works"));
        let may = admin().await;
        let seqs = async |span, limit| {
            let page = service.log(&may, run.id, span, limit).await.expect("a page");
            let seqs: Vec<i64> = page.lines.iter().map(|line| line.seq).collect();
            (seqs, page.next_after, page.last_seq)
        };
        assert_eq!(seqs(Span::After(0), 3).await, (vec![1, 2, 3], 3, 9));
        assert_eq!(seqs(Span::After(3), 100).await, (vec![4, 5, 6, 7, 8, 9], 9, 9));
        assert_eq!(seqs(Span::After(9), 3).await, (vec![], 9, 9));
        assert_eq!(seqs(Span::After(99), 3).await, (vec![], 99, 9));
        assert_eq!(seqs(Span::Last, 2).await.0, [8, 9]);
        assert_eq!(seqs(Span::Before(8), 2).await.0, [6, 7]);
        assert_eq!(seqs(Span::Before(1), 2).await.0, Vec::<i64>::new());

        let page = service.log(&may, run.id, Span::Last, 2).await.expect("a page");
        assert_eq!(page.status, Status::Completed);
        let told: Vec<_> = page.lines.iter().map(|l| (l.level, l.line.as_str())).collect();
        assert_eq!(told, [(Level::Warn, "‹hidden› \u{fffd} was seen"), (Level::Error, "last")]);
        assert_eq!(service.steps(&may, run.id).await.expect("steps").len(), 1);

        let elsewhere = of_workspace(7).await;
        let gone = Err(ApiError::NotFound(Thing::Operation));
        assert_eq!(service.steps(&elsewhere, run.id).await, gone);
        let log = service.log(&elsewhere, run.id, Span::Last, 2).await;
        assert_eq!(log, Err(ApiError::NotFound(Thing::Operation)));
        let missing = service.reached(&may, run.id + 1).await;
        assert_eq!(missing, Err(ApiError::NotFound(Thing::Operation)));
    }
}

async fn count(db: &Db, sql: Sql) -> Result<i64, StoreError> {
    db.fetch_one(sql).await?.i64("n")
}

/// News of log lines that was put out, numbered or not.
fn news() -> Sql {
    Sql::new("SELECT COUNT(*) AS n FROM event_outbox WHERE topic = 'operation-logs'")
}

#[tokio::test]
async fn a_talkative_run_is_told_of_once_a_second_and_its_last_line_too() {
    for (engine, hand) in testing::engines_at(START).await {
        let db = &engine.db;
        let gate = Arc::new(Semaphore::new(0));
        let service = talkative(db, &gate);
        let run = talk(&service, 40).await;
        let worker = service.worker("w", &[super::kit::QUEUE]);
        let stop = CancellationToken::new();
        let watched = async {
            testing::eventually("it waits at the gate", async || {
                let steps = Sql::new("SELECT COUNT(*) AS n FROM operation_steps");
                Ok((count(db, steps).await? == 1).then_some(()))
            })
            .await;
            let lines = Sql::new("SELECT COUNT(*) AS n FROM operation_logs");
            assert_eq!(count(db, lines).await.expect("a count"), 40);
            assert_eq!(count(db, news()).await.expect("a count"), 1, "time stood still");
            testing::eventually("the lines behind the first are told of", async || {
                hand.advance(Duration::from_millis(250));
                Ok((count(db, news()).await? == 2).then_some(()))
            })
            .await;
            // Nothing more was written, so nothing more is told.
            hand.advance(Duration::from_secs(5));
            gate.add_permits(1);
        };
        let (done, ()) = tokio::join!(worker.work_one(&stop), watched);
        assert!(done.expect("works"));
        let told = count(db, news()).await.expect("a count");
        assert_eq!(told, 3, "the two lines at the end came at once");
        let page = service.log(&admin().await, run.id, Span::Last, 9).await.expect("a page");
        assert_eq!(page.last_seq, 42);
    }
}

async fn change(db: &Db, sql: Sql) {
    let mut tx = db.begin().await.expect("a transaction");
    tx.execute(sql).await.expect("a change");
    tx.commit(Vec::new()).await.expect("committed");
}

/// Makes a run the next try of another one, as retrying does.
async fn is_retry(db: &Db, id: i64, parent: i64, root: i64) {
    let sql = Sql::new("UPDATE operation_runs SET retry_of_run_id = ")
        .arg(parent)
        .push(", root_run_id = ")
        .arg(root)
        .push(" WHERE id = ")
        .arg(id);
    change(db, sql).await;
}

fn ids(lineage: &Lineage) -> Vec<i64> {
    lineage.runs.iter().map(|run| run.id).collect()
}

#[tokio::test]
async fn a_chain_is_found_from_each_of_its_runs() {
    for engine in testing::engines().await {
        let kit = Kit::on(&engine.db);
        let mut chain = vec![kit.start("test.steps").await.id];
        let alone = kit.start("test.steps").await.id;
        for _ in 0..25 {
            let next = kit.start("test.steps").await.id;
            is_retry(&kit.db, next, *chain.last().expect("one at least"), chain[0]).await;
            chain.push(next);
        }
        let found = kit.get(alone).await.lineage;
        assert_eq!((ids(&found), found.total, found.position), (vec![alone], 1, 1));
        assert!(!found.is_chain());
        let first = kit.get(chain[0]).await.lineage;
        assert_eq!((first.total, first.position, first.omitted()), (26, 1, 5));
        assert_eq!(ids(&first), [&chain[..1], &chain[6..]].concat());
        let third = kit.get(chain[2]).await.lineage;
        assert_eq!((third.total, third.position, third.omitted()), (26, 3, 4));
        assert_eq!(ids(&third), [&chain[..1], &chain[2..3], &chain[6..]].concat());
        assert_eq!(third.runs[1].retry_of_run_id, Some(chain[1]));

        let superseded = Sql::new("UPDATE operation_runs SET superseded_by_run_id = ")
            .arg(alone)
            .push(" WHERE id = ")
            .arg(chain[25]);
        change(&kit.db, superseded).await;
        let last = kit.get(chain[25]).await.lineage;
        assert_eq!(last.superseded_by.as_ref().map(|run| run.id), Some(alone));
        assert!(!ids(&last).contains(&alone), "it stands outside of the chain");

        change(&kit.db, Sql::new("DELETE FROM operation_runs WHERE id = ").arg(chain[0])).await;
        let orphaned = kit.get(chain[2]).await.lineage;
        assert!(orphaned.first_is_gone);
        assert_eq!((orphaned.total, orphaned.position), (25, 2));
    }
}

async fn since(kit: &Kit, id: i64) -> SinceLastSuccess {
    kit.get(id).await.since_last_success
}

async fn at(kit: &Kit, kind: &str, target: Option<&str>, count: i64) -> i64 {
    let (input, target) = (json!({"count": count, "password": count.to_string()}), target);
    let asked = StartOperation { input, target: target.map(str::to_owned), ..request(kind) };
    kit.ask(asked).await.expect("started").id
}

#[tokio::test]
async fn the_last_success_is_of_the_same_type_and_target() {
    for engine in testing::engines().await {
        let kit = Kit::on(&engine.db);
        let first = at(&kit, "test.steps", Some("cluster:a"), 1).await;
        let elsewhere = at(&kit, "test.steps", Some("cluster:b"), 1).await;
        let nowhere = at(&kit, "test.steps", None, 1).await;
        kit.work_all("w").await.expect("works");
        let failed = at(&kit, "test.fail", Some("cluster:a"), 1).await;
        kit.work_all("w").await.expect("works");
        let second = at(&kit, "test.steps", Some("cluster:a"), 2).await;

        assert_eq!(since(&kit, first).await.found, Found::NoneKept);
        assert_eq!(since(&kit, elsewhere).await.found, Found::NoneKept);
        assert_eq!(since(&kit, nowhere).await.found, Found::NoneKept);
        assert_eq!(since(&kit, failed).await.found, Found::NoneKept, "another type succeeded");
        let found = since(&kit, second).await;
        assert_eq!(found.run.as_ref().map(|run| run.id), Some(first));
        let changes: Vec<_> = found.input.iter().map(|c| c.path.as_str()).collect();
        assert_eq!(changes, ["count"], "a secret is neither shown nor compared");
        assert_eq!(found.steps, [], "it has not begun");
        let null = at(&kit, "test.steps", None, 1).await;
        assert_eq!(since(&kit, null).await.run.map(|run| run.id), Some(nowhere));

        kit.work_all("w").await.expect("works");
        let third = at(&kit, "test.steps", Some("cluster:a"), 2).await;
        assert_eq!(since(&kit, third).await.run.map(|run| run.id), Some(second), "the newest");
        let moved = Sql::new("UPDATE operation_runs SET workspace_id = 7 WHERE id = ").arg(second);
        change(
            &kit.db,
            Sql::new("INSERT INTO workspaces (id, name, created_at) VALUES (7, 'seven', 0)"),
        )
        .await;
        change(&kit.db, moved).await;
        assert_eq!(since(&kit, third).await.run.map(|run| run.id), Some(first), "of its workspace");
    }
}

#[tokio::test]
async fn the_search_for_a_success_ends_after_a_thousand_runs() {
    for engine in testing::engines().await {
        let kit = Kit::on(&engine.db);
        let success = at(&kit, "test.steps", None, 1).await;
        kit.work_all("w").await.expect("works");
        let copies = |n: i64| {
            Sql::new(
                "INSERT INTO operation_runs (workspace_id, type, status, outcome, initiator_kind, queue, \
                 priority, input, context, scheduled_at, attempt, created_at) \
                 WITH RECURSIVE n (i) AS (SELECT CAST(1 AS BIGINT) UNION ALL SELECT i + 1 FROM n WHERE i < ",
            )
            .arg(n)
            .push(
                ") SELECT 1, 'test.steps', 'completed', 'failed', 'user', 'test', 0, '{}', '{}', 0, 1, 0 FROM n",
            )
        };
        change(&kit.db, copies(999)).await;
        let near = at(&kit, "test.steps", None, 1).await;
        assert_eq!(since(&kit, near).await.run.map(|run| run.id), Some(success), "the thousandth");
        let far = at(&kit, "test.steps", None, 1).await;
        assert_eq!(since(&kit, far).await.found, Found::NoneNear);
    }
}
