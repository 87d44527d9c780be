//! A list's filters, written once: from them come the form, the chips, the links, the JSON query, the
//! OpenAPI parameters and, in the server's `store::list`, the WHERE. Knows no table and no page.

use serde::{Deserialize, Serialize};

use crate::error::{Expected, Rule, Violation};

/// `page` reaches this row and no further; beyond it a list answers and takes `cursor`.
pub const WINDOW: i64 = 10_000;
pub const PAGE_SIZE_DEFAULT: u32 = 20;
pub const PAGE_SIZE_MAX: u32 = 100;
/// Longer values can match nothing that we store.
const VALUE_MAX: usize = 200;
/// More values than that in one filter are no filter any more.
const VALUES_MAX: usize = 50;

/// One filter of a list.
#[derive(Clone, Copy, Debug)]
pub struct Filter {
    /// In the URL and in JSON.
    pub key: &'static str,
    /// In the form.
    pub label: &'static str,
    pub kind: FilterKind,
    /// In the store.
    pub column: &'static str,
}

#[derive(Clone, Copy, Debug)]
pub enum FilterKind {
    /// Any of some words that the code knows.
    OneOf(&'static [Choice]),
    /// Any of some exact texts that the code does not know.
    Exact,
    /// Any of some whole numbers.
    Integer,
    /// Rows at or after this moment.
    Since,
    /// Rows before this moment.
    Until,
    /// Text anywhere in the row's searchable columns.
    Search,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    pub value: &'static str,
    pub label: &'static str,
}

/// A list's filters with their values, and the place in the list: a URL's query, read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListQuery {
    /// In the order of the list's filters; each key once, never empty.
    values: Vec<(String, Vec<String>)>,
    pub page: Option<u32>,
    pub page_size: Option<u32>,
    pub cursor: Option<Cursor>,
}

/// A place in a list that is ordered by id, newest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Cursor {
    /// The rows that follow this id: older ones.
    OlderThan(i64),
    /// The rows that precede this id: newer ones.
    NewerThan(i64),
}

