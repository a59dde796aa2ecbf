-- With a default: an older server that still runs goes on adding rows without it.
ALTER TABLE users     ADD COLUMN restrictions jsonb NOT NULL DEFAULT '{}';
ALTER TABLE api_keys  ADD COLUMN restrictions jsonb NOT NULL DEFAULT '{}';
ALTER TABLE providers ADD COLUMN restrictions jsonb NOT NULL DEFAULT '{}';

COMMENT ON COLUMN users.restrictions     IS 'Document: the models that may be asked for and the programs that may be used, as far as they are restricted.';
COMMENT ON COLUMN api_keys.restrictions  IS 'Likewise, of this key alone; what its user may not, the key may not either.';
COMMENT ON COLUMN providers.restrictions IS 'Document: the programs it serves and the hours it is open, as far as they are restricted.';
