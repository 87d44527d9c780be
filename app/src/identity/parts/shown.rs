//! What is shown on one answer and never again.

use leptos::prelude::*;

use crate::{
    identity::model::ShownOnce,
    ui::{Alert, Clockface, CopyId, Moment, Tone},
};

pub fn shown_once(shown: &ShownOnce, clock: &Clockface) -> AnyView {
    match shown {
        ShownOnce::Link { name, link } => {
            let whose = if name.is_empty() { "this person".to_owned() } else { name.clone() };
            let (text, until, clock) = (link.link.clone(), link.expires_at, clock.clone());
            view! {
                <Alert tone=Tone::Ok title="Hand this link over">
                    <p>{format!("With it {whose} chooses a password. It works once, is shown only now, and ends ")}
                        <Moment at=until clock /> "."</p>
                    <p class="secret"><CopyId text /></p>
                </Alert>
            }
            .into_any()
        }
        ShownOnce::Key(minted) => {
            let text = minted.token.as_ref().map(|token| token.0.clone()).unwrap_or_default();
            let title = format!("The key {}", minted.key.name);
            let rights = minted.key.owner.is_none().then_some(
                " It stands for a service and may do nothing until something is granted to it.",
            );
            view! {
                <Alert tone=Tone::Ok title>
                    <p>"Copy it now: it is shown only this once and kept nowhere." {rights}</p>
                    <p class="secret"><CopyId text /></p>
                </Alert>
            }
            .into_any()
        }
    }
}
