//! The types of operation that belong to the audit log.

pub mod verify;
