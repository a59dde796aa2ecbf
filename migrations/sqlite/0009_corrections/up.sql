-- Which correction of its request on its account an entry is: two that are made side by side can't both stand.
ALTER TABLE ledger_entries ADD COLUMN ordinal INTEGER;

CREATE UNIQUE INDEX ledger_entries_correction_key ON ledger_entries (request_id, account, ordinal)
    WHERE ordinal IS NOT NULL;
