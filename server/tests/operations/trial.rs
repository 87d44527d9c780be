//! The failing store of the engine's tests: a scenario is run once to count its statements, and then once for
//! each of them and each trouble that may happen to it.
//!
//! The clock is the test's. It moves by itself only to the next attempt of a write that failed, and, when the
//! trouble is a delay, to the end of that.
#![expect(clippy::disallowed_methods, reason = "lets the database work before the clock moves on")]

use std::{
    cell::RefCell,
    pin::{Pin, pin},
    time::Duration,
};

use app::{
    operations::model::{Outcome, Status},
    time::Micros,
};
use server::{
    clock::ManualClock,
    operations::timer::Schedule,
    store::{Db, Dialect, Fault, Faults, testing},
};
use tokio_util::sync::CancellationToken;

use super::{
    invariants,
    kit::{Effects, Kit},
};

pub const START: Micros = Micros(1_790_000_000_000_000);
/// Longer than a worker waits for a word of the database, shorter than a lease.
const LATE: Duration = Duration::from_secs(25);
/// Sleepers that wait no longer than that retry a write.
const AGAIN: Duration = Duration::from_millis(200);

/// One database, whole for some and troubled for others.
pub struct Trial {
    pub kit: Kit,
    /// The same world through a store with troubles.
    pub faulty: Kit,
    pub hand: ManualClock,
    pub dialect: Dialect,
    faults: Faults,
    now: RefCell<(u64, Option<Fault>)>,
}

/// Runs `scenario` on both engines through each trouble at each of its statements; it has `at_least` so many.
pub async fn through_every_fault(at_least: u64, scenario: impl AsyncFn(&Trial)) {
    let kit = async |db: &Db, effects| Kit::sharing(db, effects, Vec::new());
    on_stage(at_least, START, kit, scenario).await;
}

/// The same with a schedule of `test.steps`, every five minutes.
pub async fn on_schedule_through_every_fault(at_least: u64, scenario: impl AsyncFn(&Trial)) {
    let schedule = || vec![Schedule::new("s", "test.steps", "*/5 * * * *", "every 5 minutes")];
    let kit = async |db: &Db, effects| Kit::sharing(db, effects, schedule());
    on_stage(at_least, START, kit, scenario).await;
}

/// The same with types and schedules of its own, and from a moment of its own on.
pub async fn on_stage(
    at_least: u64,
    start: Micros,
    kit: impl AsyncFn(&Db, Effects) -> Kit,
    scenario: impl AsyncFn(&Trial),
) {
    for (engine, hand) in testing::engines_at(start).await {
        let faults = Faults::none();
        let broken = engine.with_faults(&faults).await;
        let effects = Effects::default();
        let trial = Trial {
            kit: kit(&engine.db, effects.clone()).await,
            faulty: kit(&broken, effects).await,
            hand,
            dialect: engine.dialect(),
            faults,
            now: RefCell::default(),
        };
        let opened = trial.faults.seen();
        trial.once(&scenario).await;
        let statements = trial.faults.seen() - opened;
        assert!(statements >= at_least, "{statements} statements");
        for n in 1..=statements {
            for fault in [Fault::Fail, Fault::LoseAnswer, Fault::Delay(LATE)] {
                trial.faults.add(n, fault.clone());
                trial.now.replace((n, Some(fault)));
                trial.once(&scenario).await;
                trial.faults.clear();
            }
        }
        invariants::hold_to_the_end(&trial.kit.db, "in the end").await;
    }
}

impl Trial {
    async fn once(&self, scenario: &impl AsyncFn(&Self)) {
        let mut left = LATE;
        let mut scenario = pin!(scenario(self));
        loop {
            tokio::select! {
                biased;
                () = &mut scenario => break,
                () = tokio::time::sleep(Duration::from_millis(1)) => {}
            }
            let Some(&wait) = self.hand.sleepers().first() else { continue };
            if wait <= AGAIN {
                self.hand.advance(wait);
            } else if self.faults.waiting() > 0 && wait <= left {
                left -= wait;
                self.hand.advance(wait);
            }
        }
        invariants::hold(&self.kit.db, &self.what()).await;
    }

    pub fn what(&self) -> String {
        match &*self.now.borrow() {
            (n, Some(fault)) => format!("{fault:?} at {n} on {}", self.dialect.as_str()),
            (_, None) => format!("no trouble on {}", self.dialect.as_str()),
        }
    }

    /// Whether the trouble is one that a worker takes for its own loss.
    pub fn is_late(&self) -> bool {
        matches!(self.now.borrow().1, Some(Fault::Delay(_)))
    }

    pub fn is_troubled(&self) -> bool {
        self.now.borrow().1.is_some()
    }

