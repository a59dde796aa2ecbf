ALTER TABLE api_keys DROP COLUMN old_until;
ALTER TABLE api_keys DROP COLUMN old_digest;
DROP TABLE trash;
