//! `/settings/keys`: what do machines sign in with, and for whom?

use leptos::prelude::*;

use crate::{
    error::ApiError,
    identity::{
        Caller, Capability, Keys, Reach, View, enter,
        model::{ApiKey, KEY_FILTERS},
        parts::{KEY_COLUMNS, KeyForm, key_row, lacking, places, shown_once, stray},
    },
    list::{ListQuery, Page},
    paths,
    request::PageRequest,
    ui::{
        Clockface, PageHead, PageTitle, SetTitle, Table,
        answer::see_other,
        failure::Failure,
        filters::Suggestions,
        inputs::Typed,
        listing::{Asked, Listing},
        load,
        pagination::capped,
    },
    workspaces::{Workspaces, model::Workspace},
};

const LISTING: Listing = Listing {
    filters: KEY_FILTERS,
    primary: 2,
    href: |query| paths::filtered(paths::keys(), query),
};

#[derive(Default)]
struct Content {
    page: Page<ApiKey>,
    workspaces: Vec<Workspace>,
}

#[component]
pub fn KeysPage() -> impl IntoView {
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
        <SetTitle title=PageTitle::Keys />
        <Suspense>
            {move || {
                let (request, asked) = (request.clone(), asked.clone());
                Suspend::new(async move { draw(&request, asked, &*content.await) })
            }}
        </Suspense>
    }
    .into_any()
}

fn fetch(asked: Asked) -> impl Future<Output = Result<Content, ApiError>> + Send {
    let entered = enter::<View, dyn Keys>();
    let workspaces = use_context::<std::sync::Arc<dyn Workspaces>>();
    async move {
        let (permit, keys) = entered.await?;
        let page = match asked {
            Asked::List(query) => keys.list(&permit, &query).await?,
            Asked::Refused(violations) => return Err(ApiError::Invalid(violations)),
            Asked::Elsewhere(_) => return Ok(Content::default()),
        };
        let all = ListQuery::parse(&[], [("page_size".to_owned(), "100".to_owned())]);
        let workspaces = match workspaces {
            Some(workspaces) => workspaces.list(&permit, &all.unwrap_or_default()).await?.items,
            None => Vec::new(),
        };
        Ok(Content { page, workspaces })
    }
}

fn draw(request: &PageRequest, asked: Asked, content: &Result<Content, ApiError>) -> AnyView {
    let (content, query) = match (content, asked) {
        (Ok(content), Asked::List(query)) => (content, query),
        (_, Asked::Refused(violations)) => {
            return view! {
                <PageHead title="API keys" />
                {LISTING.refused(request, &violations)}
            }
            .into_any();
        }
        (Err(error), _) => return view! { <Failure error=error.clone() /> }.into_any(),
        (Ok(_), Asked::Elsewhere(_)) => return ().into_any(),
    };
    let Some(caller) = &request.caller else { return ().into_any() };
    let clock = Clockface::of(request);
    let typed = Typed::of(request.refused.as_ref(), "revoke");
    let action = |key: &ApiKey| {
        let place = Reach::of(key.workspace.as_ref().map(|w| w.id));
        let reach = caller.reach(Capability::IdentityManage);
        reach.is_some_and(|reach| reach.covers(&place)).then(paths::keys)
    };
    let rows = content.page.items.iter().map(|key| key_row(key, &clock, action(key), typed));
    let rows = rows.collect_view();
    let list = if content.page.items.is_empty() {
        LISTING.empty(&query, "No keys yet", "A key lets a script or a service in, with a part of somebody's rights or with its own.")
    } else {
        view! {
            <div class="card">
                <Table caption="API keys, newest first" columns=KEY_COLUMNS>
                    {rows}
                </Table>
            </div>
        }
        .into_any()
    };
    let own = view! {
        <a class="btn" href=paths::own_keys()>
            "Your own keys"
        </a>
    };
    let names = content.workspaces.iter().map(|w| (w.id.to_string(), w.name.clone()));
    let suggestions = Suggestions::default().with("workspace_id", names);
    view! {
        <PageHead
            title="API keys"
            lede=lede(&content.page, &query).into_any()
            actions=own.into_any()
        />
        {request.shown.as_ref().map(|shown| shown_once(shown, &clock))}
        {forms(request, caller, content)}
        {LISTING.bar(request, &query, &suggestions)}
        {list}
        {LISTING.pages(&content.page, &query)}
    }
    .into_any()
}

fn lede(page: &Page<ApiKey>, query: &ListQuery) -> String {
    let total = capped(page.total, page.total_capped);
    match (page.total, query.is_filtered()) {
        (0, _) => "What machines sign in with.".to_owned(),
        (1, true) => "1 key matches.".to_owned(),
        (1, false) => "1 key.".to_owned(),
        (_, true) => format!("{total} keys match."),
        (_, false) => format!("{total} keys, newest first."),
    }
}

fn forms(request: &PageRequest, caller: &Caller, content: &Content) -> AnyView {
    let refused = request.refused.as_ref();
    let manages = caller.may(Capability::IdentityManage);
    let at_row = refused.is_some_and(|form| {
        form.form == "revoke"
            && content.page.items.iter().any(|key| form.value("id") == Some(key.id.as_str()))
    });
    let own = refused.is_some_and(|form| matches!(form.form, "mint" | "import"));
    let stray = stray(refused, manages && (own || at_row));
    if !manages {
        let line = lacking("Keys for services", Capability::IdentityManage, false);
        return view! { {stray} {line} }.into_any();
    }
    let places = places(caller, Capability::IdentityManage, &content.workspaces);
    let mine = caller.capabilities();
    view! {
        {stray}
        <div class="forms">
            <KeyForm
                does="mint"
                ask="Make a key for a service…"
                confirm="Make the key"
                consequence="The key has no owner: it may do what is granted to it afterwards, and no more than is ticked here. It is shown once."
                action=paths::keys()
                mine=mine.clone()
                places=places.clone()
                service=true
                typed=Typed::of(refused, "mint")
            />
            <KeyForm
                does="import"
                ask="Take over an existing key…"
                confirm="Take it over"
                consequence="A service goes on with the key that it has. It is kept as a hash and never shown."
                action=paths::keys()
                mine
                places
                service=true
                typed=Typed::of(refused, "import")
            />
        </div>
    }
    .into_any()
}
