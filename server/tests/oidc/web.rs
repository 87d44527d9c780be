//! Sign-in through a provider as a browser meets it: every layer of the console, a real provider, a cookie jar.

use std::collections::BTreeMap;

use axum::{body::Body, extract::Request};
use http::{HeaderMap, Method, StatusCode, header};
use serde_json::{Value, json};
use server::{
    clock::{Clock, Rng},
    config::{Config, GroupRole, OidcConfig, PublicUrl},
    console::{Console, Parts},
    routes,
    store::{
        Sql,
        testing::{Engine, dialects},
    },
    vault::Vault,
    web::stack::Stack,
};
use url::Url;

use crate::{
    idp_kit::{Browser, Realm, query},
    kit,
};

const START: &str = "/sign-in/oidc";
const CALLBACK: &str = "/sign-in/oidc/callback";
const LOGOUT: &str = "/sign-in/oidc/logout";
const RUNS: &str = "/system/ops/runs";

#[tokio::test]
async fn one_address_does_not_begin_sign_ins_without_end() {
    for site in sites(json!({})).await {
        let mut refused = None;
        for _ in 0..100 {
            let gone = Visitor::default().get(&site, START).await;
            if gone.status != StatusCode::SEE_OTHER {
                refused = Some(gone);
                break;
            }
        }
        let refused = refused.expect("refused in the end");
        assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
        assert!(!refused.header("retry-after").is_empty());
        let waiting = site.count("SELECT COUNT(*) AS it FROM sign_in_flows").await;
        assert!((60..100).contains(&waiting), "{waiting}");
    }
}

/// A console with its provider, on one engine.
pub struct Site {
    realm: Realm,
    origin: &'static str,
    stack: Stack,
    engine: Engine,
}

pub struct Answer {
    pub status: StatusCode,
    headers: HeaderMap,
    text: String,
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("ASCII"))
    }

    /// `Set-Cookie` of a name.
    fn cookie(&self, name: &str) -> Option<&str> {
        let all = self.headers.get_all(header::SET_COOKIE).iter();
        all.map(|set| set.to_str().expect("ASCII")).find(|set| set.starts_with(&format!("{name}=")))
    }
}

impl Site {
    pub async fn new(engine: Engine, origin: &'static str, wishes: Value) -> Self {
        Self::with(engine, origin, wishes, |_| {}).await
    }

    async fn with(
        engine: Engine,
        origin: &'static str,
        wishes: Value,
        change: impl FnOnce(&mut OidcConfig),
    ) -> Self {
        let realm = Realm::new(&format!("{origin}{CALLBACK}"), wishes).await;
        let mut oidc = kit::config(&realm.issuer);
        change(&mut oidc);
        let grant = |group: &str, role: &str| GroupRole {
            group: group.to_owned(),
            role: role.parse().expect("a role"),
        };
        let config = Config {
            public_url: Some(PublicUrl {
                origin: origin.to_owned(),
                host: origin.rsplit('/').next().expect("a host").to_owned(),
                base: String::new(),
                https: origin.starts_with("https:"),
            }),
            oidc: Some(oidc),
            oidc_grants: vec![grant("ops-admins", "admin"), grant("ops-auditors", "auditor")],
            ..Config::defaults()
        };
        let (db, clock) = (engine.db.clone(), engine.db.clock().clone());
        let (rng, vault) = (Rng::seeded(7), Vault::for_tests());
        let parts = Parts { config, clock, rng, db, vault, callers: None };
        let console = Console::open(parts).await.expect("a fresh database opens");
        let stack = Stack::new(console, routes::all()).expect("the table fits");
        Self { realm, origin, stack, engine }
    }

    pub async fn send(&self, request: http::request::Builder, body: impl Into<Body>) -> Answer {
        let host = self.origin.rsplit('/').next().expect("a host");
        let request: Request = request.header("host", host).body(body.into()).expect("a request");
        let peer = "127.0.0.1:50000".parse().expect("an address");
        let (parts, body) = self.stack.answer(Some(peer), request).await.into_parts();
        let bytes = axum::body::to_bytes(body, usize::MAX).await.expect("the body ends");
        let text = String::from_utf8_lossy(&bytes).into_owned();
        Answer { status: parts.status, headers: parts.headers, text }
    }

