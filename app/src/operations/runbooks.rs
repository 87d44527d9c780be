//! Runbooks: what a type of operation does, what to do when it fails, and what it can be started with. Holds the
//! types that cross the wire, their rules from values alone, and what the server must supply. Draws nothing.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    View,
    inputs::InputField,
    model::{Named, OperationType},
    stuck::Budget,
    triage::Safety,
};
use crate::{
    error::{ApiError, Rule, Violation},
    identity::{Capability, Permit, Right},
    time::Micros,
};

/// Characters of a workspace's own runbook.
pub const MARKDOWN_MAX: u32 = 20_000;

/// What a runbook's Markdown says for "start this": `operation:system.self_check`.
pub const LINK_SCHEME: &str = "operation";

/// Writes what a workspace says instead of the product.
pub struct ManageRunbooks;

impl Right for ManageRunbooks {
    const CAPABILITY: Capability = Capability::RunbooksManage;
}

/// Whose text it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum RunbookSource {
    Product,
    Workspace,
}

/// The runbook that counts for a type in a workspace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Runbook {
    #[serde(rename = "type")]
    pub kind: String,
    pub label: String,
    pub workspace: Named,
    pub source: RunbookSource,
    pub markdown: String,
    /// The workspace's newest version; 0 when it never wrote one. What the next saving must name.
    pub version: i64,
    /// Who wrote that version, and when.
    pub author_name: Option<String>,
    pub saved_at: Option<Micros>,
}

/// One saving. Kept for ever: an empty one brought the product's text back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct RunbookVersion {
    pub version: i64,
    pub markdown: String,
    pub author_id: String,
    pub author_name: String,
    pub created_at: Micros,
}

/// The body of `PUT /api/v1/runbooks/{type}`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SaveRunbook {
    /// Empty brings the product's runbook back.
    #[schema(max_length = 20_000)]
    pub markdown: String,
    /// The version that was read before writing; another saving in between answers 409.
    #[schema(minimum = 0)]
    pub version: i64,
    /// Only said of one that is written again: the version that this text comes from.
    pub restores: Option<i64>,
}

/// How the engine treats runs of a type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Treatment {
    pub retry_safety: Safety,
    /// Why a failed one cannot be tried again; null when it can.
    pub not_retryable_because: Option<String>,
    pub cancelable: bool,
    pub queue: String,
    /// At once, of this type and for one target; null is as many as there are workers.
    pub at_once: Option<u32>,
    pub at_once_per_target: Option<u32>,
    pub budget: Budget,
    /// When its schedule starts it next.
    pub next_at: Option<Micros>,
}

/// All that the page of a type shows.
#[derive(Clone, Debug, PartialEq)]
pub struct Desk {
    pub entry: OperationType,
    pub inputs: Vec<InputField>,
    pub treatment: Treatment,
    pub runbook: Runbook,
    /// From the product, whatever the workspace says.
    pub product: String,
    /// Newest first; the oldest of very many are left out.
    pub versions: Vec<RunbookVersion>,
    /// Those that the reader may look into, by name.
    pub workspaces: Vec<Named>,
    /// Those in which the reader may start it.
    pub startable_in: Vec<Named>,
    pub editable: bool,
    /// Every type, for links from one runbook to another.
    pub kinds: Vec<String>,
    /// Makes a form that is sent twice start once.
    pub form_key: String,
}

/// What the list of types shows.
#[derive(Clone, Debug, PartialEq)]
pub struct Shelf {
    pub types: Vec<(OperationType, Vec<InputField>)>,
    pub form_key: String,
}

#[async_trait]
pub trait Runbooks: Send + Sync {
    /// The text that counts for a type in a workspace.
    async fn runbook(
        &self,
        permit: &Permit<View>,
        kind: &str,
        workspace_id: i64,
    ) -> Result<Runbook, ApiError>;

    /// The same of every type, in the order of their names.
    async fn all(&self, permit: &Permit<View>, workspace_id: i64)
    -> Result<Vec<Runbook>, ApiError>;

    /// What the workspace wrote, newest first: at most 200.
    async fn versions(
        &self,
        permit: &Permit<View>,
        kind: &str,
        workspace_id: i64,
    ) -> Result<Vec<RunbookVersion>, ApiError>;

    /// Writes a version. The same text again is no new one.
    async fn save(
        &self,
        permit: &Permit<ManageRunbooks>,
        kind: &str,
        workspace_id: i64,
        save: SaveRunbook,
    ) -> Result<Runbook, ApiError>;

    /// The page of a type. Without a workspace: the console's own, or the first that the reader reaches.
    async fn desk(
        &self,
        permit: &Permit<View>,
        kind: &str,
        workspace_id: Option<i64>,
    ) -> Result<Desk, ApiError>;

