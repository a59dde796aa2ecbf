//! What is so at the moment of looking: actors, journal, database, the house. Read once per scrape from what
//! each of them tells of itself; nothing here is counted on the way of a request.

use actors::supervisor::{Snapshot, roster::Condition};
use prometheus::proto::MetricFamily;
use serde_json::Value;

use super::{
    make,
    names::{self, Metric},
    totals::Totals,
};
use crate::{
    journal::recorder::RecorderSnapshot,
    ops::{Degraded, Look},
    store::{PoolState, SealReport},
    traces::TraceCounts,
};

/// What a scrape has found.
pub(super) struct Found {
    pub(super) look: Look,
    pub(super) draining: bool,
    pub(super) store_kind: &'static str,
    pub(super) pools: Vec<PoolState>,
    pub(super) unpriced: u64,
    pub(super) panics: u64,
    /// None where none are made.
    pub(super) traces: Option<TraceCounts>,
    /// None before the first look.
    pub(super) seals: Option<SealReport>,
}

type Samples = Vec<(Vec<String>, f64)>;

/// All of it as metrics.
pub(super) fn paint(found: &Found, totals: &mut Totals) -> Vec<MetricFamily> {
    totals.add(&found.look.actors);
    let mut families = providers(&found.look.actors);
    families.extend(ledgers(&found.look.actors));
    families.extend(actors(&found.look.actors, totals));
    families.extend(journal(&found.look.recorder));
    families.extend(house(found));
    families.retain(|family| !family.get_metric().is_empty());
    families
}

fn providers(actors: &[Snapshot]) -> Vec<MetricFamily> {
    let (mut state, mut transitions, mut shut) = (Samples::new(), Samples::new(), Samples::new());
    let (mut in_use, mut limit) = (Samples::new(), Samples::new());
    for actor in actors.iter().filter(|actor| actor.kind == "provider") {
        let with = |label: &str| vec![actor.name.clone(), label.to_owned()];
        let down = actor.state != Condition::Running;
        shut.push((with("actor_down"), truth(down)));
        // One that rests counts as open (the board says so), and has nothing else to tell.
        let Some(detail) = &actor.detail else {
            state.extend(["closed", "open", "half_open"].map(|name| (with(name), truth(name == "open"))));
            continue;
        };
        let breaker = detail["breaker"]["state"].as_str().unwrap_or_default();
        state.extend(["closed", "open", "half_open"].map(|name| (with(name), truth(name == breaker))));
        transitions.extend(["opened", "closed"].map(|to| (with(to), number(&detail["transitions"][to]))));
        shut.extend([
            (with("cooling_down"), truth(!detail["cooling_down_until"].is_null())),
            (with("credential_disabled"), truth(!detail["credential"]["disabled_until"].is_null())),
            (with("disabled"), truth(detail["enabled"] == Value::Bool(false))),
        ]);
        in_use.push((vec![actor.name.clone()], number(&detail["in_flight"])));
        if let Some(most) = detail["concurrency"].as_f64() {
            limit.push((vec![actor.name.clone()], most));
        }
    }
    vec![
        make::family(&names::BREAKER_STATE, state),
        make::family(&names::BREAKER_TRANSITIONS, transitions),
        make::family(&names::PROVIDER_SHUT, shut),
        make::family(&names::PERMITS_IN_USE, in_use),
        make::family(&names::PERMITS_LIMIT, limit),
    ]
}

fn ledgers(actors: &[Snapshot]) -> Vec<MetricFamily> {
    let told = |kind: &'static str| {
        actors.iter().filter(move |actor| actor.kind == kind).filter_map(|actor| actor.detail.as_ref())
    };
    let sum = |field: &str| told("ledger").map(|ledger| number(&ledger[field])).sum();
    let oldest = told("ledger").map(|ledger| number(&ledger["oldest_open_s"])).fold(0.0, f64::max);
    let sessions = told("session_tracker").map(|tracker| number(&tracker["bindings"])).sum();
    vec![
        one(&names::LEDGERS_AWAKE, actors.iter().filter(|actor| actor.kind == "ledger").count() as f64),
        one(&names::RESERVATIONS_OPEN, sum("open_reservations")),
        one(&names::RESERVED, sum("held_usd")),
        one(&names::OLDEST_RESERVATION, oldest),
        one(&names::LEDGER_WAITING, sum("waiting")),
        one(&names::SESSIONS, sessions),
    ]
}

