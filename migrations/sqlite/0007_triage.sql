-- What triage, stuck runs, open work, saved views and runbooks need.

-- The fixed word behind a failure; its fingerprint is made of it, the type and the message.
ALTER TABLE operation_runs ADD COLUMN error_code TEXT;
-- When it went back into the queue after a lost worker; the wait begins anew then.
ALTER TABLE operation_runs ADD COLUMN queued_at INTEGER;
-- When a failure left the open work because nobody came in time.
ALTER TABLE operation_runs ADD COLUMN open_work_expired_at INTEGER;
-- Who may see whom: names are for people, ids for the audit's joins.
ALTER TABLE operation_runs ADD COLUMN cancel_requested_by_id TEXT;
ALTER TABLE operation_runs ADD COLUMN investigated_by_id TEXT;
CREATE INDEX operation_runs_by_fingerprint ON operation_runs (error_fingerprint, id) WHERE error_fingerprint IS NOT NULL;
-- What failed since midnight, and what became of it.
CREATE INDEX operation_runs_failed ON operation_runs (completed_at) WHERE outcome = 'failed';
-- What retention looks for.
CREATE INDEX operation_runs_ended ON operation_runs (completed_at, outcome) WHERE status = 'completed';
DROP INDEX operation_runs_facets;
CREATE INDEX operation_runs_facets ON operation_runs (id, workspace_id, outcome, status, type, initiator_name, tenant_id, created_at, error_fingerprint);

-- One line per cause and workspace, kept at the end of each failed run, so that nobody counts failures.
CREATE TABLE operation_failure_groups (
    workspace_id INTEGER NOT NULL REFERENCES workspaces (id),
    fingerprint TEXT NOT NULL,
    type TEXT NOT NULL,
    code TEXT NOT NULL,
    -- Of the newest failure.
    summary TEXT NOT NULL,
    failures INTEGER NOT NULL,
    first_seen INTEGER NOT NULL,
    last_seen INTEGER NOT NULL,
    last_run_id INTEGER NOT NULL,
    PRIMARY KEY (workspace_id, fingerprint)
) STRICT, WITHOUT ROWID;
CREATE INDEX operation_failure_groups_by_time ON operation_failure_groups (last_seen);

-- Processes that work on queues, while they live: a queue that nobody serves is told from one that is long.
CREATE TABLE operation_workers (
    -- Made anew by each process.
    id TEXT PRIMARY KEY,
    -- Shown to people: host and process.
    name TEXT NOT NULL,
    -- JSON array of queue names.
    queues TEXT NOT NULL,
    workers INTEGER NOT NULL,
    version TEXT NOT NULL,
    started_at INTEGER NOT NULL,
    heartbeat_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE saved_views (
    id TEXT PRIMARY KEY,
    workspace_id INTEGER NOT NULL REFERENCES workspaces (id),
    -- The list that it is a view of: runs, failures, stuck.
    list TEXT NOT NULL,
    name TEXT NOT NULL,
    -- The list's own query string, canonical.
    query TEXT NOT NULL,
    -- 1: everyone in the workspace sees it; 0: its owner alone.
    shared INTEGER NOT NULL,
    owner_id TEXT NOT NULL,
    owner_name TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
-- Two shared views of one name cannot be told apart; private ones meet their owner's only.
CREATE UNIQUE INDEX saved_views_shared_name ON saved_views (workspace_id, list, name) WHERE shared = 1;
CREATE UNIQUE INDEX saved_views_own_name ON saved_views (owner_id, workspace_id, list, name) WHERE shared = 0;

-- What a workspace says instead of the runbook of the product. Each saving is a version; the newest counts,
-- and an empty one brings the product's back.
CREATE TABLE runbook_overrides (
    workspace_id INTEGER NOT NULL REFERENCES workspaces (id),
    type TEXT NOT NULL,
    version INTEGER NOT NULL,
    markdown TEXT NOT NULL,
    author_id TEXT NOT NULL,
    author_name TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (workspace_id, type, version)
) STRICT, WITHOUT ROWID;
