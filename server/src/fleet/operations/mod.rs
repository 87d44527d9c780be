//! What people and schedules start in the fleet.

pub mod discover;
pub mod reseal;
