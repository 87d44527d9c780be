-- Operation runs and what belongs to them.
--
-- Lists are ordered by id, which is the order of creation, so each filter's index ends in it: the newest page of
-- a filter costs the same at a thousand runs and at a million. Each write pays for each index: a heartbeat must
-- touch none of them, so leases have a table of their own.

CREATE TABLE operation_runs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    workspace_id INTEGER NOT NULL REFERENCES workspaces (id),
    tenant_id INTEGER REFERENCES tenants (id),
    type TEXT NOT NULL,
    status TEXT NOT NULL,
    outcome TEXT NOT NULL,
    initiator_kind TEXT NOT NULL,
    initiator_id TEXT,
    initiator_name TEXT,
    target TEXT,
    target_label TEXT,
    queue TEXT NOT NULL,
    priority INTEGER NOT NULL,
    -- JSON, shown only.
    input TEXT NOT NULL,
    input_version INTEGER NOT NULL DEFAULT 1,
    context TEXT NOT NULL,
    scheduled_at INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    -- Workers that were lost over it.
    losses INTEGER NOT NULL DEFAULT 0,
    retry_of_run_id INTEGER REFERENCES operation_runs (id) ON DELETE SET NULL,
    superseded_by_run_id INTEGER REFERENCES operation_runs (id) ON DELETE SET NULL,
    -- The first run of the chain of retries; no reference, since that one may be pruned before its children.
    root_run_id INTEGER,
    idempotency_key TEXT,
    -- Of the request that came with the key: the same key with another request is refused.
    request_hash TEXT,
    cancel_requested_at INTEGER,
    cancel_requested_by TEXT,
    investigated_at INTEGER,
    investigated_by TEXT,
    investigated_reason TEXT,
    -- 1 while a human should look at it.
    open_work INTEGER NOT NULL DEFAULT 0,
    error_fingerprint TEXT,
    error_summary TEXT,
    -- Lower case: error, target, initiator.
    search_text TEXT NOT NULL DEFAULT '',
    created_at INTEGER NOT NULL,
    started_at INTEGER,
    completed_at INTEGER
) STRICT;
CREATE INDEX operation_runs_by_type ON operation_runs (type, id);
CREATE INDEX operation_runs_by_status ON operation_runs (status, id);
CREATE INDEX operation_runs_by_outcome ON operation_runs (outcome, id);
CREATE INDEX operation_runs_by_workspace ON operation_runs (workspace_id, id);
CREATE INDEX operation_runs_by_tenant ON operation_runs (tenant_id, id) WHERE tenant_id IS NOT NULL;
CREATE INDEX operation_runs_by_initiator ON operation_runs (initiator_name, id);
CREATE INDEX operation_runs_by_creation ON operation_runs (created_at, id);
-- Every filter in one narrow index: several filters at once are looked for here, newest first, without a look
-- into the rows.
CREATE INDEX operation_runs_facets ON operation_runs (id, workspace_id, outcome, status, type, initiator_name, tenant_id, created_at);
-- A worker takes the first of these.
CREATE INDEX operation_runs_queued ON operation_runs (queue, priority DESC, scheduled_at, id) WHERE status = 'queued';
CREATE INDEX operation_runs_open ON operation_runs (id) WHERE open_work = 1;
CREATE INDEX operation_runs_by_root ON operation_runs (root_run_id, id) WHERE root_run_id IS NOT NULL;
CREATE INDEX operation_runs_superseded ON operation_runs (superseded_by_run_id) WHERE superseded_by_run_id IS NOT NULL;
-- One child per run: two retries at once make one.
CREATE UNIQUE INDEX operation_runs_one_retry ON operation_runs (retry_of_run_id) WHERE retry_of_run_id IS NOT NULL;
CREATE UNIQUE INDEX operation_runs_by_key ON operation_runs (initiator_kind, initiator_id, idempotency_key) WHERE idempotency_key IS NOT NULL;

-- Search: the trigrams of search_text. It keeps no text of its own and no positions: hits are checked in the row.
CREATE VIRTUAL TABLE operation_search USING fts5 (
    search_text, content = '', contentless_delete = 1, tokenize = 'trigram', detail = 'none'
);
CREATE TRIGGER operation_search_insert AFTER INSERT ON operation_runs BEGIN
    INSERT INTO operation_search (rowid, search_text) VALUES (new.id, new.search_text);
END;
CREATE TRIGGER operation_search_update AFTER UPDATE OF search_text ON operation_runs
WHEN old.search_text <> new.search_text BEGIN
    DELETE FROM operation_search WHERE rowid = old.id;
    INSERT INTO operation_search (rowid, search_text) VALUES (new.id, new.search_text);
END;
CREATE TRIGGER operation_search_delete AFTER DELETE ON operation_runs BEGIN
    DELETE FROM operation_search WHERE rowid = old.id;
END;

-- Only while a run is active.
CREATE TABLE operation_leases (
    run_id INTEGER PRIMARY KEY REFERENCES operation_runs (id) ON DELETE CASCADE,
    owner TEXT NOT NULL,
    token TEXT NOT NULL,
    heartbeat_at INTEGER,
    progress TEXT,
    acquired_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;

-- Concurrency is taken, not counted: who cannot insert waits.
CREATE TABLE operation_slots (
    limit_key TEXT NOT NULL,
    slot INTEGER NOT NULL,
    run_id INTEGER NOT NULL REFERENCES operation_runs (id) ON DELETE CASCADE,
    PRIMARY KEY (limit_key, slot)
) STRICT, WITHOUT ROWID;
CREATE INDEX operation_slots_by_run ON operation_slots (run_id);

CREATE TABLE operation_steps (
    run_id INTEGER NOT NULL REFERENCES operation_runs (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    name TEXT NOT NULL,
    label TEXT NOT NULL,
    status TEXT NOT NULL,
    detail TEXT,
    -- What a later step needs when the run is leased again: JSON, read back by the type alone.
    result TEXT,
    started_at INTEGER,
    completed_at INTEGER,
    PRIMARY KEY (run_id, position)
) STRICT, WITHOUT ROWID;

-- A step is known by its name: taken up again, it is the same step.
CREATE UNIQUE INDEX operation_steps_by_name ON operation_steps (run_id, name);

CREATE TABLE operation_logs (
    run_id INTEGER NOT NULL REFERENCES operation_runs (id) ON DELETE CASCADE,
    seq INTEGER NOT NULL,
    at INTEGER NOT NULL,
    level TEXT NOT NULL,
    line TEXT NOT NULL,
    PRIMARY KEY (run_id, seq)
) STRICT, WITHOUT ROWID;

-- Replicas share a schedule: the one that moves next_at on starts the run, in the same transaction.
CREATE TABLE operation_schedules (
    name TEXT PRIMARY KEY,
    owner TEXT,
    token INTEGER NOT NULL DEFAULT 0,
    expires_at INTEGER NOT NULL DEFAULT 0,
    next_at INTEGER NOT NULL,
    last_run_id INTEGER REFERENCES operation_runs (id) ON DELETE SET NULL
) STRICT, WITHOUT ROWID;
