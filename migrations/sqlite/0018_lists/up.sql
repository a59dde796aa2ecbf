-- The orders of lists; each index ends with the number of the row.
CREATE INDEX users_name_order_idx ON users (lower(name));
CREATE INDEX users_created_at_idx ON users (created_at);
CREATE INDEX users_expires_at_idx ON users (COALESCE(expires_at, 253402300799999999));
CREATE INDEX api_keys_name_order_idx ON api_keys (lower(name));
CREATE INDEX api_keys_created_at_idx ON api_keys (created_at);
CREATE INDEX api_keys_expires_at_idx ON api_keys (COALESCE(expires_at, 253402300799999999));
