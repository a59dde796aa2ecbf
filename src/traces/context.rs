//! The W3C trace context: which trace a request belongs to, and what its caller decided about it.
//!
//! A context that is not well-formed is none: the request then begins a trace of its own.

use std::fmt;

use actix_web::http::header::HeaderMap;

use crate::config::traces::Sampler;

/// A trace is recorded by whoever sees this bit.
const SAMPLED: u8 = 0x01;
/// The trace id was drawn at random; passed on as it came.
const RANDOM: u8 = 0x02;
/// The longest `tracestate` that is passed on.
const LONGEST_STATE: usize = 512;

/// Names a span. Never 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SpanId(u64);

/// Names a trace. Never 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TraceId(u128);

/// What a caller said about the trace it is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Parent {
    trace: TraceId,
    span: SpanId,
    flags: u8,
}

/// The trace a request belongs to.
#[derive(Debug, Clone)]
pub(super) struct Context {
    pub(super) trace: TraceId,
    /// The caller's span.
    pub(super) parent: Option<SpanId>,
    /// What vendors wrote beside it.
    pub(super) state: String,
    flags: u8,
}

impl SpanId {
    /// A new one.
    pub(super) fn draw() -> Self {
        Self(rand::random_range(1..=u64::MAX))
    }

    pub(super) fn bytes(self) -> Vec<u8> {
        self.0.to_be_bytes().to_vec()
    }
}

impl TraceId {
    fn draw() -> Self {
        Self(rand::random_range(1..=u128::MAX))
    }

    pub(super) fn bytes(self) -> Vec<u8> {
        self.0.to_be_bytes().to_vec()
    }

    /// Whether it falls into that share, by the rule that others go by too: all who see a trace with the same
    /// ratio decide alike.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "the rule is about the lower half, and the ratio lies between 0 and 1"
    )]
    fn is_within(self, ratio: f64) -> bool {
        let bound = (ratio * (1_u64 << 63) as f64) as u64;
        ((self.0 as u64) >> 1) < bound
    }
}

impl Context {
    /// The trace of a request with these headers.
    pub(super) fn of(headers: &HeaderMap, sampler: &Sampler) -> Self {
        let parent = parent(headers);
        let trace = parent.as_ref().map_or_else(TraceId::draw, |parent| parent.trace);
        let sampled = match &parent {
            Some(parent) if sampler.follows_caller => parent.flags & SAMPLED != 0,
            _ => trace.is_within(sampler.ratio),
        };
        let random = parent.as_ref().map_or(RANDOM, |parent| parent.flags & RANDOM);
        Self {
            trace,
            parent: parent.as_ref().map(|parent| parent.span),
            // Without a sound parent it belongs to no trace.
            state: parent.and_then(|_| state(headers)).unwrap_or_default(),
            flags: random | if sampled { SAMPLED } else { 0 },
        }
    }

    /// Whether it is recorded.
    pub(super) const fn is_sampled(&self) -> bool {
        self.flags & SAMPLED != 0
    }

    /// The flags as spans carry them.
    pub(super) fn flags(&self) -> u32 {
        self.flags.into()
    }

    /// What an upstream is told that is asked within `span`.
    pub(super) fn traceparent(&self, span: SpanId) -> String {
        format!("00-{}-{span}-{:02x}", self.trace, self.flags)
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// What the caller's `traceparent` says, if there is exactly one and it is sound.
fn parent(headers: &HeaderMap) -> Option<Parent> {
    let mut all = headers.get_all("traceparent");
    let (one, none) = (all.next()?, all.next());
    none.is_none().then(|| one.to_str().ok()).flatten().and_then(read)
}

fn read(text: &str) -> Option<Parent> {
    let mut parts = text.trim().split('-');
    let mut part = |length: usize| {
        let part = parts.next()?;
        let is_hex = part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        (part.len() == length && is_hex).then_some(part)
    };
    let (version, trace, span, flags) = (part(2)?, part(32)?, part(16)?, part(2)?);
    // Later versions may say more behind that; this one says no more.
    if version == "ff" || (version == "00" && parts.next().is_some()) {
        return None;
    }
    let trace = u128::from_str_radix(trace, 16).ok().filter(|id| *id != 0)?;
    let span = u64::from_str_radix(span, 16).ok().filter(|id| *id != 0)?;
    let flags = u8::from_str_radix(flags, 16).ok()?;
    Some(Parent { trace: TraceId(trace), span: SpanId(span), flags })
}

fn state(headers: &HeaderMap) -> Option<String> {
    let parts: Option<Vec<&str>> =
        headers.get_all("tracestate").map(|value| value.to_str().ok().map(str::trim)).collect();
    let state = parts?.join(",");
    (state.len() <= LONGEST_STATE).then_some(state)
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{HeaderName, HeaderValue};

    use super::*;

    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in lines {
            map.append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        }
        map
    }

    fn of(lines: &[(&'static str, &str)], follows_caller: bool, ratio: f64) -> Context {
        Context::of(&headers(lines), &Sampler { follows_caller, ratio })
    }

    #[test]
    fn a_caller_that_is_in_a_trace_is_followed_with_its_decision() {
        let context = of(&[("traceparent", PARENT), ("tracestate", "a=1"), ("tracestate", "b=2")], true, 0.0);
        assert!(context.is_sampled());
        assert_eq!(context.state, "a=1,b=2");
        assert_eq!(context.parent.unwrap().to_string(), "00f067aa0ba902b7");
        let told = context.traceparent(SpanId(7));
        assert_eq!(told, "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000007-01");
        let unsampled = of(&[("traceparent", &PARENT.replace("-01", "-00"))], true, 1.0);
        assert!(!unsampled.is_sampled());
        assert_eq!(unsampled.trace, context.trace);
    }

    #[test]
    fn a_sampler_of_our_own_goes_by_the_trace_and_not_by_the_caller() {
        // Its lower half is 0xa3ce929d0e0e4736, about 0.64 of the whole.
        for (ratio, sampled) in [(0.0, false), (0.63, false), (0.65, true), (1.0, true)] {
            for flags in ["-00", "-01"] {
                let parent = PARENT.replace("-01", flags);
                assert_eq!(of(&[("traceparent", &parent)], false, ratio).is_sampled(), sampled, "{ratio}");
            }
        }
    }

    #[test]
    fn what_is_not_sound_begins_a_trace_of_its_own() {
        for bad in [
            "",
            "00",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b77-01",
        ] {
            let context = of(&[("traceparent", bad), ("tracestate", "a=1")], true, 1.0);
            assert!(context.parent.is_none() && context.state.is_empty(), "{bad}");
            assert_ne!(context.trace.to_string(), "4bf92f3577b34da6a3ce929d0e0e4736", "{bad}");
        }
        let twice = of(&[("traceparent", PARENT), ("traceparent", PARENT)], true, 1.0);
        assert!(twice.parent.is_none());
        let later =
            of(&[("traceparent", "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more")], true, 0.0);
        assert!(later.is_sampled());
    }

    #[test]
    fn of_traces_that_begin_here_the_wanted_share_is_recorded() {
        let count = (0..4_000).filter(|_| of(&[], true, 0.25).is_sampled()).count();
        assert!((800..1_200).contains(&count), "{count} of 4000");
    }
}
