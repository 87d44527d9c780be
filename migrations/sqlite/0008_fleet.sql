-- The clusters of the fleet: what was registered, what was found out, and what opens their doors.

CREATE TABLE clusters (
    id TEXT PRIMARY KEY,
    workspace_id INTEGER NOT NULL REFERENCES workspaces (id),
    tenant_id INTEGER REFERENCES tenants (id),
    name TEXT NOT NULL,
    -- What debug sessions and outposts call it.
    external_id TEXT NOT NULL,
    display_name TEXT,
    api_server_url TEXT NOT NULL,
    -- direct, in_cluster, outpost.
    transport TEXT NOT NULL,
    cluster_type TEXT NOT NULL,
    environment TEXT NOT NULL,
    region TEXT,
    -- As typed; what is found wins, and both are kept so that a page can say so.
    platform TEXT,
    platform_version TEXT,
    found_platform TEXT,
    found_version TEXT,
    -- `gitVersion` of the API server.
    kubernetes_version TEXT,
    -- Typed endpoints of observability; null where none was given.
    prometheus_url TEXT,
    tempo_url TEXT,
    loki_url TEXT,
    alertmanager_url TEXT,
    thanos_url TEXT,
    -- What probes say. Null: not looked at, or not configured.
    state TEXT NOT NULL,
    state_since INTEGER NOT NULL,
    connectivity TEXT NOT NULL,
    health_score INTEGER,
    api_server_healthy INTEGER,
    prometheus_healthy INTEGER,
    tempo_healthy INTEGER,
    loki_healthy INTEGER,
    -- A fixed word, and the sentence for people; never what a server answered.
    last_error_code TEXT,
    last_error TEXT,
    -- JSON array of what the score lost, and why.
    deductions TEXT NOT NULL,
    checked_at INTEGER,
    last_seen_at INTEGER,
    -- The control plane's own certificate, as the last handshake showed it.
    certificate_expires_at INTEGER,
    -- What discovery says. Null until it has looked.
    discovered_at INTEGER,
    discovery_error TEXT,
    has_gpu_nodes INTEGER,
    gpu_count INTEGER,
    has_cnf_workloads INTEGER,
    -- JSON: every capability with its evidence.
    capabilities TEXT,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    removed_at INTEGER,
    -- Counts the changes that people make; probes and discovery leave it alone.
    version INTEGER NOT NULL,
    -- How many credentials it has had: the version of the next is one more.
    credentials_stored INTEGER NOT NULL DEFAULT 0
) STRICT;
-- A removed cluster's name and id are free again.
CREATE UNIQUE INDEX clusters_by_name ON clusters (name) WHERE removed_at IS NULL;
CREATE UNIQUE INDEX clusters_by_external_id ON clusters (external_id) WHERE removed_at IS NULL;
CREATE INDEX clusters_by_workspace ON clusters (workspace_id, name) WHERE removed_at IS NULL;
CREATE INDEX clusters_removed ON clusters (removed_at) WHERE removed_at IS NOT NULL;

CREATE TABLE cluster_labels (
    cluster_id TEXT NOT NULL REFERENCES clusters (id) ON DELETE CASCADE,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (cluster_id, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX cluster_labels_by_value ON cluster_labels (key, value, cluster_id);

-- One row per cluster and part: what opens the API server, and tokens of upstreams. Storing another one
-- replaces the row under a new id, so that nothing sealed for one is opened as another.
CREATE TABLE cluster_credentials (
    id TEXT PRIMARY KEY,
    cluster_id TEXT NOT NULL REFERENCES clusters (id) ON DELETE CASCADE,
    -- api, prometheus, tempo, loki.
    part TEXT NOT NULL,
    -- Counts on over every credential that this cluster had; clients are made per version.
    version INTEGER NOT NULL,
    -- KUBECONFIG, SERVICE_ACCOUNT, OIDC.
    auth_type TEXT NOT NULL,
    -- Who it is, as the cluster or the certificate said.
    identity TEXT,
    -- Sealed by the vault; null where a reference is all there is.
    sealed BLOB,
    -- `namespace/name[:key]` of a secret in the console's own cluster.
    secret_ref TEXT,
    expires_at INTEGER,
    created_at INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    validated_at INTEGER,
    -- A fixed word: valid, expired, refused, unreachable, …
    validation TEXT,
    -- When people were told that it ends soon.
    warned_at INTEGER
) STRICT;
CREATE UNIQUE INDEX cluster_credentials_by_part ON cluster_credentials (cluster_id, part);
CREATE INDEX cluster_credentials_by_end ON cluster_credentials (expires_at) WHERE expires_at IS NOT NULL;

-- Who looks after a cluster, until when, and what the last looks were like.
CREATE TABLE cluster_probes (
    cluster_id TEXT PRIMARY KEY REFERENCES clusters (id) ON DELETE CASCADE,
    owner TEXT,
    until INTEGER,
    next_at INTEGER NOT NULL,
    -- In a row.
    failures INTEGER NOT NULL DEFAULT 0,
    successes INTEGER NOT NULL DEFAULT 0,
    -- JSON array of moments at which it went up or down, of the last ten minutes.
    flips TEXT NOT NULL DEFAULT '[]',
    -- Discovery has a clock of its own.
    discover_at INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
CREATE INDEX cluster_probes_by_time ON cluster_probes (next_at);

CREATE TABLE cluster_health (
    cluster_id TEXT NOT NULL REFERENCES clusters (id) ON DELETE CASCADE,
    at INTEGER NOT NULL,
    state TEXT NOT NULL,
    health_score INTEGER,
    -- How long the API server took; null when it did not answer.
    latency_us INTEGER,
    -- JSON, as in clusters.
    deductions TEXT NOT NULL,
    PRIMARY KEY (cluster_id, at)
) STRICT, WITHOUT ROWID;
CREATE INDEX cluster_health_by_time ON cluster_health (at);

-- A registration or a rotation that was checked and not decided yet: what was typed, sealed, for a quarter of an hour.
CREATE TABLE cluster_drafts (
    id TEXT PRIMARY KEY,
    owner_id TEXT NOT NULL,
    -- None for a cluster that is not there yet.
    cluster_id TEXT REFERENCES clusters (id) ON DELETE CASCADE,
    sealed BLOB NOT NULL,
    -- JSON: what the preflight found. Holds no secret.
    preflight TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX cluster_drafts_by_end ON cluster_drafts (expires_at);
