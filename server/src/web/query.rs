//! The query of an address, decoded: every pair valid UTF-8 and without NUL, or the request is refused.

use app::{
    error::{ApiError, Expected, Rule, Violation},
    list::{Filter, ListQuery},
};
use axum::extract::FromRequestParts;
use http::request::Parts;
use percent_encoding::percent_decode;

use super::errors::Failed;

/// Decodes `a=1&b=2`; names and values may repeat.
pub fn pairs(query: &str) -> Result<Vec<(String, String)>, ApiError> {
    let mut pairs = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let key = decode(key).ok_or_else(|| malformed("query"))?;
        let value = decode(value).ok_or_else(|| malformed(&key))?;
        if key.contains('\0') || value.contains('\0') {
            let key = key.replace('\0', "");
            return Err(ApiError::invalid(key, Rule::NulByte));
        }
        pairs.push((key, value));
    }
    Ok(pairs)
}

fn decode(text: &str) -> Option<String> {
    let spaced = text.replace('+', " ");
    percent_decode(spaced.as_bytes()).decode_utf8().ok().map(String::from)
}

fn malformed(field: &str) -> ApiError {
    ApiError::invalid(field, Rule::Malformed { expected: Expected::Utf8 })
}

/// The pairs of the request's query.
#[derive(Clone, Debug)]
pub struct Query(pub Vec<(String, String)>);

impl Query {
    /// Read by a list's filters.
    pub fn list(self, filters: &[Filter]) -> Result<ListQuery, ApiError> {
        ListQuery::parse(filters, self.0).map_err(ApiError::Invalid)
    }

    /// For addresses that take none: a query that is not understood is refused, not ignored.
    pub fn none(self) -> Result<(), ApiError> {
        let unknown: Vec<Violation> =
            self.0.into_iter().map(|(key, _)| Violation::new(key, Rule::UnknownField)).collect();
        if unknown.is_empty() { Ok(()) } else { Err(ApiError::Invalid(unknown)) }
    }
}

impl<S: Sync> FromRequestParts<S> for Query {
    type Rejection = Failed;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failed> {
        Ok(Self(pairs(parts.uri.query().unwrap_or_default())?))
    }
}

/// The whole number that stands for `{id}` in the path.
#[derive(Clone, Copy, Debug)]
pub struct PathId(pub i64);

/// The text that stands for the one parameter of the path.
#[derive(Clone, Debug)]
pub struct PathText(pub String);

impl<S: Send + Sync> FromRequestParts<S> for PathText {
    type Rejection = Failed;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failed> {
        let path = axum::extract::Path::<String>::from_request_parts(parts, state).await;
        let Ok(axum::extract::Path(text)) = path else { return Err(Failed(malformed("path"))) };
        if text.contains('\0') {
            return Err(Failed(ApiError::invalid("path", Rule::NulByte)));
        }
        Ok(Self(text))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for PathId {
    type Rejection = Failed;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failed> {
        let PathText(text) = PathText::from_request_parts(parts, state).await?;
        // `+7` and `007` are other spellings of an address that has one.
        let id = text.parse::<i64>().ok().filter(|id| id.to_string() == text);
        let expected = Rule::Malformed { expected: Expected::Integer };
        id.map(Self).ok_or_else(|| Failed(ApiError::invalid("id", expected)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_decoded_as_a_form_encodes_them() {
        let decoded = pairs("q=a+b%20c%26&status=&flag&&q=%C3%A9").expect("all of it is UTF-8");
        let expected = [("q", "a b c&"), ("status", ""), ("flag", ""), ("q", "é")]
            .map(|(k, v)| (k.to_owned(), v.to_owned()));
        assert_eq!(decoded, expected);
    }

    #[test]
    fn bytes_that_are_no_text_are_refused_by_name() {
        let refused = |query: &str| match pairs(query) {
            Err(ApiError::Invalid(violations)) => violations[0].clone(),
            other => panic!("{query} gave {other:?}"),
        };
        assert_eq!(refused("q=%ff").rule, Rule::Malformed { expected: Expected::Utf8 });
        assert_eq!(refused("q=a%00b"), Violation::new("q", Rule::NulByte));
        assert_eq!(refused("%FE=1").field, "query");
    }
}
