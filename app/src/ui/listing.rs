//! The frame of a list page: its address is its whole state; a filter that it cannot take is told, and kept.

use leptos::prelude::*;

use super::{
    Alert, Clockface, EmptyState, Tone,
    answer::set_status,
    filters::{Chips, FilterBar, Suggestions, canonical},
    pagination::{Pagination, place},
};
use crate::{
    error::{ApiError, Violation},
    list::{Filter, ListQuery, Page},
    request::PageRequest,
};

/// What a list is, apart from its rows.
#[derive(Clone, Copy)]
pub struct Listing {
    pub filters: &'static [Filter],
    /// How many of them stand in the first line.
    pub primary: usize,
    pub href: fn(&ListQuery) -> String,
}

/// What the page was asked for.
#[derive(Clone)]
pub enum Asked {
    List(ListQuery),
    /// A value that the list cannot take.
    Refused(Vec<Violation>),
    /// The same list under its proper address.
    Elsewhere(String),
}

impl Listing {
    pub fn read(self, request: &PageRequest) -> Asked {
        let pairs = canonical(self.filters, &request.pairs, &request.zone.tz);
        match ListQuery::parse(self.filters, pairs.iter().cloned()) {
            // A form was posted here: its answer stays here.
            Ok(query) if request.refused.is_some() || request.shown.is_some() => Asked::List(query),
            Ok(query) if pairs != request.pairs => Asked::Elsewhere((self.href)(&query)),
            Ok(query) => Asked::List(query),
            Err(violations) => Asked::Refused(violations),
        }
    }

    pub fn bar(
        self,
        request: &PageRequest,
        query: &ListQuery,
        suggestions: &Suggestions,
    ) -> AnyView {
        let clock = Clockface::of(request);
        view! {
            <div class="stack tight">
                {self.fields(request, suggestions)}
                <Chips
                    filters=self.filters
                    query=query.clone()
                    href=self.href
                    suggestions=suggestions.clone()
                    clock
                />
            </div>
        }
        .into_any()
    }

    fn fields(self, request: &PageRequest, suggestions: &Suggestions) -> AnyView {
        view! {
            <FilterBar
                action=(self.href)(&ListQuery::default())
                filters=self.filters
                primary=self.primary
                pairs=request.pairs.clone()
                suggestions=suggestions.clone()
                clock=Clockface::of(request)
            />
        }
        .into_any()
    }

    /// Instead of the rows, when the address asks for what the list does not have.
    pub fn refused(self, request: &PageRequest, violations: &[Violation]) -> AnyView {
        set_status(ApiError::Invalid(violations.to_vec()).status());
        let sentences = violations.iter().map(|v| view! { <li>{v.sentence()}</li> }).collect_view();
        view! {
            {self.fields(request, &Suggestions::default())}
            <Alert tone=Tone::Bad title="This list cannot be shown as asked.">
                <ul>{sentences}</ul>
                <p>
                    <a href=(self.href)(&ListQuery::default())>"Show all of it"</a>
                </p>
            </Alert>
        }
        .into_any()
    }

    /// Newer and older, when there is more than a page.
    pub fn pages<T>(self, page: &Page<T>, query: &ListQuery) -> Option<AnyView> {
        let at = |cursor: &String| {
            let mut pairs = query.from_start().pairs();
            pairs.push(("cursor".to_owned(), cursor.clone()));
            (self.href)(&ListQuery::parse(self.filters, pairs).unwrap_or_default())
        };
        let newer = page.previous_cursor.as_ref().map(at);
        let older = page.next_cursor.as_ref().map(at);
        (newer.is_some() || older.is_some())
            .then(|| view! { <Pagination place=place(page) newer older /> }.into_any())
    }

    /// No rows: because nothing matches, or with these words because there is nothing.
    pub fn empty(self, query: &ListQuery, title: &'static str, why: &'static str) -> AnyView {
        let (title, why, step) = if query.is_filtered() {
            (
                "Nothing matches",
                "Nothing here has all the values that are set above.",
                "Clear filters",
            )
        } else {
            (title, why, "Look again")
        };
        view! {
            <div class="card">
                <EmptyState title why step=step.to_owned() href=(self.href)(&ListQuery::default()) />
            </div>
        }
        .into_any()
    }
}
