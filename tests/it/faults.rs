//! What an upstream can do wrong, and what becomes of it: for the caller, in the row, at the provider.
//!
//! Every case is played twice: to a provider that stands alone, and to one with a healthy one behind it. All
//! of it together is `docs/failure-table.md`; it is compared here, and written anew when the environment
//! says `UPDATE_FAILURE_TABLE=1`.

mod cases;
mod every_byte;
mod seen;

use std::{fmt::Write as _, fs, path::Path, rc::Rc};

use actors::provider::card::Timeouts;
use futures_util::{StreamExt as _, future::join_all, stream};
use protocol::Format;
use rustls::ServerConfig;
use tokio::sync::Notify;

use self::{
    cases::{Case, Road, Then, WORD, cases},
    seen::{Seen, look},
};
use crate::{
    house::{Asking, Speech, TestHouse},
    scripted::{Authority, Conn, Upstream},
};

/// Short enough for a story, long enough for a busy machine; silence may last longer than a preamble is held.
const IMPATIENT: Timeouts =
    Timeouts { connect_ms: 10_000, first_byte_ms: 1_500, idle_ms: 1_000, total_ms: 3_600_000 };

/// Cases played at the same time.
const AT_ONCE: usize = 16;

/// What the healthy provider says.
const SECOND: &str = "from-the-second";

#[actix_rt::test]
async fn i27_i28_every_failure_has_its_end_its_row_and_its_consequence() {
    let cases = cases();
    let heard: Rc<Vec<Notify>> = Rc::new(cases.iter().map(|_| Notify::new()).collect());
    let authority = Authority::new("nobody's");
    let upstreams = join_all(cases.iter().enumerate().map(|(number, case)| {
        let tls = (case.road == Road::UntrustedTls).then(|| authority.server("localhost", 2100));
        misbehaving(case.clone(), number, heard.clone(), tls)
    }))
    .await;
    let second = healthy().await;
    let house = TestHouse::open(|setup| {
        let behind = setup.provider("second", second.address);
        behind.allowed_models = vec!["pair-*".to_owned()];
        behind.priority = 1;
        for (number, (case, upstream)) in cases.iter().zip(&upstreams).enumerate() {
            for (name, model) in [("alone", "alone"), ("first", "pair")] {
                let provider = setup.provider(&format!("{name}-{number}"), upstream.address);
                provider.allowed_models = vec![format!("{model}-{number}")];
                if case.then == Then::Hang {
                    provider.timeouts = IMPATIENT;
                }
                match case.road {
                    Road::Open => {}
                    // Nobody can listen there.
                    Road::Refused => provider.base_url = "http://127.0.0.1:1".to_owned(),
                    Road::UntrustedTls => {
                        provider.base_url = format!("https://localhost:{}", upstream.address.port());
                    }
                }
            }
        }
    })
    .await;
    let mut table = String::from(HEADING);
    let played = stream::iter(cases.iter().enumerate()).map(async |(number, case)| {
        let alone = play(&house, case, &format!("alone-{number}"), &heard[number]).await;
        let provider = house.provider(&format!("alone-{number}")).await;
        let pair = play(&house, case, &format!("pair-{number}"), &heard[number]).await;
        (alone, pair, seen::consequence(&house, &provider))
    });
    let played: Vec<_> = played.buffered(AT_ONCE).collect().await;
    for (case, (alone, pair, consequence)) in cases.iter().zip(played) {
        let kind = if case.streamed { "stream" } else { "plain" };
        let (what, format) = (&case.what, case.format.name());
        let line = format!(
            "| {what} | {format}, {kind} | {} | {} | {} | {} | {consequence} |",
            alone.caller, alone.row, pair.caller, pair.row
        );
        writeln!(table, "{line}").expect("a string takes everything");
    }
    house.close().await;
    compare(&table);
}

/// Asks once, and says what came of it.
async fn play(house: &TestHouse, case: &Case, model: &str, heard: &Notify) -> Seen {
    let asking = Asking::in_format(case.format, model, case.streamed, "hello");
    let answering = house.try_begin(asking).await;
    let mut answering =
        answering.unwrap_or_else(|| panic!("no answer: {} {}", case.what, case.format.name()));
    answering.hears(WORD).await;
    heard.notify_one();
    let heard = answering.rest().await;
    let row = house.row(&heard).await;
    look(case, &heard, &row)
}

async fn misbehaving(
    case: Case,
    number: usize,
    heard: Rc<Vec<Notify>>,
    tls: Option<std::sync::Arc<ServerConfig>>,
) -> Upstream {
    let case = Rc::new(case);
    let script = move |mut conn: Conn| {
        let (case, heard) = (case.clone(), heard.clone());
        async move {
            if conn.request().await.is_none() {
                return;
            }
            conn.send(&case.sends).await;
            match case.then {
                Then::Rest | Then::Hang => conn.closed().await,
                Then::Close => drop(conn.finish().await),
                Then::Reset => conn.reset(),
                Then::ResetWhenHeard => {
                    heard[number].notified().await;
                    conn.reset();
                }
            }
        }
    };
    match tls {
        Some(config) => Upstream::start_tls(config, script).await,
        None => Upstream::start(script).await,
    }
}

/// Answers soundly in whatever format it is asked.
async fn healthy() -> Upstream {
    Upstream::start(|mut conn| async move {
        while let Some(request) = conn.request().await {
            let (format, streamed) = asked_for(request.line(), request.text());
            conn.send(Speech::new(format, SECOND).on_the_wire(streamed)).await;
        }
    })
    .await
}

/// The format of a request, and whether a stream is wanted.
fn asked_for(line: &str, body: &str) -> (Format, bool) {
    let format = match line {
        line if line.contains("/v1/messages") => Format::Anthropic,
        line if line.contains("/v1/chat/") => Format::OpenaiChat,
        line if line.contains("/v1/responses") => Format::OpenaiResponses,
        _ => Format::Gemini,
    };
    (format, line.contains("stream") || body.contains("\"stream\":true"))
}

const HEADING: &str = "\
# What becomes of an upstream's failures

Made and compared by `tests/it/faults.rs`, against the real server on loopback. *Alone*: the failing provider is
the only one. *With a second*: a healthy provider stands behind it. `whole` means that the answer ended cleanly,
`broken` that the caller's connection ended without a clean end. A row says status, ending, kind of failure, how
well usage is known, and the outcome of each attempt. The last column is the failing provider after one such
failure.

| the upstream | request | alone: the caller sees | alone: the row | with a second: the caller sees | with a second: the row | at the provider |
|---|---|---|---|---|---|---|
";

fn compare(table: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/failure-table.md");
    if std::env::var_os("UPDATE_FAILURE_TABLE").is_some() {
        fs::write(&path, table).expect("the docs can be written");
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    for (kept, new) in kept.lines().zip(table.lines()) {
        assert_eq!(kept, new, "docs/failure-table.md tells otherwise");
    }
    assert_eq!(kept, table, "docs/failure-table.md is shorter or longer");
}
