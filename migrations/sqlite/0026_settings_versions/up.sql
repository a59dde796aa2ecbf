-- With a default: an older server that still runs goes on adding rows without it.
ALTER TABLE settings ADD COLUMN version INTEGER NOT NULL DEFAULT 1;