    async fn post_logout(&self, kind: &str, body: String) -> Answer {
        self.send(Request::post(LOGOUT).header("content-type", kind), body).await
    }

    async fn count(&self, sql: &'static str) -> i64 {
        let row = self.engine.db.fetch_one(Sql::new(sql)).await.expect("a statement");
        row.i64("it").expect("a number")
    }

    async fn live(&self) -> i64 {
        self.count("SELECT COUNT(*) AS it FROM sessions WHERE ended_at IS NULL").await
    }
}

async fn sites(wishes: Value) -> Vec<Site> {
    let mut sites = Vec::new();
    for dialect in dialects() {
        let engine = Engine::fresh(dialect, Clock::system()).await;
        sites.push(Site::new(engine, "http://console.example", wishes.clone()).await);
    }
    sites
}

/// A browser before the console; another one of the kit's goes to the provider.
#[derive(Default)]
pub struct Visitor {
    pub jar: BTreeMap<String, String>,
    abroad: Browser,
}

impl Visitor {
    pub async fn get(&mut self, site: &Site, path: &str) -> Answer {
        let jar: Vec<_> = self.jar.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut request = Request::get(path);
        if !jar.is_empty() {
            request = request.header("cookie", jar.join("; "));
        }
        let answer = site.send(request, Body::empty()).await;
        for set in answer.headers.get_all(header::SET_COOKIE) {
            let pair = set.to_str().expect("ASCII").split(';').next().unwrap_or_default();
            let (name, value) = pair.split_once('=').expect("a name and a value");
            self.jar.insert(name.to_owned(), value.to_owned());
        }
        answer
    }

    /// To the provider and back; the path and query that the provider sends the browser to.
    async fn go(&mut self, site: &Site, start: &str, person: &str) -> String {
        let gone = self.get(site, start).await;
        assert_eq!(gone.status, StatusCode::SEE_OTHER, "{}", gone.text);
        let there = Url::parse(gone.header("location")).expect("the provider's address");
        let back = self.abroad.sign_in(&there, person).await;
        path_of(site, &back)
    }

    pub async fn sign_in(&mut self, site: &Site, start: &str, person: &str) -> Answer {
        let back = self.go(site, start, person).await;
        self.get(site, &back).await
    }
}

fn path_of(site: &Site, url: &Url) -> String {
    assert_eq!(url.origin().ascii_serialization(), site.origin);
    url[url::Position::BeforePath..].to_owned()
}

