//! What needs a human, as it crosses the wire.

use jiff::tz::TimeZone;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    identity::{Capability, model::WorkspaceName},
    time::Micros,
};

/// Rows that one look shows.
pub const ROWS_MAX: usize = 100;

/// What nobody came for in this time is no open work any more (DECIDED 24).
pub const EXPIRES_AFTER: i64 = 7 * 24 * 3_600 * Micros::SECOND;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// It ended badly, or something is down.
    Bad,
    /// It does not move, or will go wrong.
    Warn,
}

/// A link to where something can be done about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct WayOn {
    pub label: String,
    /// An address of this console.
    pub href: String,
}

/// Somebody had looked into it before, and it came back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct FailedAgain {
    pub investigated_by: Option<String>,
    pub investigated_at: Micros,
    /// What they looked into.
    pub before: WayOn,
}

/// One thing that needs a human: as many of one cause as there are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct OpenRow {
    /// The domain that says so: `operations`.
    pub source: &'static str,
    /// The same for the same cause, from one look to the next.
    pub key: String,
    pub what: String,
    pub why: Option<String>,
    pub severity: Severity,
    /// One or two words: "failed", "heartbeat lost".
    pub state: String,
    /// What it concerns; null when that is the console itself.
    pub subject: Option<String>,
    pub workspace: WorkspaceName,
    pub since: Micros,
    /// How many of the same cause are behind this row.
    pub count: i64,
    /// Where to look at it, and where what is to be done is done.
    pub href: String,
    pub next: WayOn,
    /// Every one of the same cause, when there are several.
    pub all: Option<WayOn>,
    /// What it takes to see this row.
    pub capability: Capability,
    pub again: Option<FailedAgain>,
    /// When it leaves by itself.
    pub expires_at: Option<Micros>,
}

/// What became of what failed since the day began, cancelled ones apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct FailedToday {
    pub failed: i64,
    pub closed_by_success: i64,
    pub investigated: i64,
    pub open: i64,
    /// Tried again, and that failed as well: the retry speaks for it.
    pub retried: i64,
    /// Nobody came in time.
    pub expired: i64,
    /// Ended because a person asked for it: no open work.
    pub cancelled: i64,
    /// Only the newest 10 000 were looked at.
    pub capped: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum LeftBy {
    Superseded,
    Investigated,
    Expired,
}

/// Something that was open today and is not any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Closed {
    pub what: String,
    pub subject: Option<String>,
    pub href: String,
    pub left_by: LeftBy,
    /// Who looked into it.
    pub who: Option<String>,
    /// The success that came after it.
    pub through: Option<WayOn>,
    /// When it failed.
    pub at: Micros,
}

/// What one source has to say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    pub rows: Vec<OpenRow>,
    /// There are more than were looked at.
    pub more: bool,
    pub today: Option<FailedToday>,
    pub closed: Vec<Closed>,
}

/// A source that was asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Source {
    pub name: &'static str,
    /// Why it could not be read; what it would have said is missing then.
    pub unavailable: Option<String>,
}

/// All that needs a human, as far as the caller may see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct OpenWork {
    pub looked_at: Micros,
    /// "Today" began here, in the zone that was asked for.
    pub day_began: Micros,
    /// Oldest first.
    pub rows: Vec<OpenRow>,
    /// More than are shown.
    pub more: bool,
    pub today: Option<FailedToday>,
    /// Newest first, a few of them.
    pub closed: Vec<Closed>,
    /// Those that the caller may hear; empty for who may see none.
    pub sources: Vec<Source>,
}

/// When the day of `now` began in a zone.
pub fn day_began(now: Micros, zone: &TimeZone) -> Micros {
    let local = now.timestamp().to_zoned(zone.clone());
    local.start_of_day().map_or(now, |began| Micros(began.timestamp().as_microsecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_begins_at_midnight_of_the_zone() {
        let began =
            |now: &str, zone: TimeZone| day_began(now.parse().expect("a time"), &zone).to_string();
        let noon = "2026-11-21T12:00:00Z";
        assert_eq!(began(noon, TimeZone::UTC), "2026-11-21T00:00:00.000000Z");
        let east = TimeZone::fixed(jiff::tz::offset(13));
        assert_eq!(began(noon, east), "2026-11-21T11:00:00.000000Z");
    }
}
