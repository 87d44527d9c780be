//! One `EventSource`: closed while the tab is hidden or the reader paused it, opened again with the last id,
//! and reopened with growing pauses when the browser has given up on it.

use std::{cell::RefCell, rc::Rc, time::Duration};

use leptos::prelude::*;
use wasm_bindgen::{JsCast, closure::Closure};
use web_sys::{Event, EventSource, MessageEvent};

use crate::events::Notice;

const FIRST_PAUSE_MS: u32 = 1_000;
const LONGEST_PAUSE_MS: u32 = 30_000;

/// What a page hears.
#[derive(Clone, Debug)]
pub enum News {
    Notice(Notice),
    /// The line was opened, or its memory was too short: something may have been missed, so look again.
    LookAgain,
}

/// What the reader is told about the line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkState {
    Connecting,
    Live,
    Paused,
    /// Since a time of day in the browser's zone.
    Reconnecting(String),
    Ended,
}

/// A line that is being followed.
#[derive(Clone)]
pub struct Link(Rc<Line>);

struct Line {
    stream: String,
    state: RwSignal<LinkState>,
    on_news: Box<dyn Fn(News)>,
    inner: RefCell<Inner>,
}

#[derive(Default)]
struct Inner {
    source: Option<EventSource>,
    /// Kept as long as the source may call them.
    listeners: Vec<Closure<dyn FnMut(Event)>>,
    last_id: String,
    failures: u32,
    paused: bool,
    ended: bool,
}

impl Link {
    /// Follows `stream` until the page is left. To be called in an effect: never on the server.
    pub fn follow(
        stream: String,
        state: RwSignal<LinkState>,
        on_news: impl Fn(News) + 'static,
    ) -> Self {
        let inner = RefCell::default();
        let link = Self(Rc::new(Line { stream, state, on_news: Box::new(on_news), inner }));
        let on_visibility = {
            let link = link.clone();
            Closure::<dyn FnMut(Event)>::new(move |_| link.settle())
        };
        let _ = document().add_event_listener_with_callback(
            "visibilitychange",
            on_visibility.as_ref().unchecked_ref(),
        );
        on_visibility.forget();
        link.settle();
        link
    }

    pub fn set_paused(&self, paused: bool) {
        self.0.inner.borrow_mut().paused = paused;
        self.settle();
    }

    /// Nothing more can happen: closes the line for good.
    pub fn end(&self) {
        self.0.inner.borrow_mut().ended = true;
        self.settle();
    }

    /// Opens or closes, as the tab and the reader ask.
    fn settle(&self) {
        let hidden = document().hidden();
        let (paused, ended) = {
            let inner = self.0.inner.borrow();
            (inner.paused, inner.ended)
        };
        if paused || ended || hidden {
            self.close();
            if paused || ended {
                self.say(if ended { LinkState::Ended } else { LinkState::Paused });
            }
        } else if self.0.inner.borrow().source.is_none() {
            self.open();
        }
    }

    fn close(&self) {
        let mut inner = self.0.inner.borrow_mut();
        if let Some(source) = inner.source.take() {
            source.close();
        }
        inner.listeners.clear();
    }

    fn open(&self) {
        let url = {
            let inner = self.0.inner.borrow();
            match inner.last_id.as_str() {
                "" => self.0.stream.clone(),
                id => {
                    let joint = if self.0.stream.contains('?') { '&' } else { '?' };
                    format!("{}{joint}after={id}", self.0.stream)
                }
            }
        };
        if self.0.state.get_untracked() == LinkState::Paused {
            self.say(LinkState::Connecting);
        }
        let Ok(source) = EventSource::new(&url) else {
            self.reopen_later();
            return;
        };
        let listeners = vec![
            self.listen(&source, "open", |link, _| {
                link.0.inner.borrow_mut().failures = 0;
                link.say(LinkState::Live);
                (link.0.on_news)(News::LookAgain);
            }),
            self.listen(&source, "notice", Self::heard),
            self.listen(&source, "reset", |link, _| (link.0.on_news)(News::LookAgain)),
            self.listen(&source, "error", |link, _| link.failed()),
        ];
        let mut inner = self.0.inner.borrow_mut();
        inner.listeners = listeners;
        inner.source = Some(source);
    }

