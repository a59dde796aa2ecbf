//! What requests came to: over time and by rank, by user, key, provider, model, client, wire format or
//! operation.

use std::{collections::HashMap, ops::Range};

use actix_web::{HttpResponse, web::Data};
use actors::{
    ids::{KeyId, UserId},
    ledger::calendar::{Calendar, Period},
};
use chrono::{DateTime, NaiveTime, TimeDelta, Utc};
use protocol::{Format, Operation};
use serde::Serialize;

use super::{
    Admin, Answer, Principal, Right,
    error::{FlawCode, Problem},
    query::Query,
    request_filters::TotalsView,
    schema::view,
};
use crate::{
    journal::record::minute_of,
    store::{Facet, Tally, UsageAsk, UsageLine, UsageOf},
};

/// Most periods of an answer: a month of hours, two years of days.
const MOST_PERIODS: usize = 750;
/// Subjects that are told one by one.
pub(super) const SUBJECTS: usize = 10;
pub(super) const MOST_SUBJECTS: usize = 100;

/// How long a period is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bucket {
    Hour,
    Day,
    Week,
    Month,
}

impl std::str::FromStr for Bucket {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        match name {
            "hour" => Ok(Self::Hour),
            "day" => Ok(Self::Day),
            "week" => Ok(Self::Week),
            "month" => Ok(Self::Month),
            _ => Err(()),
        }
    }
}

impl Bucket {
    pub(super) const EXPECTED: &str = "hour, day, week or month";

    const fn name(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
        }
    }

    /// The period around an instant. Hours are those of UTC.
    pub(super) fn around(self, calendar: &Calendar, at: DateTime<Utc>) -> Period {
        match self {
            Self::Hour => {
                let from =
                    DateTime::from_timestamp(at.timestamp().div_euclid(3_600) * 3_600, 0).unwrap_or(at);
                Period { from, until: from + TimeDelta::hours(1) }
            }
            Self::Day => calendar.day(NaiveTime::MIN, at),
            Self::Week => calendar.week(at),
            Self::Month => calendar.month(at),
        }
    }

    /// The periods that make up a span, the first and the last cut to it.
    pub(super) fn periods(self, calendar: &Calendar, span: &Period) -> Result<Vec<Period>, Problem> {
        let (mut periods, mut at) = (Vec::new(), span.from);
        while at < span.until {
            if periods.len() == MOST_PERIODS {
                let wrong = format!("must be at most {MOST_PERIODS} periods after `from`");
                return Err(Problem::field("to", FlawCode::OutOfRange, wrong));
            }
            let until = self.around(calendar, at).until.min(span.until);
            periods.push(Period { from: at, until });
            at = until;
        }
        Ok(periods)
    }
}

/// Minutes of a period; a minute that it ends in counts.
pub(super) fn minutes(period: &Period) -> Range<i64> {
    minute_of(period.from)..minute_of(period.until + TimeDelta::seconds(60) - TimeDelta::microseconds(1))
}

view! {
    /// A tally as shown.
    #[derive(Debug, Serialize)]
    pub(super) struct TallyView {
        #[serde(flatten)]
        totals: TotalsView,
        duration_ms: SpanView,
        first_byte_ms: SpanView,
    }
}

view! {
    /// How long something took, in milliseconds; the percentiles are estimates from a histogram.
    #[derive(Debug, Serialize)]
    pub(super) struct SpanView {
        mean: Option<f64>,
        p50: Option<f64>,
        p95: Option<f64>,
        p99: Option<f64>,
    }
}

