//! What the server must supply so that the settings can be drawn.

use super::model::TaskState;
use crate::identity::{Capability, Right};

/// Changes how the console is set up.
pub struct Manage;

impl Right for Manage {
    const CAPABILITY: Capability = Capability::SettingsManage;
}

pub trait Tasks: Send + Sync {
    fn list(&self) -> Vec<TaskState>;
}
