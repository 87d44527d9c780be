-- Where the audit chain ended at some moment, signed with the chain key: shows that its end was cut off.
CREATE TABLE audit_heads (
    seq BIGINT PRIMARY KEY,
    at BIGINT NOT NULL,
    hash BYTEA NOT NULL,
    key_id TEXT COLLATE "C" NOT NULL,
    signature BYTEA NOT NULL
);
