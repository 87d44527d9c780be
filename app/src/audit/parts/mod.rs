//! Pieces that the pages of this domain share, the panel that other domains' pages embed, and the island.

#[cfg(feature = "ssr")]
mod badges;
mod live_audit;
#[cfg(feature = "ssr")]
mod panel;

#[cfg(feature = "ssr")]
pub use badges::{DecisionBadge, actor, target};
pub use live_audit::LiveAudit;
#[cfg(feature = "ssr")]
pub use panel::{AuditPanel, PanelContent, load_panel};
