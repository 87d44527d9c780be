//! A state as shape, word and colour.

use leptos::prelude::*;

use super::icons::{Icon, Shape};

/// What a state means to the reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    Ok,
    Warn,
    Bad,
    Running,
    Waiting,
    /// Says nothing that anyone must act on: a word without shape and ground.
    Plain,
}

impl Tone {
    const fn class(self) -> &'static str {
        match self {
            Self::Ok => "st ok",
            Self::Warn => "st warn",
            Self::Bad => "st bad",
            Self::Running => "st run",
            Self::Waiting => "st",
            Self::Plain => "st plain",
        }
    }

    const fn shape(self) -> Option<Shape> {
        match self {
            Self::Ok => Some(Shape::Circle),
            Self::Warn => Some(Shape::Triangle),
            Self::Bad => Some(Shape::Square),
            Self::Running => Some(Shape::Arrow),
            Self::Waiting => Some(Shape::Dash),
            Self::Plain => None,
        }
    }
}

#[component]
pub fn StatusBadge(tone: Tone, #[prop(into)] word: String) -> impl IntoView {
    let icon = tone.shape().map(|shape| view! { <Icon shape /> });
    view! { <span class=tone.class()>{icon} {word}</span> }
}
