//! The island of this domain.

mod live_home;

pub use live_home::LiveHome;
