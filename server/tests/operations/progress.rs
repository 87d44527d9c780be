//! Progress and levels of the log: written through the lease, and told to open pages once a second at most.

use std::time::Duration;

use app::{identity::Capability, operations::model::Outcome, time::Micros};
use serde::Deserialize;
use server::{
    clock::Rng,
    operations::{
        OperationsService,
        run::{Done, Run},
        spec::{Catalog, Spec},
    },
    store::{Db, Sql, testing},
};
use tokio_util::sync::CancellationToken;

use super::kit::{Kit, QUEUE, SPEC, request};

const START: Micros = Micros(1_790_000_000_000_000);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

async fn number(db: &Db, sql: &'static str) -> i64 {
    db.fetch_one(Sql::new(sql)).await.expect("a row").i64("n").expect("a number")
}

const TOLD: &str =
    "SELECT (SELECT COUNT(*) FROM event_outbox) + (SELECT COUNT(*) FROM events) AS n";

async fn shown(db: &Db) -> Option<String> {
    let row = db.fetch_optional(Sql::new("SELECT progress FROM operation_leases")).await;
    row.expect("the store answers").and_then(|row| row.opt_text("progress").expect("text"))
}

/// A type that does what `work` does in its only step.
fn service<F, Fut>(db: &Db, work: F) -> OperationsService
where
    F: Fn(Run) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    let spec = Spec { kind: "test.told", capability: Capability::OperationsManage, ..SPEC };
    let catalog = Catalog::default().with(spec, move |run: Run, _: Nothing| {
        let work = work.clone();
        async move {
            let told = run.clone();
            run.step("only", "Only", async move {
                work(told).await;
                Ok(Done::saying("done"))
            })
            .await
        }
    });
    OperationsService::new(db.clone(), Rng::system(), catalog, Vec::new(), testing::admin())
}

async fn do_one(service: &OperationsService) -> i64 {
    use app::operations::Operations as _;
    let started = service.start(&testing::admin(), request("test.told"), None).await;
    let worked = service.worker("w", &[QUEUE]).work_one(&CancellationToken::new()).await;
    assert!(worked.expect("the store answers"));
    started.expect("started").run.id
}

#[tokio::test]
async fn progress_is_written_once_a_second_and_the_last_at_once() {
    for (engine, hand) in testing::engines_at(START).await {
        let hand = std::sync::Arc::new(hand);
        let db = engine.db.clone();
        let service = service(&engine.db, move |run| {
            let (db, hand) = (db.clone(), std::sync::Arc::clone(&hand));
            async move {
                let before = number(&db, TOLD).await;
                run.progress(10).await.expect("holds its lease");
                for percent in 11..40 {
                    run.progress(percent).await.expect("holds its lease");
                }
                assert_eq!(shown(&db).await.as_deref(), Some("10"), "the rest came too soon");
                assert_eq!(number(&db, TOLD).await, before + 1);
                hand.advance(Duration::from_secs(1));
                run.progress(40).await.expect("holds its lease");
                assert_eq!(shown(&db).await.as_deref(), Some("40"));
                run.progress(200).await.expect("holds its lease");
                assert_eq!(shown(&db).await.as_deref(), Some("100"), "the last is not held back");
                run.progress(100).await.expect("holds its lease");
                assert_eq!(number(&db, TOLD).await, before + 3, "once each");
            }
        });
        let id = do_one(&service).await;
        assert_eq!(Kit::on(&engine.db).get(id).await.run.outcome, Outcome::Succeeded);
        assert_eq!(shown(&engine.db).await, None, "it goes with the lease");
    }
}

#[tokio::test]
async fn lines_have_levels_and_many_of_them_redraw_a_page_once() {
    for (engine, _hand) in testing::engines_at(START).await {
        let db = engine.db.clone();
        let service = service(&engine.db, move |run| {
            let db = db.clone();
            async move {
                let before = number(&db, TOLD).await;
                for n in 0..20 {
                    run.log(format!("line {n}")).await.expect("holds its lease");
                }
                run.warn("not quite").await.expect("holds its lease");
                assert_eq!(number(&db, TOLD).await, before + 1);
            }
        });
        do_one(&service).await;
        let warned =
            "SELECT COUNT(*) AS n FROM operation_logs WHERE level = 'warn' AND line = 'not quite'";
        assert_eq!(number(&engine.db, warned).await, 1);
        let said = "SELECT COUNT(*) AS n FROM operation_logs WHERE level = 'info'";
        assert_eq!(number(&engine.db, said).await, 20);
    }
}

/// Who lost the lease neither writes progress nor goes on.
#[tokio::test]
async fn progress_is_fenced() {
    for (engine, _hand) in testing::engines_at(START).await {
        let db = engine.db.clone();
        let service = service(&engine.db, move |run| {
            let db = db.clone();
            async move {
                let mut tx = db.begin().await.expect("a write");
                let taken =
                    Sql::new("UPDATE operation_leases SET token = 'another', progress = '7'");
                tx.execute(taken).await.expect("taken over");
                tx.commit(Vec::new()).await.expect("a commit");
                assert!(run.progress(50).await.is_err(), "the lease is another's");
            }
        });
        do_one(&service).await;
        assert_eq!(shown(&engine.db).await.as_deref(), Some("7"), "the other's progress stands");
    }
}
