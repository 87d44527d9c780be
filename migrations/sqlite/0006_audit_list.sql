-- The audit log as a list: an index for each filter, ending in the number; the checkpoint that pruning leaves.

CREATE INDEX audit_log_by_time ON audit_log (at, seq);
CREATE INDEX audit_log_by_name ON audit_log (actor_name, seq);
CREATE INDEX audit_log_by_action ON audit_log (action, seq);
CREATE INDEX audit_log_by_decision ON audit_log (decision, seq);
CREATE INDEX audit_log_by_request ON audit_log (request_id, seq);
CREATE INDEX audit_log_by_capability ON audit_log (capability, seq) WHERE capability IS NOT NULL;
CREATE INDEX audit_log_by_session ON audit_log (session_hash, seq) WHERE session_hash IS NOT NULL;

-- A target is asked for as one word, kind and id together.
DROP INDEX audit_log_by_target;
CREATE INDEX audit_log_by_target ON audit_log ((target_kind || ':' || target_id), seq);

-- Several filters at once are looked up here, newest first.
CREATE INDEX audit_log_facets ON audit_log (
    seq, at, actor_id, actor_name, action, decision, workspace_id, capability, (target_kind || ':' || target_id)
);

-- Up to which row the log was pruned, and that row's hash, signed with the chain key. Its one row is locked by
-- whoever prunes.
CREATE TABLE audit_checkpoint (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    seq INTEGER NOT NULL,
    at INTEGER NOT NULL,
    hash BLOB,
    key_id TEXT,
    signature BLOB
) STRICT;
INSERT INTO audit_checkpoint (id, seq, at) VALUES (1, 0, 0);

-- Up to which row open pages were told that there is something new.
CREATE TABLE audit_told (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    seq INTEGER NOT NULL
) STRICT;
INSERT INTO audit_told (id, seq) VALUES (1, 0);
