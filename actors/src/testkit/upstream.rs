//! The far side, scripted in memory: what each provider does with a request follows from its mood, and
//! its moods over time follow from a seed.
//!
//! All times are even milliseconds: whoever looks in at odd ones finds every actor at rest.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    rc::Rc,
    time::Duration,
};

use rand::{RngExt, rngs::SmallRng};
use tokio::time::{Instant, sleep, timeout};

use crate::{ids::ProviderId, provider::card::Timeouts, provider::outcome::Outcome};

/// What a provider is like for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    /// Answers promptly.
    Healthy,
    /// Answers, in its own time.
    Slow,
    /// 500.
    Failing,
    /// 429, with or without naming a time.
    RateLimiting(Option<Duration>),
    /// 529.
    Overloaded,
    /// 401.
    Rejecting,
    /// Takes the request and says nothing.
    Hanging,
    /// Breaks off in the middle of its answer.
    Cutting,
    /// Refuses the connection.
    Refusing,
}

impl Mood {
    fn drawn(random: &mut SmallRng) -> Self {
        match random.random_range(0..20) {
            0..8 => Self::Healthy,
            8..10 => Self::Slow,
            10..13 => Self::Failing,
            13 => Self::RateLimiting(None),
            // A vendor that names a year is held to our own longest pause.
            14 => Self::RateLimiting(Some(Duration::from_secs(
                [0, 2, 20, 31_536_000][random.random_range(0..4)],
            ))),
            15 => Self::Overloaded,
            16 => Self::Rejecting,
            17 => Self::Hanging,
            18 => Self::Cutting,
            _ => Self::Refusing,
        }
    }
}

/// All providers' far sides.
#[derive(Debug, Default)]
pub struct Upstream {
    moods: RefCell<BTreeMap<ProviderId, Vec<(Instant, Mood)>>>,
    open: RefCell<BTreeMap<ProviderId, u32>>,
    healed: Cell<bool>,
}

impl Upstream {
    /// Draws one provider's moods for the next `span`.
    pub fn script(&self, provider: ProviderId, span: Duration, random: &mut SmallRng) {
        let end = Instant::now() + span;
        let mut at = Instant::now();
        let mut moods = Vec::new();
        while at < end {
            moods.push((at, Mood::drawn(random)));
            at += even_ms(random, 2_000..40_000);
        }
        self.moods.borrow_mut().insert(provider, moods);
    }

    /// From now on everyone is healthy.
    pub fn heal(&self) {
        self.healed.set(true);
    }

    /// What that provider is like now.
    #[must_use]
    pub fn mood(&self, provider: ProviderId) -> Mood {
        if self.healed.get() {
            return Mood::Healthy;
        }
        let (moods, now) = (self.moods.borrow(), Instant::now());
        let current =
            moods.get(&provider).and_then(|moods| moods.iter().rev().find(|(since, _)| *since <= now));
        current.map_or(Mood::Healthy, |(_, mood)| *mood)
    }

    /// Requests that provider has open, by its own count.
    #[must_use]
    pub fn open(&self, provider: ProviderId) -> u32 {
        self.open.borrow().get(&provider).copied().unwrap_or(0)
    }

    /// Sends one request there.
    pub fn send(self: &Rc<Self>, provider: ProviderId, random: &mut SmallRng) -> Exchange {
        *self.open.borrow_mut().entry(provider).or_default() += 1;
        Exchange { script: Script::drawn(self.mood(provider), random), upstream: Rc::clone(self), provider }
    }
}

/// What will happen to one request.
#[derive(Debug)]
struct Script {
    first: Duration,
    /// How it ends before anything meaningful came, if it does.
    refusal: Option<Refusal>,
    rest: Duration,
    end: Outcome,
}

/// The end of an attempt that nothing of went to the caller.
#[derive(Debug, Clone, Copy)]
pub struct Refusal {
    /// How it ended.
    pub outcome: Outcome,
    /// How long the vendor asked to be left alone.
    pub cool_down: Option<Duration>,
}

impl Script {
    fn drawn(mood: Mood, random: &mut SmallRng) -> Self {
        let (quick, slow) = (even_ms(random, 2..400), even_ms(random, 400..9_000));
        let answers = |first, rest, end| Self { first, refusal: None, rest, end };
        let refuses = |outcome, cool_down| Self {
            first: quick,
            refusal: Some(Refusal { outcome, cool_down }),
            rest: Duration::ZERO,
            end: outcome,
        };
        match mood {
            // Some requests are wrong, whoever gets them.
            Mood::Healthy | Mood::Slow if random.random_bool(0.08) => refuses(Outcome::CallersFault, None),
            Mood::Healthy => answers(quick, even_ms(random, 2..4_000), Outcome::Answered),
            Mood::Slow => answers(slow, even_ms(random, 2_000..12_000), Outcome::Answered),
            Mood::Failing => refuses(Outcome::ProviderFailed, None),
            Mood::RateLimiting(hint) => refuses(Outcome::RateLimited, hint),
            Mood::Overloaded => refuses(Outcome::Overloaded, None),
            Mood::Rejecting => refuses(Outcome::CredentialRejected, None),
            Mood::Hanging => answers(Duration::from_secs(86_400), Duration::ZERO, Outcome::Answered),
            Mood::Cutting => answers(quick, even_ms(random, 2..2_000), Outcome::Cut),
            Mood::Refusing => refuses(Outcome::ConnectFailed, None),
        }
    }
}

/// One request under way. Dropping it is the caller's side hanging up.
#[derive(Debug)]
pub struct Exchange {
    script: Script,
    upstream: Rc<Upstream>,
    provider: ProviderId,
}

impl Exchange {
    /// Waits for the first meaningful frame, as long as the card allows.
    ///
    /// # Errors
    /// [`Refusal`] when the attempt ended without one.
    pub async fn first_frame(&self, limits: Timeouts) -> Result<(), Refusal> {
        let late = Refusal { outcome: Outcome::FirstByteTimeout, cool_down: None };
        timeout(limits.first_byte(), sleep(self.script.first)).await.map_err(|_| late)?;
        match self.script.refusal {
            Some(refusal) => Err(refusal),
            None => Ok(()),
        }
    }

    /// Reads the answer to its end.
    pub async fn rest(self) -> Outcome {
        sleep(self.script.rest).await;
        self.script.end
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        if let Some(open) = self.upstream.open.borrow_mut().get_mut(&self.provider) {
            *open -= 1;
        }
    }
}

/// An even number of milliseconds within that range.
pub fn even_ms(random: &mut SmallRng, range: std::ops::Range<u64>) -> Duration {
    Duration::from_millis(random.random_range(range) / 2 * 2)
}
