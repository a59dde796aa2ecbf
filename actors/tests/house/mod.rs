//! A small house for tests, and an actor that breaks on demand.

#![allow(dead_code, unreachable_pub, reason = "each test binary uses its own part")]

use std::{sync::Arc, time::Duration};

use actix::{Actor, Arbiter, Context, Handler, Message, Supervised};
use actors::{
    Gateway, Settings,
    clock::Stopwatch,
    dispatcher::grant::Closing,
    provider::{card::Card, outcome::Outcome},
    supervisor::{Guarded, Leash, Snapshot, Vitals, mailbox::Counted},
    testkit::{cards, fault, time},
};

/// A gateway with its providers, on the current thread.
pub struct House {
    pub gateway: Gateway,
}

impl House {
    pub async fn build(leash: Leash, cards: Vec<Arc<Card>>) -> Self {
        let settings = Settings { leash, ..Settings::default() };
        let gateway = Gateway::start(&Arbiter::current(), time::clock(), settings);
        gateway.configure(cards).await.expect("the dispatcher takes it");
        Self { gateway }
    }

    pub async fn provider(&self, name: &str) -> Snapshot {
        self.gateway.actor("provider", name).await.expect("it is listed")
    }

    /// Requests in flight there, by its own picture.
    pub async fn in_flight(&self, name: &str) -> u64 {
        self.provider(name).await.detail.unwrap_or_default()["in_flight"].as_u64().expect("a number")
    }

    /// Its breaker's state, by its own picture.
    pub async fn breaker(&self, name: &str) -> String {
        let detail = self.provider(name).await.detail.unwrap_or_default();
        detail["breaker"]["state"].as_str().expect("a state").to_owned()
    }

    /// Lets the best provider fail so many requests.
    pub async fn fail(&self, times: u32) {
        for _ in 0..times {
            let grant = self.gateway.journey(cards::ask("m")).next().await.expect("it takes requests");
            grant.close(Outcome::ProviderFailed, Closing::default());
        }
    }

    /// Makes that provider panic until it must rest, and waits until it has.
    pub async fn rest(&self, name: &str, leash: Leash) {
        let panics = u32::try_from(leash.panics).expect("few") + 1;
        fault::arm(fault::ADMIT, name, panics);
        for _ in 0..panics {
            drop(self.gateway.journey(cards::ask("m")).next().await);
        }
        assert_eq!(fault::left(fault::ADMIT, name), 0, "it was asked often enough");
        tokio::time::sleep(leash.rest + Duration::from_millis(1)).await;
    }
}

/// An actor that counts, and panics when told to.
pub struct Fragile {
    count: u32,
    bad_restarts: u32,
    pub started: u32,
    vitals: Arc<Vitals>,
}

/// What one can tell it.
#[derive(Debug, Clone, Copy)]
pub enum Order {
    /// Count on; answers how far it is.
    Count,
    /// Panic.
    Panic,
    /// Panic in the next so many restarts, too.
    FailRestarts(u32),
    /// Hold the thread for so long, in real time.
    Hold(Duration),
    /// Answer how often it was started.
    Starts,
}

impl Message for Order {
    type Result = u32;
}

impl Fragile {
    pub fn new(vitals: Arc<Vitals>) -> Self {
        Self { count: 0, bad_restarts: 0, started: 0, vitals }
    }
}

impl Actor for Fragile {
    type Context = Context<Self>;

    fn started(&mut self, _: &mut Self::Context) {
        self.started += 1;
    }
}

impl Supervised for Fragile {
    fn restarting(&mut self, _: &mut Self::Context) {
        self.restore();
        if let Some(left) = self.bad_restarts.checked_sub(1) {
            self.bad_restarts = left;
            panic!("fault point on restart");
        }
    }
}

impl Guarded for Fragile {
    fn vitals(&self) -> &Arc<Vitals> {
        &self.vitals
    }

    fn renew(&mut self) {
        self.count = 0;
    }
}

impl Handler<Counted<Order>> for Fragile {
    type Result = u32;

    fn handle(&mut self, order: Counted<Order>, _: &mut Self::Context) -> u32 {
        let (order, _turn) = order.take_up();
        match order {
            Order::Count => self.count += 1,
            Order::Panic => panic!("fault point on order"),
            Order::FailRestarts(times) => self.bad_restarts = times,
            Order::Hold(time) => {
                let held = Stopwatch::start();
                while u128::from(held.micros()) < time.as_micros() {
                    std::hint::spin_loop();
                }
            }
            Order::Starts => return self.started,
        }
        self.count
    }
}
