//! Config maps that findings name, asked for by name when somebody reads the findings: a kubelet said what it missed some
//! time ago, and this says what is there now.
//!
//! Of a config map its keys are read by name and their values not at all; secrets are never asked for. A few at a time,
//! for a short time, and the same one not twice within a quarter of a minute.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use app::{
    fleet::{
        trouble::Trouble,
        watched::{Cause, Evidence, Finding, Severity},
    },
    time::Micros,
};
use futures::{StreamExt as _, stream};
use serde::{Deserialize, de::IgnoredAny};
use uuid::Uuid;

use crate::{
    clock::Clock,
    fleet::{
        ask::{self, Answered, JSON},
        checks::config::{Missed, missed},
        watch::{ClusterView, slim::ReferenceKind},
    },
};

/// Different ones for one reader.
const AT_MOST: usize = 8;
const AT_ONCE: usize = 4;
/// For all of them; what did not come in time is said not to be known.
const WITHIN: Duration = Duration::from_secs(2);
const FRESH: i64 = 15 * Micros::SECOND;
/// Names of keys that are listed.
const KEYS_SHOWN: usize = 12;

pub struct ConfigMaps {
    clock: Clock,
    asked: Mutex<HashMap<Asked, (Micros, Answer)>>,
}

/// Cluster, namespace, name.
type Asked = (Uuid, String, String);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Answer {
    There {
        keys: Vec<String>,
    },
    Absent,
    /// 403: its name is not ours to ask for.
    Forbidden,
    Unknown(Trouble),
}

/// What one finding says of a config map.
struct Named {
    namespace: String,
    name: String,
    key: Option<String>,
}

impl ConfigMaps {
    pub fn new(clock: Clock) -> Self {
        Self { clock, asked: Mutex::default() }
    }

    /// The findings, with what is there by now.
    pub async fn look_again(
        &self,
        cluster: Uuid,
        view: &ClusterView,
        findings: Arc<Vec<Finding>>,
    ) -> Arc<Vec<Finding>> {
        let named: Vec<(usize, Named)> = findings
            .iter()
            .enumerate()
            .filter_map(|(at, finding)| Some((at, named(finding)?)))
            .collect();
        if named.is_empty() {
            return findings;
        }
        let wanted: BTreeSet<(String, String)> =
            named.iter().map(|(_, named)| (named.namespace.clone(), named.name.clone())).collect();
        let wanted: Vec<_> = wanted.into_iter().take(AT_MOST).collect();
        let known = self.answers(cluster, view, wanted).await;
        let mut findings = findings.to_vec();
        for (at, named) in named {
            let key = (cluster, named.namespace.clone(), named.name.clone());
            if let Some((asked_at, answer)) = known.get(&key) {
                tell(&mut findings[at], &named, answer, *asked_at);
            }
        }
        // The worst first, as they came.
        findings.sort_by_key(|finding| finding.severity);
        Arc::new(findings)
    }

    async fn answers(
        &self,
        cluster: Uuid,
        view: &ClusterView,
        wanted: Vec<(String, String)>,
    ) -> HashMap<Asked, (Micros, Answer)> {
        let now = self.clock.now();
        let mut known = HashMap::new();
        let mut open = Vec::new();
        {
            let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
            asked.retain(|_, (at, _)| (0..FRESH).contains(&now.since(*at)));
            for (namespace, name) in wanted {
                let key = (cluster, namespace, name);
                match asked.get(&key) {
                    Some(held) => drop(known.insert(key, held.clone())),
                    None => open.push(key),
                }
            }
        }
        if open.is_empty() {
            return known;
        }
        let Ok(client) = view.client().await else { return known };
        let all = open.iter().map(|(_, namespace, name)| {
            let asking = ask_for(client.clone(), namespace.clone(), name.clone());
            async move {
                tokio::select! {
                    answer = asking => answer,
                    () = self.clock.sleep(WITHIN) => Answer::Unknown(Trouble::Timeout),
                }
            }
        });
        // Made before they are waited for, and in the order of the names.
        let all: Vec<_> = all.collect();
        let answers: Vec<Answer> = stream::iter(all).buffered(AT_ONCE).collect().await;
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        for (key, answer) in open.into_iter().zip(answers) {
            asked.insert(key.clone(), (now, answer.clone()));
            known.insert(key, (now, answer));
        }
        known
    }
}

