CREATE TABLE trash (
    id         INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    kind       TEXT    NOT NULL,
    row_id     INTEGER NOT NULL,
    name       TEXT    NOT NULL,
    document   TEXT    NOT NULL,
    who        TEXT,
    deleted_at INTEGER NOT NULL,
    UNIQUE (kind, row_id)
);

CREATE INDEX trash_deleted_at_idx ON trash (deleted_at);

ALTER TABLE api_keys ADD COLUMN old_digest BLOB;
ALTER TABLE api_keys ADD COLUMN old_until  INTEGER;
