//! What the program does from the command line: serve, bring the database up to date, verify the audit chain.

mod audit;
mod migrate;
mod serve;

pub use audit::verify as audit_verify;
pub use migrate::migrate;
pub use serve::serve;
