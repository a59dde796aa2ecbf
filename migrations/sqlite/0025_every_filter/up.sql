-- A page by any filter asks an index which requests are on it: also by what few or none have.
DROP INDEX requests_started_at_idx;
CREATE INDEX requests_started_at_idx ON requests (started_at, status, cost, format, operation);
CREATE INDEX attempts_later_idx ON attempts (ordinal, request_id) WHERE ordinal > 1;
