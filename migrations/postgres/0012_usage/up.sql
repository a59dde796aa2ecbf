CREATE TABLE usage_hours (
    facet              text NOT NULL,
    subject            text NOT NULL,
    hour               bigint NOT NULL,
    requests           bigint NOT NULL,
    errors             bigint NOT NULL,
    input_tokens       bigint NOT NULL,
    cache_read_tokens  bigint NOT NULL,
    cache_write_tokens bigint NOT NULL,
    output_tokens      bigint NOT NULL,
    reasoning_tokens   bigint NOT NULL,
    cost               numeric(24,12) NOT NULL,
    duration_us        bigint NOT NULL,
    took_250ms         bigint NOT NULL,
    took_500ms         bigint NOT NULL,
    took_1000ms        bigint NOT NULL,
    took_2000ms        bigint NOT NULL,
    took_5000ms        bigint NOT NULL,
    took_10000ms       bigint NOT NULL,
    took_30000ms       bigint NOT NULL,
    took_60000ms       bigint NOT NULL,
    firsts             bigint NOT NULL,
    first_us           bigint NOT NULL,
    first_100ms        bigint NOT NULL,
    first_250ms        bigint NOT NULL,
    first_500ms        bigint NOT NULL,
    first_1000ms       bigint NOT NULL,
    first_2000ms       bigint NOT NULL,
    first_5000ms       bigint NOT NULL,
    first_10000ms      bigint NOT NULL,
    first_30000ms      bigint NOT NULL,
    PRIMARY KEY (facet, subject, hour)
);

CREATE TABLE usage_days (
    facet              text NOT NULL,
    subject            text NOT NULL,
    day                bigint NOT NULL,
    requests           bigint NOT NULL,
    errors             bigint NOT NULL,
    input_tokens       bigint NOT NULL,
    cache_read_tokens  bigint NOT NULL,
    cache_write_tokens bigint NOT NULL,
    output_tokens      bigint NOT NULL,
    reasoning_tokens   bigint NOT NULL,
    cost               numeric(24,12) NOT NULL,
    duration_us        bigint NOT NULL,
    took_250ms         bigint NOT NULL,
    took_500ms         bigint NOT NULL,
    took_1000ms        bigint NOT NULL,
    took_2000ms        bigint NOT NULL,
    took_5000ms        bigint NOT NULL,
    took_10000ms       bigint NOT NULL,
    took_30000ms       bigint NOT NULL,
    took_60000ms       bigint NOT NULL,
    firsts             bigint NOT NULL,
    first_us           bigint NOT NULL,
    first_100ms        bigint NOT NULL,
    first_250ms        bigint NOT NULL,
    first_500ms        bigint NOT NULL,
    first_1000ms       bigint NOT NULL,
    first_2000ms       bigint NOT NULL,
    first_5000ms       bigint NOT NULL,
    first_10000ms      bigint NOT NULL,
    first_30000ms      bigint NOT NULL,
    PRIMARY KEY (facet, day, subject)
);

CREATE TABLE usage_attempts (
    provider_id        bigint NOT NULL,
    hour               bigint NOT NULL,
    outcome            text NOT NULL,
    attempts           bigint NOT NULL,
    firsts             bigint NOT NULL,
    first_us           bigint NOT NULL,
    first_100ms        bigint NOT NULL,
    first_250ms        bigint NOT NULL,
    first_500ms        bigint NOT NULL,
    first_1000ms       bigint NOT NULL,
    first_2000ms       bigint NOT NULL,
    first_5000ms       bigint NOT NULL,
    first_10000ms      bigint NOT NULL,
    first_30000ms      bigint NOT NULL,
    PRIMARY KEY (provider_id, hour, outcome)
);