impl From<Tally> for TallyView {
    fn from(tally: Tally) -> Self {
        let mean = |micros, count| mean_ms(micros, count);
        let percentiles = [0.5, 0.95, 0.99];
        let [p50, p95, p99] = percentiles.map(|share| tally.duration_ms(share).map(rounded));
        let duration_ms = SpanView { mean: mean(tally.duration_us, tally.requests), p50, p95, p99 };
        let [p50, p95, p99] = percentiles.map(|share| tally.first_byte_ms(share).map(rounded));
        let first_byte_ms = SpanView { mean: mean(tally.first_us, tally.firsts), p50, p95, p99 };
        Self { totals: tally.into(), duration_ms, first_byte_ms }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a mean for people")]
pub(super) fn mean_ms(micros: i64, count: i64) -> Option<f64> {
    (count > 0).then(|| rounded(micros as f64 / count as f64 / 1_000.0))
}

/// To three digits behind the point.
pub(super) fn rounded(figure: f64) -> f64 {
    (figure * 1_000.0).round() / 1_000.0
}

view! {
    /// One subject. Of users, keys and providers `subject` is the id; empty where there was none.
    #[derive(Debug, Serialize)]
    pub(super) struct SubjectView {
        subject: String,
        /// What it is called now; none when it is gone or never was.
        name: Option<String>,
        #[serde(flatten)]
        tally: TallyView,
        #[serde(skip_serializing_if = "Option::is_none")]
        series: Option<Vec<PointView>>,
    }
}

view! {
    /// What a subject came to in one period; periods without any are left out.
    #[derive(Debug, Serialize)]
    pub(super) struct PointView {
        from: DateTime<Utc>,
        #[serde(flatten)]
        tally: TallyView,
    }
}

view! {
    #[derive(Debug, Serialize)]
    pub(super) struct StatisticsView {
        by: &'static str,
        bucket: &'static str,
        time_zone: &'static str,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
        /// Where each period begins.
        periods: Vec<DateTime<Utc>>,
        /// Of all subjects.
        total: TallyView,
        /// Those that cost most.
        items: Vec<SubjectView>,
        /// All others together; none when there are no others.
        rest: Option<TallyView>,
    }
}

view! {
    #[derive(Debug, Serialize)]
    pub(super) struct LeaderboardView {
        by: &'static str,
        period: &'static str,
        time_zone: &'static str,
        /// None for all time.
        from: Option<DateTime<Utc>>,
        to: DateTime<Utc>,
        total: TallyView,
        items: Vec<SubjectView>,
    }
}

/// By what subjects are ranked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rank {
    Cost,
    Requests,
    Tokens,
}

impl std::str::FromStr for Rank {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        match name {
            "cost" => Ok(Self::Cost),
            "requests" => Ok(Self::Requests),
            "tokens" => Ok(Self::Tokens),
            _ => Err(()),
        }
    }
}

impl Rank {
    /// Puts the largest first, those that are equal in the order of their names.
    fn sort(self, lines: &mut [UsageLine]) {
        lines.sort_by(|a, b| {
            let largest = match self {
                Self::Cost => b.tally.cost.cmp(&a.tally.cost),
                Self::Requests => b.tally.requests.cmp(&a.tally.requests),
                Self::Tokens => b.tally.tokens().cmp(&a.tally.tokens()),
            };
            largest.then(b.tally.requests.cmp(&a.tally.requests)).then_with(|| a.subject.cmp(&b.subject))
        });
    }
}

fn take_limit(query: &mut Query) -> usize {
    query.take_within("limit", 1..=MOST_SUBJECTS, SUBJECTS)
}

fn take_of(query: &mut Query) -> UsageOf {
    let id = "a number";
    UsageOf {
        user: query.take("user_id", id),
        key: query.take("key_id", id),
        provider: query.take("provider_id", id),
        model: query.take_text("model"),
        client: query.take_text("client"),
        format: query.take_named("wire_format", &Format::ALL, Format::name),
        operation: query.take_named("operation", &Operation::ALL, Operation::name),
    }
}

pub(super) fn sum<'a>(lines: impl IntoIterator<Item = &'a UsageLine>) -> Tally {
    lines.into_iter().fold(Tally::default(), |mut sum, line| {
        sum.add(&line.tally);
        sum
    })
}

/// Narrows a question to what may be looked at; false where that is nothing.
fn narrow(of: &mut UsageOf, me: &Principal) -> bool {
    let Some((user, key)) = me.narrow(of.user.map(UserId), of.key.map(KeyId)) else { return false };
    (of.user, of.key) = (user.map(|id| id.0), key.map(|id| id.0));
    true
}

