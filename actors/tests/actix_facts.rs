//! What actix does by itself, pinned: the reasons for our guard and our mailboxes, and a warning on the
//! day one of them changes.

mod house;

use std::time::Duration;

use actix::{Actor, Arbiter, Context, Handler, Message, Supervised, Supervisor};
use actors::{
    supervisor::{Leash, guard},
    testkit::{fault, leaving::Leaving, time},
};
use futures_util::future::join_all;

use self::house::{Fragile, Order};

/// An actor without our guard.
#[derive(Default)]
struct Plain {
    heard: usize,
}

impl Actor for Plain {
    type Context = Context<Self>;
}

impl Supervised for Plain {}

struct Say(&'static str);

impl Message for Say {
    type Result = usize;
}

impl Handler<Say> for Plain {
    type Result = usize;

    fn handle(&mut self, Say(word): Say, _: &mut Self::Context) -> usize {
        assert!(word != "panic", "fault point in a plain actor");
        self.heard += 1;
        self.heard
    }
}

#[test]
fn s8_actix_supervisor_does_not_survive_a_panic() {
    fault::hush();
    time::simulated(async {
        let address = Supervisor::start(|_| Plain::default());
        assert_eq!(address.send(Say("word")).await, Ok(1));
        let answers = join_all([address.send(Say("panic")), address.send(Say("next"))]).await;
        assert!(answers.iter().all(Result::is_err), "the one in hand is lost, and the queue with it");
        assert!(
            !address.connected() && address.send(Say("later")).await.is_err(),
            "and the address for good"
        );
    });
}

#[test]
fn s9_a_question_whose_asker_has_left_is_never_taken_up() {
    time::simulated(async {
        let mailbox = fragile();
        assert_eq!(Leaving::after(1, mailbox.ask(Order::Count)).await, None);
        assert_eq!(mailbox.ask(Order::Count).await, Ok(1), "the first was not counted");
        mailbox.tell(Order::Count);
        assert_eq!(mailbox.ask(Order::Count).await, Ok(3), "what was told was");
    });
}

#[test]
fn s10_telling_ignores_the_capacity_of_a_mailbox() {
    time::simulated(async {
        let address = Plain::default().start();
        (0..10_000).for_each(|_| address.do_send(Say("word")));
        assert_eq!(address.send(Say("word")).await, Ok(10_001), "there were places for sixteen");
    });
}

#[test]
fn a_restart_calls_started_again_so_that_what_it_arms_is_armed_once() {
    fault::hush();
    time::simulated(async {
        let mailbox = fragile();
        assert_eq!(mailbox.ask(Order::Starts).await, Ok(1));
        mailbox.tell(Order::Panic);
        assert_eq!(mailbox.ask(Order::Starts).await, Ok(2));
    });
}

fn fragile() -> actors::supervisor::Mailbox<Fragile> {
    let leash = Leash { panics: 10, window: Duration::from_secs(10), rest: Duration::from_secs(10) };
    guard::start(&Arbiter::current(), time::clock(), leash, "fragile".to_owned(), |_, v| Fragile::new(v))
}
