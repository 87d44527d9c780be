//! Cookies, in and out: the session, the viewer's time zone and the word that is told once.

use app::request::Flash;
use http::{HeaderMap, HeaderValue, header::COOKIE};

use crate::config::Config;

/// Set by the page itself, in the browser: an IANA name.
pub const ZONE: &str = "qd_zone";
/// Set by a form's redirect, read by the next page.
pub const FLASH: &str = "qd_flash";

/// The first cookie of that name.
pub fn find<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let lines = headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
    let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.split_once('='));
    pairs.find(|(key, _)| key.trim() == name).map(|(_, value)| value.trim())
}

/// `Set-Cookie` for a word to the next page, for a minute at most.
pub fn set_flash(config: &Config, flash: Flash) -> HeaderValue {
    written(config, FLASH, &flash.to_cookie(), base(config), 60)
}

pub fn clear_flash(config: &Config) -> HeaderValue {
    written(config, FLASH, "", base(config), 0)
}

/// `Set-Cookie` for something that this browser alone may have: whole-site, as the `__Host-` prefix asks.
pub fn set_own(config: &Config, name: &str, value: &str, seconds: u64) -> HeaderValue {
    written(config, name, value, "/", seconds)
}

pub fn clear_own(config: &Config, name: &str) -> HeaderValue {
    written(config, name, "", "/", 0)
}

fn base(config: &Config) -> &str {
    if config.base().is_empty() { "/" } else { config.base() }
}

/// Lax: the way back from an identity provider is a link from another site.
fn written(config: &Config, name: &str, value: &str, path: &str, seconds: u64) -> HeaderValue {
    let secure =
        if config.public_url.as_ref().is_some_and(|url| url.https) { "; Secure" } else { "" };
    let cookie =
        format!("{name}={value}; Path={path}; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}");
    // Values are our own words and tokens, the path was checked with the configuration.
    HeaderValue::from_str(&cookie).unwrap_or_else(|_| HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    #[test]
    fn a_cookie_is_found_by_its_whole_name() {
        let headers = HeaderMap::from_iter([(
            COOKIE,
            HeaderValue::from_static("xqd_zone=no; qd_zone=Europe/Lisbon; qd_zone=late; broken"),
        )]);
        assert_eq!(find(&headers, ZONE), Some("Europe/Lisbon"));
        assert_eq!(find(&headers, FLASH), None);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic_and_nothing_is_found_that_was_not_sent(
            lines in vec(vec(any::<u8>(), 0..120), 0..4),
        ) {
            let mut headers = HeaderMap::new();
            for line in &lines {
                if let Ok(value) = HeaderValue::from_bytes(line) {
                    headers.append(COOKIE, value);
                }
            }
            prop_assert_eq!(find(&headers, "qd_session"), None);
            headers.append(COOKIE, HeaderValue::from_static("qd_session=one; qd_session=two"));
            prop_assert_eq!(find(&headers, "qd_session"), Some("one"));
        }

        #[test]
        fn what_is_found_stood_behind_its_name(name in "[a-z_]{1,6}", value in "[ -~]{0,40}") {
            let line = format!("a=b; {name}={value}");
            let headers = HeaderMap::from_iter([(COOKIE, HeaderValue::from_str(&line).expect("ASCII"))]);
            if name != "a" {
                let whole = value.split(';').next().unwrap_or_default().trim();
                prop_assert_eq!(find(&headers, &name), Some(whole));
            }
        }
    }
}