impl ListQuery {
    /// Reads decoded pairs of a query string by a list's filters. Empty values count as absent, since a GET
    /// form sends each of its fields; every violation is reported, not the first alone.
    pub fn parse(
        filters: &[Filter],
        pairs: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, Vec<Violation>> {
        let mut query = Self::default();
        let mut violations = Vec::new();
        for (key, value) in pairs {
            if value.is_empty() {
                if !is_place(&key) && !filters.iter().any(|f| f.key == key) {
                    violations.push(Violation::new(key, Rule::UnknownField));
                }
                continue;
            }
            if let Err(violation) = query.take(filters, &key, value) {
                violations.push(violation);
            }
        }
        let order = |key: &str| filters.iter().position(|f| f.key == key);
        query.values.sort_by_key(|(key, _)| order(key));
        if let Some(violation) = query.beyond_window() {
            violations.push(violation);
        }
        if violations.is_empty() { Ok(query) } else { Err(violations) }
    }

    fn take(&mut self, filters: &[Filter], key: &str, value: String) -> Result<(), Violation> {
        if value.contains('\0') {
            return Err(Violation::new(key, Rule::NulByte));
        }
        match key {
            "page" => return set_once(&mut self.page, key, ranged(key, &value, u32::MAX)?),
            "page_size" => {
                return set_once(&mut self.page_size, key, ranged(key, &value, PAGE_SIZE_MAX)?);
            }
            "cursor" => {
                let cursor =
                    Cursor::parse(&value).ok_or_else(|| malformed(key, Expected::Cursor))?;
                return set_once(&mut self.cursor, key, cursor);
            }
            _ => {}
        }
        let Some(filter) = filters.iter().find(|f| f.key == key) else {
            return Err(Violation::new(key, Rule::UnknownField));
        };
        filter.check(&value)?;
        match self.values.iter_mut().find(|(k, _)| k == key) {
            Some((_, values)) if filter.is_single() && values[0] != value => {
                Err(Violation::new(key, Rule::Repeated))
            }
            Some((_, values)) if values.len() == VALUES_MAX => {
                Err(Violation::new(key, Rule::Length { min: 1, max: 50 }))
            }
            Some((_, values)) => {
                if !values.contains(&value) {
                    values.push(value);
                }
                Ok(())
            }
            None => {
                self.values.push((key.to_owned(), vec![value]));
                Ok(())
            }
        }
    }

    fn beyond_window(&self) -> Option<Violation> {
        let first_row = (i64::from(self.page()) - 1) * i64::from(self.page_size());
        (self.cursor.is_none() && first_row >= WINDOW)
            .then(|| Violation::new("page", Rule::UseCursor))
    }

    pub fn page(&self) -> u32 {
        self.page.unwrap_or(1)
    }

    pub fn page_size(&self) -> u32 {
        self.page_size.unwrap_or(PAGE_SIZE_DEFAULT)
    }

    /// The values of one filter; none when it is not set.
    pub fn values(&self, key: &str) -> &[String] {
        self.values.iter().find(|(k, _)| k == key).map_or(&[], |(_, values)| values)
    }

    pub fn value(&self, key: &str) -> Option<&str> {
        self.values(key).first().map(String::as_str)
    }

    /// Every set filter value, for chips and for WHERE.
    pub fn set(&self) -> impl Iterator<Item = (&str, &str)> {
        self.values
            .iter()
            .flat_map(|(key, values)| values.iter().map(move |v| (key.as_str(), v.as_str())))
    }

    pub fn is_filtered(&self) -> bool {
        !self.values.is_empty()
    }

    /// The same list with one more value, from its beginning.
    #[must_use]
    pub fn with(&self, key: &str, value: impl Into<String>) -> Self {
        let value = value.into();
        let mut query = self.from_start();
        match query.values.iter_mut().find(|(k, _)| k == key) {
            Some((_, values)) if values.contains(&value) => {}
            Some((_, values)) => values.push(value),
            None => query.values.push((key.to_owned(), vec![value])),
        }
        query
    }

    /// The same list with one value less, from its beginning.
    #[must_use]
    pub fn without(&self, key: &str, value: &str) -> Self {
        let mut query = self.from_start();
        for (_, values) in query.values.iter_mut().filter(|(k, _)| k == key) {
            values.retain(|v| v != value);
        }
        query.values.retain(|(_, values)| !values.is_empty());
        query
    }

    /// The same list at another place.
    #[must_use]
    pub fn at(&self, cursor: Cursor) -> Self {
        Self { cursor: Some(cursor), page: None, ..self.clone() }
    }

    /// The same list from its beginning.
    #[must_use]
    pub fn from_start(&self) -> Self {
        Self { cursor: None, page: None, ..self.clone() }
    }

    /// Decoded pairs, in the order of the filters; [`Self::parse`] reads them back.
    pub fn pairs(&self) -> Vec<(String, String)> {
        let mut pairs: Vec<(String, String)> =
            self.set().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        let mut place = |key: &str, value: Option<String>| {
            pairs.extend(value.map(|v| (key.to_owned(), v)));
        };
        place("page", self.page.map(|p| p.to_string()));
        place("page_size", self.page_size.map(|p| p.to_string()));
        place("cursor", self.cursor.map(|c| c.to_string()));
        pairs
    }

    /// `key=value&…`, percent-encoded; empty when nothing is set.
    pub fn to_query_string(&self) -> String {
        let pairs = self.pairs();
        let encoded =
            pairs.iter().map(|(key, value)| format!("{}={}", percent(key), percent(value)));
        encoded.collect::<Vec<_>>().join("&")
    }
}

impl Filter {
    /// Whether the filter takes one value only.
    pub fn is_single(&self) -> bool {
        matches!(self.kind, FilterKind::Since | FilterKind::Until | FilterKind::Search)
    }

