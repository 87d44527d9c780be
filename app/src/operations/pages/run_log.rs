//! The log on the detail page: the last lines, complete without JavaScript, with the way to the older ones and to
//! the whole file; and the island's tools above them.

use leptos::prelude::*;

use crate::{
    error::{ApiError, Thing},
    operations::{
        enter_follow,
        log::{LINES_SHOWN, LogPage, Span},
        model::Status,
        parts::{
            LogTail,
            log_view::{BOX, EMPTY, LINES, PLACE, place_words},
        },
    },
    paths,
    request::PageRequest,
    ui::{Card, Clockface, Loaded, load},
};

/// Lines of the log, and the place before which they were asked for.
#[derive(Clone, Debug)]
pub struct LogContent {
    page: LogPage,
    before: Option<i64>,
}

/// To be called at the top of the page, beside its main content.
pub fn load_log(asked: String) -> Resource<Loaded<Result<LogContent, ApiError>>> {
    let before = PageRequest::from_context();
    let before = before.and_then(|request| request.value("log_before")?.parse::<i64>().ok());
    load(move || fetch(asked.clone(), before))
}

fn fetch(
    asked: String,
    before: Option<i64>,
) -> impl Future<Output = Result<LogContent, ApiError>> + Send {
    let entered = enter_follow();
    async move {
        let (permit, follow) = entered.await?;
        let id = asked.parse().map_err(|_| ApiError::NotFound(Thing::Operation))?;
        let span = before.map_or(Span::Last, Span::Before);
        let page = follow.log(&permit, id, span, LINES_SHOWN).await?;
        Ok(LogContent { page, before })
    }
}

#[component]
pub fn LogCard(id: i64, content: Result<LogContent, ApiError>, clock: Clockface) -> impl IntoView {
    let drawn = match content {
        Ok(content) => drawn(id, &content, &clock),
        // The page is about the run; it is whole without this.
        Err(error) => {
            let sentence = error.to_string();
            view! {
                <Card title="Log">
                    <p class="dim">{sentence}</p>
                </Card>
            }
            .into_any()
        }
    };
    view! {
        <div id="log" class="logcard">
            {drawn}
        </div>
    }
}

fn drawn(id: i64, content: &LogContent, clock: &Clockface) -> AnyView {
    let LogContent { page, before } = content;
    let ends = page.lines.first().map(|line| line.seq).zip(page.lines.last().map(|line| line.seq));
    let place = ends.map(|(first, last)| place_words(first, last));
    let may_have = page.last_seq > 0 || page.status != Status::Completed;
    let whole = may_have.then(|| {
        view! {
            " "
            <a href=paths::run_log(id) download="">
                "whole log"
            </a>
        }
    });
    let remark = view! {
        <span id=PLACE>{place}</span>
        {whole}
    };
    let older = ends.filter(|(first, _)| *first > 1).map(|(first, _)| {
        view! { <a href=paths::run_lines(id, Some(first))>"Older lines"</a> }
    });
    let newest = before.map(|_| {
        view! { <a href=paths::run_lines(id, None)>"Newest lines"</a> }
    });
    let ways = (older.is_some() || newest.is_some())
        .then(|| view! { <p class="logways">{older} {newest}</p> });
    let lines = page.lines.iter().map(|line| row(line, clock)).collect_view();
    let empty =
        page.lines.is_empty().then(|| view! { <p id=EMPTY class="dim">{nothing(content)}</p> });
    // Older lines are a page of their own: nothing is added to them.
    let live = before.is_none() && page.status != Status::Completed;
    let tools = (live || !page.lines.is_empty()).then(|| view! { <LogTail id live /> });
    view! {
        <Card title="Log" remark=remark.into_any() flush=true>
            {tools}
            {ways}
            <div
                id=BOX
                class="logbox wrap"
                tabindex="0"
                role="region"
                aria-label="Log lines, oldest first"
            >
                {empty}
                <ol id=LINES>{lines}</ol>
            </div>
        </Card>
    }
    .into_any()
}

/// As the island draws it: see `parts/log_view.rs`.
fn row(line: &crate::operations::log::LogLine, clock: &Clockface) -> impl IntoView + use<> {
    let line = line.shown(clock);
    let class = line.level.clone();
    view! {
        <li data-seq=line.seq class=class>
            <time datetime=line.at title=line.title>
                {line.time}
            </time>
            " "
            <b>{line.level}</b>
            " "
            <bdi>{line.text}</bdi>
            " "
        </li>
    }
}

fn nothing(content: &LogContent) -> &'static str {
    match (content.before, content.page.status) {
        (Some(_), _) => "There are no older lines.",
        (None, Status::Completed) => {
            "No lines are kept: it wrote none, or they were kept long enough and pruned."
        }
        (None, Status::Queued) => "Nothing yet: it has not begun.",
        (None, Status::Running) => "Nothing yet.",
    }
}
