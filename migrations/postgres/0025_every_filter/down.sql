DROP INDEX attempts_later_idx;
DROP INDEX requests_started_at_idx;
CREATE INDEX requests_started_at_idx ON requests (started_at, id, status, cost);
