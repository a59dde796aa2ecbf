-- What did not go as usual, with all that totals sum up: neither a page nor a sum of it looks at a row.
-- The condition is that of the queries, to the letter: otherwise nobody uses the index.
DROP INDEX requests_error_idx;
DROP INDEX requests_left_idx;
CREATE INDEX requests_unusual_idx ON requests
    (started_at, status, ending, minute, input_tokens, cache_read_tokens, cache_write_5m_tokens,
     cache_write_1h_tokens, output_tokens, reasoning_tokens, cost)
    WHERE (status <> 200 OR ending <> 'complete');
