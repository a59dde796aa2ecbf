CREATE TABLE requests (
    id                    uuid           PRIMARY KEY,
    started_at            timestamptz    NOT NULL,
    minute                bigint         NOT NULL,
    duration_us           bigint         NOT NULL,
    user_id               bigint,
    key_id                bigint,
    format                text,
    operation             text,
    model                 text,
    upstream_model        text,
    streamed              boolean        NOT NULL,
    session               text,
    provider_id           bigint,
    status                integer        NOT NULL,
    ending                text           NOT NULL,
    error_kind            text,
    error_message         text,
    ttfb_us               bigint,
    input_tokens          bigint         NOT NULL,
    cache_read_tokens     bigint         NOT NULL,
    cache_write_5m_tokens bigint         NOT NULL,
    cache_write_1h_tokens bigint         NOT NULL,
    output_tokens         bigint         NOT NULL,
    reasoning_tokens      bigint         NOT NULL,
    settlement            text           NOT NULL,
    cost                  numeric(24,12),
    reserved              numeric(24,12),
    details               jsonb,
    client_address        text,
    user_agent            text,
    bytes_up              bigint         NOT NULL,
    bytes_down            bigint         NOT NULL
);

CREATE INDEX requests_started_at_idx ON requests (started_at, id);
CREATE INDEX requests_user_id_idx ON requests (user_id, started_at, id) WHERE user_id IS NOT NULL;
CREATE INDEX requests_key_id_idx ON requests (key_id, started_at, id) WHERE key_id IS NOT NULL;
CREATE INDEX requests_provider_id_idx ON requests (provider_id, started_at, id) WHERE provider_id IS NOT NULL;
CREATE INDEX requests_session_idx ON requests (session, started_at, id) WHERE session IS NOT NULL;

COMMENT ON TABLE  requests                       IS 'One row per request of a caller, refused ones too. Rows are added once and never changed.';
COMMENT ON COLUMN requests.id                    IS 'UUID version 7; the x-pointsman-request-id of the answer.';
COMMENT ON COLUMN requests.started_at            IS 'When the head of the request had been read.';
COMMENT ON COLUMN requests.minute                IS 'The minute its cost counts in, since 1970 in UTC: that of its admission.';
COMMENT ON COLUMN requests.duration_us           IS 'Until the last byte of the answer, or until it was given up.';
COMMENT ON COLUMN requests.user_id               IS 'No foreign key: the log outlives the user. Null: the caller was not recognised.';
COMMENT ON COLUMN requests.key_id                IS 'No foreign key: the log outlives the key.';
COMMENT ON COLUMN requests.format                IS 'Wire format the caller spoke.';
COMMENT ON COLUMN requests.model                 IS 'Model the caller asked for.';
COMMENT ON COLUMN requests.upstream_model        IS 'Model that was sent to the upstream which answered.';
COMMENT ON COLUMN requests.session               IS 'The conversation, as the sticky binding knows it.';
COMMENT ON COLUMN requests.provider_id           IS 'Whose answer the caller received. No foreign key.';
COMMENT ON COLUMN requests.status                IS 'HTTP status the caller saw; 499 when the caller left before there was one.';
COMMENT ON COLUMN requests.ending                IS 'How it ended: complete, cut, caller_left, refused, failed, timed_out, draining, incomplete.';
COMMENT ON COLUMN requests.error_kind            IS 'Stable code of what went wrong.';
COMMENT ON COLUMN requests.ttfb_us               IS 'From the start until the first byte of the answer went to the caller.';
COMMENT ON COLUMN requests.input_tokens          IS 'Input that no cache had a part in; the token columns before output are disjoint.';
COMMENT ON COLUMN requests.settlement            IS 'What became of the money: exact, exact_client_gone, estimated, free, disputed, unpriced.';
COMMENT ON COLUMN requests.cost                  IS 'In dollars, as posted to the balances; there exactly when it is exact, exact_client_gone or estimated.';
COMMENT ON COLUMN requests.reserved              IS 'In dollars; what was held until the settlement.';
COMMENT ON COLUMN requests.details               IS 'Told with one request and never searched: price (row and formula of the cost), decisions (the chain of candidates), metering (of an unpriced one).';
COMMENT ON COLUMN requests.bytes_up              IS 'Body bytes received from the caller.';
COMMENT ON COLUMN requests.bytes_down            IS 'Body bytes sent to the caller.';

CREATE TABLE attempts (
    request_id     uuid    NOT NULL,
    ordinal        integer NOT NULL,
    provider_id    bigint  NOT NULL,
    provider_name  text    NOT NULL,
    outcome        text    NOT NULL,
    status         integer,
    started_us     bigint  NOT NULL,
    head_us        bigint,
    first_frame_us bigint,
    total_us       bigint  NOT NULL,
    retried_stale  boolean NOT NULL,
    sent           boolean NOT NULL,
    error          text,
    PRIMARY KEY (request_id, ordinal)
);

COMMENT ON TABLE  attempts                IS 'One try of one request at one provider. No foreign key: both are written in one transaction.';
COMMENT ON COLUMN attempts.ordinal        IS 'From 1, in the order of the tries.';
COMMENT ON COLUMN attempts.provider_name  IS 'As it was called then.';
COMMENT ON COLUMN attempts.outcome        IS 'What became of it: answered, callers_fault, rate_limited, cut and so on.';
COMMENT ON COLUMN attempts.status         IS 'HTTP status of the upstream, if it answered.';
COMMENT ON COLUMN attempts.started_us     IS 'Offset from the start of the request.';
COMMENT ON COLUMN attempts.head_us        IS 'From the start of the attempt to the head of the answer.';
COMMENT ON COLUMN attempts.first_frame_us IS 'From the start of the attempt to the first meaningful frame.';
COMMENT ON COLUMN attempts.retried_stale  IS 'Whether a kept-alive connection turned out closed and a fresh one was made.';
COMMENT ON COLUMN attempts.sent           IS 'Whether any byte of the request left for the upstream: only then can it have cost anything.';
