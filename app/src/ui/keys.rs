//! The keyboard: `/` to the filter, `j` and `k` along the rows, `Enter` opens, `g` and a letter goes, `?` helps.
//!
//! Works on what the page holds (`[data-search]`, `a.row`, `[data-go]`), so that no page has to register.
//! Off while something is being typed, and when a modifier is held.

use std::cell::Cell;

use leptos::{ev, prelude::*};
use serde::{Deserialize, Serialize};
use wasm_bindgen::JsCast;
use web_sys::{Element, HtmlElement, KeyboardEvent};

/// A place that `g` and a letter goes to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Go {
    pub letter: char,
    pub label: String,
}

const HELP: &str = "key-help";

#[island]
pub fn Keys(places: Vec<Go>) -> impl IntoView {
    Effect::new(move |_| {
        let going = Cell::new(false);
        window_event_listener(ev::keydown, move |event| {
            going.set(press(&event, going.get()));
        });
    });
    let goes = places
        .into_iter()
        .map(|place| {
            let letter = place.letter.to_string();
            view! {
                <dt>
                    <kbd>"g"</kbd>
                    " "
                    <kbd>{letter}</kbd>
                </dt>
                <dd>{place.label}</dd>
            }
        })
        .collect_view();
    view! {
        <details id=HELP class="keys">
            <summary>"Keys " <kbd>"?"</kbd></summary>
            <dl class="facts">
                <dt><kbd>"/"</kbd></dt>
                <dd>"Search"</dd>
                <dt><kbd>"j"</kbd> " " <kbd>"k"</kbd></dt>
                <dd>"Next, previous row"</dd>
                <dt><kbd>"Enter"</kbd></dt>
                <dd>"Open the row"</dd>
                {goes}
                <dt><kbd>"?"</kbd></dt>
                <dd>"This help"</dd>
                <dt><kbd>"Esc"</kbd></dt>
                <dd>"Out of a field, or of this help"</dd>
            </dl>
        </details>
    }
}

/// Acts on one key; answers whether `g` was pressed and its letter is awaited.
fn press(event: &KeyboardEvent, going: bool) -> bool {
    let key = event.key();
    if key == "Escape" {
        leave();
        return false;
    }
    if event.ctrl_key() || event.meta_key() || event.alt_key() || is_typing(event) {
        return false;
    }
    if going {
        if is_letter(&key) {
            click(event, &format!("[data-go=\"{key}\"]"));
        }
        return false;
    }
    match key.as_str() {
        "g" => return true,
        "/" => focus(event, find("[data-search]")),
        "j" => focus(event, row(1)),
        "k" => focus(event, row(-1)),
        "?" => toggle_help(event),
        _ => {}
    }
    false
}

fn is_letter(key: &str) -> bool {
    key.len() == 1 && key.bytes().all(|b| b.is_ascii_lowercase())
}

fn is_typing(event: &KeyboardEvent) -> bool {
    event
        .target()
        .and_then(|target| target.dyn_into::<Element>().ok())
        .and_then(|element| element.closest("input, textarea, select, [contenteditable]").ok()?)
        .is_some()
}

fn find(selector: &str) -> Option<HtmlElement> {
    document().query_selector(selector).ok()??.dyn_into().ok()
}

fn focus(event: &KeyboardEvent, element: Option<HtmlElement>) {
    if let Some(element) = element {
        event.prevent_default();
        let _ = element.focus();
    }
}

fn click(event: &KeyboardEvent, selector: &str) {
    if let Some(element) = find(selector) {
        event.prevent_default();
        element.click();
    }
}

/// The row `by` steps from the focused one; the first when none is.
fn row(by: i64) -> Option<HtmlElement> {
    let rows = document().query_selector_all("a.row").ok()?;
    let rows: Vec<HtmlElement> =
        (0..rows.length()).filter_map(|i| rows.item(i)?.dyn_into().ok()).collect();
    let active = document().active_element();
    let here = rows.iter().position(|row| Some(row.as_ref()) == active.as_ref());
    let next = match here {
        Some(here) => here.checked_add_signed(isize::try_from(by).ok()?)?,
        None => 0,
    };
    rows.into_iter().nth(next)
}

fn toggle_help(event: &KeyboardEvent) {
    let Some(help) = find(&format!("#{HELP}")) else { return };
    event.prevent_default();
    if help.has_attribute("open") {
        let _ = help.remove_attribute("open");
    } else {
        let _ = help.set_attribute("open", "");
        if let Some(summary) = find(&format!("#{HELP} summary")) {
            let _ = summary.focus();
        }
    }
}

fn leave() {
    if let Some(help) = find(&format!("#{HELP}[open]")) {
        let _ = help.remove_attribute("open");
    } else if let Some(fold) = find("details.more[open]") {
        let _ = fold.remove_attribute("open");
    } else if let Some(active) =
        document().active_element().and_then(|a| a.dyn_into::<HtmlElement>().ok())
    {
        let _ = active.blur();
    }
}