    /// What there is to do next, once, through the troubled store. How it went is not of interest: only what stands
    /// in the end.
    pub async fn work(&self) {
        let _ = self.faulty.worker("faulty").work_one(&CancellationToken::new()).await;
    }

    /// Whether what broke has let go of its rows, which it may hold for another moment: workers pass over what is held.
    pub async fn has_let_go(&self) -> bool {
        for _ in 0..100 {
            if self.kit.nobody_else_writes().await.expect("a healthy store answers") {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        false
    }

    /// What is due, through the troubled store and then for certain.
    pub async fn look(&self) {
        let _ = self.faulty.service.timer().tick().await;
        self.kit.service.timer().tick().await.expect("a healthy store answers");
    }

    /// What a worker, or a timer, with this store leaves behind is taken up by healthy ones.
    pub async fn recover(&self, id: i64) {
        // A transaction that broke may hold its rows for another moment, and workers pass over what is held.
        testing::eventually("the run ends", || async {
            if self.kit.get(id).await.run.status == Status::Completed {
                return Ok(Some(()));
            }
            self.kit.service.timer().tick().await?;
            self.kit.work_all("healthy").await?;
            if self.kit.get(id).await.run.status != Status::Completed {
                self.hand.advance(Duration::from_secs(31));
            }
            Ok(None)
        })
        .await;
    }

    /// The run ended so, and no step was done twice: only the one in hand when a worker was lost may be.
    pub async fn ended(&self, id: i64, outcome: Outcome, steps: &[&str]) {
        let detail = self.kit.get(id).await;
        let what = self.what();
        assert_eq!((detail.run.status, detail.run.outcome), (Status::Completed, outcome), "{what}");
        let mut again = 0;
        for step in steps {
            let times = self.kit.effects.count(&format!("{id}:{step}"));
            assert!(times >= 1, "{step} of run {id} was left out: {what}");
            again += times - 1;
        }
        let losses = usize::from(self.is_late());
        assert!(again <= losses, "steps of run {id} were done again: {what}");
    }

    /// Works on `id` through the troubled store until it waits at its gate, or nothing comes of it. Gives back
    /// whether it waits; `then` decides what happens to the worker that stands there.
    pub async fn at_the_gate(&self, id: i64, then: impl AsyncFnOnce(&CancellationToken)) {
        let stop = CancellationToken::new();
        let worker = self.faulty.worker("faulty");
        let mut work = pin!(worker.work_one(&stop));
        if !self.arrives(id, work.as_mut()).await {
            return;
        }
        tokio::select! {
            biased;
            _ = &mut work => return,
            () = then(&stop) => {}
        }
        let _ = work.await;
    }

    /// Works until `id` waits at its gate; false when the work ended without.
    pub async fn arrives(&self, id: i64, work: Pin<&mut impl Future>) -> bool {
        let arrives = async {
            self.waits_again(id, 0).await;
            self.nothing_is_written().await;
        };
        tokio::select! {
            biased;
            _ = work => false,
            () = arrives => true,
        }
    }

    /// Who is not polled any more in the middle of a transaction would hold up everybody.
    async fn nothing_is_written(&self) {
        testing::eventually("every transaction ends", || async {
            let tx = self.kit.db.begin().await?;
            tx.commit(Vec::new()).await?;
            Ok(self.kit.nobody_else_writes().await?.then_some(()))
        })
        .await;
    }

    async fn waits_again(&self, id: i64, before: usize) {
        let waits = format!("{id}:waits");
        while self.kit.effects.count(&waits) <= before {
            tokio::task::yield_now().await;
        }
    }

    /// A worker that is killed while `id` waits at its gate: its future is dropped, as a kill drops all.
    pub async fn killed_at_the_gate(&self, id: i64) {
        let before = self.kit.effects.count(&format!("{id}:waits"));
        testing::eventually("a worker stands at the gate", || async {
            let (worker, stop) = (self.kit.worker("killed"), CancellationToken::new());
            tokio::select! {
                biased;
                done = worker.work_one(&stop) => {
                    // Who was held by a transaction that broke was passed over, and is there at the next look.
                    assert!(!done?, "the gate is closed");
                    self.kit.service.timer().tick().await?;
                    Ok(None)
                }
                () = self.waits_again(id, before) => Ok(Some(())),
            }
        })
        .await;
    }

    /// Seconds pass, one after the other, with a moment between for the database.
    pub async fn pass_slowly(&self) {
        loop {
            tokio::time::sleep(Duration::from_millis(20)).await;
            self.hand.advance(Duration::from_secs(1));
        }
    }

    /// Closes the gate, whatever an earlier trial left open.
    pub fn close_the_gate(&self) {
        while let Ok(permit) = self.kit.effects.gate.try_acquire() {
            permit.forget();
        }
    }
}
