//! Reading, verifying, exporting and pruning the audit chain.
//!
//! `journal` writes the chain; here it is read back. Owns verification ([`verify`]) and the signed heads
//! ([`head`]), which let a verifier notice that the end of the chain was cut off; the list that people read
//! ([`service`]), its export ([`export`], [`bundle`], [`csv`]) and retention ([`retention`]), and the type `audit.verify` ([`operations`]). Writes no audit rows but
//! those of an export and of pruning: the others are part of what they record.
//!
//! ```text
//!  row 1 ◄─ row 2 ◄─ … ◄─ row N ◄─ audit_head (in the same transaction)
//!              ▲                ▲
//!        audit_heads: every 5 minutes and at each export, signed, in the table and in the log
//!
//!  audit_checkpoint ◄─ row 401 ◄─ …      after pruning: signed, names the last row that went
//! ```
//!
//! Whoever may write to the database can change rows, but not make their hashes: the chain key is derived from
//! the key ring, which never is in the database. They can cut the end off and put `audit_head` back; then a
//! signed head speaks of rows that are not there. They can cut the signed heads off as well; then a line of the
//! log does, which `quarterdeck audit verify --head` takes.

pub mod bundle;
mod checkpoint;
mod csv;
pub mod export;
pub mod head;
mod heads;
pub mod lag;
mod link;
mod news;
mod offline;
pub mod operations;
mod retention;
mod service;
mod store;
mod verify;

pub use checkpoint::Checkpoint;
pub use export::{Export, Format};
pub use head::SignedHead;
pub use heads::Heads;
pub use news::AuditNews;
pub use offline::{BrokenBundle, BundleFault, BundleVerdict, Unread, WholeBundle, verify_bundle};
pub use retention::{Pruned, Retention};
pub use service::AuditService;
pub use verify::{Ask, Broken, Fault, Unverified, Verdict, Whole, verify, verify_telling};
