ALTER TABLE ledger_entries ADD COLUMN ordinal bigint;

CREATE UNIQUE INDEX ledger_entries_correction_key ON ledger_entries (request_id, account, ordinal)
    WHERE ordinal IS NOT NULL;

COMMENT ON COLUMN ledger_entries.ordinal IS
    'Which correction of its request on its account it is, from 1 on: two made side by side cannot both stand.';
