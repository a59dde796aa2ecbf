//! The second reckoning: slow, obvious, and without a line in common with the first.

use std::sync::Arc;

use actors::{
    ids::RequestId,
    ledger::{
        claim::Payers,
        limits::{AccountId, Day, FiveHours, Limits, Span},
        tally::Forgiven,
    },
    money::Pico,
};
use chrono::{DateTime, Datelike, Days, Months, NaiveTime, Utc};

/// One request, for ever.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) id: RequestId,
    pub(crate) payers: Payers,
    pub(crate) admitted: DateTime<Utc>,
    /// What each payer holds; nothing any more once it has ended.
    pub(crate) reserved: Vec<Pico>,
    pub(crate) open: bool,
    /// What it cost, with the number of its record, once it is on record.
    pub(crate) recorded: Option<(u64, Pico)>,
    /// Per payer: whether its cost has reached the book, by whichever way.
    pub(crate) counted: Vec<bool>,
}

/// One account's side of it.
#[derive(Debug, Clone)]
pub(crate) struct Account {
    pub(crate) id: AccountId,
    pub(crate) limits: Arc<Limits>,
    /// Manual resets, oldest first.
    pub(crate) resets: Vec<Reset>,
}

/// A manual reset.
#[derive(Debug, Clone)]
pub(crate) struct Reset {
    pub(crate) span: Span,
    pub(crate) when: DateTime<Utc>,
    /// The requests whose cost had been counted by then.
    pub(crate) counted: Vec<RequestId>,
    /// What the book said must be remembered.
    pub(crate) forgiven: Forgiven,
}

/// All that ever happened.
#[derive(Debug, Default)]
pub(crate) struct Model {
    pub(crate) accounts: Vec<Account>,
    pub(crate) requests: Vec<Request>,
}

/// A window's minutes, half open; all time when none.
pub(crate) type Window = Option<(DateTime<Utc>, DateTime<Utc>)>;

impl Request {
    /// Its place for that account, if it pays.
    pub(crate) fn side(&self, account: AccountId) -> Option<usize> {
        self.payers.accounts().position(|payer| payer == account)
    }

    fn minute(&self) -> DateTime<Utc> {
        minute(self.admitted)
    }
}

/// The beginning of the minute.
pub(crate) fn minute(at: DateTime<Utc>) -> DateTime<Utc> {
    DateTime::from_timestamp(at.timestamp() / 60 * 60, 0).expect("a minute of this century")
}

impl Model {
    pub(crate) fn account(&self, id: AccountId) -> &Account {
        self.accounts.iter().find(|account| account.id == id).expect("the test knows its accounts")
    }

    pub(crate) fn account_mut(&mut self, id: AccountId) -> &mut Account {
        self.accounts.iter_mut().find(|account| account.id == id).expect("the test knows its accounts")
    }

    pub(crate) fn request_mut(&mut self, id: RequestId) -> &mut Request {
        self.requests.iter_mut().find(|request| request.id == id).expect("the test knows its requests")
    }

    /// The window of that span around `now`, in UTC.
    pub(crate) fn window(&self, id: AccountId, span: Span, now: DateTime<Utc>) -> Window {
        let limits = &self.account(id).limits;
        let now_minute = minute(now);
        let midnight = |date: chrono::NaiveDate| date.and_time(NaiveTime::MIN).and_utc();
        let rolling = |minutes: i64| {
            let after = now_minute + chrono::Duration::minutes(1);
            Some((after - chrono::Duration::minutes(minutes), after))
        };
        match span {
            Span::FiveHours if limits.five_hours == Some(FiveHours::Fixed) => {
                // Every request ever admitted, in order: the first after the end of a period begins one.
                let mut period = (now_minute, now_minute);
                for request in self.requests.iter().filter(|request| request.side(id).is_some()) {
                    if request.minute() >= period.1 || request.minute() < period.0 {
                        period = (request.minute(), request.minute() + chrono::Duration::hours(5));
                    }
                }
                let holds = period.0 <= now_minute && now_minute < period.1;
                Some(if holds { period } else { (now_minute, now_minute) })
            }
            Span::FiveHours => rolling(300),
            Span::Day => match limits.day {
                Some(Day::Rolling) => rolling(1_440),
                Some(Day::Fixed(begins)) => {
                    let today = now.date_naive().and_time(begins).and_utc();
                    let from = if today <= now { today } else { today - chrono::Duration::days(1) };
                    Some((from, from + chrono::Duration::days(1)))
                }
                None => {
                    let from = midnight(now.date_naive());
                    Some((from, from + chrono::Duration::days(1)))
                }
            },
            Span::Week => {
                let since = u64::from(now.weekday().num_days_from_monday());
                let from = midnight(now.date_naive() - Days::new(since));
                Some((from, from + chrono::Duration::days(7)))
            }
            Span::Month => {
                let first = now.date_naive().with_day(1).expect("every month has a first");
                Some((midnight(first), midnight(first + Months::new(1))))
            }
            Span::Total => None,
        }
    }

    /// What is posted and what is reserved, added up from the beginning.
    pub(crate) fn sums(&self, id: AccountId, span: Span, now: DateTime<Utc>) -> (Pico, Pico) {
        let window = self.window(id, span, now);
        let reset = self.account(id).resets.iter().rfind(|reset| reset.span == span);
        let (mut posted, mut reserved) = (Pico::ZERO, Pico::ZERO);
        for request in &self.requests {
            let Some(side) = request.side(id) else { continue };
            let at = request.minute();
            if window.is_some_and(|(from, until)| at < from || at >= until) {
                continue;
            }
            if request.open {
                reserved += request.reserved[side];
            }
            let forgiven = reset.is_some_and(|reset| {
                at < minute(reset.when) || (at == minute(reset.when) && reset.counted.contains(&request.id))
            });
            if let (Some((_, cost)), true, false) = (request.recorded, request.counted[side], forgiven) {
                posted += cost;
            }
        }
        (posted, reserved)
    }
}
