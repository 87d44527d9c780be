//! Headers that prove nothing, by the hundred, before a console in which somebody is signed in.

use http::{HeaderName, HeaderValue, Request, StatusCode, header};
use proptest::{
    collection::vec,
    prelude::*,
    sample::Index,
    test_runner::{Config, TestRunner},
};
use serde_json::json;
use server::{
    clock::Clock,
    store::{Dialect, testing::Engine},
};

use crate::web::{Site, Visitor};

const LIST: &str = "/api/v1/operations";

/// What a browser, a machine or a liar may send.
fn any_header() -> impl Strategy<Value = (HeaderName, Vec<u8>)> {
    let names = [
        header::COOKIE,
        header::AUTHORIZATION,
        HeaderName::from_static("x-api-key"),
        HeaderName::from_static("x-user-id"),
        HeaderName::from_static("x-user-groups"),
        HeaderName::from_static("impersonate-user"),
        HeaderName::from_static("x-forwarded-user"),
    ];
    let value = prop_oneof![
        vec(any::<u8>(), 0..120),
        vec(any::<u8>(), 0..80).prop_map(|bytes| [b"qd_session=", bytes.as_slice()].concat()),
        vec(any::<u8>(), 0..80).prop_map(|bytes| [b"Bearer qd_", bytes.as_slice()].concat()),
        "(qd_session|Bearer|ops-admins|local-admin|[=; \"]){0,8}".prop_map(String::into_bytes),
    ];
    (prop::sample::select(names.to_vec()), value)
}

#[test]
fn nobody_is_signed_in_by_what_proves_nothing() {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let (site, token) = runtime.block_on(async {
        let engine = Engine::fresh(Dialect::Sqlite, Clock::system()).await;
        let site = Site::new(engine, "http://console.example", json!({})).await;
        let mut alice = Visitor::default();
        alice.sign_in(&site, "/sign-in/oidc", "alice").await;
        assert_eq!(alice.get(&site, LIST).await.status, StatusCode::OK, "the right cookie is one");
        (site, alice.jar["qd_session"].clone())
    });
    let status = |headers: &[(HeaderName, Vec<u8>)]| {
        let mut request = Request::get(LIST);
        for (name, value) in headers {
            let Ok(value) = HeaderValue::from_bytes(value) else { continue };
            request = request.header(name, value);
        }
        runtime.block_on(site.send(request, "")).status
    };
    let mut runner =
        TestRunner::new(Config { cases: 300, failure_persistence: None, ..Config::default() });
    let made_up = vec(any_header(), 0..5);
    let checked = runner.run(&made_up, |headers| {
        prop_assert_eq!(status(&headers), StatusCode::UNAUTHORIZED);
        Ok(())
    });
    checked.expect("made up");
    // The right one with one letter changed, cut, doubled, or in another place.
    let altered = (any::<Index>(), "[0-9A-Za-z_-]", 0..5_usize);
    let checked = runner.run(&altered, |(at, letter, how)| {
        let at = at.index(token.len());
        let value = match how {
            0 => format!("qd_session={}{letter}{}", &token[..at], &token[at + 1..]),
            1 => format!("qd_session={}", &token[..at]),
            2 => format!("qd_session={token}{letter}"),
            3 => format!("xqd_session={token}; qd_sessio={token}; __Host-qd_session={token}"),
            _ => format!("qd_session={letter}; qd_session={token}"),
        };
        prop_assume!(value != format!("qd_session={token}"));
        prop_assert_eq!(status(&[(header::COOKIE, value.into_bytes())]), StatusCode::UNAUTHORIZED);
        Ok(())
    });
    checked.expect("altered");
    for elsewhere in [format!("Bearer {token}"), format!("bearer {token}"), token.clone()] {
        let as_key = (HeaderName::from_static("x-api-key"), elsewhere.clone().into_bytes());
        assert_eq!(status(&[as_key]), StatusCode::UNAUTHORIZED, "no session is a key");
        let bearer = (header::AUTHORIZATION, elsewhere.into_bytes());
        assert_eq!(status(&[bearer]), StatusCode::UNAUTHORIZED, "no session is a key");
    }
}
