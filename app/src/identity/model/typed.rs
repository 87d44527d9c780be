//! What may be typed about people, groups and keys, and how it is kept: rules from values alone.

use super::{NewKey, Secret};
use crate::{
    error::{ApiError, Expected, Rule},
    time::Micros,
    workspaces::model::words,
};

const LOGIN_MAX: u32 = 100;
const NAME_MAX: u32 = 100;
const EMAIL_MAX: u32 = 254;
const GROUP_MAX: u32 = 200;
pub const DAYS_MAX: i64 = 3650;
const KEY_MIN: u32 = 16;
const KEY_MAX: u32 = 256;

/// The name to sign in with, as it is kept.
pub fn login(typed: &str) -> Result<String, ApiError> {
    let login = words("login", typed, 1, LOGIN_MAX)?.to_ascii_lowercase();
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-@+".contains(c);
    if !login.chars().all(plain) {
        return Err(ApiError::invalid("login", Rule::Malformed { expected: Expected::Text }));
    }
    Ok(login)
}

pub fn display_name(typed: &str) -> Result<String, ApiError> {
    words("display_name", typed, 1, NAME_MAX)
}

/// None for an empty one. Whether mail arrives there only the mail can tell.
pub fn email(typed: &str) -> Result<Option<String>, ApiError> {
    let email = words("email", typed, 0, EMAIL_MAX)?;
    if email.is_empty() {
        return Ok(None);
    }
    let shaped =
        email.split_once('@').is_some_and(|(user, host)| !user.is_empty() && !host.is_empty());
    if !shaped || email.contains(char::is_whitespace) {
        return Err(ApiError::invalid("email", Rule::Malformed { expected: Expected::Text }));
    }
    Ok(Some(email))
}

pub fn group(typed: &str) -> Result<String, ApiError> {
    words("subject", typed, 1, GROUP_MAX)
}

/// An existing key that is to be taken over: as a header can carry it (DECIDED 7).
pub fn imported(key: &Secret) -> Result<(), ApiError> {
    let key = key.0.as_str();
    if !(KEY_MIN as usize..=KEY_MAX as usize).contains(&key.chars().count()) {
        return Err(ApiError::invalid("key", Rule::Length { min: KEY_MIN, max: KEY_MAX }));
    }
    let printable = key.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    if !printable || key.trim() != key {
        return Err(ApiError::invalid("key", Rule::Malformed { expected: Expected::Text }));
    }
    Ok(())
}

/// When a key that is made at `now` ends; none for never.
pub fn expiry(new: &NewKey, now: Micros) -> Result<Option<Micros>, ApiError> {
    const DAY: i64 = 24 * 3600 * Micros::SECOND;
    match (new.expires_in_days, new.expires_at) {
        (None, None) => Ok(None),
        (Some(_), Some(_)) => Err(ApiError::invalid("expires_at", Rule::Repeated)),
        (Some(days), None) if (1..=DAYS_MAX).contains(&days) => Ok(Some(now.plus(days * DAY))),
        (Some(_), None) => {
            Err(ApiError::invalid("expires_in_days", Rule::Range { min: 1, max: DAYS_MAX }))
        }
        (None, Some(at)) if at > now && at.since(now) <= DAYS_MAX * DAY => Ok(Some(at)),
        (None, Some(_)) => {
            Err(ApiError::invalid("expires_at", Rule::Malformed { expected: Expected::Time }))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_is_plain_and_lower_case() {
        assert_eq!(login(" Ada.L@example.com ").expect("a login"), "ada.l@example.com");
        for bad in ["", " ", "two words", "ада", "a/b", "a\0", &"x".repeat(101)] {
            assert_eq!(login(bad).expect_err(bad).status(), 422, "{bad:?}");
        }
    }

    #[test]
    fn an_address_has_two_sides_or_is_none() {
        assert_eq!(email(" ").expect("none"), None);
        assert_eq!(email("a@b").expect("an address"), Some("a@b".to_owned()));
        for bad in ["a", "@b", "a@", "a b@c", "a@b\r\nBcc: c@d"] {
            assert!(email(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn an_imported_key_is_as_a_header_can_carry_it() {
        let check = |key: &str| imported(&Secret(key.to_owned()));
        assert_eq!(check(&"k".repeat(16)), Ok(()));
        assert_eq!(check(&"k".repeat(256)), Ok(()));
        assert_eq!(check("sixteen and more!"), Ok(()));
        for bad in [
            "short",
            &"k".repeat(257),
            "sixteen chars é!!",
            " leading and long",
            "line\nbreak in the key",
        ] {
            assert!(check(bad).is_err(), "{bad:?}");
        }
        assert_eq!(format!("{:?}", Secret("hunter2".to_owned())), "Secret(…)");
    }

    #[test]
    fn a_key_ends_as_asked_or_never() {
        let now = Micros(1_000_000_000_000);
        let mut new = NewKey {
            name: "k".to_owned(),
            capabilities: vec![],
            workspace_id: None,
            expires_in_days: None,
            expires_at: None,
            service_identity: None,
            key: None,
        };
        assert_eq!(expiry(&new, now), Ok(None));
        new.expires_in_days = Some(1);
        assert_eq!(expiry(&new, now), Ok(Some(now.plus(86_400 * Micros::SECOND))));
        new.expires_in_days = Some(i64::MAX);
        assert!(expiry(&new, now).is_err());
        new.expires_at = Some(now);
        assert!(expiry(&new, now).is_err(), "two ends");
        new.expires_in_days = None;
        assert!(expiry(&new, now).is_err(), "it would be over already");
    }
}
