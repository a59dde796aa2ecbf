CREATE TABLE user_identities (
    id         INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    user_id    INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    issuer     TEXT    NOT NULL,
    subject    TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    UNIQUE (subject, issuer)
);

CREATE INDEX user_identities_user_id_idx ON user_identities (user_id, id);

CREATE TABLE spent_tickets (
    digest     BLOB    PRIMARY KEY NOT NULL CHECK (length(digest) = 32),
    expires_at INTEGER NOT NULL
);

CREATE INDEX spent_tickets_expires_at_idx ON spent_tickets (expires_at);
