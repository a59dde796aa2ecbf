-- A page by any filter asks an index which requests are on it: also by what few or none have.
DROP INDEX requests_started_at_idx;
CREATE INDEX requests_started_at_idx ON requests (started_at, id, status, cost, format, operation);
CREATE INDEX attempts_later_idx ON attempts (ordinal, request_id) WHERE ordinal > 1;

COMMENT ON TABLE  user_identities         IS 'Who of those that a provider or a directory knows is which user. Nobody is known by a name or an address for mail, which others may get.';
COMMENT ON COLUMN user_identities.issuer  IS 'The provider, letter by letter as it calls itself, or what ldap.issuer calls the directory.';
COMMENT ON COLUMN user_identities.subject IS 'What the provider or the directory calls somebody for ever.';

COMMENT ON COLUMN console_sessions.way   IS 'How one signed in: admin_token, api_key, password, oidc, ldap.';
COMMENT ON COLUMN console_sessions.proof IS 'A digest of the admin token, of the stored password, or of the name of the provider or the directory of the sign-in. The session is over once that is another.';
