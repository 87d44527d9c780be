//! One file per route.

mod entry;
mod list;

pub use entry::AuditEntryPage;
pub use list::AuditPage;
