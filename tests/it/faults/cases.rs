//! The cases: what an upstream sends, byte by byte, and what it does then.

use protocol::Format;

use crate::house::{HEAD_OF_STREAM, Speech, chunk, plain};

/// What the failing upstream says where it comes to say something.
pub(super) const WORD: &str = "mind-the-gap";

/// One way to fail.
#[derive(Debug, Clone)]
pub(super) struct Case {
    pub(super) what: String,
    pub(super) format: Format,
    pub(super) streamed: bool,
    pub(super) road: Road,
    /// What the upstream sends once it has the request.
    pub(super) sends: Vec<u8>,
    pub(super) then: Then,
}

/// How the way to the upstream is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Road {
    Open,
    Refused,
    UntrustedTls,
}

/// What the upstream does when it has sent what it sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    /// Waits for the next request.
    Rest,
    /// Falls silent; the limits on its provider are short.
    Hang,
    Close,
    Reset,
    /// Resets once the caller has heard something: a reset takes along what was not read yet.
    ResetWhenHeard,
}

/// Every case, in the order of the table.
pub(super) fn cases() -> Vec<Case> {
    let mut cases = Cases { all: Vec::new(), format: Format::Anthropic, streamed: true };
    on_the_road(&mut cases);
    cuts(&mut cases);
    silences(&mut cases);
    nonsense(&mut cases);
    statuses(&mut cases);
    for format in Format::ALL {
        in_every_format(&mut cases, format);
    }
    cases.all
}

/// Collects cases of one format and kind.
struct Cases {
    all: Vec<Case>,
    format: Format,
    streamed: bool,
}

impl Cases {
    fn add(&mut self, what: &str, sends: impl AsRef<[u8]>, then: Then) -> &mut Case {
        let (what, sends, road) = (what.to_owned(), sends.as_ref().to_vec(), Road::Open);
        let Self { format, streamed, .. } = *self;
        self.all.push(Case { what, format, streamed, road, sends, then });
        self.all.last_mut().expect("one was pushed")
    }

    fn speech(&self) -> Speech {
        Speech::new(self.format, WORD)
    }
}

/// The head of a stream, so many of its events, and half of the next one if wanted.
fn cut(speech: &Speech, events: usize, and_a_half: bool) -> Vec<u8> {
    let mut sent: Vec<u8> =
        HEAD_OF_STREAM.bytes().chain(speech.events[..events].iter().flat_map(chunk)).collect();
    if and_a_half {
        let event = &speech.events[events];
        sent.extend(chunk(&event[..event.len() / 2]));
    }
    sent
}

fn on_the_road(cases: &mut Cases) {
    let sound = String::from_utf8(cases.speech().on_the_wire(true)).expect("text");
    let interim = "HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n";
    cases.add(
        "sends interim heads (103, 100) before a sound answer",
        format!("{interim}{sound}"),
        Then::Rest,
    );
    let body = cases.speech().stream();
    let by_close = format!("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n{body}");
    cases.add("ends a sound answer by closing", by_close, Then::Close);
    cases.add("refuses the connection", "", Then::Close).road = Road::Refused;
    cases.add("has a certificate from an unknown issuer", "", Then::Close).road = Road::UntrustedTls;
}

fn cuts(cases: &mut Cases) {
    let speech = cases.speech();
    let before = speech.preamble;
    let all = speech.events.len();
    for (closes, early, late) in
        [("closes", Then::Close, Then::Close), ("resets", Then::Reset, Then::ResetWhenHeard)]
    {
        let mut at = |place: &str, sent: &[u8], then| {
            cases.add(&format!("{closes} {place}"), sent, then);
        };
        at("before the head", b"", early);
        at("within the head", &HEAD_OF_STREAM.as_bytes()[..40], early);
        at("after the head", HEAD_OF_STREAM.as_bytes(), early);
        at("within the preamble", &cut(&speech, 1, true), early);
        at("after the preamble", &cut(&speech, before, false), early);
        at("within the first event that says something", &cut(&speech, before, true), early);
        at("between events", &cut(&speech, before + 2, false), late);
        at("within a later event", &cut(&speech, before + 2, true), late);
        at("after the end mark, before the last chunk", &cut(&speech, all, false), late);
    }
    let body = speech.stream();
    let long = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    cases.add(
        "closes 5 bytes short of its content-length",
        format!("{long}{}", &body[..body.len() - 5]),
        Then::Close,
    );
    let torn = &speech.events[..before + 2].concat();
    let by_close = format!("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n{torn}");
    cases.add("ends a stream by closing, without its end mark", by_close, Then::Close);
    cases.streamed = false;
    let sound = speech.on_the_wire(false);
    cases.add("closes 5 bytes short of its content-length", &sound[..sound.len() - 5], Then::Close);
    let huge = speech.plain.replace(WORD, &WORD.repeat(50_000));
    let huge = plain(200, "", &huge);
    cases.add("closes in the middle of 600 kB", &huge[..300_000], Then::Close);
    cases.streamed = true;
}

