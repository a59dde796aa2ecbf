CREATE TABLE users (
    id         INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    name       TEXT    NOT NULL UNIQUE,
    role       TEXT    NOT NULL,
    groups     TEXT    NOT NULL,
    tags       TEXT    NOT NULL,
    expires_at INTEGER,
    enabled    BOOLEAN NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
);

CREATE TABLE api_keys (
    id         INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    user_id    INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name       TEXT    NOT NULL,
    digest     BLOB    NOT NULL UNIQUE CHECK (length(digest) = 32),
    prefix     TEXT    NOT NULL,
    last_four  TEXT    NOT NULL,
    groups     TEXT    NOT NULL,
    expires_at INTEGER,
    enabled    BOOLEAN NOT NULL,
    web_login  BOOLEAN NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
);

CREATE INDEX api_keys_user_id_idx ON api_keys (user_id, id);
