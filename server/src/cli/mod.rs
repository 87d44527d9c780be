//! What the program does from the command line: serve, or bring the database up to date.

mod migrate;
mod serve;

pub use migrate::migrate;
pub use serve::serve;