COMMENT ON TABLE  usage_hours IS 'What requests came to per hour, by one facet each; added to in the transaction that adds the request, and never changed otherwise.';
COMMENT ON TABLE  usage_days IS 'What requests came to per day of UTC, by one facet each; added to in the transaction that adds the request, and never changed otherwise.';
COMMENT ON COLUMN usage_hours.facet IS 'user, key, provider, model or client. The sums of each facet come to the same.';
COMMENT ON COLUMN usage_hours.subject IS 'Which user, key, provider, model or client; empty where there was none, or where it is the word of somebody unknown.';
COMMENT ON COLUMN usage_hours.hour IS 'Since 1970 in UTC; the hour of requests.minute.';
COMMENT ON COLUMN usage_hours.errors IS 'Status 400 or more, save 499, or an ending that is neither complete nor caller_left.';
COMMENT ON COLUMN usage_hours.cache_write_tokens IS 'For five minutes and for an hour.';
COMMENT ON COLUMN usage_hours.duration_us IS 'A request brings 10^12 at most, here and to tokens, lest one absurd figure spoil the sum.';
COMMENT ON COLUMN usage_hours.took_250ms IS 'Requests that took up to so long and longer than the column before; those beyond the last are in none.';
COMMENT ON COLUMN usage_hours.firsts IS 'Requests of which a first byte went to the caller.';
COMMENT ON COLUMN usage_hours.first_100ms IS 'The same for the time to the first byte.';
COMMENT ON COLUMN usage_days.facet IS 'user, key, provider, model or client. The sums of each facet come to the same.';
COMMENT ON COLUMN usage_days.subject IS 'Which user, key, provider, model or client; empty where there was none, or where it is the word of somebody unknown.';
COMMENT ON COLUMN usage_days.day IS 'Since 1970 in UTC; the day of requests.minute.';
COMMENT ON COLUMN usage_days.errors IS 'Status 400 or more, save 499, or an ending that is neither complete nor caller_left.';
COMMENT ON COLUMN usage_days.cache_write_tokens IS 'For five minutes and for an hour.';
COMMENT ON COLUMN usage_days.duration_us IS 'A request brings 10^12 at most, here and to tokens, lest one absurd figure spoil the sum.';
COMMENT ON COLUMN usage_days.took_250ms IS 'Requests that took up to so long and longer than the column before; those beyond the last are in none.';
COMMENT ON COLUMN usage_days.firsts IS 'Requests of which a first byte went to the caller.';
COMMENT ON COLUMN usage_days.first_100ms IS 'The same for the time to the first byte.';
COMMENT ON TABLE  usage_attempts IS 'What became of attempts at providers per hour; added to in the transaction that adds the request.';
COMMENT ON COLUMN usage_attempts.firsts IS 'Attempts that had a meaningful first frame; the columns after it are about those.';

