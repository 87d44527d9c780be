//! `/settings/workspaces`: whose everything is.

use leptos::prelude::*;

use crate::{
    error::ApiError,
    identity::{Capability, Reach, View, enter},
    list::{ListQuery, Page},
    paths,
    request::{PageRequest, RefusedForm},
    ui::{
        Alert, Clockface, ConfirmForm, Moment, PageHead, PageTitle, SetTitle, StatusBadge, Tone,
        answer::{see_other, set_status},
        failure::Failure,
        filters::Suggestions,
        inputs::{self, Typed},
        listing::{Asked, Listing},
        load,
        pagination::capped,
    },
    workspaces::{
        Workspaces,
        model::{FILTERS, Tenant, Workspace},
    },
};

const LISTING: Listing = Listing {
    filters: FILTERS,
    primary: 2,
    href: |query| paths::filtered(paths::workspaces(), query),
};

#[component]
pub fn WorkspacesPage() -> impl IntoView {
    let Some(request) = PageRequest::from_context() else { return ().into_any() };
    let asked = LISTING.read(&request);
    if let Asked::Elsewhere(address) = &asked {
        see_other(address);
        return ().into_any();
    }
    let content = load({
        let asked = asked.clone();
        move || fetch(asked.clone())
    });
    view! {
        <SetTitle title=PageTitle::Workspaces />
        <Suspense>
            {move || {
                let (request, asked) = (request.clone(), asked.clone());
                Suspend::new(async move { draw(&request, asked, &*content.await) })
            }}
        </Suspense>
    }
    .into_any()
}

fn fetch(asked: Asked) -> impl Future<Output = Result<Page<Workspace>, ApiError>> + Send {
    let entered = enter::<View, dyn Workspaces>();
    async move {
        let (permit, workspaces) = entered.await?;
        match asked {
            Asked::List(query) => workspaces.list(&permit, &query).await,
            Asked::Refused(violations) => Err(ApiError::Invalid(violations)),
            Asked::Elsewhere(_) => Ok(Page::default()),
        }
    }
}

fn draw(
    request: &PageRequest,
    asked: Asked,
    content: &Result<Page<Workspace>, ApiError>,
) -> AnyView {
    let (page, query) = match (content, asked) {
        (Ok(page), Asked::List(query)) => (page, query),
        (_, Asked::Refused(violations)) => {
            return view! {
                <PageHead title="Workspaces" />
                {LISTING.refused(request, &violations)}
            }
            .into_any();
        }
        (Err(error), _) => return view! { <Failure error=error.clone() /> }.into_any(),
        (Ok(_), Asked::Elsewhere(_)) => return ().into_any(),
    };
    let clock = Clockface::of(request);
    let reach = request.caller.as_ref().and_then(|c| c.reach(Capability::SettingsManage));
    let changes = reach == Some(Reach::Everything);
    let refused = request.refused.as_ref();
    let cards = page.items.iter().map(|workspace| card(workspace, changes, refused, &clock));
    let list = if page.items.is_empty() {
        LISTING.empty(&query, "No workspace within reach", "What is granted to you reaches none.")
    } else {
        cards.collect_view().into_any()
    };
    view! {
        <PageHead title="Workspaces" lede=lede(page, &query).into_any() />
        {create(page, changes, refused)}
        {LISTING.bar(request, &query, &Suggestions::default())}
        {list}
        {LISTING.pages(page, &query)}
    }
    .into_any()
}

fn lede(page: &Page<Workspace>, query: &ListQuery) -> String {
    let total = capped(page.total, page.total_capped);
    match (page.total, query.is_filtered()) {
        (1, true) => "1 workspace matches.".to_owned(),
        (1, false) => "1 workspace. Grants reach one of them or everything.".to_owned(),
        (_, true) => format!("{total} workspaces match."),
        (_, false) => format!("{total} workspaces. Grants reach one of them or everything."),
    }
}

/// A refusal is told at the thing that it is about, when that stands on this page.
fn is_drawn(page: &Page<Workspace>, refused: &RefusedForm) -> bool {
    let id = refused.value("id").and_then(|id| id.parse::<i64>().ok());
    let open = |w: &&Workspace| !w.built_in && w.archived_at.is_none();
    match refused.form {
        "create" => true,
        "rename" | "archive" => page.items.iter().filter(open).any(|w| Some(w.id) == id),
        "create_tenant" => page.items.iter().any(|w| w.archived_at.is_none() && Some(w.id) == id),
        "rename_tenant" | "archive_tenant" => {
            let mut tenants = page.items.iter().flat_map(|w| &w.tenants);
            tenants.any(|tenant| tenant.archived_at.is_none() && Some(tenant.id) == id)
        }
        _ => false,
    }
}

