-- With a default: an older server that still runs goes on adding rows without it.
ALTER TABLE users    ADD COLUMN version INTEGER NOT NULL DEFAULT 1;
ALTER TABLE api_keys ADD COLUMN version INTEGER NOT NULL DEFAULT 1;

CREATE TABLE idempotent_requests (
    id          BLOB PRIMARY KEY NOT NULL,
    owner       TEXT NOT NULL,
    fingerprint BLOB NOT NULL,
    process     TEXT NOT NULL,
    answer      BLOB,
    created_at  INTEGER NOT NULL
);

CREATE INDEX idempotent_requests_owner_idx ON idempotent_requests (owner);
CREATE INDEX idempotent_requests_created_at_idx ON idempotent_requests (created_at);
