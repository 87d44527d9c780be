//! What only the server may know.
//!
//! The base (`store`, `clock`, `journal`, `web`) knows no domain; a domain may call the base and the domains
//! above it in DESIGN §2. `console` is the one place where they are wired together.

pub mod clock;
pub mod journal;
pub mod operations;
pub mod store;
