DROP INDEX requests_unusual_idx;
CREATE INDEX requests_error_idx ON requests (started_at, id)
    WHERE (status >= 400 AND status <> 499 OR ending NOT IN ('complete', 'caller_left'));
CREATE INDEX requests_left_idx ON requests (started_at, id)
    WHERE (ending = 'caller_left' AND (status < 400 OR status = 499));
