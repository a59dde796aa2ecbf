COMMENT ON COLUMN api_keys.digest IS 'HMAC-SHA-256 of the whole key under a key derived from the sealing key.';
DROP TABLE digest_key;
