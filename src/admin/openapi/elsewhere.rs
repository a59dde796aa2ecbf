//! What types of other rooms look like as JSON, where the control plane shows them as they are.

use actors::{
    dispatcher::decisions::Decision,
    ids::{ExportId, KeyId, ProviderId, RequestId, UserId},
    ledger::{limits::AccountId, view::Gauge},
    money::{Money, Pico},
    pricing::{Price, Rates, Service, Terms, Tier},
    provider::{
        card::{BreakerSettings, Timeouts},
        outcome::Outcome,
    },
    session::{id::SessionId, messages::SessionView},
    supervisor::{
        Snapshot,
        roster::{Condition, LastPanic},
    },
};
use chrono::{DateTime, Utc};
use protocol::Usage;
use serde_json::Value;

use crate::{
    admin::schema::{Book, Schema, elsewhere, one_of, plain},
    current::billing::{BilledModel, Billing, WhenUnpriced},
    store::Waiting,
};

plain! {
    ProviderId, KeyId, UserId => {"type": "integer", "format": "int64"};
    RequestId, ExportId => {"type": "string", "format": "uuid"};
    SessionId, AccountId => {"type": "string"};
    Money, Pico => {"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?$"};
    Condition => {"type": "string", "enum": ["running", "quarantined", "silent"]};
    // Grows with what is worth deciding; the reference tells its members.
    Decision => {"type": "object", "required": ["attempt", "chosen", "candidates"], "properties": {
        "attempt": {"type": "integer"}, "bound_to": {}, "chosen": {}, "candidates": {"type": "array"}, "outcome": {},
    }};
}

impl Schema for Outcome {
    fn schema(_: &mut Book) -> Value {
        one_of(&Self::ALL, Self::name)
    }
}

elsewhere! {
    /// How much of a limit is used.
    Gauge { limit: Option<u64>, used: u64, }

    /// How a breaker behaves.
    BreakerSettings { failure_threshold: u32, open_ms: u64, half_open_successes: u32, }

    /// How long the stages of an attempt may take.
    Timeouts { connect_ms: u64, first_byte_ms: u64, idle_ms: u64, total_ms: u64, }

    /// Waiting for concurrency.
    Waiting { queue: u32, wait_ms: u64, }

    /// How requests are charged.
    Billing { model: BilledModel, unpriced: WhenUnpriced, unpriced_reservation_usd: Money, }

    /// Tokens; the four kinds of input do not overlap.
    Usage {
        input_tokens: u64,
        cache_read_tokens: u64,
        cache_write_5m_tokens: u64,
        cache_write_1h_tokens: u64,
        output_tokens: u64,
        reasoning_tokens: u64,
    }

    /// Dollars per million tokens of each kind.
    Rates {
        input_usd_per_mtok: Money,
        output_usd_per_mtok: Money,
        cache_write_5m_usd_per_mtok: Money,
        cache_write_1h_usd_per_mtok: Money,
        cache_read_usd_per_mtok: Money,
    }

    /// What a price has beyond its rates.
    Terms {
        tiers: Vec<Tier> = sometimes,
        per_request_usd: Money = sometimes,
        per_image_usd: Money = sometimes,
        per_web_search_usd: Money = sometimes,
        max_output_tokens: Option<u64> = sometimes,
    }

    /// Rates that hold under a condition.
    Tier { service: Service, above_input_tokens: u64, rates: Rates = flatten, }

    /// The price of a model.
    Price { rates: Rates = flatten, terms: Terms = flatten, }

    /// A panic an actor survived.
    LastPanic { message: String, at: DateTime<Utc>, }

    /// An actor.
    Snapshot {
        kind: &'static str,
        name: String,
        state: Condition,
        mailbox_depth: u32,
        restarts: u64,
        quarantines: u64,
        longest_wait_us: u64,
        longest_turn_us: u64,
        last_panic: Option<LastPanic>,
        since: DateTime<Utc>,
        detail: Option<Value>,
    }

    /// A conversation's tie to a provider.
    SessionView {
        id: SessionId,
        key_id: KeyId,
        provider_id: ProviderId,
        since: DateTime<Utc>,
        last_used: DateTime<Utc>,
        age_s: u64,
        requests: u64,
    }
}
