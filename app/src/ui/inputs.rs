//! The fields of a form, each with its label, and with what was typed when the form comes back refused.

use leptos::prelude::*;

use crate::request::RefusedForm;

/// What was typed into the form that this page draws, when it was refused.
#[derive(Clone, Copy)]
pub struct Typed<'a>(pub Option<&'a RefusedForm>);

impl<'a> Typed<'a> {
    /// Of the form of this name only.
    pub fn of(refused: Option<&'a RefusedForm>, form: &str) -> Self {
        Self(refused.filter(|refused| refused.form == form))
    }

    /// Of the form whose field `key` holds this value too: of many alike, the one that was sent.
    #[must_use]
    pub fn about(self, key: &str, value: &str) -> Self {
        Self(self.0.filter(|refused| refused.value(key) == Some(value)))
    }

    pub fn value(self, key: &str) -> Option<String> {
        self.0.and_then(|refused| refused.value(key)).map(str::to_owned)
    }

    pub fn has(self, key: &str, value: &str) -> bool {
        self.0.is_some_and(|refused| refused.values.iter().any(|(k, v)| k == key && v == value))
    }

    pub fn error(self) -> Option<crate::error::ApiError> {
        self.0.map(|refused| refused.error.clone())
    }
}

pub fn hidden(name: &'static str, value: impl Into<String>) -> AnyView {
    view! { <input type="hidden" name=name value=value.into() /> }.into_any()
}

/// `hint` stands below the field and is read with it.
pub fn text(
    label: &'static str,
    name: &'static str,
    value: Option<String>,
    hint: Option<&'static str>,
) -> AnyView {
    let hint = hint.map(|hint| view! { <span class="faint">{hint}</span> });
    view! {
        <label class="named">
            <span>{label}</span>
            <input class="field" name=name value=value.unwrap_or_default() autocomplete="off" />
            {hint}
        </label>
    }
    .into_any()
}

/// A few lines of text, `most` characters at most. What is too short the server says, since a browser counts blanks.
pub fn words(
    label: &'static str,
    name: &'static str,
    value: Option<String>,
    most: usize,
    hint: String,
) -> AnyView {
    view! {
        <label class="named">
            <span>{label}</span>
            <textarea class="field" name=name rows="3" required maxlength=most>
                {value.unwrap_or_default()}
            </textarea>
            <span class="faint">{hint}</span>
        </label>
    }
    .into_any()
}

/// Choices by value and label; the first when nothing was chosen.
pub fn select(
    label: &'static str,
    name: &'static str,
    choices: impl IntoIterator<Item = (String, String)>,
    chosen: Option<&str>,
) -> AnyView {
    let options = choices
        .into_iter()
        .map(|(value, label)| {
            let selected = chosen == Some(value.as_str());
            view! {
                <option value=value selected=selected>
                    {label}
                </option>
            }
        })
        .collect_view();
    view! {
        <label class="named">
            <span>{label}</span>
            <select class="field" name=name>
                {options}
            </select>
        </label>
    }
    .into_any()
}

/// Any of several, each with a word about it.
pub fn checks(
    legend: &'static str,
    name: &'static str,
    choices: impl IntoIterator<Item = (String, bool)>,
) -> AnyView {
    let boxes = choices
        .into_iter()
        .map(|(value, checked)| {
            view! {
                <label>
                    <input type="checkbox" name=name value=value.clone() checked=checked />
                    <code>{value}</code>
                </label>
            }
        })
        .collect_view();
    view! {
        <fieldset class="checks">
            <legend>{legend}</legend>
            {boxes}
        </fieldset>
    }
    .into_any()
}