-- What is there already. Each facet once, so that one pass needs memory for one facet.
INSERT INTO usage_hours
SELECT 'user', COALESCE(CAST(r.user_id AS text), ''), r.minute / 60,
    COUNT(*),
    SUM(CASE WHEN r.status >= 400 AND r.status <> 499 OR r.ending NOT IN ('complete', 'caller_left') THEN 1 ELSE 0 END),
    SUM(CASE WHEN r.input_tokens > 1000000000000 THEN 1000000000000 ELSE r.input_tokens END),
    SUM(CASE WHEN r.cache_read_tokens > 1000000000000 THEN 1000000000000 ELSE r.cache_read_tokens END),
    SUM(CASE WHEN r.cache_write_5m_tokens > 1000000000000 THEN 1000000000000 ELSE r.cache_write_5m_tokens END + CASE WHEN r.cache_write_1h_tokens > 1000000000000 THEN 1000000000000 ELSE r.cache_write_1h_tokens END),
    SUM(CASE WHEN r.output_tokens > 1000000000000 THEN 1000000000000 ELSE r.output_tokens END),
    SUM(CASE WHEN r.reasoning_tokens > 1000000000000 THEN 1000000000000 ELSE r.reasoning_tokens END),
    SUM(COALESCE(r.cost, 0)),
    SUM(CASE WHEN r.duration_us > 1000000000000 THEN 1000000000000 ELSE r.duration_us END),
    SUM(CASE WHEN r.duration_us <= 250000 THEN 1 ELSE 0 END),
    SUM(CASE WHEN r.duration_us > 250000 AND r.duration_us <= 500000 THEN 1 ELSE 0 END),
    SUM(CASE WHEN r.duration_us > 500000 AND r.duration_us <= 1000000 THEN 1 ELSE 0 END),
    SUM(CASE WHEN r.duration_us > 1000000 AND r.duration_us <= 2000000 THEN 1 ELSE 0 END),
    SUM(CASE WHEN r.duration_us > 2000000 AND r.duration_us <= 5000000 THEN 1 ELSE 0 END),
    SUM(CASE WHEN r.duration_us > 5000000 AND r.duration_us <= 10000000 THEN 1 ELSE 0 END),
    SUM(CASE WHEN r.duration_us > 10000000 AND r.duration_us <= 30000000 THEN 1 ELSE 0 END),
    SUM(CASE WHEN r.duration_us > 30000000 AND r.duration_us <= 60000000 THEN 1 ELSE 0 END),
    COUNT(r.ttfb_us),
    COALESCE(SUM(CASE WHEN r.ttfb_us > 1000000000000 THEN 1000000000000 ELSE r.ttfb_us END), 0),
    SUM(CASE WHEN r.ttfb_us <= 100000 THEN 1 ELSE 0 END),
    SUM(CASE WHEN r.ttfb_us > 100000 AND r.ttfb_us <= 250000 THEN 1 ELSE 0 END),
    SUM(CASE WHEN r.ttfb_us > 250000 AND r.ttfb_us <= 500000 THEN 1 ELSE 0 END),
    SUM(CASE WHEN r.ttfb_us > 500000 AND r.ttfb_us <= 1000000 THEN 1 ELSE 0 END),
    SUM(CASE WHEN r.ttfb_us > 1000000 AND r.ttfb_us <= 2000000 THEN 1 ELSE 0 END),
    SUM(CASE WHEN r.ttfb_us > 2000000 AND r.ttfb_us <= 5000000 THEN 1 ELSE 0 END),
    SUM(CASE WHEN r.ttfb_us > 5000000 AND r.ttfb_us <= 10000000 THEN 1 ELSE 0 END),
    SUM(CASE WHEN r.ttfb_us > 10000000 AND r.ttfb_us <= 30000000 THEN 1 ELSE 0 END)
FROM requests AS r GROUP BY 2, 3;

