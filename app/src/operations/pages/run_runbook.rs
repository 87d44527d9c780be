//! The beginning of the type's runbook on the detail page: what the product says to do, where it is needed.

use leptos::prelude::*;

use crate::{
    paths,
    ui::{Card, markdown::Markdown},
};

/// Characters of the first section that are shown; it is cut between two paragraphs.
const SHOWN_MAX: usize = 1_200;

/// `text` is the whole runbook; nothing is drawn for a type that left the catalog.
#[component]
pub fn RunbookCard(text: Option<String>) -> impl IntoView {
    let section = text.as_deref().map(first_section).filter(|section| !section.is_empty());
    section.map(|section| {
        view! {
            <Card title="Runbook">
                <Markdown text=section />
                <p class="more-below">
                    <a href=paths::runbooks()>"Whole runbook"</a>
                </p>
            </Card>
        }
    })
}

/// What stands before the second heading, without the title that the page has already.
fn first_section(markdown: &str) -> String {
    let mut section = String::new();
    let mut fenced = false;
    for line in markdown.lines() {
        fenced ^= line.trim_start().starts_with("```");
        let is_heading = !fenced && line.starts_with('#');
        let has_words = !section.trim().is_empty();
        if is_heading && has_words {
            break;
        }
        if is_heading {
            continue;
        }
        // Whole paragraphs only, and never the half of a fence.
        if line.trim().is_empty() && !fenced && section.chars().count() >= SHOWN_MAX {
            break;
        }
        section.push_str(line);
        section.push('\n');
    }
    section.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::first_section;

    #[test]
    fn the_first_section_ends_at_the_next_heading() {
        let text = "# Token refresh\n\nDoes it.\n\nAgain.\n\n## When it fails\n\nLook.\n";
        assert_eq!(first_section(text), "Does it.\n\nAgain.");
        assert_eq!(first_section("# Only\n## Two\nWords\n### Three\nMore"), "Words");
        assert_eq!(first_section("```\n# no heading\n```\n# One"), "```\n# no heading\n```");
        assert_eq!(first_section(""), "");
    }

    #[test]
    fn a_long_section_is_cut_between_paragraphs() {
        let paragraph = "word ".repeat(100);
        let text = format!("{paragraph}\n\n{paragraph}\n\n{paragraph}\n\n{paragraph}\n");
        let shown = first_section(&text);
        assert_eq!(shown.matches("\n\n").count(), 2, "three of the four paragraphs");
    }
}
