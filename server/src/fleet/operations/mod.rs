//! What people and schedules start in the fleet.

pub mod discover;
mod reach;
pub mod register;
pub mod reseal;
pub mod rotate;
