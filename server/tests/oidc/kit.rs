//! A client of a realm's own, without a console around it.

use std::time::Duration;

use serde_json::Value;
use server::{
    clock::{Clock, Rng},
    config::{OidcConfig, oidc::ClaimPaths},
    egress::{Egress, EgressConfig, Scope},
    identity::oidc::{Flow, Oidc, OidcError, SignedInBy},
};
use url::Url;

use crate::idp_kit::{Browser, Realm, query};

pub const BACK: &str = "http://console.example/sign-in/oidc/callback";

pub struct Kit {
    pub realm: Realm,
    pub oidc: Oidc,
}

pub fn config(issuer: &str) -> OidcConfig {
    let list = |text: &str| text.split(',').map(str::to_owned).collect();
    OidcConfig {
        issuer: issuer.to_owned(),
        client_id: "quarterdeck".to_owned(),
        client_secret: Some("rig-secret".to_owned()),
        scopes: list("openid,profile,email"),
        ca_file: None,
        claims: ClaimPaths {
            id: Vec::new(),
            name: list("name,preferred_username,upn"),
            email: list("email"),
            groups: list("groups"),
        },
        algorithms: list("RS256,PS256,ES256,EdDSA"),
        graph_url: None,
        require_verified_email: false,
    }
}

pub fn client(config: OidcConfig, clock: Clock) -> Oidc {
    let extra = config.ca_file.iter().flat_map(|file| file.0.iter().cloned()).collect();
    let egress =
        Egress::new(EgressConfig { extra_authorities: extra, ..EgressConfig::default() }, &clock);
    // What a slow provider may cost a test.
    let http = egress
        .client(Scope::Registered)
        .within(|limits| server::egress::Limits { headers: Duration::from_millis(1500), ..limits });
    Oidc::new(config, BACK.to_owned(), http, clock, Rng::seeded(5)).expect("addresses")
}

impl Kit {
    pub async fn new(wishes: Value) -> Self {
        Self::with(wishes, |_| {}).await
    }

    pub async fn with(wishes: Value, change: impl FnOnce(&mut OidcConfig)) -> Self {
        let realm = Realm::new(BACK, wishes).await;
        let mut config = config(&realm.issuer);
        change(&mut config);
        Self { realm, oidc: client(config, Clock::system()) }
    }

    /// To the provider and back, without the last step.
    pub async fn go(&self, person: &str) -> (Flow, String) {
        let (start, flow) = self.oidc.begin().await.expect("the provider answers");
        let back = Browser::default().sign_in(&start, person).await;
        assert!(back.as_str().starts_with(BACK), "{back}");
        assert_eq!(query(&back, "state").as_deref(), Some(flow.state.as_str()));
        (flow, query(&back, "code").expect("a code"))
    }

    pub async fn sign_in(&self, person: &str) -> Result<SignedInBy, OidcError> {
        let (flow, code) = self.go(person).await;
        self.oidc.finish(&flow, code).await
    }
}

pub fn url(text: &str) -> Url {
    Url::parse(text).expect("a URL")
}
