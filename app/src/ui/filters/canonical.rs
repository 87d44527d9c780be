//! Brings what a filter form sends into the spelling that links and the JSON API use.

use jiff::{civil::DateTime, tz::TimeZone};

use crate::{
    list::{Filter, FilterKind},
    time::Micros,
};

/// The same pairs without the empty ones of known fields, and with each moment of the viewer's own calendar
/// as RFC 3339: a link then means the same to whoever opens it.
pub fn canonical(
    filters: &[Filter],
    pairs: &[(String, String)],
    zone: &TimeZone,
) -> Vec<(String, String)> {
    let of = |key: &str| filters.iter().find(|f| f.key == key);
    pairs
        .iter()
        .filter(|(key, value)| !(value.is_empty() && of(key).is_some()))
        .map(|(key, value)| {
            let moment = match of(key).map(|f| f.kind) {
                Some(FilterKind::Since | FilterKind::Until) => moment(value, zone),
                _ => None,
            };
            (key.clone(), moment.unwrap_or_else(|| value.trim().to_owned()))
        })
        .collect()
}

/// `2026-11-21T09:30[:00]` in the viewer's zone. What has an offset of its own is left alone.
fn moment(value: &str, zone: &TimeZone) -> Option<String> {
    if value.parse::<Micros>().is_ok() {
        return None;
    }
    let local: DateTime = value.trim().parse().ok()?;
    let at = zone.to_ambiguous_timestamp(local).compatible().ok()?;
    Some(format!("{at:.0}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILTERS: &[Filter] = &[
        Filter { key: "q", label: "Search", kind: FilterKind::Search, column: "q" },
        Filter { key: "from", label: "From", kind: FilterKind::Since, column: "at" },
    ];

    fn run(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        let pairs: Vec<_> = pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        canonical(FILTERS, &pairs, &TimeZone::fixed(jiff::tz::offset(2)))
    }

    #[test]
    fn local_moments_are_read_in_the_viewers_zone() {
        assert_eq!(run(&[("from", "2026-11-21T09:30")])[0].1, "2026-11-21T07:30:00Z");
        assert_eq!(run(&[("from", "2026-11-21T09:30:07Z")])[0].1, "2026-11-21T09:30:07Z");
    }

    #[test]
    fn nothing_else_is_changed_or_lost() {
        let pairs = run(&[("q", ""), ("from", "yesterday"), ("colour", ""), ("q", " a  b ")]);
        let kept: Vec<(&str, &str)> = pairs.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        assert_eq!(kept, [("from", "yesterday"), ("colour", ""), ("q", "a  b")]);
    }
}
