//! Ledgers at work: the whole house on simulated time, with budgets.

mod house;

use std::{sync::Arc, time::Duration};

use actix::Arbiter;
use actors::{
    Gateway, Settings, Subject,
    dispatcher::{
        grant::Closing,
        journey::Journey,
        messages::{Ask, CallerLimits, NoProvider},
    },
    ids::{KeyId, ProviderId, UserId},
    ledger::{
        claim::{Denied, Estimate, Raise, Running},
        limits::{AccountId, LimitKind, Limits, Span},
        queue::Waiting,
        view::AccountView,
    },
    money::Pico,
    provider::outcome::Outcome,
    supervisor::Leash,
    testkit::{
        cards, fault,
        leaving::Leaving,
        records::{Manner, Records},
        time,
    },
};

const KEY: AccountId = AccountId::Key(KeyId(1));
const PROVIDER: AccountId = AccountId::Provider(ProviderId(1));

/// A house with one provider, and what is on record in it.
struct Bank {
    gateway: Gateway,
    records: Arc<Records>,
    limits: CallerLimits,
    /// Fault points are named for the whole process: a test that arms one has a user of its own.
    user: UserId,
}

impl Bank {
    async fn open(limits: Limits, settings: Settings, card: actors::provider::card::Card) -> Self {
        fault::hush();
        let records = Arc::new(Records::default());
        let settings = Settings { balances: Arc::<Records>::clone(&records), ..settings };
        let gateway = Gateway::start(&Arbiter::current(), time::clock(), settings);
        gateway.configure(vec![Arc::new(card)]).await.expect("the dispatcher takes it");
        let limits = CallerLimits { user: Arc::new(limits), key: Arc::default() };
        Self { gateway, records, limits, user: UserId(1) }
    }

    async fn with(limits: Limits) -> Self {
        Self::open(limits, Settings::default(), Arc::unwrap_or_clone(cards::plain(1))).await
    }

    /// A request that costs so much at most.
    fn journey(&self, worst: i128) -> Journey {
        let estimate = Estimate {
            input: Pico(worst),
            worst_input: Pico(worst),
            per_output_token: Pico(1),
            ..Estimate::default()
        };
        self.gateway.journey(Ask {
            estimate,
            limits: self.limits.clone(),
            user: self.user,
            ..cards::ask("m")
        })
    }

    /// Writes down what a request cost, and settles it.
    fn settle(&self, journey: &mut Journey, cost: i128) {
        let minute = journey.minute().expect("it was admitted");
        let number = self.records.record(&[self.account(), KEY, PROVIDER], minute, Pico(cost));
        journey.settle(Pico(cost), Some((1, 1)), number);
    }

    /// One whole request.
    async fn spend(&self, cost: i128) -> Result<(), NoProvider> {
        let mut journey = self.journey(cost);
        let grant = journey.next().await?;
        grant.close(Outcome::Answered, Closing::default());
        self.settle(&mut journey, cost);
        Ok(())
    }

    fn account(&self) -> AccountId {
        AccountId::User(self.user)
    }

    fn user(&self) -> Subject {
        Subject::User(self.user, Arc::clone(&self.limits.user))
    }

    async fn view(&self, subject: Subject) -> AccountView {
        self.gateway.quota(subject).await.expect("somebody answers").expect("there is such an account")
    }

    /// What is settled and reserved of the day.
    async fn day(&self, subject: Subject) -> (i128, i128) {
        let view = self.view(subject).await;
        assert!(view.is_sure(), "{view:?}");
        (view.windows[1].settled.0, view.windows[1].reserved.0)
    }

    async fn is_asleep(&self) -> bool {
        self.gateway.actor("ledger", "user/1").await.is_none()
    }
}

fn daily(amount: i128) -> Limits {
    let mut limits = Limits::default();
    limits.usd[Span::Day] = Some(Pico(amount));
    limits
}

fn denied(refusal: Result<(), NoProvider>) -> LimitKind {
    match refusal {
        Err(NoProvider::Denied(Denied::OverLimit(over))) => over.kind,
        other => panic!("it was not refused by a limit: {other:?}"),
    }
}

fn is_unknown(refusal: &Result<(), NoProvider>) -> bool {
    matches!(refusal, Err(NoProvider::Denied(Denied::CannotVerify(AccountId::User(_)))))
}

