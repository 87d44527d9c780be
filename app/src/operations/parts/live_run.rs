//! The detail page's island: swaps the page's live sections whenever there is news of its run, until the run
//! has ended.

use std::{cell::Cell, rc::Rc};

use leptos::{prelude::*, task::spawn_local};
use wasm_bindgen::JsCast;
use web_sys::HtmlElement;

use crate::ui::client_only::ClientOnly;
use crate::ui::live::{Link, LinkState, LiveState, News, fetch_page, replace_section, tell};

#[island]
pub fn LiveRun(
    stream: String,
    topic: String,
    id: i64,
    /// The ids of the live sections; the first says in `data-said` how the run stands, and in `data-ended`
    /// that nothing more will come.
    sections: Vec<String>,
) -> impl IntoView {
    let state = RwSignal::new(LinkState::Connecting);
    let said = RwSignal::new(String::new());
    let link = ClientOnly::new(|| None::<Link>);
    let busy = Rc::new(Busy::default());

    Effect::new(move |_| {
        let wanted = id.to_string();
        let (topic, sections, busy) = (topic.clone(), sections.clone(), Rc::clone(&busy));
        let on_news = move |news| {
            tell(&news);
            let concerns = match news {
                News::Notice(notice) => notice.topic == topic && notice.id == wanted,
                News::LookAgain => true,
            };
            if concerns && busy.take_turn() {
                let (sections, busy) = (sections.clone(), Rc::clone(&busy));
                spawn_local(async move {
                    loop {
                        redraw(&sections, said, link).await;
                        if !busy.again() {
                            break;
                        }
                    }
                });
            }
        };
        link.set(Some(Link::follow(stream.clone(), state, on_news)));
    });

    let pause = move |paused| {
        link.with(|link| link.iter().for_each(|link| link.set_paused(paused)));
    };
    view! {
        <div class="live js" class:unseen=move || state.get() == LinkState::Ended>
            <span class="unseen" role="status">
                {said}
            </span>
            <LiveState state on_pause=pause />
        </div>
    }
}

async fn redraw(sections: &[String], said: RwSignal<String>, link: ClientOnly<Option<Link>>) {
    let Some(page) = fetch_page().await else { return };
    let mut fresh = sections.iter().filter_map(|id| replace_section(&page, id));
    let first = fresh.next();
    fresh.for_each(drop);
    let Some(first) = first.and_then(|section| section.dyn_into::<HtmlElement>().ok()) else {
        return;
    };
    if let Some(words) = first.get_attribute("data-said") {
        said.set(words);
    }
    if first.has_attribute("data-ended") {
        link.with(|link| link.iter().for_each(Link::end));
    }
}

/// One fetch at a time; what is heard meanwhile asks for one more.
#[derive(Default)]
pub(super) struct Busy {
    running: Cell<bool>,
    more: Cell<bool>,
}

impl Busy {
    pub(super) fn take_turn(&self) -> bool {
        let was_running = self.running.replace(true);
        if was_running {
            self.more.set(true);
        }
        !was_running
    }

    pub(super) fn again(&self) -> bool {
        let more = self.more.replace(false);
        self.running.set(more);
        more
    }
}
