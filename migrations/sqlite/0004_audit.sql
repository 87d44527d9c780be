-- Where the audit chain ended at some moment, signed with the chain key: shows that its end was cut off.
CREATE TABLE audit_heads (
    seq INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    hash BLOB NOT NULL,
    key_id TEXT NOT NULL,
    signature BLOB NOT NULL
) STRICT;
