-- The clusters of the fleet: what was registered, what was found out, and what opens their doors.

CREATE TABLE clusters (
    id TEXT COLLATE "C" PRIMARY KEY,
    workspace_id BIGINT NOT NULL REFERENCES workspaces (id),
    tenant_id BIGINT REFERENCES tenants (id),
    name TEXT COLLATE "C" NOT NULL,
    -- What debug sessions and outposts call it.
    external_id TEXT COLLATE "C" NOT NULL,
    display_name TEXT COLLATE "C",
    api_server_url TEXT COLLATE "C" NOT NULL,
    -- direct, in_cluster, outpost.
    transport TEXT COLLATE "C" NOT NULL,
    cluster_type TEXT COLLATE "C" NOT NULL,
    environment TEXT COLLATE "C" NOT NULL,
    region TEXT COLLATE "C",
    -- As typed; what is found wins, and both are kept so that a page can say so.
    platform TEXT COLLATE "C",
    platform_version TEXT COLLATE "C",
    found_platform TEXT COLLATE "C",
    found_version TEXT COLLATE "C",
    -- `gitVersion` of the API server.
    kubernetes_version TEXT COLLATE "C",
    -- Typed endpoints of observability; null where none was given.
    prometheus_url TEXT COLLATE "C",
    tempo_url TEXT COLLATE "C",
    loki_url TEXT COLLATE "C",
    alertmanager_url TEXT COLLATE "C",
    thanos_url TEXT COLLATE "C",
    -- What probes say. Null: not looked at, or not configured.
    state TEXT COLLATE "C" NOT NULL,
    state_since BIGINT NOT NULL,
    connectivity TEXT COLLATE "C" NOT NULL,
    health_score BIGINT,
    api_server_healthy BIGINT,
    prometheus_healthy BIGINT,
    tempo_healthy BIGINT,
    loki_healthy BIGINT,
    -- A fixed word, and the sentence for people; never what a server answered.
    last_error_code TEXT COLLATE "C",
    last_error TEXT COLLATE "C",
    -- JSON array of what the score lost, and why.
    deductions TEXT COLLATE "C" NOT NULL,
    checked_at BIGINT,
    last_seen_at BIGINT,
    -- The control plane's own certificate, as the last handshake showed it.
    certificate_expires_at BIGINT,
    -- What discovery says. Null until it has looked.
    discovered_at BIGINT,
    discovery_error TEXT COLLATE "C",
    has_gpu_nodes BIGINT,
    gpu_count BIGINT,
    has_cnf_workloads BIGINT,
    -- JSON: every capability with its evidence.
    capabilities TEXT COLLATE "C",
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    removed_at BIGINT,
    -- Counts the changes that people make; probes and discovery leave it alone.
    version BIGINT NOT NULL,
    -- How many credentials it has had: the version of the next is one more.
    credentials_stored BIGINT NOT NULL DEFAULT 0
);
-- A removed cluster's name and id are free again.
CREATE UNIQUE INDEX clusters_by_name ON clusters (name) WHERE removed_at IS NULL;
CREATE UNIQUE INDEX clusters_by_external_id ON clusters (external_id) WHERE removed_at IS NULL;
CREATE INDEX clusters_by_workspace ON clusters (workspace_id, name) WHERE removed_at IS NULL;
CREATE INDEX clusters_removed ON clusters (removed_at) WHERE removed_at IS NOT NULL;

CREATE TABLE cluster_labels (
    cluster_id TEXT COLLATE "C" NOT NULL REFERENCES clusters (id) ON DELETE CASCADE,
    key TEXT COLLATE "C" NOT NULL,
    value TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (cluster_id, key)
);
CREATE INDEX cluster_labels_by_value ON cluster_labels (key, value, cluster_id);

-- One row per cluster and part: what opens the API server, and tokens of upstreams. Storing another one
-- replaces the row under a new id, so that nothing sealed for one is opened as another.
CREATE TABLE cluster_credentials (
    id TEXT COLLATE "C" PRIMARY KEY,
    cluster_id TEXT COLLATE "C" NOT NULL REFERENCES clusters (id) ON DELETE CASCADE,
    -- api, prometheus, tempo, loki.
    part TEXT COLLATE "C" NOT NULL,
    -- Counts on over every credential that this cluster had; clients are made per version.
    version BIGINT NOT NULL,
    -- KUBECONFIG, SERVICE_ACCOUNT, OIDC.
    auth_type TEXT COLLATE "C" NOT NULL,
    -- Who it is, as the cluster or the certificate said.
    identity TEXT COLLATE "C",
    -- Sealed by the vault; null where a reference is all there is.
    sealed BYTEA,
    -- `namespace/name[:key]` of a secret in the console's own cluster.
    secret_ref TEXT COLLATE "C",
    expires_at BIGINT,
    created_at BIGINT NOT NULL,
    created_by TEXT COLLATE "C" NOT NULL,
    validated_at BIGINT,
    -- A fixed word: valid, expired, refused, unreachable, …
    validation TEXT COLLATE "C",
    -- When people were told that it ends soon.
    warned_at BIGINT
);
CREATE UNIQUE INDEX cluster_credentials_by_part ON cluster_credentials (cluster_id, part);
CREATE INDEX cluster_credentials_by_end ON cluster_credentials (expires_at) WHERE expires_at IS NOT NULL;

-- Who looks after a cluster, until when, and what the last looks were like.
CREATE TABLE cluster_probes (
    cluster_id TEXT COLLATE "C" PRIMARY KEY REFERENCES clusters (id) ON DELETE CASCADE,
    owner TEXT COLLATE "C",
    until BIGINT,
    next_at BIGINT NOT NULL,
    -- In a row.
    failures BIGINT NOT NULL DEFAULT 0,
    successes BIGINT NOT NULL DEFAULT 0,
    -- JSON array of moments at which it went up or down, of the last ten minutes.
    flips TEXT COLLATE "C" NOT NULL DEFAULT '[]',
    -- Discovery has a clock of its own.
    discover_at BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX cluster_probes_by_time ON cluster_probes (next_at);

CREATE TABLE cluster_health (
    cluster_id TEXT COLLATE "C" NOT NULL REFERENCES clusters (id) ON DELETE CASCADE,
    at BIGINT NOT NULL,
    state TEXT COLLATE "C" NOT NULL,
    health_score BIGINT,
    -- How long the API server took; null when it did not answer.
    latency_us BIGINT,
    -- JSON, as in clusters.
    deductions TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (cluster_id, at)
);
CREATE INDEX cluster_health_by_time ON cluster_health (at);

-- A registration or a rotation that was checked and not decided yet: what was typed, sealed, for a quarter of an hour.
CREATE TABLE cluster_drafts (
    id TEXT COLLATE "C" PRIMARY KEY,
    owner_id TEXT COLLATE "C" NOT NULL,
    -- None for a cluster that is not there yet.
    cluster_id TEXT COLLATE "C" REFERENCES clusters (id) ON DELETE CASCADE,
    sealed BYTEA NOT NULL,
    -- JSON: what the preflight found. Holds no secret.
    preflight TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX cluster_drafts_by_end ON cluster_drafts (expires_at);
