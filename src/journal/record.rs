//! What one request leaves behind, refused ones too: the facts of its row and its attempts.

//!
//! A record goes into the journal as JSON and comes back from it, perhaps into a later version of this
//! program: names stay, new fields have a default, unknown ones are passed over. A golden file holds that.

use std::{borrow::Cow, net::IpAddr, time::Duration};

use actors::{
    ids::{KeyId, ProviderId, RequestId, UserId},
    ledger::limits::AccountId,
    money::Pico,
    provider::outcome::Outcome,
};
use chrono::{DateTime, Utc};
use protocol::{Format, Operation};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

pub use super::class::{Ending, Metering, Settlement};
use super::written::{message, message_if, micros, micros_if, name_if};

/// A finished request. Times are offsets, so that they are exact whatever the wall clock does.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Record {
    /// The request.
    pub id: RequestId,
    /// When its head had been read.
    pub started_at: DateTime<Utc>,
    /// The minute its cost counts in, since 1970 in UTC: that of its admission.
    pub minute: i64,
    /// Until the last byte of the answer, or until it was given up.
    #[serde(rename = "duration_us", with = "micros")]
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
    #[serde(serialize_with = "name_if")]
    pub model: Option<String>,
    /// The model that was sent to the upstream which answered.
    #[serde(serialize_with = "name_if")]
    pub upstream_model: Option<String>,
    /// Whether the caller asked for a stream.
    pub streamed: bool,
    /// The conversation, as the sticky binding knows it.
    #[serde(serialize_with = "name_if")]
    pub session: Option<String>,
    /// Whose answer the caller received, or who was tried last; there is one as soon as there is an attempt.
    pub provider_id: Option<ProviderId>,
    /// The HTTP status the caller saw; 499 when the caller left before there was one.
    pub status: u16,
    /// How it ended.
    pub ending: Ending,
    /// What went wrong, if something did.
    pub failure: Option<Failure>,
    /// From the start until the first byte of the answer went to the caller.
    #[serde(rename = "ttfb_us", with = "micros_if")]
    pub ttfb: Option<Duration>,
    /// What it consumed.
    pub metering: Metering,
    /// What became of the money.
    pub settlement: Settlement,
    /// What is posted to its accounts, rounded once; there exactly when `settlement` says so.
    pub cost: Option<Pico>,
    /// What was held for it until it was settled.
    #[serde(default)]
    pub reserved: Option<Pico>,
    /// The price row and the formula the cost was computed with.
    pub price: Option<Document>,
    /// The decision chain: candidates, who was skipped and why, who was chosen.
    pub decisions: Option<Document>,
    /// Where the caller is.
    pub client_address: Option<IpAddr>,
    /// What the caller calls its program.
    #[serde(serialize_with = "name_if")]
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
            minute: minute_of(started_at),
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
            settlement: Settlement::Free,
            cost: None,
            reserved: None,
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

    /// Notes what it consumed, and what that cost at the price there was, if there was one.
    pub fn settle(&mut self, metering: Metering, cost: Option<Pico>, caller_left: bool) {
        self.metering = metering;
        self.settlement = Settlement::of(metering, cost.is_some(), caller_left);
        self.cost = cost.filter(|_| self.settlement.is_posted());
    }

    /// The accounts it counts for, in their order.
    pub fn accounts(&self) -> impl Iterator<Item = AccountId> {
        let user = self.user_id.map(AccountId::User);
        let key = self.key_id.map(AccountId::Key);
        let provider = self.provider_id.map(AccountId::Provider);
        [user, key, provider].into_iter().flatten()
    }
}

/// The minute of an instant, since 1970 in UTC.
#[must_use]
pub fn minute_of(at: DateTime<Utc>) -> i64 {
    at.timestamp().div_euclid(60)
}

/// One try at one provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
    #[serde(rename = "started_us", with = "micros")]
    pub started: Duration,
    /// From the start of the attempt to the head of the answer.
    #[serde(rename = "head_us", with = "micros_if")]
    pub head: Option<Duration>,
    /// From the start of the attempt to the first meaningful frame.
    #[serde(rename = "first_frame_us", with = "micros_if")]
    pub first_frame: Option<Duration>,
    /// The whole attempt.
    #[serde(rename = "total_us", with = "micros")]
    pub total: Duration,
    /// Whether a kept-alive connection turned out closed and a fresh one was made.
    pub retried_stale: bool,
    /// Whether any byte of the request left for the upstream: only then can it have cost anything.
    pub sent: bool,
    /// What went wrong, for the operator.
    #[serde(serialize_with = "message_if")]
    pub error: Option<String>,
    /// What became of money that it may have cost beside the request's own answer: there where it was sent and
    /// came to nothing without a refusal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settlement: Option<Settlement>,
    /// What is posted to its provider for that, and to nobody else; there exactly when `settlement` says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<Pico>,
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
            settlement: None,
            cost: None,
        }
    }
}

/// A JSON text that was checked when it was made.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(transparent)]
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// A stable code.
    pub kind: Cow<'static, str>,
    /// For people.
    #[serde(serialize_with = "message")]
    pub message: String,
}
