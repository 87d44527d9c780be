//! The text of a runbook on its page: as it counts, as it is written, and as it was.

use leptos::prelude::*;

use crate::{
    error::{ApiError, Conflict},
    identity::Capability,
    operations::runbooks::{
        Desk, LINK_SCHEME, Line, MARKDOWN_MAX, RunbookSource, RunbookVersion, compare,
    },
    paths,
    request::{Posted, RefusedForm},
    ui::{
        Alert, Card, Clockface, Column, ConfirmForm, Moment, Table, Tone,
        answer::set_status,
        inputs::{self, Typed},
        markdown::{Markdown, OwnLinks},
        pagination::grouped,
        table::RowLink,
    },
};

/// The names of the forms.
pub const SAVE: &str = "save";
pub const RESTORE: &str = "restore";

/// What a form of this page brought back.
#[derive(Clone, Copy)]
pub struct Sent<'a> {
    pub refused: Option<&'a RefusedForm>,
    pub posted: Option<&'a Posted>,
}

fn links(desk: &Desk) -> OwnLinks {
    own_links(desk.kinds.iter().map(String::as_str), desk.runbook.workspace.id)
}

/// What links of our own lead to: the start form of each type.
pub(super) fn own_links<'a>(kinds: impl Iterator<Item = &'a str>, here: i64) -> OwnLinks {
    let href = |kind: &str| (kind.to_owned(), paths::start_form(kind, Some(here)));
    OwnLinks {
        scheme: LINK_SCHEME,
        hrefs: kinds.map(href).collect(),
        unknown: "(this console has no such operation type)",
    }
}

pub fn text_card(desk: &Desk, sent: Sent<'_>, clock: &Clockface) -> AnyView {
    let text = desk.runbook.markdown.clone();
    let own = links(desk);
    view! {
        <section class="card" id="text">
            <header>
                <h2>"Runbook"</h2>
                <span class="dim">{origin(desk, clock)}</span>
            </header>
            <div class="body stack tight">
                <Markdown text own />
                {edit(desk, sent)}
            </div>
        </section>
    }
    .into_any()
}

/// Whose text it is, and since when.
fn origin(desk: &Desk, clock: &Clockface) -> AnyView {
    let runbook = &desk.runbook;
    let by = runbook.author_name.clone().zip(runbook.saved_at);
    match (runbook.source, by) {
        (RunbookSource::Workspace, Some((name, at))) => view! {
            {format!("version {} of {}, by ", runbook.version, runbook.workspace.name)}
            <bdi>{name}</bdi>
            ", "
            <Moment at clock=clock.clone() />
        }
        .into_any(),
        (RunbookSource::Product, Some((name, at))) => view! {
            "of the product again, brought back by "
            <bdi>{name}</bdi>
            ", "
            <Moment at clock=clock.clone() />
        }
        .into_any(),
        _ => "of the product".into_any(),
    }
}

fn edit(desk: &Desk, sent: Sent<'_>) -> AnyView {
    if !desk.editable {
        let said = sent.refused.filter(|form| form.form != super::start_form::FORM);
        let said = said.map(|form| told(&form.error));
        return view! {
            {said}
            <p class="faint">
                "Writing another text for this workspace needs the capability "
                <code>{Capability::RunbooksManage.as_str()}</code> "."
            </p>
        }
        .into_any();
    }
    let typed = Typed::of(sent.refused, SAVE);
    let shown = sent.posted.filter(|posted| posted.form == SAVE);
    let text = typed.value("markdown").or_else(|| Some(shown?.value("markdown")?.to_owned()));
    let open = typed.0.is_some() || shown.is_some();
    let preview = shown.map(|_| preview(desk, text.clone().unwrap_or_default()));
    let error = typed.error();
    let clash = error == Some(ApiError::Conflict(Conflict::Changed));
    // Whoever was told of the newer version may write over it; who looks at a preview has not been told.
    let version = typed.value("version").filter(|_| !clash);
    let version = version.or_else(|| Some(shown?.value("version")?.to_owned()));
    let version = version.unwrap_or_else(|| desk.runbook.version.to_string());
    let unsaid = typed.0.is_some() && text.is_none();
    let text =
        if unsaid { String::new() } else { text.unwrap_or_else(|| desk.runbook.markdown.clone()) };
    let refusal = error.as_ref().map(|error| refusal(desk, error, clash));
    view! {
        {preview}
        <details class="confirm" id="edit" open=open>
            <summary class="btn">"Write another text for this workspace…"</summary>
            {refusal}
            {fields(desk, text, version)}
        </details>
    }
    .into_any()
}

