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
    store::{Dialect, testing},
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

const STEPS: [&str; 2] = ["first", "second"];

/// Two workers with what they believe to hold.
struct Table<'a> {
    kit: &'a Kit,
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
            Play::By(who, what) => self.write(who, what).await,
        }
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

    async fn write(&mut self, who: usize, what: Move) {
        let Some(claimed) = &self.hands[who] else { return };
        let (db, lease) = (&self.kit.db, &claimed.lease);
        let before = self.kit.get(self.id).await;
        let may = self.holder == Some(who);
        let did = match what {
            Move::Begin(step) => {
                // A worker begins no step that is finished: it would have got its answer.
                if before
                    .steps
                    .iter()
                    .any(|s| s.name == STEPS[step] && s.status == StepStatus::Succeeded)
                {
                    return;
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
                    return;
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
            Move::Claim | Move::Finish => return,
        };
        assert_eq!(
            did.expect("the store answers"),
            may,
            "{what:?} by {who}, held by {:?}",
            self.holder
        );
        if !may {
            assert_eq!(self.kit.get(self.id).await, before, "{what:?} by {who} changed something");
        } else if matches!(what, Move::Release) {
            self.holder = None;
        }
    }

    async fn finish(&mut self, who: usize) {
        let Some(mut claimed) = self.hands[who].take() else { return };
        if self.holder == Some(who) {
            // What it wrote by hand, a worker keeps in its book.
            let steps = self.kit.get(self.id).await.steps;
            claimed.steps = steps.into_iter().map(in_the_book).collect();
            claimed.lines = self.lines[who];
        }
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

fn through(dialect: Dialect, cases: u32) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    let engine = runtime.block_on(testing::Engine::fresh(dialect, server::clock::Clock::system()));
    let kit = Kit::on(&engine.db);
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    // The same plays each time.
    let rng = proptest::test_runner::TestRng::deterministic_rng(config.rng_algorithm);
    let mut runner = TestRunner::new_with_rng(config, rng);
    let outcome = runner.run(&vec(play(), 4..24), |plays| {
        runtime.block_on(async {
            let id = kit.start("test.steps").await.id;
            let workers = [kit.worker("a"), kit.worker("b")];
            let mut table = Table {
                kit: &kit,
                id,
                workers,
                hands: [None, None],
                holder: None,
                lapses: 0,
                lines: [0; 2],
            };
            for play in plays {
                table.play(play).await;
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
        through(dialect, 40);
    }
}
