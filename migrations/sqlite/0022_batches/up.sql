CREATE TABLE batches (
    id       INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    kind     TEXT    NOT NULL,
    document TEXT    NOT NULL,
    who      TEXT,
    made_at  INTEGER NOT NULL
);

CREATE INDEX batches_made_at_idx ON batches (made_at);

ALTER TABLE audit_log ADD COLUMN batch INTEGER;

CREATE INDEX audit_log_batch_idx ON audit_log (batch) WHERE batch IS NOT NULL;