fn silences(cases: &mut Cases) {
    let speech = cases.speech();
    let before = speech.preamble;
    cases.add("falls silent before the head", "", Then::Hang);
    cases.add("falls silent after the head", HEAD_OF_STREAM, Then::Hang);
    cases.add("falls silent after the preamble", cut(&speech, before, false), Then::Hang);
    cases.add("falls silent between events", cut(&speech, before + 2, false), Then::Hang);
    cases.streamed = false;
    let sound = speech.on_the_wire(false);
    cases.add("falls silent within the body", &sound[..sound.len() - 5], Then::Hang);
    cases.streamed = true;
}

fn nonsense(cases: &mut Cases) {
    cases.add("does not speak HTTP", "SSH-2.0-OpenSSH_9.6\r\n", Then::Rest);
    let html = "<html><body>Welcome to the hotel's network</body></html>";
    let page = |body: &str| {
        let length = body.len();
        format!("HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: {length}\r\n\r\n{body}")
    };
    for streamed in [true, false] {
        cases.streamed = streamed;
        cases.add("answers 200 with a page of HTML", page(html), Then::Rest);
    }
    cases.add("answers 200 with JSON of another kind", plain(200, "", r#"{"hello":"world"}"#), Then::Rest);
    cases.add("answers 200 with nothing", plain(200, "", ""), Then::Rest);
    cases.streamed = true;
    let noise = format!("{HEAD_OF_STREAM}c\r\ndata: noise\n\r\n0\r\n\r\n");
    cases.add("streams events that are none", noise, Then::Rest);
    let redirect =
        "HTTP/1.1 307 Temporary Redirect\r\nlocation: http://127.0.0.1:9/\r\ncontent-length: 0\r\n\r\n";
    cases.add("redirects (307)", redirect, Then::Rest);
}

fn statuses(cases: &mut Cases) {
    cases.streamed = false;
    for (status, headers, kind, message) in [
        (400, "", "invalid_request_error", "max_tokens: must be positive"),
        (400, "", "invalid_request_error", "prompt is too long: 210000 tokens > 200000 maximum"),
        (401, "", "authentication_error", "invalid x-api-key"),
        (403, "", "permission_error", "not allowed"),
        (404, "", "not_found_error", "model: nothing"),
        (413, "", "request_too_large", "too large"),
        (429, "retry-after: 30\r\n", "rate_limit_error", "slow down"),
        (429, "", "rate_limit_error", "slow down"),
        (503, "", "api_error", "no capacity"),
        (529, "", "overloaded_error", "Overloaded"),
    ] {
        let body = format!(r#"{{"type":"error","error":{{"type":"{kind}","message":"{message}"}}}}"#);
        let named = match (status, headers) {
            (400, _) if message.starts_with("prompt") => "400: the prompt is too long".to_owned(),
            (429, "") => "429 without retry-after".to_owned(),
            (429, _) => "429, retry-after 30 s".to_owned(),
            _ => status.to_string(),
        };
        cases.add(&format!("answers {named}"), plain(status, headers, &body), Then::Rest);
    }
    cases.streamed = true;
}

/// An upstream's own words for a failure of its own, as its format puts them.
fn failure(format: Format) -> &'static str {
    match format {
        Format::Anthropic => r#"{"type":"error","error":{"type":"api_error","message":"out of order"}}"#,
        Format::OpenaiChat | Format::OpenaiResponses => {
            r#"{"error":{"type":"server_error","code":"server_error","message":"out of order"}}"#
        }
        Format::Gemini => r#"{"error":{"code":500,"status":"INTERNAL","message":"out of order"}}"#,
    }
}

fn in_every_format(cases: &mut Cases, format: Format) {
    cases.format = format;
    cases.streamed = true;
    let speech = cases.speech();
    let before = speech.preamble;
    if format != Format::Anthropic {
        cases.add("closes after the preamble", cut(&speech, before, false), Then::Close);
        cases.add("closes between events", cut(&speech, before + 2, false), Then::Close);
        cases.add(
            "closes after the end mark, before the last chunk",
            cut(&speech, speech.events.len(), false),
            Then::Close,
        );
        cases.add("falls silent between events", cut(&speech, before + 2, false), Then::Hang);
    }
    let error = match format {
        Format::Anthropic => format!("event: error\ndata: {}\n\n", failure(format)),
        Format::OpenaiResponses => {
            let data =
                r#"{"type":"error","code":"server_error","message":"out of order","sequence_number":2}"#;
            format!("event: error\ndata: {data}\n\n")
        }
        Format::OpenaiChat | Format::Gemini => format!("data: {}\n\n", failure(format)),
    };
    let then_error = |events| [cut(&speech, events, false), chunk(&error)].concat();
    let last = b"0\r\n\r\n";
    cases.add("sends an error as its first event", [then_error(0), last.to_vec()].concat(), Then::Rest);
    cases.add("sends an error after the preamble", [then_error(before), last.to_vec()].concat(), Then::Rest);
    cases.add("sends an error between events", [then_error(before + 2), last.to_vec()].concat(), Then::Rest);
    cases.add("sends an error between events and closes", then_error(before + 2), Then::Close);
    cases.streamed = false;
    cases.add("answers 200 with an error as the body", plain(200, "", failure(format)), Then::Rest);
    cases.add("answers 500", plain(500, "", failure(format)), Then::Rest);
    if format != Format::Anthropic {
        let sound = speech.on_the_wire(false);
        cases.add("closes 5 bytes short of its content-length", &sound[..sound.len() - 5], Then::Close);
    }
}
