//! Fetches the page's own address again and swaps what is live in it. Scripts of the answer never run.

use js_sys::futures::JsFuture;
use leptos::prelude::{document, window};
use wasm_bindgen::JsCast;
use web_sys::{Document, DomParser, Element, HtmlElement, Response, SupportedType};

/// The page as the server draws it now; none when it could not be had.
pub async fn fetch_page() -> Option<Document> {
    let url = window().location().href().ok()?;
    let answer = JsFuture::from(window().fetch_with_str(&url)).await.ok()?;
    let answer = answer.dyn_into::<Response>().ok()?;
    if !answer.ok() {
        return None;
    }
    let html = JsFuture::from(answer.text().ok()?).await.ok()?.as_string()?;
    DomParser::new().ok()?.parse_from_string(&html, SupportedType::TextHtml).ok()
}

/// Puts the fresh section in the place of the one with the same id. The focus stays where it was.
pub fn replace_section(page: &Document, id: &str) -> Option<Element> {
    let old = document().get_element_by_id(id)?;
    let new = page.get_element_by_id(id)?;
    // Somebody is about to decide in it: the server knows how it stood when it was drawn.
    let keeps = old.has_attribute("data-keep-open");
    if keeps && old.query_selector("details[open]").ok().flatten().is_some() {
        return Some(old);
    }
    swap(&old, &new);
    Some(new)
}

/// Puts the fresh row in the place of the one that stands for the same thing; rows do not move.
pub fn replace_row(page: &Document, section: &str, id: &str) {
    let selector = format!("#{section} tr[data-id=\"{id}\"]");
    let old = document().query_selector(&selector).ok().flatten();
    let new = page.query_selector(&selector).ok().flatten();
    if let (Some(old), Some(new)) = (old, new) {
        swap(&old, &new);
    }
}

/// Whether the reader is at work in the section: the pointer is over it or the focus within.
pub fn section_is_held(id: &str) -> bool {
    let selector = format!("#{id}:hover, #{id}:focus-within");
    document().query_selector(&selector).ok().flatten().is_some()
}

fn swap(old: &Element, new: &Element) {
    let focused = document()
        .active_element()
        .filter(|active| old.contains(Some(active)))
        .and_then(|active| active.get_attribute("href"));
    let _ = old.replace_with_with_node_1(new);
    let Some(href) = focused else { return };
    let Ok(links) = new.query_selector_all("a[href]") else { return };
    let again = (0..links.length())
        .filter_map(|i| links.item(i)?.dyn_into::<HtmlElement>().ok())
        .find(|link| link.get_attribute("href").as_deref() == Some(href.as_str()));
    if let Some(link) = again {
        let _ = link.focus();
    }
}
