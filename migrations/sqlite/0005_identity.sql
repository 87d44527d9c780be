-- Who may sign in, with what, and what was granted to whom.
--
-- Secrets are stored as hashes where they are only compared (passwords by argon2id, tokens by SHA-256: they are
-- 256 random bits), and sealed by the vault where they are needed again.

CREATE TABLE people (
    id TEXT PRIMARY KEY,
    -- local, or oidc.
    source TEXT NOT NULL,
    -- Local: the name one signs in with, in lower case. OIDC: what the provider's claims make of the person.
    login TEXT NOT NULL,
    display_name TEXT NOT NULL,
    email TEXT,
    password_hash TEXT,
    created_at INTEGER NOT NULL,
    signed_in_at INTEGER,
    disabled_at INTEGER
) STRICT;
CREATE UNIQUE INDEX people_by_login ON people (source, login);

-- As the provider told them last.
CREATE TABLE person_groups (
    person_id TEXT NOT NULL REFERENCES people (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    PRIMARY KEY (person_id, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX person_groups_by_name ON person_groups (name, person_id);

CREATE TABLE sessions (
    id TEXT PRIMARY KEY,
    token_hash BLOB NOT NULL,
    person_id TEXT NOT NULL REFERENCES people (id) ON DELETE CASCADE,
    -- local, oidc, demo or setup.
    method TEXT NOT NULL,
    address TEXT,
    device TEXT,
    created_at INTEGER NOT NULL,
    -- At most a minute old.
    seen_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    ended_at INTEGER,
    ended_why TEXT,
    -- OIDC: the provider's own session, and its tokens, sealed.
    provider_session TEXT,
    tokens BLOB,
    tokens_expire_at INTEGER,
    groups_read_at INTEGER,
    -- Which replica refreshes the tokens, until when.
    refresh_owner TEXT,
    refresh_until INTEGER
) STRICT;
CREATE UNIQUE INDEX sessions_by_token ON sessions (token_hash);
CREATE INDEX sessions_by_person ON sessions (person_id, created_at);
CREATE INDEX sessions_by_provider ON sessions (provider_session) WHERE provider_session IS NOT NULL;
CREATE INDEX sessions_with_tokens ON sessions (tokens_expire_at) WHERE tokens IS NOT NULL AND ended_at IS NULL;
CREATE INDEX sessions_by_end ON sessions (expires_at);

-- No workspace: everything.
CREATE TABLE grants (
    id TEXT PRIMARY KEY,
    -- person, group or api_key.
    subject_kind TEXT NOT NULL,
    subject_id TEXT NOT NULL,
    role TEXT NOT NULL,
    workspace_id INTEGER REFERENCES workspaces (id),
    created_at INTEGER NOT NULL,
    created_by_id TEXT NOT NULL,
    created_by_name TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX grants_of_everything ON grants (subject_kind, subject_id, role) WHERE workspace_id IS NULL;
CREATE UNIQUE INDEX grants_of_workspace ON grants (subject_kind, subject_id, role, workspace_id) WHERE workspace_id IS NOT NULL;
CREATE INDEX grants_by_role ON grants (role, subject_kind);

CREATE TABLE api_keys (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    -- The first letters, to tell keys apart.
    prefix TEXT NOT NULL,
    token_hash BLOB NOT NULL,
    -- Whose rights it uses; a key without an owner stands for a service and has grants of its own.
    owner_id TEXT REFERENCES people (id) ON DELETE CASCADE,
    service_identity TEXT,
    -- Names, separated by spaces: the most that it may do.
    capabilities TEXT NOT NULL,
    workspace_id INTEGER REFERENCES workspaces (id),
    created_at INTEGER NOT NULL,
    created_by_id TEXT NOT NULL,
    created_by_name TEXT NOT NULL,
    expires_at INTEGER,
    used_at INTEGER,
    revoked_at INTEGER
) STRICT;
CREATE UNIQUE INDEX api_keys_by_token ON api_keys (token_hash);
CREATE INDEX api_keys_by_owner ON api_keys (owner_id, created_at);

-- Moved on by every change of what anyone may do: what was worked out before it counts no more.
CREATE TABLE identity_epoch (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    epoch INTEGER NOT NULL
) STRICT;
INSERT INTO identity_epoch (id, epoch) VALUES (1, 1);

-- Wrong passwords, by account and by address.
CREATE TABLE sign_in_failures (
    subject TEXT PRIMARY KEY,
    failures INTEGER NOT NULL,
    last_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX sign_in_failures_by_time ON sign_in_failures (last_at);

-- Links that work once: the first admin, a forgotten password.
CREATE TABLE setup_links (
    token_hash BLOB PRIMARY KEY,
    person_id TEXT REFERENCES people (id) ON DELETE CASCADE,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    used_at INTEGER
) STRICT, WITHOUT ROWID;

-- Sign-ins that went to the provider and have not come back: what must be compared then, sealed.
CREATE TABLE sign_in_flows (
    state_hash BLOB PRIMARY KEY,
    sealed BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Back-channel logouts that were heard: none counts twice.
CREATE TABLE provider_logouts (
    token_id TEXT PRIMARY KEY,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- A key that nothing needs any more: the ring may lack it.
ALTER TABLE vault_keys ADD COLUMN retired_at INTEGER;
