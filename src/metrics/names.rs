//! Every metric: its name, kind, labels and help, in one place. `docs/operating/monitoring.md` is held against it.
//!
//! Rules
//! - A name ends in its unit, a counter's in `_total`; times are seconds, money is dollars.
//! - A label's values come from a closed enum, or from what operators configure: providers, and models that
//!   have a price. A model without one is `other`; what callers send is no label.
//! - No user, key, session or address is a label: they have no bound, and nobody's business is to read them here.
//! - `gen_ai_*` are those of OpenTelemetry's conventions for generative AI, names, labels and buckets.

use self::Kind::{Counter, Gauge, Histogram};

/// One metric.
#[derive(Debug, Clone, Copy)]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// What it is.
    pub kind: Kind,
    /// Its labels.
    pub labels: &'static [&'static str],
    /// What it tells.
    pub help: &'static str,
}

/// What a metric is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// Only goes up, from the start of the process.
    Counter,
    /// What is so at the moment of looking.
    Gauge,
    /// How values are spread over these buckets.
    Histogram(&'static [f64]),
}

impl Kind {
    /// As Prometheus calls it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Counter => "counter",
            Gauge => "gauge",
            Histogram(_) => "histogram",
        }
    }
}

/// From a hundred microseconds, which is ours, to ten minutes, which is an upstream's.
const STAGE_BUCKETS: &[f64] = &[
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
    30.0, 60.0, 120.0, 300.0, 600.0,
];
/// Our own work alone.
const OVERHEAD_BUCKETS: &[f64] = &[
    0.000_05, 0.0001, 0.000_15, 0.0002, 0.0003, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25,
    0.5, 1.0, 5.0, 30.0,
];
const FIRST_TOKEN_BUCKETS: &[f64] =
    &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 7.5, 10.0, 20.0, 30.0, 60.0];
const GEN_AI_DURATION: &[f64] =
    &[0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92];
const GEN_AI_TOKENS: &[f64] = &[
    1.0,
    4.0,
    16.0,
    64.0,
    256.0,
    1_024.0,
    4_096.0,
    16_384.0,
    65_536.0,
    262_144.0,
    1_048_576.0,
    4_194_304.0,
    16_777_216.0,
    67_108_864.0,
];
const GEN_AI_FIRST_TOKEN: &[f64] =
    &[0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];

macro_rules! metrics {
    ($($constant:ident: $kind:expr, $name:literal, [$($label:literal),*], $help:literal;)+) => {
        $(
            #[doc = $help]
            pub const $constant: Metric =
                Metric { name: $name, kind: $kind, labels: &[$($label),*], help: $help };
        )+

        /// All of them.
        pub const ALL: &[Metric] = &[$($constant),+];
    };
}

