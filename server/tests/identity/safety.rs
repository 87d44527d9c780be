//! What an attacker would try from another site, another host or in between: one test each.

use app::identity::Role;
use axum::body::Body;
use http::{Method, Request};
use server::store::Sql;

use crate::{
    kit::{configured, console, published},
    web_kit::{
        Answer, Kit,
        people::{PASSWORD, Proof, encoded},
    },
};

const FORM: &str = "application/x-www-form-urlencoded";

fn token(proof: &Proof) -> &str {
    match proof {
        Proof::Session(token) | Proof::Key(token) => token,
        Proof::Nothing => "",
    }
}

async fn post(kit: &Kit, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let mut request = Request::post(path);
    if !headers.iter().any(|(name, _)| *name == "content-type") {
        request = request.header("content-type", FORM);
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    kit.send(request, Body::from(body.to_owned())).await
}

async fn is_open(kit: &Kit, proof: &Proof) -> bool {
    kit.get_as(proof, "/api/v1/me").await.status.as_u16() == 200
}

#[tokio::test]
async fn another_site_cannot_act_with_our_cookie() {
    let (kit, _hand) = console().await;
    let ada = kit.signed_in("ada", Some((Role::Admin, None))).await;
    let cookie = format!("qd_session={}", token(&ada));
    let cookie = ("cookie", cookie.as_str());
    for told in [
        [("origin", "https://evil.example")].as_slice(),
        &[("origin", "null")],
        &[("origin", "http://localhost:7081")],
        &[("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "same-site")],
        &[("sec-fetch-site", "cross-site"), ("origin", "http://localhost:7080")],
        // A browser says one of the two.
        &[],
        // Nothing that a page can add makes it a machine as long as the cookie comes along.
        &[("sec-fetch-site", "cross-site"), ("authorization", "Bearer qd_0123456789abcdef")],
        &[("sec-fetch-site", "cross-site"), ("x-api-key", "qd_0123456789abcdef")],
    ] {
        let headers = [[cookie].as_slice(), told].concat();
        for path in ["/sign-out", "/account/sessions", "/account/password", "/system/ops/runbooks"]
        {
            let answer = post(&kit, path, &headers, "").await;
            assert_eq!(answer.status.as_u16(), 403, "{path} {told:?}");
        }
        let request = Request::builder().method(Method::DELETE).uri("/api/v1/session");
        let request = headers.iter().fold(request, |request, (n, v)| request.header(*n, *v));
        let answer = kit.send(request, Body::empty()).await;
        assert_eq!(
            (answer.status.as_u16(), answer.code().as_str()),
            (403, "CROSS_SITE_REQUEST"),
            "{told:?}"
        );
        assert!(is_open(&kit, &ada).await, "{told:?}");
    }
    for told in [("sec-fetch-site", "same-origin"), ("origin", "http://localhost:7080")] {
        let answer = post(&kit, "/account/sessions", &[cookie, told], "session=none").await;
        assert_eq!(answer.status.as_u16(), 404, "our own pages may: {told:?}");
    }
}

/// DECIDED: whoever has a key and no session, or neither cookie nor a browser's words, is a machine.
#[tokio::test]
async fn machines_are_no_browsers() {
    let (kit, _hand) = console().await;
    kit.person("ada").await;
    let key = crate::web_kit::people::Key { owner: Some("ada"), ..Default::default() };
    let (_, key) = kit.key(key).await;
    let bearer = format!("Bearer {}", token(&key));
    for name in ["authorization", "x-api-key"] {
        let value = if name == "x-api-key" { token(&key) } else { &bearer };
        let headers = [(name, value), ("sec-fetch-site", "cross-site"), ("cookie", "other=1")];
        let answer = post(&kit, "/account/sessions", &headers, "session=none").await;
        assert_eq!(answer.status.as_u16(), 404, "a key is no cookie: {name}");
    }
    let body = format!(r#"{{"name":"ada","password":"{PASSWORD}"}}"#);
    let json = ("content-type", "application/json");
    let answer = post(&kit, "/api/v1/session", &[json], &body).await;
    assert_eq!(answer.status.as_u16(), 201);
    let answer = post(&kit, "/api/v1/session", &[json, ("cookie", "other=1")], &body).await;
    assert_eq!(answer.status.as_u16(), 403, "with a cookie it is a browser");
}

/// Another site must not sign our user in as somebody else.
#[tokio::test]
async fn another_site_cannot_sign_anybody_in() {
    let (kit, _hand) = console().await;
    kit.person("mal").await;
    let form = encoded(&[("name", "mal"), ("password", PASSWORD)]);
    let json = format!(r#"{{"name":"mal","password":"{PASSWORD}"}}"#);
    for told in [
        ("origin", "https://evil.example"),
        ("origin", "null"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
    ] {
        let answer = post(&kit, "/sign-in", &[told], &form).await;
        assert_eq!((answer.status.as_u16(), answer.session()), (403, None), "{told:?}");
        let headers = [told, ("content-type", "application/json")];
        let answer = post(&kit, "/api/v1/session", &headers, &json).await;
        assert_eq!((answer.status.as_u16(), answer.session()), (403, None), "{told:?}");
    }
    // What a form of another site can send without being asked first.
    for kind in [FORM, "text/plain", "multipart/form-data; boundary=x"] {
        let answer = post(&kit, "/api/v1/session", &[("content-type", kind)], &json).await;
        assert_eq!((answer.status.as_u16(), answer.session()), (415, None), "{kind}");
    }
}

#[tokio::test]
async fn the_cookie_is_for_the_browser_and_for_this_host_alone() {
    for (origin, name, secure) in [
        (None, "qd_session", false),
        (Some("http://127.0.0.1:7080"), "qd_session", false),
        (Some("https://ops.example"), "__Host-qd_session", true),
    ] {
        let (kit, _hand) = configured(|config| config.public_url = origin.map(published)).await;
        kit.person("ada").await;
        let answer = kit.try_from("127.0.0.1", "ada", PASSWORD).await;
        assert_eq!(answer.status.as_u16(), 201, "{}", answer.text());
        let cookie = answer.header("set-cookie");
        let mut parts = cookie.split("; ");
        let (found, value) = parts.next().and_then(|pair| pair.split_once('=')).expect("a pair");
        assert_eq!((found, value.len()), (name, 43));
        let flags: Vec<&str> = parts.collect();
        let mut expected = vec!["Path=/", "Max-Age=86400", "HttpOnly", "SameSite=Lax"];
        if secure {
            expected.push("Secure");
        }
        assert_eq!(flags, expected, "no Domain: {cookie}");
        let with =
            |name: &str| Request::get("/api/v1/me").header("cookie", format!("{name}={value}"));
        assert_eq!(kit.send(with(name), Body::empty()).await.status.as_u16(), 200);
        if secure {
            let plain = kit.send(with("qd_session"), Body::empty()).await;
            assert_eq!(plain.status.as_u16(), 401, "a neighbour host could have set that one");
            assert!(answer.header("strict-transport-security").starts_with("max-age="));
        }
    }
}

#[tokio::test]
async fn sign_in_leads_to_addresses_of_ours_only() {
    let (kit, _hand) = console().await;
    kit.person("ada").await;
    for to in [
        "//evil.example",
        "///evil.example",
        "/\\evil.example",
        "\\/evil.example",
        "\\\\evil.example",
        "https://evil.example/",
        "https:evil.example",
        "javascript:alert(1)",
        "/\t/evil.example",
        "/\r\n/evil.example",
        "/x\r\nSet-Cookie: a=b",
        "\u{a0}//evil.example",
        " //evil.example",
        "/./\\evil.example",
        "/.//evil.example",
        "/%2e//evil.example",
        "/x/..//evil.example",
        "evil.example",
        "@evil.example",
        "",
    ] {
        let typed = [("name", "ada"), ("password", PASSWORD), ("to", to)];
        let answer = kit.form(&Proof::Nothing, "/sign-in", &typed).await;
        assert_eq!((answer.status.as_u16(), answer.header("location")), (303, "/"), "{to:?}");
        assert_eq!(answer.headers.get_all("set-cookie").iter().count(), 1, "{to:?}");
    }
    for to in ["/%2F%2Fevil.example", "/%5Cevil.example", "/account?x=//evil.example"] {
        let typed = [("name", "ada"), ("password", PASSWORD), ("to", to)];
        let answer = kit.form(&Proof::Nothing, "/sign-in", &typed).await;
        assert_eq!(answer.header("location"), to, "a path of ours to every browser");
    }
}

#[tokio::test]
async fn nobody_becomes_somebody_by_a_header() {
    let (kit, _hand) = console().await;
    kit.signed_in("ada", Some((Role::Admin, None))).await;
    let none = kit.signed_in("bob", None).await;
    let cookie = format!("qd_session={}", token(&none));
    for (name, value) in [
        ("x-user-id", "ada"),
        ("x-user-email", "ada@example.net"),
        ("x-user-groups", "admins"),
        ("x-user-capabilities", "identity.manage"),
        ("x-remote-user", "ada"),
        ("remote-user", "ada"),
        ("x-forwarded-user", "ada"),
        ("x-forwarded-email", "ada@example.net"),
        ("impersonate-user", "ada"),
        ("impersonate-group", "system:masters"),
        ("x-ms-client-principal-name", "ada"),
        ("authorization", "Basic YWRhOmFkYQ=="),
    ] {
        let request = || Request::get("/api/v1/me").header(name, value);
        let answer = kit.send(request(), Body::empty()).await;
        assert_eq!(answer.status.as_u16(), 401, "{name}");
        let answer = kit.send(request().header("cookie", &cookie), Body::empty()).await;
        let me = answer.json();
        assert_eq!(me["id"], "bob", "{name}");
        assert_eq!(me["isAuthorized"], false, "{name}");
    }
}

async fn addresses(kit: &Kit) -> Vec<String> {
    let sql =
        Sql::new("SELECT subject FROM sign_in_failures WHERE subject LIKE 'address:%' ORDER BY 1");
    let rows = kit.console.db.fetch_all(sql).await.expect("rows");
    rows.iter().map(|row| row.text("subject").expect("a subject")).collect()
}

#[tokio::test]
async fn only_a_trusted_proxy_says_where_somebody_comes_from() {
    let knock = async |kit: &Kit, peer: &str, forwarded: &str| {
        let request = Request::post("/api/v1/session")
            .header("content-type", "application/json")
            .header("x-forwarded-for", forwarded)
            .header("forwarded", "for=203.0.113.66")
            .header("x-real-ip", "203.0.113.66");
        let body = r#"{"name":"ada","password":"wrong horse battery"}"#;
        assert_eq!(kit.send_from(peer, request, body).await.status.as_u16(), 401);
    };
    let (kit, _hand) = console().await;
    knock(&kit, "198.51.100.1", "203.0.113.9").await;
    assert_eq!(addresses(&kit).await, ["address:198.51.100.1"]);
    let trusted = |config: &mut server::config::Config| {
        config.trusted_proxies = vec!["10.0.0.0/8".parse().expect("a network")];
    };
    let (kit, _hand) = configured(trusted).await;
    knock(&kit, "10.0.0.1", "203.0.113.9").await;
    // What a client wrote itself, nonsense or not, stands before what the proxy adds.
    knock(&kit, "10.0.0.1", "192.0.2.1, 203.0.113.9").await;
    knock(&kit, "10.0.0.1", "nonsense, 203.0.113.9").await;
    assert_eq!(addresses(&kit).await, ["address:203.0.113.9"]);
    let row = kit
        .console
        .db
        .fetch_one(Sql::new("SELECT address FROM audit_log ORDER BY seq DESC LIMIT 1"));
    assert_eq!(row.await.expect("a row").text("address").expect("an address"), "203.0.113.9");
}

#[tokio::test]
async fn another_host_is_not_answered() {
    let (kit, _hand) = configured(|config| {
        config.public_url = Some(published("https://ops.example"));
    })
    .await;
    kit.person("ada").await;
    for host in ["evil.example", "ops.example.evil.example", "ops.example:8443", ""] {
        let request = Request::get("/sign-in").header("host", host);
        let answer = kit.send(request, Body::empty()).await;
        assert_eq!(answer.status.as_u16(), 403, "{host}");
    }
    // What a proxy claims about the host is not believed either, and stands in no answer.
    let request = Request::get("/account")
        .header("host", "ops.example")
        .header("x-forwarded-host", "evil.example")
        .header("x-forwarded-proto", "http")
        .header("x-forwarded-prefix", "/evil");
    let answer = kit.send(request, Body::empty()).await;
    assert_eq!(
        (answer.status.as_u16(), answer.header("location")),
        (303, "/sign-in?to=%2Faccount")
    );
    let two = Request::get("/sign-in").header("host", "ops.example").header("host", "evil.example");
    assert_eq!(kit.send(two, Body::empty()).await.status.as_u16(), 403);
}

#[tokio::test]
async fn no_answer_may_be_framed_sniffed_or_kept() {
    let (kit, _hand) = console().await;
    let none = kit.signed_in("bob", None).await;
    for (proof, path, status) in [
        (&Proof::Nothing, "/sign-in", 200),
        (&Proof::Nothing, "/sign-in?to=/x", 200),
        (&Proof::Nothing, "/account", 303),
        (&Proof::Nothing, "/api/v1/me", 401),
        (&none, "/account", 200),
        (&none, "/system/ops/runs", 403),
        (&none, "/api/v1/operations", 403),
        (&none, "/no/such/page", 404),
        (&Proof::Nothing, "/no/such/page", 404),
    ] {
        let answer = kit.get_as(proof, path).await;
        assert_eq!(answer.status.as_u16(), status, "{path}");
        assert_eq!(answer.header("x-frame-options"), "DENY", "{path}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(answer.header("cache-control"), "no-store", "{path}");
        let policy = answer.header("content-security-policy");
        assert!(policy.contains("frame-ancestors 'none'"), "{path}: {policy}");
        assert!(policy.contains("default-src 'none'"), "{path}: {policy}");
        assert!(!policy.contains("unsafe-inline"), "{path}: {policy}");
    }
}

#[tokio::test]
async fn a_refusal_names_the_capability_and_a_way_out() {
    let (kit, _hand) = console().await;
    let none = kit.signed_in("bob", None).await;
    let page = kit.get_as(&none, "/system/ops/runs").await;
    assert_eq!(page.status.as_u16(), 403);
    for words in ["platform.access_system_panel", "Ask an admin", "href=\"/"] {
        assert!(page.text().contains(words), "{words} is missing in {}", page.text());
    }
    let account = kit.get_as(&none, "/account").await;
    assert!(account.text().contains("nothing is granted to you yet"), "{}", account.text());
}

#[tokio::test]
async fn a_stream_is_for_our_own_pages() {
    let (kit, _hand) = console().await;
    let ada = kit.signed_in("ada", Some((Role::Admin, None))).await;
    for (origin, status) in [
        ("http://localhost:7080", 200),
        ("https://evil.example", 403),
        ("http://localhost:7081", 403),
        ("http://localhost:7080.evil.example", 403),
        ("null", 403),
    ] {
        let request = Request::get("/events/stream")
            .header("origin", origin)
            .header("cookie", format!("qd_session={}", token(&ada)));
        let response = kit.open("127.0.0.1", request, Body::empty()).await;
        assert_eq!(response.status().as_u16(), status, "{origin}");
    }
    let nobody = kit.open("127.0.0.1", Request::get("/events/stream"), Body::empty()).await;
    assert_eq!(nobody.status().as_u16(), 401);
}
