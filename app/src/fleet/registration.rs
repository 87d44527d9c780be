//! What somebody says of a cluster when it is registered or changed, and the rules for it.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

pub use super::typed::{https, is_label_key, is_label_value, name, suggest_name};
use super::{
    credentials::NewCredential,
    model::{ClusterEndpoints, ClusterType, Environment, Platform, Transport},
    typed::endpoint,
};
use crate::{
    error::{ApiError, Expected, Rule, Violation},
    workspaces::model::words,
};

/// What the API server is called inside its own cluster (DECIDED 27).
pub const IN_CLUSTER_URL: &str = "https://kubernetes.default.svc";
const LABELS_MAX: usize = 64;

/// A cluster that is to be registered.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewCluster {
    #[schema(pattern = "^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$")]
    pub name: String,
    /// The name when absent.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 100)]
    pub external_id: Option<String>,
    #[serde(default)]
    #[schema(max_length = 128)]
    pub display_name: Option<String>,
    /// https. Needed for `direct`; the others have one of their own.
    #[serde(default)]
    #[schema(format = "uri", max_length = 512)]
    pub api_server_url: Option<String>,
    #[serde(default)]
    pub transport: Transport,
    #[serde(default)]
    pub cluster_type: ClusterType,
    /// OPENSHIFT when absent, unknown when null; what is discovered wins.
    #[serde(default = "usual_platform")]
    pub platform: Option<Platform>,
    #[serde(default)]
    #[schema(max_length = 64)]
    pub platform_version: Option<String>,
    #[serde(default)]
    #[schema(max_length = 64)]
    pub region: Option<String>,
    #[serde(default)]
    pub environment: Environment,
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    #[serde(default)]
    pub endpoints: ClusterEndpoints,
    /// The only one within reach, or the platform's, when absent.
    #[serde(default)]
    pub workspace_id: Option<i64>,
    #[serde(default)]
    pub tenant_id: Option<i64>,
    /// Stored with the cluster, in one step.
    #[serde(default)]
    pub credentials: Option<NewCredential>,
}

#[expect(clippy::unnecessary_wraps, reason = "the default of an optional field")]
const fn usual_platform() -> Option<Platform> {
    Some(Platform::OpenShift)
}

/// Absent: leave it. Null: clear it. Otherwise: this from now on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Patch<T> {
    #[default]
    Leave,
    Clear,
    Set(T),
}

impl<T> Patch<T> {
    /// What counts afterwards.
    pub fn or(self, before: Option<T>) -> Option<T> {
        match self {
            Self::Leave => before,
            Self::Clear => None,
            Self::Set(value) => Some(value),
        }
    }

    pub fn is_leave(&self) -> bool {
        matches!(self, Self::Leave)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Patch<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Option::<T>::deserialize(deserializer)?.map_or(Self::Clear, Self::Set))
    }
}

/// What is to be different: each field absent to leave it, null to clear it (RFC 7396).
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeCluster {
    #[schema(value_type = Option<String>)]
    #[serde(default)]
    pub display_name: Patch<String>,
    #[serde(default)]
    pub external_id: Option<String>,
    /// Not while a credential is stored, which was given for the address that it had.
    #[serde(default)]
    pub api_server_url: Option<String>,
    #[serde(default)]
    pub cluster_type: Option<ClusterType>,
    #[schema(value_type = Option<Platform>)]
    #[serde(default)]
    pub platform: Patch<Platform>,
    #[schema(value_type = Option<String>)]
    #[serde(default)]
    pub platform_version: Patch<String>,
    #[schema(value_type = Option<String>)]
    #[serde(default)]
    pub region: Patch<String>,
    #[serde(default)]
    pub environment: Option<Environment>,
    /// Labels that are named are set, or taken away by null; null for all of them takes all away.
    #[schema(value_type = Option<BTreeMap<String, Option<String>>>)]
    #[serde(default)]
    pub labels: Patch<BTreeMap<String, Option<String>>>,
    #[schema(value_type = Option<ChangeEndpoints>)]
    #[serde(default)]
    pub endpoints: Patch<ChangeEndpoints>,
    #[schema(value_type = Option<i64>)]
    #[serde(default)]
    pub tenant_id: Patch<i64>,
    /// As you have seen it: 409 when somebody else changed it since.
    #[serde(default)]
    pub version: Option<i64>,
}

