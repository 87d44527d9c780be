//! The values with which the chart is rendered: what people run, each thing that can be switched on, and what is
//! refused.

/// The least that it takes.
pub const LEAST: &str = "publicUrl: https://ops.example\n";

pub const POSTGRES: &str = "
publicUrl: https://ops.example
database: { engine: postgres, postgres: { existingSecret: qd-db } }
vault: { existingSecret: qd-vault }
";

/// Everything at once.
pub const FULL: &str = r#"
publicUrl: https://ops.example/console
trustedProxies: [10.0.0.0/8, fd00::/8]
environment: production
settings:
  run_retention_days: 30
  max_body_bytes: 2097152
  log_level: "info,server::web=debug"
  upstreams: ["prometheus=http://prometheus.monitoring:9090"]
  oidc_scopes: [openid, offline_access]
image: { repository: registry.example/ops/quarterdeck, digest: "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef" }
imagePullSecrets: [{ name: pull }]
database: { engine: postgres, postgres: { existingSecret: qd-db, key: url, connections: 16 } }
vault: { existingSecret: qd-vault, key: ring }
oidc:
  issuer: https://login.example/realms/ops
  clientId: quarterdeck
  existingSecret: qd-oidc
  grants: ["cn=ops,dc=example=admin", "everyone=auditor"]
  caConfigMap: authorities
egress: { caConfigMap: authorities }
web:
  replicas: 3
  podAnnotations: { example.com/team: ops }
  podLabels: { team: ops }
  nodeSelector: { kubernetes.io/os: linux }
  tolerations: [{ key: dedicated, operator: Exists, effect: NoSchedule }]
  affinity: { podAntiAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 1, podAffinityTerm: { topologyKey: topology.kubernetes.io/zone, labelSelector: { matchLabels: { team: ops } } } }] } }
  extraEnv: [{ name: TZ, value: UTC }]
  extraVolumes: [{ name: more, emptyDir: {} }]
  extraVolumeMounts: [{ name: more, mountPath: /more }]
worker: { enabled: true, replicas: 2, workers: 8, queues: [system, upkeep] }
serviceAccount: { annotations: { example.com/role: reader } }
rbac:
  inCluster: true
  secretRefs: [ops/prometheus-token, ops/loki-token, monitoring/tempo-token]
  serviceProxies: ["monitoring/prometheus:9090"]
service: { type: LoadBalancer, port: 8080, annotations: { example.com/lb: internal } }
metrics: { serviceMonitor: { enabled: true, interval: 15s, labels: { release: prometheus } } }
ingress: { enabled: true, className: nginx, tlsSecret: tls, annotations: { example.com/a: b } }
httpRoute: { enabled: true, parentRefs: [{ name: gateway, namespace: gateways, sectionName: https }] }
networkPolicy:
  from: [{ namespaceSelector: { matchLabels: { kubernetes.io/metadata.name: ingress } } }]
  metricsFrom: [{ namespaceSelector: { matchLabels: { kubernetes.io/metadata.name: monitoring } } }]
  egress: [{ to: [{ ipBlock: { cidr: 10.0.0.0/8 } }] }]
shutdownGraceSeconds: 60
"#;

/// What the rendering is for, and its values.
pub const TAKEN: [(&str, &str); 7] = [
    ("sqlite, the least", LEAST),
    (
        "sqlite, its volume and key from elsewhere",
        "
publicUrl: https://ops.example/console/
database: { sqlite: { existingClaim: old } }
vault: { existingSecret: qd-vault }
networkPolicy: { enabled: false }
serviceAccount: { create: false, name: mine }
",
    ),
    (
        "sqlite, plain http and read-only",
        "
publicUrl: http://ops.example:8080
insecureHttp: true
readOnly: true
database: { sqlite: { size: 50Gi, storageClass: fast } }
ingress: { enabled: true }
nameOverride: console
",
    ),
    ("postgres, one replica", POSTGRES),
    (
        "postgres, without the hook and with a token for one secret",
        "
publicUrl: https://ops.example
database: { engine: postgres, postgres: { existingSecret: qd-db, migrate: { enabled: false } } }
vault: { existingSecret: qd-vault }
web: { replicas: 2, workers: 2 }
rbac: { secretRefs: [ops/prometheus-token] }
podDisruptionBudget: { enabled: false }
",
    ),
    (
        "postgres, only workers that do one thing",
        "
publicUrl: https://ops.example
fullnameOverride: qd
database: { engine: postgres, postgres: { existingSecret: qd-db } }
vault: { existingSecret: qd-vault }
worker: { enabled: true, queues: [upkeep] }
",
    ),
    ("everything", FULL),
];

/// Values that cannot be meant, and a word of the refusal.
pub const REFUSED: [(&str, &str); 17] = [
    ("{}", "publicUrl is missing"),
    ("publicUrl: http://ops.example", "plain http"),
    ("publicUrl: ops.example", "publicUrl"),
    ("{ publicUrl: https://a.example, web: { replicas: 2 } }", "a SQLite file serves one pod"),
    ("{ publicUrl: https://a.example, worker: { enabled: true } }", "worker.enabled needs"),
    (
        "{ publicUrl: https://a.example, database: { engine: postgres } }",
        "database.postgres.existingSecret",
    ),
    (
        "{ publicUrl: https://a.example, database: { engine: postgres, postgres: { existingSecret: a } } }",
        "vault.existingSecret is missing",
    ),
    (
        "{ publicUrl: https://a.example, readOnly: true, worker: { enabled: true }, vault: { existingSecret: a }, \
         database: { engine: postgres, postgres: { existingSecret: a } } }",
        "contradict",
    ),
    (
        "{ publicUrl: https://a.example, oidc: { issuer: https://b.example } }",
        "oidc.clientId is missing",
    ),
    (
        "{ publicUrl: https://a.example, oidc: { grants: [a=admin] } }",
        "mean nothing without oidc.issuer",
    ),
    ("{ publicUrl: https://a.example, oidc: { grants: [a=king] } }", "grants"),
    (
        "{ publicUrl: https://a.example, httpRoute: { enabled: true } }",
        "httpRoute.parentRefs is missing",
    ),
    ("{ publicUrl: https://a.example, settings: { database_url: x } }", "settings.database_url"),
    ("{ publicUrl: https://a.example, rbac: { secretRefs: [just-a-name] } }", "secretRefs"),
    ("{ publicUrl: https://a.example, rbac: { secretRefs: ['ops/*'] } }", "secretRefs"),
    ("{ publicUrl: https://a.example, replicas: 2 }", "replicas"),
    ("{ publicUrl: https://a.example, database: { engine: mysql } }", "engine"),
];
