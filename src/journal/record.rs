//! What one request leaves behind, refused ones too: the facts of its row and its attempts.

use std::{borrow::Cow, net::IpAddr, time::Duration};

use actors::{
    ids::{KeyId, ProviderId, RequestId, UserId},
    money::Money,
    provider::outcome::Outcome,
};
use chrono::{DateTime, Utc};
use protocol::{Format, Operation, Usage};
use serde_json::value::RawValue;

/// A finished request. Times are offsets, so that they are exact whatever the wall clock does.
#[derive(Debug, Clone)]
pub struct Record {
    /// The request.
    pub id: RequestId,
    /// When its head had been read.
    pub started_at: DateTime<Utc>,
    /// Until the last byte of the answer, or until it was given up.
    pub duration: Duration,
    /// Who asked; none when the caller was not recognised.
    pub user_id: Option<UserId>,
    /// With which key.
    pub key_id: Option<KeyId>,
    /// The wire format the caller spoke; none when it was refused before that was known.
    pub format: Option<Format>,
    /// What was asked of the API.
    pub operation: Option<Operation>,
    /// The model that was asked for.
    pub model: Option<String>,
    /// The model that was sent to the upstream which answered.
    pub upstream_model: Option<String>,
    /// Whether the caller asked for a stream.
    pub streamed: bool,
    /// The conversation, as the sticky binding knows it.
    pub session: Option<String>,
    /// Whose answer the caller received.
    pub provider_id: Option<ProviderId>,
    /// The HTTP status the caller saw; 499 when the caller left before there was one.
    pub status: u16,
    /// How it ended.
    pub ending: Ending,
    /// What went wrong, if something did.
    pub failure: Option<Failure>,
    /// From the start until the first byte of the answer went to the caller.
    pub ttfb: Option<Duration>,
    /// What it consumed.
    pub metering: Metering,
    /// What that cost; none when the model had no price.
    pub cost: Option<Money>,
    /// The price row and the formula the cost was computed with.
    pub price: Option<Document>,
    /// The decision chain: candidates, who was skipped and why, who was chosen.
    pub decisions: Option<Document>,
    /// Where the caller is.
    pub client_address: Option<IpAddr>,
    /// What the caller calls its program.
    pub user_agent: Option<String>,
    /// Body bytes received from the caller.
    pub bytes_up: u64,
    /// Body bytes sent to the caller.
    pub bytes_down: u64,
    /// The tries, in their order.
    pub attempts: Vec<AttemptRecord>,
}

impl Record {
    /// A request that has just arrived: nothing is known yet, and nothing has gone wrong.
    #[must_use]
    pub fn new(id: RequestId, started_at: DateTime<Utc>) -> Self {
        Self {
            id,
            started_at,
            duration: Duration::ZERO,
            user_id: None,
            key_id: None,
            format: None,
            operation: None,
            model: None,
            upstream_model: None,
            streamed: false,
            session: None,
            provider_id: None,
            status: 0,
            ending: Ending::CallerLeft,
            failure: None,
            ttfb: None,
            metering: Metering::None,
            cost: None,
            price: None,
            decisions: None,
            client_address: None,
            user_agent: None,
            bytes_up: 0,
            bytes_down: 0,
            attempts: Vec::new(),
        }
    }

    /// A record with nothing in it but what every request has: it begins at `started_at`, is
    /// refused, and costs nothing. What is known beyond that is filled in.
    #[must_use]
    pub fn plain(started_at: DateTime<Utc>) -> Self {
        Self { status: 500, ending: Ending::Refused, ..Self::new(RequestId::new(), started_at) }
    }
}

/// One try at one provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptRecord {
    /// Where it went.
    pub provider_id: ProviderId,
    /// As that was called then.
    pub provider_name: String,
    /// What became of it.
    pub outcome: Outcome,
    /// The HTTP status of the upstream, if it answered.
    pub status: Option<u16>,
    /// Offset from the start of the request.
    pub started: Duration,
    /// From the start of the attempt to the head of the answer.
    pub head: Option<Duration>,
    /// From the start of the attempt to the first meaningful frame.
    pub first_frame: Option<Duration>,
    /// The whole attempt.
    pub total: Duration,
    /// Whether a kept-alive connection turned out closed and a fresh one was made.
    pub retried_stale: bool,
    /// Whether any byte of the request left for the upstream: only then can it have cost anything.
    pub sent: bool,
    /// What went wrong, for the operator.
    pub error: Option<String>,
}

impl AttemptRecord {
    /// An attempt that has just been granted.
    #[must_use]
    pub fn new(provider_id: ProviderId, provider_name: String, started: Duration) -> Self {
        Self {
            provider_id,
            provider_name,
            outcome: Outcome::Abandoned,
            status: None,
            started,
            head: None,
            first_frame: None,
            total: Duration::ZERO,
            retried_stale: false,
            sent: false,
            error: None,
        }
    }
}

/// A JSON text that was checked when it was made.
#[derive(Debug, Clone)]
pub struct Document(Box<RawValue>);

impl Document {
    /// Writes `value` down.
    ///
    /// # Errors
    /// When the value has no JSON form, such as a map whose keys are not text.
    pub fn of(value: &impl serde::Serialize) -> Result<Self, serde_json::Error> {
        serde_json::value::to_raw_value(value).map(Self)
    }

    /// The text.
    #[must_use]
    pub fn get(&self) -> &str {
        self.0.get()
    }

    /// The text as a value that serialises to itself.
    #[must_use]
    pub fn as_raw(&self) -> &RawValue {
        &self.0
    }
}

impl From<Box<RawValue>> for Document {
    fn from(raw: Box<RawValue>) -> Self {
        Self(raw)
    }
}

/// What went wrong with a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// A stable code.
    pub kind: Cow<'static, str>,
    /// For people.
    pub message: String,
}

/// What a request consumed, and how well that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metering {
    /// The upstream told.
    Exact(Usage),
    /// Derived by us, since the upstream could not tell any more.
    Estimated(Usage),
    /// Nothing was consumed.
    None,
}

impl Metering {
    /// The name used in rows and in the admin API.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Exact(_) => "exact",
            Self::Estimated(_) => "estimated",
            Self::None => "none",
        }
    }

    /// The tokens; zeros when nothing was consumed.
    #[must_use]
    pub fn usage(&self) -> Usage {
        match *self {
            Self::Exact(usage) | Self::Estimated(usage) => usage,
            Self::None => Usage::default(),
        }
    }

    /// Puts together what the name and the tokens of a row say.
    #[must_use]
    pub fn from_name(name: &str, usage: Usage) -> Option<Self> {
        match name {
            "exact" => Some(Self::Exact(usage)),
            "estimated" => Some(Self::Estimated(usage)),
            "none" => Some(Self::None),
            _ => None,
        }
    }
}

macro_rules! named {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)+
        }

        impl $name {
            /// Every one of them.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The name used in rows and in the admin API.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }

            /// The one of that name, if there is one.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|known| known.name() == name)
            }
        }
    };
}

named! {
    /// How a request ended, seen from the caller.
    Ending {
        /// The whole answer was delivered.
        Complete = "complete",
        /// The answer had begun and could not be finished.
        Cut = "cut",
        /// The caller went away.
        CallerLeft = "caller_left",
        /// We said no before any upstream was asked.
        Refused = "refused",
        /// No upstream gave an answer that could be passed on.
        Failed = "failed",
        /// The deadline of the request passed.
        TimedOut = "timed_out",
        /// The server was stopping.
        Draining = "draining",
    }
}