#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeEndpoints {
    #[schema(value_type = Option<String>)]
    #[serde(default)]
    pub prometheus_url: Patch<String>,
    #[schema(value_type = Option<String>)]
    #[serde(default)]
    pub tempo_url: Patch<String>,
    #[schema(value_type = Option<String>)]
    #[serde(default)]
    pub loki_url: Patch<String>,
    #[schema(value_type = Option<String>)]
    #[serde(default)]
    pub alertmanager_url: Patch<String>,
    #[schema(value_type = Option<String>)]
    #[serde(default)]
    pub thanos_url: Patch<String>,
}

/// What people set, checked: the same after a registration and after a change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    pub external_id: String,
    pub display_name: Option<String>,
    pub api_server_url: String,
    pub cluster_type: ClusterType,
    pub platform: Option<Platform>,
    pub platform_version: Option<String>,
    pub region: Option<String>,
    pub environment: Environment,
    pub labels: BTreeMap<String, String>,
    pub endpoints: ClusterEndpoints,
    pub tenant_id: Option<i64>,
}

impl NewCluster {
    /// The name and the settings, or every rule that they break.
    pub fn check(&self) -> Result<(String, Settings), ApiError> {
        let mut wrong = Wrong::default();
        let name = wrong.take(name("name", &self.name)).unwrap_or_default();
        let api_server_url = match (self.transport, self.api_server_url.as_deref()) {
            (Transport::Direct, Some(url)) => wrong.take(https("api_server_url", url)),
            (Transport::Direct, None) => {
                wrong.take(Err(ApiError::invalid("api_server_url", Rule::Required)))
            }
            (_, None | Some(IN_CLUSTER_URL)) => Some(IN_CLUSTER_URL.to_owned()),
            (_, Some(_)) => wrong.take(Err(ApiError::invalid(
                "api_server_url",
                Rule::OneOf { allowed: vec![IN_CLUSTER_URL.to_owned()] },
            ))),
        };
        let settings = Settings {
            external_id: self.external_id.clone().unwrap_or_else(|| name.clone()),
            display_name: self.display_name.clone(),
            api_server_url: api_server_url.unwrap_or_default(),
            cluster_type: self.cluster_type,
            platform: self.platform,
            platform_version: self.platform_version.clone(),
            region: self.region.clone(),
            environment: self.environment,
            labels: self.labels.clone(),
            endpoints: self.endpoints.clone(),
            tenant_id: self.tenant_id,
        };
        // Without a name there is no other id either, and that is told already.
        let has_id = self.external_id.is_some() || !name.is_empty();
        let settings = settings.checked(&mut wrong, has_id);
        if let Some(credential) = &self.credentials {
            wrong.take(credential.check());
            if self.transport != Transport::Direct {
                wrong.0.push(Violation::new("credentials", Rule::UnknownField));
            }
        }
        wrong.end().map(|()| (name, settings))
    }
}

impl ChangeCluster {
    /// The settings afterwards, or every rule that they break.
    pub fn apply(self, before: &Settings) -> Result<Settings, ApiError> {
        let mut wrong = Wrong::default();
        let before = before.clone();
        let api_server_url = match &self.api_server_url {
            Some(url) => wrong.take(https("api_server_url", url)).unwrap_or_default(),
            None => before.api_server_url,
        };
        let settings = Settings {
            external_id: self.external_id.unwrap_or(before.external_id),
            display_name: self.display_name.or(before.display_name),
            api_server_url,
            cluster_type: self.cluster_type.unwrap_or(before.cluster_type),
            platform: self.platform.or(before.platform),
            platform_version: self.platform_version.or(before.platform_version),
            region: self.region.or(before.region),
            environment: self.environment.unwrap_or(before.environment),
            labels: merged(self.labels, before.labels),
            endpoints: self.endpoints.or_merged(before.endpoints),
            tenant_id: self.tenant_id.or(before.tenant_id),
        };
        let settings = settings.checked(&mut wrong, true);
        wrong.end().map(|()| settings)
    }
}

