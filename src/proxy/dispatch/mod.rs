//! One request's handling, from its arrival to its row.
//!
//! A dispatch ends once and always: by being refused, by its answer's end, or by being dropped, which is
//! how a caller who left, a panic and the end of the drain look from here. Whatever it still holds then,
//! the grant above all, is given back, and its row is written (D13, I-28).

mod course;
mod endings;
mod tracing;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use actix_web::{HttpRequest, HttpResponseBuilder, web::Data};
use actors::{
    dispatcher::{
        grant::{Closing, Grant},
        journey::Journey,
        messages::{Ask, CallerLimits, NoProvider},
    },
    ids::{KeyId, ProviderId, RequestId},
    ledger::claim::Denied,
    provider::{card::Card, outcome::Outcome},
    session::id::SessionId,
};
use protocol::{Call, Format, Operation, Reading, Streaming, family};

use self::course::Course;
use super::{
    Proxy,
    bill::{self, Bill},
    program,
    refusal::Refused,
};
use crate::{
    client_address::client_address,
    current::{Version, keys::Caller},
    journal::{
        fault,
        intent::{Intent, Progress},
        record::{AttemptRecord, Record},
        recorder::NoRoom,
    },
    store::MoneyRefusal,
    traces::Trace,
};

pub(super) use self::endings::End;

/// One request being handled.
pub(super) struct Dispatch {
    proxy: Data<Proxy>,
    format: Format,
    arrived: Instant,
    course: Course,
    record: Record,
    journey: Option<Journey>,
    attempt: Option<Attempt>,
    bill: Option<Bill>,
    money_refusal: MoneyRefusal,
    trace: Option<Box<Trace>>,
    /// The configuration it goes by, as long as it may need it (I-52).
    version: Option<Arc<Version>>,
    over: bool,
}

/// The attempt under way.
struct Attempt {
    grant: Grant,
    row: AttemptRecord,
}

/// What an attempt that did not come to an answer leaves behind.
#[derive(Debug, Clone)]
pub(super) struct Setback {
    /// How it ended.
    pub(super) outcome: Outcome,
    /// The upstream's status, if it sent one.
    pub(super) status: Option<u16>,
    /// How long the vendor asked to be left alone.
    pub(super) cool_down: Option<Duration>,
    /// What went wrong, for the row. Never a secret.
    pub(super) error: String,
    /// Whether any byte of the request may have reached the upstream.
    pub(super) sent: bool,
    /// As much of an answer as came.
    pub(super) reading: Option<Box<Reading>>,
}

impl Dispatch {
    /// A request is here.
    pub(super) fn arrive(proxy: &Data<Proxy>, request: &HttpRequest, format: Format, id: RequestId) -> Self {
        let clock = proxy.clock();
        let arrived = clock.now();
        let mut record = Record::new(id, clock.wall(arrived));
        record.format = Some(format);
        record.client_address = client_address(request, &proxy.trusted_proxies);
        record.user_agent = program::user_agent(request.headers());
        let course = Course::new(Arc::clone(&proxy.meters), arrived);
        let (journey, attempt, bill) = (None, None, None);
        let money_refusal = MoneyRefusal::default();
        let trace = proxy.tracer.begin(request.headers(), request.method());
        let (proxy, version, over) = (proxy.clone(), None, false);
        Self {
            proxy,
            format,
            arrived,
            course,
            record,
            journey,
            attempt,
            bill,
            money_refusal,
            trace,
            version,
            over,
        }
    }

    /// The request's id.
    pub(super) fn id(&self) -> RequestId {
        self.record.id
    }

