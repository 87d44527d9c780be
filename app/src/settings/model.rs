//! A background task as its status page shows it.

use crate::time::Micros;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskStatus {
    Running,
    /// It failed and is started again soon.
    BackingOff,
    /// It did all it had to do.
    Finished,
    /// The console is stopping.
    Stopped,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskState {
    pub name: String,
    /// One sentence: what it is for.
    pub what: String,
    pub state: TaskStatus,
    pub restarts: u64,
    pub last_error: Option<String>,
    /// When it came into this state.
    pub since: Micros,
    pub last_beat: Option<Micros>,
}

impl TaskState {
    /// Whether it does what it should, or has done it.
    pub fn is_up(&self) -> bool {
        matches!(self.state, TaskStatus::Running | TaskStatus::Finished)
    }
}
