//! The first thing an operator looks at: what is going on now, today against yesterday, and who answers.

use std::collections::BTreeMap;

use actix_web::{HttpResponse, web::Data};
use actors::{
    dispatcher::PROVIDER, ids::ProviderId, ledger::calendar::Period, money::Pico, provider::outcome::Outcome,
};
use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

use super::{
    Admin, Answer, Principal,
    error::Problem,
    query::Query,
    quotas,
    schema::view,
    statistics::{Bucket, mean_ms, minutes, rounded, sum, take_span},
};
use crate::store::{AttemptsAsk, Facet, Firsts, Tally, UsageAsk, UsageOf};

view! {
    #[derive(Debug, Serialize)]
    pub(super) struct OverviewView {
        at: DateTime<Utc>,
        time_zone: &'static str,
        now: NowView,
        /// Since the day began.
        today: SumsView,
        /// The day before, up to the same time.
        yesterday: SumsView,
        /// The last full minute.
        last_minute: SumsView,
    }
}

view! {
    #[derive(Debug, Serialize)]
    pub(super) struct NowView {
        /// Requests that providers are working on.
        in_flight: u64,
        /// Conversations that are bound to a provider.
        sessions: u64,
    }
}

view! {
    #[derive(Debug, Serialize)]
    pub(super) struct SumsView {
        requests: i64,
        errors: i64,
        error_share: Option<f64>,
        tokens: i64,
        cost_usd: Pico,
        mean_duration_ms: Option<f64>,
    }
}

