//! One window of one account: what was posted in it and what is reserved, as a plain value.
//!
//! ```text
//! period:   [from ---------------- until) [from ------      a new period begins empty
//! rolling:      [now-N+1 ------- now]     -->               old minutes leave one by one
//! ```
//!
//! Invariants
//! - A cost belongs to the minute of its admission: it counts exactly while the window holds that minute,
//!   however late it is settled (I-08). What was reserved for an old period does not burden the new one.
//! - Neither amount is ever negative.
//! - After a manual reset, minutes before it count no more; what is reserved stays reserved (I-09).

use std::{collections::VecDeque, ops::Range};

use chrono::{DateTime, NaiveTime, Utc};
use serde::{Deserialize, Serialize};

use super::{
    calendar::Calendar,
    limits::{Day, FiveHours, Limits, Span},
    minutes::{Minute, Moment},
};
use crate::money::Pico;

/// Minutes in five hours.
const FIVE_HOURS: i64 = 300;
/// Minutes in a day without day-light changes.
const ONE_DAY: i64 = 1_440;

/// One window.
#[derive(Debug, Clone)]
pub struct Tally {
    rule: Rule,
    /// The minutes it holds; none while a window that begins with its first use waits for one.
    minutes: Range<Minute>,
    reset: Option<Forgiven>,
    posted: Pico,
    reserved: Pico,
    /// What was posted in the latest minute: a reset in the middle of it must know.
    latest: (Minute, Pico),
    /// Only of rolling windows: what each minute brought, oldest first.
    buckets: VecDeque<Bucket>,
}

/// How a window moves on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// Days that begin at that time.
    Day(NaiveTime),
    /// Weeks of the calendar.
    Week,
    /// Months of the calendar.
    Month,
    /// Never.
    Ever,
    /// So many minutes from the first request after the last period was over.
    FirstUse(i64),
    /// The last so many minutes.
    Rolling(i64),
}

/// A manual reset: what lies before its minute is forgiven, and so is what that minute had brought by then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forgiven {
    /// When it was done.
    pub minute: Minute,
    /// What had been posted in that very minute.
    pub in_minute: Pico,
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    minute: Minute,
    posted: Pico,
    reserved: Pico,
}

impl Rule {
    /// How `span` is counted under those limits.
    #[must_use]
    pub fn of(span: Span, limits: &Limits) -> Self {
        match span {
            Span::FiveHours => match limits.five_hours() {
                FiveHours::Rolling => Self::Rolling(FIVE_HOURS),
                FiveHours::Fixed => Self::FirstUse(FIVE_HOURS),
            },
            Span::Day => match limits.day() {
                Day::Fixed(begins) => Self::Day(begins),
                Day::Rolling => Self::Rolling(ONE_DAY),
            },
            Span::Week => Self::Week,
            Span::Month => Self::Month,
            Span::Total => Self::Ever,
        }
    }

    /// The minutes that must be known one by one to fill such a window anew at `now`; none where a sum will
    /// do. Where periods begin with a use, earlier uses tell where the present one began.
    #[must_use]
    pub fn needs_minutes(self, now: Minute) -> Option<Range<Minute>> {
        match self {
            Self::Rolling(length) => Some(now.minus(length - 1)..Minute::NEVER),
            Self::FirstUse(length) => Some(now.minus(length * LOOK_BACK)..Minute::NEVER),
            Self::Day(_) | Self::Week | Self::Month | Self::Ever => None,
        }
    }
}

/// Periods that are looked back over to find where the present one began, when nobody remembers. A pause
/// as long as a period settles it; use without such a pause for longer than this is cut here.
const LOOK_BACK: i64 = 10;

impl Tally {
    /// An empty window.
    #[must_use]
    pub fn new(rule: Rule, calendar: &Calendar, now: Moment) -> Self {
        let mut tally = Self {
            rule,
            minutes: Minute::FIRST..Minute::FIRST,
            reset: None,
            posted: Pico::ZERO,
            reserved: Pico::ZERO,
            latest: (Minute::FIRST, Pico::ZERO),
            buckets: VecDeque::new(),
        };
        tally.roll(calendar, now);
        tally
    }

