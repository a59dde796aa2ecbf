//! Single stories, where a name says more than a random life.

use std::time::Duration;

use actors::{
    ids::{KeyId, RequestId, UserId},
    ledger::{
        claim::{Claim, Denied, Estimate, Held, OverLimit, Payers, Raise},
        limits::{Day, FiveHours, LimitKind, Limits, Span},
        quantile::ModelMark,
    },
    money::Pico,
    session::id::SessionId,
};
use uuid::Uuid;

use crate::world::{KEYS, USER, World};

fn usd(span: Span, amount: i128) -> Limits {
    let mut limits = Limits { strict: Some(true), ..Limits::default() };
    limits.usd[span] = Some(Pico(amount));
    limits
}

fn costing(worst: i128) -> Estimate {
    Estimate { worst_input: Pico(worst), ..Estimate::default() }
}

fn known(limits: Limits) -> World {
    let mut world = World::new(limits);
    world.know_all();
    world
}

fn settle(world: &mut World, nth: usize, cost: i128) {
    world.record(nth, Pico(cost));
    world.tell(nth);
}

fn over(denied: Denied) -> OverLimit {
    match denied {
        Denied::OverLimit(over) => *over,
        Denied::CannotVerify(account) => panic!("{account} is not known"),
    }
}

#[test]
fn what_is_not_known_admits_nothing_under_a_limit_on_dollars_and_everything_without() {
    let mut world = World::new(usd(Span::Month, 100));
    assert_eq!(world.reserve(0, costing(1)), Err(Denied::CannotVerify(USER)));
    world.configure(USER, Limits::default());
    world.configure(KEYS[1], Limits { rpm: Some(10), ..Limits::default() });
    assert_eq!(world.reserve(0, costing(1)), Err(Denied::CannotVerify(KEYS[0])));
    assert!(world.reserve(1, costing(1)).is_ok());
}

#[test]
fn five_fixed_hours_begin_with_the_first_request_even_one_that_ended_while_we_asked() {
    let fixed = Limits { five_hours: Some(FiveHours::Fixed), ..usd(Span::FiveHours, 100) };
    let mut world = known(fixed);
    let nth = world.reserve(0, costing(1)).unwrap();
    world.book.renew(world.now);
    world.ask();
    settle(&mut world, nth, 1);
    world.answer();
    world.agrees();
    world.wait(17_900);
    assert!(world.reserve(0, costing(99)).is_ok());
    let denied = over(world.reserve(0, costing(1)).unwrap_err());
    assert!(denied.retry_after.unwrap() <= Duration::from_secs(120), "it began with the first: {denied:?}");
    world.wait(120);
    assert!(world.reserve(0, costing(100)).is_ok());
}

#[test]
fn i09_a_reset_right_after_waking_is_remembered_to_the_last_digit() {
    let mut world = known(usd(Span::Day, 10));
    let nth = world.reserve(0, costing(9)).unwrap();
    settle(&mut world, nth, 9);
    let open = world.reserve(0, costing(1)).unwrap();
    world.book.renew(world.now);
    world.know_all();
    world.reset(USER, Span::Day);
    world.reset(KEYS[0], Span::Day);
    world.agrees();
    world.book.renew(world.now);
    world.know_all();
    world.agrees();
    let denied = over(world.reserve(0, costing(10)).unwrap_err());
    assert_eq!(denied.kind, LimitKind::Usd(Span::Day), "what was open is still reserved");
    settle(&mut world, open, 1);
    world.agrees();
    assert!(world.reserve(0, costing(9)).is_ok());
}

#[test]
fn i09_two_resets_in_one_minute_forgive_what_came_before_either() {
    let mut world = known(usd(Span::Day, 10));
    for cost in [9, 8] {
        let nth = world.reserve(0, costing(cost)).unwrap();
        settle(&mut world, nth, cost);
        world.reset(USER, Span::Day);
        world.reset(KEYS[0], Span::Day);
    }
    world.book.renew(world.now);
    world.know_all();
    world.agrees();
    assert!(world.reserve(0, costing(10)).is_ok());
}

#[test]
fn i09_a_reset_while_the_records_are_asked_forgives_what_was_settled_meanwhile() {
    let mut world = known(usd(Span::Day, 10));
    let nth = world.reserve(0, costing(9)).unwrap();
    world.book.doubt();
    world.ask();
    settle(&mut world, nth, 9);
    world.reset(USER, Span::Day);
    world.reset(KEYS[0], Span::Day);
    world.answer();
    world.know_all();
    world.agrees();
    assert!(world.reserve(0, costing(10)).is_ok());
}

