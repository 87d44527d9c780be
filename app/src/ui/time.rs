//! Moments, written for the viewer's zone. The zone is always said; the browser's own is never guessed.

use leptos::prelude::*;

use super::moment;
use crate::{
    request::{PageRequest, Zone},
    time::Micros,
};

/// What a page needs to write a moment: now, and the viewer's zone.
#[derive(Clone, Debug)]
pub struct Clockface {
    pub now: Micros,
    pub zone: Zone,
}

impl Clockface {
    pub fn of(request: &PageRequest) -> Self {
        Self { now: request.now, zone: request.zone.clone() }
    }

    /// "21 Nov 2026, 09:29:51 Europe/Lisbon".
    pub fn absolute(&self, at: Micros) -> String {
        let local = at.timestamp().to_zoned(self.zone.tz.clone());
        format!("{} {}", local.strftime("%-d %b %Y, %H:%M:%S"), self.zone.name)
    }

    /// "09:29:51" on the viewer's own day, else with the date before it.
    pub fn short(&self, at: Micros) -> String {
        let local = at.timestamp().to_zoned(self.zone.tz.clone());
        let today = self.now.timestamp().to_zoned(self.zone.tz.clone()).date();
        let format = match local.date() {
            day if day == today => "%H:%M:%S",
            day if day.year() == today.year() => "%-d %b, %H:%M:%S",
            _ => "%-d %b %Y, %H:%M:%S",
        };
        local.strftime(format).to_string()
    }

    /// "09:29:51.204" on the viewer's own day, else with the date before it: for lines that follow each other
    /// within a second.
    pub fn precise(&self, at: Micros) -> String {
        format!("{}.{:03}", self.short(at), at.0.rem_euclid(Micros::SECOND) / 1000)
    }

    pub fn relative(&self, at: Micros) -> String {
        moment::relative(self.now.since(at) / Micros::SECOND)
    }

    /// The moment as `<input type="datetime-local">` spells it.
    pub fn local_input(&self, at: Micros) -> String {
        let local = at.timestamp().to_zoned(self.zone.tz.clone());
        local.strftime("%Y-%m-%dT%H:%M:%S").to_string()
    }
}

#[component]
pub fn Moment(
    at: Micros,
    clock: Clockface,
    /// As a time of day, for facts and timelines, and not as "3 h ago".
    #[prop(optional)]
    exact: bool,
) -> impl IntoView {
    let iso = at.to_string();
    let absolute = clock.absolute(at);
    if exact {
        let text = clock.short(at);
        let title = format!("{absolute}, {}", clock.relative(at));
        view! { <time datetime=iso title=title>{text}</time> }.into_any()
    } else {
        let text = clock.relative(at);
        view! { <time datetime=iso title=absolute data-rel="">{text}</time> }.into_any()
    }
}

/// How long something took, or has been taking; a dash when it has not begun.
#[component]
pub fn Took(from: Option<Micros>, to: Option<Micros>, now: Micros) -> impl IntoView {
    match from {
        Some(from) => moment::span(to.unwrap_or(now).since(from)),
        None => "–".to_owned(),
    }
}