    /// Lets time pass.
    pub fn roll(&mut self, calendar: &Calendar, now: Moment) {
        let minute = now.minute();
        match self.rule {
            Rule::Rolling(length) => return self.slide(minute.minus(length - 1)),
            _ if self.minutes.contains(&minute) => return,
            Rule::FirstUse(_) => self.minutes = minute..minute,
            Rule::Day(begins) => self.minutes = minutes_of(&calendar.day(begins, now.wall)),
            Rule::Week => self.minutes = minutes_of(&calendar.week(now.wall)),
            Rule::Month => self.minutes = minutes_of(&calendar.month(now.wall)),
            Rule::Ever => self.minutes = Minute::FIRST..Minute::NEVER,
        }
        (self.posted, self.reserved) = (Pico::ZERO, Pico::ZERO);
    }

    /// Drops the minutes before `from`.
    fn slide(&mut self, from: Minute) {
        self.minutes = from..Minute::NEVER;
        while let Some(oldest) = self.buckets.front().filter(|bucket| bucket.minute < from) {
            self.posted -= oldest.posted;
            self.reserved -= oldest.reserved;
            self.buckets.pop_front();
        }
    }

    /// Reserves an amount for a request that is admitted now.
    pub fn reserve(&mut self, minute: Minute, amount: Pico) {
        if let (Rule::FirstUse(length), true) = (self.rule, self.minutes.is_empty()) {
            self.minutes = minute..minute.plus(length);
        }
        self.change_reserved(minute, amount);
    }

    /// Changes what is reserved for a request admitted in `minute`.
    pub fn change_reserved(&mut self, minute: Minute, by: Pico) {
        if !self.minutes.contains(&minute) {
            return;
        }
        self.reserved = (self.reserved + by).or_nothing();
        if let Some(bucket) = self.bucket(minute) {
            bucket.reserved = (bucket.reserved + by).or_nothing();
        }
    }

    /// Books a cost of a request admitted in `minute`. Never refused (I-03).
    pub fn post(&mut self, minute: Minute, cost: Pico) {
        let forgiven = self.reset.is_some_and(|reset| minute < reset.minute);
        if forgiven || !self.minutes.contains(&minute) {
            return;
        }
        self.posted += cost;
        if self.latest.0 < minute {
            self.latest = (minute, Pico::ZERO);
        }
        if self.latest.0 == minute {
            self.latest.1 += cost;
        }
        if let Some(bucket) = self.bucket(minute) {
            bucket.posted += cost;
        }
    }

    /// The bucket of that minute, in rolling windows.
    fn bucket(&mut self, minute: Minute) -> Option<&mut Bucket> {
        if !matches!(self.rule, Rule::Rolling(_)) {
            return None;
        }
        let found = match self.buckets.back() {
            // Nearly always the latest.
            Some(latest) if latest.minute == minute => Ok(self.buckets.len() - 1),
            _ => self.buckets.binary_search_by_key(&minute, |bucket| bucket.minute),
        };
        let place = found.unwrap_or_else(|place| {
            self.buckets.insert(place, Bucket { minute, posted: Pico::ZERO, reserved: Pico::ZERO });
            place
        });
        self.buckets.get_mut(place)
    }

    /// Counts from now on. Answers what must be remembered about it.
    pub fn reset(&mut self, minute: Minute) -> Forgiven {
        let before = self.reset.filter(|reset| reset.minute == minute).map_or(Pico::ZERO, |r| r.in_minute);
        let latest = if self.latest.0 == minute { self.latest.1 } else { Pico::ZERO };
        let reset = Forgiven { minute, in_minute: before + latest };
        self.forgive(reset);
        reset
    }

    fn forgive(&mut self, reset: Forgiven) {
        self.reset = Some(reset);
        self.posted = Pico::ZERO;
        self.latest = (reset.minute, Pico::ZERO);
        for bucket in &mut self.buckets {
            bucket.posted = Pico::ZERO;
        }
    }

    /// Notes a reset that others remember. True when it is news: then what was posted must be asked again.
    pub fn recall(&mut self, reset: Forgiven) -> bool {
        let news = self.reset.is_none_or(|known| {
            known.minute < reset.minute || (known.minute == reset.minute && known.in_minute < reset.in_minute)
        });
        if news {
            self.forgive(reset);
        }
        news && self.minutes.contains(&reset.minute)
    }

    /// The minutes whose sum this window is, where a sum will do.
    #[must_use]
    pub fn sums(&self) -> Option<Range<Minute>> {
        if self.rule.needs_minutes(Minute::FIRST).is_some() {
            return None;
        }
        let since = self.reset.map_or(Minute::FIRST, |reset| reset.minute);
        Some(self.minutes.start.max(since)..self.minutes.end)
    }