/// The values are passed over as they are read.
#[expect(
    clippy::zero_sized_map_values,
    reason = "what is read is a map, and only its keys are wanted"
)]
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Wire {
    data: Option<BTreeMap<String, IgnoredAny>>,
    binary_data: Option<BTreeMap<String, IgnoredAny>>,
}

async fn ask_for(client: kube::Client, namespace: String, name: String) -> Answer {
    // Both stand in a path: a name that no object can have is none.
    if !is_name(&namespace) || !is_name(&name) {
        return Answer::Unknown(Trouble::NotKubernetes);
    }
    let path = format!("/api/v1/namespaces/{namespace}/configmaps/{name}");
    match ask::ask(&client, &path, JSON).await {
        Ok(Answered { status, body }) => match status.as_u16() {
            200 => serde_json::from_slice::<Wire>(&body)
                .map_or(Answer::Unknown(Trouble::NotKubernetes), |wire| Answer::There {
                    keys: keys(wire),
                }),
            404 => Answer::Absent,
            403 => Answer::Forbidden,
            _ => Answer::Unknown(ask::refusal(status)),
        },
        Err(trouble) => Answer::Unknown(trouble),
    }
}

fn keys(wire: Wire) -> Vec<String> {
    let data = wire.data.into_iter().flatten().map(|(key, _)| key);
    let keys: BTreeSet<String> =
        data.chain(wire.binary_data.into_iter().flatten().map(|(key, _)| key)).collect();
    keys.into_iter().collect()
}

fn is_name(text: &str) -> bool {
    (1..=253).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-.".contains(&b))
        && text.bytes().any(|b| b != b'.')
}

/// Read from the kubelet's own words, which stand in the evidence.
fn named(finding: &Finding) -> Option<Named> {
    if !matches!(finding.cause, Cause::ConfigMapMissing | Cause::KeyMissing) {
        return None;
    }
    let namespace = finding.namespace.clone()?;
    let said = finding.evidence.iter().find_map(|evidence| missed(&evidence.value))?;
    let Missed { kind: ReferenceKind::ConfigMap, name, key } = said else { return None };
    Some(Named { namespace, name: name.to_owned(), key: key.map(str::to_owned) })
}

/// What is there now, beside what was missed then; a finding that is overtaken weighs less and says so.
fn tell(finding: &mut Finding, named: &Named, answer: &Answer, at: Micros) {
    let Named { namespace, name, key } = named;
    let value = match (answer, key) {
        (Answer::Absent, _) => "does not exist".to_owned(),
        (Answer::There { keys }, _) if keys.is_empty() => "exists, without any key".to_owned(),
        (Answer::There { keys }, _) => format!("exists, with {}", listed(keys)),
        (Answer::Forbidden, _) => {
            "may not be asked for by this credential (get configmaps: 403); the manifest of `quarterdeck rbac` grants it".to_owned()
        }
        (Answer::Unknown(trouble), _) => format!("could not be asked for: {}", trouble.says()),
    };
    finding.evidence.push(Evidence {
        source: format!("config map {namespace}/{name}, asked for by name"),
        value,
        at: Some(at),
    });
    match (answer, key) {
        (Answer::There { .. }, None) => overtaken(finding, &format!("config map {name}")),
        (Answer::There { keys }, Some(key)) if keys.contains(key) => {
            overtaken(finding, &format!("key {key} of config map {name}"));
        }
        (Answer::Absent, Some(key)) => {
            finding.says = format!(
                "A container does not start: config map {name} in {namespace}, of which it wants the key {key}, does not exist."
            );
            finding.next = format!(
                "Create it in {namespace} with the key {key}, or correct what the pod asks for."
            );
        }
        _ => {}
    }
}

fn overtaken(finding: &mut Finding, what: &str) {
    finding.severity = Severity::Warning;
    finding.says = format!("A container did not start for want of {what}, which is there by now.");
    "The kubelet tries again by itself, within two minutes. Delete the pod if it still does not start then."
        .clone_into(&mut finding.next);
}

