//! From leaving for the provider to a session here. What must be compared on return is sealed in the store, bound to
//! the browser by a cookie, and good for one return within ten minutes.

use std::{net::IpAddr, sync::Arc, time::Duration};

use app::{
    error::{ApiError, SignInFailure},
    identity::{Caller, CallerKind, Gate},
    time::Micros,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use url::{Position, Url};

use super::{
    Flow, Oidc, OidcError, SignedInBy, Tokens,
    store::{self, Held},
};
use crate::{
    clock::Rng,
    identity::{
        sessions::{Method, Sessions, SignedIn},
        store::move_epoch,
        token::{self, Token},
    },
    journal::AuditRow,
    store::{Db, StoreError, Tx},
    vault::{Place, RowName, SealedColumn, Vault},
};

/// How long a person may take at the provider.
pub const FLOW_LASTS: Duration = Duration::from_mins(10);

/// Half a minute beyond the lead of a renewal.
const RENEWED_AFTER_S: i64 = 90;

/// Everything that sign-in through a provider needs of the console.
pub struct Parts {
    pub oidc: Oidc,
    pub db: Db,
    pub vault: Vault,
    pub rng: Rng,
    pub sessions: Arc<Sessions>,
    /// Groups to which the configuration gives a role.
    pub granted_groups: Vec<String>,
    /// Where the provider sends people after they signed out there: the console's public address.
    pub home: String,
    /// The path below which the console is published.
    pub base: String,
    pub gate: Arc<dyn Gate>,
}

pub struct SignIn {
    pub(super) parts: Parts,
}

/// Somebody goes to the provider.
#[derive(Debug)]
pub struct Departure {
    pub url: Url,
    /// For the cookie: the return must come from the same browser.
    pub browser: String,
}

/// Somebody comes back.
pub struct Return<'a> {
    pub state: &'a str,
    pub code: &'a str,
    pub browser: Option<&'a str>,
    pub address: Option<IpAddr>,
    pub device: Option<&'a str>,
    pub request_id: &'a str,
}

/// Somebody is signed in.
#[derive(Debug)]
pub struct Arrived {
    pub token: Token,
    pub expires_at: Micros,
    /// Where they wanted to go: a path of ours.
    pub to: Option<String>,
}

#[derive(Debug, thiserror::Error)]
pub enum SignInError {
    #[error("no sign-in is on its way with this state, from this browser")]
    FlowLost,
    #[error(transparent)]
    Provider(#[from] OidcError),
    /// Known, and nothing is granted.
    #[error("nothing is granted to {0} or to a group of theirs")]
    NotAuthorized(String),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("what was sealed cannot be opened: {0}")]
    Sealed(String),
}

impl From<SignInError> for ApiError {
    fn from(error: SignInError) -> Self {
        match error {
            SignInError::FlowLost => Self::SignInFailed(SignInFailure::FlowLost),
            SignInError::Provider(error) => Self::SignInFailed(error.failure()),
            SignInError::NotAuthorized(_) => Self::SignInFailed(SignInFailure::NotAuthorized),
            SignInError::Store(error) => error.into(),
            SignInError::Sealed(_) => Self::Internal(String::new()),
        }
    }
}

/// What the store keeps of a sign-in on its way.
#[derive(Serialize, Deserialize)]
struct Pending {
    flow: Flow,
    browser: Vec<u8>,
    to: Option<String>,
}

impl SignIn {
    pub fn new(parts: Parts) -> Self {
        Self { parts }
    }

    pub fn oidc(&self) -> &Oidc {
        &self.parts.oidc
    }

    /// `browser` is the cookie of an earlier departure: several tabs may be on their way at once.
    pub async fn depart(
        &self,
        to: Option<&str>,
        browser: Option<&str>,
    ) -> Result<Departure, SignInError> {
        let (url, flow) = self.parts.oidc.begin().await?;
        let kept = browser.filter(|cookie| cookie.len() == 43);
        let browser =
            kept.map_or_else(|| Token::new("", &self.parts.rng).reveal().to_owned(), str::to_owned);
        let state = token::hash(&flow.state);
        let to = to.and_then(|to| local_path(&self.parts.base, to));
        let pending = Pending { flow, browser: token::hash(&browser), to };
        let text = serde_json::to_vec(&pending).map_err(|e| SignInError::Sealed(e.to_string()))?;
        let sealed = self.parts.vault.seal(place_of_flow(&name(&state)), &text);
        let mut tx = self.parts.db.begin().await?;
        let until = tx.now().await?.plus(micros(FLOW_LASTS));
        store::insert_flow(&mut tx, &state, sealed, until).await?;
        tx.commit(Vec::new()).await?;
        Ok(Departure { url, browser })
    }

