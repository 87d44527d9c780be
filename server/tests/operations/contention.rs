//! Many workers at once, on several replicas: limits hold as seen from inside the work, everything gets done, and
//! nothing waits for what is none of its business.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
    time::Duration,
};

use app::{
    operations::{
        Operations as _,
        model::{Outcome, StartOperation},
    },
    time::Micros,
};
use server::{
    operations::{
        run::{Done, Run},
        spec::{Catalog, Limits, Spec},
    },
    store::{
        Db, Fault, Faults, Sql,
        testing::{self, Engine},
    },
};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{
    invariants,
    kit::{Effects, Kit, SPEC, request},
    trial::START,
};

const WORKERS: usize = 16;
const REPLICAS: usize = 4;

#[derive(Debug, serde::Deserialize)]
struct Nothing {}

/// Who is at work, by limit: now, and at most.
#[derive(Clone, Default)]
struct Inside(Arc<Mutex<BTreeMap<String, (u32, u32)>>>);

impl Inside {
    fn enter(&self, key: &str) {
        let mut all = self.0.lock().expect("nobody panics in here");
        let (now, most) = all.entry(key.to_owned()).or_default();
        *now += 1;
        *most = (*most).max(*now);
    }

    fn leave(&self, key: &str) {
        let mut all = self.0.lock().expect("nobody panics in here");
        all.get_mut(key).expect("it came in").0 -= 1;
    }

    fn most(&self, key: &str) -> u32 {
        self.0.lock().expect("nobody panics in here").get(key).map_or(0, |(_, most)| *most)
    }
}

const TARGET: &str = "busy.target";
const TYPE: &str = "busy.type";
const BOTH: &str = "busy.both";

fn catalog(inside: &Inside, effects: &Effects) -> Catalog {
    let limits = [(TARGET, None, Some(1)), (TYPE, Some(3), None), (BOTH, Some(4), Some(2))];
    limits.into_iter().fold(Catalog::default(), |catalog, (kind, per_type, per_target)| {
        let (inside, effects) = (inside.clone(), effects.clone());
        let spec = Spec { kind, limits: Limits { per_type, per_target }, ..SPEC };
        catalog.with(spec, move |run: Run, _: Nothing| {
            let (inside, effects) = (inside.clone(), effects.clone());
            async move {
                let facts = run.facts();
                let keys = [
                    facts.kind.clone(),
                    format!("{} {}", facts.kind, facts.target.as_deref().unwrap_or("-")),
                ];
                run.step("only", "Only", async {
                    for key in &keys {
                        inside.enter(key);
                    }
                    for _ in 0..50 {
                        tokio::task::yield_now().await;
                    }
                    effects.add(facts.id.to_string());
                    for key in &keys {
                        inside.leave(key);
                    }
                    Ok(Done::saying("done"))
                })
                .await
            }
        })
    })
}

/// Each replica with connections of its own.
async fn replicas(engine: &Engine, kit: impl Fn(&server::store::Db) -> Kit) -> Vec<Kit> {
    let mut kits = Vec::new();
    for _ in 0..REPLICAS {
        kits.push(kit(&engine.again().await));
    }
    kits
}

/// Sixty runs whose limits cross each other.
async fn queue(kit: &Kit) -> BTreeSet<i64> {
    let mut ids = BTreeSet::new();
    for n in 0..60 {
        let (kind, target) = match n % 4 {
            0 => (TARGET, "cluster:a"),
            1 => (TYPE, "cluster:a"),
            2 => (BOTH, if n % 8 == 2 { "cluster:a" } else { "cluster:b" }),
            _ => (TARGET, "cluster:b"),
        };
        let target = Some(target.to_owned());
        let run = kit.ask(StartOperation { target, ..request(kind) }).await;
        ids.insert(run.expect("started").id);
    }
    ids
}

