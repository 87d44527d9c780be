//! The beginning of the type's runbook on the detail page: what the product says to do, where it is needed.

use std::sync::Arc;

use leptos::prelude::*;

use super::runbook_text::own_links;
use crate::{
    identity::Permit,
    operations::{Follow, View, model::OperationRun, runbooks::Runbooks},
    paths,
    ui::{
        Card,
        markdown::{Markdown, OwnLinks},
    },
};

/// Characters of the first section that are shown; it is cut between two paragraphs.
const SHOWN_MAX: usize = 1_200;

/// The runbook that counts for a run: of its type, in its workspace.
#[derive(Clone, Debug)]
pub struct RunbookContent {
    section: String,
    links: OwnLinks,
    href: String,
}

/// Who knows runbooks, from context: to be asked before the first await.
pub struct Shelf(Option<Arc<dyn Runbooks>>, Option<Arc<dyn Follow>>);

impl Shelf {
    pub fn from_context() -> Self {
        Self(use_context(), use_context())
    }

    /// None for a type that left the catalog, and when the text cannot be had: the page is whole without it.
    pub async fn find(&self, permit: &Permit<View>, run: &OperationRun) -> Option<RunbookContent> {
        let Self(Some(runbooks), Some(follow)) = self else { return None };
        let runbook = runbooks.runbook(permit, &run.kind, run.workspace_id).await.ok()?;
        Some(RunbookContent {
            section: first_section(&runbook.markdown),
            links: own_links(follow.kinds().into_iter(), run.workspace_id),
            href: paths::runbook(&run.kind, Some(run.workspace_id)),
        })
    }
}

#[component]
pub fn RunbookCard(content: Option<RunbookContent>) -> impl IntoView {
    content.filter(|content| !content.section.is_empty()).map(|content| {
        view! {
            <Card title="Runbook">
                <Markdown text=content.section own=content.links />
                <p class="more-below">
                    <a href=content.href>"Whole runbook"</a>
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
