//! Names, addresses and labels as somebody types them, and how they are kept: rules from values alone.

use crate::error::{ApiError, Expected, Rule};

const URL_MAX: u32 = 512;

/// `^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$`
pub fn name(field: &'static str, typed: &str) -> Result<String, ApiError> {
    if typed.is_empty() {
        return Err(ApiError::invalid(field, Rule::Required));
    }
    if !(3..=63).contains(&typed.chars().count()) {
        return Err(ApiError::invalid(field, Rule::Length { min: 3, max: 63 }));
    }
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if typed.bytes().all(inner) && !typed.starts_with('-') && !typed.ends_with('-') {
        return Ok(typed.to_owned());
    }
    Err(ApiError::invalid(field, Rule::Malformed { expected: Expected::ClusterName }))
}

/// A name that may stand, made of any text; none when nothing of it is left.
pub fn suggest_name(text: &str) -> Option<String> {
    let mapped = text.chars().map(|c| match c.to_ascii_lowercase() {
        c if c.is_ascii_lowercase() || c.is_ascii_digit() => c,
        _ => '-',
    });
    let mut name = String::new();
    for c in mapped.take(63) {
        if c != '-' || !name.ends_with('-') {
            name.push(c);
        }
    }
    let name = name.trim_matches('-');
    (name.len() >= 3).then(|| name.to_owned())
}

/// The address of an API server, without a slash at its end.
pub fn https(field: &'static str, typed: &str) -> Result<String, ApiError> {
    let url = address(field, typed)?;
    if url.starts_with("https://") {
        return Ok(url);
    }
    Err(ApiError::invalid(field, Rule::Malformed { expected: Expected::HttpsUrl }))
}

/// Empty is none.
pub(super) fn endpoint(field: &'static str, typed: &str) -> Result<Option<String>, ApiError> {
    if typed.trim().is_empty() {
        return Ok(None);
    }
    address(field, typed).map(Some)
}

/// http or https, a host, perhaps a port and a path; no password, no query, no fragment.
fn address(field: &'static str, typed: &str) -> Result<String, ApiError> {
    let wrong = || ApiError::invalid(field, Rule::Malformed { expected: Expected::HttpUrl });
    let typed = typed.trim();
    if typed.chars().count() > URL_MAX as usize {
        return Err(ApiError::invalid(field, Rule::Length { min: 1, max: URL_MAX }));
    }
    let url: http::Uri = typed.parse().map_err(|_| wrong())?;
    let scheme = url.scheme_str().filter(|scheme| matches!(*scheme, "http" | "https"));
    let authority = url.authority().ok_or_else(wrong)?;
    let plain = !authority.as_str().contains('@') && url.query().is_none() && !typed.contains('#');
    // A port that is none would be dialled as another one.
    let rest = authority.as_str().strip_prefix(authority.host()).unwrap_or_default();
    let ported = rest.is_empty() || authority.port_u16().is_some_and(|port| port > 0);
    match scheme {
        Some(scheme) if plain && ported && !authority.host().is_empty() => {
            let authority = authority.as_str().to_ascii_lowercase();
            Ok(format!("{scheme}://{authority}{}", url.path().trim_end_matches('/')))
        }
        _ => Err(wrong()),
    }
}

/// As Kubernetes has label keys: `[prefix/]name`.
pub fn is_label_key(key: &str) -> bool {
    let (prefix, name) = match key.split_once('/') {
        Some((prefix, name)) => (Some(prefix), name),
        None => (None, key),
    };
    let dns = |prefix: &str| {
        (1..=253).contains(&prefix.len())
            && prefix.split('.').all(|part| {
                !part.is_empty()
                    && part
                        .bytes()
                        .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
                    && !part.starts_with('-')
                    && !part.ends_with('-')
            })
    };
    !name.is_empty() && is_label_value(name) && prefix.is_none_or(dns)
}

/// As Kubernetes has label values: empty, or up to 63 letters, digits, `-`, `_` and `.`.
pub fn is_label_value(value: &str) -> bool {
    let inner = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    let ends = |b: Option<u8>| b.is_none_or(|b| b.is_ascii_alphanumeric());
    value.len() <= 63
        && value.bytes().all(inner)
        && ends(value.bytes().next())
        && ends(value.bytes().last())
}