    fn check(&self, value: &str) -> Result<(), Violation> {
        if value.chars().count() > VALUE_MAX {
            return Err(Violation::new(self.key, Rule::Length { min: 1, max: 200 }));
        }
        match self.kind {
            FilterKind::OneOf(choices) if !choices.iter().any(|c| c.value == value) => {
                let allowed = choices.iter().map(|c| c.value.to_owned()).collect();
                Err(Violation::new(self.key, Rule::OneOf { allowed }))
            }
            FilterKind::Integer if value.parse::<i64>().is_err() => {
                Err(malformed(self.key, Expected::Integer))
            }
            FilterKind::Since | FilterKind::Until if !is_time(value) => {
                Err(malformed(self.key, Expected::Time))
            }
            _ => Ok(()),
        }
    }
}

/// Percent-encodes for a query: a space becomes `%20`, so that the text is good in a path as well.
pub(crate) fn percent(text: &str) -> String {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push(char::from(HEX[usize::from(byte >> 4)]));
            out.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }
    out
}

/// The browser never reads a time filter, so it needs no calendar.
#[cfg(feature = "ssr")]
fn is_time(value: &str) -> bool {
    value.parse::<crate::time::Micros>().is_ok()
}

#[cfg(not(feature = "ssr"))]
fn is_time(_: &str) -> bool {
    true
}

fn is_place(key: &str) -> bool {
    matches!(key, "page" | "page_size" | "cursor")
}

fn malformed(key: &str, expected: Expected) -> Violation {
    Violation::new(key, Rule::Malformed { expected })
}

fn ranged(key: &str, value: &str, max: u32) -> Result<u32, Violation> {
    let number: i64 = value.parse().map_err(|_| malformed(key, Expected::Integer))?;
    u32::try_from(number)
        .ok()
        .filter(|n| (1..=max).contains(n))
        .ok_or_else(|| Violation::new(key, Rule::Range { min: 1, max: i64::from(max) }))
}

fn set_once<T>(place: &mut Option<T>, key: &str, value: T) -> Result<(), Violation> {
    if place.replace(value).is_some() {
        return Err(Violation::new(key, Rule::Repeated));
    }
    Ok(())
}

impl Cursor {
    fn parse(text: &str) -> Option<Self> {
        let (side, id) = text.split_once('.')?;
        let id = id.parse::<i64>().ok().filter(|id| *id >= 0)?;
        match side {
            "o" => Some(Self::OlderThan(id)),
            "n" => Some(Self::NewerThan(id)),
            _ => None,
        }
    }
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::OlderThan(id) => write!(out, "o.{id}"),
            Self::NewerThan(id) => write!(out, "n.{id}"),
        }
    }
}

/// One page of a list, as seed 002 spells it, and what a big list has to add to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Page<T> {
    pub items: Vec<T>,
    /// Exact up to [`WINDOW`]; then [`WINDOW`], with `total_capped`. Where no index counts (several filters, a
    /// search) it may be a smaller lower bound, with `total_capped` too: "at least so many".
    pub total: i64,
    pub total_capped: bool,
    /// Absent when the place was given by `cursor`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page: Option<u32>,
    pub page_size: u32,
    pub total_pages: i64,
    /// Goes on to older rows; null at the end.
    pub next_cursor: Option<String>,
    /// Goes back to newer rows; null at the beginning.
    pub previous_cursor: Option<String>,
    /// How far a search looked before its time was spent; null when it looked at everything.
    pub searched: Option<Searched>,
}

impl<T> Page<T> {
    /// The same page of something else.
    pub fn map<U>(self, draw: impl FnMut(T) -> U) -> Page<U> {
        Page {
            items: self.items.into_iter().map(draw).collect(),
            total: self.total,
            total_capped: self.total_capped,
            page: self.page,
            page_size: self.page_size,
            total_pages: self.total_pages,
            next_cursor: self.next_cursor,
            previous_cursor: self.previous_cursor,
            searched: self.searched,
        }
    }
}

