//! What supervision promises: an actor's address, queue and value outlive its panics (I-33, I-38), and
//! one that panics too often rests without taking anybody with it (I-34).

mod house;

use std::{sync::Arc, time::Duration};

use actix::Arbiter;
use actors::{
    clock::Stopwatch,
    dispatcher::{grant::Closing, messages::NoProvider},
    ids::ProviderId,
    provider::outcome::Outcome,
    supervisor::{Leash, Undelivered, guard, roster::Condition},
    testkit::{cards, fault, time},
};
use futures_util::future::join_all;

use self::house::{Fragile, House, Order};

const LEASH: Leash = Leash { panics: 3, window: Duration::from_secs(10), rest: Duration::from_secs(30) };

/// A leash that never tightens.
const LOOSE: Leash = Leash { panics: usize::MAX, ..LEASH };

#[test]
fn i33_two_hundred_panics_under_load_cost_two_hundred_answers_and_nothing_else() {
    const JOURNEYS: usize = 64;
    const ROUNDS: usize = 5;
    const PANICS: u32 = 200;
    fault::hush();
    time::simulated(async {
        let house = House::build(LOOSE, vec![named(1, "i33")]).await;
        fault::arm(fault::ADMIT, "i33", PANICS);
        let round = || async {
            let mut journey = house.gateway.journey(cards::ask("m"));
            let grant = journey.next().await.ok()?;
            time::quiet().await;
            grant.close(Outcome::Answered, Closing::default());
            Some(())
        };
        let (mut served, mut refused) = (0, 0);
        for _ in 0..ROUNDS {
            for answer in join_all((0..JOURNEYS).map(|_| round())).await {
                if answer.is_some() { served += 1 } else { refused += 1 }
            }
        }
        let provider = house.provider("i33").await;
        println!("{served} served, {refused} refused, {} panics survived", provider.restarts);
        // Each lost question is asked once more, so only a request that loses both is refused.
        assert_eq!(served + refused, JOURNEYS * ROUNDS);
        assert!(refused <= PANICS as usize / 2, "{refused}");
        assert_eq!((provider.restarts, provider.state), (u64::from(PANICS), Condition::Running));
        let detail = provider.detail.unwrap_or_default();
        assert_eq!(detail["in_flight"], 0, "I-10");
        assert_eq!(detail["last_five_minutes"]["answered"], served, "no other message was lost: {detail}");
    });
}

#[test]
fn i34_one_that_panics_too_often_rests_while_the_others_serve_and_comes_back_fresh() {
    fault::hush();
    time::simulated(async {
        let favourite = cards::with(1, |card| {
            card.name = "i34".to_owned();
            card.priority = -1;
        });
        let house = House::build(LEASH, vec![favourite, named(2, "i34 reserve")]).await;
        let mut journey = house.gateway.journey(cards::ask("m"));
        let held = journey.next().await.expect("all is well");
        assert_eq!(held.provider(), ProviderId(1));
        house.fail(2).await;
        assert_eq!(house.in_flight("i34").await, 1);

        fault::arm(fault::ADMIT, "i34", 4);
        let mut by_reserve = 0;
        for _ in 0..100 {
            let mut journey = house.gateway.journey(cards::ask("m"));
            let grant = journey.next().await.expect("the reserve serves");
            by_reserve += u32::from(grant.provider() == ProviderId(2));
            grant.close(Outcome::Answered, Closing::default());
        }
        assert_eq!(by_reserve, 100);
        let resting = house.provider("i34").await;
        assert_eq!((resting.state, resting.restarts), (Condition::Quarantined, 4), "it was asked no more");
        let decision = house.gateway.simulate(cards::ask("m")).await.expect("answered");
        let skipped = serde_json::to_value(&decision).expect("a document");
        assert_eq!(skipped["candidates"][1]["reason"], "actor_down", "{skipped}");

        // An end told to one who rests gives its permit back all the same.
        held.close(Outcome::Answered, Closing::default());
        tokio::time::sleep(LEASH.rest + Duration::from_millis(1)).await;
        let back = house.provider("i34").await;
        assert_eq!(back.state, Condition::Running);
        let detail = back.detail.unwrap_or_default();
        assert_eq!(detail["breaker"]["failures_in_a_row"], 0, "it is fresh");
        assert_eq!(detail["in_flight"], 0, "I-10");
        let mut journey = house.gateway.journey(cards::ask("m"));
        assert_eq!(journey.next().await.expect("all is well").provider(), ProviderId(1));
    });
}

#[test]
fn i34_no_request_waits_for_the_end_of_a_rest() {
    fault::hush();
    time::simulated(async {
        let house = House::build(LEASH, vec![named(1, "i34 queue")]).await;
        fault::arm(fault::ADMIT, "i34 queue", 4);
        let started = house.gateway.clock().now();
        let ask = || async { house.gateway.journey(cards::ask("m")).next().await.map(drop) };
        let answers = join_all((0..64).map(|_| ask())).await;
        assert!(answers.iter().all(|answer| matches!(answer, Err(NoProvider::Unavailable { .. }))));
        let waited = house.gateway.clock().now().duration_since(started);
        assert!(waited <= Duration::from_secs(2), "{waited:?}");
    });
}

