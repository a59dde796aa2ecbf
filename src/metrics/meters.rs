//! What is counted as requests go by. Whoever counts touches atomics and takes no lock.
//!
//! A series is made when it first has something to count, and found by its enums or its configured names
//! from then on.

use std::{sync::Arc, time::Duration};

use actors::provider::outcome::Outcome;
use prometheus::{Counter, CounterVec, Histogram, HistogramVec, IntCounter, IntCounterVec, Registry};
use protocol::{Format, Operation, Usage, family};

use super::{
    few::{Few, Named, OTHER},
    gen_ai::GenAi,
    make,
    names::{self, Metric},
};
use crate::journal::record::{Ending, Metering, Record, Settlement};

/// The most providers that are told apart. Operators name them; renaming makes a new one.
const MOST_PROVIDERS: usize = 500;
/// The most models, or families of models, that are told apart at one provider.
pub(super) const MOST_MODELS: usize = 300;

/// A stretch of a request's way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// From its arrival until a provider was chosen for the first time.
    ArriveToPick,
    /// Until the first byte was about to leave.
    PickToSent,
    /// Until the head of the answer was there.
    SentToHead,
    /// Until its first meaningful frame was.
    HeadToFirstFrame,
    /// All of it.
    Whole,
}

impl Stage {
    const ALL: [Self; 5] =
        [Self::ArriveToPick, Self::PickToSent, Self::SentToHead, Self::HeadToFirstFrame, Self::Whole];

    const fn name(self) -> &'static str {
        match self {
            Self::ArriveToPick => "arrive_to_pick",
            Self::PickToSent => "pick_to_sent",
            Self::SentToHead => "sent_to_head",
            Self::HeadToFirstFrame => "head_to_first_frame",
            Self::Whole => "whole",
        }
    }
}

/// What decides which request counter counts.
type Class = (Option<Format>, Option<Operation>, u8, Ending, bool);

/// All that is counted as requests go by; shared by all workers.
pub struct Meters {
    registry: Registry,
    requests: IntCounterVec,
    requests_by: Few<Class, IntCounter>,
    refusals: IntCounterVec,
    refusals_by: Few<&'static str, IntCounter>,
    limit_refusals: IntCounterVec,
    limit_refusals_by: Few<(&'static str, &'static str), IntCounter>,
    stages: [Histogram; Stage::ALL.len()],
    overhead: Histogram,
    settlements: IntCounterVec,
    settlements_by: Few<Settlement, IntCounter>,
    at_providers: Arc<AtProviders>,
    providers: Named<Arc<Provider>>,
    gen_ai: GenAi,
}

/// The families that a provider's meters are taken from.
struct AtProviders {
    attempts: IntCounterVec,
    first_token: HistogramVec,
    tokens: IntCounterVec,
    cost: CounterVec,
}

struct Provider {
    name: String,
    attempts: Few<Outcome, IntCounter>,
    families: Named<Histogram>,
    models: Named<Arc<Model>>,
}

/// What one model consumes at one provider.
struct Model {
    tokens: [IntCounter; KINDS.len()],
    cost: Counter,
}

/// How many tokens of a kind.
type Count = fn(&Usage) -> u64;

/// Kinds of tokens, and how many of them an answer has.
const KINDS: [(&str, Count); 6] = [
    ("input", |usage| usage.input_tokens),
    ("cache_read", |usage| usage.cache_read_tokens),
    ("cache_write_5m", |usage| usage.cache_write_5m_tokens),
    ("cache_write_1h", |usage| usage.cache_write_1h_tokens),
    ("output", |usage| usage.output_tokens),
    ("reasoning", |usage| usage.reasoning_tokens),
];

impl Default for Meters {
    fn default() -> Self {
        Self::new()
    }
}

impl Meters {
    /// All at nothing.
    #[must_use]
    pub fn new() -> Self {
        let registry = Registry::new();
        let counters = |metric: &Metric| make::counters(&registry, metric);
        let stages = make::histograms(&registry, &names::STAGE);
        let at_providers = AtProviders {
            attempts: counters(&names::ATTEMPTS),
            first_token: make::histograms(&registry, &names::FIRST_TOKEN),
            tokens: counters(&names::TOKENS),
            cost: make::amounts(&registry, &names::COST),
        };
        Self {
            requests: counters(&names::REQUESTS),
            requests_by: Few::default(),
            refusals: counters(&names::REFUSALS),
            refusals_by: Few::default(),
            limit_refusals: counters(&names::LIMIT_REFUSALS),
            limit_refusals_by: Few::default(),
            stages: Stage::ALL.map(|stage| stages.with_label_values(&[stage.name()])),
            overhead: make::histograms(&registry, &names::OVERHEAD).with_label_values::<&str>(&[]),
            settlements: counters(&names::SETTLEMENTS),
            settlements_by: Few::default(),
            at_providers: Arc::new(at_providers),
            providers: Named::new(MOST_PROVIDERS),
            gen_ai: GenAi::new(&registry),
            registry,
        }
    }

