-- Conditions are those of `RequestClass`, to the letter: otherwise nobody uses the index.
DROP INDEX requests_started_at_idx;
CREATE INDEX requests_started_at_idx ON requests (started_at, status, cost);
CREATE INDEX requests_model_idx ON requests (model, started_at) WHERE model IS NOT NULL;
CREATE INDEX requests_client_idx
    ON requests (substr(user_agent, 1, instr(replace(user_agent, ' ', '/') || '/', '/') - 1), started_at)
    WHERE user_id IS NOT NULL AND user_agent IS NOT NULL;
CREATE INDEX requests_error_idx ON requests (started_at)
    WHERE (status >= 400 AND status <> 499 OR ending NOT IN ('complete', 'caller_left'));
CREATE INDEX requests_left_idx ON requests (started_at)
    WHERE (ending = 'caller_left' AND (status < 400 OR status = 499));