    /// Waits until what still runs is broken off.
    pub(super) fn over(&self) -> impl Future<Output = ()> + Send + 'static {
        self.proxy.drain.over()
    }

    /// The wire format it speaks.
    pub(super) fn format(&self) -> Format {
        self.format
    }

    /// Who is calling, by which configuration.
    pub(super) fn called_by(&mut self, caller: &Caller, version: Arc<Version>) {
        self.version = Some(version);
        self.record.user_id = Some(caller.user);
        self.record.key_id = Some(caller.key);
        self.money_refusal = caller.settings.money_refusal;
    }

    /// What is asked for, and which providers are out of the question; from here on there is a journey.
    ///
    /// # Errors
    /// When the caller may not ask for that model; when nobody can say what it costs, and the operator wants such
    /// requests refused.
    pub(super) fn understood(
        &mut self,
        call: &Call,
        caller: &Caller,
        closed_to_client: Vec<ProviderId>,
    ) -> Result<(), Refused> {
        let family = family(&call.model);
        let named = |conversation: &str| SessionId::new(caller.key, call.format, family, conversation);
        let session = match (&call.session, call.operation) {
            // Counting ahead of a turn must not move the conversation it counts for.
            (_, Operation::CountTokens | Operation::Embed) => None,
            (Some(mark), _) => Some(named(&mark.id)),
            (None, _) => Some(named(&format!("{:032x}", call.fingerprint))),
        };
        self.record.operation = Some(call.operation);
        self.record.model = Some(call.model.clone());
        self.record.streamed = call.stream != Streaming::No;
        self.record.session = session.map(|session| session.to_string());
        self.record.bytes_up = call.body_bytes as u64;
        self.was_understood();
        if let Some(rules) = &caller.rules {
            rules.admit_model(&call.model)?;
        }
        let version = self.version.clone().unwrap_or_else(|| self.proxy.current.version());
        let journey = self.proxy.gateway.journey(Ask {
            request: self.record.id,
            key: caller.key,
            user: caller.user,
            groups: Arc::clone(&caller.groups),
            closed_to_client,
            limits: CallerLimits {
                user: Arc::clone(&caller.user_limits),
                key: Arc::clone(&caller.key_limits),
            },
            estimate: bill::estimate(&version, call, self.proxy.wall_now())?,
            format: call.format,
            operation: call.operation,
            model: call.model.clone(),
            session,
            session_is_marked: call.session.is_some(),
            session_goes_on: call.session.is_some() || call.goes_on,
            continues: call.continues.as_deref().map(|id| answer_id(caller.key, call.format, id)),
        });
        self.journey = Some(journey.among(version.table.clone()));
        Ok(())
    }

    /// Why there is no provider to go to, as the caller is told.
    pub(super) fn not_sent(&self, model: &str, why: NoProvider) -> Refused {
        match why {
            NoProvider::Denied(Denied::OverLimit(over)) => Refused::OverLimit(over, self.money_refusal),
            NoProvider::Denied(denied) => Refused::CannotVerify(denied),
            why => Refused::NoProvider { model: model.to_owned(), why },
        }
    }

    /// When an attempt that may take `limit` must have begun to answer: the request's own deadline covers
    /// all of its attempts (I-24).
    pub(super) fn patience(&self, limit: Duration) -> tokio::time::Instant {
        let end = self.proxy.clock().now() + limit;
        let deadline = self.journey.as_ref().map_or(end, Journey::deadline);
        end.min(deadline).into()
    }

    /// Leave for the next attempt; says where it goes, and whether the conversation was there before.
    pub(super) async fn next_attempt(&mut self) -> Result<(Arc<Card>, bool), NoProvider> {
        let journey = self.journey.as_mut().ok_or(NoProvider::NotOffered)?;
        let grant = journey.next().await?;
        self.course.picked(grant.granted_at());
        self.record.reserved = journey.reserved();
        self.record.minute = journey.minute().map_or(self.record.minute, |minute| minute.0);
        let card = Arc::clone(grant.card());
        let same_home =
            journey.decisions().last().is_none_or(|d| d.bound_to.is_none_or(|home| home == card.id));
        let model = self.record.model.as_deref().unwrap_or_default();
        let sent = card.upstream_model(model);
        let version = self.version.as_ref().ok_or(NoProvider::NotOffered)?;
        self.bill = Some(Bill::open(&version.prices, &card, model, sent, self.proxy.wall_now()));
        self.record.upstream_model = Some(sent.to_owned());
        self.record.provider_id = Some(card.id);
        let started = grant.granted_at().duration_since(self.arrived);
        let row = AttemptRecord::new(card.id, card.name.clone(), started);
        self.attempt = Some(Attempt { grant, row });
        self.trace.iter_mut().for_each(|trace| trace.attempt());
        Ok((card, same_home))
    }

    /// Writes down that the attempt under way is about to be sent; nothing of it may leave before (I-39).
    pub(super) async fn intend(&self) -> Result<(), Refused> {
        let (Some(Attempt { row, .. }), Some(ask)) = (&self.attempt, self.journey.as_ref().map(Journey::ask))
        else {
            return Ok(());
        };
        let Some(user) = self.record.user_id else { return Ok(()) };
        let intent = Intent {
            request: self.record.id,
            attempt: u32::try_from(self.record.attempts.len() + 1).unwrap_or(u32::MAX),
            at: self.proxy.wall_now(),
            started_at: self.record.started_at,
            minute: self.record.minute,
            user,
            key: ask.key,
            provider: row.provider_id,
            provider_name: row.provider_name.clone(),
            format: ask.format,
            operation: ask.operation,
            model: ask.model.clone(),
            upstream_model: self.record.upstream_model.clone().unwrap_or_default(),
            session: self.record.session.clone(),
            reserved: self.record.reserved,
            input_tokens: self.record.bytes_up / bill::BYTES_PER_TOKEN,
            price: self.bill.as_ref().and_then(Bill::price_id),
            streamed: self.record.streamed,
        };
        self.proxy.recorder.intent(&intent).await.map_err(|NoRoom| Refused::CannotRecord)
    }

    /// The attempt under way is about to be sent.
    pub(super) fn sent(&mut self) {
        self.course.sent(self.proxy.clock().now());
    }

    /// Names the request, its provider and the number of attempts on an answer.
    pub(super) fn stamp(&self, answer: &mut HttpResponseBuilder) {
        let attempts = self.record.attempts.len() + usize::from(self.attempt.is_some());
        answer.insert_header(("x-pointsman-request-id", self.record.id.to_string()));
        answer.insert_header(("x-pointsman-attempts", attempts.to_string()));
        let running = self.attempt.as_ref().map(|attempt| attempt.row.provider_name.as_str());
        let last = self.record.attempts.last().map(|row| row.provider_name.as_str());
        if let Some(provider) = running.or(last) {
            answer.insert_header(("x-pointsman-provider", header_text(provider)));
        }
    }

    /// The wall clock, as vendors' reset hints are told by it.
    pub(super) fn unix_now(&self) -> i64 {
        self.proxy.wall_now().timestamp()
    }

    /// The attempt under way has come to a head with this status, after so long.
    pub(super) fn head(&mut self, status: u16, retried_stale: bool) {
        fault::point("after-send");
        let now = self.proxy.clock().now();
        self.course.head(now);
        if let Some(Attempt { grant, row }) = &mut self.attempt {
            row.status = Some(status);
            row.retried_stale = retried_stale;
            row.sent = true;
            row.head = Some(now.duration_since(grant.granted_at()));
        }
    }

    /// The first meaningful frame is here: the point after which nothing is tried elsewhere.
    pub(super) fn began(&mut self) {
        fault::point("first-event");
        let now = self.proxy.clock().now();
        self.course.began(now);
        if let Some(Attempt { grant, row }) = &mut self.attempt {
            grant.began();
            row.first_frame = grant.first_byte();
        }
        // Nothing is chosen any more, and what was chosen is at hand: a long answer keeps no old version alive.
        self.version = None;
        self.record.ttfb = Some(now.duration_since(self.arrived));
    }

    /// The attempt under way came to nothing. Says whether another may follow.
    pub(super) fn attempt_failed(&mut self, setback: &Setback) -> bool {
        let (settlement, cost) = self.lost(setback).unzip();
        if let Some(Attempt { row, .. }) = &mut self.attempt {
            row.status = setback.status;
            row.sent = setback.sent;
            (row.settlement, row.cost) = (settlement, cost.flatten());
        }
        let closing = Closing { cool_down: setback.cool_down, answer: None };
        self.close_attempt(setback.outcome, closing, Some(setback.error.clone()))
    }

    fn close_attempt(&mut self, outcome: Outcome, closing: Closing, error: Option<String>) -> bool {
        let Some(Attempt { grant, mut row }) = self.attempt.take() else { return false };
        row.outcome = outcome;
        let now = self.proxy.clock().now();
        self.course.ended(now);
        row.total = now.duration_since(grant.granted_at());
        row.error = error.map(|error| without_secret(error, grant.card()));
        let lost = row.cost;
        self.record.attempts.push(row);
        let provider = grant.provider();
        grant.close(outcome, closing);
        self.journey.as_mut().is_some_and(|journey| journey.ended(provider, outcome, lost))
    }

    /// The answer has come so far: what a crash must not lose, and what the accounts should know (I-39).
    pub(super) fn goes_on(&mut self, reading: &Reading) {
        let now = self.proxy.clock().now();
        let Some(so_far) =
            self.bill.as_mut().and_then(|bill| bill.so_far(reading, self.record.bytes_up, now))
        else {
            return;
        };
        self.proxy.recorder.progress(&Progress {
            request: self.record.id,
            at: self.proxy.clock().wall(now),
            input_tokens: so_far.usage.input_tokens,
            output_tokens: so_far.usage.output_tokens,
            cost: so_far.cost,
        });
        if let Some(journey) = &self.journey {
            journey.running(so_far.running);
        }
    }

    /// Whether the answer has used all that was left, and must end.
    pub(super) fn is_used_up(&self) -> bool {
        self.journey.as_ref().is_some_and(Journey::is_used_up)
    }
}

/// An upstream's words without our credential, which some quote in their errors (C-08).
fn without_secret(error: String, card: &Card) -> String {
    let secret = card.credential.reveal();
    if secret.is_empty() || !error.contains(secret) {
        return error;
    }
    error.replace(secret, "[credential]")
}

/// A name as it may stand in a header: what a header can't hold is percent-encoded.
fn header_text(name: &str) -> String {
    percent_encoding::utf8_percent_encode(name, percent_encoding::CONTROLS).to_string()
}

/// An earlier answer's name, within its caller and format; no model family, since any may continue it.
fn answer_id(key: KeyId, format: Format, id: &str) -> SessionId {
    SessionId::new(key, format, "", id)
}
