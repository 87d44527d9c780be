//! `/account/keys`: the keys of whoever asks, made with a part of their own rights.

use leptos::prelude::*;

use crate::{
    error::ApiError,
    identity::{
        Caller, Capability, Keys, Reach, enter_as_caller,
        model::{ApiKey, KEY_FILTERS},
        parts::{KEY_COLUMNS, KeyForm, key_row, shown_once, stray},
    },
    list::Page,
    paths,
    request::PageRequest,
    ui::{
        Clockface, PageHead, PageTitle, SetTitle, Table,
        answer::see_other,
        failure::Failure,
        inputs::Typed,
        listing::{Asked, Listing},
        load,
    },
};

const LISTING: Listing = Listing {
    filters: KEY_FILTERS,
    primary: 2,
    href: |query| paths::filtered(paths::own_keys(), query),
};

#[derive(Default)]
struct Content {
    page: Page<ApiKey>,
    /// Whether there is an account that a key could belong to.
    owns: bool,
}

#[component]
pub fn OwnKeysPage() -> impl IntoView {
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
        <SetTitle title=PageTitle::OwnKeys />
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
    let entered = enter_as_caller::<dyn Keys>();
    async move {
        let (caller, keys) = entered?;
        let owns = keys.find_owner(&caller).await?.is_some();
        let page = match asked {
            Asked::List(query) => keys.list_own(&caller, &query).await?,
            Asked::Refused(violations) => return Err(ApiError::Invalid(violations)),
            Asked::Elsewhere(_) => Page::default(),
        };
        Ok(Content { page, owns })
    }
}

fn draw(request: &PageRequest, asked: Asked, content: &Result<Content, ApiError>) -> AnyView {
    let (content, query) = match (content, asked) {
        (Ok(content), Asked::List(query)) => (content, query),
        (_, Asked::Refused(violations)) => {
            return view! {
                <PageHead title="Your API keys" />
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
    let rows = content.page.items.iter();
    let rows = rows.map(|key| key_row(key, &clock, Some(paths::own_keys()), typed)).collect_view();
    let list = if content.page.items.is_empty() {
        LISTING.empty(
            &query,
            "No keys of yours",
            "A key lets a script of yours in with a part of your rights.",
        )
    } else {
        view! {
            <div class="card">
                <Table caption="Your keys, newest first" columns=KEY_COLUMNS>
                    {rows}
                </Table>
            </div>
        }
        .into_any()
    };
    let lede = "For scripts of yours. None may more than you may at the time, and all end when your account does.";
    view! {
        <PageHead title="Your API keys" lede=lede.into_any() />
        {request.shown.as_ref().map(|shown| shown_once(shown, &clock))}
        {form(request, caller, content)}
        {list}
        {LISTING.pages(&content.page, &query)}
    }
    .into_any()
}

fn form(request: &PageRequest, caller: &Caller, content: &Content) -> AnyView {
    let refused = request.refused.as_ref();
    let mine = caller.capabilities();
    let at_row = refused.is_some_and(|form| {
        form.form == "revoke"
            && content.page.items.iter().any(|key| form.value("id") == Some(key.id.as_str()))
    });
    let own = refused.is_some_and(|form| form.form == "mint") && content.owns;
    let stray = stray(refused, own || at_row);
    if !content.owns || mine.is_empty() {
        let why = if content.owns {
            "A key holds a part of your rights, and nothing is granted to you."
        } else {
            "A key belongs to an account, and this is none."
        };
        return view! { {stray} <p class="dim">{why}</p> }.into_any();
    }
    let typed = Typed::of(refused, "mint");
    view! {
        {stray}
        <KeyForm
            does="mint"
            ask="Make a key…"
            confirm="Make the key"
            consequence="It may do what is ticked, as long as you may. It is shown once."
            action=paths::own_keys()
            mine=mine.clone()
            places=places(caller, &mine)
            service=false
            typed
        />
    }
    .into_any()
}

/// Wherever the owner's rights reach, or one of the workspaces that any of them reaches by its number: names are for those
/// who see identity.
fn places(caller: &Caller, mine: &[Capability]) -> Vec<(String, String)> {
    let mut ids = mine
        .iter()
        .filter_map(|capability| match caller.reach(*capability) {
            Some(Reach::Workspaces(ids)) => Some(ids),
            _ => None,
        })
        .flatten()
        .collect::<Vec<_>>();
    ids.sort_unstable();
    ids.dedup();
    let wherever = ("everything".to_owned(), "Wherever your rights reach".to_owned());
    let within = ids.into_iter().map(|id| (id.to_string(), format!("Workspace {id} only")));
    std::iter::once(wherever).chain(within).collect()
}
