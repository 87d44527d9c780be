//! The fields of a pod as the API spells them, and the way from there to [`Pod`].

use std::collections::BTreeMap;

use app::time::Micros;
use serde::Deserialize;
use serde_json::Value;

use super::{
    ConditionWire, MetaWire, own,
    pod::{
        Container, ContainerSpec, ContainerState, Ended, Phase, Pod, PortSpec, Probe, Reference,
        ReferenceKind, Template, Toleration, Unready,
    },
};
use crate::fleet::watch::names::{Name, Names};

macro_rules! wire {
    ($($(#[$meta:meta])* $vis:vis struct $name:ident { $($field:tt)* })+) => {
        $(
            #[derive(Debug, Default, Deserialize)]
            #[serde(rename_all = "camelCase", default)]
            $(#[$meta])*
            $vis struct $name { $($field)* }
        )+
    };
}

wire! {
    pub struct PodWire {
        metadata: MetaWire,
        spec: SpecWire,
        status: StatusWire,
    }

    struct SpecWire {
        containers: Vec<ContainerWire>,
        init_containers: Vec<ContainerWire>,
        volumes: Vec<VolumeWire>,
        image_pull_secrets: Vec<NamedWire>,
        node_selector: BTreeMap<String, String>,
        tolerations: Vec<TolerationWire>,
        service_account_name: String,
        node_name: Option<String>,
        restart_policy: String,
        host_network: bool,
    }

    struct NamedWire {
        name: String,
    }

    struct TolerationWire {
        key: String,
        operator: String,
        value: String,
        effect: String,
    }

    struct VolumeWire {
        config_map: Option<SourceWire>,
        secret: Option<SecretVolumeWire>,
        persistent_volume_claim: Option<ClaimWire>,
    }

    /// A config map or a secret, or one key of it.
    struct SourceWire {
        name: String,
        key: String,
        optional: bool,
    }

    struct SecretVolumeWire {
        secret_name: String,
        optional: bool,
    }

    struct ClaimWire {
        claim_name: String,
    }

    struct ContainerWire {
        name: String,
        image: String,
        ports: Vec<PortWire>,
        resources: ResourcesWire,
        env: Vec<EnvWire>,
        env_from: Vec<EnvFromWire>,
        readiness_probe: Option<ProbeWire>,
        liveness_probe: Option<ProbeWire>,
        startup_probe: Option<ProbeWire>,
    }

    struct PortWire {
        name: String,
        container_port: u16,
        protocol: String,
    }

    struct ResourcesWire {
        requests: BTreeMap<String, String>,
        limits: BTreeMap<String, String>,
    }

    /// Never its value: it may be a secret.
    struct EnvWire {
        value_from: Option<ValueFromWire>,
    }

    struct ValueFromWire {
        config_map_key_ref: Option<SourceWire>,
        secret_key_ref: Option<SourceWire>,
    }

    struct EnvFromWire {
        config_map_ref: Option<SourceWire>,
        secret_ref: Option<SourceWire>,
    }

    struct ProbeWire {
        http_get: Option<GetWire>,
        tcp_socket: Option<SocketWire>,
        grpc: Option<SocketWire>,
        exec: Option<CommandWire>,
        period_seconds: u32,
        failure_threshold: u32,
    }

    struct GetWire {
        path: String,
        port: Value,
    }

    struct SocketWire {
        port: Value,
    }

    struct CommandWire {
        command: Vec<String>,
    }

    struct StatusWire {
        phase: Option<Phase>,
        reason: Option<String>,
        message: Option<String>,
        conditions: Vec<ConditionWire>,
        container_statuses: Vec<ContainerStatusWire>,
        init_container_statuses: Vec<ContainerStatusWire>,
    }

    struct ContainerStatusWire {
        name: String,
        ready: bool,
        started: Option<bool>,
        restart_count: u32,
        state: StateWire,
        last_state: StateWire,
    }

    struct StateWire {
        waiting: Option<WaitingWire>,
        running: Option<RunningWire>,
        terminated: Option<EndedWire>,
    }

    struct WaitingWire {
        reason: String,
        message: Option<String>,
    }

    struct RunningWire {
        started_at: Option<Micros>,
    }

    struct EndedWire {
        reason: String,
        exit_code: i32,
        signal: Option<i32>,
        started_at: Option<Micros>,
        finished_at: Option<Micros>,
        message: Option<String>,
    }
}

impl PodWire {
    pub(super) fn version(&self) -> &str {
        &self.metadata.resource_version
    }

    pub(super) fn slim(self, names: &Names) -> Pod {
        let Self { metadata, spec, status } = self;
        let is =
            |kind: &str| status.conditions.iter().any(|c| c.kind == kind && c.status == "True");
        let ready = is("Ready");
        let statuses = |all: Vec<ContainerStatusWire>| {
            all.into_iter().map(|status| status.slim(names)).collect()
        };
        Pod {
            meta: metadata.slim(names),
            node: spec.node_name.as_deref().map(|node| names.text(node)),
            ready,
            phase: status.phase.unwrap_or(Phase::Unknown),
            reason: status.reason.filter(|r| !r.is_empty()).map(|r| names.text(&r)),
            message: own(status.message),
            unready: unready(status.conditions, names),
            init: statuses(status.init_container_statuses),
            containers: statuses(status.container_statuses),
            template: names.template(spec.slim(names)),
        }
    }
}

/// Of a pod that is over, none: that it is not ready any more says nothing.
fn unready(conditions: Vec<ConditionWire>, names: &Names) -> Box<[Unready]> {
    let not = conditions.into_iter().filter(|condition| condition.status == "False");
    not.filter(|condition| condition.reason.as_deref() != Some("PodCompleted"))
        .map(|condition| Unready {
            kind: names.text(&condition.kind),
            reason: names.text(&condition.reason.unwrap_or_default()),
            message: own(condition.message),
            since: condition.last_transition_time.unwrap_or_default(),
        })
        .collect()
}

impl SpecWire {
    fn slim(self, names: &Names) -> Template {
        let specs = |all: Vec<ContainerWire>| all.into_iter().map(|c| c.slim(names)).collect();
        let secrets = self.image_pull_secrets.iter().map(|secret| names.text(&secret.name));
        let tolerations = self.tolerations.into_iter().map(|toleration| Toleration {
            key: names.text(&toleration.key),
            operator: names.text(&toleration.operator),
            value: names.text(&toleration.value),
            effect: names.text(&toleration.effect),
        });
        Template {
            service_account: names.text(&self.service_account_name),
            init: specs(self.init_containers),
            containers: specs(self.containers),
            volumes: self.volumes.into_iter().filter_map(|v| v.slim(names)).collect(),
            pull_secrets: secrets.collect(),
            node_selector: pairs(&self.node_selector, names),
            tolerations: tolerations.collect(),
            restart: names.text(&self.restart_policy),
            host_network: self.host_network,
        }
    }
}

impl VolumeWire {
    /// What is made on the spot needs nothing else.
    fn slim(self, names: &Names) -> Option<Reference> {
        let whole = |kind, name: &str, optional| Reference {
            kind,
            name: names.text(name),
            key: names.text(""),
            optional,
        };
        if let Some(map) = self.config_map {
            return Some(whole(ReferenceKind::ConfigMap, &map.name, map.optional));
        }
        if let Some(secret) = self.secret {
            return Some(whole(ReferenceKind::Secret, &secret.secret_name, secret.optional));
        }
        let claim = self.persistent_volume_claim?;
        Some(whole(ReferenceKind::Claim, &claim.claim_name, false))
    }
}

impl ContainerWire {
    fn slim(self, names: &Names) -> ContainerSpec {
        let ports = self.ports.into_iter().map(|port| PortSpec {
            name: names.text(&port.name),
            port: port.container_port,
            protocol: names.text(&port.protocol),
        });
        let from = |kind, source: SourceWire| Reference {
            kind,
            name: names.text(&source.name),
            key: names.text(&source.key),
            optional: source.optional,
        };
        let either = |map: Option<SourceWire>, secret: Option<SourceWire>| {
            let map = map.map(|source| from(ReferenceKind::ConfigMap, source));
            map.or_else(|| secret.map(|source| from(ReferenceKind::Secret, source)))
        };
        let env = self.env.into_iter().filter_map(|env| env.value_from);
        let env = env.filter_map(|env| either(env.config_map_key_ref, env.secret_key_ref));
        let env_from =
            self.env_from.into_iter().filter_map(|env| either(env.config_map_ref, env.secret_ref));
        ContainerSpec {
            name: names.text(&self.name),
            image: names.text(&self.image),
            ports: ports.collect(),
            requests: pairs(&self.resources.requests, names),
            limits: pairs(&self.resources.limits, names),
            references: env.chain(env_from).collect(),
            readiness: self.readiness_probe.map(|probe| probe.slim(names)),
            liveness: self.liveness_probe.map(|probe| probe.slim(names)),
            startup: self.startup_probe.map(|probe| probe.slim(names)),
        }
    }
}

impl ProbeWire {
    fn slim(self, names: &Names) -> Probe {
        let port = |port: &Value| port.as_str().map_or_else(|| port.to_string(), str::to_owned);
        let asks = if let Some(get) = self.http_get {
            format!("GET :{}{}", port(&get.port), get.path)
        } else if let Some(socket) = self.tcp_socket {
            format!("TCP :{}", port(&socket.port))
        } else if let Some(grpc) = self.grpc {
            format!("gRPC :{}", port(&grpc.port))
        } else {
            // Arguments may hold what is nobody's business.
            let command = self.exec.and_then(|exec| exec.command.into_iter().next());
            command.map_or_else(|| "a command".to_owned(), |program| format!("exec {program}"))
        };
        Probe {
            asks: names.text(&asks),
            period_s: self.period_seconds,
            failures: self.failure_threshold,
        }
    }
}

impl ContainerStatusWire {
    fn slim(self, names: &Names) -> Container {
        let StateWire { waiting, running, terminated } = self.state;
        let state = if let Some(waiting) = waiting {
            ContainerState::Waiting {
                reason: names.text(&waiting.reason),
                message: own(waiting.message),
            }
        } else if let Some(running) = running {
            ContainerState::Running { since: running.started_at.unwrap_or_default() }
        } else if let Some(ended) = terminated {
            ContainerState::Ended(Box::new(ended.slim(names)))
        } else {
            ContainerState::Unknown
        };
        Container {
            name: names.text(&self.name),
            state,
            last: self.last_state.terminated.map(|ended| Box::new(ended.slim(names))),
            restarts: self.restart_count,
            ready: self.ready,
            started: self.started.unwrap_or(false),
        }
    }
}

impl EndedWire {
    fn slim(self, names: &Names) -> Ended {
        Ended {
            reason: names.text(&self.reason),
            exit_code: self.exit_code,
            signal: self.signal,
            started: self.started_at.unwrap_or_default(),
            finished: self.finished_at.unwrap_or_default(),
            message: own(self.message),
        }
    }
}

fn pairs(map: &BTreeMap<String, String>, names: &Names) -> Box<[(Name, Name)]> {
    map.iter().map(|(key, value)| (names.text(key), names.text(value))).collect()
}
