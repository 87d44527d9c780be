//! Pieces that several pages of this domain draw.

mod keys;
mod shown;
mod words;

pub use keys::{KEY_COLUMNS, KeyForm, key_row};
pub use shown::shown_once;
pub use words::{lacking, place_of, places, role_line, stray};
