//! Two workers on one run, in any order of what they and the timer do: at every moment one of them at most can
//! write, and what the other tries changes nothing.

use app::operations::{
    log::Level,
    model::{Outcome, Status, Step, StepStatus},
};
use proptest::{
    collection::vec,
    prelude::*,
    test_runner::{Config, TestRunner},
};
use server::{
    operations::{
        store::{claim::Claimed, work},
        worker::Worker,
    },
    store::{Db, Dialect, Fault, Faults, Sql, StoreError, testing},
};
use tokio_util::sync::CancellationToken;

use super::{invariants, kit::Kit};

#[derive(Clone, Copy, Debug)]
enum Move {
    Claim,
    Begin(usize),
    End(usize),
    Log,
    Beat,
    Release,
    /// Goes on with what it claimed, to the end if it is let.
    Finish,
}

#[derive(Clone, Copy, Debug)]
enum Play {
    By(usize, Move),
    /// The lease runs out, and the timer takes the run back.
    Lapse,
}

fn play() -> impl Strategy<Value = Play> {
    let step = 0..2_usize;
    let moves = prop_oneof![
        4 => Just(Move::Claim),
        2 => step.clone().prop_map(Move::Begin),
        2 => step.prop_map(Move::End),
        1 => Just(Move::Log),
        1 => Just(Move::Beat),
        1 => Just(Move::Release),
        1 => Just(Move::Finish),
    ];
    prop_oneof![
        8 => (0..2_usize, moves).prop_map(|(who, what)| Play::By(who, what)),
        1 => Just(Play::Lapse),
    ]
}

/// What befalls which of a move's statements.
fn trouble() -> impl Strategy<Value = (u64, Fault)> {
    (1..6_u64, prop_oneof![Just(Fault::Fail), Just(Fault::LoseAnswer)])
}

const STEPS: [&str; 2] = ["first", "second"];

/// Two workers with what they believe to hold.
struct Table<'a> {
    kit: &'a Kit,
    /// The same database, which fails when it is told to.
    faulty: &'a Kit,
    faults: &'a Faults,
    id: i64,
    workers: [Worker; 2],
    hands: [Option<Claimed>; 2],
    /// Who holds the run in truth.
    holder: Option<usize>,
    lapses: u32,
    lines: [i64; 2],
}

