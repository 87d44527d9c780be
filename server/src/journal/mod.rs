//! What every change writes in its own transaction: audit rows and news. Knows no domain.
//!
//! Audit rows are handed to [`Tx::commit`](crate::store::Tx::commit), which appends them last of all; news goes
//! through [`events::publish`]. Reading either is the work of `audit` and of `events`.

mod audit;
mod chain;
pub mod encoding;
pub mod events;

pub use audit::{AuditRow, Decision};
pub(crate) use chain::append;
