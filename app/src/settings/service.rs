//! What the server must supply so that the pages of this domain can be drawn.

use super::model::TaskState;

pub trait Tasks: Send + Sync {
    /// Every task of this process, by name.
    fn list(&self) -> Vec<TaskState>;
}
