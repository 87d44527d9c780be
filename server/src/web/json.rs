//! JSON bodies, in and out. A body that cannot be used is refused with the field and the rule that it
//! broke; what the decoder says about it never leaves this module.

use app::error::{ApiError, Expected, Rule};
use axum::{
    body::Bytes,
    extract::{FromRequest, Request, rejection::BytesRejection},
    response::{IntoResponse, Response},
};
use http::{HeaderMap, header::CONTENT_TYPE};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, error::Category};

use super::errors::Failed;

pub struct Json<T>(pub T);

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        let mut response = axum::Json(self.0).into_response();
        let no_store = http::HeaderValue::from_static("no-store");
        response.headers_mut().insert(http::header::CACHE_CONTROL, no_store);
        response
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Failed;

    async fn from_request(request: Request, state: &S) -> Result<Self, Failed> {
        if !is_json(request.headers()) {
            return Err(Failed(ApiError::UnsupportedMediaType));
        }
        let bytes = body(request, state).await?;
        Ok(Self(read(&bytes)?))
    }
}

/// A body that may be left out: an empty one says nothing, and its type then speaks for itself.
pub struct OptionalJson<T>(pub T);

impl<T: DeserializeOwned + Default, S: Send + Sync> FromRequest<S> for OptionalJson<T> {
    type Rejection = Failed;

    async fn from_request(request: Request, state: &S) -> Result<Self, Failed> {
        let json = is_json(request.headers());
        let bytes = body(request, state).await?;
        match (bytes.is_empty(), json) {
            (true, _) => Ok(Self(T::default())),
            (false, true) => Ok(Self(read(&bytes)?)),
            (false, false) => Err(Failed(ApiError::UnsupportedMediaType)),
        }
    }
}

/// The whole body, unless it is larger than this server takes.
pub async fn body<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, ApiError> {
    Bytes::from_request(request, state).await.map_err(|rejection| match rejection {
        BytesRejection::FailedToBufferBody(why)
            if why.status() == http::StatusCode::PAYLOAD_TOO_LARGE =>
        {
            ApiError::TooLarge
        }
        // The client stopped sending; nobody is there to read an answer.
        _ => broken("body", Expected::Json),
    })
}

fn is_json(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()) else {
        return false;
    };
    let essence = value.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json")
}

/// Reads a body that is one object, or says which field broke which rule.
pub fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    let text = std::str::from_utf8(bytes).map_err(|_| broken("body", Expected::Utf8))?;
    // A decoder of ours would take an array for a struct, field by field.
    if text.trim_start().starts_with('[') {
        let whole = serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok();
        let expected = if whole { Expected::Object } else { Expected::Json };
        return Err(broken("body", expected));
    }
    // An escape is the only way for NUL to stand in valid JSON.
    if text.contains("\\u0000")
        && let Ok(value) = serde_json::from_str::<Value>(text)
        && let Some(field) = find_nul(&value, String::new())
    {
        return Err(ApiError::invalid(field, Rule::NulByte));
    }
    let mut decoder = serde_json::Deserializer::from_str(text);
    let value = serde_path_to_error::deserialize(&mut decoder).map_err(|err| {
        let path = err.path().to_string();
        explain(&path, err.inner())
    })?;
    decoder.end().map_err(|_| broken("body", Expected::Json))?;
    Ok(value)
}

fn broken(field: &str, expected: Expected) -> ApiError {
    ApiError::invalid(field, Rule::Malformed { expected })
}

/// Translates the decoder's words into ours. They are its only account of what happened; what it says that
/// we do not know becomes the plain "malformed".
fn explain(path: &str, err: &serde_json::Error) -> ApiError {
    if err.classify() != Category::Data {
        return broken("body", Expected::Json);
    }
    let words = err.to_string();
    let here = if path == "." { "body" } else { path };
    if let Some(name) = quoted_after(&words, "missing field `") {
        return ApiError::invalid(join(path, name), Rule::Required);
    }
    if let Some(name) = quoted_after(&words, "duplicate field `") {
        return ApiError::invalid(join(path, name), Rule::Repeated);
    }
    if words.starts_with("unknown field `") {
        // The path already ends with the field, where the decoder got as far as that.
        let name = quoted_after(&words, "unknown field `").unwrap_or_default();
        let field = if here.ends_with(name) { here.to_owned() } else { join(path, name) };
        return ApiError::invalid(field, Rule::UnknownField);
    }
    if words.starts_with("unknown variant `") {
        let allowed = words.split_once("expected ").map_or("", |(_, allowed)| allowed);
        let allowed: Vec<String> =
            allowed.split('`').skip(1).step_by(2).map(str::to_owned).collect();
        return ApiError::invalid(here, Rule::OneOf { allowed });
    }
    broken(here, expected(&words))
}