INSERT INTO usage_hours
SELECT 'key', COALESCE(CAST(r.key_id AS text), ''), r.minute / 60,
    COUNT(*),
    SUM(CASE WHEN r.status >= 400 AND r.status <> 499 OR r.ending NOT IN ('complete', 'caller_left') THEN 1 ELSE 0 END),
    SUM(CASE WHEN r.input_tokens > 1000000000000 THEN 1000000000000 ELSE r.input_tokens END),
    SUM(CASE WHEN r.cache_read_tokens > 1000000000000 THEN 1000000000000 ELSE r.cache_read_tokens END),
    SUM(CASE WHEN r.cache_write_5m_tokens > 1000000000000 THEN 1000000000000 ELSE r.cache_write_5m_tokens END + CASE WHEN r.cache_write_1h_tokens > 1000000000000 THEN 1000000000000 ELSE r.cache_write_1h_tokens END),
    SUM(CASE WHEN r.output_tokens > 1000000000000 THEN 1000000000000 ELSE r.output_tokens END),
    SUM(CASE WHEN r.reasoning_tokens > 1000000000000 THEN 1000000000000 ELSE r.reasoning_tokens END),
    SUM(COALESCE(r.cost, 0)),
    SUM(CASE WHEN r.duration_us > 1000000000000 THEN 1000000000000 ELSE r.duration_us END),
    SUM(CASE WHEN r.duration_us <= 250000 THEN 1 ELSE 0 END),
    SUM(CASE WHEN r.duration_us > 250000 AND r.duration_us <= 500000 THEN 1 ELSE 0 END),
    SUM(CASE WHEN r.duration_us > 500000 AND r.duration_us <= 1000000 THEN 1 ELSE 0 END),
    SUM(CASE WHEN r.duration_us > 1000000 AND r.duration_us <= 2000000 THEN 1 ELSE 0 END),
    SUM(CASE WHEN r.duration_us > 2000000 AND r.duration_us <= 5000000 THEN 1 ELSE 0 END),
    SUM(CASE WHEN r.duration_us > 5000000 AND r.duration_us <= 10000000 THEN 1 ELSE 0 END),
    SUM(CASE WHEN r.duration_us > 10000000 AND r.duration_us <= 30000000 THEN 1 ELSE 0 END),
    SUM(CASE WHEN r.duration_us > 30000000 AND r.duration_us <= 60000000 THEN 1 ELSE 0 END),
    COUNT(r.ttfb_us),
    COALESCE(SUM(CASE WHEN r.ttfb_us > 1000000000000 THEN 1000000000000 ELSE r.ttfb_us END), 0),
    SUM(CASE WHEN r.ttfb_us <= 100000 THEN 1 ELSE 0 END),
    SUM(CASE WHEN r.ttfb_us > 100000 AND r.ttfb_us <= 250000 THEN 1 ELSE 0 END),
    SUM(CASE WHEN r.ttfb_us > 250000 AND r.ttfb_us <= 500000 THEN 1 ELSE 0 END),
    SUM(CASE WHEN r.ttfb_us > 500000 AND r.ttfb_us <= 1000000 THEN 1 ELSE 0 END),
    SUM(CASE WHEN r.ttfb_us > 1000000 AND r.ttfb_us <= 2000000 THEN 1 ELSE 0 END),
    SUM(CASE WHEN r.ttfb_us > 2000000 AND r.ttfb_us <= 5000000 THEN 1 ELSE 0 END),
    SUM(CASE WHEN r.ttfb_us > 5000000 AND r.ttfb_us <= 10000000 THEN 1 ELSE 0 END),
    SUM(CASE WHEN r.ttfb_us > 10000000 AND r.ttfb_us <= 30000000 THEN 1 ELSE 0 END)
FROM requests AS r GROUP BY 2, 3;

INSERT INTO usage_hours
SELECT 'provider', COALESCE(CAST(r.provider_id AS text), ''), r.minute / 60,
    COUNT(*),
    SUM(CASE WHEN r.status >= 400 AND r.status <> 499 OR r.ending NOT IN ('complete', 'caller_left') THEN 1 ELSE 0 END),
    SUM(CASE WHEN r.input_tokens > 1000000000000 THEN 1000000000000 ELSE r.input_tokens END),
    SUM(CASE WHEN r.cache_read_tokens > 1000000000000 THEN 1000000000000 ELSE r.cache_read_tokens END),
    SUM(CASE WHEN r.cache_write_5m_tokens > 1000000000000 THEN 1000000000000 ELSE r.cache_write_5m_tokens END + CASE WHEN r.cache_write_1h_tokens > 1000000000000 THEN 1000000000000 ELSE r.cache_write_1h_tokens END),
    SUM(CASE WHEN r.output_tokens > 1000000000000 THEN 1000000000000 ELSE r.output_tokens END),
    SUM(CASE WHEN r.reasoning_tokens > 1000000000000 THEN 1000000000000 ELSE r.reasoning_tokens END),
    SUM(COALESCE(r.cost, 0)),
    SUM(CASE WHEN r.duration_us > 1000000000000 THEN 1000000000000 ELSE r.duration_us END),
    SUM(CASE WHEN r.duration_us <= 250000 THEN 1 ELSE 0 END),
    SUM(CASE WHEN r.duration_us > 250000 AND r.duration_us <= 500000 THEN 1 ELSE 0 END),
    SUM(CASE WHEN r.duration_us > 500000 AND r.duration_us <= 1000000 THEN 1 ELSE 0 END),
    SUM(CASE WHEN r.duration_us > 1000000 AND r.duration_us <= 2000000 THEN 1 ELSE 0 END),
    SUM(CASE WHEN r.duration_us > 2000000 AND r.duration_us <= 5000000 THEN 1 ELSE 0 END),
    SUM(CASE WHEN r.duration_us > 5000000 AND r.duration_us <= 10000000 THEN 1 ELSE 0 END),
    SUM(CASE WHEN r.duration_us > 10000000 AND r.duration_us <= 30000000 THEN 1 ELSE 0 END),
    SUM(CASE WHEN r.duration_us > 30000000 AND r.duration_us <= 60000000 THEN 1 ELSE 0 END),
    COUNT(r.ttfb_us),
    COALESCE(SUM(CASE WHEN r.ttfb_us > 1000000000000 THEN 1000000000000 ELSE r.ttfb_us END), 0),
    SUM(CASE WHEN r.ttfb_us <= 100000 THEN 1 ELSE 0 END),
    SUM(CASE WHEN r.ttfb_us > 100000 AND r.ttfb_us <= 250000 THEN 1 ELSE 0 END),
    SUM(CASE WHEN r.ttfb_us > 250000 AND r.ttfb_us <= 500000 THEN 1 ELSE 0 END),
    SUM(CASE WHEN r.ttfb_us > 500000 AND r.ttfb_us <= 1000000 THEN 1 ELSE 0 END),
    SUM(CASE WHEN r.ttfb_us > 1000000 AND r.ttfb_us <= 2000000 THEN 1 ELSE 0 END),
    SUM(CASE WHEN r.ttfb_us > 2000000 AND r.ttfb_us <= 5000000 THEN 1 ELSE 0 END),
    SUM(CASE WHEN r.ttfb_us > 5000000 AND r.ttfb_us <= 10000000 THEN 1 ELSE 0 END),
    SUM(CASE WHEN r.ttfb_us > 10000000 AND r.ttfb_us <= 30000000 THEN 1 ELSE 0 END)
