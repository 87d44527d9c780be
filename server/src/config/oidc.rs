//! The settings of sign-in by an identity provider. Read together, because each means nothing without the others.

use std::fmt;

use url::Url;

use super::{
    sources::{Fault, Reader},
    values::{self, Authorities},
};

/// What the console must know of its identity provider.
#[derive(Clone)]
pub struct OidcConfig {
    /// As the provider spells it: tokens are compared with it letter by letter.
    pub issuer: String,
    pub client_id: String,
    /// None for a public client, which proves itself by PKCE alone.
    pub client_secret: Option<String>,
    pub scopes: Vec<String>,
    /// Certificates of an authority that this machine does not know.
    pub ca_file: Option<Authorities>,
    pub claims: ClaimPaths,
    /// Names of JOSE; never `none`, never one with a shared secret.
    pub algorithms: Vec<String>,
    /// Microsoft Graph, asked where a token does not tell all groups.
    pub graph_url: Option<Url>,
    pub require_verified_email: bool,
}

/// Where in the claims things stand; of several paths the first that leads to something.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClaimPaths {
    /// Empty: `oid` and `tid` where both are told, else the subject.
    pub id: Vec<String>,
    pub name: Vec<String>,
    pub email: Vec<String>,
    pub groups: Vec<String>,
}

/// A group of the provider that has a role on everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupRole {
    pub group: String,
    pub role: app::identity::Role,
}

impl fmt::Debug for OidcConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OidcConfig")
            .field("issuer", &self.issuer)
            .field("client_id", &self.client_id)
            .field("client_secret", &self.client_secret.as_ref().map(|_| "…"))
            .field("scopes", &self.scopes)
            .finish_non_exhaustive()
    }
}

const ALGORITHMS: [&str; 9] =
    ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"];

/// None when no issuer is configured; anything else of this group is then a fault.
pub fn read(read: &mut Reader<'_>) -> Option<OidcConfig> {
    let issuer = read.optional("oidc_issuer", issuer);
    let client_id = read.optional("oidc_client_id", word);
    let or = |given: Vec<String>, default: &str| {
        if given.is_empty() { split(default) } else { given }
    };
    let config = OidcConfig {
        issuer: issuer.clone().unwrap_or_default(),
        client_id: client_id.unwrap_or_default(),
        client_secret: read.optional("oidc_client_secret", secret),
        scopes: or(read.list("oidc_scopes", word), SCOPES),
        ca_file: read.optional("oidc_ca_file", values::authorities),
        claims: ClaimPaths {
            id: read.list("oidc_claim_id", word),
            name: or(read.list("oidc_claim_name", word), NAME),
            email: or(read.list("oidc_claim_email", word), EMAIL),
            groups: or(read.list("oidc_claim_groups", word), GROUPS),
        },
        algorithms: or(read.list("oidc_algorithms", algorithm), ALGORITHM),
        graph_url: read.optional("oidc_graph_url", graph),
        require_verified_email: read.value("oidc_require_verified_email", values::yes_or_no),
    };
    issuer.map(|_| config)
}

pub const SCOPES: &str = "openid,profile,email";
pub const NAME: &str = "name,preferred_username,upn";
pub const EMAIL: &str = "email";
pub const GROUPS: &str = "groups";
pub const ALGORITHM: &str = "RS256,PS256,ES256,EdDSA";

fn split(text: &str) -> Vec<String> {
    text.split(',').map(str::to_owned).collect()
}

/// What no single one of these settings shows.
pub fn contradictions(
    oidc: Option<&OidcConfig>,
    grants: &[GroupRole],
    public_url: bool,
    given: impl Fn(&str) -> bool,
) -> Vec<Fault> {
    let mut faults = Vec::new();
    let Some(oidc) = oidc else {
        let orphans = ["oidc_client_id", "oidc_client_secret", "oidc_graph_url", "oidc_ca_file"];
        let mut orphans: Vec<_> = orphans.into_iter().filter(|key| given(key)).collect();
        if !grants.is_empty() {
            orphans.push("oidc_grant");
        }
        let why = "means nothing without `oidc_issuer`";
        return orphans.into_iter().map(|key| Fault::of(key, why)).collect();
    };
    if oidc.client_id.is_empty() {
        faults.push(Fault::of(
            "oidc_client_id",
            "is missing: the name under which the provider at `oidc_issuer` knows this console",
        ));
    }
    if !public_url {
        faults.push(Fault::of(
            "public_url",
            "is missing: the provider sends people back to it after sign-in, such as http://localhost:7080",
        ));
    }
    if !oidc.scopes.iter().any(|scope| scope == "openid") {
        faults.push(Fault::of("oidc_scopes", "must hold `openid`, or no id token comes back"));
    }
    faults
}

/// https, or plain http on this very machine: whoever listens on the way could sign in as anybody.
fn issuer(text: &str) -> Result<String, String> {
    let wanted = "is not an https URL without a query, such as https://login.example/realms/ops";
    let url = Url::parse(text).map_err(|_| wanted.to_owned())?;
    let plain = url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
    let safe = url.scheme() == "https" || (url.scheme() == "http" && on_loopback(&url));
    if plain && safe { Ok(text.to_owned()) } else { Err(wanted.to_owned()) }
}

fn graph(text: &str) -> Result<Url, String> {
    let wanted = "is not an https URL, such as https://graph.microsoft.com/v1.0";
    let url = Url::parse(text).map_err(|_| wanted.to_owned())?;
    let safe = url.scheme() == "https" || (url.scheme() == "http" && on_loopback(&url));
    if safe && url.query().is_none() { Ok(url) } else { Err(wanted.to_owned()) }
}

pub fn on_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

fn word(text: &str) -> Result<String, String> {
    let fits = !text.is_empty() && text.len() <= 400;
    if fits && !text.chars().any(|c| c.is_control() || c.is_whitespace()) {
        Ok(text.to_owned())
    } else {
        Err("is not one word".to_owned())
    }
}

/// Silent about the value.
fn secret(text: &str) -> Result<String, String> {
    if text.chars().any(char::is_control) {
        return Err("must be one line".to_owned());
    }
    Ok(text.to_owned())
}

fn algorithm(text: &str) -> Result<String, String> {
    if ALGORITHMS.contains(&text) {
        return Ok(text.to_owned());
    }
    let known = ALGORITHMS.join(", ");
    Err(format!("is not a signature that proves who signed; one of {known} is"))
}

/// Names of groups may hold `=`, as in `cn=ops,dc=example`; roles hold none.
pub fn group_role(text: &str) -> Result<GroupRole, String> {
    let named = text.rsplit_once('=').filter(|(group, _)| !group.trim().is_empty());
    let role = named.and_then(|(_, role)| role.trim().parse().ok());
    match (named, role) {
        (Some((group, _)), Some(role)) => Ok(GroupRole { group: group.trim().to_owned(), role }),
        _ => Err("is not GROUP=ROLE with a role of auditor, operator or admin".to_owned()),
    }
}