/// Each was done once, and never too many at once.
async fn all_was_kept(kit: &Kit, ids: &BTreeSet<i64>, inside: &Inside, what: &str) {
    for id in ids {
        assert_eq!(kit.effects.count(&id.to_string()), 1, "run {id}: {what}");
        assert_eq!(kit.get(*id).await.run.outcome, Outcome::Succeeded, "run {id}: {what}");
    }
    for target in ["cluster:a", "cluster:b"] {
        assert_eq!(inside.most(&format!("{TARGET} {target}")), 1, "{target}: {what}");
        assert!(inside.most(&format!("{BOTH} {target}")) <= 2, "{target}: {what}");
    }
    assert!(inside.most(TYPE) <= 3, "{}: {what}", inside.most(TYPE));
    assert!(inside.most(BOTH) <= 4, "{}: {what}", inside.most(BOTH));
    assert_eq!(kit.count(Sql::new("SELECT COUNT(*) AS n FROM operation_slots")).await, 0, "{what}");
    invariants::hold_to_the_end(&kit.db, what).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixteen_workers_never_exceed_a_limit_and_leave_nothing_undone() {
    for engine in testing::engines().await {
        let (inside, effects) = (Inside::default(), Effects::default());
        let kits = replicas(&engine, |db| {
            Kit::knowing(db, catalog(&inside, &effects), effects.clone(), Vec::new())
        })
        .await;
        let ids = queue(&kits[0]).await;
        let mut workers = JoinSet::new();
        for n in 0..WORKERS {
            let (kit, effects) = (kits[n % REPLICAS].clone(), effects.clone());
            let all = ids.len();
            workers.spawn(async move {
                // One that finds every limit taken looks again, as its poll would.
                while effects.all().len() < all {
                    kit.work_all(&format!("w{n}")).await.expect("works");
                    tokio::task::yield_now().await;
                }
            });
        }
        tokio::time::timeout(Duration::from_mins(2), workers.join_all())
            .await
            .expect("no deadlock");
        all_was_kept(&kits[0], &ids, &inside, engine.dialect().as_str()).await;
    }
}

/// The same where every few statements of each replica fail, or are done and lose their answer.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nor_do_they_where_statements_fail() {
    for fault in [Fault::Fail, Fault::LoseAnswer, Fault::Lock] {
        for engine in testing::engines().await {
            let what = format!("{fault:?} on {}", engine.dialect().as_str());
            let (inside, effects) = (Inside::default(), Effects::default());
            let kit =
                |db: &Db| Kit::knowing(db, catalog(&inside, &effects), effects.clone(), Vec::new());
            let whole = kit(&engine.db);
            let ids = queue(&whole).await;
            let mut troubled = Vec::new();
            // Each fails at other statements than its neighbours, and seldom enough that a transaction can end.
            for every in [37, 41, 43, 47] {
                let db = engine.with_faults(&Faults::every(every, fault.clone())).await;
                troubled.push(kit(&db));
            }
            while effects.all().len() < ids.len() || active(&whole).await > 0 {
                let mut workers = JoinSet::new();
                for n in 0..WORKERS {
                    let kit = troubled[n % troubled.len()].clone();
                    workers.spawn(async move { kit.work_all(&format!("w{n}")).await });
                }
                let round = tokio::time::timeout(Duration::from_mins(2), workers.join_all());
                round.await.expect("no deadlock");
                // Nobody works now: what a lost answer left with nobody is taken back.
                whole.lapse().await;
                whole.service.timer().tick().await.expect("looks");
            }
            all_was_kept(&whole, &ids, &inside, &what).await;
        }
    }
}

async fn active(kit: &Kit) -> i64 {
    kit.count(Sql::new("SELECT COUNT(*) AS n FROM operation_runs WHERE status <> 'completed'"))
        .await
}

