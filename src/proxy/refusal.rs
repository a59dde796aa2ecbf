//! Our own refusals on the data plane, spoken in the caller's dialect. The one place that decides their
//! status and wording.

use std::time::Duration;

use actix_web::{HttpResponse, http::StatusCode};
use actors::{
    dispatcher::messages::NoProvider,
    ids::RequestId,
    ledger::{
        claim::{Denied, OverLimit, Quantity},
        limits::{AccountId, LimitKind, Span},
    },
    provider::outcome::Outcome,
    restrictions::Restricted,
};
use chrono::SecondsFormat;
use protocol::{
    Format, Malformed,
    gemini::path::BadPath,
    refusal::{self, Reason, Refusal},
};

use super::{caller::NoCaller, inbound::NoBody};
use crate::store::MoneyRefusal;

/// The longest wait a client is told: beyond it, it had better be told to give up.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// Why a request is answered by us instead of a provider.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refused {
    /// Nobody we know is calling.
    #[error(transparent)]
    NoCaller(#[from] NoCaller),
    /// The body was not taken in.
    #[error(transparent)]
    NoBody(#[from] NoBody),
    /// The request can't be understood.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// The path is Gemini's, but not one we can serve.
    #[error(transparent)]
    BadPath(#[from] BadPath),
    /// The path names nothing we serve.
    #[error("there is no `{0}` here")]
    NoSuchPath(String),
    /// The caller may not do this.
    #[error(transparent)]
    Restricted(#[from] Restricted),
    /// The list of models has no such entry.
    #[error("there is no model `{0}` here")]
    NoSuchModel(String),
    /// The path is served, the method is not.
    #[error("method {0} is not served on this path")]
    NoSuchMethod(String),
    /// Websockets are not served; clients fall back to plain HTTP on this answer.
    #[error("websocket is not served here; use plain http")]
    NoWebsocket,
    /// No provider to send it to.
    #[error("model `{model}`: {why}")]
    NoProvider {
        /// What was asked for.
        model: String,
        /// Why there is none.
        why: NoProvider,
    },
    /// A limit of the caller's stands in the way.
    #[error("{}", over_limit(.0))]
    OverLimit(Box<OverLimit>, MoneyRefusal),
    /// What the caller has used is not known just now, so nobody can say whether there is more.
    #[error("{0}")]
    CannotVerify(Denied),
    /// Nobody could say what it costs, and the operator wants such requests refused.
    #[error("no price is known for model `{0}`")]
    Unpriced(String),
    /// Every attempt failed, and none left an answer that could be passed on.
    #[error("the provider failed to answer ({})", .0.name())]
    Failed(Outcome),
    /// Usage could not be recorded any more, so nothing is started.
    #[error("usage can't be recorded at the moment; nothing new is started")]
    CannotRecord,
    /// We have not read our own configuration yet.
    #[error("the gateway is starting")]
    Starting,
    /// We are shutting down.
    #[error("the gateway is shutting down")]
    Draining,
    /// A fault of ours.
    #[error("internal error")]
    Internal,
}

impl Refused {
    /// The stable word for rows and metrics.
    #[must_use]
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::NoCaller(NoCaller::Missing) => "key_missing",
            Self::NoCaller(NoCaller::Unknown) => "key_unknown",
            Self::NoCaller(NoCaller::Ambiguous) => "key_ambiguous",
            Self::NoCaller(NoCaller::Disabled) => "key_disabled",
            Self::NoCaller(NoCaller::Expired) => "key_expired",
            Self::NoBody(NoBody::TooLarge { .. }) => "body_too_large",
            Self::NoBody(NoBody::Encoded(_)) => "body_encoded",
            Self::NoBody(NoBody::TooSlow) => "body_too_slow",
            Self::NoBody(NoBody::Broken) => "body_broken",
            Self::Malformed(_) => "malformed",
            Self::NoSuchPath(_) | Self::BadPath(_) => "no_such_path",
            Self::Restricted(Restricted::Model { .. }) => "model_restricted",
            Self::Restricted(Restricted::Client { .. }) => "client_restricted",
            Self::NoSuchModel(_) => "no_such_model",
            Self::NoSuchMethod(_) => "no_such_method",
            Self::NoWebsocket => "no_websocket",
            Self::NoProvider { why, .. } => match why {
                NoProvider::NotOffered => "model_not_offered",
                NoProvider::NotAllowed => "model_not_allowed",
                NoProvider::ClientNotAllowed => "client_not_allowed",
                NoProvider::HomeUnavailable { .. } => "home_unavailable",
                NoProvider::Unavailable { limited: true, .. } => "providers_limited",
                NoProvider::Unavailable { limited: false, .. } => "providers_unavailable",
                NoProvider::AllFailed | NoProvider::AttemptsSpent => "all_attempts_failed",
                NoProvider::BudgetSpent => "retry_budget_spent",
                NoProvider::DeadlineOver => "deadline_over",
                NoProvider::Overloaded => "overloaded",
                NoProvider::Denied(_) => "denied",
            },
            Self::OverLimit(over, _) => match over.kind {
                LimitKind::Rpm => "over_rpm",
                LimitKind::Tpm => "over_tpm",
                LimitKind::Concurrency => "over_concurrency",
                LimitKind::Sessions => "over_sessions",
                LimitKind::Usd(Span::FiveHours) => "over_usd_5h",
                LimitKind::Usd(Span::Day) => "over_usd_daily",
                LimitKind::Usd(Span::Week) => "over_usd_weekly",
                LimitKind::Usd(Span::Month) => "over_usd_monthly",
                LimitKind::Usd(Span::Total) => "over_usd_total",
            },
            Self::CannotVerify(_) => "cannot_verify",
            Self::Unpriced(_) => "unpriced",
            Self::Failed(outcome) => outcome.name(),
            Self::CannotRecord => "cannot_record",
            Self::Starting => "starting",
            Self::Draining => "draining",
            Self::Internal => "internal",
        }
    }

    /// Whose limit it is for, and which, if it is for one.
    #[must_use]
    pub(super) fn limit(&self) -> Option<(&'static str, &'static str)> {
        let Self::OverLimit(over, _) = self else { return None };
        let account = match over.account {
            AccountId::User(_) => "user",
            AccountId::Key(_) => "key",
            AccountId::Provider(_) => "provider",
        };
        Some((account, self.kind().trim_start_matches("over_")))
    }

    /// What the dialects call it, and how long to wait where that helps.
    fn reason(&self) -> (Reason, Option<Duration>) {
        match self {
            Self::NoCaller(_) => (Reason::UnknownKey, None),
            Self::NoBody(NoBody::TooLarge { .. }) => (Reason::TooLarge, None),
            Self::NoBody(NoBody::Encoded(_)) => (Reason::Unsupported, None),
            Self::NoBody(NoBody::TooSlow | NoBody::Broken) | Self::Malformed(_) => (Reason::Malformed, None),
            Self::Restricted(Restricted::Model { .. }) => (Reason::ForbiddenModel, None),
            Self::Restricted(Restricted::Client { .. }) => (Reason::Forbidden, None),
            Self::NoSuchPath(_)
            | Self::NoSuchModel(_)
            | Self::BadPath(BadPath::Shape | BadPath::Method(_)) => (Reason::NotFound, None),
            Self::BadPath(_) => (Reason::Malformed, None),
            Self::NoSuchMethod(_) => (Reason::MethodNotAllowed, None),
            Self::NoWebsocket => (Reason::UpgradeRequired, None),
            Self::NoProvider { why, .. } => no_provider(why),
            Self::OverLimit(over, money) => match (over.kind, money) {
                (LimitKind::Usd(_), MoneyRefusal::TooManyRequests) => (Reason::SpendLimit, over.retry_after),
                (LimitKind::Usd(_), MoneyRefusal::PaymentRequired) => {
                    (Reason::PaymentRequired, over.retry_after)
                }
                _ => (Reason::RateLimit, over.retry_after),
            },
            Self::CannotVerify(_) => (Reason::Overloaded, Some(Duration::from_secs(5))),
            Self::Unpriced(_) => (Reason::ForbiddenModel, None),
            Self::Failed(outcome) => failed(*outcome),
            Self::CannotRecord => (Reason::Overloaded, Some(Duration::from_secs(5))),
            Self::Starting | Self::Draining => (Reason::Draining, Some(Duration::from_secs(1))),
            Self::Internal => (Reason::Internal, None),
        }
    }

    /// The answer.
    #[must_use]
    pub(super) fn response(&self, format: Format, request: RequestId) -> HttpResponse {
        let (reason, retry_after) = self.reason();
        let refusal = Refusal {
            reason,
            message: self.to_string(),
            request_id: request.to_string(),
            retry_after,
            resets_at_unix: match self {
                Self::OverLimit(over, _) => over.resets_at.map(|at| at.timestamp()),
                _ => None,
            },
        };
        let rendered = refusal::render(format, &refusal);
        let status = StatusCode::from_u16(rendered.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = HttpResponse::build(status);
        response.insert_header(("x-pointsman-request-id", request.to_string()));
        response.insert_header(("x-pointsman-error-source", "gateway"));
        for (name, value) in rendered.headers {
            response.insert_header((name, value));
        }
        response.body(rendered.body)
    }
}

/// Which limit, how much, and when there is room again: what people read in their client.
fn over_limit(over: &OverLimit) -> String {
    let OverLimit { account, kind, limit, used, reserved, asked, resets_at, .. } = over;
    let whose = match account {
        AccountId::User(_) => "your user's",
        AccountId::Key(_) => "this api key's",
        AccountId::Provider(_) => "the provider's",
    };
    let what = match kind {
        LimitKind::Rpm => "requests per minute",
        LimitKind::Tpm => "tokens per minute",
        LimitKind::Concurrency => "requests at once",
        LimitKind::Sessions => "conversations at once",
        LimitKind::Usd(Span::FiveHours) => "spending in five hours",
        LimitKind::Usd(Span::Day) => "daily spending",
        LimitKind::Usd(Span::Week) => "weekly spending",
        LimitKind::Usd(Span::Month) => "monthly spending",
        LimitKind::Usd(Span::Total) => "total spending",
    };
    let (used, reserved, asked) = (cents(used), cents(reserved), cents(asked));
    let standing = format!(
        "{whose} limit on {what} is {}: {used} used, {reserved} reserved by running requests, {asked} needed",
        cents(limit)
    );
    match resets_at {
        Some(at) => format!("{standing}; it resets at {}", at.to_rfc3339_opts(SecondsFormat::Secs, true)),
        None => standing,
    }
}

/// Dollars to the hundredth of a cent: nobody reads twelve decimals.
fn cents(quantity: &Quantity) -> String {
    match quantity {
        Quantity::Usd(amount) => {
            let rounded =
                amount.to_money().as_decimal().with_scale_round(4, bigdecimal::RoundingMode::HalfUp);
            format!("${}", rounded.normalized().to_plain_string())
        }
        Quantity::Count(count) => count.to_string(),
    }
}

fn no_provider(why: &NoProvider) -> (Reason, Option<Duration>) {
    match *why {
        NoProvider::Denied(_) => (Reason::RateLimit, None),
        NoProvider::NotOffered => (Reason::NotFound, None),
        NoProvider::NotAllowed => (Reason::ForbiddenModel, None),
        NoProvider::ClientNotAllowed => (Reason::Forbidden, None),
        NoProvider::Unavailable { coming_back, limited: true } => {
            (Reason::RateLimit, Some(coming_back.unwrap_or(LONGEST_WAIT)))
        }
        NoProvider::Unavailable { coming_back, limited: false }
        | NoProvider::HomeUnavailable { coming_back } => {
            let coming_back = coming_back.filter(|wait| *wait <= LONGEST_WAIT);
            (Reason::NoProvider { coming_back }, coming_back)
        }
        NoProvider::AllFailed | NoProvider::AttemptsSpent => (Reason::UpstreamFailed, None),
        NoProvider::BudgetSpent => {
            let soon = Duration::from_secs(2);
            (Reason::NoProvider { coming_back: Some(soon) }, Some(soon))
        }
        NoProvider::DeadlineOver => (Reason::Timeout, None),
        NoProvider::Overloaded => (Reason::Overloaded, Some(Duration::from_secs(1))),
    }
}

fn failed(outcome: Outcome) -> (Reason, Option<Duration>) {
    match outcome {
        Outcome::FirstByteTimeout | Outcome::IdleTimeout | Outcome::TotalTimeout => (Reason::Timeout, None),
        Outcome::RateLimited => (Reason::RateLimit, Some(Duration::from_secs(5))),
        Outcome::Overloaded => {
            let soon = Duration::from_secs(5);
            (Reason::NoProvider { coming_back: Some(soon) }, Some(soon))
        }
        Outcome::ModelUnknown => (Reason::NotFound, None),
        // Waiting cures neither a rejected credential nor a forbidden address.
        Outcome::CredentialRejected | Outcome::AddressRefused => {
            (Reason::NoProvider { coming_back: None }, None)
        }
        _ => (Reason::UpstreamFailed, None),
    }
}
