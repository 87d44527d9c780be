//! The filter bar of a list: a plain GET form made from the list's filters, and a chip for each set value.
//!
//! The URL is the list's whole state, so the form needs no JavaScript; what it sends is brought into the
//! list's own spelling by [`canonical`], and the reader is sent to that address.

mod bar;
mod canonical;

pub use bar::{Chips, FilterBar, Suggestions};
pub use canonical::canonical;