/// Nothing, of nothing.
impl<T> Default for Page<T> {
    fn default() -> Self {
        Self {
            items: Vec::new(),
            total: 0,
            total_capped: false,
            page: Some(1),
            page_size: PAGE_SIZE_DEFAULT,
            total_pages: 0,
            next_cursor: None,
            previous_cursor: None,
            searched: None,
        }
    }
}

/// A search that no index serves looks newest first, for a limited time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Searched {
    /// The oldest id that was looked at; `cursor=o.<id>` goes on below it.
    pub down_to_id: i64,
    pub rows: i64,
}

#[cfg(test)]
#[cfg(feature = "ssr")]
mod tests {
    use super::*;

    const FILTERS: &[Filter] = &[
        Filter {
            key: "status",
            label: "Status",
            kind: FilterKind::OneOf(&[
                Choice { value: "queued", label: "queued" },
                Choice { value: "running", label: "running" },
            ]),
            column: "status",
        },
        Filter {
            key: "workspace_id",
            label: "Workspace",
            kind: FilterKind::Integer,
            column: "workspace_id",
        },
        Filter {
            key: "created_after",
            label: "From",
            kind: FilterKind::Since,
            column: "created_at",
        },
        Filter { key: "q", label: "Search", kind: FilterKind::Search, column: "search_text" },
    ];

    fn parse(pairs: &[(&str, &str)]) -> Result<ListQuery, Vec<Violation>> {
        ListQuery::parse(FILTERS, pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())))
    }

    #[test]
    fn a_query_is_read_back_from_its_own_link() {
        let query = parse(&[
            ("q", "50% & <b>"),
            ("status", "running"),
            ("status", "queued"),
            ("workspace_id", "7"),
            ("cursor", "o.42"),
        ])
        .expect("every value is allowed");
        let link = query.to_query_string();
        assert_eq!(
            link,
            "status=running&status=queued&workspace_id=7&q=50%25%20%26%20%3Cb%3E&cursor=o.42"
        );
        assert_eq!(ListQuery::parse(FILTERS, query.pairs()), Ok(query));
    }

    #[test]
    fn every_violation_is_named() {
        let violations = parse(&[
            ("status", "stuck"),
            ("workspace_id", "seven"),
            ("colour", "red"),
            ("page_size", "101"),
            ("page", "0"),
            ("created_after", "yesterday"),
            ("q", "a\0b"),
            ("cursor", "x.1"),
        ])
        .expect_err("none of these is allowed");
        let fields: Vec<&str> = violations.iter().map(|v| v.field.as_str()).collect();
        assert_eq!(
            fields,
            [
                "status",
                "workspace_id",
                "colour",
                "page_size",
                "page",
                "created_after",
                "q",
                "cursor"
            ]
        );
    }

    #[test]
    fn pages_end_at_the_window() {
        assert!(parse(&[("page", "100"), ("page_size", "100")]).is_ok());
        let violations = parse(&[("page", "101"), ("page_size", "100")]).expect_err("row 10 001");
        assert_eq!(violations[0].rule, Rule::UseCursor);
        assert!(parse(&[("page", "4294967295"), ("page_size", "100")]).is_err());
    }

    #[test]
    fn a_single_filter_takes_one_value() {
        assert!(parse(&[("q", "a"), ("q", "b")]).is_err());
        assert!(parse(&[("q", "a"), ("q", "a")]).is_ok());
        assert!(parse(&[("q", ""), ("status", "")]).expect("an empty form").pairs().is_empty());
    }

    #[test]
    fn taking_a_value_away_goes_back_to_the_start() {
        let query =
            parse(&[("status", "queued"), ("status", "running"), ("page", "3")]).expect("allowed");
        let less = query.without("status", "queued");
        assert_eq!(less.to_query_string(), "status=running");
        assert_eq!(less.without("status", "running"), ListQuery::default());
        assert_eq!(less.with("status", "queued").values("status").len(), 2);
    }
}
