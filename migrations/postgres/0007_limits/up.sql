-- With a default: an older server that still runs goes on adding rows without it.
ALTER TABLE users    ADD COLUMN limits jsonb NOT NULL DEFAULT '{}';
ALTER TABLE api_keys ADD COLUMN limits jsonb NOT NULL DEFAULT '{}';

COMMENT ON COLUMN users.limits    IS 'Object: the limits that are set. What is absent is taken from the setting system.';
COMMENT ON COLUMN api_keys.limits IS 'Object: the limits that are set. What is absent is taken from the user.';
