-- Who may sign in, with what, and what was granted to whom.
--
-- Secrets are stored as hashes where they are only compared (passwords by argon2id, tokens by SHA-256: they are
-- 256 random bits), and sealed by the vault where they are needed again.

CREATE TABLE people (
    id TEXT COLLATE "C" PRIMARY KEY,
    -- local, or oidc.
    source TEXT COLLATE "C" NOT NULL,
    -- Local: the name one signs in with, in lower case. OIDC: what the provider's claims make of the person.
    login TEXT COLLATE "C" NOT NULL,
    display_name TEXT COLLATE "C" NOT NULL,
    email TEXT COLLATE "C",
    password_hash TEXT COLLATE "C",
    created_at BIGINT NOT NULL,
    signed_in_at BIGINT,
    disabled_at BIGINT
);
CREATE UNIQUE INDEX people_by_login ON people (source, login);

-- As the provider told them last.
CREATE TABLE person_groups (
    person_id TEXT COLLATE "C" NOT NULL REFERENCES people (id) ON DELETE CASCADE,
    name TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (person_id, name)
);
CREATE INDEX person_groups_by_name ON person_groups (name, person_id);

CREATE TABLE sessions (
    id TEXT COLLATE "C" PRIMARY KEY,
    token_hash BYTEA NOT NULL,
    person_id TEXT COLLATE "C" NOT NULL REFERENCES people (id) ON DELETE CASCADE,
    -- local, oidc, demo or setup.
    method TEXT COLLATE "C" NOT NULL,
    address TEXT COLLATE "C",
    device TEXT COLLATE "C",
    created_at BIGINT NOT NULL,
    -- At most a minute old.
    seen_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    ended_at BIGINT,
    ended_why TEXT COLLATE "C",
    -- OIDC: the provider's own session, and its tokens, sealed.
    provider_session TEXT COLLATE "C",
    tokens BYTEA,
    tokens_expire_at BIGINT,
    groups_read_at BIGINT,
    -- Which replica refreshes the tokens, until when.
    refresh_owner TEXT COLLATE "C",
    refresh_until BIGINT
);
CREATE UNIQUE INDEX sessions_by_token ON sessions (token_hash);
CREATE INDEX sessions_by_person ON sessions (person_id, created_at);
CREATE INDEX sessions_by_provider ON sessions (provider_session) WHERE provider_session IS NOT NULL;
CREATE INDEX sessions_with_tokens ON sessions (tokens_expire_at) WHERE tokens IS NOT NULL AND ended_at IS NULL;
CREATE INDEX sessions_by_end ON sessions (expires_at);

-- No workspace: everything.
CREATE TABLE grants (
    id TEXT COLLATE "C" PRIMARY KEY,
    -- person, group or api_key.
    subject_kind TEXT COLLATE "C" NOT NULL,
    subject_id TEXT COLLATE "C" NOT NULL,
    role TEXT COLLATE "C" NOT NULL,
    workspace_id BIGINT REFERENCES workspaces (id),
    created_at BIGINT NOT NULL,
    created_by_id TEXT COLLATE "C" NOT NULL,
    created_by_name TEXT COLLATE "C" NOT NULL
);
CREATE UNIQUE INDEX grants_of_everything ON grants (subject_kind, subject_id, role) WHERE workspace_id IS NULL;
CREATE UNIQUE INDEX grants_of_workspace ON grants (subject_kind, subject_id, role, workspace_id) WHERE workspace_id IS NOT NULL;
CREATE INDEX grants_by_role ON grants (role, subject_kind);

CREATE TABLE api_keys (
    id TEXT COLLATE "C" PRIMARY KEY,
    name TEXT COLLATE "C" NOT NULL,
    -- The first letters, to tell keys apart.
    prefix TEXT COLLATE "C" NOT NULL,
    token_hash BYTEA NOT NULL,
    -- Whose rights it uses; a key without an owner stands for a service and has grants of its own.
    owner_id TEXT COLLATE "C" REFERENCES people (id) ON DELETE CASCADE,
    service_identity TEXT COLLATE "C",
    -- Names, separated by spaces: the most that it may do.
    capabilities TEXT COLLATE "C" NOT NULL,
    workspace_id BIGINT REFERENCES workspaces (id),
    created_at BIGINT NOT NULL,
    created_by_id TEXT COLLATE "C" NOT NULL,
    created_by_name TEXT COLLATE "C" NOT NULL,
    expires_at BIGINT,
    used_at BIGINT,
    revoked_at BIGINT
);
CREATE UNIQUE INDEX api_keys_by_token ON api_keys (token_hash);
CREATE INDEX api_keys_by_owner ON api_keys (owner_id, created_at);

-- Moved on by every change of what anyone may do: what was worked out before it counts no more.
CREATE TABLE identity_epoch (
    id BIGINT PRIMARY KEY CHECK (id = 1),
    epoch BIGINT NOT NULL
);
INSERT INTO identity_epoch (id, epoch) VALUES (1, 1);

-- Wrong passwords, by account and by address.
CREATE TABLE sign_in_failures (
    subject TEXT COLLATE "C" PRIMARY KEY,
    failures BIGINT NOT NULL,
    last_at BIGINT NOT NULL
);
CREATE INDEX sign_in_failures_by_time ON sign_in_failures (last_at);

-- Links that work once: the first admin, a forgotten password.
CREATE TABLE setup_links (
    token_hash BYTEA PRIMARY KEY,
    person_id TEXT COLLATE "C" REFERENCES people (id) ON DELETE CASCADE,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    used_at BIGINT
);

-- Sign-ins that went to the provider and have not come back: what must be compared then, sealed.
CREATE TABLE sign_in_flows (
    state_hash BYTEA PRIMARY KEY,
    sealed BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);

-- Back-channel logouts that were heard: none counts twice.
CREATE TABLE provider_logouts (
    token_id TEXT COLLATE "C" PRIMARY KEY,
    expires_at BIGINT NOT NULL
);

-- A key that nothing needs any more: the ring may lack it.
ALTER TABLE vault_keys ADD COLUMN retired_at BIGINT;