    async fn shelf(&self, permit: &Permit<View>) -> Result<Shelf, ApiError>;
}

/// The text as it is kept: lines end as ours do, whitespace alone is nothing.
pub fn kept(markdown: &str) -> Result<String, Violation> {
    const FIELD: &str = "markdown";
    if markdown.contains('\0') {
        return Err(Violation::new(FIELD, Rule::NulByte));
    }
    let text = markdown.replace("\r\n", "\n").replace('\r', "\n");
    if text.chars().count() > MARKDOWN_MAX as usize {
        return Err(Violation::new(FIELD, Rule::Length { min: 0, max: MARKDOWN_MAX }));
    }
    Ok(if text.trim().is_empty() { String::new() } else { text.trim_end().to_owned() })
}

/// One line of what changed between two texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line<'a> {
    Same(&'a str),
    Gone(&'a str),
    New(&'a str),
}

/// Texts whose changed parts have more pairs of lines than that are compared as wholes.
const PAIRS_MAX: usize = 1_000_000;

/// What changed, line by line: the longest common lines stay.
pub fn compare<'a>(old: &'a str, new: &'a str) -> Vec<Line<'a>> {
    let (old, new): (Vec<_>, Vec<_>) = (old.lines().collect(), new.lines().collect());
    let head = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let (old_rest, new_rest) = (&old[head..], &new[head..]);
    let tail = old_rest.iter().rev().zip(new_rest.iter().rev()).take_while(|(a, b)| a == b).count();
    let old_part = &old_rest[..old_rest.len() - tail];
    let new_part = &new_rest[..new_rest.len() - tail];
    let mut lines: Vec<Line<'a>> = old[..head].iter().map(|line| Line::Same(line)).collect();
    if old_part.len().saturating_mul(new_part.len()) > PAIRS_MAX {
        lines.extend(old_part.iter().map(|line| Line::Gone(line)));
        lines.extend(new_part.iter().map(|line| Line::New(line)));
    } else {
        between(old_part, new_part, &mut lines);
    }
    lines.extend(old[old.len() - tail..].iter().map(|line| Line::Same(line)));
    lines
}

/// The longest common subsequence, by the table of its lengths from each place to the end.
fn between<'a>(old: &[&'a str], new: &[&'a str], lines: &mut Vec<Line<'a>>) {
    let width = new.len() + 1;
    let mut longest = vec![0_u32; (old.len() + 1) * width];
    for i in (0..old.len()).rev() {
        for j in (0..new.len()).rev() {
            longest[i * width + j] = if old[i] == new[j] {
                longest[(i + 1) * width + j + 1] + 1
            } else {
                longest[(i + 1) * width + j].max(longest[i * width + j + 1])
            };
        }
    }
    let (mut i, mut j) = (0, 0);
    while i < old.len() || j < new.len() {
        let both = i < old.len() && j < new.len();
        if both && old[i] == new[j] {
            lines.push(Line::Same(old[i]));
            (i, j) = (i + 1, j + 1);
        } else if j == new.len()
            || both && longest[(i + 1) * width + j] >= longest[i * width + j + 1]
        {
            lines.push(Line::Gone(old[i]));
            i += 1;
        } else {
            lines.push(Line::New(new[j]));
            j += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changed_is_told_line_by_line() {
        use Line::{Gone, New, Same};
        let lines = compare("a\nb\nc\nd", "a\nc\nx\nd");
        assert_eq!(lines, [Same("a"), Gone("b"), Same("c"), New("x"), Same("d")]);
        assert_eq!(compare("", "a"), [New("a")]);
        assert_eq!(compare("a", ""), [Gone("a")]);
        assert_eq!(compare("a\nb", "a\nb"), [Same("a"), Same("b")]);
        assert_eq!(compare("a\na", "a"), [Same("a"), Gone("a")]);
    }

    #[test]
    fn texts_without_a_common_line_are_not_compared_for_ever() {
        let many = |letter: &str| format!("{letter}\n").repeat(10_000);
        assert_eq!(compare(&many("a"), &many("b")).len(), 20_000);
    }

    #[test]
    fn a_text_is_kept_as_ours_are_written() {
        assert_eq!(kept("a\r\nb\rc\n\n").as_deref(), Ok("a\nb\nc"));
        assert_eq!(kept(" \r\n\t").as_deref(), Ok(""));
        assert_eq!(kept(&"ä".repeat(20_000)).map(|text| text.chars().count()), Ok(20_000));
        assert!(kept(&"a".repeat(20_001)).is_err());
        assert!(kept("a\0b").is_err());
        // A browser sends two characters for the end of a line that counts as one.
        assert!(kept(&"a\r\n".repeat(10_000)).is_ok());
    }
}
