ALTER TABLE providers DROP COLUMN restrictions;
ALTER TABLE api_keys DROP COLUMN restrictions;
ALTER TABLE users DROP COLUMN restrictions;