    /// Where all of them are read.
    #[must_use]
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// A request has come through a stage.
    pub fn stage(&self, stage: Stage, took: Duration) {
        self.stages[stage as usize].observe(took.as_secs_f64());
    }

    /// An answer has begun, to which we ourselves added so much.
    pub fn overhead(&self, took: Duration) {
        self.overhead.observe(took.as_secs_f64());
    }

    /// A request was refused by us.
    pub fn refused(&self, kind: &'static str) {
        let make = || self.refusals.with_label_values(&[kind]);
        self.refusals_by.with(&kind, make, IntCounter::inc);
    }

    /// A request was refused for that limit of that sort of account.
    pub fn over_limit(&self, account: &'static str, limit: &'static str) {
        let make = || self.limit_refusals.with_label_values(&[account, limit]);
        self.limit_refusals_by.with(&(account, limit), make, IntCounter::inc);
    }

    /// A request has ended. `priced` is the model whose price it was charged at, if there was one.
    pub fn ended(&self, record: &Record, priced: Option<&str>) {
        let class = class(record);
        self.requests_by.with(&class, || self.requests_of(&class), IntCounter::inc);
        let settlement = record.settlement;
        let settled = || self.settlements.with_label_values(&[settlement.name()]);
        self.settlements_by.with(&settlement, settled, IntCounter::inc);
        self.stage(Stage::Whole, record.duration);
        for attempt in &record.attempts {
            self.provider(&attempt.provider_name, |provider| {
                provider.attempted(attempt.outcome, &self.at_providers)
            });
        }
        let Some(answering) = record.attempts.last() else { return };
        let model = priced.unwrap_or(OTHER);
        let first_token = answering.first_frame.filter(|_| record.streamed);
        self.provider(&answering.provider_name, |provider| {
            if let Some(took) = first_token {
                provider.began(family(model), took, &self.at_providers);
            }
            if record.metering != Metering::None {
                let cost = record.cost.map_or(0.0, dollars);
                provider.consumed(model, &record.metering.usage(), cost, &self.at_providers);
            }
        });
        self.gen_ai.ended(record, model, first_token);
    }

    fn requests_of(&self, class: &Class) -> IntCounter {
        let (format, operation, status, ending, streamed) = *class;
        self.requests.with_label_values(&[
            format.map_or("none", Format::name),
            operation.map_or("none", Operation::name),
            ["other", "1xx", "2xx", "3xx", "4xx", "5xx"][usize::from(status)],
            ending.name(),
            if streamed { "true" } else { "false" },
        ])
    }

    fn provider(&self, name: &str, count: impl FnOnce(&Provider)) {
        self.providers.with(name, |name| Arc::new(Provider::new(name)), |provider| count(provider));
    }
}

impl Provider {
    fn new(name: &str) -> Self {
        let (families, models) = (Named::new(MOST_MODELS), Named::new(MOST_MODELS));
        Self { name: name.to_owned(), attempts: Few::default(), families, models }
    }

    fn attempted(&self, outcome: Outcome, of: &AtProviders) {
        let make = || of.attempts.with_label_values(&[self.name.as_str(), outcome.name()]);
        self.attempts.with(&outcome, make, IntCounter::inc);
    }

    fn began(&self, family: &str, took: Duration, of: &AtProviders) {
        let make = |family: &str| of.first_token.with_label_values(&[self.name.as_str(), family]);
        self.families.with(family, make, |histogram| histogram.observe(took.as_secs_f64()));
    }

    fn consumed(&self, model: &str, usage: &Usage, dollars: f64, of: &AtProviders) {
        let make = |model: &str| Arc::new(Model::new(&self.name, model, of));
        self.models.with(model, make, |model| {
            for (counter, (_, count)) in model.tokens.iter().zip(KINDS) {
                match count(usage) {
                    0 => {}
                    tokens => counter.inc_by(tokens),
                }
            }
            model.cost.inc_by(dollars.max(0.0));
        });
    }
}

impl Model {
    fn new(provider: &str, model: &str, of: &AtProviders) -> Self {
        Self {
            tokens: KINDS.map(|(kind, _)| of.tokens.with_label_values(&[provider, model, kind])),
            cost: of.cost.with_label_values(&[provider, model]),
        }
    }
}

fn class(record: &Record) -> Class {
    let status = u8::try_from(record.status / 100).unwrap_or_default();
    let status = if status > 5 { 0 } else { status };
    (record.format, record.operation, status, record.ending, record.streamed)
}

/// An amount as a metric has it: near enough for a curve, and for nothing else.
pub(super) fn dollars(amount: actors::money::Pico) -> f64 {
    amount.0 as f64 / 1e12
}

#[cfg(test)]
#[path = "meters_tests.rs"]
mod tests;
