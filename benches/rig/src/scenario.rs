//! What is measured: the loads, each in one row.

use std::time::Duration;

/// One kind of load.
pub(crate) struct Scenario {
    /// The name on the command line and in the records.
    pub(crate) name: &'static str,
    /// The heading in the report.
    pub(crate) title: &'static str,
    /// Connections that are kept busy, each with one request at a time.
    pub(crate) connections: usize,
    /// Size of the prompt.
    pub(crate) prompt_bytes: usize,
    /// What is asked for.
    pub(crate) answer: Answer,
    /// Until the load is steady.
    pub(crate) warm_up: Duration,
}

/// What a request asks the upstream for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// A kilobyte of JSON.
    Plain,
    /// A stream of so many deltas, with a pause before each.
    Stream { events: u64, pace: Duration },
    /// A stream that outlives the measurement, with a pause before each delta.
    Endless { pace: Duration },
}

/// Every load, in the order of the report.
pub(crate) const ALL: [Scenario; 6] = [
    Scenario {
        name: "plain-1",
        title: "Small JSON, 1 connection",
        connections: 1,
        prompt_bytes: 2_000,
        answer: Answer::Plain,
        warm_up: Duration::from_millis(300),
    },
    Scenario {
        name: "plain-64",
        title: "Small JSON, 64 connections",
        connections: 64,
        prompt_bytes: 2_000,
        answer: Answer::Plain,
        warm_up: Duration::from_millis(300),
    },
    Scenario {
        name: "burst-32",
        title: "Streams of 50 events without delay, 32 connections",
        connections: 32,
        prompt_bytes: 2_000,
        answer: Answer::Stream { events: 50, pace: Duration::ZERO },
        warm_up: Duration::from_millis(300),
    },
    Scenario {
        name: "big-8",
        title: "0.9 MB prompts, 8 connections",
        connections: 8,
        prompt_bytes: 900_000,
        answer: Answer::Plain,
        warm_up: Duration::from_millis(300),
    },
    Scenario {
        name: "pace-50",
        title: "Streams at a human pace (an event each 20 ms), 50 connections",
        connections: 50,
        prompt_bytes: 2_000,
        answer: Answer::Stream { events: 100, pace: Duration::from_millis(20) },
        warm_up: Duration::from_millis(500),
    },
    Scenario {
        name: "slow-1000",
        title: "1,000 slow streams (an event each second)",
        connections: 1_000,
        prompt_bytes: 2_000,
        answer: Answer::Endless { pace: Duration::from_secs(1) },
        warm_up: Duration::from_millis(2_500),
    },
];

impl Scenario {
    /// The load of that name.
    pub(crate) fn named(name: &str) -> Option<&'static Self> {
        ALL.iter().find(|scenario| scenario.name == name)
    }

    /// Whether answers are streams.
    pub(crate) fn streams(&self) -> bool {
        self.answer != Answer::Plain
    }

    /// The pause between connection starts, so that paced streams do not tick in step.
    pub(crate) fn stagger(&self) -> Duration {
        let pace = match self.answer {
            Answer::Plain => Duration::ZERO,
            Answer::Stream { pace, .. } | Answer::Endless { pace } => pace,
        };
        pace / u32::try_from(self.connections).unwrap_or(u32::MAX)
    }

    /// The request of the connection with that number: a conversation of its own.
    pub(crate) fn request(&self, host: &str, key: &str, connection: usize) -> Vec<u8> {
        let body = self.body();
        let script = match self.answer {
            Answer::Plain => String::new(),
            Answer::Stream { events, pace } => script(events, pace),
            Answer::Endless { pace } => script(u64::from(u32::MAX), pace),
        };
        let mut request = format!(
            "POST /v1/messages HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {key}\r\n\
             anthropic-version: 2023-06-01\r\ncontent-type: application/json\r\nuser-agent: pointsman-bench\r\n\
             x-claude-code-session-id: 00000000-0000-4000-8000-{connection:012}\r\n{script}\
             content-length: {}\r\n\r\n",
            body.len()
        )
        .into_bytes();
        request.extend_from_slice(body.as_bytes());
        request
    }

    fn body(&self) -> String {
        // Turns of two kilobytes with the escapes of real text, up to the wanted size.
        let turn = "The quick brown fox said \\\"jump\\\" and wrote a line.\\n".repeat(37);
        let pair = format!(
            concat!(
                r#"{{"role":"user","content":"{}"}},"#,
                r#"{{"role":"assistant","content":[{{"type":"text","text":"{}"}}]}},"#
            ),
            turn, turn
        );
        let pairs = self.prompt_bytes / pair.len();
        let turns = pair.repeat(pairs);
        let last = if pairs == 0 { turn.as_str() } else { "And now?" };
        format!(
            concat!(
                r#"{{"model":"bench-model","max_tokens":1024,"stream":{},"system":"You answer in few words.","#,
                r#""messages":[{}{{"role":"user","content":"{}"}}]}}"#
            ),
            self.streams(),
            turns,
            last
        )
    }
}

fn script(events: u64, pace: Duration) -> String {
    format!("x-bench-events: {events}\r\nx-bench-pace-us: {}\r\n", pace.as_micros())
}