    /// Takes over what was posted over the minutes of [`Tally::sums`], as others remember it, and how much of
    /// it the latest minute had brought.
    pub fn learn_sum(&mut self, of: &Range<Minute>, sum: Pico, latest: Option<(Minute, Pico)>) {
        self.forget_posted();
        if self.sums().as_ref() != Some(of) {
            // A new period began since the question: nothing was posted in it then.
            return;
        }
        let forgiven =
            |minute| self.reset.filter(|reset| reset.minute == minute).map_or(Pico::ZERO, |r| r.in_minute);
        self.posted = (sum - forgiven(of.start)).or_nothing();
        if let Some((minute, cost)) = latest.filter(|(minute, _)| of.contains(minute)) {
            self.latest = (minute, (cost - forgiven(minute)).or_nothing());
        }
    }

    /// Takes over what each minute brought, oldest first, as others remember it. `held` are the admission
    /// minutes and amounts of what is reserved, and uses that others have yet to hear of.
    pub fn learn_minutes(&mut self, brought: &[(Minute, Pico)], held: &[(Minute, Pico)], now: Minute) {
        self.forget_posted();
        self.begin_by_use(brought.iter().chain(held).map(|(minute, _)| *minute), held, now);
        for (minute, cost) in brought {
            let reset = self.reset.filter(|reset| reset.minute == *minute);
            let forgiven = reset.map_or(Pico::ZERO, |reset| reset.in_minute);
            self.post(*minute, (*cost - forgiven).or_nothing());
        }
    }

    /// Takes over what is reserved, into a window that is new.
    pub fn take_over(&mut self, held: &[(Minute, Pico)], now: Minute) {
        match self.rule {
            Rule::FirstUse(_) => self.begin_by_use(held.iter().map(|(minute, _)| *minute), held, now),
            _ => held.iter().for_each(|(minute, amount)| self.change_reserved(*minute, *amount)),
        }
    }

    /// Finds out when a window that begins with a use must have begun.
    fn begin_by_use(&mut self, uses: impl Iterator<Item = Minute>, held: &[(Minute, Pico)], now: Minute) {
        let Rule::FirstUse(length) = self.rule else { return };
        let here = (!self.minutes.is_empty()).then_some(self.minutes.start);
        self.minutes = period_by_use(uses.chain(here).collect(), length, now);
        self.reserved = Pico::ZERO;
        held.iter().for_each(|(minute, amount)| self.change_reserved(*minute, *amount));
    }

    fn forget_posted(&mut self) {
        self.posted = Pico::ZERO;
        self.latest = (Minute::FIRST, Pico::ZERO);
        for bucket in &mut self.buckets {
            bucket.posted = Pico::ZERO;
        }
    }

    /// How it is counted.
    #[must_use]
    pub fn rule(&self) -> Rule {
        self.rule
    }

    /// What was settled in it.
    #[must_use]
    pub fn posted(&self) -> Pico {
        self.posted
    }

    /// What is reserved in it.
    #[must_use]
    pub fn reserved(&self) -> Pico {
        self.reserved
    }

    /// When the window will be empty, if nothing more comes: the end of its period, or when the latest of a
    /// rolling window leaves it.
    #[must_use]
    pub fn resets_at(&self) -> Option<DateTime<Utc>> {
        match self.rule {
            Rule::Rolling(length) => self.buckets.back()?.minute.plus(length).begins(),
            _ if self.minutes.is_empty() => None,
            _ => self.minutes.end.begins(),
        }
    }

    /// When so much will have left the window; none when that takes more than time.
    #[must_use]
    pub fn gives_back(&self, amount: Pico) -> Option<DateTime<Utc>> {
        let Rule::Rolling(length) = self.rule else {
            return self.resets_at();
        };
        let mut left = amount;
        let enough = self.buckets.iter().find(|bucket| {
            left -= bucket.posted + bucket.reserved;
            left <= Pico::ZERO
        })?;
        enough.minute.plus(length).begins()
    }
}

/// The period that holds `now`, when periods of that length begin with the first use after the last one's
/// end, and these minutes saw use; an empty one when it has yet to begin.
fn period_by_use(mut used: Vec<Minute>, length: i64, now: Minute) -> Range<Minute> {
    used.sort_unstable();
    let mut period = now..now;
    for minute in used.into_iter().take_while(|minute| *minute <= now) {
        if !period.contains(&minute) {
            period = minute..minute.plus(length);
        }
    }
    if period.contains(&now) { period } else { now..now }
}

fn minutes_of(period: &super::calendar::Period) -> Range<Minute> {
    Minute::of(period.from)..Minute::of(period.until)
}