fn create(page: &Page<Workspace>, changes: bool, refused: Option<&RefusedForm>) -> AnyView {
    let stray = refused.filter(|refused| !(changes && is_drawn(page, refused))).map(|refused| {
        set_status(refused.error.status());
        let sentence = refused.error.to_string();
        view! {
            <Alert tone=Tone::Bad title="Not done">
                <p>{sentence}</p>
            </Alert>
        }
    });
    if !changes {
        let needed = Capability::SettingsManage.as_str();
        return view! {
            {stray}
            <p class="dim">
                "Changing workspaces needs the capability " <code>{needed}</code> " on everything."
            </p>
        }
        .into_any();
    }
    let typed = Typed::of(refused, "create");
    let name = inputs::text("Name", "name", typed.value("name"), None);
    view! {
        {stray}
        <ConfirmForm
            ask="Create a workspace…"
            confirm="Create"
            consequence="Nobody but those with grants on everything sees what it has, until something is granted on it."
            action=paths::workspaces()
            refused=typed.error()
        >
            {inputs::hidden("do", "create")}
            {name}
        </ConfirmForm>
    }
    .into_any()
}

fn card(
    workspace: &Workspace,
    changes: bool,
    refused: Option<&RefusedForm>,
    clock: &Clockface,
) -> AnyView {
    let archived = workspace.archived_at.map(|at| {
        view! {
            <span>
                <StatusBadge tone=Tone::Waiting word="archived" />
                " "
                <Moment at clock=clock.clone() />
            </span>
        }
    });
    let built_in = workspace.built_in.then_some("built in");
    let tenants = if workspace.tenants.is_empty() {
        view! { <p class="faint">"No tenants."</p> }.into_any()
    } else {
        let open = workspace.archived_at.is_none() && changes;
        let lines = workspace.tenants.iter().map(|t| tenant(t, open, refused, clock));
        view! { <ul class="plain stack tight">{lines.collect_view()}</ul> }.into_any()
    };
    let forms = (changes && workspace.archived_at.is_none()).then(|| forms(workspace, refused));
    view! {
        <article class="card" aria-label=workspace.name.clone()>
            <header>
                <h2>
                    {workspace.name.clone()} " "
                    <span class="faint num">{format!("#{}", workspace.id)}</span>
                </h2>
                <span class="dim">{built_in} {archived}</span>
            </header>
            <div class="body stack tight">{tenants} {forms}</div>
        </article>
    }
    .into_any()
}

fn forms(workspace: &Workspace, refused: Option<&RefusedForm>) -> AnyView {
    let id = workspace.id.to_string();
    let typed = |form: &str| Typed::of(refused, form).about("id", &id);
    let change = (!workspace.built_in).then(|| {
        let what = "Its name is only a name: grants and what it has stay.";
        let name = typed("rename").value("name").or_else(|| Some(workspace.name.clone()));
        let rename = named("Rename…", "Save", what, "rename", &id, name, typed("rename"));
        let consequence = format!(
            "{} takes nothing new from then on: no operations, grants, keys or tenants. What it has stays to be read. This cannot be undone.",
            workspace.name
        );
        let archive = archive("archive", &id, consequence, typed("archive"));
        view! { {rename} {archive} }
    });
    let typed = typed("create_tenant");
    let name = typed.value("name");
    let what = "A part of this workspace, to tell apart whose an operation is.";
    let tenant = named("Add a tenant…", "Add", what, "create_tenant", &id, name, typed);
    view! { <div class="forms">{tenant} {change}</div> }.into_any()
}

fn tenant(
    tenant: &Tenant,
    changes: bool,
    refused: Option<&RefusedForm>,
    clock: &Clockface,
) -> impl IntoView + use<> {
    let id = tenant.id.to_string();
    let archived = tenant.archived_at.map(|at| {
        view! {
            " "
            <span class="faint">"archived " <Moment at clock=clock.clone() /></span>
        }
    });
    let forms = (changes && tenant.archived_at.is_none()).then(|| {
        let typed = |form: &str| Typed::of(refused, form).about("id", &id);
        let name = typed("rename_tenant").value("name").or_else(|| Some(tenant.name.clone()));
        let what = "Its name is only a name: what it has stays.";
        let rename =
            named("Rename…", "Save", what, "rename_tenant", &id, name, typed("rename_tenant"));
        let consequence =
            format!("{} takes nothing new from then on. This cannot be undone.", tenant.name);
        let archive = archive("archive_tenant", &id, consequence, typed("archive_tenant"));
        view! { <div class="forms">{rename} {archive}</div> }
    });
    view! {
        <li>
            <span class="name">{tenant.name.clone()}</span>
            " "
            <span class="faint num">{format!("#{}", tenant.id)}</span>
            {archived}
            {forms}
        </li>
    }
}

fn named(
    ask: &'static str,
    confirm: &'static str,
    consequence: &'static str,
    does: &'static str,
    id: &str,
    name: Option<String>,
    typed: Typed<'_>,
) -> AnyView {
    let id = inputs::hidden("id", id);
    view! {
        <ConfirmForm ask confirm consequence action=paths::workspaces() refused=typed.error()>
            {inputs::hidden("do", does)}
            {id}
            {inputs::text("Name", "name", name, None)}
        </ConfirmForm>
    }
    .into_any()
}

fn archive(does: &'static str, id: &str, consequence: String, typed: Typed<'_>) -> AnyView {
    let id = inputs::hidden("id", id);
    view! {
        <ConfirmForm
            ask="Archive…"
            confirm="Archive"
            consequence
            action=paths::workspaces()
            danger=true
            refused=typed.error()
        >
            {inputs::hidden("do", does)}
            {id}
        </ConfirmForm>
    }
    .into_any()
}
