//! The line to the server's news, kept by one island per page, and the swap of a page's live sections.
//!
//! A live section is `<section id data-topics>` without islands inside. The island that follows hears a
//! notice, asks the server again with its own rights, and swaps; a notice itself carries no content.
//! Knows no topic: what a notice means is its page's business.

mod hub;
mod link;
mod list;
mod sections;
mod swap;

pub use hub::{hear, tell};
pub use link::{Link, LinkState, LiveState, News};
pub use list::LiveList;
pub use sections::LiveSections;
pub use swap::{fetch_page, replace_row, replace_section, section_is_held};
