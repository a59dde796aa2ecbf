//! I-25: what upstreams say about waiting is honoured within reason, and garbage is not.

use std::collections::HashMap;
use std::time::Duration;

use protocol::hints::cool_down;

/// 2026-11-20 12:00:00 UTC
const NOW: i64 = 1_795_176_000;

fn wait(status: u16, headers: &[(&str, &str)]) -> Option<f64> {
    let headers: HashMap<&str, &str> = headers.iter().copied().collect();
    cool_down(status, &|name| headers.get(name).copied(), NOW).map(|wait| wait.as_secs_f64())
}

#[test]
fn i25_retry_after_is_read_as_seconds_or_date_and_garbage_is_not() {
    for (value, expected) in [
        ("7", Some(7.0)),
        (" 7 ", Some(7.0)),
        ("1.5", Some(1.5)),
        ("0", Some(0.0)),
        ("Fri, 20 Nov 2026 12:00:30 GMT", Some(30.0)),
        ("Fri, 20 Nov 2026 11:59:00 GMT", None),
        ("-5", None),
        ("soon", None),
        ("", None),
        ("NaN", None),
        ("inf", None),
        ("1e30", Some(31_536_000.0)),
        ("Sat, 20 Nov 9999 12:00:30 GMT", Some(31_536_000.0)),
    ] {
        assert_eq!(wait(429, &[("retry-after", value)]), expected, "{value:?}");
    }
    assert_eq!(wait(500, &[("retry-after", "7")]), Some(7.0));
    assert_eq!(wait(200, &[("retry-after", "7")]), None);
    assert_eq!(wait(429, &[("retry-after", "7"), ("retry-after-ms", "1200")]), Some(1.2));
    assert_eq!(wait(429, &[("retry-after", "7"), ("retry-after-ms", "x")]), Some(7.0));
}

#[test]
fn vendor_resets_count_for_limits_that_are_used_up_and_answers_that_turn_away() {
    let anthropic = [
        ("anthropic-ratelimit-requests-remaining", "3"),
        ("anthropic-ratelimit-requests-reset", "2026-11-20T13:00:00Z"),
        ("anthropic-ratelimit-input-tokens-remaining", "0"),
        ("anthropic-ratelimit-input-tokens-reset", "2026-11-20T12:00:42Z"),
    ];
    assert_eq!(wait(429, &anthropic), Some(42.0));
    assert_eq!(wait(529, &anthropic), Some(42.0));
    assert_eq!(wait(500, &anthropic), None);
    assert_eq!(wait(200, &anthropic), None);

    let openai = [
        ("x-ratelimit-remaining-requests", "0"),
        ("x-ratelimit-reset-requests", "6m0s"),
        ("x-ratelimit-remaining-tokens", "0"),
        ("x-ratelimit-reset-tokens", "120ms"),
    ];
    assert_eq!(wait(429, &openai), Some(360.0));
}

#[test]
fn subscription_limits_count_when_they_are_the_ones_that_reject() {
    let reset = (NOW + 3600).to_string();
    let later = (NOW + 86_400).to_string();
    let unified = |status: &'static str| {
        wait(
            429,
            &[
                ("anthropic-ratelimit-unified-5h-status", status),
                ("anthropic-ratelimit-unified-5h-reset", &reset),
                ("anthropic-ratelimit-unified-7d-status", "allowed"),
                ("anthropic-ratelimit-unified-7d-reset", &later),
            ],
        )
    };
    assert_eq!(unified("rejected"), Some(3600.0));
    assert_eq!(unified("allowed_warning"), None);

    let codex = |used: &'static str| {
        wait(429, &[("x-codex-primary-used-percent", used), ("x-codex-primary-reset-at", &reset)])
    };
    assert_eq!(codex("100.0"), Some(3600.0));
    assert_eq!(codex("99"), None);
}

#[test]
fn spans_in_texts_are_found() {
    let said = |text: &str| {
        let body = serde_json::json!({"error": {"message": text}}).to_string();
        protocol::failure::read_error(429, body.as_bytes()).retry_after
    };
    assert_eq!(said("Please try again in 20s."), Some(Duration::from_secs(20)));
    assert_eq!(said("Please try again in 1m12.5s. Visit"), Some(Duration::from_millis(72_500)));
    assert_eq!(said("Please retry in 3 seconds."), Some(Duration::from_secs(3)));
    assert_eq!(said("try again in 250ms"), Some(Duration::from_millis(250)));
    assert_eq!(said("try again in a while"), None);
    assert_eq!(said("try again in 5 parsecs"), None);
    assert_eq!(said("try again in 1.2.3s"), None);
    assert_eq!(said("İ try again in 2s"), Some(Duration::from_secs(2)));
    assert_eq!(said("try again in "), None);
}
