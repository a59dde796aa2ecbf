-- A sum beyond 64 bits would quietly become a float; the check makes it an error.
CREATE TABLE ledger_balances (
    account  TEXT    NOT NULL,
    minute   INTEGER NOT NULL,
    cost     INTEGER NOT NULL CHECK (typeof(cost) = 'integer'),
    requests INTEGER NOT NULL,
    PRIMARY KEY (account, minute)
) WITHOUT ROWID;

CREATE TABLE ledger_entries (
    id         INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    account    TEXT    NOT NULL,
    minute     INTEGER NOT NULL,
    kind       TEXT    NOT NULL,
    span       TEXT,
    amount     INTEGER NOT NULL,
    until      INTEGER,
    request_id BLOB,
    note       TEXT    NOT NULL,
    created_at INTEGER NOT NULL
);

CREATE INDEX ledger_entries_account_idx ON ledger_entries (account, id);
