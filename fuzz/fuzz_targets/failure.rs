//! Any bytes as an error, any text as a header: understood or not, but never fallen over, and
//! never a wait beyond a year.

#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use protocol::{failure, family, headers, hints};

const NAMES: [&str; 8] = [
    "retry-after",
    "retry-after-ms",
    "anthropic-ratelimit-requests-reset",
    "anthropic-ratelimit-unified-reset",
    "anthropic-ratelimit-unified-status",
    "x-ratelimit-reset-tokens",
    "x-codex-primary-reset-at",
    "x-codex-primary-used-percent",
];

fuzz_target!(|input: (u16, i64, [&str; 8], &[u8])| {
    let (status, now, values, body) = input;
    const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);
    let header = |name: &str| match NAMES.iter().position(|known| *known == name) {
        Some(at) => Some(values[at]),
        None if name.ends_with("remaining") || name.contains("-remaining-") => Some("0"),
        None => None,
    };
    for status in [status, 429] {
        assert!(hints::cool_down(status, &header, now).is_none_or(|wait| wait <= YEAR));
        let error = failure::read_error(status, body);
        assert!(error.retry_after.is_none_or(|wait| wait <= YEAR));
        assert!(!error.message.is_some_and(|message| message.chars().any(char::is_control)));
    }
    let stripped = headers::strip_key_query(values[0]);
    assert_eq!(headers::strip_key_query(&stripped), stripped);
    let family = family(values[1]);
    assert!(values[1].contains(family) && protocol::family(family) == family);
});