FROM requests AS r GROUP BY 2, 3;

INSERT INTO usage_hours
SELECT 'model', CASE WHEN r.user_id IS NULL THEN '' ELSE COALESCE(r.model, '') END, r.minute / 60,
    COUNT(*),
    SUM(CASE WHEN r.status >= 400 AND r.status <> 499 OR r.ending NOT IN ('complete', 'caller_left') THEN 1 ELSE 0 END),
    SUM(CASE WHEN r.input_tokens > 1000000000000 THEN 1000000000000 ELSE r.input_tokens END),
    SUM(CASE WHEN r.cache_read_tokens > 1000000000000 THEN 1000000000000 ELSE r.cache_read_tokens END),
    SUM(CASE WHEN r.cache_write_5m_tokens > 1000000000000 THEN 1000000000000 ELSE r.cache_write_5m_tokens END + CASE WHEN r.cache_write_1h_tokens > 1000000000000 THEN 1000000000000 ELSE r.cache_write_1h_tokens END),
    SUM(CASE WHEN r.output_tokens > 1000000000000 THEN 1000000000000 ELSE r.output_tokens END),
    SUM(CASE WHEN r.reasoning_tokens > 1000000000000 THEN 1000000000000 ELSE r.reasoning_tokens END),
    SUM(COALESCE(r.cost, 0)),
    SUM(CASE WHEN r.duration_us > 1000000000000 THEN 1000000000000 ELSE r.duration_us END),
    SUM(CASE WHEN r.duration_us <= 250000 THEN 1 ELSE 0 END),
    SUM(CASE WHEN r.duration_us > 250000 AND r.duration_us <= 500000 THEN 1 ELSE 0 END),
    SUM(CASE WHEN r.duration_us > 500000 AND r.duration_us <= 1000000 THEN 1 ELSE 0 END),
    SUM(CASE WHEN r.duration_us > 1000000 AND r.duration_us <= 2000000 THEN 1 ELSE 0 END),
    SUM(CASE WHEN r.duration_us > 2000000 AND r.duration_us <= 5000000 THEN 1 ELSE 0 END),
    SUM(CASE WHEN r.duration_us > 5000000 AND r.duration_us <= 10000000 THEN 1 ELSE 0 END),
    SUM(CASE WHEN r.duration_us > 10000000 AND r.duration_us <= 30000000 THEN 1 ELSE 0 END),
    SUM(CASE WHEN r.duration_us > 30000000 AND r.duration_us <= 60000000 THEN 1 ELSE 0 END),
    COUNT(r.ttfb_us),
    COALESCE(SUM(CASE WHEN r.ttfb_us > 1000000000000 THEN 1000000000000 ELSE r.ttfb_us END), 0),
    SUM(CASE WHEN r.ttfb_us <= 100000 THEN 1 ELSE 0 END),
    SUM(CASE WHEN r.ttfb_us > 100000 AND r.ttfb_us <= 250000 THEN 1 ELSE 0 END),
    SUM(CASE WHEN r.ttfb_us > 250000 AND r.ttfb_us <= 500000 THEN 1 ELSE 0 END),
    SUM(CASE WHEN r.ttfb_us > 500000 AND r.ttfb_us <= 1000000 THEN 1 ELSE 0 END),
    SUM(CASE WHEN r.ttfb_us > 1000000 AND r.ttfb_us <= 2000000 THEN 1 ELSE 0 END),
    SUM(CASE WHEN r.ttfb_us > 2000000 AND r.ttfb_us <= 5000000 THEN 1 ELSE 0 END),
    SUM(CASE WHEN r.ttfb_us > 5000000 AND r.ttfb_us <= 10000000 THEN 1 ELSE 0 END),
    SUM(CASE WHEN r.ttfb_us > 10000000 AND r.ttfb_us <= 30000000 THEN 1 ELSE 0 END)
