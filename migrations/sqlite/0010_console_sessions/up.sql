CREATE TABLE console_sessions (
    id         INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    digest     BLOB    NOT NULL UNIQUE CHECK (length(digest) = 32),
    way        TEXT    NOT NULL,
    user_id    INTEGER REFERENCES users (id) ON DELETE CASCADE,
    key_id     INTEGER REFERENCES api_keys (id) ON DELETE CASCADE,
    role       TEXT    NOT NULL,
    read_only  BOOLEAN NOT NULL,
    proof      BLOB,
    created_at INTEGER NOT NULL,
    seen_at    INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    address    TEXT,
    user_agent TEXT
);

CREATE INDEX console_sessions_user_id_idx ON console_sessions (user_id, id);
CREATE INDEX console_sessions_key_id_idx ON console_sessions (key_id);

CREATE TABLE user_passwords (
    user_id    INTEGER PRIMARY KEY NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    hash       TEXT    NOT NULL,
    updated_at INTEGER NOT NULL
);
