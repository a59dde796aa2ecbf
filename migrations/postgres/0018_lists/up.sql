-- The orders of lists.
CREATE INDEX users_name_order_idx ON users (lower(name) COLLATE "C", id);
CREATE INDEX users_created_at_idx ON users (created_at, id);
CREATE INDEX users_expires_at_idx ON users (COALESCE(expires_at, '9999-12-31 23:59:59.999999+00'), id);
CREATE INDEX api_keys_name_order_idx ON api_keys (lower(name) COLLATE "C", id);
CREATE INDEX api_keys_created_at_idx ON api_keys (created_at, id);
CREATE INDEX api_keys_expires_at_idx ON api_keys (COALESCE(expires_at, '9999-12-31 23:59:59.999999+00'), id);

COMMENT ON INDEX users_name_order_idx    IS 'Names without regard to capitals, in the same order on every server.';
COMMENT ON INDEX users_expires_at_idx    IS 'What never ends comes last.';
COMMENT ON INDEX api_keys_name_order_idx IS 'Names without regard to capitals, in the same order on every server.';
COMMENT ON INDEX api_keys_expires_at_idx IS 'What never ends comes last.';
