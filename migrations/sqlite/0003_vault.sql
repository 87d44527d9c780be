-- What the store knows of each key of the key ring: enough to refuse a wrong one, nothing to make one from.

CREATE TABLE vault_keys (
    id TEXT PRIMARY KEY,
    check_value BLOB NOT NULL,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
