//! The blocks that pages are put together from: card, facts, alert, empty state, log.

use leptos::prelude::*;

use super::Tone;

/// A title, at most one remark at its right, and content. Never a card in a card.
#[component]
pub fn Card(
    #[prop(into)] title: String,
    #[prop(optional, into)] remark: Option<AnyView>,
    /// Content that brings its own padding, such as a table or a log.
    #[prop(optional)]
    flush: bool,
    children: Children,
) -> impl IntoView {
    let remark = remark.map(|remark| view! { <span class="dim num">{remark}</span> });
    let body =
        if flush { children() } else { view! { <div class="body">{children()}</div> }.into_any() };
    view! {
        <section class="card">
            <header>
                <h2>{title}</h2>
                {remark}
            </header>
            {body}
        </section>
    }
}

#[component]
pub fn Facts(children: Children) -> impl IntoView {
    view! { <dl class="facts">{children()}</dl> }
}

#[component]
pub fn Fact(#[prop(into)] name: String, children: Children) -> impl IntoView {
    view! {
        <dt>{name}</dt>
        <dd>{children()}</dd>
    }
}

/// Something that the reader must know before going on. Interrupts a screen reader when it is bad news only.
#[component]
pub fn Alert(tone: Tone, #[prop(into)] title: String, children: Children) -> impl IntoView {
    let (class, role) = match tone {
        Tone::Bad => ("evidence bad", "alert"),
        Tone::Ok => ("evidence ok", "status"),
        _ => ("evidence", "status"),
    };
    view! {
        <div class=class role=role>
            <p class="title">{title}</p>
            {children()}
        </div>
    }
}

/// Nothing here, why, and the one step that changes it.
#[component]
pub fn EmptyState(
    #[prop(into)] title: String,
    #[prop(into)] why: String,
    step: String,
    href: String,
) -> impl IntoView {
    view! {
        <div class="empty">
            <h2>{title}</h2>
            <p class="dim">{why}</p>
            <a class="btn" href=href>
                {step}
            </a>
        </div>
    }
}

/// Text as a machine wrote it, scrolled by keyboard too.
#[component]
pub fn LogBlock(#[prop(into)] label: String, #[prop(into)] text: String) -> impl IntoView {
    view! {
        <pre class="log" tabindex="0" role="region" aria-label=label>
            {text}
        </pre>
    }
}
