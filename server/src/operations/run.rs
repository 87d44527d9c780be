//! What the engine gives to an operation type while it runs: who asked, steps, log lines, and the two
//! signals that end the work early.
//!
//! Every write goes through the lease: who lost it cannot write, and is told so. Must not decide how a run
//! ends; that is `worker`'s.

mod done;
mod lines;
mod progress;

pub use self::done::Done;

use std::{
    collections::BTreeMap,
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use app::operations::model::StepStatus;
use futures::{FutureExt as _, future::BoxFuture};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use tokio::sync::{Mutex, Notify};
use tokio_util::sync::CancellationToken;

use self::progress::Reported;
use super::{
    failure::Failure,
    store::work::{self as held, Lease, StepRow},
    timing,
};
use crate::{
    clock::Clock,
    store::{Db, StoreError},
};

/// Who asked for a run: a person, a key, or a schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Initiator {
    pub kind: String,
    pub id: Option<String>,
    pub name: Option<String>,
}

/// What a type may know about the run that it does.
#[derive(Clone, Debug)]
pub struct Facts {
    pub id: i64,
    pub workspace_id: i64,
    pub tenant_id: Option<i64>,
    pub kind: String,
    /// `cluster:…`, `agent:…`.
    pub target: Option<String>,
    /// 1 for the first; more after a lost worker.
    pub attempt: i64,
    pub initiator: Initiator,
}

/// The handle of one run. Cheap to clone.
#[derive(Clone)]
pub struct Run(Arc<Shared>);

struct Shared {
    facts: Facts,
    lease: Lease,
    db: Db,
    clock: Clock,
    /// A person asked for the end of this run; pass it on to requests and processes.
    cancel: CancellationToken,
    /// The worker stops; a run that can be taken up again does so at its next step.
    stopping: CancellationToken,
    lost: CancellationToken,
    yields: bool,
    yielded: AtomicBool,
    /// Monotonic microseconds at which the lease was last confirmed.
    confirmed: AtomicU64,
    book: Mutex<Book>,
    /// Rung by lines that nobody was told of.
    silent_lines: Notify,
    reported: Mutex<Reported>,
    hidden: Vec<String>,
}

/// The steps that an earlier attempt left, and how many there are.
#[derive(Default)]
struct Book {
    earlier: BTreeMap<String, StepRow>,
    next_position: i64,
    lines: i64,
    /// When it was last told that there are new lines; monotonic.
    told_at: Option<Duration>,
    /// There are lines that nobody was told of.
    untold: bool,
}

/// All that a handle is made of.
pub(super) struct Opening {
    pub facts: Facts,
    pub lease: Lease,
    /// When the claim was asked for, by the monotonic clock: its lease runs from then at the earliest.
    pub confirmed_at: Duration,
    pub db: Db,
    pub clock: Clock,
    pub stopping: CancellationToken,
    /// Whether the type may be taken up again by another worker.
    pub yields: bool,
    pub earlier: Vec<StepRow>,
    pub lines: i64,
    pub hidden: Vec<String>,
}

enum Entered<T> {
    Now,
    Before(Result<T, Failure>),
}

impl Run {
    pub(super) fn open(opening: Opening) -> Self {
        let next_position = opening.earlier.iter().map(|step| step.position).max().unwrap_or(0) + 1;
        let earlier = opening.earlier.into_iter().map(|step| (step.name.clone(), step)).collect();
        let confirmed = AtomicU64::new(micros(opening.confirmed_at));
        Self(Arc::new(Shared {
            facts: opening.facts,
            lease: opening.lease,
            db: opening.db,
            clock: opening.clock,
            cancel: CancellationToken::new(),
            stopping: opening.stopping,
            lost: CancellationToken::new(),
            yields: opening.yields,
            yielded: AtomicBool::new(false),
            confirmed,
            book: Mutex::new(Book {
                earlier,
                next_position,
                lines: opening.lines,
                told_at: None,
                untold: false,
            }),
            silent_lines: Notify::new(),
            reported: Mutex::default(),
            hidden: opening.hidden,
        }))
    }

