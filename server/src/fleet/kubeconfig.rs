//! Reads kubeconfigs: inline authority, server, token, client certificate and key, and nothing else (DESIGN §5.7).
//!
//! kube's own types read the file; its loader is not used, since that runs programs and opens files.

use app::{
    error::{ApiError, Expected, KubeconfigEntry, Rule},
    fleet::registration,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use kube::config::{AuthInfo, Cluster, Kubeconfig, NamedContext};
use secrecy::ExposeSecret as _;

use super::credentials::Opens;

const FIELD: &str = "kubeconfig";

/// A kubeconfig that can be read.
pub struct File(Kubeconfig);

/// One context, and what keeps it from being used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Context {
    pub name: String,
    pub server: Option<String>,
    pub user: Option<String>,
    pub is_current: bool,
    /// None when it can be used.
    pub refused: Option<ApiError>,
}

/// A context that can be used.
pub struct Chosen {
    pub context: String,
    pub server: String,
    pub authority: Option<String>,
    pub server_name: Option<String>,
    pub opens: Opens,
}

fn refused(rule: Rule) -> ApiError {
    ApiError::invalid(FIELD, rule)
}

fn holds(entry: KubeconfigEntry) -> ApiError {
    refused(Rule::KubeconfigHolds { entry })
}

fn lacks(entry: KubeconfigEntry) -> ApiError {
    refused(Rule::KubeconfigLacks { entry })
}

fn malformed() -> ApiError {
    refused(Rule::Malformed { expected: Expected::Kubeconfig })
}

impl File {
    pub fn read(text: &str) -> Result<Self, ApiError> {
        // What the parser says may hold what was typed, so it is not repeated.
        let file = Kubeconfig::from_yaml(text).map_err(|_| malformed())?;
        if file.contexts.is_empty() && file.clusters.is_empty() {
            return Err(malformed());
        }
        Ok(Self(file))
    }

    /// In the order of the file.
    pub fn contexts(&self) -> Vec<Context> {
        let context = |named: &NamedContext| {
            let chosen = self.choose(Some(&named.name));
            let inner = named.context.as_ref();
            let cluster = inner.and_then(|context| self.cluster(&context.cluster));
            Context {
                name: named.name.clone(),
                server: cluster.and_then(|cluster| cluster.server.clone()),
                user: inner.and_then(|context| context.user.clone()),
                is_current: self.0.current_context.as_deref() == Some(&named.name),
                refused: chosen.err(),
            }
        };
        self.0.contexts.iter().map(context).collect()
    }

    /// The context of this name, the current one when none is named, or the only one.
    pub fn choose(&self, name: Option<&str>) -> Result<Chosen, ApiError> {
        let only = || match self.0.contexts.as_slice() {
            [only] => Some(only.name.as_str()),
            _ => None,
        };
        let current = self.0.current_context.as_deref().filter(|name| !name.is_empty());
        let name = name.or(current).or_else(only).ok_or(lacks(KubeconfigEntry::Context))?;
        let context = self.0.contexts.iter().find(|context| context.name == name);
        let context = context.and_then(|named| named.context.as_ref());
        let context = context.ok_or(lacks(KubeconfigEntry::Context))?;
        let cluster = self.cluster(&context.cluster).ok_or(lacks(KubeconfigEntry::Cluster))?;
        let user = context.user.as_deref().and_then(|user| {
            let named = self.0.auth_infos.iter().find(|named| named.name == user)?;
            named.auth_info.as_ref()
        });
        let user = user.ok_or(lacks(KubeconfigEntry::User))?;
        let server = cluster.server.as_deref().ok_or(lacks(KubeconfigEntry::Server))?;
        let server =
            registration::https(FIELD, server).map_err(|_| lacks(KubeconfigEntry::Server))?;
        Ok(Chosen {
            context: name.to_owned(),
            server,
            authority: authority(cluster)?,
            server_name: cluster.tls_server_name.clone().filter(|name| !name.is_empty()),
            opens: opens(user)?,
        })
    }

    fn cluster(&self, name: &str) -> Option<&Cluster> {
        self.0.clusters.iter().find(|named| named.name == name)?.cluster.as_ref()
    }
}

fn authority(cluster: &Cluster) -> Result<Option<String>, ApiError> {
    if cluster.insecure_skip_tls_verify == Some(true) {
        return Err(holds(KubeconfigEntry::InsecureSkipTlsVerify));
    }
    if cluster.certificate_authority.is_some() {
        return Err(holds(KubeconfigEntry::CertificateAuthority));
    }
    if cluster.proxy_url.is_some() {
        return Err(holds(KubeconfigEntry::ProxyUrl));
    }
    let Some(data) = &cluster.certificate_authority_data else { return Ok(None) };
    let pem = pem(data)?;
    crate::egress::authorities(pem.as_bytes()).map_err(|_| malformed())?;
    Ok(Some(pem))
}