#[test]
fn i01_what_fits_is_admitted_and_nothing_beyond() {
    time::simulated(async {
        let bank = Bank::with(daily(10)).await;
        let mut held = Vec::new();
        for _ in 0..3 {
            let mut journey = bank.journey(3);
            held.push((journey.next().await.expect("it fits"), journey));
        }
        assert_eq!(denied(bank.spend(2).await), LimitKind::Usd(Span::Day));
        assert_eq!(bank.day(bank.user()).await, (0, 9));
        assert_eq!(bank.gateway.reservations().await.unwrap().len(), 3);
        for (grant, mut journey) in held {
            drop(grant);
            bank.settle(&mut journey, 2);
        }
        time::quiet().await;
        assert_eq!(bank.day(bank.user()).await, (6, 0));
        assert!(bank.spend(4).await.is_ok());
        assert_eq!(denied(bank.spend(1).await), LimitKind::Usd(Span::Day));
    });
}

#[test]
fn a_ledger_that_wakes_goes_by_what_is_on_record_and_keeps_nobody_waiting_for_long() {
    time::simulated(async {
        let bank = Bank::with(daily(10)).await;
        bank.records.record(&[bank.account()], actors::ledger::minutes::Minute::of(now(&bank)), Pico(7));
        bank.records.answer(Manner::Late(Duration::from_millis(500)));
        let asked = tokio::time::Instant::now();
        let (too_much, fits) = tokio::join!(bank.spend(4), bank.spend(3));
        assert_eq!(denied(too_much), LimitKind::Usd(Span::Day));
        assert!(fits.is_ok());
        assert_eq!(asked.elapsed(), Duration::from_millis(500));
        assert_eq!(bank.records.questions(), 1);
    });
}

fn now(bank: &Bank) -> chrono::DateTime<chrono::Utc> {
    bank.gateway.clock().wall(bank.gateway.clock().now())
}

#[test]
fn while_nobody_can_say_what_was_used_only_limits_on_dollars_refuse() {
    time::simulated(async {
        let mut bank = Bank::with(daily(10)).await;
        bank.records.answer(Manner::Away);
        assert!(is_unknown(&bank.spend(1).await));
        bank.records.answer(Manner::Late(Duration::from_secs(60)));
        tokio::time::sleep(Duration::from_secs(2)).await;
        let asked = tokio::time::Instant::now();
        assert!(is_unknown(&bank.spend(1).await));
        assert_eq!(asked.elapsed(), Duration::from_secs(2), "no longer than that");
        let limited = std::mem::take(&mut bank.limits);
        assert!(bank.spend(1).await.is_ok(), "nothing is bounded");
        bank.limits = limited;
        bank.records.answer(Manner::Prompt);
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(bank.spend(9).await.is_ok());
        assert_eq!(denied(bank.spend(1).await), LimitKind::Usd(Span::Day), "what was unbounded counts");
    });
}

#[test]
fn i05_i10_i11_a_caller_who_leaves_at_any_await_point_leaves_nothing_reserved() {
    let mut points = 0;
    for point in 0.. {
        let left = time::simulated(async {
            let bank = Bank::with(Limits { concurrency: Some(2), ..daily(100) }).await;
            let story = async {
                let mut journey = bank.journey(3);
                let grant = journey.next().await.expect("it fits");
                time::quiet().await;
                journey.running(Running { input: None, output_tokens: 9 });
                grant.close(Outcome::RateLimited, Closing::default());
                time::quiet().await;
                bank.settle(&mut journey, 5);
            };
            let left = Leaving::after(point, story).await.is_none();
            time::quiet().await;
            let view = bank.view(bank.user()).await;
            assert_eq!(view.windows[1].reserved, Pico::ZERO, "left at {point}");
            assert_eq!(view.windows[1].settled, if left { Pico::ZERO } else { Pico(5) });
            assert_eq!(view.concurrency.used, 0, "left at {point}");
            assert!(bank.gateway.reservations().await.unwrap().is_empty(), "left at {point}");
            left
        });
        if !left {
            points = point;
            break;
        }
    }
    println!("left at each of {points} await points");
    assert!(points >= 3, "a choice and two waits have at least three await points, found {points}");
}

