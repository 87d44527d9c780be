//! What home says to those who may see none of its sources: what they may do, and who grants more.

use leptos::prelude::*;

use crate::{
    identity::{Caller, Capability},
    paths,
    shell::places_of,
    ui::{Card, PageHead},
};

pub fn welcome(caller: &Caller) -> AnyView {
    let capabilities = caller.capabilities();
    let lede = if capabilities.is_empty() {
        "You are signed in, and nothing is granted to you yet. Ask an admin of this console for a role."
    } else {
        "What needs a human is not shown to you: none of what you may see has such a list."
    };
    view! {
        <PageHead title="Welcome" lede=lede.into_any() />
        {open_to(caller)}
        {held(&capabilities)}
    }
    .into_any()
}

/// The pages that this caller may open.
fn open_to(caller: &Caller) -> AnyView {
    let mut places = places_of(caller);
    places.push(("Your account", paths::account()));
    let links = places.into_iter().map(|(label, href)| {
        view! {
            <li>
                <a href=href>{label}</a>
            </li>
        }
    });
    let links = links.collect_view();
    view! {
        <Card title="Open to you">
            <ul class="plain stack tight">{links}</ul>
        </Card>
    }
    .into_any()
}

fn held(capabilities: &[Capability]) -> AnyView {
    let needed =
        [Capability::AccessSystemPanel, Capability::OperationsView].map(Capability::as_str);
    let [panel, view_operations] = needed;
    let list = capabilities.iter().map(|capability| {
        view! {
            <li>
                <code>{capability.as_str()}</code>
            </li>
        }
    });
    let list = (!capabilities.is_empty()).then(|| {
        view! { <ul class="plain stack tight">{list.collect_view()}</ul> }
    });
    view! {
        <Card title="What you may do">
            <div class="stack tight">
                {list}
                <p class="dim">
                    "Seeing operations that failed or do not move needs the capabilities "
                    <code>{panel}</code> " and " <code>{view_operations}</code> "."
                </p>
            </div>
        </Card>
    }
    .into_any()
}