fn opens(user: &AuthInfo) -> Result<Opens, ApiError> {
    use KubeconfigEntry as Entry;
    let forbidden = [
        (user.exec.is_some(), Entry::Exec),
        (user.auth_provider.is_some(), Entry::AuthProvider),
        (user.token_file.is_some(), Entry::TokenFile),
        (user.client_certificate.is_some(), Entry::ClientCertificate),
        (user.client_key.is_some(), Entry::ClientKey),
        (user.username.is_some() || user.password.is_some(), Entry::Username),
        (
            user.impersonate.is_some()
                || user.impersonate_uid.is_some()
                || user.impersonate_groups.is_some()
                || user.impersonate_user_extra.is_some(),
            Entry::Impersonation,
        ),
    ];
    if let Some((_, entry)) = forbidden.into_iter().find(|(held, _)| *held) {
        return Err(holds(entry));
    }
    if let Some(token) = &user.token {
        let token = token.expose_secret().trim().to_owned();
        if token.is_empty() || !token.bytes().all(|byte| (b'!'..=b'~').contains(&byte)) {
            return Err(malformed());
        }
        return Ok(Opens::Token { token });
    }
    match (&user.client_certificate_data, &user.client_key_data) {
        (Some(certificate), Some(key)) => Ok(Opens::Certificate {
            certificate: pem(certificate)?,
            key: pem(key.expose_secret())?,
        }),
        _ => Err(lacks(Entry::Token)),
    }
}

fn pem(data: &str) -> Result<String, ApiError> {
    let bytes = STANDARD.decode(data.split_whitespace().collect::<String>());
    bytes.ok().and_then(|bytes| String::from_utf8(bytes).ok()).ok_or(malformed())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(cluster: &str, user: &str) -> String {
        format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: one\ncontexts:\n\
             - {{name: one, context: {{cluster: c, user: u}}}}\n\
             clusters:\n- name: c\n  cluster: {{server: 'https://h:6443'{cluster}}}\n\
             users:\n- name: u\n  user: {{{user}}}\n"
        )
    }

    fn rule(cluster: &str, user: &str) -> Rule {
        let read = File::read(&file(cluster, user)).expect("a file");
        match read.choose(None).map(|_| ()).expect_err("refused") {
            ApiError::Invalid(violations) => violations[0].rule.clone(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_the_console_never_does_is_refused_by_its_name() {
        use KubeconfigEntry as Entry;
        for (cluster, user, entry) in [
            ("", "exec: {command: aws, apiVersion: v1}", Entry::Exec),
            ("", "auth-provider: {name: gcp, config: {}}", Entry::AuthProvider),
            ("", "tokenFile: /var/run/token", Entry::TokenFile),
            ("", "client-certificate: /etc/passwd", Entry::ClientCertificate),
            ("", "token: t, client-key: /etc/shadow", Entry::ClientKey),
            ("", "username: a, password: b", Entry::Username),
            ("", "token: t, as: 'system:admin'", Entry::Impersonation),
            ("", "token: t, as-groups: ['system:masters']", Entry::Impersonation),
            (", insecure-skip-tls-verify: true", "token: t", Entry::InsecureSkipTlsVerify),
            (", certificate-authority: /etc/ca.pem", "token: t", Entry::CertificateAuthority),
            (", proxy-url: 'http://evil'", "token: t", Entry::ProxyUrl),
        ] {
            assert_eq!(rule(cluster, user), Rule::KubeconfigHolds { entry }, "{cluster} {user}");
        }
        assert_eq!(rule("", ""), Rule::KubeconfigLacks { entry: Entry::Token });
    }

    #[test]
    fn a_context_is_chosen_by_name_or_because_it_is_current() {
        let read = File::read(&file("", "token: tok")).expect("a file");
        let chosen = read.choose(None).expect("the current one");
        assert_eq!((chosen.context.as_str(), chosen.server.as_str()), ("one", "https://h:6443"));
        assert!(matches!(&chosen.opens, Opens::Token { token } if token == "tok"));
        assert!(read.choose(Some("two")).is_err());
        assert_eq!(read.contexts().len(), 1);
        assert_eq!(read.contexts()[0].refused, None);
    }

    #[test]
    fn what_is_no_kubeconfig_is_told_and_not_repeated() {
        for odd in ["", "hunter2", "{}", "[1,2]", "a: &a [*a]", "\u{0}", "apiVersion: v1"] {
            let error = File::read(odd).map(|_| ()).expect_err("no kubeconfig");
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn a_bomb_of_aliases_does_not_go_off() {
        let mut bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n".to_owned();
        for level in 1..12 {
            let before = format!("*a{}", level - 1);
            let line = vec![before; 10].join(",");
            bomb = format!("{bomb}a{level}: &a{level} [{line}]\n");
        }
        assert!(File::read(&bomb).is_err());
    }
}
