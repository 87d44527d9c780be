//! What the server must supply so that the settings can be drawn.

use super::model::TaskState;

pub trait Tasks: Send + Sync {
    fn list(&self) -> Vec<TaskState>;
}