#[rustfmt::skip]
metrics! {
    // Requests, counted when they end.
    REQUESTS: Counter, "pointsman_requests_total", ["format", "operation", "status", "ending", "streamed"],
        "Requests that have ended, by wire format, operation, class of status, ending, and whether a stream was asked for.";
    REFUSALS: Counter, "pointsman_refusals_total", ["kind"],
        "Requests that were answered by the gateway instead of a provider, by why.";
    LIMIT_REFUSALS: Counter, "pointsman_limit_refusals_total", ["account", "limit"],
        "Requests that were refused for a limit, by whose limit it is (user, key) and which.";
    ATTEMPTS: Counter, "pointsman_attempts_total", ["provider", "outcome"],
        "Attempts at upstreams, by provider and outcome.";
    STAGE: Histogram(STAGE_BUCKETS), "pointsman_stage_seconds", ["stage"],
        "How long requests take, stage by stage: arrive_to_pick (the caller's upload included), pick_to_sent, sent_to_head, head_to_first_frame, and whole.";
    OVERHEAD: Histogram(OVERHEAD_BUCKETS), "pointsman_overhead_seconds", [],
        "What the gateway itself adds until the first byte of an answer: all of that time less what was waited for upstreams. Uploads and waiting for a free place are in it.";
    FIRST_TOKEN: Histogram(FIRST_TOKEN_BUCKETS), "pointsman_time_to_first_token_seconds", ["provider", "family"],
        "From the choice of a provider to the first meaningful frame of its stream, by provider and family of the model.";
    TOKENS: Counter, "pointsman_tokens_total", ["provider", "model", "kind"],
        "Tokens consumed, by provider, model and kind: input, cache_read, cache_write_5m, cache_write_1h, output, and reasoning, which is a part of output.";
    COST: Counter, "pointsman_cost_dollars_total", ["provider", "model"],
        "What requests cost, by provider and model. For curves: the exact sums are in the quotas.";
    SETTLEMENTS: Counter, "pointsman_settlements_total", ["settlement"],
        "Requests by what became of their money.";

    // The same for dashboards that know OpenTelemetry's names.
    GEN_AI_DURATION_SECONDS: Histogram(GEN_AI_DURATION), "gen_ai_client_operation_duration_seconds", ["gen_ai_operation_name", "gen_ai_provider_name", "gen_ai_request_model", "error_type"],
        "Duration of operations that reached an upstream; error_type is empty where all went well.";
    GEN_AI_TOKEN_USAGE: Histogram(GEN_AI_TOKENS), "gen_ai_client_token_usage", ["gen_ai_operation_name", "gen_ai_provider_name", "gen_ai_request_model", "gen_ai_token_type"],
        "Tokens per operation: input with all that is cached, and output.";
    GEN_AI_FIRST_TOKEN_SECONDS: Histogram(GEN_AI_FIRST_TOKEN), "gen_ai_server_time_to_first_token_seconds", ["gen_ai_operation_name", "gen_ai_provider_name", "gen_ai_request_model"],
        "Time to the first token of a stream.";

    // Providers, as their actors tell.
    BREAKER_STATE: Gauge, "pointsman_breaker_state", ["provider", "state"],
        "1 for the state a provider's breaker is in (closed, open, half_open), else 0.";
    BREAKER_TRANSITIONS: Counter, "pointsman_breaker_transitions_total", ["provider", "to"],
        "How often a provider's breaker has opened and closed, by operators too.";
    PROVIDER_SHUT: Gauge, "pointsman_provider_shut", ["provider", "why"],
        "1 while a provider takes nothing though its breaker may be closed: cooling_down, credential_disabled, disabled by an operator, actor_down.";
    PERMITS_IN_USE: Gauge, "pointsman_provider_permits_in_use", ["provider"],
        "Requests in flight at a provider.";
    PERMITS_LIMIT: Gauge, "pointsman_provider_permits_limit", ["provider"],
        "How many may be in flight there at once; absent without a limit.";

    // Ledgers.
    LEDGERS_AWAKE: Gauge, "pointsman_ledgers_awake", [],
        "Users whose ledger is in memory.";
    RESERVATIONS_OPEN: Gauge, "pointsman_ledger_reservations_open", [],
        "Requests under way that hold a reservation on a user.";
    RESERVED: Gauge, "pointsman_ledger_reserved_dollars", [],
        "What they hold.";
    OLDEST_RESERVATION: Gauge, "pointsman_ledger_oldest_reservation_seconds", [],
        "Age of the oldest of them.";
    LEDGER_WAITING: Gauge, "pointsman_ledger_waiting_requests", [],
        "Requests that wait for a place under a limit on concurrency.";
    SESSIONS: Gauge, "pointsman_sessions_bound", [],
        "Conversations that are tied to a provider.";

    // Actors and their thread.
    ACTORS: Gauge, "pointsman_actors", ["kind", "state"],
        "Actors under guard, by kind and state: running, quarantined, silent.";
    MAILBOX_DEPTH: Gauge, "pointsman_actor_mailbox_depth", ["kind"],
        "Messages that wait, all actors of a kind together.";
    MAILBOX_AGE: Gauge, "pointsman_actor_mailbox_age_seconds", ["kind"],
        "The longest a message waited in the last minute or two, or waits already.";
    LONGEST_TURN: Gauge, "pointsman_actor_longest_handler_seconds", ["kind"],
        "The longest an actor of that kind held the thread over one message in the last minute or two.";
    RESTARTS: Counter, "pointsman_actor_restarts_total", ["kind"],
        "Panics that actors survived by being restarted.";
    QUARANTINES: Counter, "pointsman_actor_quarantines_total", ["kind"],
        "How often actors were made to rest after too many panics.";
    PANICS: Counter, "pointsman_panics_total", [],
        "Panics anywhere in the process, actors included.";
    STATE_THREAD_DELAY: Gauge, "pointsman_state_thread_delay_seconds", [],
        "How late the thread of the state actors was for what was due, the worst of the last minute.";

    // Journal and database.
    JOURNAL_BYTES: Gauge, "pointsman_journal_bytes", [],
        "Bytes in the journal.";
    JOURNAL_LIMIT: Gauge, "pointsman_journal_limit_bytes", [],
        "The bound on them; new requests are refused from nine tenths of it on.";
    JOURNAL_SEGMENTS: Gauge, "pointsman_journal_segments", [],
        "Files of the journal.";
    JOURNAL_DAMAGED: Gauge, "pointsman_journal_damaged_bytes", [],
        "Bytes in which the journal was damaged when it was opened.";
    RECORDS_UNSAVED: Gauge, "pointsman_records_unsaved", [],
        "Records that are only in memory since the journal can't be written.";
    RECORDS_BACKLOG: Gauge, "pointsman_records_backlog", [],
        "Records that are not yet in the database.";
    RECORDS_TO_REPLAY: Gauge, "pointsman_records_to_replay", [],
        "Records that an earlier process left and that are not yet in the database.";
    RECORDS_POSTED: Counter, "pointsman_records_posted_total", [],
        "Records that were written to the database.";
    RECORDS_SET_ASIDE: Counter, "pointsman_records_set_aside_total", [],
        "Records that the database refused and that await an operator.";
    POSTS: Counter, "pointsman_record_posts_total", [],
        "Groups of records that were written to the database, each in a transaction.";
    POST_SECONDS: Counter, "pointsman_record_post_seconds_total", [],
        "How long that took in all; divided by the groups, the latency of one.";
    POST_FAILURES: Counter, "pointsman_record_post_failures_total", [],
        "Attempts to write a group that found the database away.";
    DATABASE_UP: Gauge, "pointsman_database_up", [],
        "1 if the database answered within a second, else 0.";
    POOL_CONNECTIONS: Gauge, "pointsman_database_pool_connections", ["pool", "state"],
        "Connections to the database, by pool and whether they are in use or idle.";
    POOL_LIMIT: Gauge, "pointsman_database_pool_limit", ["pool"],
        "The most connections of a pool.";

    // The house.
    DEGRADED: Gauge, "pointsman_degraded", ["mode"],
        "1 for each way in which the server works and yet not as it should, else 0.";
    DRAINING: Gauge, "pointsman_draining", [],
        "1 while it ends and takes nothing new.";
    UNPRICED_REQUESTS: Counter, "pointsman_unpriced_requests_total", [],
        "Requests that were served though nobody knows what they cost.";
    TRACES: Counter, "pointsman_traces_total", ["outcome"],
        "Traces of requests that were exported, dropped since too many waited, or failed at the collector; where any are made.";
    SEALED_OTHERWISE: Gauge, "pointsman_sealed_with_another_key", ["what"],
        "Values that were sealed with another key than the current sealing key at the last look.";
    BUILD_INFO: Gauge, "pointsman_build_info", ["version", "store"],
        "1, with the version and the kind of database.";

    // The process.
    PROCESS_CPU: Counter, "process_cpu_seconds_total", [],
        "Total user and system CPU time spent in seconds.";
    PROCESS_FDS: Gauge, "process_open_fds", [],
        "Number of open file descriptors.";
    PROCESS_MAX_FDS: Gauge, "process_max_fds", [],
        "Maximum number of open file descriptors.";
    PROCESS_VIRTUAL: Gauge, "process_virtual_memory_bytes", [],
        "Virtual memory size in bytes.";
    PROCESS_RESIDENT: Gauge, "process_resident_memory_bytes", [],
        "Resident memory size in bytes.";
    PROCESS_START: Gauge, "process_start_time_seconds", [],
        "Start time of the process since unix epoch in seconds.";
    PROCESS_THREADS: Gauge, "process_threads", [],
        "Number of OS threads in the process.";
}
