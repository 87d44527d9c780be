//! The log's lines in the document: drawn by the server at first, added to and searched by the island. Every text
//! goes in as text, never as markup.

use std::fmt::Write as _;

use leptos::prelude::document;
use wasm_bindgen::{JsCast, closure::Closure};
use web_sys::{Element, HtmlElement, NodeList, ScrollIntoViewOptions, ScrollLogicalPosition};

use crate::operations::log::{LINES_KEPT, ShownLine, matches};

/// The ids that the page gives to the parts of its log.
pub const BOX: &str = "log-box";
pub const LINES: &str = "log-lines";
pub const PLACE: &str = "log-place";
pub const EMPTY: &str = "log-empty";

/// Matches that are marked; a word that stands everywhere needs no more.
pub const MARKS_MAX: usize = 1_000;
/// Nearer to the end than this, in pixels, the reader follows.
const NEAR_END: i32 = 24;

fn find(id: &str) -> Option<HtmlElement> {
    document().get_element_by_id(id)?.dyn_into().ok()
}

fn elements(list: &NodeList) -> impl Iterator<Item = Element> + '_ {
    (0..list.length()).filter_map(|n| list.item(n)?.dyn_into().ok())
}

fn all(selector: &str) -> Option<NodeList> {
    document().query_selector_all(selector).ok()
}

/// The number of the newest line that is drawn; 0 when there is none.
pub fn last_seq() -> i64 {
    let last = find(LINES).and_then(|lines| lines.last_element_child());
    last.and_then(|line| seq(&line)).unwrap_or(0)
}

fn seq(line: &Element) -> Option<i64> {
    line.get_attribute("data-seq")?.parse().ok()
}

pub fn is_at_end() -> bool {
    find(BOX).is_none_or(|view| {
        view.scroll_height() - view.scroll_top() - view.client_height() <= NEAR_END
    })
}

/// Calls `then` whenever the reader has come to the end by their own scrolling.
pub fn on_end(then: impl Fn() + 'static) {
    let Some(view) = find(BOX) else { return };
    let heard = Closure::<dyn FnMut()>::new(move || {
        if is_at_end() {
            then();
        }
    });
    let _ = view.add_event_listener_with_callback("scroll", heard.as_ref().unchecked_ref());
    heard.forget();
}

pub fn go_to_end() {
    if let Some(view) = find(BOX) {
        view.set_scroll_top(view.scroll_height());
    }
}

/// Adds lines at the end and lets go of the oldest when there are too many. A reader at the end stays at the
/// end; one who reads further up keeps their place.
pub fn add(lines: &[ShownLine], needle: &str) -> Option<()> {
    let list = find(LINES)?;
    let follows = is_at_end();
    for line in lines {
        let row = row(line, needle)?;
        list.append_child(&row).ok()?;
    }
    if let Some(empty) = find(EMPTY) {
        empty.remove();
    }
    let_go(&list);
    if follows {
        go_to_end();
    }
    say_place(&list);
    Some(())
}

fn let_go(list: &HtmlElement) {
    let Some(view) = find(BOX) else { return };
    let surplus = (list.child_element_count() as usize).saturating_sub(LINES_KEPT);
    for _ in 0..surplus {
        let Some(first) = list.first_element_child() else { return };
        let before = view.scroll_height();
        first.remove();
        let gone = before - view.scroll_height();
        view.set_scroll_top((view.scroll_top() - gone).max(0));
    }
}

fn say_place(list: &HtmlElement) {
    let ends = list.first_element_child().zip(list.last_element_child());
    let ends = ends.and_then(|(first, last)| seq(&first).zip(seq(&last)));
    if let (Some((first, last)), Some(place)) = (ends, find(PLACE)) {
        place.set_text_content(Some(&place_words(first, last)));
    }
}

/// "lines 13 to 212".
pub fn place_words(first: i64, last: i64) -> String {
    if first == last { format!("line {first}") } else { format!("lines {first} to {last}") }
}