impl Patch<ChangeEndpoints> {
    fn or_merged(self, before: ClusterEndpoints) -> ClusterEndpoints {
        match self {
            Self::Leave => before,
            Self::Clear => ClusterEndpoints::default(),
            Self::Set(change) => ClusterEndpoints {
                prometheus_url: change.prometheus_url.or(before.prometheus_url),
                tempo_url: change.tempo_url.or(before.tempo_url),
                loki_url: change.loki_url.or(before.loki_url),
                alertmanager_url: change.alertmanager_url.or(before.alertmanager_url),
                thanos_url: change.thanos_url.or(before.thanos_url),
            },
        }
    }
}

fn merged(
    change: Patch<BTreeMap<String, Option<String>>>,
    before: BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    match change {
        Patch::Leave => before,
        Patch::Clear => BTreeMap::new(),
        Patch::Set(changes) => {
            let mut labels = before;
            for (key, value) in changes {
                match value {
                    Some(value) => labels.insert(key, value),
                    None => labels.remove(&key),
                };
            }
            labels
        }
    }
}

impl Settings {
    fn checked(mut self, wrong: &mut Wrong, has_id: bool) -> Self {
        if has_id {
            let id = wrong.take(words("external_id", &self.external_id, 1, 100));
            self.external_id = id.unwrap_or_default();
        }
        self.display_name = wrong.line("display_name", self.display_name, 128);
        self.platform_version = wrong.line("platform_version", self.platform_version, 64);
        self.region = wrong.line("region", self.region, 64);
        for (field, url) in self.endpoints.each() {
            *url = url.take().and_then(|typed| wrong.take(endpoint(field, &typed)).flatten());
        }
        if self.labels.len() > LABELS_MAX {
            wrong.0.push(Violation::new("labels", Rule::Length { min: 0, max: 64 }));
        }
        for (key, value) in &self.labels {
            if !is_label_key(key) || !is_label_value(value) {
                let rule = Rule::Malformed { expected: Expected::Label };
                wrong.0.push(Violation::new(format!("labels.{key}"), rule));
            }
        }
        self
    }
}

impl ClusterEndpoints {
    fn each(&mut self) -> [(&'static str, &mut Option<String>); 5] {
        [
            ("endpoints.prometheus_url", &mut self.prometheus_url),
            ("endpoints.tempo_url", &mut self.tempo_url),
            ("endpoints.loki_url", &mut self.loki_url),
            ("endpoints.alertmanager_url", &mut self.alertmanager_url),
            ("endpoints.thanos_url", &mut self.thanos_url),
        ]
    }
}

/// Collects what is wrong, so that all of it is told at once.
#[derive(Default)]
struct Wrong(Vec<Violation>);

impl Wrong {
    fn take<T>(&mut self, checked: Result<T, ApiError>) -> Option<T> {
        match checked {
            Ok(value) => Some(value),
            Err(ApiError::Invalid(violations)) => {
                self.0.extend(violations);
                None
            }
            Err(_) => None,
        }
    }

    /// One line of text; an empty one is none.
    fn line(&mut self, field: &'static str, typed: Option<String>, max: u32) -> Option<String> {
        let typed = typed.filter(|typed| !typed.trim().is_empty())?;
        self.take(words(field, &typed, 1, max))
    }

