//! The self-check against real databases, and what a restart finds, on both engines.

use std::{path::Path, time::Duration};

use super::kit::{Kit, request};
use app::{
    identity::permit,
    operations::{
        Operations as _, View,
        model::{OperationDetail, Outcome, Status, StepStatus},
    },
    time::Micros,
};
use server::{
    clock::{Clock, Rng},
    egress::{Egress, EgressConfig},
    operations::{
        OperationsService,
        operations::self_check::{self, Room},
        probe::Upstream,
        spec::Catalog,
    },
    store::{Db, Dialect, testing},
};
use tokio_util::sync::CancellationToken;

fn deps(db: &Db) -> self_check::Deps {
    let assets = || Ok("4 files are built in.".to_owned());
    self_check::Deps {
        db: db.clone(),
        folder: std::env::temp_dir(),
        room: |_| Ok(Room { free: 50 << 30, all: 100 << 30 }),
        assets,
        upstreams: Vec::new(),
        egress: Egress::new(EgressConfig::default(), &Clock::system()),
    }
}

async fn check(db: &Db, deps: self_check::Deps) -> OperationDetail {
    let admin = testing::admin();
    let catalog = self_check::register(Catalog::default(), deps);
    let schedules = vec![self_check::schedule()];
    let service =
        OperationsService::new(db.clone(), Rng::system(), catalog, schedules, admin.clone());
    let permit = permit::<View>(&admin).await.expect("may");
    let started = service.start(&admin, request("system.self_check"), None).await.expect("started");
    let worker = service.worker("w", &service.queues());
    assert!(worker.work_one(&CancellationToken::new()).await.expect("works"));
    let types = service.catalog(&permit).await.expect("types");
    assert_eq!(types[0].schedule.as_deref(), Some("every 5 minutes"));
    assert_eq!(types[0].last_run.as_ref().map(|last| last.id), Some(started.run.id));
    service.get(&permit, started.run.id).await.expect("there")
}

#[tokio::test]
async fn a_healthy_console_says_what_it_found() {
    for engine in testing::engines().await {
        let detail = check(&engine.db, deps(&engine.db)).await;
        assert_eq!(detail.run.outcome, Outcome::Succeeded, "{detail:?}");
        let names: Vec<&str> = detail.steps.iter().map(|step| step.name.as_str()).collect();
        assert_eq!(names, ["store", "clock", "disk", "assets", "upstreams"]);
        let said = |n: usize| detail.steps[n].detail.as_deref().unwrap_or_default();
        assert!(said(0).contains("written and read back in "), "{}", said(0));
        let clock = if engine.dialect() == Dialect::Sqlite {
            "no clock of its own"
        } else {
            "differs from ours by"
        };
        assert!(said(1).contains(clock), "{}", said(1));
        assert!(said(2).contains("GiB free in "), "{}", said(2));
        assert_eq!(said(4), "No upstream is configured.");
    }
}

#[tokio::test]
async fn one_failed_check_fails_the_run_and_the_others_run_all_the_same() {
    for engine in testing::engines().await {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        drop(listener);
        let upstreams = vec![Upstream { name: "prometheus".to_owned(), url }];
        let assets = || Err("Not there for pages to load: quarterdeck.css.".to_owned());
        let broken = self_check::Deps { assets, upstreams, ..deps(&engine.db) };
        let detail = check(&engine.db, broken).await;
        let statuses: Vec<_> = detail.steps.iter().map(|step| step.status).collect();
        let (good, bad) = (StepStatus::Succeeded, StepStatus::Failed);
        assert_eq!(statuses, [good, good, good, bad, bad]);
        assert_eq!(
            detail.run.error_summary.as_deref(),
            Some("Assets: Not there for pages to load: quarterdeck.css. (2 of 5 checks failed)")
        );
        let said = detail.steps[4].detail.as_deref().unwrap_or_default();
        assert!(said.contains("prometheus: unavailable, ") && said.contains("refused"), "{said}");
    }
}

#[tokio::test]
async fn a_disk_that_is_nearly_full_or_cannot_be_read_is_said() {
    let [engine, ..] = &testing::engines().await[..] else { panic!("there is an engine") };
    let disk = async |room: fn(&Path) -> std::io::Result<Room>| {
        let detail = check(&engine.db, self_check::Deps { room, ..deps(&engine.db) }).await;
        detail.steps[2].clone()
    };
    let step = disk(|_| Ok(Room { free: 1 << 30, all: 100 << 30 })).await;
    let said = step.detail.unwrap_or_default();
    assert!(said.starts_with("Only 1.0 GiB of 100.0 GiB free in "), "{said}");
    assert_eq!(step.status, StepStatus::Failed, "under two of a hundred");
    let step = disk(|_| Ok(Room { free: 100 << 20, all: 200 << 20 })).await;
    assert_eq!(step.status, StepStatus::Failed, "however small the disk is");
    let step = disk(|_| Err(std::io::Error::other("not mounted"))).await;
    let said = step.detail.unwrap_or_default();
    assert!(said.contains("is unavailable: not mounted"), "{said}");
    assert_eq!(step.status, StepStatus::Failed);
    assert!(
        Room::of(&std::env::temp_dir()).is_ok_and(|room| 0 < room.all && room.free <= room.all)
    );
}

/// SQLite: whoever held a lease before this process began is gone. Postgres: another replica may well live.
#[tokio::test]
async fn a_restart_takes_up_what_the_last_process_left() {
    for (engine, hand) in testing::engines_at(Micros(1_790_000_000_000_000)).await {
        let kit = Kit::on(&engine.db);
        let run = kit.start("test.steps").await;
        let claimed = kit.worker("killed").claim().await.expect("a claim");
        assert!(claimed.is_some());
        drop(claimed);
        hand.advance(Duration::from_secs(1));
        let next = Kit::sharing(&engine.db, kit.effects.clone(), Vec::new());
        let timer = next.service.timer();
        timer.inherit().await.expect("looks");
        timer.tick().await.expect("looks");
        next.work_all("next").await.expect("works");
        let status = next.get(run.id).await.run.status;
        match engine.dialect() {
            Dialect::Sqlite => assert_eq!(status, Status::Completed),
            Dialect::Postgres => assert_eq!(status, Status::Running),
        }
    }
}
