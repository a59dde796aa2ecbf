//! The rows of the request log, and how records become rows and rows records.

use std::time::Duration;

use actors::{
    ids::{KeyId, ProviderId, RequestId, UserId},
    provider::outcome::Outcome,
};
use diesel::prelude::*;
use protocol::{Format, Operation, Usage};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

pub(super) use crate::journal::written::NAME_BYTES;
use crate::{
    journal::{
        record::{AttemptRecord, Ending, Failure, Metering, Record, Settlement},
        written::MESSAGE_BYTES,
    },
    store::{
        error::StoreError,
        schema::{attempts, requests},
        text::Clean,
        types::{At, Cost, Id, Json, count, micros},
    },
};

/// What is told with one request and never searched.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Details {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    price: Option<Box<RawValue>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    decisions: Option<Box<RawValue>>,
    /// How well the tokens are known, where the settlement does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    metering: Option<String>,
}

impl Details {
    fn of(record: &Record) -> Option<Self> {
        let metering = (record.settlement == Settlement::Unpriced).then(|| record.metering.name().to_owned());
        let price = record.price.as_ref().map(|price| price.as_raw().to_owned());
        let decisions = record.decisions.as_ref().map(|chain| chain.as_raw().to_owned());
        let told = price.is_some() || decisions.is_some() || metering.is_some();
        told.then_some(Self { price, decisions, metering })
    }
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = requests)]
#[diesel(treat_none_as_default_value = false)]
pub(super) struct Row {
    pub(super) id: Id,
    pub(super) started_at: At,
    minute: i64,
    duration_us: i64,
    user_id: Option<i64>,
    key_id: Option<i64>,
    format: Option<Clean>,
    operation: Option<Clean>,
    model: Option<Clean>,
    upstream_model: Option<Clean>,
    streamed: bool,
    session: Option<Clean>,
    provider_id: Option<i64>,
    status: i32,
    ending: Clean,
    error_kind: Option<Clean>,
    error_message: Option<Clean>,
    ttfb_us: Option<i64>,
    input_tokens: i64,
    cache_read_tokens: i64,
    cache_write_5m_tokens: i64,
    cache_write_1h_tokens: i64,
    output_tokens: i64,
    reasoning_tokens: i64,
    settlement: Clean,
    cost: Option<Cost>,
    reserved: Option<Cost>,
    details: Option<Json<Details>>,
    client_address: Option<Clean>,
    user_agent: Option<Clean>,
    bytes_up: i64,
    bytes_down: i64,
}

impl Row {
    pub(super) fn new(record: &Record) -> Result<Self, StoreError> {
        let name = |text: &str| Clean::cut(text, NAME_BYTES);
        let usage = record.metering.usage();
        Ok(Self {
            id: Id(record.id),
            started_at: At(record.started_at),
            minute: record.minute,
            duration_us: micros(record.duration),
            user_id: record.user_id.map(|id| id.0),
            key_id: record.key_id.map(|id| id.0),
            format: record.format.map(|format| name(format.name())),
            operation: record.operation.map(|operation| name(operation.name())),
            model: record.model.as_deref().map(name),
            upstream_model: record.upstream_model.as_deref().map(name),
            streamed: record.streamed,
            session: record.session.as_deref().map(name),
            provider_id: record.provider_id.map(|id| id.0),
            status: i32::from(record.status),
            ending: name(record.ending.name()),
            error_kind: record.failure.as_ref().map(|failure| name(&failure.kind)),
            error_message: record.failure.as_ref().map(|failure| Clean::cut(&failure.message, MESSAGE_BYTES)),
            ttfb_us: record.ttfb.map(micros),
            input_tokens: count(usage.input_tokens, "input_tokens")?,
            cache_read_tokens: count(usage.cache_read_tokens, "cache_read_tokens")?,
            cache_write_5m_tokens: count(usage.cache_write_5m_tokens, "cache_write_5m_tokens")?,
            cache_write_1h_tokens: count(usage.cache_write_1h_tokens, "cache_write_1h_tokens")?,
            output_tokens: count(usage.output_tokens, "output_tokens")?,
            reasoning_tokens: count(usage.reasoning_tokens, "reasoning_tokens")?,
            settlement: name(record.settlement.name()),
            cost: record.cost.map(|cost| Cost::new(cost, "cost")).transpose()?,
            reserved: record.reserved.map(|reserved| Cost::new(reserved, "reserved")).transpose()?,
            details: Details::of(record).map(Json),
            client_address: record.client_address.map(|address| name(&address.to_string())),
            user_agent: record.user_agent.as_deref().map(name),
            bytes_up: count(record.bytes_up, "bytes_up")?,
            bytes_down: count(record.bytes_down, "bytes_down")?,
        })
    }

