//! How long an upstream wants to be left alone, out of its headers and texts.
//!
//! Nothing here is trusted: garbage, negative spans and times past give nothing, a span beyond a
//! year is a year (I-25). Tighter bounds are the dispatcher's to set.

use std::time::Duration;

use chrono::DateTime;

const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);

/// What one of a vendor's limits is called in headers: how much is left, and when it is full again.
struct Limit {
    remaining: &'static str,
    reset: &'static str,
}

const ANTHROPIC: [Limit; 4] = [
    Limit {
        remaining: "anthropic-ratelimit-requests-remaining",
        reset: "anthropic-ratelimit-requests-reset",
    },
    Limit { remaining: "anthropic-ratelimit-tokens-remaining", reset: "anthropic-ratelimit-tokens-reset" },
    Limit {
        remaining: "anthropic-ratelimit-input-tokens-remaining",
        reset: "anthropic-ratelimit-input-tokens-reset",
    },
    Limit {
        remaining: "anthropic-ratelimit-output-tokens-remaining",
        reset: "anthropic-ratelimit-output-tokens-reset",
    },
];

/// Subscription limits tell a status instead of a remainder.
const ANTHROPIC_UNIFIED: [[&str; 2]; 3] = [
    ["anthropic-ratelimit-unified-status", "anthropic-ratelimit-unified-reset"],
    ["anthropic-ratelimit-unified-5h-status", "anthropic-ratelimit-unified-5h-reset"],
    ["anthropic-ratelimit-unified-7d-status", "anthropic-ratelimit-unified-7d-reset"],
];

const OPENAI: [Limit; 2] = [
    Limit { remaining: "x-ratelimit-remaining-requests", reset: "x-ratelimit-reset-requests" },
    Limit { remaining: "x-ratelimit-remaining-tokens", reset: "x-ratelimit-reset-tokens" },
];

const CODEX: [[&str; 2]; 2] = [
    ["x-codex-primary-used-percent", "x-codex-primary-reset-at"],
    ["x-codex-secondary-used-percent", "x-codex-secondary-reset-at"],
];

/// How long the headers of an answer ask to wait. `header` looks a header up by its lower-case
/// name; `now_unix` is the time the answer came, in unix seconds.
///
/// An explicit `retry-after` wins. Vendors send their reset times with every answer, so these are
/// only looked at when the answer turns requests away, and only of limits that are used up.
#[must_use]
pub fn cool_down<'h>(
    status: u16,
    header: &dyn Fn(&str) -> Option<&'h str>,
    now_unix: i64,
) -> Option<Duration> {
    if status < 400 {
        return None;
    }
    let asked = header("retry-after-ms")
        .and_then(|value| seconds(value.trim().parse::<f64>().ok()? / 1000.0))
        .or_else(|| retry_after(header("retry-after")?, now_unix));
    if asked.is_some() || !matches!(status, 429 | 503 | 529) {
        return asked;
    }
    let used_up =
        |limit: &Limit| header(limit.remaining)?.trim().parse::<f64>().ok().filter(|left| *left <= 0.0);
    let anthropic = ANTHROPIC.iter().filter_map(|limit| {
        used_up(limit)?;
        let reset = DateTime::parse_from_rfc3339(header(limit.reset)?.trim()).ok()?;
        until(reset.timestamp(), now_unix)
    });
    let openai = OPENAI.iter().filter_map(|limit| {
        used_up(limit)?;
        span(header(limit.reset)?)
    });
    let unified = ANTHROPIC_UNIFIED.iter().filter_map(|[status, reset]| {
        (header(status)?.trim() == "rejected").then_some(())?;
        until(header(reset)?.trim().parse().ok()?, now_unix)
    });
    let codex = CODEX.iter().filter_map(|[used, reset]| {
        (header(used)?.trim().parse::<f64>().ok()? >= 100.0).then_some(())?;
        until(header(reset)?.trim().parse().ok()?, now_unix)
    });
    anthropic.chain(openai).chain(unified).chain(codex).max()
}

/// `Retry-After`: seconds, or a date.
fn retry_after(value: &str, now_unix: i64) -> Option<Duration> {
    let value = value.trim();
    match value.parse::<f64>() {
        Ok(number) => seconds(number),
        Err(_) => until(DateTime::parse_from_rfc2822(value).ok()?.timestamp(), now_unix),
    }
}

/// The time from now to then, if then is to come.
fn until(then_unix: i64, now_unix: i64) -> Option<Duration> {
    let left = u64::try_from(then_unix.checked_sub(now_unix)?).ok()?;
    Some(Duration::from_secs(left).min(YEAR))
}

/// A span in seconds, if it is one.
pub(crate) fn seconds(number: f64) -> Option<Duration> {
    if !number.is_finite() || number < 0.0 {
        return None;
    }
    Some(Duration::try_from_secs_f64(number).unwrap_or(YEAR).min(YEAR))
}

/// A span as vendors write it: `3s`, `6m0s`, `1h2m3.5s`, `120ms`.
pub(crate) fn span(text: &str) -> Option<Duration> {
    let mut rest = text.trim();
    let mut sum = 0.0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let letters = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
        sum += number * unit(&rest[..letters])?;
        rest = &rest[letters..];
    }
    if text.trim().is_empty() { None } else { seconds(sum) }
}

/// A span inside a sentence: "try again in 20s", "Please retry in 3.5 seconds".
pub(crate) fn in_text(text: &str) -> Option<Duration> {
    let lower = text.to_ascii_lowercase();
    let start = ["try again in ", "retry in ", "retry after "]
        .iter()
        .find_map(|phrase| lower.find(phrase).map(|at| at + phrase.len()))?;
    let mut words = lower[start..].split_ascii_whitespace();
    let first = words.next()?.trim_end_matches(['.', ',', ';', ')']);
    span(first).or_else(|| {
        let number: f64 = first.parse().ok()?;
        let word = words.next()?.trim_end_matches(['.', ',', ';', ')']);
        seconds(number * unit(word)?)
    })
}

fn unit(word: &str) -> Option<f64> {
    Some(match word {
        "ms" | "millisecond" | "milliseconds" => 0.001,
        "s" | "sec" | "secs" | "second" | "seconds" => 1.0,
        "m" | "min" | "mins" | "minute" | "minutes" => 60.0,
        "h" | "hr" | "hour" | "hours" => 3600.0,
        "d" | "day" | "days" => 86_400.0,
        _ => return None,
    })
}
