//! Scratch: plans and times at a size. Not kept.
use app::{identity::Reach, list::ListQuery, operations::model::FILTERS};
use server::{
    clock::Clock,
    operations::{seeding, store::RUNS},
    store::{Dialect, list, testing::Engine},
};

#[tokio::test]
#[ignore]
async fn times() {
    let count: i64 = std::env::var("ROWS").ok().and_then(|v| v.parse().ok()).unwrap_or(50_000);
    for dialect in server::store::testing::dialects() {
        let engine = Engine::fresh(dialect, Clock::system()).await;
        let db = &engine.db;
        let t = std::time::Instant::now();
        seeding::runs(db, count).await.expect("seeds");
        println!("{dialect:?} seeded {count} in {:?}", t.elapsed());
        if dialect == Dialect::Postgres {
            use sqlx::Connection as _;
            let mut c = sqlx::PgConnection::connect(&engine.config.url).await.unwrap();
            sqlx::raw_sql("VACUUM ANALYZE").execute(&mut c).await.unwrap();
        } else if let Ok(to) = std::env::var("KEEP") {
            let _ = std::fs::copy(engine.config.url.trim_start_matches("sqlite:"), to);
        }
        for q in [
            "",
            "type=agents.prompt",
            "status=completed",
            "status=queued",
            "outcome=failed",
            "workspace_id=7",
            "initiator=user-7",
            "initiator=nobody",
            "type=agents.prompt&type=audit.verify&type=fleet.refresh",
            "status=completed&outcome=failed",
            "workspace_id=7&outcome=failed",
            "type=agents.prompt&outcome=failed&workspace_id=7&initiator=user-7",
            "type=agents.prompt&outcome=failed&workspace_id=7&status=completed",
            "status=completed&outcome=pending",
            "initiator=user-7&outcome=failed&type=gpu.inventory&tenant_id=20",
            "created_before=2026-09-20T00:00:00Z",
            "created_after=2026-10-01T00:00:00Z&created_before=2026-10-02T00:00:00Z",
            "created_before=2026-09-20T00:00:00Z&outcome=failed",
            "q=needle-in-the",
            "q=zzzqqq",
            "q=out+of+memory",
            "q=user-7",
            "q=web-x",
            "q=was+was",
            "q=schedule",
            "q=ge",
            "q=zq",
            "q=evicted&workspace_id=7",
            "q=pod+web-91+",
            "page=500&page_size=20",
            "type=agents.prompt&page=500&page_size=20",
            "cursor=o.30000",
            "outcome=failed&cursor=o.30000",
            "cursor=n.30000&workspace_id=7&outcome=failed",
        ] {
            let pairs = q.split('&').filter(|p| !p.is_empty()).map(|p| {
                let (k, v) = p.split_once('=').unwrap();
                (k.to_owned(), v.replace('+', " "))
            });
            let query = ListQuery::parse(FILTERS, pairs).expect(q);
            let mut best = std::time::Duration::MAX;
            let mut last = None;
            let mut worst = std::time::Duration::ZERO;
            for _ in 0..5 {
                let t = std::time::Instant::now();
                let page = list::page(db, &RUNS, &Reach::Everything, &query).await;
                let took = t.elapsed();
                best = best.min(took);
                worst = worst.max(took);
                last = Some(page);
            }
            let page = last.unwrap();
            match page {
                Ok(p) => println!(
                    "{dialect:?} {:7.2} {:7.2} ms  n={} total={}{} searched={:?}  {q}",
                    best.as_secs_f64() * 1e3,
                    worst.as_secs_f64() * 1e3,
                    p.items.len(),
                    p.total,
                    if p.total_capped { "+" } else { "" },
                    p.searched.map(|s| s.rows)
                ),
                Err(e) => println!("{dialect:?} ERROR {e} {q}"),
            }
        }
    }
}
