//! A chart on a page: the picture that the server draws, what it says in a sentence, and its figures as a table.
//!
//! Knows nothing of how it is drawn: the server supplies [`Charts`], so that no drawing code is in a page.

use std::sync::Arc;

use leptos::prelude::*;

use super::{Tone, moment};

/// Bars side by side, in the order of time.
#[derive(Clone, Debug, PartialEq)]
pub struct Bars {
    /// Unique on its page.
    pub id: String,
    pub title: String,
    /// What the picture says, for those who do not see it.
    pub description: String,
    pub unit: Unit,
    pub bars: Vec<Bar>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Bar {
    pub label: String,
    /// None is a gap: hatched, never a zero.
    pub value: Option<f64>,
    pub tone: Tone,
}

/// What the figures are, and so how they are spelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Microseconds.
    Span,
    /// Of a hundred.
    Points,
}

impl Unit {
    #[expect(clippy::cast_possible_truncation, reason = "saturates; spans are far below that")]
    pub fn spell(self, value: f64) -> String {
        match self {
            Self::Span => moment::span(value.round() as i64),
            Self::Points => (value.round() as i64).to_string(),
        }
    }
}

/// Draws charts as SVG that takes its colours from the page's tokens.
pub trait Charts: Send + Sync {
    /// None when there is nothing to draw, or it could not be drawn.
    fn bars(&self, chart: &Bars) -> Option<String>;
}

#[component]
pub fn Chart(bars: Bars) -> impl IntoView {
    let svg = use_context::<Arc<dyn Charts>>().and_then(|charts| charts.bars(&bars));
    let unit = bars.unit;
    let rows = bars
        .bars
        .into_iter()
        .map(|bar| {
            let value = bar.value.map_or_else(|| "none".to_owned(), |value| unit.spell(value));
            view! {
                <tr>
                    <th scope="row">{bar.label}</th>
                    <td class="num">{value}</td>
                </tr>
            }
        })
        .collect_view();
    view! {
        <figure class="chart">
            <figcaption class="dim">{bars.title}</figcaption>
            {svg.map(|svg| view! { <div inner_html=svg></div> })}
            <details class="read">
                <summary>"Figures"</summary>
                <table>
                    <tbody>{rows}</tbody>
                </table>
            </details>
        </figure>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::Unit;

    #[test]
    fn a_span_is_spelled_as_everywhere() {
        assert_eq!(Unit::Span.spell(204_000.4), "0.2 s");
        assert_eq!(Unit::Span.spell(f64::NAN), "0 ms");
        assert_eq!(Unit::Points.spell(79.6), "80");
    }
}