fn expected(words: &str) -> Expected {
    let wanted = words.rsplit_once("expected ").map_or(words, |(_, wanted)| wanted);
    let starts = |any: &[&str]| any.iter().any(|word| wanted.starts_with(word));
    if words.contains("RFC 3339") {
        Expected::Time
    } else if starts(&["i8", "i16", "i32", "i64", "u8", "u16", "u32", "u64", "usize", "isize"]) {
        Expected::Integer
    } else if starts(&["a string", "a borrowed string", "string"]) {
        Expected::Text
    } else {
        Expected::Object
    }
}

fn quoted_after<'a>(words: &'a str, start: &str) -> Option<&'a str> {
    words.strip_prefix(start)?.split('`').next()
}

fn join(path: &str, name: &str) -> String {
    if path == "." || path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

fn find_nul(value: &Value, path: String) -> Option<String> {
    match value {
        Value::String(text) => text.contains('\0').then_some(path),
        Value::Array(items) => {
            items.iter().enumerate().find_map(|(n, item)| find_nul(item, format!("{path}[{n}]")))
        }
        Value::Object(fields) => fields.iter().find_map(|(key, value)| {
            if key.contains('\0') {
                Some(join(&path, "?"))
            } else {
                find_nul(value, join(&path, key))
            }
        }),
        _ => None,
    }
}

/// All violations of one field, for tests of other modules.
#[cfg(test)]
pub fn violation(error: ApiError) -> app::error::Violation {
    match error {
        ApiError::Invalid(mut violations) => violations.remove(0),
        other => panic!("{other:?} names no field"),
    }
}

#[cfg(test)]
mod tests {
    use app::operations::model::{StartOperation, Status};
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only decoding is looked at")]
    struct Outer {
        inner: Option<Inner>,
        status: Option<Status>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only decoding is looked at")]
    struct Inner {
        count: i64,
    }

    fn of<T: DeserializeOwned + std::fmt::Debug>(text: &str) -> (String, Rule) {
        let app::error::Violation { field, rule } =
            violation(read::<T>(text.as_bytes()).expect_err(text));
        (field, rule)
    }

    fn malformed(expected: Expected) -> Rule {
        Rule::Malformed { expected }
    }

    #[test]
    fn each_fault_names_its_field_and_its_rule() {
        use Expected::{Integer, Object, Text, Time};
        let start = of::<StartOperation>;
        assert_eq!(start("{}"), ("type".into(), Rule::Required));
        assert_eq!(start(r#"{"type":"x","colour":1}"#), ("colour".into(), Rule::UnknownField));
        assert_eq!(start(r#"{"type":"x","type":"y"}"#), ("type".into(), Rule::Repeated));
        assert_eq!(start(r#"{"type":7}"#), ("type".into(), malformed(Text)));
        assert_eq!(
            start(r#"{"type":"x","priority":"high"}"#),
            ("priority".into(), malformed(Integer))
        );
        assert_eq!(
            start(r#"{"type":"x","priority":1.5}"#),
            ("priority".into(), malformed(Integer))
        );
        assert_eq!(
            start(r#"{"type":"x","scheduled_at":"soon"}"#),
            ("scheduled_at".into(), malformed(Time))
        );
        assert_eq!(start("[]"), ("body".into(), malformed(Object)));
        assert_eq!(start("7"), ("body".into(), malformed(Object)));

        let outer = of::<Outer>;
        assert_eq!(outer(r#"{"inner":{"cuont":1}}"#), ("inner.cuont".into(), Rule::UnknownField));
        assert_eq!(outer(r#"{"inner":{}}"#), ("inner.count".into(), Rule::Required));
        let allowed = ["queued", "running", "completed"].map(str::to_owned).to_vec();
        assert_eq!(outer(r#"{"status":"stuck"}"#), ("status".into(), Rule::OneOf { allowed }));
    }

    #[test]
    fn what_is_no_json_is_a_400_and_what_is_wrong_in_it_a_422() {
        for text in ["", "{", "{\"type\":\"x\"} more", "nonsense", &"[".repeat(1000)] {
            let error = read::<StartOperation>(text.as_bytes()).expect_err("no JSON object");
            assert_eq!(error.status(), 400, "{text}");
        }
        assert_eq!(read::<Value>(b"\"\xff\"").expect_err("no UTF-8").status(), 400);
        assert_eq!(read::<StartOperation>(b"{}").expect_err("no type").status(), 422);
    }

    #[test]
    fn nul_is_found_wherever_it_hides() {
        let nul = of::<Value>(r#"{"a":{"b":["x","y\u0000"]}}"#);
        assert_eq!(nul, ("a.b[1]".into(), Rule::NulByte));
        assert!(read::<Value>(br#""\\u0000 is no NUL""#).is_ok());
    }
}
