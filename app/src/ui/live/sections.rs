//! The island of a page whose sections are drawn anew when there is news of any of its topics, while nobody is at work
//! in the last of them.

use std::{cell::Cell, rc::Rc, time::Duration};

use leptos::{prelude::*, task::spawn_local};

use super::{Link, LinkState, LiveState, News, fetch_page, replace_section, section_is_held};
use crate::ui::client_only::ClientOnly;

/// News of one moment is answered once; what a person decides about can wait so long.
const GATHER: Duration = Duration::from_secs(1);

#[island]
pub fn LiveSections(
    stream: String,
    topics: Vec<String>,
    /// The ids of the live sections. The last is the list, which is left alone while the reader is in it.
    sections: Vec<String>,
) -> impl IntoView {
    let state = RwSignal::new(LinkState::Connecting);
    let said = RwSignal::new(String::new());
    let link = ClientOnly::new(|| None::<Link>);
    let look = Rc::new(Look { sections, said, gathering: Cell::new(false) });
    Effect::new(move |_| {
        let (topics, look) = (topics.clone(), Rc::clone(&look));
        let on_news = move |news| match news {
            News::Notice(notice) if !topics.contains(&notice.topic) => {}
            _ => look.soon(),
        };
        link.set(Some(Link::follow(stream.clone(), state, on_news)));
    });
    let pause = move |paused| {
        link.with(|link| link.iter().for_each(|link| link.set_paused(paused)));
    };
    view! {
        <div class="live js">
            <span class="unseen" role="status">
                {said}
            </span>
            <LiveState state on_pause=pause />
        </div>
    }
}

struct Look {
    sections: Vec<String>,
    said: RwSignal<String>,
    gathering: Cell<bool>,
}

impl Look {
    fn soon(self: &Rc<Self>) {
        if self.gathering.replace(true) {
            return;
        }
        let look = Rc::clone(self);
        let _ = set_timeout(
            move || {
                look.gathering.set(false);
                // Nothing moves under the reader: looked at again when they are done.
                if look.sections.last().is_some_and(|list| section_is_held(list)) {
                    look.soon();
                } else {
                    spawn_local(async move { look.now().await });
                }
            },
            GATHER,
        );
    }

    async fn now(&self) {
        let Some(page) = fetch_page().await else { return };
        for section in &self.sections {
            if let Some(fresh) = replace_section(&page, section)
                && let Some(words) = fresh.get_attribute("data-said")
                && self.said.get_untracked() != words
            {
                self.said.set(words);
            }
        }
    }
}
