//! Reading and verifying the audit chain.
//!
//! `journal` writes the chain; here it is read back. Owns verification ([`verify`]) and the signed heads
//! ([`head`]), which let a verifier notice that the end of the chain was cut off. Must not write audit rows:
//! those are part of what they record.
//!
//! ```text
//!  row 1 ◄─ row 2 ◄─ … ◄─ row N ◄─ audit_head (in the same transaction)
//!              ▲                ▲
//!        audit_heads: every 5 minutes, signed, in the table and in the log
//! ```
//!
//! Whoever may write to the database can change rows, but not make their hashes: the chain key is derived from
//! the key ring, which never is in the database. They can cut the end off and put `audit_head` back; then a
//! signed head speaks of rows that are not there. They can cut the signed heads off as well; then a line of the
//! log does, which `quarterdeck audit verify --head` takes.

pub mod head;
mod heads;
mod store;
mod verify;

pub use head::SignedHead;
pub use heads::Heads;
pub use verify::{Ask, Broken, Fault, Unverified, Verdict, Whole, verify};
