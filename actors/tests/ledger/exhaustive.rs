//! A small world lived through in every possible order: three requests of one user, by two keys, and one
//! thing that happens to their accounts on the way.

use actors::{
    ledger::{
        claim::{Estimate, Running},
        limits::{Limits, Span},
    },
    money::Pico,
};

use crate::world::{KEYS, USER, World};

/// How a request ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Settled(i128),
    Voided,
    /// Nobody says how; it expires when all else is over.
    Forgotten,
}

const ENDS: [End; 4] = [End::Settled(4), End::Settled(9), End::Voided, End::Forgotten];

/// What happens on the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Event {
    LimitLowered,
    LimitRaised,
    WindowRolled,
    Reset,
    Expired,
    Outrun,
    Renewed,
    EndedTwice,
}

const EVENTS: [Event; 8] = [
    Event::LimitLowered,
    Event::LimitRaised,
    Event::WindowRolled,
    Event::Reset,
    Event::Expired,
    Event::Outrun,
    Event::Renewed,
    Event::EndedTwice,
];

/// Whose turn it is: a request's, twice each, or the event's.
type Order = Vec<usize>;
const EVENT: usize = 3;

fn orders() -> Vec<Order> {
    fn go(left: [usize; 4], order: &mut Order, all: &mut Vec<Order>) {
        if left.iter().all(|turns| *turns == 0) {
            all.push(order.clone());
        }
        for who in 0..left.len() {
            if left[who] > 0 {
                let mut left = left;
                left[who] -= 1;
                order.push(who);
                go(left, order, all);
                order.pop();
            }
        }
    }
    let mut all = Vec::new();
    go([2, 2, 2, 1], &mut Vec::new(), &mut all);
    all
}

/// Two of the three fit for the user, and one for the first key.
fn limits(usd: i128) -> Limits {
    let mut limits = Limits { strict: Some(true), ..Limits::default() };
    limits.usd[Span::Day] = Some(Pico(usd));
    limits
}

fn estimate() -> Estimate {
    Estimate { worst_input: Pico(5), ..Estimate::default() }
}

/// Requests 0 and 1 come by the first key, 2 by the second.
const KEY_OF: [usize; 3] = [0, 0, 1];

fn happen(world: &mut World, event: Event, given: &[Option<usize>; 3]) {
    match event {
        Event::LimitLowered => world.configure(USER, limits(6)),
        Event::LimitRaised => world.configure(USER, limits(30)),
        Event::WindowRolled => world.wait(86_400),
        Event::Reset => world.reset(USER, Span::Day),
        Event::Expired => {
            world.wait(4_000);
            world.expire();
        }
        Event::Outrun => {
            for nth in given.iter().flatten() {
                world.adjust(*nth, Running { input: Some(Pico(7)), output_tokens: 1 });
            }
        }
        Event::Renewed => {
            world.book.renew(world.now);
            world.know_all();
        }
        Event::EndedTwice => {
            for nth in given.iter().flatten() {
                world.tell(*nth);
                world.void(*nth);
            }
        }
    }
}

fn live(order: &Order, ends: [End; 3], event: Event) {
    let mut world = World::new(limits(10));
    world.configure(KEYS[0], limits(5));
    world.know_all();
    let mut given = [None; 3];
    let mut asked = [false; 3];
    for who in order {
        if *who == EVENT {
            happen(&mut world, event, &given);
        } else if !std::mem::replace(&mut asked[*who], true) {
            given[*who] = world.reserve(KEY_OF[*who], estimate()).ok();
        } else if let Some(nth) = given[*who] {
            match ends[*who] {
                End::Settled(cost) => {
                    world.record(nth, Pico(cost));
                    world.tell(nth);
                }
                End::Voided => world.void(nth),
                End::Forgotten => {}
            }
        }
        world.agrees();
    }
    world.wait(4_000);
    world.expire();
    world.agrees();
    assert_eq!(world.book.open(), 0, "I-05: {order:?} {ends:?} {event:?}");
}

#[test]
fn i01_i03_i04_i05_in_every_order_of_three_requests_on_two_accounts() {
    let orders = orders();
    assert_eq!(orders.len(), 630);
    let mut lives = 0;
    for order in &orders {
        for nth in 0..ENDS.len().pow(3) {
            let ends = [ENDS[nth % 4], ENDS[nth / 4 % 4], ENDS[nth / 16]];
            // Each event with a share of the ends: all pairs are met, and the test stays quick.
            for event in EVENTS.into_iter().skip(nth % 8).step_by(8) {
                live(order, ends, event);
                lives += 1;
            }
        }
    }
    println!("{lives} lives");
}
