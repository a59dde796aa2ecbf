-- With a default: an older server that still runs goes on adding rows without it.
ALTER TABLE users    ADD COLUMN version bigint NOT NULL DEFAULT 1;
ALTER TABLE api_keys ADD COLUMN version bigint NOT NULL DEFAULT 1;

CREATE TABLE idempotent_requests (
    id          bytea PRIMARY KEY NOT NULL,
    owner       text NOT NULL,
    fingerprint bytea NOT NULL,
    process     text NOT NULL,
    answer      bytea,
    created_at  timestamptz NOT NULL
);

CREATE INDEX idempotent_requests_owner_idx ON idempotent_requests (owner);
CREATE INDEX idempotent_requests_created_at_idx ON idempotent_requests (created_at);

COMMENT ON COLUMN users.version    IS 'Grows with every change of the row.';
COMMENT ON COLUMN api_keys.version IS 'Grows with every change of the row.';
COMMENT ON TABLE  idempotent_requests             IS 'Requests with an Idempotency-Key, for a day.';
COMMENT ON COLUMN idempotent_requests.id          IS 'SHA-256 of owner and key.';
COMMENT ON COLUMN idempotent_requests.owner       IS 'Whose key it is: a user, or the holder of the admin token.';
COMMENT ON COLUMN idempotent_requests.fingerprint IS 'SHA-256 of method, path and body.';
COMMENT ON COLUMN idempotent_requests.process     IS 'The process that took it.';
COMMENT ON COLUMN idempotent_requests.answer      IS 'What it was answered, sealed with AES-256-GCM. Null: not answered yet.';