#[test]
fn i03_a_settlement_lost_to_a_panic_is_found_on_record() {
    time::simulated(async {
        let bank = Bank { user: UserId(7), ..Bank::with(daily(10)).await };
        assert!(bank.spend(1).await.is_ok());
        time::quiet().await;
        fault::arm(fault::SETTLE, "user/7", 1);
        assert!(bank.spend(4).await.is_ok());
        time::quiet().await;
        assert_eq!(fault::left(fault::SETTLE, "user/7"), 0);
        assert_eq!(bank.day(bank.user()).await, (5, 4), "it still stands, since its end was lost");
        tokio::time::sleep(Settings::default().longest_request + Duration::from_secs(100)).await;
        assert_eq!(bank.day(bank.user()).await, (5, 0), "and is given back when no request can last so long");
    });
}

#[test]
fn a_ledger_that_rests_lets_only_the_unbounded_pass_and_comes_back_knowing_all() {
    time::simulated(async {
        let leash = Leash { panics: 1, window: Duration::from_secs(10), rest: Duration::from_secs(10) };
        let card = Arc::unwrap_or_clone(cards::plain(1));
        let bank = Bank::open(daily(10), Settings { leash, ..Settings::default() }, card).await;
        let mut bank = Bank { user: UserId(8), ..bank };
        assert!(bank.spend(6).await.is_ok());
        fault::arm(fault::RESERVE, "user/8", 2);
        assert!(is_unknown(&bank.spend(1).await));
        assert!(is_unknown(&bank.spend(1).await));
        let limited = std::mem::take(&mut bank.limits);
        assert!(bank.spend(3).await.is_ok());
        bank.limits = limited;
        tokio::time::sleep(leash.rest).await;
        assert_eq!(bank.day(bank.user()).await, (9, 0));
    });
}

#[test]
fn i13_who_waits_for_a_place_is_served_in_order_and_who_left_takes_none() {
    time::simulated(async {
        let waiting = Waiting { most: 3, longest: Duration::from_secs(30) };
        let card = Arc::unwrap_or_clone(cards::plain(1));
        let settings = Settings { waiting, ..Settings::default() };
        let bank =
            Arc::new(Bank::open(Limits { concurrency: Some(1), ..Limits::default() }, settings, card).await);
        let mut first = bank.journey(1);
        let grant = first.next().await.expect("there is a place");
        let order = Arc::new(std::sync::Mutex::new(Vec::new()));
        let mut waiters = Vec::new();
        for nth in 0..3 {
            let (bank, order) = (Arc::clone(&bank), Arc::clone(&order));
            waiters.push(actix::spawn(async move {
                let mut journey = bank.journey(1);
                let grant = journey.next().await.expect("its turn comes");
                order.lock().unwrap().push(nth);
                tokio::time::sleep(Duration::from_secs(1)).await;
                drop(grant);
            }));
            time::quiet().await;
        }
        assert_eq!(denied(bank.spend(1).await), LimitKind::Concurrency, "no more may wait");
        waiters[1].abort();
        time::quiet().await;
        assert!(order.lock().unwrap().is_empty());
        drop((grant, first));
        // A place that is free with somebody waiting is given at once.
        time::quiet().await;
        assert_eq!(*order.lock().unwrap(), [0]);
        tokio::time::sleep(Duration::from_millis(1_001)).await;
        assert_eq!(*order.lock().unwrap(), [0, 2], "who left is passed over");
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(bank.view(bank.user()).await.concurrency.used, 0);
    });
}

#[test]
fn i13_nobody_waits_for_a_place_longer_than_was_allowed() {
    time::simulated(async {
        let waiting = Waiting { most: 3, longest: Duration::from_secs(5) };
        let card = Arc::unwrap_or_clone(cards::plain(1));
        let settings = Settings { waiting, ..Settings::default() };
        let bank = Bank::open(Limits { concurrency: Some(1), ..Limits::default() }, settings, card).await;
        let mut first = bank.journey(1);
        let _grant = first.next().await.expect("there is a place");
        let asked = tokio::time::Instant::now();
        assert_eq!(denied(bank.spend(1).await), LimitKind::Concurrency);
        assert_eq!(asked.elapsed(), waiting.longest);
    });
}

#[test]
fn an_unused_ledger_sleeps_and_wakes_knowing_what_it_knew() {
    time::simulated(async {
        let bank = Bank::with(daily(10)).await;
        assert!(bank.spend(6).await.is_ok());
        let mut journey = bank.journey(1);
        let grant = journey.next().await.expect("it fits");
        tokio::time::sleep(Duration::from_secs(3_700)).await;
        assert!(!bank.is_asleep().await, "a request is still under way");
        drop((grant, journey));
        tokio::time::sleep(Duration::from_secs(90)).await;
        assert!(bank.is_asleep().await);
        assert_eq!(bank.day(bank.user()).await, (6, 0));
        assert_eq!(denied(bank.spend(5).await), LimitKind::Usd(Span::Day));
    });
}