    pub async fn arrive(&self, back: Return<'_>) -> Result<Arrived, SignInError> {
        let pending = self.take(back.state, back.browser).await?;
        let signed = self.parts.oidc.finish(&pending.flow, back.code.to_owned()).await?;
        self.enter(signed, pending.to, &back).await
    }

    /// The provider says that it let nobody in: what was on its way is over.
    pub async fn give_up(&self, state: &str, browser: Option<&str>) -> Result<(), SignInError> {
        self.take(state, browser).await.map(|_| ())
    }

    async fn take(&self, state: &str, browser: Option<&str>) -> Result<Pending, SignInError> {
        let state = token::hash(state);
        let mut tx = self.parts.db.begin().await?;
        let sealed = store::take_flow(&mut tx, &state).await?;
        tx.commit(Vec::new()).await?;
        let sealed = sealed.ok_or(SignInError::FlowLost)?;
        let opened = self.parts.vault.open_sealed(place_of_flow(&name(&state)), &sealed);
        let text = opened.map_err(|error| SignInError::Sealed(error.to_string()))?;
        let pending: Pending =
            serde_json::from_slice(&text).map_err(|e| SignInError::Sealed(e.to_string()))?;
        let same = browser.is_some_and(|cookie| token::hash(cookie) == pending.browser);
        if same { Ok(pending) } else { Err(SignInError::FlowLost) }
    }

    /// One transaction: the person as told today, their groups, their session, and that it began.
    async fn enter(
        &self,
        signed: SignedInBy,
        to: Option<String>,
        back: &Return<'_>,
    ) -> Result<Arrived, SignInError> {
        let Parts { db, rng, sessions, .. } = &self.parts;
        let SignedInBy { person, groups, sid, tokens } = signed;
        let mut tx = db.begin().await?;
        let (name, email) = (person.name.as_str(), person.email.as_deref());
        let known = store::upsert_person(&mut tx, &rng.uuid(), &person.key, name, email).await?;
        let changed = store::replace_groups(&mut tx, &known.id, &groups).await?;
        if changed {
            move_epoch(&mut tx).await?;
        }
        let mut caller = self.caller(&known.id, name);
        back.request_id.clone_into(&mut caller.request_id);
        caller.address = back.address;
        let mut rows = Vec::new();
        if known.is_new {
            rows.push(
                AuditRow::allowed(&caller, "identity.person.add").target("person", &known.id, name),
            );
        }
        if known.disabled || !self.is_authorized(&mut tx, &known.id, &groups).await? {
            let why = if known.disabled { "disabled" } else { "not_authorized" };
            rows.push(
                AuditRow::failed(&caller, "identity.session.refuse", why).detail("method", "oidc"),
            );
            // The person stays known, so that an admin finds whom to grant something.
            tx.commit(rows).await?;
            return Err(SignInError::NotAuthorized(known.id));
        }
        let who = SignedIn {
            person_id: &known.id,
            method: Method::Oidc,
            address: back.address,
            device: back.device,
        };
        let begun = sessions.begin(&mut tx, who).await?;
        let held = self.held(&begun.id, &tokens, tx.now().await?)?;
        store::set_tokens(&mut tx, &begun.id, sid.as_deref(), held).await?;
        caller.session = Some(token::mark(&begun.token.hash()));
        rows.push(
            AuditRow::allowed(&caller, "identity.session.begin")
                .target("session", &begun.id, name)
                .detail("method", "oidc"),
        );
        tx.commit(rows).await?;
        Ok(Arrived { token: begun.token, expires_at: begun.expires_at, to })
    }

    /// Whether anything is granted to them, or to a group of theirs.
    pub(super) async fn is_authorized(
        &self,
        tx: &mut Tx,
        person: &str,
        groups: &[String],
    ) -> Result<bool, StoreError> {
        if groups.iter().any(|group| self.parts.granted_groups.contains(group)) {
            return Ok(true);
        }
        store::holds_grant(tx, person).await
    }

    pub(super) fn caller(&self, id: &str, name: &str) -> Caller {
        Caller::new(CallerKind::User, id, name, Vec::new(), Arc::clone(&self.parts.gate))
    }

