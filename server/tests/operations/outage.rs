//! The database is gone for a minute: refused, silent, or cut off. The worker stops its own work when nothing was
//! confirmed for 20 s; from 30 s on another may take the run; effects stand once.
#![expect(
    clippy::disallowed_methods,
    reason = "a proxy that is pulled out, and moments for real sockets"
)]

use std::{
    net::SocketAddr,
    pin::pin,
    sync::{Arc, Mutex},
    time::Duration,
};

use app::operations::model::{Outcome, Status};
use server::{
    clock::ManualClock,
    operations::{
        failure::Failure,
        run::{Done, Run},
        spec::{Catalog, Spec},
    },
    store::{Db, Dialect, Fault, Faults, Sql, StoreConfig, testing},
    vault::ChainKeys,
};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

use super::{
    invariants,
    kit::{Effects, Kit, SPEC},
    trial::START,
};

const KIND: &str = "outage.ticks";
const OUTAGE: Duration = Duration::from_mins(1);
const STEP: Duration = Duration::from_millis(100);

#[derive(Debug, serde::Deserialize)]
struct Nothing {}

/// A second step that acts each second until its gate is open.
fn catalog(effects: &Effects) -> Catalog {
    let effects = effects.clone();
    Catalog::default().with(Spec { kind: KIND, ..SPEC }, move |run: Run, _: Nothing| {
        let effects = effects.clone();
        async move {
            run.step("first", "First", async {
                effects.add("first");
                Ok(Done::saying("done"))
            })
            .await?;
            run.step("ticks", "Ticks", ticks(&run, &effects)).await
        }
    })
}

async fn ticks(run: &Run, effects: &Effects) -> Result<Done<()>, Failure> {
    loop {
        let at = run.clock().monotonic().as_millis();
        effects.add(format!("tick {} {at}", run.facts().attempt));
        tokio::select! {
            permit = effects.gate.acquire() => {
                permit.expect("never closed").forget();
                return Ok(Done::saying("done"));
            }
            () = run.clock().sleep(Duration::from_secs(1)) => {}
        }
    }
}

/// When an attempt acted first and last, in milliseconds of the test's clock.
fn acted(effects: &Effects, attempt: i64) -> Option<(u64, u64)> {
    let prefix = format!("tick {attempt} ");
    let all = effects.all();
    let mut at = all.iter().filter_map(|e| e.strip_prefix(&prefix)?.parse::<u64>().ok());
    let first = at.next()?;
    Some((first, at.next_back().unwrap_or(first)))
}

/// Lets everything run that can before the clock moves on; those who talk to the database get a moment for it.
async fn settle(talks: bool) {
    if talks {
        tokio::time::sleep(Duration::from_millis(3)).await;
    }
    for _ in 0..32 {
        tokio::task::yield_now().await;
    }
}

async fn until(effects: &Effects, attempt: i64) {
    while acted(effects, attempt).is_none() {
        tokio::task::yield_now().await;
    }
}

/// One worker behind a store that can be taken away, and the others.
struct Scene {
    kit: Kit,
    cut_off: Kit,
    hand: ManualClock,
}

impl Scene {
    fn new(db: &Db, troubled: &Db, hand: ManualClock) -> Self {
        let effects = Effects::default();
        let kit = |db| Kit::knowing(db, catalog(&effects), effects.clone(), Vec::new());
        Self { kit: kit(db), cut_off: kit(troubled), hand }
    }

    /// `cut` takes the store away while the run is in its second step; a minute later `mend` brings it back.
    async fn play(&self, cut: impl FnOnce(), mend: impl FnOnce()) {
        let id = self.kit.start(KIND).await.id;
        let stop = CancellationToken::new();
        let (worker, next) = (self.cut_off.worker("cut off"), self.kit.worker("next"));
        let mut first = pin!(worker.work_one(&stop));
        tokio::select! {
            done = &mut first => panic!("the gate is closed: {done:?}"),
            () = until(&self.kit.effects, 1) => {}
        }
        let began = self.hand.process(0).monotonic();
        cut();
        let mut gave_up = None;
        let mut second = pin!(async {
            loop {
                self.kit.service.timer().tick().await.expect("looks");
                if next.work_one(&stop).await.expect("works") {
                    return;
                }
                self.hand.process(0).sleep(STEP).await;
            }
        });
        let elapsed = || self.hand.process(0).monotonic().saturating_sub(began);
        while elapsed() < OUTAGE {
            tokio::select! {
                biased;
                _ = &mut first, if gave_up.is_none() => gave_up = Some(elapsed()),
                () = &mut second => panic!("the gate is closed"),
                () = settle(gave_up.is_some()) => self.hand.advance(STEP),
            }
            // From here on the others have the run; the clock waits for them.
            if elapsed() > Duration::from_secs(40) && acted(&self.kit.effects, 2).is_none() {
                tokio::select! {
                    () = &mut second => panic!("the gate is closed"),
                    () = until(&self.kit.effects, 2) => {}
                }
            }
        }
        mend();
        let gave_up = gave_up.expect("it gave up");
        let exact = Duration::from_secs(20)..=Duration::from_millis(20_300);
        assert!(exact.contains(&gave_up), "after {gave_up:?}");
        let (_, last) = acted(&self.kit.effects, 1).expect("it acted");
        let (other, _) = acted(&self.kit.effects, 2).expect("taken over");
        let began = u64::try_from(began.as_millis()).expect("few");
        assert!(last <= began + 20_300, "it acted {} ms after the cut", last - began);
        assert!(other >= began + 30_000, "another acted {} ms after the cut", other - began);
        self.kit.effects.gate.add_permits(1);
        second.await;
        let run = self.kit.get(id).await.run;
        assert_eq!((run.status, run.outcome), (Status::Completed, Outcome::Succeeded));
        assert_eq!((run.attempt, self.kit.effects.count("first")), (2, 1));
    }

