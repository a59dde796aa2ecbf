-- With a default: an older server that still runs goes on adding rows without it.
ALTER TABLE users    ADD COLUMN limits TEXT NOT NULL DEFAULT '{}';
ALTER TABLE api_keys ADD COLUMN limits TEXT NOT NULL DEFAULT '{}';
