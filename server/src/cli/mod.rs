//! What the program does from the command line: serve, bring the database up to date, or look
//! after its keys.

mod keys;
mod migrate;
mod serve;

pub use keys::{list_keys, new_key};
pub use migrate::migrate;
pub use serve::serve;
