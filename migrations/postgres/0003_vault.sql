-- What the store knows of each key of the key ring: enough to refuse a wrong one, nothing to make one from.

CREATE TABLE vault_keys (
    id TEXT COLLATE "C" PRIMARY KEY,
    check_value BYTEA NOT NULL,
    created_at BIGINT NOT NULL
);