    /// The worker that was cut off goes on with what is there.
    async fn lives_on(&self) {
        let id = self.kit.start(KIND).await.id;
        self.kit.effects.gate.add_permits(1);
        testing::eventually("it works again", || async {
            let _ = self.cut_off.work_all("cut off").await;
            Ok((self.kit.get(id).await.run.status == Status::Completed).then_some(()))
        })
        .await;
        invariants::hold_to_the_end(&self.kit.db, "in the end").await;
    }
}

#[tokio::test]
async fn a_database_that_refuses_for_a_minute_costs_one_attempt() {
    for (engine, hand) in testing::engines_at(START).await {
        let faults = Faults::none();
        let broken = engine.with_faults(&faults).await;
        let scene = Scene::new(&engine.db, &broken, hand);
        scene.play(|| faults.cut(), || faults.mend()).await;
        scene.lives_on().await;
    }
}

/// The worst network: no answer, and no refusal either.
#[tokio::test]
async fn a_database_that_says_nothing_for_a_minute_costs_one_attempt() {
    for (engine, hand) in testing::engines_at(START).await {
        let faults = Faults::none();
        let broken = engine.with_faults(&faults).await;
        let scene = Scene::new(&engine.db, &broken, hand);
        let silence = || (1..=20).for_each(|n| faults.add(n, Fault::Delay(10 * OUTAGE)));
        scene.play(silence, || faults.clear()).await;
        scene.lives_on().await;
    }
}

/// A claim whose answer comes late is confirmed before its work begins, or not begun.
#[tokio::test]
async fn a_claim_that_is_answered_late_does_not_outlive_its_lease() {
    for (engine, hand) in testing::engines_at(START).await {
        let faults = Faults::none();
        let broken = engine.with_faults(&faults).await;
        let scene = Scene::new(&engine.db, &broken, hand);
        scene.kit.start(KIND).await;
        let before = faults.seen();
        scene.cut_off.worker("counts").claim().await.expect("a claim").expect("the run");
        let commit = faults.seen() - before;
        let id = scene.kit.start(KIND).await.id;
        // The commit is done at once, and its answer takes 25 s of the 30 s.
        faults.add(commit, Fault::DelayAnswer(Duration::from_secs(25)));
        // And nothing is answered after it.
        faults.add(commit + 1, Fault::Delay(OUTAGE));
        let stop = CancellationToken::new();
        let worker = scene.cut_off.worker("late");
        let mut work = pin!(worker.work_one(&stop));
        let ends = async {
            while scene.hand.process(0).monotonic() < Duration::from_secs(50) {
                testing::eventually("somebody sleeps", || async {
                    Ok((!scene.hand.sleepers().is_empty()).then_some(()))
                })
                .await;
                settle(false).await;
                scene.hand.advance(Duration::from_secs(1));
            }
        };
        tokio::select! {
            biased;
            _ = &mut work => {}
            () = ends => {}
        }
        assert_eq!(scene.kit.effects.all(), Vec::<String>::new(), "its lease was half over");
        faults.clear();
        scene.kit.lapse().await;
        scene.kit.service.timer().tick().await.expect("looks");
        scene.kit.effects.gate.add_permits(2);
        scene.kit.work_all("next").await.expect("works");
        assert_eq!(scene.kit.get(id).await.run.outcome, Outcome::Succeeded);
    }
}

