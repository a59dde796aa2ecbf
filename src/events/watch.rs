//! The watch: as long as anybody listens, looks once a second at what does not tell of itself.

use std::{sync::Arc, time::Duration};

use actors::{
    Gateway, Subject,
    ledger::{
        limits::{AccountId, Limits},
        view::AccountView,
    },
    money::Pico,
    supervisor::{Snapshot, roster::Condition},
};
use serde_json::{Value, json};
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::{Events, Topic};
use crate::{
    current::Current,
    drain::Drain,
    ops::{Look, Ops},
};

/// How often it looks.
const EVERY: Duration = Duration::from_secs(1);
/// How long it goes on when nobody listens any more, so that who comes back has missed nothing.
const LINGER: Duration = Duration::from_secs(60);
/// The most accounts that are looked at in one go.
const ACCOUNTS: usize = 100;
/// How full the journal is when that is told, in percent of its bound.
const FILLING: [u64; 3] = [50, 75, 90];

/// What is looked at.
pub struct Parts {
    /// Whom to tell.
    pub events: Events,
    /// The actors.
    pub gateway: Gateway,
    /// What is in force.
    pub current: Arc<Current>,
    /// How everyone is.
    pub ops: Arc<Ops>,
    /// Whether we are on our way out.
    pub drain: Drain,
}

/// Looks and tells.
pub struct Watch(Parts);

impl Watch {
    /// A watch over these.
    #[must_use]
    pub const fn new(parts: Parts) -> Self {
        Self(parts)
    }

    /// Watches until the server stops.
    pub async fn run(self) {
        let Parts { events, drain, .. } = &self.0;
        loop {
            events.held.came.notified().await;
            let (mut ticks, mut heard_at) = (interval(EVERY), Instant::now());
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            while events.is_wanted() {
                ticks.tick().await;
                if drain.is_draining() {
                    return events.close();
                }
                self.look().await;
                events.held.looked.notify_waiters();
                if events.has_listeners() {
                    heard_at = Instant::now();
                } else if heard_at.elapsed() > LINGER {
                    events.rest();
                }
            }
        }
    }

    async fn look(&self) {
        let look = self.0.ops.look().await;
        self.actors(&look.actors);
        self.alerts(&look);
        self.quotas().await;
    }

    fn actors(&self, actors: &[Snapshot]) {
        let events = &self.0.events;
        let mut gone = events.shown(Topic::Actors);
        for actor in actors {
            let key = key(actor);
            gone.remove(&key);
            let detail = |name: &str| actor.detail.as_ref().and_then(|detail| detail.get(name)).cloned();
            let state = json!({
                "kind": actor.kind,
                "name": actor.name,
                "state": actor.state,
                "restarts": actor.restarts,
                "in_flight": detail("in_flight"),
                "breaker": detail("breaker").and_then(|breaker| breaker.get("state").cloned()),
            });
            events.show(Topic::Actors, &key, Some(state), Value::Null);
        }
        for key in gone {
            let (kind, name) = key.split_once('/').unwrap_or_default();
            events.show(Topic::Actors, &key, None, json!({ "kind": kind, "name": name, "state": "gone" }));
        }
    }

    fn alerts(&self, look: &Look) {
        let Parts { events, current, .. } = &self.0;
        let mut on: Vec<(&str, Option<String>)> = Vec::new();
        for actor in &look.actors {
            let breaker =
                actor.detail.as_ref().and_then(|detail| detail.get("breaker")?.get("state")?.as_str());
            if breaker.is_some_and(|state| state != "closed") {
                on.push(("breaker_open", Some(actor.name.clone())));
            }
            if actor.state == Condition::Quarantined {
                on.push(("actor_quarantined", Some(key(actor))));
            }
        }
        on.extend(look.degraded.iter().map(|mode| ("degraded", Some(mode.name().to_owned()))));
        on.extend(current.unpriced().counts().into_iter().map(|(model, _)| ("unpriced_model", Some(model))));
        let journal = &look.recorder;
        let percent = journal.journal_bytes.saturating_mul(100) / journal.journal_max_bytes.max(1);
        let filled = FILLING.into_iter().filter(|mark| percent >= *mark);
        on.extend(filled.map(|mark| ("journal_filling", Some(format!("{mark}%")))));

        let mut off = events.shown(Topic::Alerts);
        for (alert, subject) in on {
            let key = format!("{alert} {}", subject.as_deref().unwrap_or_default());
            off.remove(&key);
            let state = json!({ "alert": alert, "subject": subject, "on": true });
            events.show(Topic::Alerts, &key, Some(state), Value::Null);
        }
        for key in off {
            let (alert, subject) = key.split_once(' ').unwrap_or_default();
            let farewell = json!({ "alert": alert, "subject": subject, "on": false });
            events.show(Topic::Alerts, &key, None, farewell);
        }
    }

    async fn quotas(&self) {
        let Parts { events, gateway, current, .. } = &self.0;
        for (account, user) in events.take_touched(ACCOUNTS) {
            let subject = match (account, user) {
                (AccountId::User(user), _) => {
                    Subject::User(user, current.limits_of_user(user, &Limits::default()).await)
                }
                (AccountId::Key(key), Some(user)) => match current.limits_of_key(key).await {
                    Some(limits) => Subject::Key(user, key, limits),
                    // It was deleted since.
                    None => continue,
                },
                (AccountId::Key(_), None) => continue,
                (AccountId::Provider(provider), _) => Subject::Provider(provider),
            };
            if let Ok(Some(view)) = gateway.quota(subject).await {
                events.show(Topic::Quotas, &account.to_string(), Some(used(&view)), Value::Null);
            }
        }
    }
}

fn key(actor: &Snapshot) -> String {
    format!("{}/{}", actor.kind, actor.name)
}

/// How much of each limit an account has used, what is reserved included.
fn used(view: &AccountView) -> Value {
    let windows = view.windows.iter().map(|window| {
        let taken = window.settled + window.reserved;
        let percent = window.limit.map(|limit| percent(taken, limit));
        json!({ "window": window.span, "used_usd": taken, "limit_usd": window.limit, "used_percent": percent })
    });
    let windows: Vec<_> = windows.collect();
    json!({ "account": view.account.to_string(), "known": view.known, "windows": windows })
}

/// A share in whole percent, rounded down; all of nothing is used up.
fn percent(taken: Pico, limit: Pico) -> i128 {
    if limit.0 <= 0 { 100 } else { taken.0.saturating_mul(100) / limit.0 }
}
