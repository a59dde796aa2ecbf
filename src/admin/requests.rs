//! The request log: what happened, to whom, why, and what it cost.

use std::{borrow::Cow, net::IpAddr, time::Duration};

use actix_web::{HttpRequest, HttpResponse, web::Data};
use actors::{
    ids::{KeyId, ProviderId, RequestId, UserId},
    money::Pico,
    provider::outcome::Outcome,
};
use chrono::{DateTime, Utc};
use protocol::{Format, Operation, Usage};
use serde::Serialize;
use serde_json::value::RawValue;

use super::{
    Admin, Answer, Principal, Right,
    body::{Flaws, FromJson},
    error::{FlawCode, Problem},
    query::{Listed, Query},
    request_filters,
    schema::{plain, view},
    values::text,
};
use crate::{
    journal::record::{AttemptRecord, Record, Settlement},
    store::{Corrected, RequestCursor},
};

view! {
    /// A request in a list. Spans are in microseconds.
    #[derive(Serialize)]
    pub(super) struct View {
        id: RequestId,
        started_at: DateTime<Utc>,
        /// Until the last byte of the answer, or until it was given up.
        duration_us: u64,
        /// Until the first byte of the answer.
        ttfb_us: Option<u64>,
        user_id: Option<UserId>,
        key_id: Option<KeyId>,
        format: Option<Format>,
        operation: Option<Operation>,
        model: Option<String>,
        upstream_model: Option<String>,
        streamed: bool,
        session: Option<String>,
        /// Whose answer the caller received.
        provider_id: Option<ProviderId>,
        /// What the caller saw.
        status: u16,
        ending: &'static str,
        error: Option<FailureView>,
        attempt_count: usize,
        usage: UsageView,
        /// What became of the money.
        settlement: &'static str,
        /// What was posted; none when nothing was.
        cost_usd: Option<Pico>,
        /// What was held until then.
        reserved_usd: Option<Pico>,
        client_address: Option<IpAddr>,
        user_agent: Option<String>,
        bytes_up: u64,
        bytes_down: u64,
    }
}

view! {
    /// What went wrong.
    #[derive(Serialize)]
    pub(super) struct FailureView {
        kind: Cow<'static, str>,
        message: String,
    }
}

view! {
    /// Tokens, and how well they are known: `exact`, `estimated` or `none`.
    #[derive(Serialize)]
    pub(super) struct UsageView {
        class: &'static str,
        #[serde(flatten)]
        tokens: Usage,
    }
}

view! {
    /// A request alone.
    #[derive(Serialize)]
    pub(super) struct WholeView {
        #[serde(flatten)]
        view: View,
        /// The price and the formula the cost was computed with.
        price: Option<Box<RawValue>>,
        /// Who was in the running, who was chosen, and why the others were not.
        decisions: Option<Box<RawValue>>,
        attempts: Vec<AttemptView>,
        /// What changed its cost afterwards; the row itself stays as it is.
        corrections: Vec<CorrectionView>,
    }
}

view! {
    /// A later change of what a request cost.
    #[derive(Serialize)]
    pub(super) struct CorrectionView {
        /// Below zero where it had cost too much.
        amount_usd: Pico,
        note: String,
        at: DateTime<Utc>,
    }
}

view! {
    /// One try at one provider. Spans are in microseconds and count from its start, except `started_us`.
    #[derive(Serialize)]
    pub(super) struct AttemptView {
        provider_id: ProviderId,
        provider: String,
        outcome: Outcome,
        status: Option<u16>,
        /// From the start of the request.
        started_us: u64,
        head_us: Option<u64>,
        first_frame_us: Option<u64>,
        total_us: u64,
        retried_stale: bool,
        sent: bool,
        error: Option<String>,
        /// What became of money that it may have cost though it came to nothing; none where it can have cost
        /// nothing, or the request's own settlement tells.
        settlement: Option<&'static str>,
        /// What its provider was charged for that, and nobody else.
        cost_usd: Option<Pico>,
    }
}

