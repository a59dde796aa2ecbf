//! I-20: an answer is cut behind each of its bytes. Before anything meaningful went out, the request goes to
//! another provider; from then on never.

use std::rc::Rc;

use actors::provider::{card::BreakerSettings, outcome::Outcome};
use futures_util::{StreamExt as _, stream};
use protocol::Format;

use super::{SECOND, WORD, healthy};
use crate::{
    house::{Asking, End, HEAD_OF_STREAM, Speech, TestHouse, chunk},
    scripted::{Conn, Upstream},
};

const AT_ONCE: usize = 64;

/// Sends so many bytes of a sound answer as the question says, and closes.
async fn cut_to_measure(format: Format) -> Upstream {
    let whole: Rc<str> = Speech::new(format, WORD).stream().into();
    let script = move |mut conn: Conn| {
        let whole = whole.clone();
        async move {
            let Some(request) = conn.request().await else { return };
            let bytes = request.text().split("cut at ").nth(1).and_then(|text| text.split('.').next());
            let bytes: usize = bytes.and_then(|text| text.parse().ok()).expect("where to cut");
            conn.send(HEAD_OF_STREAM).await;
            if bytes > 0 {
                conn.send(chunk(&whole[..bytes])).await;
            }
            // The peer may have gone by now.
            let _ = conn.finish().await;
        }
    };
    Upstream::start(script).await
}

async fn check(format: Format) {
    let (first, second) = (cut_to_measure(format).await, healthy().await);
    let opened = TestHouse::open(|setup| {
        let patient = BreakerSettings { failure_threshold: 1_000_000, ..BreakerSettings::default() };
        setup.provider("first", first.address).breaker = patient;
        setup.provider("second", second.address).priority = 1;
    })
    .await;
    let speech = Speech::new(format, WORD);
    let sent = speech.stream();
    // Where lines end in CR LF, the blank line behind an event is there with its CR.
    let ahead = usize::from(format == Format::Gemini);
    let commit = speech.events[..=speech.preamble].concat().len() - ahead;
    let house = &opened;
    let cuts = stream::iter(0..=sent.len()).map(async |cut| {
        let question = format!("cut at {cut}.");
        let heard = house.ask(Asking::in_format(format, "m", true, &question)).await;
        (cut, heard)
    });
    let heard: Vec<_> = cuts.buffer_unordered(AT_ONCE).collect().await;
    let mut retried = 0;
    for (cut, heard) in &heard {
        let row = house.row(heard).await;
        let outcomes: Vec<_> = row.attempts.iter().map(|attempt| attempt.outcome).collect();
        if *cut < commit {
            assert_eq!(outcomes, [Outcome::Cut, Outcome::Answered], "{format:?} cut at {cut} of {commit}");
            assert_eq!(heard.text(), Speech::new(format, SECOND).stream());
            retried += 1;
        } else {
            assert_eq!(
                outcomes.len(),
                1,
                "{format:?} retried after the commit point, cut at {cut} of {commit}"
            );
            assert_eq!(heard.end, End::Broken, "{format:?} cut at {cut}");
            assert!(heard.text().starts_with(&sent[..*cut]), "{format:?} cut at {cut}: {}", heard.text());
        }
    }
    assert_eq!(second.requests().len(), retried);
    opened.close().await;
}

#[actix_rt::test]
async fn i20_a_messages_stream_is_retried_before_its_commit_point_and_never_behind_it() {
    check(Format::Anthropic).await;
}

#[actix_rt::test]
async fn i20_a_chat_completions_stream_is_retried_before_its_commit_point_and_never_behind_it() {
    check(Format::OpenaiChat).await;
}

#[actix_rt::test]
async fn i20_a_responses_stream_is_retried_before_its_commit_point_and_never_behind_it() {
    check(Format::OpenaiResponses).await;
}

#[actix_rt::test]
async fn i20_a_gemini_stream_is_retried_before_its_commit_point_and_never_behind_it() {
    check(Format::Gemini).await;
}
