//! Keys in a table, and the form that makes one.

use leptos::prelude::*;

use super::place_of;
use crate::{
    identity::{
        Capability,
        model::{ApiKey, KeyState},
    },
    time::Micros,
    ui::{
        Clockface, Column, ConfirmForm, Moment, StatusBadge, Tone,
        inputs::{self, Typed},
    },
};

pub const KEY_COLUMNS: &[Column] = &[
    Column::text("Key"),
    Column::text("State"),
    Column::text("Stands for"),
    Column::text("Reaches"),
    Column::number("Last used"),
    Column::number("Ends"),
    Column::text("Action"),
];

/// So many are told at once; of more, how many there are, and all on a click.
const NAMED: usize = 3;

fn names(capabilities: &[Capability]) -> AnyView {
    let names = capabilities.iter().map(|c| c.as_str()).collect::<Vec<_>>().join(", ");
    if capabilities.len() <= NAMED {
        return view! { <div class="why">{names}</div> }.into_any();
    }
    let count = format!("{} capabilities", capabilities.len());
    view! {
        <details class="why">
            <summary>{count}</summary>
            {names}
        </details>
    }
    .into_any()
}

/// One key. `action` is the page that revokes it, when this caller may.
pub fn key_row(
    key: &ApiKey,
    clock: &Clockface,
    action: Option<String>,
    typed: Typed<'_>,
) -> AnyView {
    let tone = match key.state {
        KeyState::Active => Tone::Ok,
        KeyState::Expired | KeyState::Revoked => Tone::Plain,
        KeyState::OwnerDisabled => Tone::Warn,
    };
    let whose = match (&key.owner, &key.service_identity) {
        (Some(owner), _) => owner.name.clone(),
        (None, Some(service)) => format!("service {service}"),
        (None, None) => "nobody".to_owned(),
    };
    let names = names(&key.capabilities);
    let open = matches!(key.state, KeyState::Active | KeyState::OwnerDisabled);
    let action = action.filter(|_| open).map(|action| revoke(key, action, typed));
    let made = format!("made by {} ", key.created_by_name);
    view! {
        <tr>
            <td>
                <span class="name">{key.name.clone()}</span>
                " "
                <code class="dim">{key.prefix.clone()} "…"</code>
                {names}
                <div class="why">{made} <Moment at=key.created_at clock=clock.clone() /></div>
            </td>
            <td>
                <StatusBadge tone word=key.state.label() />
            </td>
            <td>
                <span class="short">{whose}</span>
            </td>
            <td>
                <span class="short">{place_of(key.workspace.as_ref())}</span>
            </td>
            <td class="num">{moment(key.used_at, "never", clock)}</td>
            <td class="num">{moment(key.expires_at, "never", clock)}</td>
            <td>{action}</td>
        </tr>
    }
    .into_any()
}

fn moment(at: Option<Micros>, otherwise: &'static str, clock: &Clockface) -> AnyView {
    match at {
        Some(at) => view! { <Moment at clock=clock.clone() /> }.into_any(),
        None => otherwise.into_any(),
    }
}

fn revoke(key: &ApiKey, action: String, typed: Typed<'_>) -> AnyView {
    let refused = typed.about("id", &key.id).error();
    let id = key.id.clone();
    let consequence = format!(
        "Whatever uses {} is refused from now on, and so is every key that was made with it.",
        key.name
    );
    view! {
        <ConfirmForm ask="Revoke…" confirm="Revoke" consequence action danger=true refused>
            {inputs::hidden("do", "revoke")}
            {inputs::hidden("id", id)}
        </ConfirmForm>
    }
    .into_any()
}

/// Makes a key.
#[expect(
    clippy::elidable_lifetime_names,
    reason = "the props of a component are a struct, which must name it"
)]
#[component]
pub fn KeyForm<'a>(
    /// In `do`: `mint` or `import`.
    does: &'static str,
    ask: &'static str,
    confirm: &'static str,
    consequence: &'static str,
    action: String,
    /// What may be chosen.
    mine: Vec<Capability>,
    places: Vec<(String, String)>,
    /// For a service, which has a name.
    service: bool,
    typed: Typed<'a>,
) -> impl IntoView {
    let service = service.then(|| {
        let hint = Some("What uses the key: it stands in the audit log.");
        inputs::text("Service", "service_identity", typed.value("service_identity"), hint)
    });
    let key = (does == "import").then(secret);
    let lasts = [
        ("30", "30 days"),
        ("7", "7 days"),
        ("90", "90 days"),
        ("365", "a year"),
        ("never", "until it is revoked"),
    ];
    let lasts = lasts.map(|(value, label)| (value.to_owned(), label.to_owned()));
    let chosen = typed.value("expires_in_days");
    let place = typed.value("workspace_id");
    let boxes = mine.iter().map(|c| (c.as_str().to_owned(), typed.has("capabilities", c.as_str())));
    let boxes = boxes.collect::<Vec<_>>();
    let name = typed.value("name");
    view! {
        <ConfirmForm ask confirm consequence action refused=typed.error()>
            {inputs::hidden("do", does)}
            {inputs::text("Name", "name", name, None)}
            {service}
            {key}
            {inputs::select("Reaches", "workspace_id", places, place.as_deref())}
            {inputs::select("Lasts", "expires_in_days", lasts, chosen.as_deref())}
            {inputs::checks("May at most", "capabilities", boxes)}
        </ConfirmForm>
    }
}

/// Never filled in again: what was typed does not come back.
fn secret() -> AnyView {
    view! {
        <label class="named">
            <span>"Existing key"</span>
            <input class="field" type="password" name="key" autocomplete="off" />
            <span class="faint">"16 to 256 printable characters. It is kept as a hash."</span>
        </label>
    }
    .into_any()
}