/// However long the line before one target is, and however urgent: others pass it.
#[tokio::test]
async fn a_busy_target_holds_up_nobody_else() {
    for engine in testing::engines().await {
        let (inside, effects) = (Inside::default(), Effects::default());
        let kit = Kit::knowing(&engine.db, catalog(&inside, &effects), effects, Vec::new());
        let start = async |target: &str, priority| {
            let target = Some(target.to_owned());
            let wish = StartOperation { target, priority: Some(priority), ..request(TARGET) };
            kit.ask(wish).await.expect("started").id
        };
        let first = start("cluster:a", 50).await;
        let holds = kit.worker("holds").claim().await.expect("a claim").expect("the first");
        assert_eq!(holds.facts.id, first);
        for _ in 0..80 {
            start("cluster:a", 50).await;
        }
        let other = start("cluster:b", 0).await;
        let without = kit.ask(request(TARGET)).await.expect("started").id;
        let mut found = BTreeSet::new();
        while let Some(claimed) = kit.worker("free").claim().await.expect("a claim") {
            found.insert(claimed.facts.id);
        }
        assert_eq!(found, BTreeSet::from([other, without]), "{}", engine.dialect().as_str());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn thirty_two_starts_with_one_key_make_one_run() {
    for engine in testing::engines().await {
        let kits = replicas(&engine, Kit::on).await;
        let mut starts = JoinSet::new();
        for n in 0..32 {
            let kit = kits[n % REPLICAS].clone();
            starts.spawn(async move {
                let started =
                    kit.service.start(&kit.admin, request("test.steps"), Some("one")).await;
                let started = started.expect("each gets the run");
                (started.run.id, started.created)
            });
        }
        let all = starts.join_all().await;
        assert!(all.iter().all(|(id, _)| *id == all[0].0), "{all:?}");
        assert_eq!(all.iter().filter(|(_, created)| *created).count(), 1);
        let mut workers = JoinSet::new();
        for n in 0..8 {
            let kit = Kit::sharing(&kits[n % REPLICAS].db, kits[0].effects.clone(), Vec::new());
            workers.spawn(async move { kit.work_all(&format!("w{n}")).await.expect("works") });
        }
        workers.join_all().await;
        assert_eq!(kits[0].effects.count(&format!("{}:first", all[0].0)), 1);
        invariants::hold_to_the_end(&engine.db, engine.dialect().as_str()).await;
    }
}

/// The same where every few statements fail, or are done and lose their answer: whoever hears of a run hears of that one.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn so_do_they_where_statements_fail() {
    for fault in [Fault::Fail, Fault::LoseAnswer, Fault::Lock] {
        for engine in testing::engines().await {
            let what = format!("{fault:?} on {}", engine.dialect().as_str());
            let whole = Kit::on(&engine.db);
            let mut troubled = Vec::new();
            for every in [5, 7, 11, 13] {
                let db = engine.with_faults(&Faults::every(every, fault.clone())).await;
                troubled.push(Kit::sharing(&db, whole.effects.clone(), Vec::new()));
            }
            let mut starts = JoinSet::new();
            for n in 0..32 {
                let kit = troubled[n % troubled.len()].clone();
                starts.spawn(async move {
                    let key = Some("one");
                    let started = kit.service.start(&kit.admin, request("test.steps"), key).await;
                    started.ok().map(|started| started.run.id)
                });
            }
            let heard: BTreeSet<i64> = starts.join_all().await.into_iter().flatten().collect();
            let certain = whole.service.start(&whole.admin, request("test.steps"), Some("one"));
            let id = certain.await.expect("a healthy store answers").run.id;
            assert!(heard.iter().all(|one| *one == id), "{heard:?}, not {id}: {what}");
            let all = Sql::new("SELECT COUNT(*) AS n FROM operation_runs");
            assert_eq!(whole.count(all).await, 1, "{what}");
            whole.work_all("w").await.expect("works");
            assert_eq!(whole.effects.count(&format!("{id}:first")), 1, "{what}");
            invariants::hold_to_the_end(&engine.db, &what).await;
        }
    }
}

/// The most urgent first, then who is due longest, then who was asked for first; nobody before their time.
#[tokio::test]
async fn urgency_then_time_then_order_decide() {
    for (engine, hand) in testing::engines_at(START).await {
        let kit = Kit::on(&engine.db);
        let start = async |priority, after: i64| {
            let scheduled_at = (after != 0).then(|| START.plus(after * Micros::SECOND));
            let wish =
                StartOperation { priority: Some(priority), scheduled_at, ..request("test.steps") };
            kit.ask(wish).await.expect("started").id
        };
        let plain = start(0, 0).await;
        let later = start(0, 0).await;
        let urgent_soon = start(100, 10).await;
        let long_due = start(0, -60).await;
        let idle = start(-100, -600).await;
        let urgent = start(7, 0).await;
        let soon = start(0, 5).await;
        let claims = async || {
            let mut order = Vec::new();
            let (worker, stop) = (kit.worker("w"), CancellationToken::new());
            while let Some(claimed) = worker.claim().await.expect("a claim") {
                order.push(claimed.facts.id);
                worker.work(claimed, &stop).await;
            }
            order
        };
        assert_eq!(claims().await, [urgent, long_due, plain, later, idle]);
        hand.advance(Duration::from_secs(5) - Duration::from_micros(1));
        assert_eq!(claims().await, [0; 0], "a microsecond before its time");
        hand.advance(Duration::from_micros(1));
        assert_eq!(claims().await, [soon]);
        hand.advance(Duration::from_hours(1));
        assert_eq!(claims().await, [urgent_soon]);
        invariants::hold_to_the_end(&engine.db, engine.dialect().as_str()).await;
    }
}
