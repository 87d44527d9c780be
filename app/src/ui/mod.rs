//! Components that know no domain. Pages put them together; nothing in here names an operation.
//!
//! Drawing is done on the server, so all of it is `ssr` but the islands and the two rules about times that
//! they share with the server.

pub mod moment;

pub mod client_only;
mod copy_id;
pub mod keys;
pub mod live;
mod page_life;

pub use copy_id::CopyId;
pub use keys::Keys;
pub use page_life::PageLife;

#[cfg(feature = "ssr")]
pub mod answer;
#[cfg(feature = "ssr")]
mod blocks;
#[cfg(feature = "ssr")]
pub mod chart;
#[cfg(feature = "ssr")]
mod confirm;
#[cfg(feature = "ssr")]
pub mod failure;
#[cfg(feature = "ssr")]
mod field;
#[cfg(feature = "ssr")]
pub mod filters;
#[cfg(feature = "ssr")]
pub mod icons;
#[cfg(feature = "ssr")]
pub mod inputs;
#[cfg(feature = "ssr")]
pub mod listing;
#[cfg(feature = "ssr")]
mod loaded;
#[cfg(feature = "ssr")]
pub mod markdown;
#[cfg(feature = "ssr")]
mod page_head;
#[cfg(feature = "ssr")]
mod page_title;
#[cfg(feature = "ssr")]
pub mod pagination;
#[cfg(feature = "ssr")]
mod status;
#[cfg(feature = "ssr")]
pub mod table;
#[cfg(feature = "ssr")]
mod time;
#[cfg(feature = "ssr")]
pub mod timeline;
#[cfg(feature = "ssr")]
mod tree;

#[cfg(feature = "ssr")]
pub use self::{
    blocks::{Alert, Card, EmptyState, Fact, Facts, LogBlock},
    confirm::ConfirmForm,
    field::Field,
    loaded::{Loaded, load},
    page_head::{Crumb, PageHead},
    page_title::{PageTitle, SetTitle},
    status::{StatusBadge, Tone},
    table::{Column, Table},
    time::{Clockface, Moment, Took},
    timeline::{Timeline, TimelineStep},
    tree::JsonTree,
};
