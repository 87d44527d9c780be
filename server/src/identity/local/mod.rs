//! Accounts of this console itself: passwords, the links that begin them, and what keeps guessers slow.

pub mod links;
mod store;
