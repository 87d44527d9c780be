//! What the program does from the command line: serve, work on operations alone, bring the database up to date,
//! verify the audit chain, copy the database and bring the copy back, or look after its keys.

mod audit;
mod backup;
mod keys;
mod migrate;
mod rbac;
mod serve;
mod work;

pub use audit::verify as audit_verify;
pub use backup::{backup, restore};
pub use keys::{list_keys, new_key, retire_key, rotate_key};
pub use migrate::migrate;
pub use rbac::print_rbac;
pub use serve::serve;
pub use work::work;