#[test]
fn a_raise_counts_until_it_is_over() {
    let mut world = known(usd(Span::Day, 10));
    world.configure(KEYS[0], Limits::default());
    let until = world.now.wall + Duration::from_secs(600);
    world.book.raise(USER, Span::Day, Raise { to: Pico(15), until }, world.now);
    let view = world.book.view(USER, world.now);
    assert_eq!((view.windows[1].limit, view.windows[1].raised_until), (Some(Pico(15)), Some(until)));
    // The second reckoning knows nothing of raises.
    world.model.account_mut(USER).limits = usd(Span::Day, 15).into();
    assert!(world.reserve(0, costing(12)).is_ok());
    world.wait(600);
    world.model.account_mut(USER).limits = usd(Span::Day, 10).into();
    assert!(world.reserve(0, costing(1)).is_err());
    assert_eq!(world.book.view(USER, world.now).windows[1].free, Some(Pico(-2)));
}

#[test]
fn a_refusal_says_when_there_will_be_room() {
    let mut world = known(Limits { day: Some(Day::Rolling), ..usd(Span::Day, 10) });
    for _ in 0..2 {
        let nth = world.reserve(0, costing(5)).unwrap();
        settle(&mut world, nth, 5);
        world.wait(3_600);
    }
    let denied = over(world.reserve(0, costing(5)).unwrap_err());
    world.wait(denied.retry_after.unwrap().as_secs());
    assert!(world.reserve(0, costing(5)).is_ok(), "the first five have left");
    let denied = over(world.reserve(0, costing(6)).unwrap_err());
    assert_eq!(denied.account, USER);
    let never = over(world.reserve(0, costing(11)).unwrap_err());
    assert_eq!(never.retry_after, None, "it will never fit");
}

/// One request of the first key beside the second reckoning, which knows neither rates nor sessions.
fn alone(world: &mut World, number: u128, session: Option<&str>) -> Result<Held, Box<OverLimit>> {
    let session = session.map(|name| SessionId::new(KeyId(1), protocol::Format::Anthropic, "m", name));
    let estimate = Estimate { input_tokens: 90, worst_output: 10, ..Estimate::default() };
    let claim = Claim {
        request: RequestId(Uuid::from_u128(number)),
        payers: Payers::Caller(UserId(1), KeyId(1)),
        session,
        model: ModelMark::of("m"),
        estimate,
    };
    world.book.reserve(&claim, world.now).map_err(|denied| Box::new(over(denied)))
}

#[test]
fn rates_count_requests_and_tokens_of_a_minute() {
    let mut world = known(Limits { rpm: Some(2), tpm: Some(250), ..Limits::default() });
    let first = alone(&mut world, 1, None).unwrap();
    alone(&mut world, 2, None).unwrap();
    let denied = alone(&mut world, 3, None).unwrap_err();
    assert_eq!((denied.kind, denied.account), (LimitKind::Tpm, USER));
    // It cost nothing: its tokens count no more, but it was a request.
    world.book.void(first.ticket, world.now);
    let denied = alone(&mut world, 4, None).unwrap_err();
    assert_eq!(denied.kind, LimitKind::Rpm);
    world.wait(denied.retry_after.unwrap().as_secs() + 1);
    assert!(alone(&mut world, 5, None).is_ok());
}

#[test]
fn conversations_are_counted_while_they_are_alive() {
    let mut world = known(Limits { sessions: Some(1), ..Limits::default() });
    let first = alone(&mut world, 1, Some("a")).unwrap();
    assert!(alone(&mut world, 2, Some("a")).is_ok());
    assert_eq!(alone(&mut world, 3, Some("b")).unwrap_err().kind, LimitKind::Sessions);
    assert!(alone(&mut world, 4, None).is_ok(), "what names no conversation counts as none");
    drop(first);
}

#[test]
fn i11_a_refusal_by_the_second_account_leaves_no_unit_of_the_first_out() {
    let mut world = known(Limits::default());
    world.configure(KEYS[0], Limits { concurrency: Some(1), ..Limits::default() });
    let held = alone(&mut world, 1, None).unwrap();
    assert_eq!(alone(&mut world, 2, None).unwrap_err().kind, LimitKind::Concurrency);
    assert_eq!(world.book.view(USER, world.now).concurrency.used, 1);
    // Giving back takes no word to the book.
    drop(held);
    assert_eq!(world.book.view(USER, world.now).concurrency.used, 0);
    assert!(alone(&mut world, 3, None).is_ok());
}