#[tokio::test]
async fn a_browser_goes_to_the_provider_and_comes_back_signed_in() {
    for dialect in dialects() {
        for (origin, prefix, secure) in
            [("http://console.example", "", false), ("https://console.example", "__Host-", true)]
        {
            let engine = Engine::fresh(dialect, Clock::system()).await;
            let site = Site::new(engine, origin, json!({})).await;
            let mut visitor = Visitor::default();
            let closed = visitor.get(&site, RUNS).await;
            assert_eq!(closed.status, StatusCode::SEE_OTHER);
            assert!(closed.header("location").starts_with("/sign-in?to="), "the way in");
            let way_in = visitor.get(&site, closed.header("location")).await;
            assert!(way_in.text.contains(START), "{}", way_in.text);
            // The provider stands in no policy before somebody is there to sign out.
            let policy = way_in.header("content-security-policy");
            assert!(policy.contains("form-action 'self';"), "{policy}");

            let gone = visitor.get(&site, "/sign-in/oidc?to=%2Fsystem%2Fops%2Fruns").await;
            assert_eq!(gone.status, StatusCode::SEE_OTHER);
            assert_eq!(gone.header("cache-control"), "no-store");
            let flow = gone.cookie(&format!("{prefix}qd_flow")).expect("it ties to the browser");
            for flag in ["; HttpOnly", "; SameSite=Lax", "; Path=/;", "; Max-Age=600"] {
                assert!(flow.contains(flag), "{flow}");
            }
            // The provider's own page, as a person sees it, with its form.
            let mut at = Url::parse(gone.header("location")).expect("the provider's address");
            let page = loop {
                let got = visitor.abroad.ask(Method::GET, &at, String::new()).await;
                let Some(to) = got.headers.get("location") else { break got };
                at = at.join(to.to_str().expect("ASCII")).expect("a URL");
            };
            assert!(page.text.contains("Who are you?"));
            let sent = visitor.abroad.ask(Method::POST, &at, "person=alice".to_owned()).await;
            let on = at.join(sent.headers["location"].to_str().expect("ASCII")).expect("a URL");
            let back = visitor.abroad.follow(on, &at.origin()).await;

            let came = visitor.get(&site, &path_of(&site, &back)).await;
            assert_eq!((came.status, came.header("location")), (StatusCode::SEE_OTHER, RUNS));
            let session = came.cookie(&format!("{prefix}qd_session")).expect("a session");
            for flag in ["; HttpOnly", "; SameSite=Lax", "; Path=/;"] {
                assert!(session.contains(flag), "{session}");
            }
            assert_eq!(session.contains("; Secure"), secure, "{session}");
            assert_eq!(flow.contains("; Secure"), secure, "{flow}");
            assert!(!session.contains("Domain"), "{session}");
            assert_eq!(came.header("strict-transport-security").is_empty(), !secure);

            let page = visitor.get(&site, RUNS).await;
            assert_eq!(page.status, StatusCode::OK, "{}", page.text);
            assert!(page.text.contains("Operations"));
            // Signing out leads on to the provider.
            let rig = Url::parse(&site.realm.issuer).expect("an issuer").origin();
            let allowed = format!("form-action 'self' {};", rig.ascii_serialization());
            assert!(page.header("content-security-policy").contains(&allowed));
            for token in site.realm.tokens().await {
                assert!(!page.text.contains(&token) && !came.header("location").contains(&token));
            }
        }
    }
}

#[tokio::test]
async fn nobody_is_sent_anywhere_but_here_afterwards() {
    for site in sites(json!({})).await {
        for to in [
            "//evil.example",
            "/%2Fevil.example",
            "%2F%2Fevil.example",
            "/\\evil.example",
            "/%5Cevil.example",
            "%5C%5Cevil.example",
            "https://evil.example/",
            "https%3A%2F%2Fevil.example",
            "http:evil.example",
            "javascript:alert(1)",
            "/%09/evil.example",
            "/%0A/evil.example",
            "/..//evil.example",
            "/.//evil.example",
            "%20//evil.example",
            "@evil.example",
            "",
        ] {
            let start = format!("{START}?to={}", to.replace('\\', "%5C"));
            let came = Visitor::default().sign_in(&site, &start, "alice").await;
            assert_eq!(came.status, StatusCode::SEE_OTHER, "{to}");
            assert_eq!(came.header("location"), "/", "{to}");
        }
        // Encoded twice it is a path of ours that does not exist.
        let start = "/sign-in/oidc?to=/%252F%252Fevil.example";
        let came = Visitor::default().sign_in(&site, start, "alice").await;
        assert_eq!(came.header("location"), "/%2F%2Fevil.example");
        let twice = Visitor::default().get(&site, "/sign-in/oidc?to=/a&to=/b").await;
        assert_eq!(twice.status, StatusCode::UNAUTHORIZED, "a name that stands there twice");
    }
}