/// `GET /api/v1/statistics`; to who may not look at everything, of what is the principal's own.
pub(super) async fn statistics(admin: Data<Admin>, me: Principal, mut query: Query) -> Answer {
    let by = query.take_named("by", Facet::ALL, Facet::name).unwrap_or(Facet::User);
    let bucket = query.take("bucket", Bucket::EXPECTED).unwrap_or(Bucket::Day);
    let span = take_span(&mut query, bucket)?;
    let (mut of, limit) = (take_of(&mut query), take_limit(&mut query));
    query.finish()?;
    // Of nobody there is nothing.
    let subjects = if narrow(&mut of, &me) { None } else { Some(Vec::new()) };
    let calendar = admin.current.calendar_of(&admin.current.settings());
    let periods = bucket.periods(&calendar, &span)?;
    admin.settle_log().await;
    let whole = UsageAsk { by, of: of.clone(), periods: vec![minutes(&span)], subjects };
    let mut ranked = admin.store.usage(whole).await?;
    Rank::Cost.sort(&mut ranked);
    let total = sum(&ranked);
    let others = ranked.split_off(limit.min(ranked.len()));
    let subjects: Vec<String> = ranked.iter().map(|line| line.subject.clone()).collect();
    let wanted = periods.iter().map(minutes).collect();
    let series = if subjects.is_empty() {
        Vec::new()
    } else {
        let ask = UsageAsk { by, of, periods: wanted, subjects: Some(subjects) };
        admin.store.usage(ask).await?
    };
    let mut points: HashMap<String, Vec<PointView>> = HashMap::new();
    for UsageLine { period, subject, tally } in series {
        if let Some(period) = periods.get(period) {
            points.entry(subject).or_default().push(PointView { from: period.from, tally: tally.into() });
        }
    }
    let mut items = subjects_of(&admin, by, ranked).await?;
    let nameless = by == Facet::Provider && !me.has(Right::Read);
    for item in &mut items {
        item.series = Some(points.remove(&item.subject).unwrap_or_default());
        // What providers are called is the house's business.
        item.name = item.name.take().filter(|_| !nameless);
    }
    Ok(HttpResponse::Ok().json(StatisticsView {
        by: by.name(),
        bucket: bucket.name(),
        time_zone: calendar.zone.name(),
        from: span.from,
        to: span.until,
        periods: periods.iter().map(|period| period.from).collect(),
        total: total.into(),
        items,
        rest: (!others.is_empty()).then(|| sum(&others).into()),
    }))
}

/// From when to when; the last day of hours, the last 30 days of days, and so on, unless it is told.
pub(super) fn take_span(query: &mut Query, bucket: Bucket) -> Result<Period, Problem> {
    let until = query.take_moment("to").unwrap_or_else(Utc::now);
    let usual = match bucket {
        Bucket::Hour => TimeDelta::days(1),
        Bucket::Day => TimeDelta::days(30),
        Bucket::Week => TimeDelta::weeks(12),
        Bucket::Month => TimeDelta::days(365),
    };
    let from = query.take_moment("from");
    let from = from.or_else(|| until.checked_sub_signed(usual)).unwrap_or(until);
    if from >= until {
        return Err(Problem::field("from", FlawCode::OutOfRange, "must be before `to`"));
    }
    Ok(Period { from, until })
}

/// `GET /api/v1/leaderboard`.
pub(super) async fn leaderboard(admin: Data<Admin>, mut query: Query) -> Answer {
    let by = query.take_named("by", Facet::ALL, Facet::name).unwrap_or(Facet::User);
    let sort = query.take("sort", "cost, requests or tokens").unwrap_or(Rank::Cost);
    let wanted = query.take_text("period").unwrap_or_else(|| "day".to_owned());
    let period = match wanted.as_str() {
        "day" => Some(Bucket::Day),
        "week" => Some(Bucket::Week),
        "month" => Some(Bucket::Month),
        "all" => None,
        _ => return Err(Problem::field("period", FlawCode::NotOneOf, "must be day, week, month or all")),
    };
    let limit = take_limit(&mut query);
    query.finish()?;
    let (calendar, now) = (admin.current.calendar_of(&admin.current.settings()), Utc::now());
    let from = period.map(|period| period.around(&calendar, now).from);
    let span = Period { from: from.unwrap_or(DateTime::UNIX_EPOCH), until: now };
    admin.settle_log().await;
    let ask = UsageAsk { by, of: UsageOf::default(), periods: vec![minutes(&span)], subjects: None };
    let mut ranked = admin.store.usage(ask).await?;
    let total = sum(&ranked);
    sort.sort(&mut ranked);
    ranked.truncate(limit);
    Ok(HttpResponse::Ok().json(LeaderboardView {
        by: by.name(),
        period: period.map_or("all", Bucket::name),
        time_zone: calendar.zone.name(),
        from,
        to: now,
        total: total.into(),
        items: subjects_of(&admin, by, ranked).await?,
    }))
}

/// The lines with the names of their subjects.
async fn subjects_of(admin: &Admin, by: Facet, lines: Vec<UsageLine>) -> Result<Vec<SubjectView>, Problem> {
    let ids = lines.iter().filter_map(|line| line.subject.parse().ok()).collect();
    let names = admin.store.names(by, ids).await?;
    let views = lines.into_iter().map(|UsageLine { subject, tally, .. }| {
        let name = match by {
            Facet::User | Facet::Key | Facet::Provider => {
                subject.parse().ok().and_then(|id: i64| names.get(&id).cloned())
            }
            _ => (!subject.is_empty()).then(|| subject.clone()),
        };
        SubjectView { subject, name, tally: tally.into(), series: None }
    });
    Ok(views.collect())
}