/// As the page draws it: see `pages/run_log.rs`.
fn row(line: &ShownLine, needle: &str) -> Option<Element> {
    let row = document().create_element("li").ok()?;
    row.set_attribute("data-seq", &line.seq.to_string()).ok()?;
    row.set_attribute("class", &line.level).ok()?;
    let time = part(&row, "time", &line.time)?;
    time.set_attribute("datetime", &line.at).ok()?;
    time.set_attribute("title", &line.title).ok()?;
    part(&row, "b", &line.level)?;
    let text = part(&row, "bdi", &line.text)?;
    if !needle.is_empty() {
        mark_in(&text, needle, MARKS_MAX);
    }
    Some(row)
}

fn part(row: &Element, name: &str, text: &str) -> Option<Element> {
    let part = document().create_element(name).ok()?;
    part.set_text_content(Some(text));
    row.append_child(&part).ok()?;
    // What is copied by hand reads as words, too.
    row.append_child(&document().create_text_node(" ")).ok()?;
    Some(part)
}

/// Marks a word wherever it stands, and unmarks what was marked before. Says how often it stands there, up to
/// [`MARKS_MAX`].
pub fn mark(needle: &str) -> usize {
    let Some(texts) = all(&format!("#{LINES} bdi")) else { return 0 };
    let mut marked = 0;
    for text in elements(&texts) {
        marked += mark_in(&text, needle, MARKS_MAX - marked);
    }
    marked
}

pub fn count_marks() -> usize {
    all(&format!("#{LINES} mark")).map_or(0, |marks| marks.length() as usize)
}

fn mark_in(text: &Element, needle: &str, most: usize) -> usize {
    let words = text.text_content().unwrap_or_default();
    let places = matches(&words, needle, most);
    if text.child_element_count() == 0 && places.is_empty() {
        return 0;
    }
    text.set_text_content(None);
    let mut from = 0;
    for (start, end) in &places {
        let _ = text.append_child(&document().create_text_node(&words[from..*start]));
        if let Ok(mark) = document().create_element("mark") {
            mark.set_text_content(Some(&words[*start..*end]));
            let _ = text.append_child(&mark);
        }
        from = *end;
    }
    let _ = text.append_child(&document().create_text_node(&words[from..]));
    places.len()
}

/// Shows the n-th match, from 0.
pub fn show_mark(n: usize) {
    let Some(marks) = all(&format!("#{LINES} mark")) else { return };
    for (at, mark) in elements(&marks).enumerate() {
        if at == n {
            let _ = mark.set_attribute("class", "here");
            let options = ScrollIntoViewOptions::new();
            options.set_block(ScrollLogicalPosition::Nearest);
            options.set_inline(ScrollLogicalPosition::Nearest);
            mark.scroll_into_view_with_scroll_into_view_options(&options);
        } else {
            let _ = mark.remove_attribute("class");
        }
    }
}

/// Whether long lines go on in the next row.
pub fn set_wrapped(wrapped: bool) {
    if let Some(view) = find(BOX) {
        let _ = view.set_attribute("class", if wrapped { "logbox wrap" } else { "logbox" });
    }
}

/// All lines that are drawn, as one text.
pub fn as_text() -> String {
    let Some(lines) = all(&format!("#{LINES} > li")) else { return String::new() };
    let mut text = String::new();
    for line in elements(&lines) {
        let at = line.query_selector("time").ok().flatten();
        let at = at.and_then(|time| time.get_attribute("datetime")).unwrap_or_default();
        let word = |name: &str| {
            let part = line.query_selector(name).ok().flatten();
            part.and_then(|part| part.text_content()).unwrap_or_default()
        };
        let words = word("bdi").replace('\n', "\n    ");
        // Writing into a string cannot fail.
        let _ = writeln!(text, "{at} {:<5} {words}", word("b"));
    }
    text
}