    pub(super) fn held(
        &self,
        session: &str,
        tokens: &Tokens,
        groups_read_at: Micros,
    ) -> Result<Held, SignInError> {
        let text = serde_json::to_vec(tokens).map_err(|e| SignInError::Sealed(e.to_string()))?;
        let sealed = self.parts.vault.seal(place_of_tokens(session), &text);
        // However short its tokens live, a provider is not asked in every round.
        let soonest = self.parts.oidc.now_s() + RENEWED_AFTER_S;
        let expire_at = Micros(tokens.fresh_until_s.max(soonest).saturating_mul(Micros::SECOND));
        Ok(Held { tokens: sealed, expire_at, groups_read_at })
    }

    pub(super) fn tokens(&self, session: &str, sealed: &[u8]) -> Result<Tokens, SignInError> {
        let opened = self.parts.vault.open_sealed(place_of_tokens(session), sealed);
        let text = opened.map_err(|error| SignInError::Sealed(error.to_string()))?;
        serde_json::from_slice(&text).map_err(|e| SignInError::Sealed(e.to_string()))
    }

    /// Where to sign out at the provider too, on the way back to the console; to be asked before the session ends, which
    /// erases its tokens. None for a session that did not come from the provider, or when it has no such address:
    /// signing out here never hangs on it.
    pub async fn end_session_url(&self, session_id: &str) -> Option<Url> {
        let found = store::find_tokens(&self.parts.db, session_id).await;
        let sealed = found
            .inspect_err(|error| tracing::warn!(%error, "no sign-out at the provider"))
            .ok()??;
        let tokens = self.tokens(session_id, &sealed).ok()?;
        self.parts.oidc.end_session(tokens.hint.as_deref(), &self.parts.home).await
    }
}

/// Where a browser may be sent below `base`, and nowhere else: what it would read as another host, as another scheme, or
/// as a neighbour on our host is refused or brought below the base. Takes paths with the base and without it.
pub fn local_path(base: &str, to: &str) -> Option<String> {
    let plain = to.starts_with('/') && to.len() <= 2_000 && !to.starts_with("//");
    let odd = |c: char| c.is_control() || c == '\\' || c.is_whitespace();
    if !plain || to.contains(odd) {
        return None;
    }
    let here = Url::parse("http://here.invalid/").ok()?;
    let read = here.join(to).ok()?;
    if read.origin() != here.origin() || read.path().starts_with("//") {
        return None;
    }
    // As a browser would resolve it, so that no `..` leads out again.
    let resolved = &read[Position::BeforePath..];
    let below =
        read.path().strip_prefix(base).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    Some(if below { resolved.to_owned() } else { format!("{base}{resolved}") })
}

pub const SEALED_FLOWS: SealedColumn =
    SealedColumn { table: "sign_in_flows", column: "sealed", row: RowName::Bytes("state_hash") };
pub const SEALED_TOKENS: SealedColumn =
    SealedColumn { table: "sessions", column: "tokens", row: RowName::Text("id") };

fn place_of_flow(state: &str) -> Place<'_> {
    SEALED_FLOWS.place(state)
}

fn place_of_tokens(session: &str) -> Place<'_> {
    SEALED_TOKENS.place(session)
}

fn name(hash: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(hash)
}

pub(super) fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::local_path;

    #[test]
    fn only_a_path_of_ours_is_gone_back_to() {
        for ours in
            ["/", "/system/ops/runs?status=running&q=a%2Fb", "/x#y", "/a//b", "/%2F%2Fevil.example"]
        {
            assert_eq!(local_path("", ours).as_deref(), Some(ours));
        }
        for (to, there) in [
            ("/console", "/console"),
            ("/console/?x=1", "/console/?x=1"),
            ("/console/system/ops/runs", "/console/system/ops/runs"),
            ("/system/ops/runs", "/console/system/ops/runs"),
            ("/consoles", "/console/consoles"),
            ("/console/../neighbour", "/console/neighbour"),
            ("/../../neighbour", "/console/neighbour"),
            ("/console/%2e%2e/neighbour", "/console/neighbour"),
        ] {
            assert_eq!(local_path("/console", to).as_deref(), Some(there), "{to}");
        }
        assert_eq!(local_path("/console", "/console/..//evil.example"), None);
        for theirs in [
            "",
            "runs",
            "//evil.example",
            "///evil.example",
            "/\\evil.example",
            "\\/evil.example",
            "https://evil.example/",
            "javascript:alert(1)",
            "/\t/evil.example",
            "/\n/evil.example",
            " //evil.example",
            "/ /x",
            "http:evil.example",
            "/..//evil.example",
        ] {
            assert_eq!(local_path("", theirs), None, "{theirs:?}");
        }
    }
}