FROM requests AS r GROUP BY 2, 3;

INSERT INTO usage_hours
SELECT 'client', CASE WHEN r.user_id IS NULL THEN '' ELSE COALESCE(split_part(replace(r.user_agent, ' ', '/'), '/', 1), '') END, r.minute / 60,
    COUNT(*),
    SUM(CASE WHEN r.status >= 400 AND r.status <> 499 OR r.ending NOT IN ('complete', 'caller_left') THEN 1 ELSE 0 END),
    SUM(CASE WHEN r.input_tokens > 1000000000000 THEN 1000000000000 ELSE r.input_tokens END),
    SUM(CASE WHEN r.cache_read_tokens > 1000000000000 THEN 1000000000000 ELSE r.cache_read_tokens END),
    SUM(CASE WHEN r.cache_write_5m_tokens > 1000000000000 THEN 1000000000000 ELSE r.cache_write_5m_tokens END + CASE WHEN r.cache_write_1h_tokens > 1000000000000 THEN 1000000000000 ELSE r.cache_write_1h_tokens END),
    SUM(CASE WHEN r.output_tokens > 1000000000000 THEN 1000000000000 ELSE r.output_tokens END),
    SUM(CASE WHEN r.reasoning_tokens > 1000000000000 THEN 1000000000000 ELSE r.reasoning_tokens END),
    SUM(COALESCE(r.cost, 0)),
    SUM(CASE WHEN r.duration_us > 1000000000000 THEN 1000000000000 ELSE r.duration_us END),
    SUM(CASE WHEN r.duration_us <= 250000 THEN 1 ELSE 0 END),
    SUM(CASE WHEN r.duration_us > 250000 AND r.duration_us <= 500000 THEN 1 ELSE 0 END),
    SUM(CASE WHEN r.duration_us > 500000 AND r.duration_us <= 1000000 THEN 1 ELSE 0 END),
    SUM(CASE WHEN r.duration_us > 1000000 AND r.duration_us <= 2000000 THEN 1 ELSE 0 END),
    SUM(CASE WHEN r.duration_us > 2000000 AND r.duration_us <= 5000000 THEN 1 ELSE 0 END),
    SUM(CASE WHEN r.duration_us > 5000000 AND r.duration_us <= 10000000 THEN 1 ELSE 0 END),
    SUM(CASE WHEN r.duration_us > 10000000 AND r.duration_us <= 30000000 THEN 1 ELSE 0 END),
    SUM(CASE WHEN r.duration_us > 30000000 AND r.duration_us <= 60000000 THEN 1 ELSE 0 END),
    COUNT(r.ttfb_us),
    COALESCE(SUM(CASE WHEN r.ttfb_us > 1000000000000 THEN 1000000000000 ELSE r.ttfb_us END), 0),
    SUM(CASE WHEN r.ttfb_us <= 100000 THEN 1 ELSE 0 END),
    SUM(CASE WHEN r.ttfb_us > 100000 AND r.ttfb_us <= 250000 THEN 1 ELSE 0 END),
    SUM(CASE WHEN r.ttfb_us > 250000 AND r.ttfb_us <= 500000 THEN 1 ELSE 0 END),
    SUM(CASE WHEN r.ttfb_us > 500000 AND r.ttfb_us <= 1000000 THEN 1 ELSE 0 END),
    SUM(CASE WHEN r.ttfb_us > 1000000 AND r.ttfb_us <= 2000000 THEN 1 ELSE 0 END),
    SUM(CASE WHEN r.ttfb_us > 2000000 AND r.ttfb_us <= 5000000 THEN 1 ELSE 0 END),
    SUM(CASE WHEN r.ttfb_us > 5000000 AND r.ttfb_us <= 10000000 THEN 1 ELSE 0 END),
    SUM(CASE WHEN r.ttfb_us > 10000000 AND r.ttfb_us <= 30000000 THEN 1 ELSE 0 END)