fn fields(desk: &Desk, text: String, version: String) -> AnyView {
    let here = desk.runbook.workspace.id;
    let hint = format!(
        "Markdown, up to {} characters. No HTML and no images; operation:{} as the address of a link leads to that start form. Empty brings the runbook of the product back.",
        grouped(i64::from(MARKDOWN_MAX)),
        desk.entry.kind,
    );
    // A browser drops the first line end of a text area, so there is one to drop.
    let text = format!("\n{text}");
    view! {
        <form method="post" action=paths::runbook(&desk.entry.kind, Some(here)) class="stack tight">
            {inputs::hidden("workspace_id", here.to_string())}
            {inputs::hidden("version", version)}
            <label class="named">
                <span>{format!("Runbook of {}", desk.runbook.workspace.name)}</span>
                <textarea class="field mono" name="markdown" rows="18" spellcheck="true" aria-describedby="markdown-hint">
                    {text}
                </textarea>
                <span class="faint" id="markdown-hint">
                    {hint}
                </span>
            </label>
            <div class="actions">
                <button class="btn primary" name="do" value="save">
                    "Save"
                </button>
                <button class="btn" name="do" value="preview">
                    "Preview"
                </button>
            </div>
        </form>
    }
    .into_any()
}

fn preview(desk: &Desk, text: String) -> AnyView {
    let own = links(desk);
    let empty = text.trim().is_empty();
    let shown = if empty { desk.product.clone() } else { text };
    let title = if empty { "Preview: the text of the product" } else { "Preview, not saved yet" };
    view! {
        <div class="evidence" id="preview" role="status">
            <p class="title">{title}</p>
            <Markdown text=shown own />
        </div>
    }
    .into_any()
}

fn told(error: &ApiError) -> AnyView {
    set_status(error.status());
    let sentence = error.to_string();
    view! {
        <Alert tone=Tone::Bad title="Not saved">
            <p>{sentence}</p>
        </Alert>
    }
    .into_any()
}

/// Two who wrote at once: the second keeps their text and is shown the first one's.
fn refusal(desk: &Desk, error: &ApiError, clash: bool) -> AnyView {
    if !clash {
        return told(error);
    }
    set_status(error.status());
    let runbook = &desk.runbook;
    let newer = paths::runbook_version(&desk.entry.kind, runbook.workspace.id, runbook.version);
    let name = runbook.author_name.clone().unwrap_or_default();
    let version = format!("Version {}", runbook.version);
    view! {
        <Alert tone=Tone::Bad title="Not saved: somebody else was faster">
            <p>
                <a href=newer>{version}</a>
                " by "
                <bdi>{name}</bdi>
                " was saved since you began. What you wrote is below; saving it now replaces that version."
            </p>
        </Alert>
    }
    .into_any()
}

const COLUMNS: &[Column] = &[
    Column::text("Version"),
    Column::text("Author"),
    Column::number("Characters"),
    Column::number("Saved"),
];

/// What the workspace wrote, and one of them against the one before.
pub fn versions_card(
    desk: &Desk,
    shown: Option<i64>,
    sent: Sent<'_>,
    clock: &Clockface,
) -> AnyView {
    if desk.versions.is_empty() {
        return ().into_any();
    }
    let rows = desk.versions.iter().map(|version| row(desk, version, clock)).collect_view();
    let shown = shown.map(|number| {
        let at = desk.versions.iter().position(|version| version.version == number);
        match at {
            Some(at) => one(desk, at, sent, clock),
            None => view! { <p class="dim body">"This version is not in the list."</p> }.into_any(),
        }
    });
    let remark = format!("of {}", desk.runbook.workspace.name);
    view! {
        <div id="versions">
            <Card title="Versions" remark=remark.into_any() flush=true>
                {shown}
                <Table caption="Versions of this runbook" columns=COLUMNS>
                    {rows}
                </Table>
            </Card>
        </div>
    }
    .into_any()
}

