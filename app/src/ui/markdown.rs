//! Markdown of our own runbooks, drawn as elements. Raw HTML in it is shown as text, never run.

use leptos::prelude::*;
use pulldown_cmark::{Event, HeadingLevel, Parser, Tag};

#[component]
pub fn Markdown(text: String) -> impl IntoView {
    let mut events = Parser::new(&text);
    view! { <div class="prose">{children(&mut events)}</div> }
}

/// Draws up to the end of the element that was just opened.
fn children(events: &mut Parser<'_>) -> AnyView {
    let mut drawn = Vec::new();
    while let Some(event) = events.next() {
        drawn.push(match event {
            Event::Start(tag) => element(&tag, events),
            Event::End(_) => break,
            Event::Text(text) | Event::Html(text) | Event::InlineHtml(text) => {
                text.into_string().into_any()
            }
            Event::Code(code) => view! { <code>{code.into_string()}</code> }.into_any(),
            Event::SoftBreak => " ".into_any(),
            Event::HardBreak => view! { <br /> }.into_any(),
            Event::Rule => view! { <hr /> }.into_any(),
            _ => ().into_any(),
        });
    }
    drawn.into_any()
}

fn element(tag: &Tag<'_>, events: &mut Parser<'_>) -> AnyView {
    let inner = children(events);
    match tag {
        Tag::Paragraph => view! { <p>{inner}</p> }.into_any(),
        // The page has its own first two levels.
        Tag::Heading { level: HeadingLevel::H1 | HeadingLevel::H2, .. } => {
            view! { <h3>{inner}</h3> }.into_any()
        }
        Tag::Heading { .. } => view! { <h4>{inner}</h4> }.into_any(),
        Tag::CodeBlock(_) => view! { <pre tabindex="0"><code>{inner}</code></pre> }.into_any(),
        Tag::List(Some(_)) => view! { <ol>{inner}</ol> }.into_any(),
        Tag::List(None) => view! { <ul>{inner}</ul> }.into_any(),
        Tag::Item => view! { <li>{inner}</li> }.into_any(),
        Tag::Emphasis => view! { <em>{inner}</em> }.into_any(),
        Tag::Strong => view! { <strong>{inner}</strong> }.into_any(),
        Tag::BlockQuote(_) => view! { <blockquote>{inner}</blockquote> }.into_any(),
        Tag::Link { dest_url, .. } if is_safe(dest_url) => {
            view! { <a href=dest_url.to_string()>{inner}</a> }.into_any()
        }
        _ => inner,
    }
}

/// Nothing but pages: no script, no data.
fn is_safe(url: &str) -> bool {
    url.starts_with("https://")
        || url.starts_with("http://")
        || url.starts_with('#')
        || (url.starts_with('/') && !url.starts_with("//"))
}
