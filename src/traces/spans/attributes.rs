//! What spans say about requests and attempts: the names of OpenTelemetry's conventions for HTTP and generative
//! AI where they have one, `pointsman.…` where they have none. Nothing of a request's content is among them.

use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
use protocol::{Format, Operation, Usage};

use super::Trace;
use crate::journal::record::{AttemptRecord, Metering, Record};

/// Names with values.
#[derive(Debug, Default)]
pub(super) struct Attributes(Vec<KeyValue>);

impl Attributes {
    pub(super) fn text(&mut self, name: &str, value: &str) {
        self.add(name, Value::StringValue(value.to_owned()));
    }

    fn text_if(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.text(name, value);
        }
    }

    fn number(&mut self, name: &str, value: u64) {
        self.add(name, Value::IntValue(i64::try_from(value).unwrap_or(i64::MAX)));
    }

    fn truth(&mut self, name: &str, value: bool) {
        self.add(name, Value::BoolValue(value));
    }

    fn add(&mut self, name: &str, value: Value) {
        let value = Some(AnyValue { value: Some(value) });
        self.0.push(KeyValue { key: name.to_owned(), value, ..KeyValue::default() });
    }
}

impl From<Attributes> for Vec<KeyValue> {
    fn from(attributes: Attributes) -> Self {
        attributes.0
    }
}

/// The beginning of a text that may be long.
pub(super) fn text(text: &str, most: usize) -> String {
    text.chars().take(most).collect()
}

/// What the conventions call an operation.
pub(super) const fn operation(operation: Option<Operation>) -> &'static str {
    match operation {
        Some(Operation::Generate) | None => "chat",
        Some(Operation::Embed) => "embeddings",
        Some(Operation::CountTokens) => "count_tokens",
        Some(Operation::Compact) => "compact",
    }
}

/// Whose API is spoken, in the conventions' words.
const fn api(format: Format) -> &'static str {
    match format {
        Format::Anthropic => "anthropic",
        Format::OpenaiChat | Format::OpenaiResponses => "openai",
        Format::Gemini => "gcp.gemini",
    }
}

/// About a whole request.
pub(super) fn of_request(
    trace: &Trace,
    record: &Record,
    route: Option<&str>,
    identities: bool,
) -> Vec<KeyValue> {
    let mut all = Attributes::default();
    all.text("http.request.method", trace.method.as_str());
    all.text_if("http.route", route);
    all.number("http.response.status_code", record.status.into());
    all.text_if("user_agent.original", record.user_agent.as_deref());
    all.number("http.request.body.size", record.bytes_up);
    all.number("http.response.body.size", record.bytes_down);
    all.text_if("error.type", record.failure.as_ref().map(|failure| &*failure.kind));
    about_model(&mut all, record, record.model.as_deref());
    all.text("pointsman.request.id", &record.id.to_string());
    all.text_if("pointsman.format", record.format.map(Format::name));
    all.truth("pointsman.streamed", record.streamed);
    all.text("pointsman.ending", record.ending.name());
    all.number("pointsman.attempts", record.attempts.len() as u64);
    all.text("pointsman.settlement", record.settlement.name());
    usage(&mut all, record);
    if identities {
        all.text_if("user.id", record.user_id.map(|user| user.0.to_string()).as_deref());
        all.text_if("pointsman.key.id", record.key_id.map(|key| key.0.to_string()).as_deref());
        all.text_if("pointsman.session", record.session.as_deref());
        all.text_if("client.address", record.client_address.map(|address| address.to_string()).as_deref());
    }
    all.into()
}

fn about_model(all: &mut Attributes, record: &Record, model: Option<&str>) {
    all.text("gen_ai.operation.name", operation(record.operation));
    all.text_if("gen_ai.provider.name", record.format.map(api));
    all.text_if("gen_ai.request.model", model);
}

/// What it consumed. The conventions count cached tokens among the input.
fn usage(all: &mut Attributes, record: &Record) {
    if record.metering != Metering::None {
        let Usage { cache_read_tokens, cache_write_5m_tokens, cache_write_1h_tokens, output_tokens, .. } =
            record.metering.usage();
        all.number("gen_ai.usage.input_tokens", record.metering.usage().total_input());
        all.number("gen_ai.usage.output_tokens", output_tokens);
        all.number("gen_ai.usage.cache_read.input_tokens", cache_read_tokens);
        all.number(
            "gen_ai.usage.cache_creation.input_tokens",
            cache_write_5m_tokens.saturating_add(cache_write_1h_tokens),
        );
        all.text("pointsman.usage.class", record.metering.name());
    }
    if let Some(cost) = record.cost {
        let exact = cost.to_string();
        // For those who add up; the exact figure stands beside it.
        if let Ok(about) = exact.parse() {
            all.add("gen_ai.usage.cost", Value::DoubleValue(about));
        }
        all.text("pointsman.cost_usd", &exact);
    }
}

/// About one attempt.
pub(super) fn of_attempt(record: &Record, attempt: &AttemptRecord, model: Option<&str>) -> Vec<KeyValue> {
    let mut all = Attributes::default();
    about_model(&mut all, record, model);
    all.text("pointsman.provider", &attempt.provider_name);
    all.number("pointsman.provider.id", attempt.provider_id.0.unsigned_abs());
    all.text("pointsman.outcome", attempt.outcome.name());
    if let Some(status) = attempt.status {
        all.number("http.response.status_code", status.into());
    }
    if attempt.outcome != actors::provider::outcome::Outcome::Answered {
        all.text("error.type", attempt.outcome.name());
    }
    all.truth("pointsman.sent", attempt.sent);
    all.truth("pointsman.retried_stale", attempt.retried_stale);
    all.into()
}
