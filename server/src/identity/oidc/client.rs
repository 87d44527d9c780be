//! The conversation with the provider: where to send a person, what their return proves, how a session is kept
//! fresh, where they sign out. Keeps nothing but what the provider says of itself; knows no session and no store.

use openidconnect::{
    AccessToken, AuthType, AuthenticationFlow, AuthorizationCode, ClientId, ClientSecret,
    CsrfToken, IssuerUrl, LogoutRequest, Nonce, OAuth2TokenResponse as _, PkceCodeChallenge,
    PkceCodeVerifier, PostLogoutRedirectUrl, ProviderMetadataWithLogout as Metadata, RedirectUrl,
    RefreshToken, Scope, TokenResponse as _,
    core::{CoreClient, CoreResponseType, CoreTokenResponse},
};
use url::Url;

use super::{
    Flow, Refreshed, SignedInBy, Source, Tokens,
    claims::{self, Claims, Groups},
    error::{Leg, OidcError, TokenFault},
    graph,
    logout::{self, Logout},
    provider::{Provider, Standing, wants_secret_in_body},
    tokens::{Expected, Judge},
    userinfo,
    wire::Wire,
};
use crate::{
    clock::{Clock, Rng},
    config::OidcConfig,
    egress::Client,
};

/// An access token whose life is not told is asked about again soon.
const UNTOLD_LIFE_S: i64 = 300;

pub struct Oidc {
    pub(super) config: OidcConfig,
    /// Where the provider sends people back to.
    redirect: RedirectUrl,
    provider: Provider,
    http: Client,
    clock: Clock,
    rng: Rng,
}

impl Oidc {
    /// # Errors
    /// When an address of the configuration is none, which its reader refuses already.
    pub fn new(
        config: OidcConfig,
        redirect: String,
        http: Client,
        clock: Clock,
        rng: Rng,
    ) -> Result<Self, url::ParseError> {
        let issuer = IssuerUrl::new(config.issuer.clone())?;
        let redirect = RedirectUrl::new(redirect)?;
        let provider = Provider::new(issuer, http.clone(), clock.clone());
        Ok(Self { config, redirect, provider, http, clock, rng })
    }

    pub fn issuer(&self) -> &str {
        &self.config.issuer
    }

    /// For the sign-in page: how the provider fared when it was last asked.
    pub fn standing(&self) -> Standing {
        self.provider.standing()
    }

    /// See [`Provider::form_action`].
    pub fn form_action(&self) -> std::sync::Arc<str> {
        self.provider.form_action()
    }

    /// Where to send a person, and what to remember until they return.
    pub async fn begin(&self) -> Result<(Url, Flow), OidcError> {
        let metadata = self.provider.metadata().await?;
        let flow = Flow { state: self.secret(), nonce: self.secret(), verifier: self.secret() };
        let verifier = PkceCodeVerifier::new(flow.verifier.clone());
        let (state, nonce) = (CsrfToken::new(flow.state.clone()), Nonce::new(flow.nonce.clone()));
        let client = self.client(&metadata);
        let scopes = self.config.scopes.iter().filter(|scope| *scope != "openid");
        let (url, ..) = client
            .authorize_url(
                AuthenticationFlow::<CoreResponseType>::AuthorizationCode,
                move || state,
                move || nonce,
            )
            .add_scopes(scopes.cloned().map(Scope::new))
            .set_pkce_challenge(PkceCodeChallenge::from_code_verifier_sha256(&verifier))
            .url();
        Ok((url, flow))
    }

    /// What the code of a returning person is worth.
    pub async fn finish(&self, flow: &Flow, code: String) -> Result<SignedInBy, OidcError> {
        let metadata = self.provider.metadata().await?;
        let http = Wire(&self.http);
        let asked = self
            .client(&metadata)
            .exchange_code(AuthorizationCode::new(code))
            .map_err(|error| OidcError::answer(Leg::Discovery, error.to_string()))?
            .set_pkce_verifier(PkceCodeVerifier::new(flow.verifier.clone()))
            .request_async(&http)
            .await;
        let answer = asked.map_err(OidcError::token)?;
        let nonce = Nonce::new(flow.nonce.clone());
        let expected = Expected::SignIn { nonce: &nonce };
        let told = self.id_claims(metadata, &answer, &expected).await?;
        let (metadata, claims) = told.ok_or(TokenFault::Missing)?;
        let access = answer.access_token();
        let (claims, groups, source) = self.complete(&metadata, claims, access).await?;
        let person = self.person(&claims)?;
        let tokens = Tokens {
            subject: person.subject.clone(),
            refresh: answer.refresh_token().map(|token| token.secret().clone()),
            access: access.secret().clone(),
            hint: answer.id_token().map(ToString::to_string),
            source,
            fresh_until_s: self.fresh_until(&answer),
        };
        let sid = claims.get("sid").and_then(|sid| sid.as_str()).map(str::to_owned);
        Ok(SignedInBy { person, groups, sid, tokens })
    }

