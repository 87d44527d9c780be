//! The background tasks of this process: the only place that starts one.
//!
//! A task that fails or panics is started again, later each time; one that ends is finished. What each does
//! and how it fares stands on a page of its own, so a task that nobody can see does not exist. A task shows
//! that it works by calling [`beat`] once per round.

use std::{
    collections::BTreeMap,
    future::Future,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use app::settings::model::{TaskState, TaskStatus};
use futures::FutureExt as _;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::clock::{Clock, Rng};

/// The first wait after a failure; doubled by each further one, up to the longest.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_mins(1);
/// A run that lasted so long was a success, whatever ended it.
const PROVEN: Duration = Duration::from_mins(1);

tokio::task_local! {
    static BEAT: Beat;
}

#[derive(Clone)]
struct Beat {
    tasks: Tasks,
    name: &'static str,
}

/// Says that the task in which this is called has done a round of its work. Elsewhere it says nothing.
pub fn beat() {
    let _ = BEAT.try_with(|beat| {
        let now = beat.tasks.0.clock.now();
        beat.tasks.change(beat.name, |state| state.last_beat = Some(now));
    });
}

#[derive(Clone)]
pub struct Tasks(Arc<Inner>);

struct Inner {
    clock: Clock,
    rng: Rng,
    stop: CancellationToken,
    running: TaskTracker,
    states: Mutex<BTreeMap<&'static str, TaskState>>,
}

impl Tasks {
    pub fn new(clock: Clock, rng: Rng) -> Self {
        Self(Arc::new(Inner {
            clock,
            rng,
            stop: CancellationToken::new(),
            running: TaskTracker::new(),
            states: Mutex::default(),
        }))
    }

    /// Starts a task under a name that no other has. `run` is called again after a failure; it must end
    /// soon once its token is cancelled.
    ///
    /// # Panics
    /// When the name is taken: two tasks under one name could not be told apart.
    pub fn spawn<F, Fut>(&self, name: &'static str, what: &'static str, run: F)
    where
        F: Fn(CancellationToken) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), anyhow::Error>> + Send + 'static,
    {
        let state = TaskState {
            name: name.to_owned(),
            what: what.to_owned(),
            state: TaskStatus::Running,
            restarts: 0,
            last_error: None,
            since: self.0.clock.now(),
            last_beat: None,
        };
        let taken = self.states_mut().insert(name, state).is_some();
        assert!(!taken, "two tasks are called {name}");
        let tasks = self.clone();
        let beat = Beat { tasks: self.clone(), name };
        let supervised = BEAT.scope(beat, async move { tasks.supervise(name, run).await });
        self.0.running.spawn(supervised);
    }

    /// Every task, by name.
    pub fn states(&self) -> Vec<TaskState> {
        self.states_mut().values().cloned().collect()
    }

    /// Tells every task to stop and waits for them; those that do not heed are left behind by name.
    pub async fn shutdown(&self, grace: Duration) -> Vec<&'static str> {
        self.0.stop.cancel();
        self.0.running.close();
        tokio::select! {
            () = self.0.running.wait() => Vec::new(),
            () = self.0.clock.sleep(grace) => {
                let states = self.states_mut();
                let late = states.iter().filter(|(_, state)| state.state == TaskStatus::Running);
                late.map(|(name, _)| *name).collect()
            }
        }
    }

    async fn supervise<F, Fut>(self, name: &'static str, run: F)
    where
        F: Fn(CancellationToken) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), anyhow::Error>> + Send + 'static,
    {
        let mut wait = FIRST_WAIT;
        loop {
            let began = self.0.clock.monotonic();
            let ended = AssertUnwindSafe(run(self.0.stop.clone())).catch_unwind().await;
            if self.0.stop.is_cancelled() {
                return self.enter(name, TaskStatus::Stopped);
            }
            let why = match ended {
                Ok(Ok(())) => return self.enter(name, TaskStatus::Finished),
                Ok(Err(error)) => format!("{error:#}"),
                // What it was stands in the log, with its place.
                Err(_) => "panicked".to_owned(),
            };
            if self.0.clock.monotonic().saturating_sub(began) >= PROVEN {
                wait = FIRST_WAIT;
            }
            let delay = self.0.rng.jitter(wait, 0.2);
            tracing::error!(
                task = name,
                why,
                delay_ms = delay.as_millis(),
                "a background task failed"
            );
            self.change(name, |state| state.last_error = Some(why));
            self.enter(name, TaskStatus::BackingOff);
            tokio::select! {
                () = self.0.clock.sleep(delay) => {}
                () = self.0.stop.cancelled() => {
                    return self.enter(name, TaskStatus::Stopped);
                }
            }
            wait = (wait * 2).min(LONGEST_WAIT);
            self.change(name, |state| state.restarts += 1);
            self.enter(name, TaskStatus::Running);
        }
    }

    fn enter(&self, name: &'static str, status: TaskStatus) {
        let now = self.0.clock.now();
        self.change(name, |state| {
            state.state = status;
            state.since = now;
        });
    }

    fn change(&self, name: &'static str, change: impl FnOnce(&mut TaskState)) {
        if let Some(state) = self.states_mut().get_mut(name) {
            change(state);
        }
    }

    /// States are replaced field by field; none is ever half changed.
    fn states_mut(&self) -> MutexGuard<'_, BTreeMap<&'static str, TaskState>> {
        self.0.states.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl app::settings::Tasks for Tasks {
    fn list(&self) -> Vec<TaskState> {
        self.states()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use app::time::Micros;

    use super::*;

    /// Waits until the task's state is as wanted; a state that never comes fails the test.
    async fn until(tasks: &Tasks, wanted: impl Fn(&TaskState) -> bool) -> TaskState {
        let polled = async {
            loop {
                if let Some(state) = tasks.states().into_iter().find(&wanted) {
                    return state;
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), polled)
            .await
            .unwrap_or_else(|_| panic!("it never came, states are {:?}", tasks.states()))
    }

    fn at_rest() -> (Tasks, crate::clock::ManualClock) {
        let (clock, hand) = Clock::manual(Micros(0));
        (Tasks::new(clock, Rng::seeded(1)), hand)
    }

    #[tokio::test]
    async fn a_task_that_fails_or_panics_is_started_again_later_each_time() {
        let (tasks, hand) = at_rest();
        let runs = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&runs);
        tasks.spawn("shaky", "fails twice", move |_| {
            let run = counted.fetch_add(1, Ordering::SeqCst);
            async move {
                match run {
                    0 => anyhow::bail!("no luck"),
                    1 => panic!("worse"),
                    _ => Ok(()),
                }
            }
        });
        let failed = |state: &TaskState| state.state == TaskStatus::BackingOff;
        let state = until(&tasks, |s| failed(s) && s.restarts == 0).await;
        assert_eq!(state.last_error.as_deref(), Some("no luck"));
        hand.advance(Duration::from_secs(2));
        let state = until(&tasks, |s| failed(s) && s.restarts == 1).await;
        assert_eq!(state.last_error.as_deref(), Some("panicked"));
        hand.advance(Duration::from_secs(1));
        tokio::task::yield_now().await;
        assert_eq!(runs.load(Ordering::SeqCst), 2, "the second wait is longer than a second");
        hand.advance(Duration::from_secs(2));
        until(&tasks, |s| s.state == TaskStatus::Finished && s.restarts == 2).await;
    }

    #[tokio::test]
    async fn a_beat_is_seen_and_a_stop_is_heard() {
        let (tasks, hand) = at_rest();
        hand.advance(Duration::from_secs(5));
        tasks.spawn("heart", "beats until it is stopped", |stop| async move {
            beat();
            stop.cancelled().await;
            Ok(())
        });
        until(&tasks, |s| s.last_beat == Some(Micros(5 * Micros::SECOND))).await;
        assert_eq!(tasks.shutdown(Duration::from_secs(1)).await, Vec::<&str>::new());
        assert_eq!(tasks.states()[0].state, TaskStatus::Stopped);
    }

    #[tokio::test]
    async fn one_that_does_not_heed_is_named_when_the_grace_is_over() {
        let (tasks, hand) = at_rest();
        tasks.spawn("deaf", "never ends", |_| std::future::pending());
        let waiting = tasks.shutdown(Duration::from_secs(3));
        let moving = async {
            tokio::task::yield_now().await;
            hand.advance(Duration::from_secs(3));
        };
        let (late, ()) = tokio::join!(waiting, moving);
        assert_eq!(late, ["deaf"]);
    }
}
