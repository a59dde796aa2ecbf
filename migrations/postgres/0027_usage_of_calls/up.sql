-- Usage by wire format and by operation, of what is there already; see 0012.
INSERT INTO usage_hours
SELECT 'wire_format', COALESCE(r.format, ''), r.minute / 60,
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
SELECT 'operation', COALESCE(r.operation, ''), r.minute / 60,
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
FROM usage_hours WHERE facet IN ('wire_format', 'operation') GROUP BY facet, subject, hour / 24;

COMMENT ON COLUMN usage_hours.facet IS 'user, key, provider, model, client, wire_format or operation. The sums of each facet come to the same.';
COMMENT ON COLUMN usage_hours.subject IS 'Which one of the facet; empty where there was none, or where it is the word of somebody unknown.';

COMMENT ON COLUMN usage_days.facet IS 'user, key, provider, model, client, wire_format or operation. The sums of each facet come to the same.';
COMMENT ON COLUMN usage_days.subject IS 'Which one of the facet; empty where there was none, or where it is the word of somebody unknown.';