    /// New tokens for old ones. The old refresh token may be spent even when this fails.
    pub async fn refresh(&self, old: &Tokens) -> Result<Refreshed, OidcError> {
        let Some(refresh) = &old.refresh else { return self.look_again(old).await };
        let metadata = self.provider.metadata().await?;
        let http = Wire(&self.http);
        let asked = self
            .client(&metadata)
            .exchange_refresh_token(&RefreshToken::new(refresh.clone()))
            .map_err(|error| OidcError::answer(Leg::Discovery, error.to_string()))?
            .request_async(&http)
            .await;
        let answer = asked.map_err(OidcError::token)?;
        // From here on the old token may be spent: what was got must be kept, whatever else fails.
        let tokens = Tokens {
            refresh: answer.refresh_token().map(|t| t.secret().clone()).or(old.refresh.clone()),
            access: answer.access_token().secret().clone(),
            hint: answer.id_token().map(ToString::to_string).or(old.hint.clone()),
            fresh_until_s: self.fresh_until(&answer),
            ..old.clone()
        };
        let groups = self.groups_again(metadata, &answer, old).await;
        Ok(Refreshed { tokens, groups })
    }

    /// Without a refresh token the access token must do, for as long as it lives.
    async fn look_again(&self, old: &Tokens) -> Result<Refreshed, OidcError> {
        let metadata = self.provider.metadata().await?;
        let access = AccessToken::new(old.access.clone());
        let groups = self.groups_by_access(&metadata, &access, old).await;
        if let Err(OidcError::Answer { leg: Leg::Userinfo, .. }) = &groups {
            return Err(OidcError::Refused("the access token, and there is no other".to_owned()));
        }
        Ok(Refreshed { tokens: old.clone(), groups })
    }

    async fn groups_again(
        &self,
        metadata: std::sync::Arc<Metadata>,
        answer: &CoreTokenResponse,
        old: &Tokens,
    ) -> Result<Option<Vec<String>>, OidcError> {
        let expected = Expected::Refresh { subject: &old.subject };
        let access = answer.access_token();
        match self.id_claims(metadata.clone(), answer, &expected).await? {
            Some((metadata, claims)) => {
                let (_, groups, _) = self.complete(&metadata, claims, access).await?;
                Ok(Some(groups))
            }
            None => self.groups_by_access(&metadata, access, old).await,
        }
    }

    /// None when what the provider tells without a new id token says nothing about groups.
    async fn groups_by_access(
        &self,
        metadata: &Metadata,
        access: &AccessToken,
        old: &Tokens,
    ) -> Result<Option<Vec<String>>, OidcError> {
        if old.source == Source::Graph {
            return self.graph(access).await.map(Some);
        }
        let told = userinfo::fetch(&self.http, metadata, access, &old.subject).await?;
        let Some(told) = told else { return Ok(None) };
        match claims::groups(&told, &self.config.claims.groups) {
            Groups::Told(groups) => Ok(Some(groups)),
            Groups::Elsewhere => self.graph(access).await.map(Some),
            // Where they stood there before, their absence says that there are none left.
            Groups::Absent if old.source == Source::Userinfo => Ok(Some(Vec::new())),
            Groups::Absent => Ok(None),
        }
    }

    /// The claims of the answer's id token; with newer keys when the known ones do not fit.
    async fn id_claims(
        &self,
        mut metadata: std::sync::Arc<Metadata>,
        answer: &CoreTokenResponse,
        expected: &Expected<'_>,
    ) -> Result<Option<(std::sync::Arc<Metadata>, Claims)>, OidcError> {
        let Some(token) = answer.id_token() else { return Ok(None) };
        let access = answer.access_token();
        let mut judged = self.judge(&metadata).id_token(token, access, expected);
        if judged == Err(TokenFault::UnknownKey)
            && let Some(newer) = self.provider.newer_keys().await?
        {
            metadata = newer;
            judged = self.judge(&metadata).id_token(token, access, expected);
        }
        Ok(Some((metadata, judged?)))
    }

