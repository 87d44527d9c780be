//! A posted form, read field by field: a field that nobody asked for is refused, and so is one that stands twice.

use app::{
    error::{ApiError, Expected, Rule, Violation},
    request::RefusedForm,
};
use axum::extract::Request;

use super::{json, query};
use crate::console::Console;

/// What a form sent. Each reading takes the field out; [`Form::end`] refuses what is left.
pub struct Form {
    fields: Vec<(String, String)>,
    /// As sent, for the page that shows a refused form again.
    sent: Vec<(String, String)>,
    violations: Vec<Violation>,
}

impl Form {
    pub async fn read(console: &Console, request: Request) -> Result<Self, ApiError> {
        let body = json::body(request, &console).await?;
        let malformed = || ApiError::invalid("body", Rule::Malformed { expected: Expected::Utf8 });
        let fields = query::pairs(std::str::from_utf8(&body).map_err(|_| malformed())?)?;
        Ok(Self { sent: fields.clone(), fields, violations: Vec::new() })
    }

    /// Several of the same name: checkboxes.
    pub fn all(&mut self, key: &str) -> Vec<String> {
        let (of_key, rest) =
            std::mem::take(&mut self.fields).into_iter().partition(|(k, _)| k == key);
        self.fields = rest;
        let of_key: Vec<(String, String)> = of_key;
        of_key.into_iter().map(|(_, value)| value).collect()
    }

    /// None when it is absent or empty: a browser sends every field of a form.
    pub fn optional(&mut self, key: &str) -> Option<String> {
        let mut values = self.all(key);
        if values.len() > 1 {
            self.violations.push(Violation::new(key, Rule::Repeated));
        }
        values.pop().filter(|value| !value.trim().is_empty())
    }

    /// Empty when it is missing, which is told in the end.
    pub fn required(&mut self, key: &str) -> String {
        self.optional(key).unwrap_or_else(|| {
            self.violations.push(Violation::new(key, Rule::Required));
            String::new()
        })
    }

    pub fn integer(&mut self, key: &str) -> Option<i64> {
        let text = self.optional(key)?;
        let number = text.trim().parse().ok();
        if number.is_none() {
            self.refuse(key, Rule::Malformed { expected: Expected::Integer });
        }
        number
    }

    /// One of the words of a type; `allowed` is what the refusal names.
    pub fn word<T: std::str::FromStr>(&mut self, key: &str, allowed: &[&str]) -> Option<T> {
        let word = self.required(key).parse().ok();
        if word.is_none() {
            let allowed = allowed.iter().map(|word| (*word).to_owned()).collect();
            self.refuse(key, Rule::OneOf { allowed });
        }
        word
    }

    pub fn refuse(&mut self, key: &str, rule: Rule) {
        // What is missing is told once.
        if !self.violations.iter().any(|violation| violation.field == key) {
            self.violations.push(Violation::new(key, rule));
        }
    }

    /// All that was wrong, what nobody asked for included.
    pub fn end(&mut self) -> Result<(), ApiError> {
        let unknown = std::mem::take(&mut self.fields).into_iter();
        self.violations.extend(unknown.map(|(key, _)| Violation::new(key, Rule::UnknownField)));
        let violations = std::mem::take(&mut self.violations);
        if violations.is_empty() { Ok(()) } else { Err(ApiError::Invalid(violations)) }
    }

    /// Everything as it was sent.
    pub fn sent(self) -> Vec<(String, String)> {
        self.sent
    }

    /// For the page that shows the form again: what was typed, but no secret.
    pub fn refused(self, form: &'static str, secret: &[&str], error: ApiError) -> RefusedForm {
        let values = self.sent.into_iter().filter(|(key, _)| !secret.contains(&key.as_str()));
        RefusedForm { form, values: values.collect(), error }
    }
}