#[tokio::test]
async fn a_return_that_is_not_this_browsers_own_first_one_signs_nobody_in() {
    for site in sites(json!({})).await {
        let mut visitor = Visitor::default();
        let back = visitor.go(&site, START, "alice").await;
        let refused = |answer: &Answer, why: &str| {
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{why}");
            assert!(answer.text.contains("Begin again"), "{why}: {}", answer.text);
            assert!(answer.text.contains("Sign in again"), "{why}: a way out");
            assert_eq!(answer.cookie("qd_session"), None, "{why}");
        };
        let callback = Url::parse(&format!("{}{back}", site.origin)).expect("a URL");
        let (code, state) = (query(&callback, "code"), query(&callback, "state"));
        let (code, state) = (code.expect("a code"), state.expect("a state"));
        for (path, why) in [
            (CALLBACK.to_owned(), "nothing"),
            (format!("{CALLBACK}?code={code}"), "no state"),
            (format!("{CALLBACK}?code={code}&state=invented"), "a state of nobody's"),
            (format!("{CALLBACK}?code={code}&state={state}&state=x"), "two states"),
            (format!("{CALLBACK}?state={state}"), "no code"),
            (format!("{CALLBACK}?code={code}&code={code}&state={state}"), "two codes"),
        ] {
            refused(&visitor.get(&site, &path).await, why);
        }
        // The state is whose browser began; a link with it, given to somebody else, signs nobody in.
        let mut other = Visitor::default();
        other.get(&site, START).await;
        let stolen = visitor.go(&site, START, "alice").await;
        refused(&other.get(&site, &stolen).await, "another browser");
        assert_eq!(site.live().await, 0);
        let back = visitor.go(&site, START, "alice").await;
        assert_eq!(visitor.get(&site, &back).await.status, StatusCode::SEE_OTHER);
        refused(&visitor.get(&site, &back).await, "the second time");
        assert_eq!(site.live().await, 1);
        // A code that was used, behind a state that is fresh: the provider knows.
        let callback = Url::parse(&format!("{}{back}", site.origin)).expect("a URL");
        let spent = query(&callback, "code").expect("a code");
        let gone = visitor.get(&site, START).await;
        let there = Url::parse(gone.header("location")).expect("an address");
        let state = query(&there, "state").expect("a state");
        let replayed = visitor.get(&site, &format!("{CALLBACK}?code={spent}&state={state}")).await;
        assert_eq!(replayed.status, StatusCode::UNAUTHORIZED);
        assert_eq!(replayed.cookie("qd_session"), None);
        assert!(!replayed.text.contains(&spent), "no code on a page");
    }
}

#[tokio::test]
async fn what_a_browser_had_before_is_worth_nothing_after() {
    for site in sites(json!({})).await {
        let mut visitor = Visitor::default();
        visitor.jar.insert("qd_session".to_owned(), "fixed-by-somebody-else".to_owned());
        visitor.sign_in(&site, START, "alice").await;
        assert_ne!(visitor.jar["qd_session"], "fixed-by-somebody-else");
        let first = visitor.jar["qd_session"].clone();
        visitor.sign_in(&site, START, "alice").await;
        assert_ne!(visitor.jar["qd_session"], first, "a new one each time");
    }
}

