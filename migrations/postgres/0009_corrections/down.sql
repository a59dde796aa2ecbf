DROP INDEX ledger_entries_correction_key;
ALTER TABLE ledger_entries DROP COLUMN ordinal;