FROM requests AS r GROUP BY 2, 3;

INSERT INTO usage_days
SELECT facet, subject, hour / 24,
    SUM(requests), SUM(errors), SUM(input_tokens), SUM(cache_read_tokens), SUM(cache_write_tokens), SUM(output_tokens), SUM(reasoning_tokens), SUM(cost), SUM(duration_us), SUM(took_250ms), SUM(took_500ms), SUM(took_1000ms), SUM(took_2000ms), SUM(took_5000ms), SUM(took_10000ms), SUM(took_30000ms), SUM(took_60000ms), SUM(firsts), SUM(first_us), SUM(first_100ms), SUM(first_250ms), SUM(first_500ms), SUM(first_1000ms), SUM(first_2000ms), SUM(first_5000ms), SUM(first_10000ms), SUM(first_30000ms)
FROM usage_hours GROUP BY facet, subject, hour / 24;

INSERT INTO usage_attempts
SELECT r.provider_id, requests.minute / 60, r.outcome,
    COUNT(*), COUNT(r.first_frame_us), COALESCE(SUM(CASE WHEN r.first_frame_us > 1000000000000 THEN 1000000000000 ELSE r.first_frame_us END), 0),
    SUM(CASE WHEN r.first_frame_us <= 100000 THEN 1 ELSE 0 END),
    SUM(CASE WHEN r.first_frame_us > 100000 AND r.first_frame_us <= 250000 THEN 1 ELSE 0 END),
    SUM(CASE WHEN r.first_frame_us > 250000 AND r.first_frame_us <= 500000 THEN 1 ELSE 0 END),
    SUM(CASE WHEN r.first_frame_us > 500000 AND r.first_frame_us <= 1000000 THEN 1 ELSE 0 END),
    SUM(CASE WHEN r.first_frame_us > 1000000 AND r.first_frame_us <= 2000000 THEN 1 ELSE 0 END),
    SUM(CASE WHEN r.first_frame_us > 2000000 AND r.first_frame_us <= 5000000 THEN 1 ELSE 0 END),
    SUM(CASE WHEN r.first_frame_us > 5000000 AND r.first_frame_us <= 10000000 THEN 1 ELSE 0 END),
    SUM(CASE WHEN r.first_frame_us > 10000000 AND r.first_frame_us <= 30000000 THEN 1 ELSE 0 END)
FROM attempts AS r JOIN requests ON requests.id = r.request_id GROUP BY 1, 2, 3;