    /// Groups stand in the id token, at userinfo, or at Graph.
    async fn complete(
        &self,
        metadata: &Metadata,
        mut claims: Claims,
        access: &AccessToken,
    ) -> Result<(Claims, Vec<String>, Source), OidcError> {
        let paths = &self.config.claims.groups;
        match claims::groups(&claims, paths) {
            Groups::Told(groups) => return Ok((claims, groups, Source::IdToken)),
            Groups::Elsewhere => return Ok((claims, self.graph(access).await?, Source::Graph)),
            Groups::Absent => {}
        }
        let subject = claims.get("sub").and_then(|sub| sub.as_str()).unwrap_or_default().to_owned();
        let told = userinfo::fetch(&self.http, metadata, access, &subject).await?;
        let Some(told) = told else { return Ok((claims, Vec::new(), Source::IdToken)) };
        let groups = claims::groups(&told, paths);
        // The signed word wins over the unsigned one.
        for (name, value) in told {
            claims.entry(name).or_insert(value);
        }
        match groups {
            Groups::Told(groups) => Ok((claims, groups, Source::Userinfo)),
            Groups::Elsewhere => Ok((claims, self.graph(access).await?, Source::Graph)),
            Groups::Absent => Ok((claims, Vec::new(), Source::IdToken)),
        }
    }

    async fn graph(&self, access: &AccessToken) -> Result<Vec<String>, OidcError> {
        let url = self.config.graph_url.as_ref();
        let url = url.ok_or_else(|| OidcError::Groups("`oidc_graph_url` is not set".to_owned()))?;
        graph::groups(&self.http, url, access.secret()).await
    }

    fn person(&self, claims: &Claims) -> Result<claims::Person, OidcError> {
        let OidcConfig { issuer, claims: paths, require_verified_email, .. } = &self.config;
        let person = claims::person(claims, issuer, paths, *require_verified_email);
        Ok(person.ok_or(TokenFault::Claim("that tells people apart"))?)
    }

    /// Where a person signs out at the provider too; none when it has no such address.
    pub async fn end_session(&self, hint: Option<&str>, back_to: &str) -> Option<Url> {
        let metadata = self.provider.known().await.ok()?;
        let endpoint = metadata.additional_metadata().end_session_endpoint.clone()?;
        let back_to = PostLogoutRedirectUrl::new(back_to.to_owned()).ok()?;
        let mut request = LogoutRequest::from(endpoint)
            .set_client_id(ClientId::new(self.config.client_id.clone()))
            .set_post_logout_redirect_uri(back_to);
        if let Some(hint) =
            hint.and_then(|hint| hint.parse::<openidconnect::core::CoreIdToken>().ok())
        {
            request = request.set_id_token_hint(&hint);
        }
        Some(request.http_get_url())
    }

    /// A logout token that the provider posted.
    pub async fn logout(&self, token: &str) -> Result<Logout, OidcError> {
        let mut metadata = self.provider.metadata().await?;
        let mut read = logout::read(&self.judge(&metadata), token);
        if read == Err(TokenFault::UnknownKey)
            && let Some(newer) = self.provider.newer_keys().await?
        {
            metadata = newer;
            read = logout::read(&self.judge(&metadata), token);
        }
        Ok(read?)
    }

    pub(super) fn now_s(&self) -> i64 {
        self.clock.now().0.div_euclid(1_000_000)
    }

    fn judge<'a>(&'a self, metadata: &'a Metadata) -> Judge<'a> {
        Judge { metadata, config: &self.config, clock: &self.clock }
    }

    fn fresh_until(&self, answer: &CoreTokenResponse) -> i64 {
        let told = answer.expires_in().and_then(|life| i64::try_from(life.as_secs()).ok());
        self.now_s() + told.unwrap_or(UNTOLD_LIFE_S).clamp(0, 86_400)
    }

    /// 256 bits, as a URL may hold them.
    fn secret(&self) -> String {
        use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
        let mut bytes = [0; 32];
        self.rng.fill(&mut bytes);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    fn client(
        &self,
        metadata: &Metadata,
    ) -> CoreClient<
        openidconnect::EndpointSet,
        openidconnect::EndpointNotSet,
        openidconnect::EndpointNotSet,
        openidconnect::EndpointNotSet,
        openidconnect::EndpointMaybeSet,
        openidconnect::EndpointMaybeSet,
    > {
        let id = ClientId::new(self.config.client_id.clone());
        let secret = self.config.client_secret.clone().map(ClientSecret::new);
        let client = CoreClient::from_provider_metadata(metadata.clone(), id, secret)
            .set_redirect_uri(self.redirect.clone());
        if wants_secret_in_body(metadata) {
            client.set_auth_type(AuthType::RequestBody)
        } else {
            client
        }
    }
}