impl Table<'_> {
    async fn play(&mut self, play: Play) {
        match play {
            // A third lost worker would end the run.
            Play::Lapse if self.holder.is_some() && self.lapses < 2 => {
                self.kit.lapse().await;
                self.kit.service.timer().tick().await.expect("looks");
                self.holder = None;
                self.lapses += 1;
            }
            Play::Lapse => {}
            Play::By(who, Move::Claim) => self.claim(who).await,
            Play::By(who, Move::Finish) => self.finish(who).await,
            Play::By(who, what) => {
                let may = self.holder == Some(who);
                let Some(did) = self.write(&self.kit.db, who, what).await else { return };
                assert_eq!(
                    did.expect("the store answers"),
                    may,
                    "{what:?} by {who}, held by {:?}",
                    self.holder
                );
                if may && matches!(what, Move::Release) {
                    self.holder = None;
                }
            }
        }
    }

    /// The same where a statement of it fails, or is done and loses its answer.
    async fn play_amid(&mut self, play: Play, (nth, fault): (u64, Fault)) {
        self.faults.add(self.faults.seen() + nth, fault);
        match play {
            Play::Lapse if self.lapses < 2 => {
                self.kit.lapse().await;
                let _ = self.faulty.service.timer().tick().await;
            }
            Play::Lapse => {}
            Play::By(who, Move::Claim) => {
                let open = self.kit.get(self.id).await.run.status == Status::Queued;
                let worker = self.faulty.worker("troubled");
                if let Ok(Some(claimed)) = worker.claim().await {
                    assert!(open, "two hold it");
                    self.hands[who] = Some(claimed);
                }
            }
            Play::By(who, Move::Finish) => {
                let before = self.kit.get(self.id).await;
                if let Some(claimed) = self.in_hand(who).await {
                    let worker = self.faulty.worker("troubled");
                    worker.work(claimed, &CancellationToken::new()).await;
                    if self.holder != Some(who) {
                        let after = self.kit.get(self.id).await;
                        assert_eq!(after, before, "{who} was late, and ended it all the same");
                    }
                }
            }
            Play::By(who, what) => {
                let did = self.write(&self.faulty.db, who, what).await;
                let may = self.holder == Some(who);
                assert!(may || !matches!(did, Some(Ok(true))), "{what:?} by {who}");
            }
        }
        self.faults.clear();
        self.look_who_holds_it().await;
    }

    /// What came of a move without an answer stands in the database alone.
    async fn look_who_holds_it(&mut self) {
        testing::eventually("every transaction ends", || async {
            Ok(self.kit.nobody_else_writes().await?.then_some(()))
        })
        .await;
        let lease = Sql::new("SELECT token FROM operation_leases WHERE run_id = ").arg(self.id);
        let lease = self.kit.db.fetch_optional(lease).await.expect("the store answers");
        let token = lease.map(|row| row.text("token").expect("a text"));
        let holds = |hand: &Option<Claimed>| {
            hand.as_ref().map(|claimed| &claimed.lease.token) == token.as_ref()
        };
        self.holder = token.as_ref().and_then(|_| self.hands.iter().position(holds));
        let number = async |sql: &'static str| self.kit.count(Sql::new(sql).arg(self.id)).await;
        let losses = number("SELECT losses AS n FROM operation_runs WHERE id = ").await;
        self.lapses = u32::try_from(losses).expect("few");
        let lines = number("SELECT COUNT(*) AS n FROM operation_logs WHERE run_id = ").await;
        self.lines = [lines; 2];
    }

    async fn claim(&mut self, who: usize) {
        let open = self.kit.get(self.id).await.run.status == Status::Queued;
        let claimed = self.workers[who].claim().await.expect("the store answers");
        assert_eq!(claimed.is_some(), open, "whoever asks gets it, if nobody has it");
        if let Some(claimed) = claimed {
            assert_eq!(self.holder, None, "two hold it");
            self.lines[who] = claimed.lines;
            self.hands[who] = Some(claimed);
            self.holder = Some(who);
        }
    }

    /// Whether the store took it; `None` where there was nothing to write. What is not taken changes nothing.
    async fn write(&mut self, db: &Db, who: usize, what: Move) -> Option<Result<bool, StoreError>> {
        let lease = &self.hands[who].as_ref()?.lease;
        let before = self.kit.get(self.id).await;
        let did = match what {
            Move::Begin(step) => {
                // A worker begins no step that is finished: it would have got its answer.
                if before
                    .steps
                    .iter()
                    .any(|s| s.name == STEPS[step] && s.status == StepStatus::Succeeded)
                {
                    return None;
                }
                let known = before.steps.iter().find(|s| s.name == STEPS[step]).map(|s| s.position);
                let next = i64::try_from(before.steps.len()).expect("two") + 1;
                let position = known.unwrap_or(next);
                work::begin_step(db, lease, position, STEPS[step], STEPS[step]).await
            }
            Move::End(step) => {
                let end = work::StepEnd {
                    name: STEPS[step],
                    status: StepStatus::Succeeded,
                    detail: Some(lease.token.as_str()),
                    // What the kit's second step reads of the first.
                    result: (step == 0).then_some("1"),
                };
                if !before
                    .steps
                    .iter()
                    .any(|s| s.name == STEPS[step] && s.status == StepStatus::Running)
                {
                    return None;
                }
                work::end_step(db, lease, end).await
            }
            Move::Log => {
                self.lines[who] += 1;
                let (number, text) = (self.lines[who], lease.token.as_str());
                let line = work::Line { number, level: Level::Info, text };
                work::log(db, lease, &line, false).await
            }
            Move::Beat => work::beat(db, lease).await.map(|answer| answer.is_some()),
            Move::Release => work::release(db, lease).await,
            Move::Claim | Move::Finish => return None,
        };
        if self.holder != Some(who) {
            assert_eq!(self.kit.get(self.id).await, before, "{what:?} by {who} changed something");
        }
        Some(did)
    }

    /// What it claimed, with what it wrote by hand in its book, as a worker would have it.
    async fn in_hand(&mut self, who: usize) -> Option<Claimed> {
        let mut claimed = self.hands[who].take()?;
        if self.holder == Some(who) {
            let steps = self.kit.get(self.id).await.steps;
            claimed.steps = steps.into_iter().map(in_the_book).collect();
            claimed.lines = self.lines[who];
        }
        Some(claimed)
    }

    async fn finish(&mut self, who: usize) {
        let Some(claimed) = self.in_hand(who).await else { return };
        let before = self.kit.get(self.id).await;
        self.workers[who].work(claimed, &CancellationToken::new()).await;
        let after = self.kit.get(self.id).await;
        if self.holder == Some(who) {
            assert_eq!(after.run.outcome, Outcome::Succeeded);
            self.holder = None;
        } else {
            assert_eq!(after, before, "{who} was late, and ended it all the same");
        }
    }
}