impl From<Tally> for SumsView {
    fn from(tally: Tally) -> Self {
        Self {
            requests: tally.requests,
            errors: tally.errors,
            error_share: share(tally.errors, tally.requests),
            tokens: tally.tokens(),
            cost_usd: tally.cost,
            mean_duration_ms: mean_ms(tally.duration_us, tally.requests),
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a share for people")]
fn share(part: i64, of: i64) -> Option<f64> {
    (of > 0).then(|| rounded(part as f64 / of as f64))
}

/// `GET /api/v1/overview`; to who may not look at everything, of what is the principal's own.
pub(super) async fn overview(admin: Data<Admin>, me: Principal, query: Query) -> Answer {
    query.finish()?;
    let (calendar, now) = (admin.current.calendar_of(&admin.current.settings()), Utc::now());
    let today = Bucket::Day.around(&calendar, now);
    let yesterday = Bucket::Day.around(&calendar, today.from - TimeDelta::microseconds(1));
    let same_time = (yesterday.from + (now - today.from)).min(yesterday.until);
    let today = minutes(&Period { from: today.from, until: now });
    let before = minutes(&Period { from: yesterday.from, until: same_time });
    let last_minute = today.end - 2..today.end - 1;
    admin.settle_log().await;
    let periods = vec![today, before, last_minute];
    let (by, of) = own_sums(&me);
    let lines = admin.store.usage(UsageAsk { by, of, periods, subjects: None }).await?;
    let [today, yesterday, last_minute] =
        [0, 1, 2].map(|place| sum(lines.iter().filter(|line| line.period == place)).into());
    Ok(HttpResponse::Ok().json(OverviewView {
        at: now,
        time_zone: calendar.zone.name(),
        now: going_on(&admin, &me).await?,
        today,
        yesterday,
        last_minute,
    }))
}

/// The sums that tell what somebody may look at; of everything those of providers, who are few.
fn own_sums(me: &Principal) -> (Facet, UsageOf) {
    match me.scope() {
        (_, Some(key)) => (Facet::Key, UsageOf { key: Some(key.0), ..UsageOf::default() }),
        (Some(user), None) => (Facet::User, UsageOf { user: Some(user.0), ..UsageOf::default() }),
        (None, None) => (Facet::Provider, UsageOf::default()),
    }
}

async fn going_on(admin: &Admin, me: &Principal) -> Result<NowView, Problem> {
    let account = match me.scope() {
        (_, Some(key)) => quotas::of_key(admin, key).await?,
        (Some(user), None) => quotas::of_user(admin, user).await?,
        (None, None) => return Ok(going_on_everywhere(admin).await),
    };
    let account = admin.gateway.quota(account).await?.ok_or_else(|| Problem::not_found("account"))?;
    Ok(NowView { in_flight: account.concurrency.used, sessions: account.sessions.used })
}

async fn going_on_everywhere(admin: &Admin) -> NowView {
    let (mut in_flight, mut sessions) = (0, 0);
    for actor in admin.gateway.actors().await {
        let figure = |name: &str| actor.detail.as_ref().and_then(|detail| detail.get(name)?.as_u64());
        if actor.kind == PROVIDER {
            in_flight += figure("in_flight").unwrap_or_default();
        }
        sessions += figure("bindings").unwrap_or_default();
    }
    NowView { in_flight, sessions }
}

/// What an outcome says of the provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lane {
    Succeeded,
    /// It had too much to do.
    Refused,
    Failed,
    /// Nothing: the caller or we had their part in it.
    Neither,
}

impl Lane {
    const fn of(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Answered => Self::Succeeded,
            Outcome::RateLimited | Outcome::Overloaded => Self::Refused,
            Outcome::CallersFault
            | Outcome::ModelUnknown
            | Outcome::CallerLeft
            | Outcome::Drained
            | Outcome::Abandoned => Self::Neither,
            Outcome::CredentialRejected
            | Outcome::ProviderFailed
            | Outcome::ErrorInside
            | Outcome::Redirected
            | Outcome::Garbage
            | Outcome::ConnectFailed
            | Outcome::AddressRefused
            | Outcome::FirstByteTimeout
            | Outcome::IdleTimeout
            | Outcome::TotalTimeout
            | Outcome::Cut => Self::Failed,
        }
    }
}

/// Attempts of one provider and period.
#[derive(Debug, Clone, Default)]
struct Lanes {
    outcomes: BTreeMap<&'static str, i64>,
    succeeded: i64,
    refused: i64,
    failed: i64,
    neither: i64,
    firsts: Firsts,
}

impl Lanes {
    fn add(&mut self, outcome: Outcome, attempts: i64, firsts: &Firsts) {
        *self.outcomes.entry(outcome.name()).or_default() += attempts;
        match Lane::of(outcome) {
            Lane::Succeeded => self.succeeded += attempts,
            Lane::Refused => self.refused += attempts,
            Lane::Failed => self.failed += attempts,
            Lane::Neither => self.neither += attempts,
        }
        self.firsts.add(firsts);
    }
}

view! {
    #[derive(Debug, Serialize)]
    pub(super) struct LanesView {
        succeeded: i64,
        refused: i64,
        failed: i64,
        neither: i64,
        outcomes: BTreeMap<&'static str, i64>,
        /// Of those that say something of the provider.
        success_share: Option<f64>,
        /// Between what it may well be, at 95 %: few attempts tell little.
        success_interval: Option<[f64; 2]>,
        first_frame_p50_ms: Option<f64>,
        first_frame_p95_ms: Option<f64>,
        first_frame_p99_ms: Option<f64>,
    }
}

impl From<Lanes> for LanesView {
    fn from(lanes: Lanes) -> Self {
        let Lanes { outcomes, succeeded, refused, failed, neither, firsts } = lanes;
        let told = succeeded + refused + failed;
        let [p50, p95, p99] = [0.5, 0.95, 0.99].map(|share| firsts.quantile_ms(share).map(rounded));
        Self {
            succeeded,
            refused,
            failed,
            neither,
            outcomes,
            success_share: share(succeeded, told),
            success_interval: wilson(succeeded, told),
            first_frame_p50_ms: p50,
            first_frame_p95_ms: p95,
            first_frame_p99_ms: p99,
        }
    }
}

/// Wilson's interval for a share, at 95 %.
#[expect(clippy::cast_precision_loss, reason = "an estimate for people")]
fn wilson(part: i64, of: i64) -> Option<[f64; 2]> {
    const Z: f64 = 1.959_964;
    if of == 0 {
        return None;
    }
    let (n, p) = (of as f64, part as f64 / of as f64);
    let middle = p + Z * Z / (2.0 * n);
    let reach = Z * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
    let bound = |at: f64| rounded((at / (1.0 + Z * Z / n)).clamp(0.0, 1.0));
    Some([bound(middle - reach), bound(middle + reach)])
}

view! {
    #[derive(Debug, Serialize)]
    pub(super) struct ProviderView {
        provider_id: ProviderId,
        /// What it is called now; none when it is gone.
        name: Option<String>,
        #[serde(flatten)]
        whole: LanesView,
        buckets: Vec<BucketView>,
    }
}

view! {
    #[derive(Debug, Serialize)]
    pub(super) struct BucketView {
        from: DateTime<Utc>,
        #[serde(flatten)]
        lanes: LanesView,
    }
}

view! {
    #[derive(Debug, Serialize)]
    pub(super) struct AvailabilityView {
        from: DateTime<Utc>,
        to: DateTime<Utc>,
        time_zone: &'static str,
        items: Vec<ProviderView>,
    }
}

/// `GET /api/v1/availability`: attempts are kept by the hour, so the span is told in full hours.
pub(super) async fn availability(admin: Data<Admin>, mut query: Query) -> Answer {
    let bucket = query.take("bucket", Bucket::EXPECTED).unwrap_or(Bucket::Hour);
    let span = take_span(&mut query, bucket)?;
    let provider = query.take("provider_id", "a number").map(ProviderId);
    query.finish()?;
    let calendar = admin.current.calendar_of(&admin.current.settings());
    let hour = |at: i64| DateTime::from_timestamp(at.saturating_mul(3_600), 0).unwrap_or_default();
    let minutes = minutes(&span);
    let hours = minutes.start.div_euclid(60)..-(-minutes.end).div_euclid(60);
    let span = Period { from: hour(hours.start), until: hour(hours.end) };
    let periods = bucket.periods(&calendar, &span)?;
    admin.settle_log().await;
    let lines = admin.store.attempts(AttemptsAsk { provider, hours }).await?;
    let mut found: BTreeMap<i64, (Lanes, BTreeMap<usize, Lanes>)> = BTreeMap::new();
    for line in lines {
        let at = hour(line.hour);
        let place = periods.partition_point(|period| period.until <= at);
        let (whole, by_period) = found.entry(line.provider.0).or_default();
        whole.add(line.outcome, line.attempts, &line.firsts);
        by_period.entry(place).or_default().add(line.outcome, line.attempts, &line.firsts);
    }
    let names = admin.store.names(Facet::Provider, found.keys().copied().collect()).await?;
    let items = found.into_iter().map(|(id, (whole, by_period))| ProviderView {
        provider_id: ProviderId(id),
        name: names.get(&id).cloned(),
        whole: whole.into(),
        buckets: by_period
            .into_iter()
            .filter_map(|(place, lanes)| {
                Some(BucketView { from: periods.get(place)?.from, lanes: lanes.into() })
            })
            .collect(),
    });
    let (from, to, time_zone) = (span.from, span.until, calendar.zone.name());
    Ok(HttpResponse::Ok().json(AvailabilityView { from, to, time_zone, items: items.collect() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_success_of_one_attempt_is_no_certainty() {
        assert_eq!(wilson(0, 0), None);
        assert_eq!(wilson(1, 1), Some([0.207, 1.0]));
        assert_eq!(wilson(0, 1), Some([0.0, 0.793]));
        assert_eq!(wilson(990, 1_000), Some([0.982, 0.995]));
    }
}
