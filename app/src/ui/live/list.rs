//! The island of every live list: "3 new" as a pill that refetches on a click, and rows that change where they
//! stand. What is newer each domain asks of its own call, which is handed in.
//!
//! Nothing moves under the reader: new rows come with a click only, and a shown row is redrawn in its place
//! only while neither pointer nor focus is in the list.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeSet,
    future::Future,
    pin::Pin,
    rc::Rc,
    time::Duration,
};

use leptos::{prelude::*, task::spawn_local};

use super::{
    Link, LinkState, LiveState, News, fetch_page, replace_row, replace_section, section_is_held,
};
use crate::{error::ApiError, events::Notice, ui::client_only::ClientOnly};

/// News of one moment is answered once.
const GATHER: Duration = Duration::from_millis(300);

/// How many rows of a list (its query string) came after one (its id).
type Newer = Box<dyn Fn(String, i64) -> Pin<Box<dyn Future<Output = Result<i64, ApiError>>>>>;

/// To be drawn by an island, which brings the call of its domain.
#[component]
pub fn LiveList<F, Fut>(
    stream: String,
    /// The id of the live section.
    section: String,
    topic: String,
    /// The list's filters, as a query string.
    query: String,
    /// The domain's call.
    newer: F,
) -> impl IntoView
where
    F: Fn(String, i64) -> Fut + 'static,
    Fut: Future<Output = Result<i64, ApiError>> + 'static,
{
    let newer: Newer = Box::new(move |query, after| Box::pin(newer(query, after)));
    let state = RwSignal::new(LinkState::Connecting);
    let list = Rc::new(List {
        section,
        query,
        newer,
        fresh: RwSignal::new(0),
        changed: RwSignal::new(0),
        pending: RefCell::default(),
        gathering: RefCell::new(false),
        paused: Cell::new(false),
    });
    let link = follow(&list, state, stream, topic);
    let paused = Rc::clone(&list);
    let pause = move |is_paused| {
        paused.paused.set(is_paused);
        link.with(|link| link.iter().for_each(|link| link.set_paused(is_paused)));
    };
    view! {
        <div class="live js">
            {pill(list)}
            <LiveState state on_pause=pause />
        </div>
    }
}

/// Keeps the line, once the page is awake.
fn follow(
    list: &Rc<List>,
    state: RwSignal<LinkState>,
    stream: String,
    topic: String,
) -> ClientOnly<Option<Link>> {
    let link = ClientOnly::new(|| None::<Link>);
    let list = Rc::clone(list);
    Effect::new(move |_| {
        let (list, topic) = (Rc::clone(&list), topic.clone());
        let on_news = move |news| match news {
            News::Notice(notice) if notice.topic == topic => list.heard(Some(notice)),
            News::Notice(_) => {}
            News::LookAgain => list.heard(None),
        };
        link.set(Some(Link::follow(stream.clone(), state, on_news)));
    });
    link
}

/// "3 new", and what a click on it did.
fn pill(list: Rc<List>) -> impl IntoView {
    let said = RwSignal::new(String::new());
    let (fresh, changed) = (list.fresh, list.changed);
    let list = ClientOnly::new(|| list);
    let refetch = move |_| {
        let Some(list) = list.with(Rc::clone) else { return };
        spawn_local(async move {
            let done = list.refetch().await;
            said.set(if done { "List updated." } else { "Could not update the list." }.to_owned());
        });
    };
    let button = move || {
        pill_words(fresh.get(), changed.get()).map(|words| {
            view! {
                <button type="button" class="pill" on:click=refetch>
                    {words}
                </button>
            }
        })
    };
    view! {
        <span aria-live="polite">{button}</span>
        <span class="unseen" role="status">
            {said}
        </span>
    }
}

fn pill_words(fresh: i64, changed: usize) -> Option<String> {
    match (fresh, changed) {
        (0, 0) => None,
        (0, n) => Some(format!("{n} changed")),
        (100.., _) => Some("100+ new".to_owned()),
        (n, _) => Some(format!("{n} new")),
    }
}

/// What the list's page shows, as its island sees it.
struct List {
    section: String,
    query: String,
    newer: Newer,
    fresh: RwSignal<i64>,
    changed: RwSignal<usize>,
    /// Shown rows of which there is news.
    pending: RefCell<BTreeSet<String>>,
    gathering: RefCell<bool>,
    /// What was heard before the pause must not show during it; resuming looks again.
    paused: Cell<bool>,
}

impl List {
    fn heard(self: &Rc<Self>, notice: Option<Notice>) {
        if let Some(notice) = notice.filter(|notice| self.shows(&notice.id)) {
            self.pending.borrow_mut().insert(notice.id);
        }
        if self.gathering.replace(true) {
            return;
        }
        let list = Rc::clone(self);
        let _ = set_timeout(
            move || {
                list.gathering.replace(false);
                spawn_local(async move { list.look().await });
            },
            GATHER,
        );
    }

    /// Asks how many rows are newer, and redraws shown rows unless the reader is at work on them.
    async fn look(&self) {
        if self.paused.get() {
            return;
        }
        // Answered or not, the line's own state tells whether the server is there.
        let after = self.after();
        let count = (self.newer)(self.query.clone(), after).await;
        if self.paused.get() {
            return;
        }
        // A click may have brought the rows meanwhile: what was counted then is no news any more.
        if let Ok(count) = count
            && after == self.after()
        {
            self.fresh.set(count);
        }
        let redraw = !self.pending.borrow().is_empty() && !section_is_held(&self.section);
        if redraw && let Some(page) = fetch_page().await {
            for id in self.pending.take() {
                replace_row(&page, &self.section, &id);
            }
        }
        self.changed.set(self.pending.borrow().len());
    }

    async fn refetch(&self) -> bool {
        let Some(page) = fetch_page().await else { return false };
        if replace_section(&page, &self.section).is_none() {
            return false;
        }
        // The sentence above the list counts what is in it.
        replace_section(&page, &format!("{}-total", self.section));
        self.pending.take();
        self.fresh.set(0);
        self.changed.set(0);
        true
    }

    /// The newest id that the page has taken into account.
    fn after(&self) -> i64 {
        document()
            .get_element_by_id(&self.section)
            .and_then(|section| section.get_attribute("data-after"))
            .and_then(|after| after.parse().ok())
            .unwrap_or(0)
    }

    fn shows(&self, id: &str) -> bool {
        let is_number = !id.is_empty() && id.bytes().all(|b| b.is_ascii_digit());
        let selector = format!("#{} tr[data-id=\"{id}\"]", self.section);
        is_number && document().query_selector(&selector).ok().flatten().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::pill_words;

    #[test]
    fn the_pill_counts_new_rows_before_changed_ones() {
        assert_eq!(pill_words(0, 0), None);
        assert_eq!(pill_words(3, 2).as_deref(), Some("3 new"));
        assert_eq!(pill_words(100, 0).as_deref(), Some("100+ new"));
        assert_eq!(pill_words(0, 2).as_deref(), Some("2 changed"));
    }
}
