//! `/settings/tasks`: does everything run that the console does by itself?

use std::sync::Arc;

use leptos::prelude::*;

use super::workers::{WorkersCard, load_workers};
use crate::{
    request::PageRequest,
    settings::{
        Tasks,
        model::{TaskState, TaskStatus},
    },
    ui::{
        Clockface, Column, Moment, PageHead, PageTitle, SetTitle, StatusBadge, Table, Tone,
        pagination::grouped,
    },
};

const COLUMNS: &[Column] = &[
    Column::text("Task"),
    Column::text("State"),
    Column::number("Since"),
    Column::number("Restarts"),
    Column::number("Last sign of life"),
];

#[component]
pub fn TasksPage() -> impl IntoView {
    let (Some(request), Some(tasks)) =
        (PageRequest::from_context(), use_context::<Arc<dyn Tasks>>())
    else {
        return ().into_any();
    };
    let workers = load_workers();
    let clock = Clockface::of(&request);
    let mut tasks = tasks.list();
    tasks.sort_by_key(|task| (!is_ill(task), task.name.clone()));
    let lede = lede(&tasks);
    let rows = tasks.into_iter().map(|task| row(task, &clock)).collect_view();
    view! {
        <SetTitle title=PageTitle::BackgroundTasks />
        <PageHead title="Background tasks" lede=lede.into_any() />
        <div class="card">
            <Table caption="Background tasks of this process" columns=COLUMNS>
                {rows}
            </Table>
        </div>
        <WorkersCard found=workers clock />
    }
    .into_any()
}

fn is_ill(task: &TaskState) -> bool {
    task.state == TaskStatus::BackingOff
}

fn lede(tasks: &[TaskState]) -> String {
    let ill = tasks.iter().filter(|task| is_ill(task)).count();
    let all = tasks.len();
    match ill {
        0 if all == 0 => "No task has been started in this process.".to_owned(),
        0 => format!("{all} tasks of this process, none of them failing."),
        n => format!(
            "{n} of {all} tasks of this process {} failing.",
            if n == 1 { "is" } else { "are" }
        ),
    }
}

fn row(task: TaskState, clock: &Clockface) -> impl IntoView + use<> {
    let (tone, word) = match task.state {
        TaskStatus::Running => (Tone::Ok, "running"),
        TaskStatus::BackingOff => (Tone::Warn, "backing off"),
        TaskStatus::Finished => (Tone::Plain, "finished"),
        TaskStatus::Stopped => (Tone::Plain, "stopped"),
    };
    let restarts = grouped(i64::try_from(task.restarts).unwrap_or(i64::MAX));
    let beat = match task.last_beat {
        Some(at) => view! { <Moment at clock=clock.clone() /> }.into_any(),
        None => "–".into_any(),
    };
    view! {
        <tr>
            <td>
                <span class="name">{task.name}</span>
                <div class="why">{task.what}</div>
                {task.last_error.map(|error| view! { <div class="why bad">{error}</div> })}
            </td>
            <td>
                <StatusBadge tone word />
            </td>
            <td class="num">
                <Moment at=task.since clock=clock.clone() />
            </td>
            <td class="num">{restarts}</td>
            <td class="num">{beat}</td>
        </tr>
    }
}
