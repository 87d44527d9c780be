-- What triage, stuck runs, open work, saved views and runbooks need.

-- The fixed word behind a failure; its fingerprint is made of it, the type and the message.
ALTER TABLE operation_runs ADD COLUMN error_code TEXT COLLATE "C";
-- When it went back into the queue after a lost worker; the wait begins anew then.
ALTER TABLE operation_runs ADD COLUMN queued_at BIGINT;
-- When a failure left the open work because nobody came in time.
ALTER TABLE operation_runs ADD COLUMN open_work_expired_at BIGINT;
-- Who may see whom: names are for people, ids for the audit's joins.
ALTER TABLE operation_runs ADD COLUMN cancel_requested_by_id TEXT COLLATE "C";
ALTER TABLE operation_runs ADD COLUMN investigated_by_id TEXT COLLATE "C";
CREATE INDEX operation_runs_by_fingerprint ON operation_runs (error_fingerprint, id) WHERE error_fingerprint IS NOT NULL;
-- What failed since midnight, and what became of it.
CREATE INDEX operation_runs_failed ON operation_runs (completed_at) WHERE outcome = 'failed';
-- What retention looks for.
CREATE INDEX operation_runs_ended ON operation_runs (completed_at, outcome) WHERE status = 'completed';
DROP INDEX operation_runs_facets;
CREATE INDEX operation_runs_facets ON operation_runs (id, workspace_id, outcome, status, type, initiator_name, tenant_id, created_at, error_fingerprint);

-- One line per cause and workspace, kept at the end of each failed run, so that nobody counts failures.
CREATE TABLE operation_failure_groups (
    workspace_id BIGINT NOT NULL REFERENCES workspaces (id),
    fingerprint TEXT COLLATE "C" NOT NULL,
    type TEXT COLLATE "C" NOT NULL,
    code TEXT COLLATE "C" NOT NULL,
    -- Of the newest failure.
    summary TEXT COLLATE "C" NOT NULL,
    failures BIGINT NOT NULL,
    first_seen BIGINT NOT NULL,
    last_seen BIGINT NOT NULL,
    last_run_id BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, fingerprint)
);
CREATE INDEX operation_failure_groups_by_time ON operation_failure_groups (last_seen);

-- Processes that work on queues, while they live: a queue that nobody serves is told from one that is long.
CREATE TABLE operation_workers (
    -- Made anew by each process.
    id TEXT COLLATE "C" PRIMARY KEY,
    -- Shown to people: host and process.
    name TEXT COLLATE "C" NOT NULL,
    -- JSON array of queue names.
    queues TEXT COLLATE "C" NOT NULL,
    workers BIGINT NOT NULL,
    version TEXT COLLATE "C" NOT NULL,
    started_at BIGINT NOT NULL,
    heartbeat_at BIGINT NOT NULL
);

CREATE TABLE saved_views (
    id TEXT COLLATE "C" PRIMARY KEY,
    workspace_id BIGINT NOT NULL REFERENCES workspaces (id),
    -- The list that it is a view of: runs, failures, stuck.
    list TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    -- The list's own query string, canonical.
    query TEXT COLLATE "C" NOT NULL,
    -- 1: everyone in the workspace sees it; 0: its owner alone.
    shared BIGINT NOT NULL,
    owner_id TEXT COLLATE "C" NOT NULL,
    owner_name TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
-- Two shared views of one name cannot be told apart; private ones meet their owner's only.
CREATE UNIQUE INDEX saved_views_shared_name ON saved_views (workspace_id, list, name) WHERE shared = 1;
CREATE UNIQUE INDEX saved_views_own_name ON saved_views (owner_id, workspace_id, list, name) WHERE shared = 0;

-- What a workspace says instead of the runbook of the product. Each saving is a version; the newest counts,
-- and an empty one brings the product's back.
CREATE TABLE runbook_overrides (
    workspace_id BIGINT NOT NULL REFERENCES workspaces (id),
    type TEXT COLLATE "C" NOT NULL,
    version BIGINT NOT NULL,
    markdown TEXT COLLATE "C" NOT NULL,
    author_id TEXT COLLATE "C" NOT NULL,
    author_name TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, type, version)
);
