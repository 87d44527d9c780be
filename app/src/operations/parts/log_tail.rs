//! The log's island: new lines while the run goes on, a pause that keeps the place, a search, wrapping, copying.
//!
//! The lines themselves are drawn by the server, outside of the island, so that the page has them without
//! JavaScript; see [`log_view`](super::log_view). Keeps no line to the server of its own: it hears the page's.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::Duration,
};

use js_sys::futures::JsFuture;
use leptos::{prelude::*, task::spawn_local};

use super::{
    live_run::Busy,
    log_search::{Search, searching},
    log_view as lines,
};
use crate::{
    events::{OPERATION_LOGS, OPERATIONS},
    operations::{
        calls,
        log::{LINES_KEPT, ShownLine},
    },
    ui::{
        client_only::ClientOnly,
        live::{News, hear},
    },
};

/// New lines are read out together, no oftener than this.
const SAID_EVERY: Duration = Duration::from_secs(10);
/// After a call that failed; the line's own state tells whether the server is there.
const AGAIN: Duration = Duration::from_secs(2);
const TRIES: u32 = 5;

#[island]
pub fn LogTail(
    id: i64,
    /// Whether lines may still come.
    live: bool,
) -> impl IntoView {
    let awake = RwSignal::new(false);
    let (tail, search) = (Rc::new(Tail::new(id)), Rc::new(Search::default()));
    let tools = view! {
        {live.then(|| following(&tail, &search))}
        {searching(&search)}
    };
    Effect::new(move |_| {
        awake.set(true);
        lines::go_to_end();
        if live {
            let (tail, search) = (Rc::clone(&tail), Rc::clone(&search));
            tail.last.set(lines::last_seq());
            follow(&tail, &search);
            // What came between the drawing of the page and now.
            ask(&tail, &search);
            lines::on_end(move || tail.seen());
        }
    });
    view! {
        <div class="logtools" hidden=move || !awake.get()>
            {tools}
            {wrapping()}
            {copying()}
        </div>
    }
}

/// What is followed, and what waits while the reader has paused.
struct Tail {
    id: i64,
    /// The newest line that was fetched, drawn or not.
    last: Cell<i64>,
    paused: RwSignal<bool>,
    held: RefCell<Vec<ShownLine>>,
    /// Lines that came while it was paused, or below what the reader looks at.
    waiting: RwSignal<usize>,
    said: RwSignal<String>,
    unsaid: Cell<usize>,
    busy: Busy,
    failures: Cell<u32>,
}

impl Tail {
    fn new(id: i64) -> Self {
        Self {
            id,
            last: Cell::new(0),
            paused: RwSignal::new(false),
            held: RefCell::default(),
            waiting: RwSignal::new(0),
            said: RwSignal::new(String::new()),
            unsaid: Cell::new(0),
            busy: Busy::default(),
            failures: Cell::new(0),
        }
    }

    /// Fetches what is new, until there is no more.
    async fn pull(self: &Rc<Self>, search: &Rc<Search>) {
        loop {
            match calls::log(self.id, self.last.get()).await {
                Ok(found) => {
                    self.failures.set(0);
                    let Some(newest) = found.lines.last().map(|line| line.seq) else { return };
                    self.last.set(newest);
                    self.take(found.lines, search);
                    if !found.more {
                        return;
                    }
                }
                Err(_) => return self.again_later(search),
            }
        }
    }

    fn again_later(self: &Rc<Self>, search: &Rc<Search>) {
        let failures = self.failures.get() + 1;
        self.failures.set(failures);
        if failures <= TRIES {
            let (tail, search) = (Rc::clone(self), Rc::clone(search));
            let _ = set_timeout(move || ask(&tail, &search), AGAIN * failures);
        }
    }

    fn take(self: &Rc<Self>, fresh: Vec<ShownLine>, search: &Rc<Search>) {
        let count = fresh.len();
        if self.paused.get_untracked() {
            let mut held = self.held.borrow_mut();
            held.extend(fresh);
            // What would leave at the top again need not be kept.
            let surplus = held.len().saturating_sub(LINES_KEPT);
            held.drain(..surplus);
            self.waiting.update(|waiting| *waiting += count);
        } else {
            let follows = lines::is_at_end();
            lines::add(&fresh, &search.needle.borrow());
            search.recount();
            if !follows {
                self.waiting.update(|waiting| *waiting += count);
            }
        }
        self.say(count);
    }