fn row(desk: &Desk, version: &RunbookVersion, clock: &Clockface) -> AnyView {
    let href = paths::runbook_version(&desk.entry.kind, desk.runbook.workspace.id, version.version);
    let counts = (version.version == desk.runbook.version).then_some(" (counts now)");
    let length = if version.markdown.is_empty() {
        "brought the product’s back".to_owned()
    } else {
        grouped(i64::try_from(version.markdown.chars().count()).unwrap_or(i64::MAX))
    };
    view! {
        <tr>
            <td>
                <RowLink href>{format!("Version {}", version.version)}</RowLink>
                <span class="faint">{counts}</span>
            </td>
            <td>
                <bdi>{version.author_name.clone()}</bdi>
            </td>
            <td class="num">{length}</td>
            <td class="num">
                <Moment at=version.created_at clock=clock.clone() />
            </td>
        </tr>
    }
    .into_any()
}

/// What counted while this version was the newest.
fn effective<'a>(desk: &'a Desk, version: Option<&'a RunbookVersion>) -> &'a str {
    version.map(|v| v.markdown.as_str()).filter(|text| !text.is_empty()).unwrap_or(&desk.product)
}

fn one(desk: &Desk, at: usize, sent: Sent<'_>, clock: &Clockface) -> AnyView {
    let version = &desk.versions[at];
    let before = desk.versions.get(at + 1);
    let lines = compare(effective(desk, before), effective(desk, Some(version)));
    let against = before.map_or_else(
        || "the text of the product".to_owned(),
        |before| format!("version {}", before.version),
    );
    let title = format!("Version {} against {against}", version.version);
    let same = lines.iter().all(|line| matches!(line, Line::Same(_)));
    let drawn = lines.into_iter().map(line).collect_view();
    let words = if same { Some("They say the same.") } else { None };
    let name = version.author_name.clone();
    view! {
        <div class="body stack tight">
            <h3>{title}</h3>
            <p class="dim">
                "By " <bdi>{name}</bdi> ", "
                <Moment at=version.created_at clock=clock.clone() /> ". " {words}
            </p>
            <pre class="log diff" tabindex="0" role="region" aria-label="What changed">
                {drawn}
            </pre>
            {restore(desk, version, sent)}
        </div>
    }
    .into_any()
}

fn line(line: Line<'_>) -> AnyView {
    match line {
        Line::Same(text) => format!("  {text}\n").into_any(),
        Line::Gone(text) => view! { <del>{format!("- {text}\n")}</del> }.into_any(),
        Line::New(text) => view! { <ins>{format!("+ {text}\n")}</ins> }.into_any(),
    }
}

fn restore(desk: &Desk, version: &RunbookVersion, sent: Sent<'_>) -> Option<AnyView> {
    if !desk.editable || version.version == desk.runbook.version {
        return None;
    }
    let here = desk.runbook.workspace.id;
    let number = version.version.to_string();
    let refused = Typed::of(sent.refused, RESTORE).about("restore", &number).error();
    if let Some(error) = &refused {
        set_status(error.status());
    }
    let consequence = format!(
        "The text of version {number} counts again in {}, as version {}. Nothing is lost: the one that counts now stays in this list.",
        desk.runbook.workspace.name,
        desk.runbook.version + 1,
    );
    let action = format!("{}&version={number}", paths::runbook(&desk.entry.kind, Some(here)));
    let here = here.to_string();
    let counts = desk.runbook.version.to_string();
    let form = view! {
        <ConfirmForm
            ask="Bring this version back…"
            confirm="Bring it back"
            consequence
            action
            refused
        >
            {inputs::hidden("do", RESTORE)}
            {inputs::hidden("workspace_id", here)}
            {inputs::hidden("version", counts)}
            {inputs::hidden("restore", number.clone())}
        </ConfirmForm>
    };
    Some(form.into_any())
}
