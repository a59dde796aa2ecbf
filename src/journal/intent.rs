//! What is written down before a request is over, and the record that is made of it when the process died in
//! between.
//!
//! ```text
//! Intent ──▶ Progress* ──▶ Final          the usual way
//! Intent ──▶ Progress+ ──▶ (dead)         incomplete, estimated: what was counted last is posted
//! Intent ──▶ (dead)                       incomplete, disputed: nobody knows whether a byte left
//! ```

use std::time::Duration;

use actors::{
    ids::{KeyId, ProviderId, RequestId, UserId},
    money::Pico,
    provider::outcome::Outcome,
};
use chrono::{DateTime, Utc};
use protocol::{Format, Operation, Usage};
use serde::{Deserialize, Serialize};

use super::{
    record::{AttemptRecord, Document, Ending, Failure, Metering, Record, Settlement},
    written::{name, name_if},
};

/// The status in the row of a request whose caller can't have seen one.
const NOBODY_SAW_ONE: u16 = 499;

/// An attempt is about to be sent: from here on money may be spent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    /// The request.
    pub request: RequestId,
    /// Which of its attempts, from 1.
    pub attempt: u32,
    /// When this is.
    pub at: DateTime<Utc>,
    /// When the request's head had been read.
    pub started_at: DateTime<Utc>,
    /// The minute its cost counts in, since 1970 in UTC: that of its admission.
    pub minute: i64,
    /// Who asked.
    pub user: UserId,
    /// With which key.
    pub key: KeyId,
    /// Where it goes.
    pub provider: ProviderId,
    /// As that is called now.
    #[serde(serialize_with = "name")]
    pub provider_name: String,
    /// The wire format the caller speaks.
    pub format: Format,
    /// What is asked of the API.
    pub operation: Operation,
    /// The model that was asked for.
    #[serde(serialize_with = "name")]
    pub model: String,
    /// The model that is sent.
    #[serde(serialize_with = "name")]
    pub upstream_model: String,
    /// The conversation.
    #[serde(serialize_with = "name_if")]
    pub session: Option<String>,
    /// What is held for it.
    pub reserved: Option<Pico>,
    /// Input tokens, as well as they can be told from here.
    pub input_tokens: u64,
    /// The price row its cost will be computed with.
    pub price: Option<i64>,
    /// Whether the caller asked for a stream.
    pub streamed: bool,
}

/// How far an answer has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// The request.
    pub request: RequestId,
    /// When this is.
    pub at: DateTime<Utc>,
    /// Input tokens, exact once the upstream has told.
    pub input_tokens: u64,
    /// Output tokens so far.
    pub output_tokens: u64,
    /// What that costs; none when the model has no price.
    pub cost: Option<Pico>,
}

/// The record of a request that has intents and no end.
///
/// It depends on nothing else, so that replaying twice makes the same record twice.
pub(super) fn incomplete(intents: &[Intent], progress: Option<&Progress>) -> Option<Record> {
    let last = intents.iter().max_by_key(|intent| intent.attempt)?;
    let seen = progress.map_or(last.at, |progress| progress.at);
    let since = |from: DateTime<Utc>, to: DateTime<Utc>| (to - from).to_std().unwrap_or(Duration::ZERO);
    let mut record = Record {
        minute: last.minute,
        duration: since(last.started_at, seen),
        user_id: Some(last.user),
        key_id: Some(last.key),
        format: Some(last.format),
        operation: Some(last.operation),
        model: Some(last.model.clone()),
        upstream_model: Some(last.upstream_model.clone()),
        streamed: last.streamed,
        session: last.session.clone(),
        provider_id: Some(last.provider),
        status: if progress.is_some() { 200 } else { NOBODY_SAW_ONE },
        ending: Ending::Incomplete,
        failure: Some(Failure {
            kind: Ending::Incomplete.name().into(),
            message: "the process ended before the request did".to_owned(),
        }),
        reserved: last.reserved,
        price: last.price.and_then(|id| Document::of(&serde_json::json!({ "id": id })).ok()),
        attempts: intents.iter().map(|intent| attempt(intent, since(intent.started_at, intent.at))).collect(),
        ..Record::new(last.request, last.started_at)
    };
    match progress {
        Some(Progress { input_tokens, output_tokens, cost, .. }) => {
            let usage =
                Usage { input_tokens: *input_tokens, output_tokens: *output_tokens, ..Usage::default() };
            record.settle(Metering::Estimated(usage), *cost, true);
        }
        None => record.settlement = Settlement::Disputed,
    }
    Some(record)
}

fn attempt(intent: &Intent, started: Duration) -> AttemptRecord {
    AttemptRecord {
        outcome: Outcome::Abandoned,
        sent: true, // it may have been, which is what matters here
        ..AttemptRecord::new(intent.provider, intent.provider_name.clone(), started)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use chrono::TimeDelta;

    use super::*;

    pub(in crate::journal) fn intent(request: RequestId, attempt: u32) -> Intent {
        let started_at = DateTime::from_timestamp(1_900_000_000, 0).unwrap();
        Intent {
            request,
            attempt,
            at: started_at + TimeDelta::milliseconds(i64::from(attempt) * 10),
            started_at,
            minute: 31_666_666,
            user: UserId(1),
            key: KeyId(2),
            provider: ProviderId(i64::from(attempt)),
            provider_name: format!("provider {attempt}"),
            format: Format::Anthropic,
            operation: Operation::Generate,
            model: "claude".into(),
            upstream_model: "claude-up".into(),
            session: Some("s".into()),
            reserved: Some(Pico(1_000)),
            input_tokens: 12,
            price: Some(7),
            streamed: true,
        }
    }

    #[test]
    fn i39_an_intent_alone_is_disputed_and_costs_nothing_yet() {
        let request = RequestId::new();
        let record = incomplete(&[intent(request, 2), intent(request, 1)], None).unwrap();
        assert_eq!(record.id, request);
        assert_eq!((record.ending, record.settlement), (Ending::Incomplete, Settlement::Disputed));
        assert_eq!((record.cost, record.reserved), (None, Some(Pico(1_000))));
        assert_eq!(record.provider_id, Some(ProviderId(2)), "of the last attempt");
        assert_eq!((record.minute, record.attempts.len()), (31_666_666, 2));
    }

    #[test]
    fn i39_with_progress_the_best_estimate_is_posted() {
        let request = RequestId::new();
        let at = intent(request, 1).started_at + TimeDelta::seconds(5);
        let told = Progress { request, at, input_tokens: 30, output_tokens: 400, cost: Some(Pico(5)) };
        let record = incomplete(&[intent(request, 1)], Some(&told)).unwrap();
        assert_eq!((record.settlement, record.cost), (Settlement::Estimated, Some(Pico(5))));
        assert_eq!((record.metering.usage().input_tokens, record.metering.usage().output_tokens), (30, 400));
        assert_eq!(record.duration, Duration::from_secs(5));
        let unpriced = Progress { cost: None, ..told };
        let record = incomplete(&[intent(request, 1)], Some(&unpriced)).unwrap();
        assert_eq!((record.settlement, record.cost), (Settlement::Unpriced, None));
    }
}
