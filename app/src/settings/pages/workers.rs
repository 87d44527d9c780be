//! The processes that work on operations, on the page of background tasks.

use std::sync::Arc;

use leptos::prelude::*;

use crate::{
    error::ApiError,
    identity::permit,
    operations::{
        View,
        workers::{WorkerProcess, Workers},
    },
    request::PageRequest,
    ui::{
        Alert, Card, Clockface, Column, Loaded, Moment, StatusBadge, Table, Tone, load,
        pagination::grouped,
    },
};

const COLUMNS: &[Column] = &[
    Column::text("Process"),
    Column::text("State"),
    Column::text("Queues"),
    Column::number("Workers"),
    Column::text("Version"),
    Column::number("Started"),
    Column::number("Last heard of"),
];

type Found = Result<Vec<WorkerProcess>, ApiError>;

/// Starts asking; to be called at the top of the page.
pub fn load_workers() -> Resource<Loaded<Found>> {
    load(|| {
        let caller = PageRequest::from_context().and_then(|request| request.caller);
        let workers = use_context::<Arc<dyn Workers>>();
        async move {
            let caller = caller.ok_or(ApiError::SignIn)?;
            let permit = permit::<View>(&caller).await?;
            // Only a wiring fault of ours can leave the service out.
            let workers = workers.ok_or(ApiError::Internal(caller.request_id.clone()))?;
            workers.workers(&permit).await
        }
    })
}

#[component]
pub fn WorkersCard(found: Resource<Loaded<Found>>, clock: Clockface) -> impl IntoView {
    view! {
        <Suspense>
            {move || {
                let clock = clock.clone();
                Suspend::new(async move {
                    match &*found.await {
                        Ok(workers) => card(workers, &clock),
                        // The tasks above are of this process and stand, whatever the store says.
                        Err(error) => unavailable(error),
                    }
                })
            }}
        </Suspense>
    }
}

fn unavailable(error: &ApiError) -> AnyView {
    let sentence = error.to_string();
    view! {
        <Alert tone=Tone::Bad title="Who works on operations could not be read">
            <p>
                {sentence} " " <a href="">"Try again"</a>
            </p>
        </Alert>
    }
    .into_any()
}

fn card(workers: &[WorkerProcess], clock: &Clockface) -> AnyView {
    let alive = workers.iter().filter(|worker| worker.alive).count();
    let remark = format!("{alive} alive").into_any();
    if workers.is_empty() {
        return view! {
            <Card title="Processes that work on operations" remark>
                <p>
                    "None: operations wait until a console runs with workers, or "
                    <code>"quarterdeck work"</code> " does."
                </p>
            </Card>
        }
        .into_any();
    }
    let rows = workers.iter().map(|worker| row(worker, clock)).collect_view();
    view! {
        <Card title="Processes that work on operations" remark flush=true>
            <Table caption="Processes that work on operations" columns=COLUMNS>
                {rows}
            </Table>
        </Card>
    }
    .into_any()
}

fn row(worker: &WorkerProcess, clock: &Clockface) -> impl IntoView + use<> {
    let (tone, word) = if worker.alive { (Tone::Ok, "alive") } else { (Tone::Warn, "gone") };
    view! {
        <tr>
            <td>
                <span class="name">{worker.name.clone()}</span>
            </td>
            <td>
                <StatusBadge tone word />
            </td>
            <td>{worker.queues.join(", ")}</td>
            <td class="num">{grouped(worker.workers)}</td>
            <td>{worker.version.clone()}</td>
            <td class="num">
                <Moment at=worker.started_at clock=clock.clone() />
            </td>
            <td class="num">
                <Moment at=worker.heartbeat_at clock=clock.clone() />
            </td>
        </tr>
    }
}
