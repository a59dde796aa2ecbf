-- With a default: an older server that still runs goes on adding rows without it.
ALTER TABLE users     ADD COLUMN restrictions TEXT NOT NULL DEFAULT '{}';
ALTER TABLE api_keys  ADD COLUMN restrictions TEXT NOT NULL DEFAULT '{}';
ALTER TABLE providers ADD COLUMN restrictions TEXT NOT NULL DEFAULT '{}';