#[test]
fn i02_a_stream_that_has_used_all_that_was_left_is_told_to_stop() {
    time::simulated(async {
        let bank = Bank::with(Limits { hard_stop: Some(true), ..daily(10) }).await;
        let mut journey = bank.journey(4);
        let _grant = journey.next().await.expect("it fits");
        journey.running(Running { input: Some(Pico(2)), output_tokens: 8 });
        time::quiet().await;
        assert!(!journey.is_used_up());
        assert_eq!(bank.day(bank.user()).await, (0, 10), "it holds what it has used");
        journey.running(Running { input: Some(Pico(2)), output_tokens: 9 });
        time::quiet().await;
        assert!(journey.is_used_up());
    });
}

#[test]
fn i01_a_providers_budget_sends_requests_elsewhere_and_takes_every_cost() {
    time::simulated(async {
        let mut card = Arc::unwrap_or_clone(cards::plain(1));
        card.limits = daily(10);
        let bank = Bank::open(Limits::default(), Settings::default(), card.clone()).await;
        let second = cards::with(2, |card| card.priority = 9);
        bank.gateway.configure(vec![Arc::new(card), second]).await.unwrap();
        time::quiet().await;
        assert!(bank.spend(7).await.is_ok());
        let mut journey = bank.journey(5);
        let grant = journey.next().await.expect("the other has no budget");
        assert_eq!(grant.provider(), ProviderId(2));
        let decision = serde_json::to_string(journey.decisions()).unwrap();
        assert!(decision.contains("budget_spent"), "{decision}");
        let mut fits = bank.journey(3);
        assert_eq!(fits.next().await.expect("it fits").provider(), ProviderId(1));
        assert_eq!(bank.day(Subject::Provider(ProviderId(1))).await, (7, 3));
    });
}

#[test]
fn i09_limits_resets_and_raises_count_from_the_next_request_on() {
    time::simulated(async {
        let mut bank = Bank::with(daily(10)).await;
        assert!(bank.spend(10).await.is_ok());
        assert_eq!(denied(bank.spend(1).await), LimitKind::Usd(Span::Day));
        let raise = Raise { to: Pico(12), until: now(&bank) + Duration::from_secs(60) };
        assert_eq!(bank.gateway.raise(bank.user(), Span::Day, raise).await, Ok(true));
        assert!(bank.spend(2).await.is_ok());
        tokio::time::sleep(Duration::from_secs(61)).await;
        let forgiven = bank.gateway.reset(bank.user(), Span::Day).await.unwrap().expect("it is known");
        bank.records.record_reset(bank.account(), Span::Day, forgiven);
        assert_eq!(bank.day(bank.user()).await, (0, 0));
        assert!(bank.spend(9).await.is_ok());
        bank.limits.user = Arc::new(daily(5));
        assert_eq!(denied(bank.spend(1).await), LimitKind::Usd(Span::Day));
        bank.gateway.recheck(&bank.user()).await.unwrap();
        time::quiet().await;
        assert_eq!(bank.day(bank.user()).await, (9, 0), "and is still so by the records");
        assert!(bank.gateway.quota(Subject::Provider(ProviderId(9))).await.unwrap().is_none());
    });
}

#[test]
fn i13_who_may_wait_is_changed_while_it_runs() {
    time::simulated(async {
        let bank = Bank::with(Limits { concurrency: Some(1), ..Limits::default() }).await;
        let mut first = bank.journey(1);
        let grant = first.next().await.expect("there is a place");
        assert_eq!(denied(bank.spend(1).await), LimitKind::Concurrency, "nobody may wait");

        let terms = Waiting { most: 1, longest: Duration::from_secs(5) };
        bank.gateway.set_waiting(terms).await.unwrap();
        let mut second = bank.journey(1);
        let waits = tokio::task::spawn_local(async move { second.next().await.map(|_| ()) });
        time::quiet().await;
        assert!(!waits.is_finished(), "the ledger that was awake goes by the new terms");
        grant.close(Outcome::Answered, Closing::default());
        bank.settle(&mut first, 1);
        assert!(waits.await.unwrap().is_ok(), "and the place is given on");
    });
}