impl From<Record> for View {
    fn from(record: Record) -> Self {
        Self {
            id: record.id,
            started_at: record.started_at,
            duration_us: micros(record.duration),
            ttfb_us: record.ttfb.map(micros),
            user_id: record.user_id,
            key_id: record.key_id,
            format: record.format,
            operation: record.operation,
            model: record.model,
            upstream_model: record.upstream_model,
            streamed: record.streamed,
            session: record.session,
            provider_id: record.provider_id,
            status: record.status,
            ending: record.ending.name(),
            error: record.failure.map(|failure| FailureView { kind: failure.kind, message: failure.message }),
            attempt_count: record.attempts.len(),
            usage: UsageView { class: record.metering.name(), tokens: record.metering.usage() },
            settlement: record.settlement.name(),
            cost_usd: record.cost,
            reserved_usd: record.reserved,
            client_address: record.client_address,
            user_agent: record.user_agent,
            bytes_up: record.bytes_up,
            bytes_down: record.bytes_down,
        }
    }
}

impl WholeView {
    fn of(mut record: Record, corrections: Vec<Corrected>) -> Self {
        let price = record.price.take().map(|document| document.as_raw().to_owned());
        let decisions = record.decisions.take().map(|document| document.as_raw().to_owned());
        let attempts = record.attempts.iter().cloned().map(AttemptView::from).collect();
        let correction =
            |made: Corrected| CorrectionView { amount_usd: made.amount, note: made.note, at: made.at };
        let corrections = corrections.into_iter().map(correction).collect();
        Self { view: record.into(), price, decisions, attempts, corrections }
    }
}

impl From<AttemptRecord> for AttemptView {
    fn from(attempt: AttemptRecord) -> Self {
        Self {
            provider_id: attempt.provider_id,
            provider: attempt.provider_name,
            outcome: attempt.outcome,
            status: attempt.status,
            started_us: micros(attempt.started),
            head_us: attempt.head.map(micros),
            first_frame_us: attempt.first_frame.map(micros),
            total_us: micros(attempt.total),
            retried_stale: attempt.retried_stale,
            sent: attempt.sent,
            error: attempt.error,
            settlement: attempt.settlement.map(Settlement::name),
            cost_usd: attempt.cost,
        }
    }
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}

impl FromJson for RequestCursor {
    fn from_json(raw: &RawValue, field: &str, flaws: &mut Flaws) -> Option<Self> {
        let read = text(raw, field, flaws)?.parse();
        read.map_err(|_| flaws.add(field, FlawCode::Malformed, "is not one of ours")).ok()
    }
}

plain! {
    RequestCursor => {"type": "string", "pattern": r"^[0-9]{1,16}\.[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"};
}

/// `GET /api/v1/requests`: newest first.
pub(super) async fn list(admin: Data<Admin>, me: Principal, mut query: Query) -> Answer {
    let mut filter = request_filters::take(&mut query);
    let cursor = query.take("cursor", "the `next_cursor` of an earlier page");
    let limit = query.take_limit();
    query.finish()?;
    if !request_filters::narrow(&mut filter, &me) {
        return Listed::whole(Vec::<View>::new());
    }
    admin.settle_log().await;
    let page = admin.store.requests(filter, cursor, limit).await?;
    Listed::answer(page.items.into_iter().map(View::from).collect(), page.next)
}

/// `GET /api/v1/requests/{id}`: with attempts, decision chain, price.
pub(super) async fn show(admin: Data<Admin>, me: Principal, request: HttpRequest) -> Answer {
    let id = request.match_info().query("id").parse();
    let id = id.map(RequestId).map_err(|_| Problem::not_found("request"))?;
    admin.settle_log().await;
    let record = admin.store.request(id).await?;
    if !me.sees_usage(record.user_id, record.key_id) {
        return Err(Problem::not_found("request"));
    }
    let corrections = admin.store.corrections([id]).await?.remove(&id).unwrap_or_default();
    let mut view = WholeView::of(record, corrections);
    if !me.has(Right::Read) {
        // Which providers there are and why one was chosen is the house's business.
        (view.decisions, view.attempts) = (None, Vec::new());
    }
    Ok(HttpResponse::Ok().json(view))
}