    pub fn facts(&self) -> &Facts {
        &self.0.facts
    }

    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// Fires when a person cancels this run. Hand it to whatever waits: a request, a process, a query.
    pub fn cancellation(&self) -> &CancellationToken {
        &self.0.cancel
    }

    /// Does one step, once: a step that an earlier attempt finished answers what it answered then.
    ///
    /// `name` is its identity within the run, `label` what people read.
    ///
    /// Boxed, so that a type with many steps does not carry all of them in one large future.
    pub fn step<'a, T, F>(
        &'a self,
        name: &'static str,
        label: &'static str,
        work: F,
    ) -> BoxFuture<'a, Result<T, Failure>>
    where
        T: Serialize + DeserializeOwned + Send + Sync + 'a,
        F: Future<Output = Result<Done<T>, Failure>> + Send + 'a,
    {
        async move {
            if let Entered::Before(answer) = self.enter(name, label).await? {
                return answer;
            }
            let result = tokio::select! {
                biased;
                result = work => result,
                () = self.cut_short() => Err(Failure::cancelled()),
            };
            self.leave(name, &result).await?;
            result.map(|done| done.value)
        }
        .boxed()
    }

    /// A step that does not heed the cancellation by itself is left at the await that it stands at.
    async fn cut_short(&self) {
        self.0.cancel.cancelled().await;
        self.0.clock.sleep(timing::STEP_CANCEL_GRACE).await;
    }

    async fn enter<T: DeserializeOwned>(
        &self,
        name: &'static str,
        label: &'static str,
    ) -> Result<Entered<T>, Failure> {
        let position = {
            let mut book = self.0.book.lock().await;
            match book.earlier.get(name) {
                Some(step) if step.is_finished() => return Ok(Entered::Before(step.answer())),
                Some(step) => step.position,
                None => {
                    book.next_position += 1;
                    book.next_position - 1
                }
            }
        };
        if self.0.cancel.is_cancelled() {
            return Err(Failure::cancelled());
        }
        if self.0.yields && self.0.stopping.is_cancelled() {
            self.0.yielded.store(true, Ordering::Relaxed);
            return Err(Failure::interrupted());
        }
        self.write(|| held::begin_step(&self.0.db, &self.0.lease, position, name, label).boxed())
            .await?;
        Ok(Entered::Now)
    }

    async fn leave<T: Serialize>(
        &self,
        name: &'static str,
        result: &Result<Done<T>, Failure>,
    ) -> Result<(), Failure> {
        let (status, detail, output) = match result {
            Ok(done) => (StepStatus::Succeeded, done.detail.as_deref(), output(&done.value)?),
            // Whoever takes over after this worker ends the run with the same code.
            Err(failure) => (StepStatus::Failed, Some(failure.message()), output(&failure.code())?),
        };
        let detail = detail.map(|detail| self.presentable(detail, timing::DETAIL_MAX));
        self.write(|| {
            let end = held::StepEnd {
                name,
                status,
                detail: detail.as_deref(),
                result: output.as_deref(),
            };
            held::end_step(&self.0.db, &self.0.lease, end).boxed()
        })
        .await
    }

    /// Tells the store that this worker lives, and learns whether a person wants the run to end.
    pub(super) async fn beat(&self) -> Result<(), Failure> {
        let cancel = AtomicBool::new(false);
        self.write(|| {
            let asked = async {
                let beat = held::beat(&self.0.db, &self.0.lease).await?;
                cancel.store(beat == Some(true), Ordering::Relaxed);
                Ok(beat.is_some())
            };
            asked.boxed()
        })
        .await?;
        if cancel.into_inner() {
            self.0.cancel.cancel();
        }
        Ok(())
    }

    /// Does a guarded write until it is done, the lease is gone, or nobody could tell for so long that
    /// another worker may hold it by now.
    pub(super) async fn write<'a>(
        &self,
        attempt: impl Fn() -> BoxFuture<'a, Result<bool, StoreError>> + Send,
    ) -> Result<(), Failure> {
        loop {
            if self.0.lost.is_cancelled() {
                return Err(Failure::interrupted());
            }
            let asked_at = self.0.clock.monotonic();
            match attempt().await {
                Ok(true) => {
                    self.0.confirmed.fetch_max(micros(asked_at), Ordering::Relaxed);
                    return Ok(());
                }
                Ok(false) => self.0.lost.cancel(),
                Err(error) if !passes(&error) => return Err(error.into()),
                Err(error) => {
                    tracing::warn!(run.id = self.0.facts.id, %error, "A run's write failed; trying again.");
                    if self.unconfirmed_for() >= timing::GIVE_UP {
                        self.0.lost.cancel();
                    } else {
                        self.0.clock.sleep(timing::WRITE_AGAIN).await;
                    }
                }
            }
        }
    }

    pub(super) fn unconfirmed_for(&self) -> Duration {
        let confirmed = Duration::from_micros(self.0.confirmed.load(Ordering::Relaxed));
        self.0.clock.monotonic().saturating_sub(confirmed)
    }

    /// Ends when the lease was not confirmed for so long that another worker may hold the run soon, also when
    /// the database neither answers nor refuses.
    pub(super) async fn silence(&self) {
        loop {
            let left = timing::GIVE_UP.saturating_sub(self.unconfirmed_for());
            if left.is_zero() {
                return self.0.lost.cancel();
            }
            self.0.clock.sleep(left).await;
        }
    }

    /// Another worker holds this run, or may.
    pub(super) fn lost(&self) -> &CancellationToken {
        &self.0.lost
    }

    /// Whether the run stopped between two steps because the worker stops.
    pub(super) fn has_yielded(&self) -> bool {
        self.0.yielded.load(Ordering::Relaxed)
    }

    pub(super) fn lease(&self) -> &Lease {
        &self.0.lease
    }

    /// Without the values that the type calls secret, without NUL, and not endless.
    pub(super) fn presentable(&self, text: &str, max: usize) -> String {
        let mut text = text.replace('\0', "\u{fffd}");
        for secret in &self.0.hidden {
            text = text.replace(secret.as_str(), "‹hidden›");
        }
        match text.char_indices().nth(max) {
            Some((end, _)) => format!("{}…", &text[..end]),
            None => text,
        }
    }
}

