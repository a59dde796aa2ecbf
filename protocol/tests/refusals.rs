//! Our refusals and cuts in each dialect, as a page per format that people can read.
//!
//! `tests/golden/<format>/refusals.txt` holds what goes out for every reason. To change a refusal,
//! change the code, run with `WRITE_GOLDEN=1`, and read the difference.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking, as tests do")]

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::Duration;

use protocol::refusal::{Reason, Refusal, cut, render};
use protocol::sse::{Data, Framer};
use protocol::tap::{Shape, Stage, Tap};
use protocol::{Format, Operation};
use serde_json::Value;

const REQUEST_ID: &str = "0199a8f0-7c00-7000-8000-0000000000aa";

fn reasons() -> Vec<(&'static str, Reason)> {
    let coming_back = Some(Duration::from_millis(4200));
    vec![
        ("UnknownKey", Reason::UnknownKey),
        ("ForbiddenModel", Reason::ForbiddenModel),
        ("Forbidden", Reason::Forbidden),
        ("Malformed", Reason::Malformed),
        ("TooLarge", Reason::TooLarge),
        ("NotFound", Reason::NotFound),
        ("MethodNotAllowed", Reason::MethodNotAllowed),
        ("Unsupported", Reason::Unsupported),
        ("UpgradeRequired", Reason::UpgradeRequired),
        ("SpendLimit", Reason::SpendLimit),
        ("PaymentRequired", Reason::PaymentRequired),
        ("RateLimit", Reason::RateLimit),
        ("NoProvider, none expected", Reason::NoProvider { coming_back: None }),
        ("NoProvider, one expected", Reason::NoProvider { coming_back }),
        ("UpstreamFailed", Reason::UpstreamFailed),
        ("Timeout", Reason::Timeout),
        ("Draining", Reason::Draining),
        ("Overloaded", Reason::Overloaded),
        ("Internal", Reason::Internal),
    ]
}

fn refusal(reason: Reason) -> Refusal {
    let mut refusal = Refusal::new(reason, "what the user \"reads\"", REQUEST_ID);
    match reason {
        Reason::SpendLimit | Reason::PaymentRequired => {
            refusal.retry_after = Some(Duration::from_secs(7200));
            refusal.resets_at_unix = Some(1_763_607_600);
        }
        Reason::RateLimit => refusal.retry_after = Some(Duration::from_millis(2500)),
        _ => {}
    }
    refusal
}

/// A stream of the format that stops after its first words.
fn started(format: Format) -> &'static [u8] {
    match format {
        Format::Anthropic => {
            b"event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"delta\":{\"type\":\"text_delta\",\"text\":\"a\"}}\n\n"
        }
        Format::OpenaiChat => b"data: {\"id\":\"c1\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}]}\n\n",
        Format::OpenaiResponses => {
            b"event: response.created\ndata: {\"type\":\"response.created\",\"sequence_number\":0,\"response\":{\"id\":\"resp_1\",\"model\":\"gpt-5\"}}\n\nevent: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"sequence_number\":7,\"delta\":\"a\"}\n\n"
        }
        Format::Gemini => b"data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\"}]}}]}\r\n\r\n",
    }
}

fn tap_of(format: Format, bytes: &[u8]) -> Tap {
    let mut tap = Tap::new(format, Operation::Generate, Shape::Sse);
    tap.push(bytes);
    tap
}

#[test]
fn refusals_and_cuts_are_as_the_golden_pages_show() {
    for format in Format::ALL {
        let mut page = String::new();
        for (name, reason) in reasons() {
            let rendered = render(format, &refusal(reason));
            writeln!(page, "{name}\n  {}", rendered.status).unwrap();
            for (header, value) in &rendered.headers {
                writeln!(page, "  {header}: {value}").unwrap();
            }
            writeln!(page, "  {}\n", String::from_utf8(rendered.body).unwrap()).unwrap();
        }
        let tap = tap_of(format, started(format));
        let bytes = cut(format, &tap.cut_here("the provider's stream broke off", REQUEST_ID));
        writeln!(page, "cut\n{}", String::from_utf8(bytes).unwrap().replace('\r', "<CR>")).unwrap();

        let file = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/golden")
            .join(format.name())
            .join("refusals.txt");
        if std::env::var_os("WRITE_GOLDEN").is_some() {
            fs::write(&file, &page).unwrap();
        }
        assert_eq!(page, fs::read_to_string(&file).unwrap(), "{}", format.name());
    }
}

fn header<'r>(rendered: &'r protocol::refusal::Rendered, name: &str) -> Option<&'r str> {
    rendered.headers.iter().find(|(header, _)| *header == name).map(|(_, value)| value.as_str())
}

#[test]
fn final_refusals_and_no_others_tell_clients_not_to_retry() {
    for format in Format::ALL {
        for (name, reason) in reasons() {
            let rendered = render(format, &refusal(reason));
            let expected = reason.is_final().then_some("false");
            assert_eq!(header(&rendered, "x-should-retry"), expected, "{name}");
            let final_by_status = rendered.status < 500 && reason != Reason::RateLimit;
            assert_eq!(reason.is_final(), final_by_status, "{name}");
        }
    }
}