    pub(super) fn into_record(self, attempts: Vec<AttemptRecord>) -> Result<Record, StoreError> {
        let id = self.id.0;
        let corrupt = |column: &str| StoreError::Corrupt(format!("requests.{column} of `{id}`"));
        let tokens = |count: i64, column| u64::try_from(count).map_err(|_| corrupt(column));
        let usage = Usage {
            input_tokens: tokens(self.input_tokens, "input_tokens")?,
            cache_read_tokens: tokens(self.cache_read_tokens, "cache_read_tokens")?,
            cache_write_5m_tokens: tokens(self.cache_write_5m_tokens, "cache_write_5m_tokens")?,
            cache_write_1h_tokens: tokens(self.cache_write_1h_tokens, "cache_write_1h_tokens")?,
            output_tokens: tokens(self.output_tokens, "output_tokens")?,
            reasoning_tokens: tokens(self.reasoning_tokens, "reasoning_tokens")?,
        };
        let settlement =
            Settlement::from_name(self.settlement.as_str()).ok_or_else(|| corrupt("settlement"))?;
        let details = self.details.map(|details| details.0);
        let (price, decisions, told) = match details {
            Some(Details { price, decisions, metering }) => (price, decisions, metering),
            None => (None, None, None),
        };
        let metering = metering(settlement, told.as_deref(), usage).ok_or_else(|| corrupt("details"))?;
        let message = self.error_message.map(Clean::into_string).unwrap_or_default();
        let failure = self.error_kind.map(|kind| Failure { kind: kind.into_string().into(), message });
        Ok(Record {
            id,
            started_at: self.started_at.0,
            minute: self.minute,
            duration: span(self.duration_us).ok_or_else(|| corrupt("duration_us"))?,
            user_id: self.user_id.map(UserId),
            key_id: self.key_id.map(KeyId),
            format: known(self.format, Format::from_name).ok_or_else(|| corrupt("format"))?,
            operation: known(self.operation, Operation::from_name).ok_or_else(|| corrupt("operation"))?,
            model: self.model.map(Clean::into_string),
            upstream_model: self.upstream_model.map(Clean::into_string),
            streamed: self.streamed,
            session: self.session.map(Clean::into_string),
            provider_id: self.provider_id.map(ProviderId),
            status: u16::try_from(self.status).map_err(|_| corrupt("status"))?,
            ending: Ending::from_name(self.ending.as_str()).ok_or_else(|| corrupt("ending"))?,
            failure,
            ttfb: self.ttfb_us.and_then(span),
            metering,
            settlement,
            cost: self.cost.map(Cost::pico),
            reserved: self.reserved.map(Cost::pico),
            price: price.map(Into::into),
            decisions: decisions.map(Into::into),
            client_address: known(self.client_address, |text| text.parse().ok())
                .ok_or_else(|| corrupt("client_address"))?,
            user_agent: self.user_agent.map(Clean::into_string),
            bytes_up: tokens(self.bytes_up, "bytes_up")?,
            bytes_down: tokens(self.bytes_down, "bytes_down")?,
            attempts,
        })
    }
}

