//! A background task of the server, as its page shows it.

use crate::time::Micros;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskStatus {
    Running,
    /// It failed and is started again at that moment.
    BackingOff {
        until: Micros,
    },
    /// It did all it had to do.
    Finished,
    /// The console is stopping, or has stopped it.
    Stopped,
}

impl TaskStatus {
    pub fn label(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::BackingOff { .. } => "failed, starting again",
            Self::Finished => "finished",
            Self::Stopped => "stopped",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskState {
    pub name: &'static str,
    /// One sentence: what it does and how often.
    pub what: &'static str,
    pub status: TaskStatus,
    /// When the run that goes on now began.
    pub started_at: Micros,
    /// When it last did a round of its work; none until the first.
    pub last_beat: Option<Micros>,
    pub restarts: u32,
    /// Why it failed last, and when.
    pub last_error: Option<(String, Micros)>,
}

impl TaskState {
    /// Whether it does what it should: it runs, or has done its work.
    pub fn is_up(&self) -> bool {
        matches!(self.status, TaskStatus::Running | TaskStatus::Finished)
    }
}