#[test]
fn the_message_and_the_request_id_reach_the_user_in_every_dialect() {
    for format in Format::ALL {
        for (name, reason) in reasons() {
            let body: Value = serde_json::from_slice(&render(format, &refusal(reason)).body).unwrap();
            let message = body["error"]["message"].as_str().unwrap();
            assert!(message.contains("what the user \"reads\"") && message.contains(REQUEST_ID), "{name}");
        }
    }
}

#[test]
fn nothing_can_be_injected_into_headers_or_events() {
    let mut hostile = refusal(Reason::Malformed);
    hostile.message = "a\r\n\r\ndata: [DONE]\n\n\u{0}".to_owned();
    hostile.request_id = "x\r\nset-cookie: a=b".to_owned();
    for format in Format::ALL {
        let rendered = render(format, &hostile);
        for (_, value) in &rendered.headers {
            assert!(!value.chars().any(char::is_control), "{value:?}");
        }
        let tap = tap_of(format, started(format));
        let bytes = cut(format, &tap.cut_here(&hostile.message, &hostile.request_id));
        let mut events = 0;
        let mut framer = Framer::new();
        framer.push(&bytes, |_| events += 1);
        assert_eq!(events, 1, "{}", format.name());
    }
}

#[test]
fn our_own_refusals_are_understood_as_what_they_are() {
    use protocol::failure::{ErrorClass, read_error};
    for format in Format::ALL {
        for (reason, class) in [
            (Reason::UnknownKey, ErrorClass::CredentialRejected),
            (Reason::Malformed, ErrorClass::CallersFault),
            (Reason::RateLimit, ErrorClass::RateLimited),
            (Reason::NoProvider { coming_back: None }, ErrorClass::Overloaded),
            (Reason::Internal, ErrorClass::ProviderFailed),
        ] {
            let rendered = render(format, &refusal(reason));
            assert_eq!(
                read_error(rendered.status, &rendered.body).class,
                class,
                "{} {reason:?}",
                format.name()
            );
        }
    }
}

#[test]
fn gemini_clients_wait_for_short_limits_and_stop_at_spent_ones() {
    let details = |reason, wait: Option<u64>| {
        let mut refusal = Refusal::new(reason, "m", "r");
        refusal.retry_after = wait.map(Duration::from_secs);
        let body: Value = serde_json::from_slice(&render(Format::Gemini, &refusal).body).unwrap();
        body["error"]["details"][0].clone()
    };
    assert_eq!(details(Reason::RateLimit, Some(3))["retryDelay"], "3s");
    assert_eq!(details(Reason::SpendLimit, Some(3600))["retryDelay"], "3600s");
    for soon in [Some(60), Some(300), None] {
        let stop = details(Reason::SpendLimit, soon);
        assert!(stop["violations"][0]["quotaId"].as_str().unwrap().contains("PerDay"), "{soon:?}");
    }
}

/// I-27: wherever a stream was cut, what is written after it ends the stream as broken: the last
/// event is our error, and never the protocol's end mark.
#[test]
fn i27_a_stream_cut_at_any_byte_ends_with_our_error() {
    for format in Format::ALL {
        let stream = started(format);
        for length in 0..=stream.len() {
            let mut tap = tap_of(format, &stream[..length]);
            let bytes = cut(format, &tap.cut_here("broke off", REQUEST_ID));
            let mut last = Vec::new();
            let mut framer = Framer::new();
            framer.push(&[&stream[..length], &bytes[..]].concat(), |event| {
                if let Data::Whole(data) = event.data {
                    last = data.to_vec();
                }
            });
            assert!(framer.between_events(), "{} at {length}", format.name());
            let error: Value = serde_json::from_slice(&last).unwrap();
            assert!(error.to_string().contains("broke off"), "{} at {length}: {error}", format.name());

            // Another tap behind us, as in a chain of gateways, sees it for what it is.
            tap.push(&bytes);
            assert!(matches!(tap.stage(), Stage::Failed | Stage::Broken), "{} at {length}", format.name());
        }
    }
}

#[test]
fn an_array_is_closed_with_an_error_only_between_elements() {
    let mut tap = Tap::new(Format::Gemini, Operation::Generate, Shape::JsonArray);
    tap.push(b"[{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\"}]}}]}\n");
    let bytes = cut(Format::Gemini, &tap.cut_here("broke off", REQUEST_ID));
    tap.push(&bytes);
    assert_eq!(tap.stage(), Stage::Broken);
    let mut torn = Tap::new(Format::Gemini, Operation::Generate, Shape::JsonArray);
    torn.push(b"[{\"candidates\":[{\"conte");
    assert_eq!(cut(Format::Gemini, &torn.cut_here("broke off", REQUEST_ID)), b"");
}
