CREATE TABLE digest_key (
    id      bigint      PRIMARY KEY CHECK (id = 1),
    sealed  bytea       NOT NULL,
    made_at timestamptz NOT NULL
);

COMMENT ON TABLE  digest_key        IS 'The key that all digests are made with, in one row.';
COMMENT ON COLUMN digest_key.sealed IS 'The key, sealed with the sealing key; a change of that seals it anew.';

COMMENT ON COLUMN api_keys.digest IS 'HMAC-SHA-256 of the whole key under a key derived from the digest key.';