/// How well the tokens of a row are known.
fn metering(settlement: Settlement, told: Option<&str>, usage: Usage) -> Option<Metering> {
    Some(match settlement {
        Settlement::Exact | Settlement::ExactClientGone => Metering::Exact(usage),
        Settlement::Estimated => Metering::Estimated(usage),
        Settlement::Free | Settlement::Disputed => Metering::None,
        Settlement::Unpriced => Metering::from_name(told?, usage)?,
    })
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = attempts)]
#[diesel(treat_none_as_default_value = false)]
pub(super) struct AttemptRow {
    pub(super) request_id: Id,
    pub(super) ordinal: i32,
    provider_id: i64,
    provider_name: Clean,
    outcome: Clean,
    status: Option<i32>,
    started_us: i64,
    head_us: Option<i64>,
    first_frame_us: Option<i64>,
    total_us: i64,
    retried_stale: bool,
    sent: bool,
    error: Option<Clean>,
    settlement: Option<Clean>,
    cost: Option<Cost>,
}

impl AttemptRow {
    pub(super) fn new(request: RequestId, ordinal: i32, attempt: &AttemptRecord) -> Result<Self, StoreError> {
        Ok(Self {
            request_id: Id(request),
            ordinal,
            provider_id: attempt.provider_id.0,
            provider_name: Clean::cut(&attempt.provider_name, NAME_BYTES),
            outcome: Clean::cut(attempt.outcome.name(), NAME_BYTES),
            status: attempt.status.map(i32::from),
            started_us: micros(attempt.started),
            head_us: attempt.head.map(micros),
            first_frame_us: attempt.first_frame.map(micros),
            total_us: micros(attempt.total),
            retried_stale: attempt.retried_stale,
            sent: attempt.sent,
            error: attempt.error.as_deref().map(|text| Clean::cut(text, MESSAGE_BYTES)),
            settlement: attempt.settlement.map(|settlement| Clean::cut(settlement.name(), NAME_BYTES)),
            cost: attempt.cost.map(|cost| Cost::new(cost, "cost")).transpose()?,
        })
    }

    pub(super) fn to_attempt(&self) -> Result<AttemptRecord, StoreError> {
        let corrupt = |column: &str| {
            StoreError::Corrupt(format!("attempts.{column} of `{}` {}", self.request_id.0, self.ordinal))
        };
        Ok(AttemptRecord {
            provider_id: ProviderId(self.provider_id),
            provider_name: self.provider_name.as_str().to_owned(),
            outcome: Outcome::from_name(self.outcome.as_str()).ok_or_else(|| corrupt("outcome"))?,
            status: self.status.map(u16::try_from).transpose().map_err(|_| corrupt("status"))?,
            started: span(self.started_us).ok_or_else(|| corrupt("started_us"))?,
            head: self.head_us.and_then(span),
            first_frame: self.first_frame_us.and_then(span),
            total: span(self.total_us).ok_or_else(|| corrupt("total_us"))?,
            retried_stale: self.retried_stale,
            sent: self.sent,
            error: self.error.as_ref().map(|text| text.as_str().to_owned()),
            settlement: known(self.settlement.clone(), Settlement::from_name)
                .ok_or_else(|| corrupt("settlement"))?,
            cost: self.cost.map(Cost::pico),
        })
    }
}

fn span(micros: i64) -> Option<Duration> {
    u64::try_from(micros).ok().map(Duration::from_micros)
}

/// Reads an optional text; none when there is a text that means nothing.
#[expect(clippy::option_option, reason = "absent, unknown and known are three things")]
fn known<T>(text: Option<Clean>, read: impl FnOnce(&str) -> Option<T>) -> Option<Option<T>> {
    match text {
        None => Some(None),
        Some(text) => read(text.as_str()).map(Some),
    }
}
