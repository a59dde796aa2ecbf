CREATE TABLE digest_key (
    id      INTEGER PRIMARY KEY NOT NULL CHECK (id = 1),
    sealed  BLOB    NOT NULL,
    made_at INTEGER NOT NULL
);