/// Whether the same write may succeed a moment later.
fn passes(error: &StoreError) -> bool {
    matches!(
        error,
        StoreError::Locked(_)
            | StoreError::Full(_)
            | StoreError::ReadOnly(_)
            | StoreError::Timeout
            | StoreError::Connection(_)
            | StoreError::CommitUnknown(_)
    )
}

fn output<T: Serialize>(value: &T) -> Result<Option<String>, Failure> {
    let value = serde_json::to_value(value)
        .map_err(|error| Failure::new("output_unreadable", error.to_string()))?;
    Ok((value != Value::Null).then(|| value.to_string()))
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

impl StepRow {
    pub(super) fn is_finished(&self) -> bool {
        matches!(self.status, StepStatus::Succeeded | StepStatus::Failed)
    }

    /// What the step answered when it ran.
    fn answer<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        if self.status == StepStatus::Failed {
            let code = self.result.as_deref().and_then(|code| serde_json::from_str(code).ok());
            return Err(Failure::recorded(code, self.detail.as_deref().unwrap_or_default()));
        }
        serde_json::from_str(self.result.as_deref().unwrap_or("null"))
            .map_err(|error| Failure::new("output_unreadable", error.to_string()))
    }
}

/// The values in `input` that stand under a field which the type calls secret.
pub(super) fn hidden(input: &Value, secrets: &[&str]) -> Vec<String> {
    let values = secrets.iter().filter_map(|field| input.get(field)?.as_str());
    values.filter(|value| !value.is_empty()).map(str::to_owned).collect()
}
