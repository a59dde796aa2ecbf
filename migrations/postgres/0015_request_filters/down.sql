DROP INDEX requests_left_idx;
DROP INDEX requests_error_idx;
DROP INDEX requests_client_idx;
DROP INDEX requests_model_idx;
DROP INDEX requests_started_at_idx;
CREATE INDEX requests_started_at_idx ON requests (started_at, id);
