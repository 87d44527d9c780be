//! How a kubelet carries on with a pod in trouble, as stages for KWOK: statuses, restart counts, and events in its words.
//!
//! A pod is troubled by its label `practice-fleet.dev/trouble`. A weight above zero wins over KWOK's own stages, which have
//! none. A stage comes back because it has changed something; where a kubelet would change nothing but an event's count,
//! the mark is the `lastProbeTime` of a condition, which nobody reads.

use serde_json::{Value, json};

use super::statuses::{CRASHES, INIT_CRASHES, NO_IMAGE, UNALIVE, UNREADY, WAITS};
use crate::MARK;

/// What goes wrong with the only container of a pod, or with its only init container.
#[derive(Clone, Copy, Debug)]
pub enum Conduct {
    /// The image cannot be pulled; `error` is the runtime's, with `IMAGE` for its name.
    NoImage { error: &'static str },
    /// The container cannot be made, for want of configuration.
    NoConfig { message: &'static str },
    /// The pod's volume cannot be mounted.
    NoVolume { volume: &'static str, message: &'static str },
    /// The container ends soon after each start.
    Crashes { exit_code: u8, reason: &'static str, last_words: &'static str },
    /// The init container does, so that the others never start.
    InitCrashes { exit_code: u8, last_words: &'static str },
    /// Runs, and never becomes ready.
    Unready { failure: &'static str },
    /// Runs, and is restarted again and again by its liveness probe.
    Unalive { failure: &'static str },
}

/// An event that the kubelet writes; the message is a template over the pod.
struct Said {
    kind: &'static str,
    reason: &'static str,
    message: String,
    /// The part of the pod that it is about: nothing for the whole of it.
    field: &'static str,
}

const CONTAINER: &str = "containers";
const INIT: &str = "initContainers";

/// The waits between restarts: 10 s, doubled each time, at most 5 min. The first failure comes at once.
const BACK_OFF: &str = r#"["300ms", "10s", "20s", "40s", "80s", "160s"]"#;

/// Between two looks at what stays as it is, and between two counts of its events.
const ROUND_SECONDS: u32 = 30;

impl Conduct {
    /// The stage for pods with this value of the trouble's label.
    pub fn stage(self, label: &str) -> Value {
        let mut steps: Vec<_> =
            self.says().iter().enumerate().map(|(number, said)| self.event(number, said)).collect();
        let template = [PROLOGUE, &self.facts(), self.status()].concat();
        steps.push(
            json!({ "patch": { "subresource": "status", "root": "status", "template": template } }),
        );
        json!({
            "apiVersion": "kwok.x-k8s.io/v1alpha1",
            "kind": "Stage",
            "metadata": { "name": format!("pod-{label}") },
            "spec": {
                "resourceRef": { "apiGroup": "v1", "kind": "Pod" },
                "selector": {
                    "matchLabels": { format!("{MARK}/trouble"): label },
                    "matchExpressions": [
                        { "key": ".metadata.deletionTimestamp", "operator": "DoesNotExist" },
                        { "key": ".status.phase", "operator": "In", "values": ["Pending", "Running"] },
                    ],
                },
                "weight": 1,
                "delay": { "durationMilliseconds": 500, "durationFrom": { "expressionFrom": self.delay() } },
                "steps": steps,
            },
        })
    }

    fn delay(self) -> String {
        match self {
            Self::Crashes { .. } | Self::Unalive { .. } => {
                format!(r#"{BACK_OFF}[.status.containerStatuses[0].restartCount // 0] // "300s""#)
            }
            Self::InitCrashes { .. } => {
                format!(
                    r#"{BACK_OFF}[.status.initContainerStatuses[0].restartCount // 0] // "300s""#
                )
            }
            // A failed pull becomes a back-off a moment later.
            Self::NoImage { .. } => format!(
                r#"if .status.containerStatuses[0].state.waiting.reason == "ImagePullBackOff" then "{ROUND_SECONDS}s" else "1s" end"#
            ),
            Self::NoConfig { .. } | Self::NoVolume { .. } | Self::Unready { .. } => {
                format!(r#"if .status.containerStatuses then "{ROUND_SECONDS}s" else "500ms" end"#)
            }
        }
    }

    /// The variables that the status template of this conduct uses.
    fn facts(self) -> String {
        match self {
            Self::NoImage { error } => format!("{{{{ $error := {} }}}}", pull_error(error)),
            Self::NoConfig { message } => format!(
                "{{{{ $reason := \"CreateContainerConfigError\" }}}}{{{{ $message := {} }}}}",
                quoted(message)
            ),
            Self::NoVolume { .. } => {
                "{{ $reason := \"ContainerCreating\" }}{{ $message := \"\" }}".to_owned()
            }
            Self::Crashes { exit_code, reason, last_words } => format!(
                "{{{{ $code := {exit_code} }}}}{{{{ $why := {} }}}}{{{{ $words := {} }}}}",
                quoted(reason),
                quoted(last_words)
            ),
            Self::InitCrashes { exit_code, last_words } => {
                format!("{{{{ $code := {exit_code} }}}}{{{{ $words := {} }}}}", quoted(last_words))
            }
            Self::Unready { .. } | Self::Unalive { .. } => String::new(),
        }
    }

    fn status(self) -> &'static str {
        match self {
            Self::NoImage { .. } => NO_IMAGE,
            Self::NoConfig { .. } | Self::NoVolume { .. } => WAITS,
            Self::Crashes { .. } => CRASHES,
            Self::InitCrashes { .. } => INIT_CRASHES,
            Self::Unready { .. } => UNREADY,
            Self::Unalive { .. } => UNALIVE,
        }
    }

    fn says(self) -> Vec<Said> {
        let warning =
            |reason, message: String, field| Said { kind: "Warning", reason, message, field };
        let normal =
            |reason, message: String, field| Said { kind: "Normal", reason, message, field };
        let back_off = |field| {
            let message = "Back-off restarting failed container {{ $container.name }} in pod \
                           {{ .metadata.name }}_{{ .metadata.namespace }}({{ .metadata.uid }})";
            warning("BackOff", message.to_owned(), field)
        };
        match self {
            Self::NoImage { error } => {
                let failed = format!(
                    "Failed to pull image \"{{{{ $container.image }}}}\": {{{{ {} }}}}",
                    pull_error(error)
                );
                let image = "image \"{{ $container.image }}\"";
                vec![
                    normal("Pulling", format!("Pulling {image}"), CONTAINER),
                    warning("Failed", failed, CONTAINER),
                    warning("Failed", "Error: ErrImagePull".to_owned(), CONTAINER),
                    normal("BackOff", format!("Back-off pulling {image}"), CONTAINER),
                    warning("Failed", "Error: ImagePullBackOff".to_owned(), CONTAINER),
                ]
            }
            Self::NoConfig { message } => {
                vec![warning("Failed", format!("Error: {message}"), CONTAINER)]
            }
            Self::NoVolume { volume, message } => {
                let message =
                    format!("MountVolume.SetUp failed for volume \"{volume}\" : {message}");
                vec![warning("FailedMount", message, "")]
            }
            Self::Crashes { .. } => vec![back_off(CONTAINER)],
            Self::InitCrashes { .. } => vec![back_off(INIT)],
            Self::Unready { failure } => {
                vec![warning("Unhealthy", format!("Readiness probe failed: {failure}"), CONTAINER)]
            }
            Self::Unalive { failure } => {
                let killing =
                    "Container {{ $container.name }} failed liveness probe, will be restarted";
                vec![
                    warning("Unhealthy", format!("Liveness probe failed: {failure}"), CONTAINER),
                    normal("Killing", killing.to_owned(), CONTAINER),
                ]
            }
        }
    }

    /// One event per pod and message, whose count grows, as the recorder of a kubelet keeps it.
    fn event(self, number: usize, said: &Said) -> Value {
        let of = if said.field == INIT { INIT } else { CONTAINER };
        let count = match self {
            Self::Crashes { .. } | Self::Unalive { .. } => {
                "{{ $count = 1 }}{{ range .status.containerStatuses }}{{ $count = add .restartCount 1 }}{{ end }}"
            }
            Self::InitCrashes { .. } => {
                "{{ $count = 1 }}{{ range .status.initContainerStatuses }}{{ $count = add .restartCount 1 }}{{ end }}"
            }
            _ => "",
        };
        let field = if said.field.is_empty() {
            String::new()
        } else {
            format!("  fieldPath: {{{{ printf \"spec.{of}{{%s}}\" $container.name | Quote }}}}\n")
        };
        let template = format!(
            "{PROLOGUE}{{{{ $container := index .spec.{of} 0 }}}}{count}
apiVersion: v1
kind: Event
metadata:
  name: {{{{ printf \"%s.%s\" .metadata.name (printf \"%s %s\" .metadata.uid \"{number}\" | sha256sum | trunc 16) | Quote }}}}
  namespace: {{{{ .metadata.namespace | Quote }}}}
involvedObject:
  apiVersion: v1
  kind: Pod
  name: {{{{ .metadata.name | Quote }}}}
  namespace: {{{{ .metadata.namespace | Quote }}}}
  uid: {{{{ .metadata.uid | Quote }}}}
{field}type: {kind}
reason: {reason}
message: {message}
count: {{{{ $count }}}}
firstTimestamp: {{{{ $begun | Quote }}}}
lastTimestamp: {{{{ $now | Quote }}}}
source: {{ component: kubelet, host: {{{{ .spec.nodeName | Quote }}}} }}
reportingComponent: kubelet
reportingInstance: {{{{ .spec.nodeName | Quote }}}}
",
            kind = said.kind,
            reason = said.reason,
            message = yaml_of(&said.message),
        );
        json!({ "apply": { "template": template } })
    }
}

/// A Go template's string.
fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

/// An expression for the runtime's error, in which the image has its name.
fn pull_error(error: &str) -> String {
    format!("(replace \"IMAGE\" (index .spec.containers 0).image {})", quoted(error))
}

/// A message with templates in it, as a block of YAML: quotes in what a template gives cannot break it.
fn yaml_of(message: &str) -> String {
    format!(">-\n  {message}")
}

/// Begins every template: the time, since when the pod is not ready, and how often its events have been told.
const PROLOGUE: &str = r#"{{ $now := Now }}{{ $pod := . }}{{ $begun := or .status.startTime $now }}
{{ $since := $now }}{{ range .status.conditions }}{{ if and (eq .type "Ready") (eq .status "False") }}{{ $since = .lastTransitionTime }}{{ end }}{{ end }}
{{ $age := sub (now).Unix (toDate "2006-01-02T15:04:05Z07:00" $begun).Unix }}{{ $count := add 1 (div $age 30) }}
"#;