    /// Tells those who hear the page how much came, not each line.
    fn say(self: &Rc<Self>, count: usize) {
        let is_first = self.unsaid.replace(self.unsaid.get() + count) == 0;
        if is_first {
            let tail = Rc::clone(self);
            let _ = set_timeout(
                move || tail.said.set(format!("{} in the log.", new_lines(tail.unsaid.take()))),
                SAID_EVERY,
            );
        }
    }

    fn set_paused(&self, paused: bool, search: &Search) {
        self.paused.set(paused);
        if !paused {
            lines::add(&self.held.take(), &search.needle.borrow());
            search.recount();
            self.to_end();
        }
    }

    fn to_end(&self) {
        lines::go_to_end();
        self.waiting.set(0);
    }

    /// The reader is at the end by themselves. What a pause holds back they have not seen.
    fn seen(&self) {
        if !self.paused.get_untracked() && self.waiting.get_untracked() > 0 {
            self.waiting.set(0);
        }
    }
}

fn follow(tail: &Rc<Tail>, search: &Rc<Search>) {
    let (tail, search) = (Rc::clone(tail), Rc::clone(search));
    let wanted = tail.id.to_string();
    hear(move |news| {
        let concerns = match news {
            News::Notice(notice) => {
                [OPERATIONS, OPERATION_LOGS].contains(&notice.topic.as_str()) && notice.id == wanted
            }
            News::LookAgain => true,
        };
        if concerns {
            ask(&tail, &search);
        }
    });
}

/// One question at a time; what is heard meanwhile asks once more.
fn ask(tail: &Rc<Tail>, search: &Rc<Search>) {
    if tail.busy.take_turn() {
        let (tail, search) = (Rc::clone(tail), Rc::clone(search));
        spawn_local(async move {
            loop {
                tail.pull(&search).await;
                if !tail.busy.again() {
                    break;
                }
            }
        });
    }
}

fn new_lines(count: usize) -> String {
    if count == 1 { "1 new line".to_owned() } else { format!("{count} new lines") }
}

/// Pause, and what came since.
fn following(tail: &Rc<Tail>, search: &Rc<Search>) -> impl IntoView + use<> {
    let (paused, waiting, said) = (tail.paused, tail.waiting, tail.said);
    let both = ClientOnly::new(|| (Rc::clone(tail), Rc::clone(search)));
    let toggle = move |_| {
        both.with(|(tail, search)| tail.set_paused(!paused.get_untracked(), search));
    };
    let to_end = move |_| {
        both.with(|(tail, _)| tail.to_end());
    };
    let came = move || {
        let count = waiting.get();
        (count > 0).then(|| {
            let words = new_lines(count);
            if paused.get() {
                view! { <span class="dim">{words}</span> }.into_any()
            } else {
                view! {
                    <button type="button" class="pill" on:click=to_end>
                        {words}
                        " below"
                    </button>
                }
                .into_any()
            }
        })
    };
    view! {
        <button
            type="button"
            class="btn small"
            aria-pressed=move || paused.get().to_string()
            on:click=toggle
        >
            {move || if paused.get() { "Follow the log" } else { "Pause the log" }}
        </button>
        {came}
        <span class="unseen" role="status">
            {said}
        </span>
    }
}

fn wrapping() -> impl IntoView {
    let wrapped = RwSignal::new(true);
    let toggle = move |_| {
        wrapped.update(|wrapped| *wrapped = !*wrapped);
        lines::set_wrapped(wrapped.get_untracked());
    };
    view! {
        <button
            type="button"
            class="btn small"
            aria-pressed=move || wrapped.get().to_string()
            on:click=toggle
        >
            "Wrap lines"
        </button>
    }
}

fn copying() -> impl IntoView {
    let said = RwSignal::new("Copy the log");
    let copy = move |_| {
        spawn_local(async move {
            let done = put_on_clipboard(&lines::as_text()).await;
            // A browser that refuses leaves the lines to be selected, and the file to be fetched.
            said.set(if done { "Copied" } else { "Not allowed here" });
            let _ = set_timeout(move || said.set("Copy the log"), Duration::from_secs(2));
        });
    };
    view! {
        <button type="button" class="btn small" on:click=copy>
            {said}
        </button>
    }
}

/// Browsers have no clipboard on plain http.
async fn put_on_clipboard(text: &str) -> bool {
    let navigator = window().navigator();
    let clipboard = js_sys::Reflect::get(&navigator, &"clipboard".into());
    if clipboard.is_ok_and(|clipboard| clipboard.is_undefined()) {
        return false;
    }
    JsFuture::from(navigator.clipboard().write_text(text)).await.is_ok()
}