fn actors(actors: &[Snapshot], totals: &Totals) -> Vec<MetricFamily> {
    let kinds = super::totals::kinds(actors);
    let of = |kind: &'static str| actors.iter().filter(move |actor| actor.kind == kind);
    let by_kind = |metric: &Metric, value: &dyn Fn(&'static str) -> f64| {
        make::family(metric, kinds.iter().map(|kind| (vec![(*kind).to_owned()], value(kind))))
    };
    let worst = |micros: fn(&Snapshot) -> u64| {
        move |kind| of(kind).map(micros).max().map_or(0.0, |micros| micros as f64 / 1e6)
    };
    let states = [
        (Condition::Running, "running"),
        (Condition::Quarantined, "quarantined"),
        (Condition::Silent, "silent"),
    ];
    let states = kinds.iter().flat_map(|kind| {
        states.map(|(state, name)| {
            let count = of(kind).filter(|actor| actor.state == state).count();
            (vec![(*kind).to_owned(), name.to_owned()], count as f64)
        })
    });
    let delay = of("watchdog").filter_map(|actor| actor.detail.as_ref());
    let delay = delay.map(|dog| number(&dog["delay_us_worst_of_a_minute"]) / 1e6).fold(0.0, f64::max);
    vec![
        make::family(&names::ACTORS, states),
        by_kind(&names::MAILBOX_DEPTH, &|kind| of(kind).map(|actor| f64::from(actor.mailbox_depth)).sum()),
        by_kind(&names::MAILBOX_AGE, &worst(|actor| actor.longest_wait_us)),
        by_kind(&names::LONGEST_TURN, &worst(|actor| actor.longest_turn_us)),
        make::family(&names::RESTARTS, totals.restarts()),
        make::family(&names::QUARANTINES, totals.quarantines()),
        one(&names::STATE_THREAD_DELAY, delay),
    ]
}

fn journal(recorder: &RecorderSnapshot) -> Vec<MetricFamily> {
    vec![
        one(&names::JOURNAL_BYTES, recorder.journal_bytes as f64),
        one(&names::JOURNAL_LIMIT, recorder.journal_max_bytes as f64),
        one(&names::JOURNAL_SEGMENTS, recorder.journal_segments as f64),
        one(&names::JOURNAL_DAMAGED, recorder.journal_damaged as f64),
        one(&names::RECORDS_UNSAVED, recorder.unsaved as f64),
        one(&names::RECORDS_BACKLOG, recorder.backlog as f64),
        one(&names::RECORDS_TO_REPLAY, recorder.to_replay as f64),
        one(&names::RECORDS_POSTED, recorder.committed as f64),
        one(&names::RECORDS_SET_ASIDE, recorder.set_aside as f64),
        one(&names::POSTS, recorder.posts as f64),
        one(&names::POST_SECONDS, recorder.posting.as_secs_f64()),
        one(&names::POST_FAILURES, recorder.failed_commits as f64),
    ]
}

fn house(found: &Found) -> Vec<MetricFamily> {
    let connections = found.pools.iter().flat_map(|pool| {
        let count =
            |state: &str, count: u32| (vec![pool.name.to_owned(), state.to_owned()], f64::from(count));
        [count("in_use", pool.in_use), count("idle", pool.idle)]
    });
    let limits = found.pools.iter().map(|pool| (vec![pool.name.to_owned()], f64::from(pool.most)));
    let degraded = &found.look.degraded;
    let modes = Degraded::ALL.into_iter();
    let modes = modes.map(|mode| (vec![mode.name().to_owned()], truth(degraded.contains(&mode))));
    let traces = found.traces.into_iter().flat_map(|TraceCounts { exported, dropped, failed }| {
        [("exported", exported), ("dropped", dropped), ("failed", failed)]
            .map(|(outcome, count)| (vec![outcome.to_owned()], count as f64))
    });
    let build = vec![env!("CARGO_PKG_VERSION").to_owned(), found.store_kind.to_owned()];
    let sealed = found.seals.iter().flat_map(SealReport::sorts);
    let sealed = sealed.map(|(what, seals)| (vec![what.to_owned()], seals.left as f64));
    vec![
        one(&names::PANICS, found.panics as f64),
        one(&names::DATABASE_UP, truth(found.look.database)),
        make::family(&names::POOL_CONNECTIONS, connections),
        make::family(&names::POOL_LIMIT, limits),
        make::family(&names::DEGRADED, modes),
        make::family(&names::TRACES, traces),
        make::family(&names::SEALED_OTHERWISE, sealed),
        one(&names::DRAINING, truth(found.draining)),
        one(&names::UNPRICED_REQUESTS, found.unpriced as f64),
        make::family(&names::BUILD_INFO, [(build, 1.0)]),
    ]
}

fn one(metric: &Metric, value: f64) -> MetricFamily {
    make::family(metric, [(Vec::new(), value)])
}

fn truth(holds: bool) -> f64 {
    f64::from(u8::from(holds))
}

/// A number in an actor's own account of itself; amounts of money stand there as text.
fn number(value: &Value) -> f64 {
    value.as_f64().or_else(|| value.as_str()?.parse().ok()).unwrap_or_default()
}
