//! The web: how a request comes in, who may go on, and what goes out. Knows no domain.
//!
//! ```text
//! listener ─► base ─► arrival ─► log ─► headers ─► compression ─► error shape ─► panic catcher
//!                                                                                     │
//!    handler ◄─ body limit ◄─ time limit ◄─ access (per route) ◄─ caller ◄─ same site ◄─ host
//! ```
//! Whatever refuses, at any floor, answers with [`Failed`]: an [`app::error::ApiError`] in the response's
//! extensions. The error shape alone writes its body, by the address's prefix, so that a refusal of a
//! middleware looks like one of a handler. Nothing below the error shape may write an error body itself.

pub mod arrival;
pub mod assets;
pub mod cookies;
pub mod errors;
pub mod form;
pub mod gauges;
pub mod headers;
pub mod health;
pub mod json;
pub mod limits;
pub mod listener;
pub mod log;
pub mod metrics;
pub mod pages;
pub mod query;
pub mod routes;
pub mod same_site;
pub mod stack;
pub mod strangers;
pub mod trace;
pub mod waits;

pub use errors::Failed;
pub use routes::{Access, Routes};
