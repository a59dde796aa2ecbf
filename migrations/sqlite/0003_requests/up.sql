-- A table without rowid is its own index by id, and each index ends with the id by itself.
CREATE TABLE requests (
    id                    BLOB    PRIMARY KEY NOT NULL,
    started_at            INTEGER NOT NULL,
    minute                INTEGER NOT NULL,
    duration_us           INTEGER NOT NULL,
    user_id               INTEGER,
    key_id                INTEGER,
    format                TEXT,
    operation             TEXT,
    model                 TEXT,
    upstream_model        TEXT,
    streamed              BOOLEAN NOT NULL,
    session               TEXT,
    provider_id           INTEGER,
    status                INTEGER NOT NULL,
    ending                TEXT    NOT NULL,
    error_kind            TEXT,
    error_message         TEXT,
    ttfb_us               INTEGER,
    input_tokens          INTEGER NOT NULL,
    cache_read_tokens     INTEGER NOT NULL,
    cache_write_5m_tokens INTEGER NOT NULL,
    cache_write_1h_tokens INTEGER NOT NULL,
    output_tokens         INTEGER NOT NULL,
    reasoning_tokens      INTEGER NOT NULL,
    settlement            TEXT    NOT NULL,
    cost                  INTEGER,
    reserved              INTEGER,
    details               TEXT,
    client_address        TEXT,
    user_agent            TEXT,
    bytes_up              INTEGER NOT NULL,
    bytes_down            INTEGER NOT NULL
) WITHOUT ROWID;

CREATE INDEX requests_started_at_idx ON requests (started_at);
CREATE INDEX requests_user_id_idx ON requests (user_id, started_at) WHERE user_id IS NOT NULL;
CREATE INDEX requests_key_id_idx ON requests (key_id, started_at) WHERE key_id IS NOT NULL;
CREATE INDEX requests_provider_id_idx ON requests (provider_id, started_at) WHERE provider_id IS NOT NULL;
CREATE INDEX requests_session_idx ON requests (session, started_at) WHERE session IS NOT NULL;

CREATE TABLE attempts (
    request_id     BLOB    NOT NULL,
    ordinal        INTEGER NOT NULL,
    provider_id    INTEGER NOT NULL,
    provider_name  TEXT    NOT NULL,
    outcome        TEXT    NOT NULL,
    status         INTEGER,
    started_us     INTEGER NOT NULL,
    head_us        INTEGER,
    first_frame_us INTEGER,
    total_us       INTEGER NOT NULL,
    retried_stale  BOOLEAN NOT NULL,
    sent           BOOLEAN NOT NULL,
    error          TEXT,
    PRIMARY KEY (request_id, ordinal)
) WITHOUT ROWID;