#[tokio::test]
async fn a_provider_that_says_no_is_understood_and_its_own_words_are_not_shown() {
    for site in sites(json!({})).await {
        let mut visitor = Visitor::default();
        let gone = visitor.get(&site, START).await;
        let mut at = Url::parse(gone.header("location")).expect("the provider's address");
        loop {
            let got = visitor.abroad.ask(Method::GET, &at, String::new()).await;
            let Some(to) = got.headers.get("location") else { break };
            at = at.join(to.to_str().expect("ASCII")).expect("a URL");
        }
        let sent = visitor.abroad.ask(Method::POST, &at, "cancel=yes".to_owned()).await;
        let on = at.join(sent.headers["location"].to_str().expect("ASCII")).expect("a URL");
        let back = visitor.abroad.follow(on, &at.origin()).await;
        assert_eq!(query(&back, "error").as_deref(), Some("access_denied"));
        let back = path_of(&site, &back);
        let refused = visitor.get(&site, &back).await;
        assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
        assert!(
            refused.text.contains("did not let you in") && refused.text.contains("Sign in again")
        );
        let again = visitor.get(&site, &back).await;
        assert!(again.text.contains("Begin again"), "what was on its way is over");

        let gone = visitor.get(&site, START).await;
        let there = Url::parse(gone.header("location")).expect("an address");
        let state = query(&there, "state").expect("a state");
        let path = format!(
            "{CALLBACK}?state={state}&error=temporarily_unavailable&error_description=%3Cscript%3Eboo"
        );
        let busy = visitor.get(&site, &path).await;
        assert_eq!(busy.status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(!busy.text.contains("boo"));
        // RFC 9207: an answer of another provider.
        let back = visitor.go(&site, START, "alice").await;
        let mixed = back.replace("iss=", "was=") + "&iss=https%3A%2F%2Fevil.example";
        let mixed = visitor.get(&site, &mixed).await;
        assert_eq!(mixed.status, StatusCode::UNAUTHORIZED);
        assert_eq!(mixed.cookie("qd_session"), None);
    }
}

#[tokio::test]
async fn a_provider_that_is_down_has_a_page_with_a_way_out() {
    for site in sites(json!({"faults": {"legs": {"discovery": {"down": true}}}})).await {
        let down = Visitor::default().get(&site, START).await;
        assert_eq!(down.status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(down.header("content-type").starts_with("text/html"));
        assert!(down.text.contains("does not answer") && down.text.contains("href=\"/sign-in\""));
        assert!(!down.text.contains("127.0.0.1"), "no address of the provider's: {}", down.text);
    }
    for site in sites(json!({})).await {
        let mut visitor = Visitor::default();
        let back = visitor.go(&site, START, "alice").await;
        site.realm.faults(json!({"legs": {"token": {"down": true}}})).await;
        let down = visitor.get(&site, &back).await;
        assert_eq!(down.status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(down.text.contains("does not answer") && down.text.contains("Sign in again"));
        assert_eq!(site.live().await, 0);
    }
}

#[tokio::test]
async fn whoever_may_not_come_in_is_told_why() {
    for site in sites(json!({})).await {
        let refused = Visitor::default().sign_in(&site, START, "nobody").await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN);
        assert!(refused.text.contains("nothing is granted to you"), "{}", refused.text);
        assert!(refused.text.contains("Sign in again"));
        assert_eq!(refused.cookie("qd_session"), None);
        let rows = "SELECT COUNT(*) AS it FROM audit_log WHERE action = 'identity.session.refuse' \
                    AND reason = 'not_authorized'";
        assert_eq!(site.count(rows).await, 1);
        let overage = json!({"id_token": {"remove": ["groups"], "set": {"hasgroups": true}}});
        site.realm.faults(overage).await;
        let unknown = Visitor::default().sign_in(&site, START, "alice").await;
        assert_eq!(unknown.status, StatusCode::FORBIDDEN);
        assert!(unknown.text.contains("groups"), "{}", unknown.text);
        assert_eq!(unknown.cookie("qd_session"), None);
        assert_eq!(site.live().await, 0);
    }
}

#[tokio::test]
async fn an_auditor_of_the_provider_is_an_auditor_here() {
    for site in sites(json!({})).await {
        let mut visitor = Visitor::default();
        visitor.sign_in(&site, START, "audrey").await;
        assert_eq!(visitor.get(&site, RUNS).await.status, StatusCode::OK);
        let start = visitor.get(&site, "/system/ops/runbooks").await;
        assert_eq!(start.status, StatusCode::OK);
        let main = start.text.split_once("<main").map_or("", |(_, main)| main);
        assert!(!main.is_empty() && !main.contains("method=\"post\""), "nothing to start: {main}");
        let mut admin = Visitor::default();
        admin.sign_in(&site, START, "alice").await;
        let start = admin.get(&site, "/system/ops/runbooks").await;
        assert!(start.text.contains("method=\"post\""), "an admin may: {}", start.text);
    }
}

#[tokio::test]
async fn the_provider_tells_of_a_sign_out_by_http() {
    const FORM: &str = "application/x-www-form-urlencoded";
    for site in sites(json!({})).await {
        let mut visitor = Visitor::default();
        visitor.sign_in(&site, START, "alice").await;
        assert_eq!(visitor.get(&site, RUNS).await.status, StatusCode::OK);
        let token = site.realm.logout_token(json!({"sub": "alice"})).await;
        let body = format!("logout_token={token}");
        for kind in ["application/json", "text/plain", "", "multipart/form-data; boundary=x"] {
            let refused = site.post_logout(kind, body.clone()).await;
            assert_eq!(refused.status, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{kind}");
        }
        let read = visitor.get(&site, LOGOUT).await;
        assert_eq!(read.status, StatusCode::METHOD_NOT_ALLOWED);
        let forged = site.realm.logout_token(json!({"sub": "alice", "sign": "stranger"})).await;
        let cut = &token[..token.len() - 4];
        for wrong in [
            format!("logout_token={forged}"),
            format!("logout_token={cut}"),
            format!("{body}&{body}"),
            "logout_token=".to_owned(),
            "logout_token=%FF%FE".to_owned(),
            String::new(),
        ] {
            let refused = site.post_logout(FORM, wrong.clone()).await;
            assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{wrong}");
            assert_eq!(refused.header("cache-control"), "no-store");
            assert_eq!(refused.text, r#"{"error":"invalid_request"}"#);
        }
        let large = site.post_logout(FORM, format!("logout_token={}", "x".repeat(2 << 20))).await;
        assert_eq!(large.status, StatusCode::PAYLOAD_TOO_LARGE);
        assert_eq!(visitor.get(&site, RUNS).await.status, StatusCode::OK, "nothing ended yet");

        let kind = "application/x-www-form-urlencoded; charset=UTF-8";
        let done = site.post_logout(kind, body.clone()).await;
        assert_eq!((done.status, done.text.as_str()), (StatusCode::OK, ""));
        assert_eq!(done.header("cache-control"), "no-store");
        assert_eq!(visitor.get(&site, RUNS).await.status, StatusCode::SEE_OTHER, "at once");
        visitor.sign_in(&site, START, "alice").await;
        let replayed = site.post_logout(FORM, body).await;
        assert_eq!(replayed.status, StatusCode::BAD_REQUEST, "its jti was heard");
        assert_eq!(visitor.get(&site, RUNS).await.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn signing_out_here_leads_on_to_signing_out_there() {
    for site in sites(json!({})).await {
        let mut visitor = Visitor::default();
        visitor.sign_in(&site, START, "alice").await;
        let session = visitor.jar["qd_session"].clone();
        let post = |cookie: String| {
            let request = Request::post("/sign-out").header("origin", site.origin);
            site.send(request.header("cookie", format!("qd_session={cookie}")), Body::empty())
        };
        // Even while the provider is down: its address is known.
        site.realm.faults(json!({"legs": {"discovery": {"down": true}}})).await;
        let gone = post(session.clone()).await;
        assert_eq!(gone.status, StatusCode::SEE_OTHER, "{}", gone.text);
        let there = Url::parse(gone.header("location")).expect("the provider's address");
        assert_eq!(
            there.as_str().split('?').next(),
            Some(&*format!("{}/session/end", site.realm.issuer))
        );
        let back_to = query(&there, "post_logout_redirect_uri");
        assert_eq!(back_to.as_deref(), Some("http://console.example/"));
        let hint = query(&there, "id_token_hint").expect("a hint");
        assert!(site.realm.tokens().await.contains(&hint));
        assert!(gone.cookie("qd_session").is_some_and(|cookie| cookie.contains("Max-Age=0")));
        assert_eq!(site.live().await, 0);
        assert_eq!(visitor.get(&site, RUNS).await.status, StatusCode::SEE_OTHER);
        let again = post(session).await;
        assert_eq!(again.header("location"), "/sign-in", "nobody is signed in any more");
    }
}
