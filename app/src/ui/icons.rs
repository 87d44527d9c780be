//! The few shapes that the console draws. Each is decoration: the word beside it says the same.

use leptos::prelude::*;

/// One shape per kind of state, so that colour is never alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    Circle,
    Square,
    Triangle,
    Arrow,
    Dash,
}

impl Shape {
    const fn path(self) -> &'static str {
        match self {
            Self::Circle => "M5 0a5 5 0 1 0 0 10A5 5 0 0 0 5 0z",
            Self::Square => "M0 0h10v10H0z",
            Self::Triangle => "M5 0l5 9.6H0z",
            Self::Arrow => "M2 0l8 5-8 5z",
            Self::Dash => "M0 4h10v2H0z",
        }
    }
}

#[component]
pub fn Icon(shape: Shape) -> impl IntoView {
    view! {
        <svg viewBox="0 0 10 10" aria-hidden="true">
            <path d=shape.path()></path>
        </svg>
    }
}

/// The ship's wheel.
#[component]
pub fn Wheel() -> impl IntoView {
    const SPOKES: &str = "M10 1v4M10 15v4M1 10h4M15 10h4M3.6 3.6l2.8 2.8M13.6 13.6l2.8 2.8M16.4 3.6l-2.8 2.8M6.4 13.6l-2.8 2.8";
    view! {
        <svg
            width="20"
            height="20"
            viewBox="0 0 20 20"
            fill="none"
            stroke="#d6a64a"
            stroke-width="1.6"
            aria-hidden="true"
        >
            <circle cx="10" cy="10" r="5.2"></circle>
            <circle cx="10" cy="10" r="1.4"></circle>
            <path d=SPOKES></path>
        </svg>
    }
}
