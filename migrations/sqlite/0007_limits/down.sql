ALTER TABLE api_keys DROP COLUMN limits;
ALTER TABLE users    DROP COLUMN limits;
