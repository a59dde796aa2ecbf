-- With a default: an older server that still runs goes on adding rows without it.
ALTER TABLE settings ADD COLUMN version bigint NOT NULL DEFAULT 1;

COMMENT ON COLUMN settings.version IS 'Grows with every change of the row.';
