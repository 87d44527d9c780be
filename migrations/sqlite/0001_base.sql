-- What every domain stands on: workspaces, the audit chain, the event feed, leases.
-- Columns are TEXT, INTEGER, REAL and BLOB only, the tables STRICT so that a wrong type fails here as it does on
-- Postgres; times are microseconds UTC.

CREATE TABLE workspaces (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    archived_at INTEGER
) STRICT;
CREATE UNIQUE INDEX workspaces_by_name ON workspaces (name);

-- Built in: owns what the console does for itself.
INSERT INTO workspaces (id, name, created_at) VALUES (1, 'platform', 0);

CREATE TABLE tenants (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    workspace_id INTEGER NOT NULL REFERENCES workspaces (id),
    name TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    archived_at INTEGER
) STRICT;
CREATE UNIQUE INDEX tenants_by_name ON tenants (workspace_id, name);

-- Append-only. `seq` has no gaps: it is taken from audit_head in the transaction that appends, last of all.
CREATE TABLE audit_log (
    seq INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    actor_kind TEXT NOT NULL,
    actor_id TEXT NOT NULL,
    actor_name TEXT NOT NULL,
    on_behalf_of TEXT,
    service_identity TEXT,
    action TEXT NOT NULL,
    target_kind TEXT,
    target_id TEXT,
    target_label TEXT,
    workspace_id INTEGER,
    capability TEXT,
    decision TEXT NOT NULL,
    reason TEXT,
    request_id TEXT NOT NULL,
    correlation_id TEXT NOT NULL,
    session_hash TEXT,
    address TEXT,
    details TEXT NOT NULL,
    -- The chain: empty until there is a key for it.
    hash_version INTEGER,
    hash_key TEXT,
    prev_hash BLOB,
    hash BLOB
) STRICT;
CREATE INDEX audit_log_by_target ON audit_log (target_kind, target_id, seq);
CREATE INDEX audit_log_by_actor ON audit_log (actor_id, seq);
CREATE INDEX audit_log_by_workspace ON audit_log (workspace_id, seq);

CREATE TABLE audit_head (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    seq INTEGER NOT NULL,
    hash BLOB
) STRICT;
INSERT INTO audit_head (id, seq) VALUES (1, 0);

-- News, written by domains in their own transactions, not numbered yet.
CREATE TABLE event_outbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    topic TEXT NOT NULL,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    capability TEXT NOT NULL,
    workspace_id INTEGER NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

-- The replay window: the same rows, numbered after they were committed.
CREATE TABLE events (
    seq INTEGER PRIMARY KEY,
    topic TEXT NOT NULL,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    capability TEXT NOT NULL,
    workspace_id INTEGER NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

-- `head` is the last number given, `pruned_to` the last one removed from the window.
CREATE TABLE event_feed (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    head INTEGER NOT NULL,
    pruned_to INTEGER NOT NULL
) STRICT;
INSERT INTO event_feed (id, head, pruned_to) VALUES (1, 0, 0);

-- Who does what only one replica may do. `token` rises with each new owner.
CREATE TABLE leases (
    name TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    token INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
