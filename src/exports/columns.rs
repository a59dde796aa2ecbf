//! What stands in a row of an export, column by column, the same in every kind of file.

use std::time::Duration;

use actors::money::Pico;

use crate::journal::record::Record;

/// A request, with what is told beside it.
pub(super) struct Line {
    pub(super) record: Record,
    /// What its user is called now.
    pub(super) user: Option<String>,
    /// What its key is called now.
    pub(super) key: Option<String>,
    /// What its provider is called now; none in an export of one who may not know.
    pub(super) provider: Option<String>,
    /// What was charged afterwards, or given back; none where nothing was.
    pub(super) correction: Option<Pico>,
}

/// What stands in a column of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Cell {
    /// Nothing.
    Empty,
    /// Digits that mean a number, written in full.
    Number(String),
    /// Something that somebody wrote, perhaps a stranger.
    Text(String),
}

type Column = (&'static str, fn(&Line) -> Cell);

/// Every column with its heading.
pub(super) const COLUMNS: [Column; 36] = [
    ("id", |line| text(line.record.id)),
    ("started_at", |line| text(line.record.started_at.to_rfc3339_opts(chrono::SecondsFormat::Micros, true))),
    ("duration_us", |line| micros(line.record.duration)),
    ("ttfb_us", |line| line.record.ttfb.map_or(Cell::Empty, micros)),
    ("user_id", |line| number_if(line.record.user_id)),
    ("user", |line| text_if(line.user.as_ref())),
    ("key_id", |line| number_if(line.record.key_id)),
    ("key", |line| text_if(line.key.as_ref())),
    ("format", |line| text_if(line.record.format.map(protocol::Format::name))),
    ("operation", |line| text_if(line.record.operation.map(protocol::Operation::name))),
    ("model", |line| text_if(line.record.model.as_ref())),
    ("upstream_model", |line| text_if(line.record.upstream_model.as_ref())),
    ("streamed", |line| text(line.record.streamed)),
    ("session", |line| text_if(line.record.session.as_ref())),
    ("provider_id", |line| number_if(line.record.provider_id)),
    ("provider", |line| text_if(line.provider.as_ref())),
    ("status", |line| number(line.record.status)),
    ("ending", |line| text(line.record.ending.name())),
    ("error", |line| text_if(line.record.failure.as_ref().map(|failure| &failure.kind))),
    ("error_message", |line| text_if(line.record.failure.as_ref().map(|failure| &failure.message))),
    ("attempt_count", |line| number(line.record.attempts.len())),
    ("usage_class", |line| text(line.record.metering.name())),
    ("input_tokens", |line| number(line.record.metering.usage().input_tokens)),
    ("cache_read_tokens", |line| number(line.record.metering.usage().cache_read_tokens)),
    ("cache_write_5m_tokens", |line| number(line.record.metering.usage().cache_write_5m_tokens)),
    ("cache_write_1h_tokens", |line| number(line.record.metering.usage().cache_write_1h_tokens)),
    ("output_tokens", |line| number(line.record.metering.usage().output_tokens)),
    ("reasoning_tokens", |line| number(line.record.metering.usage().reasoning_tokens)),
    ("settlement", |line| text(line.record.settlement.name())),
    ("cost_usd", |line| number_if(line.record.cost)),
    ("correction_usd", |line| number_if(line.correction)),
    ("reserved_usd", |line| number_if(line.record.reserved)),
    ("client_address", |line| text_if(line.record.client_address)),
    ("user_agent", |line| text_if(line.record.user_agent.as_ref())),
    ("bytes_up", |line| number(line.record.bytes_up)),
    ("bytes_down", |line| number(line.record.bytes_down)),
];

fn number(number: impl ToString) -> Cell {
    Cell::Number(number.to_string())
}

fn number_if(what: Option<impl ToString>) -> Cell {
    what.map_or(Cell::Empty, number)
}

fn text(text: impl ToString) -> Cell {
    Cell::Text(text.to_string())
}

fn text_if(what: Option<impl ToString>) -> Cell {
    what.map_or(Cell::Empty, text)
}

fn micros(span: Duration) -> Cell {
    number(span.as_micros())
}