/// `the keys a, b and 3 more`.
fn listed(keys: &[String]) -> String {
    let shown = keys[..keys.len().min(KEYS_SHOWN)].join(", ");
    match keys.len() {
        1 => format!("the key {shown}"),
        n if n <= KEYS_SHOWN => format!("the keys {shown}"),
        n => format!("the keys {shown} and {} more", n - KEYS_SHOWN),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Micros = Micros(1_790_000_000_000_000);

    fn finding(cause: Cause, said: &str) -> Finding {
        Finding {
            cause,
            severity: Severity::Bad,
            kind: "Deployment".to_owned(),
            namespace: Some("shop".to_owned()),
            name: "web".to_owned(),
            pods: 1,
            says: "as the kubelet said".to_owned(),
            evidence: vec![Evidence {
                source: "status".to_owned(),
                value: said.to_owned(),
                at: None,
            }],
            next: String::new(),
            since: None,
        }
    }

    fn told(mut finding: Finding, answer: &Answer) -> Finding {
        let named = named(&finding).expect("a config map");
        tell(&mut finding, &named, answer, NOW);
        finding
    }

    fn there(keys: &[&str]) -> Answer {
        Answer::There { keys: keys.iter().map(|&key| key.to_owned()).collect() }
    }

    fn missing_map() -> Finding {
        finding(Cause::ConfigMapMissing, "configmap \"app\" not found")
    }

    fn missing_key() -> Finding {
        finding(Cause::KeyMissing, "couldn't find key level in ConfigMap shop/app")
    }

    #[test]
    fn what_is_there_by_now_weighs_less() {
        for (finding, answer) in
            [(missing_map(), there(&[])), (missing_key(), there(&["debug", "level"]))]
        {
            let told = told(finding, &answer);
            assert_eq!(told.severity, Severity::Warning);
            assert!(told.says.contains("there by now"), "{}", told.says);
            assert_eq!(told.evidence.len(), 2);
            assert_eq!(told.evidence[1].at, Some(NOW));
        }
    }

    #[test]
    fn what_is_still_missing_weighs_as_before_and_names_the_keys_that_are_there() {
        let absent = told(missing_map(), &Answer::Absent);
        assert_eq!((absent.severity, absent.says.as_str()), (Severity::Bad, "as the kubelet said"));
        assert_eq!(absent.evidence[1].value, "does not exist");
        let other = told(missing_key(), &there(&["levle"]));
        assert_eq!(other.severity, Severity::Bad);
        assert_eq!(other.evidence[1].value, "exists, with the key levle");
        let gone = told(missing_key(), &Answer::Absent);
        assert!(gone.says.contains("does not exist"), "{}", gone.says);
        let many: Vec<String> = (0..20).map(|n| format!("k{n}")).collect();
        assert!(listed(&many).ends_with("k11 and 8 more"), "{}", listed(&many));
    }

    #[test]
    fn what_may_not_be_asked_for_is_said_to_be_so() {
        let told = told(missing_map(), &Answer::Forbidden);
        assert!(told.evidence[1].value.contains("403"), "{}", told.evidence[1].value);
        assert_eq!(told.severity, Severity::Bad);
    }

    #[test]
    fn secrets_are_not_asked_for_and_no_path_is_made_of_odd_names() {
        let secret = finding(Cause::KeyMissing, "couldn't find key level in Secret shop/app");
        assert!(named(&secret).is_none());
        assert!(named(&finding(Cause::SecretMissing, "secret \"app\" not found")).is_none());
        for odd in ["", "..", ".", "a/b", "A", "a?b", "a%2fb"] {
            assert!(!is_name(odd), "{odd}");
        }
        assert!(is_name("kube-root-ca.crt"));
    }

    #[test]
    fn values_are_passed_over() {
        let wire = br#"{"data":{"b":"x","a":"y"},"binaryData":{"c":"eA=="},"metadata":{}}"#;
        let wire: Wire = serde_json::from_slice(wire).expect("a config map");
        assert_eq!(keys(wire), ["a", "b", "c"]);
        assert!(keys(serde_json::from_str("{}").expect("an object")).is_empty());
    }
}