    fn listen(
        &self,
        source: &EventSource,
        name: &str,
        act: impl Fn(&Self, &Event) + 'static,
    ) -> Closure<dyn FnMut(Event)> {
        let link = self.clone();
        let closure = Closure::<dyn FnMut(Event)>::new(move |event: Event| act(&link, &event));
        let _ = source.add_event_listener_with_callback(name, closure.as_ref().unchecked_ref());
        closure
    }

    fn heard(&self, event: &Event) {
        let Some(message) = event.dyn_ref::<MessageEvent>() else { return };
        let Some(data) = message.data().as_string() else { return };
        if let Ok(notice) = serde_json::from_str::<Notice>(&data) {
            self.0.inner.borrow_mut().last_id = message.last_event_id();
            (self.0.on_news)(News::Notice(notice));
        }
    }

    /// The browser tries again by itself after a broken connection, but not after an answer that was no
    /// stream, which is what a restarting server or its proxy gives.
    fn failed(&self) {
        if !matches!(self.0.state.get_untracked(), LinkState::Reconnecting(_)) {
            let now = js_sys::Date::new_0().to_locale_time_string("en-GB");
            self.say(LinkState::Reconnecting(String::from(now)));
        }
        let gave_up = self
            .0
            .inner
            .borrow()
            .source
            .as_ref()
            .is_none_or(|source| source.ready_state() == EventSource::CLOSED);
        if gave_up {
            self.reopen_later();
        }
    }

    fn reopen_later(&self) {
        // This runs inside one of the listeners, which must outlive it: they are dropped on reopening.
        let failures = {
            let mut inner = self.0.inner.borrow_mut();
            inner.failures = inner.failures.saturating_add(1);
            inner.failures
        };
        let link = self.clone();
        let pause = pause_ms(failures, js_sys::Math::random());
        let _ = set_timeout(
            move || {
                link.close();
                link.settle();
            },
            Duration::from_millis(pause.into()),
        );
    }

    fn say(&self, state: LinkState) {
        self.0.state.set(state);
    }
}

/// Doubles from one second to thirty, less up to half by chance, so that a restarted server is not met by
/// every tab at once.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 30 000")]
fn pause_ms(failures: u32, chance: f64) -> u32 {
    let doubled = FIRST_PAUSE_MS.saturating_mul(1 << failures.saturating_sub(1).min(10));
    let longest = doubled.min(LONGEST_PAUSE_MS);
    longest - (f64::from(longest) / 2.0 * chance) as u32
}

/// "live", and the button that really pauses.
#[component]
pub fn LiveState(state: RwSignal<LinkState>, on_pause: impl Fn(bool) + 'static) -> impl IntoView {
    let class = move || match state.get() {
        LinkState::Live => "dot on",
        LinkState::Reconnecting(_) => "dot lost",
        _ => "dot",
    };
    let word = move || match state.get() {
        LinkState::Connecting => "connecting".to_owned(),
        LinkState::Live => "live".to_owned(),
        LinkState::Paused => "paused".to_owned(),
        LinkState::Reconnecting(since) => format!("reconnecting since {since}"),
        LinkState::Ended => "ended".to_owned(),
    };
    let is_paused = move || state.get() == LinkState::Paused;
    let toggle = move |_| on_pause(state.get_untracked() != LinkState::Paused);
    view! {
        <span class="state" role="status">
            <span class=class></span>
            {word}
        </span>
        <button type="button" class="btn small" on:click=toggle>
            {move || if is_paused() { "Resume" } else { "Pause" }}
        </button>
    }
}

#[cfg(test)]
mod tests {
    use super::pause_ms;

    #[test]
    fn pauses_double_up_to_half_a_minute() {
        let longest: Vec<u32> = [1, 2, 3, 5, 6, 60, u32::MAX].map(|n| pause_ms(n, 0.0)).to_vec();
        assert_eq!(longest, [1_000, 2_000, 4_000, 16_000, 30_000, 30_000, 30_000]);
        assert_eq!(pause_ms(1, 1.0), 500);
    }
}