/// Postgres cuts every connection of the worker, again and again: the run goes on where it is.
#[tokio::test]
async fn connections_that_are_cut_cost_nothing() {
    for (engine, hand) in testing::engines_at(START).await {
        if engine.dialect() == Dialect::Sqlite {
            continue;
        }
        let config =
            StoreConfig { application_name: "to-be-cut".to_owned(), ..engine.config.clone() };
        let troubled = open(&config, &hand).await;
        let scene = Scene::new(&engine.db, &troubled, hand);
        let id = scene.kit.start(KIND).await.id;
        let stop = CancellationToken::new();
        let worker = scene.cut_off.worker("cut off");
        let mut work = pin!(worker.work_one(&stop));
        tokio::select! {
            done = &mut work => panic!("the gate is closed: {done:?}"),
            () = until(&scene.kit.effects, 1) => {}
        }
        for _ in 0..6 {
            cut_connections(&scene.kit.db).await;
            let confirmed = scene.kit.db.now().await.expect("a time");
            let beats = async {
                while !has_beaten(&scene.kit.db, id, confirmed.0).await {
                    scene.hand.advance(STEP);
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
            };
            tokio::select! {
                done = &mut work => panic!("the gate is closed: {done:?}"),
                () = beats => {}
            }
        }
        scene.kit.effects.gate.add_permits(1);
        cut_connections(&scene.kit.db).await;
        let again = async {
            loop {
                tokio::time::sleep(Duration::from_millis(2)).await;
                scene.hand.advance(STEP);
            }
        };
        tokio::select! {
            done = &mut work => drop(done),
            () = again => {}
        }
        let run = scene.kit.get(id).await.run;
        assert_eq!((run.outcome, run.attempt), (Outcome::Succeeded, 1));
        assert_eq!(scene.kit.effects.count("first"), 1);
        invariants::hold_to_the_end(&scene.kit.db, "in the end").await;
    }
}

async fn cut_connections(db: &Db) {
    let mut tx = db.begin().await.expect("a transaction");
    let cut = tx.fetch_all(Sql::new(
        "SELECT COUNT(pg_terminate_backend(pid)) AS n FROM pg_stat_activity WHERE application_name = 'to-be-cut'",
    ));
    cut.await.expect("the superuser may");
}

async fn has_beaten(db: &Db, id: i64, after: i64) -> bool {
    let sql =
        Sql::new("SELECT COALESCE(heartbeat_at, 0) AS at FROM operation_leases WHERE run_id = ");
    let row = db.fetch_one(sql.arg(id)).await.expect("the run is held");
    row.i64("at").expect("a time") > after
}

async fn open(config: &StoreConfig, hand: &ManualClock) -> Db {
    let db = Db::open(config, hand.process(0)).await.expect("the database opens again");
    db.chain_with(ChainKeys::for_tests());
    db
}

/// Postgres behind a cable that is pulled out for a minute: every connection breaks, and new ones are refused.
#[tokio::test]
async fn a_pulled_cable_costs_one_attempt() {
    for (engine, hand) in testing::engines_at(START).await {
        if engine.dialect() == Dialect::Sqlite {
            continue;
        }
        let cable = Cable::plug(&engine.config.url).await;
        let config = StoreConfig {
            url: cable.url.clone(),
            // How long a worker looks for a connection before it says that there is none.
            lock_timeout: Duration::from_millis(250),
            ..engine.config.clone()
        };
        let troubled = open(&config, &hand).await;
        let scene = Scene::new(&engine.db, &troubled, hand);
        scene.play(|| cable.pull(), || {}).await;
        let _again = cable.plug_again().await;
        scene.lives_on().await;
    }
}

/// A proxy on loopback.
struct Cable {
    url: String,
    here: SocketAddr,
    there: SocketAddr,
    ends: Arc<Mutex<Vec<JoinHandle<()>>>>,
}

impl Cable {
    async fn plug(url: &str) -> Self {
        let (scheme, rest) = url.split_once('@').expect("a user");
        let (host, database) = rest.split_once('/').expect("a database");
        let there = tokio::net::lookup_host(host).await.expect("an address").next();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let here = listener.local_addr().expect("bound");
        let url = format!("{scheme}@{here}/{database}");
        let ends = Arc::default();
        let cable = Self { url, here, there: there.expect("an address"), ends };
        cable.carry(listener);
        cable
    }

    fn carry(&self, listener: TcpListener) {
        let (there, ends) = (self.there, Arc::clone(&self.ends));
        let accepts = tokio::spawn({
            let ends = Arc::clone(&ends);
            async move {
                while let Ok((mut near, _)) = listener.accept().await {
                    let both = tokio::spawn(async move {
                        if let Ok(mut far) = TcpStream::connect(there).await {
                            let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
                        }
                    });
                    ends.lock().expect("nobody panics").push(both);
                }
            }
        });
        ends.lock().expect("nobody panics").push(accepts);
    }

    fn pull(&self) {
        for end in self.ends.lock().expect("nobody panics").drain(..) {
            end.abort();
        }
    }

    async fn plug_again(&self) -> SocketAddr {
        let listener = TcpListener::bind(self.here).await.expect("its port is still free");
        self.carry(listener);
        self.here
    }
}
