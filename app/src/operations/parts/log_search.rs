//! Finding a word in the log: what is looked for, and where the reader stands among the matches.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::Duration,
};

use leptos::{ev, html, prelude::*};

use super::log_view as lines;
use crate::ui::client_only::ClientOnly;

/// A word is looked for once it stands still.
const TYPED: Duration = Duration::from_millis(150);

/// What is looked for, and where the reader stands among the matches.
#[derive(Default)]
pub(super) struct Search {
    pub needle: RefCell<String>,
    found: RwSignal<usize>,
    /// From 0.
    at: RwSignal<usize>,
    asked: RwSignal<bool>,
    typed: Cell<u32>,
}

impl Search {
    fn look_for(&self, needle: String) {
        self.asked.set(!needle.is_empty());
        self.found.set(lines::mark(&needle));
        *self.needle.borrow_mut() = needle;
        self.at.set(0);
        self.show();
    }

    pub fn recount(&self) {
        if !self.needle.borrow().is_empty() {
            self.found.set(lines::count_marks());
        }
    }

    fn step(&self, forward: bool) {
        let found = self.found.get_untracked();
        if found == 0 {
            return;
        }
        let at = self.at.get_untracked();
        self.at.set(if forward { (at + 1) % found } else { (at + found - 1) % found });
        self.show();
    }

    fn show(&self) {
        if self.found.get_untracked() > 0 {
            lines::show_mark(self.at.get_untracked());
        }
    }
}

pub(super) fn searching(search: &Rc<Search>) -> impl IntoView + use<> {
    let (found, at, asked) = (search.found, search.at, search.asked);
    let search = ClientOnly::new(|| Rc::clone(search));
    let field = NodeRef::<html::Input>::new();
    let typed = move |_| {
        let Some(field) = field.get_untracked() else { return };
        let Some(search) = search.with(Rc::clone) else { return };
        let turn = search.typed.get().wrapping_add(1);
        search.typed.set(turn);
        let _ = set_timeout(
            move || {
                if search.typed.get() == turn {
                    search.look_for(field.value());
                }
            },
            TYPED,
        );
    };
    let step = move |forward: bool| {
        search.with(|search| search.step(forward));
    };
    let entered = move |event: ev::KeyboardEvent| {
        if event.key() == "Enter" {
            event.prevent_default();
            step(!event.shift_key());
        }
    };
    let words = move || match (asked.get(), found.get()) {
        (false, _) => String::new(),
        (true, 0) => "no match".to_owned(),
        (true, lines::MARKS_MAX) => format!("{} of {}+", at.get() + 1, lines::MARKS_MAX),
        (true, found) => format!("{} of {found}", at.get() + 1),
    };
    let none = move || found.get() == 0;
    view! {
        <span class="logsearch">
            <input
                type="search"
                aria-label="Find in the log"
                placeholder="Find in the log"
                autocomplete="off"
                node_ref=field
                on:input=typed
                on:keydown=entered
            />
            <button type="button" class="btn small" disabled=none on:click=move |_| step(false)>
                "Previous"
            </button>
            <button type="button" class="btn small" disabled=none on:click=move |_| step(true)>
                "Next"
            </button>
            <span class="dim num" role="status">
                {words}
            </span>
        </span>
    }
}
