//! What every change writes in its own transaction: audit rows and news. Knows no domain.
//!
//! Audit rows are handed to [`Tx::commit`](crate::store::Tx::commit), which appends them last of all; news goes
//! through [`events::publish`]. Reading either is the work of `audit` and of `events`.

mod audit;
pub mod events;

pub(crate) use audit::append;
pub use audit::{AuditRow, Decision};