    fn end(self) -> Result<(), ApiError> {
        if self.0.is_empty() { Ok(()) } else { Err(ApiError::Invalid(self.0)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new(json: serde_json::Value) -> Result<(String, Settings), ApiError> {
        serde_json::from_value::<NewCluster>(json).expect("its shape").check()
    }

    fn fields<T: std::fmt::Debug>(checked: Result<T, ApiError>) -> Vec<String> {
        match checked.expect_err("a rule is broken") {
            ApiError::Invalid(violations) => violations.into_iter().map(|v| v.field).collect(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_not_said_is_as_the_contract_has_it() {
        let json = serde_json::json!({ "name": "prod-east-1", "api_server_url": "https://API.example:6443/" });
        let (name, settings) = new(json).expect("all that is needed");
        assert_eq!((name.as_str(), settings.external_id.as_str()), ("prod-east-1", "prod-east-1"));
        assert_eq!(settings.api_server_url, "https://api.example:6443");
        assert_eq!(settings.cluster_type, ClusterType::Spoke);
        assert_eq!(settings.environment, Environment::Development);
        assert_eq!(settings.platform, Some(Platform::OpenShift));
        let json =
            serde_json::json!({ "name": "hub", "transport": "in_cluster", "platform": null });
        let (_, settings) = new(json).expect("all that is needed");
        assert_eq!(settings.api_server_url, IN_CLUSTER_URL);
        assert_eq!(settings.platform, None);
    }

    #[test]
    fn names_are_such_as_hosts_have() {
        for good in ["abc", "a-1", &"x".repeat(63), "prod-east-1"] {
            assert_eq!(name("name", good).as_deref(), Ok(good));
        }
        for bad in
            ["", "ab", &"x".repeat(64), "-abc", "abc-", "Abc", "a_b", "a.b", "abc\n", "ab\u{e9}"]
        {
            assert!(name("name", bad).is_err(), "{bad:?}");
        }
        assert_eq!(suggest_name("Admin@Prod_East 1").as_deref(), Some("admin-prod-east-1"));
        assert_eq!(suggest_name("--"), None);
        assert_eq!(suggest_name(&"é".repeat(80)), None);
    }

    #[test]
    fn an_api_server_is_reached_by_https_and_nothing_else() {
        assert_eq!(https("u", " https://h:6443/k8s/ ").as_deref(), Ok("https://h:6443/k8s"));
        assert_eq!(https("u", "https://[::1]:6443").as_deref(), Ok("https://[::1]:6443"));
        for bad in [
            "",
            "http://h",
            "h:6443",
            "ftp://h",
            "https://",
            "https://me:pw@h",
            "https://h?x=1",
            "https://h#x",
            "https://h:0",
            "https://h:99999",
            "https://h:",
            "javascript:alert(1)",
            &format!("https://{}", "h".repeat(600)),
        ] {
            assert!(https("u", bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn every_broken_rule_is_told_at_once() {
        let json = serde_json::json!({
            "name": "X", "display_name": "d".repeat(129), "region": "r".repeat(65),
            "labels": { "a b": "x", "ok": "fine" }, "endpoints": { "loki_url": "loki" },
            "external_id": "e".repeat(101),
        });
        assert_eq!(
            fields(new(json)),
            [
                "name",
                "api_server_url",
                "external_id",
                "display_name",
                "region",
                "endpoints.loki_url",
                "labels.a b"
            ]
        );
    }

    #[test]
    fn a_field_is_left_cleared_or_set() {
        let json = serde_json::json!({
            "name": "hub", "api_server_url": "https://h", "region": "eu", "display_name": "Hub",
            "labels": { "team": "a", "tier": "1" },
            "endpoints": { "prometheus_url": "http://p", "loki_url": "http://l" },
        });
        let (_, before) = new(json).expect("a cluster");
        let change: ChangeCluster = serde_json::from_value(serde_json::json!({
            "region": null, "labels": { "tier": null, "zone": "b" },
            "endpoints": { "loki_url": null }, "environment": "LAB",
        }))
        .expect("its shape");
        let after = change.apply(&before).expect("a change");
        assert_eq!(after.region, None);
        assert_eq!(after.display_name.as_deref(), Some("Hub"));
        assert_eq!(after.environment, Environment::Lab);
        let labels: Vec<_> = after.labels.keys().map(String::as_str).collect();
        assert_eq!(labels, ["team", "zone"]);
        assert_eq!(after.endpoints.prometheus_url.as_deref(), Some("http://p"));
        assert_eq!(after.endpoints.loki_url, None);
        let all: ChangeCluster =
            serde_json::from_value(serde_json::json!({ "labels": null, "endpoints": null }))
                .expect("its shape");
        let after = all.apply(&after).expect("a change");
        assert!(after.labels.is_empty());
        assert_eq!(after.endpoints, ClusterEndpoints::default());
    }

    #[test]
    fn labels_are_such_as_kubernetes_has() {
        for good in ["team", "cost-center", "example.com/tier", "A.b_c"] {
            assert!(is_label_key(good), "{good}");
        }
        for bad in ["", "a b", "/x", "x/", "-a", "a/b/c", "UPPER.com/x", &"x".repeat(64)] {
            assert!(!is_label_key(bad), "{bad}");
        }
        assert!(is_label_value(""));
        assert!(!is_label_value("a=b"));
    }
}