#[test]
fn i17_what_was_sent_before_a_rest_says_nothing_about_the_fresh_breaker() {
    fault::hush();
    time::simulated(async {
        let house = House::build(LEASH, vec![named(1, "i17 rest")]).await;
        let mut stragglers = Vec::new();
        for _ in 0..5 {
            stragglers.push(house.gateway.journey(cards::ask("m")).next().await.expect("all is well"));
        }
        house.rest("i17 rest", LEASH).await;
        for straggler in stragglers {
            straggler.close(Outcome::ProviderFailed, Closing::default());
        }
        let detail = house.provider("i17 rest").await.detail.unwrap_or_default();
        assert_eq!(detail["breaker"]["failures_in_a_row"], 0, "{detail}");
    });
}

#[test]
fn i33_address_queue_and_value_outlive_a_panic() {
    fault::hush();
    time::simulated(async {
        let (thread, clock) = (Arbiter::current(), time::clock());
        let mailbox = guard::start(&thread, clock, LEASH, "fragile".to_owned(), |_, v| Fragile::new(v));
        let orders = [Order::Count, Order::Panic, Order::Count, Order::Panic, Order::Count];
        let answers = join_all(orders.into_iter().map(|order| mailbox.ask(order))).await;
        let lost = Err(Undelivered::Lost);
        assert_eq!(answers, [Ok(1), lost, Ok(2), lost, Ok(3)]);
        assert_eq!(mailbox.vitals().restarts(), 2);
        let last = mailbox.vitals().last_panic().map(|panic| panic.message.clone());
        assert_eq!(last.as_deref(), Some("fault point on order"));
    });
}

#[test]
fn i38_an_actor_that_cannot_even_restart_is_tried_again_after_each_rest() {
    fault::hush();
    time::simulated(async {
        let (thread, clock) = (Arbiter::current(), time::clock());
        let mailbox = guard::start(&thread, clock, LEASH, "hopeless".to_owned(), |_, v| Fragile::new(v));
        assert_eq!(mailbox.ask(Order::FailRestarts(3)).await, Ok(0));
        assert_eq!(mailbox.ask(Order::Panic).await, Err(Undelivered::Lost));
        for _ in 0..3 {
            time::quiet().await;
            assert!(mailbox.vitals().rests());
            assert_eq!(mailbox.ask(Order::Count).await, Err(Undelivered::Lost), "refused at once");
            tokio::time::sleep(LEASH.rest).await;
        }
        assert_eq!(mailbox.ask(Order::Count).await, Ok(1), "the address is still good, the value fresh");
        assert_eq!(mailbox.vitals().restarts(), 4);
    });
}

#[test]
fn i34_a_resting_actor_keeps_nobody_busy() {
    fault::hush();
    time::simulated(async {
        let (thread, clock) = (Arbiter::current(), time::clock());
        let mailbox = guard::start(&thread, clock, LEASH, "sleeper".to_owned(), |_, v| Fragile::new(v));
        for _ in 0..=LEASH.panics {
            mailbox.tell(Order::Panic);
        }
        time::quiet().await;
        assert!(mailbox.vitals().rests());
        // Woken a thousand times, it is not polled into a single further panic.
        (0..1_000).for_each(|_| mailbox.tell(Order::Panic));
        tokio::time::sleep(LEASH.rest / 2).await;
        assert_eq!(mailbox.vitals().restarts(), LEASH.panics as u64 + 1);
        assert_eq!(mailbox.vitals().quarantines(), 1);
    });
}

#[test]
fn i37_who_holds_the_thread_is_seen_and_so_are_those_who_waited_for_it() {
    time::simulated(async {
        let (thread, clock) = (Arbiter::current(), time::clock());
        let mailbox = guard::start(&thread, clock, LEASH, "slow".to_owned(), |_, v| Fragile::new(v));
        let vitals = mailbox.vitals();
        assert_eq!(mailbox.ask(Order::Count).await, Ok(1));
        let held = Duration::from_millis(20);
        assert!(vitals.longest_turn() < held && vitals.longest_wait() < held);
        mailbox.tell(Order::Hold(held));
        assert_eq!(mailbox.ask(Order::Count).await, Ok(2));
        assert!(vitals.longest_turn() >= held, "{:?}", vitals.longest_turn());
        assert!(vitals.longest_wait() >= held, "{:?}", vitals.longest_wait());
    });
}

#[test]
fn a_message_that_nobody_takes_up_is_seen_while_it_waits() {
    time::simulated(async {
        let (thread, clock) = (Arbiter::current(), time::clock());
        let mailbox = guard::start(&thread, clock, LEASH, "stuck".to_owned(), |_, v| Fragile::new(v));
        let vitals = mailbox.vitals();
        // Nobody takes anything up before we wait.
        mailbox.tell(Order::Count);
        let (begun, wanted) = (Stopwatch::start(), Duration::from_millis(5));
        while u128::from(begun.micros()) <= wanted.as_micros() {
            std::hint::spin_loop();
        }
        assert!(vitals.longest_wait() >= wanted, "{:?}", vitals.longest_wait());
    });
}

#[test]
fn i35_a_full_mailbox_refuses_questions_at_once_and_no_ends() {
    time::simulated(async {
        let (thread, clock) = (Arbiter::current(), time::clock());
        let mailbox = guard::start(&thread, clock, LEASH, "busy".to_owned(), |_, v| Fragile::new(v));
        // Nobody takes anything up before we wait.
        (0..4_096).for_each(|_| mailbox.tell(Order::Count));
        assert_eq!(mailbox.ask(Order::Count).await, Err(Undelivered::Full));
        mailbox.tell(Order::Count);
        time::quiet().await;
        assert_eq!(mailbox.ask(Order::Count).await, Ok(4_098), "every end was taken up");
    });
}

fn named(id: i64, name: &str) -> Arc<actors::provider::card::Card> {
    cards::with(id, |card| card.name = name.to_owned())
}