fn in_the_book(step: Step) -> work::StepRow {
    let finished = step.status == StepStatus::Succeeded;
    work::StepRow {
        result: (finished && step.name == STEPS[0]).then(|| "1".to_owned()),
        position: step.position,
        name: step.name,
        status: step.status,
        detail: step.detail,
    }
}

/// Each move, and the trouble amid it, if any.
fn through(
    dialect: Dialect,
    cases: u32,
    plays: impl Strategy<Value = Vec<(Play, Option<(u64, Fault)>)>>,
) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    let engine = runtime.block_on(testing::Engine::fresh(dialect, server::clock::Clock::system()));
    let faults = Faults::none();
    let kit = Kit::on(&engine.db);
    let broken = runtime.block_on(engine.with_faults(&faults));
    let troubled = Kit::sharing(&broken, kit.effects.clone(), Vec::new());
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    // The same plays each time.
    let rng = proptest::test_runner::TestRng::deterministic_rng(config.rng_algorithm);
    let mut runner = TestRunner::new_with_rng(config, rng);
    let outcome = runner.run(&plays, |plays| {
        runtime.block_on(async {
            let id = kit.start("test.steps").await.id;
            let mut table = Table {
                kit: &kit,
                faulty: &troubled,
                faults: &faults,
                id,
                workers: [kit.worker("a"), kit.worker("b")],
                hands: [None, None],
                holder: None,
                lapses: 0,
                lines: [0; 2],
            };
            for (play, trouble) in plays {
                match trouble {
                    Some(trouble) => table.play_amid(play, trouble).await,
                    None => table.play(play).await,
                }
            }
            kit.lapse().await;
            kit.service.timer().tick().await.expect("looks");
            kit.work_all("last").await.expect("works");
            assert_eq!(kit.get(id).await.run.status, Status::Completed);
            invariants::hold(&kit.db, "after a play").await;
        });
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
    runtime.block_on(invariants::hold_to_the_end(&kit.db, "in the end"));
}

#[test]
fn at_every_moment_one_worker_at_most_can_write() {
    for dialect in testing::dialects() {
        through(dialect, 40, vec(play().prop_map(|play| (play, None)), 4..24));
    }
}

#[test]
fn nor_more_than_one_where_statements_fail() {
    for dialect in testing::dialects() {
        through(dialect, 60, vec((play(), proptest::option::weighted(0.4, trouble())), 4..24));
    }
}
