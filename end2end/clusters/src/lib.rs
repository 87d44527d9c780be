//! What the suites here share: clusters of the practice fleet, clients of theirs, and objects put into them.
//!
//! Each suite is a test of its own (`tests/<suite>/main.rs`) and starts its own fleet; it ends by itself when the test
//! process does: its standard input closes.

mod clients;
mod practice;
mod wait;

pub use clients::{Fault, Tampered};
pub use practice::{Practice, start, start_with};
pub use wait::eventually;
