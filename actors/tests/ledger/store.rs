//! Whoever remembers: answers a book's questions out of the second reckoning, as a database would.

use actors::{
    ledger::{
        limits::{AccountId, Span},
        minutes::Minute,
        tally::Forgiven,
    },
    money::Pico,
    ports::{Balance, BalancesAnswer, BalancesAsk},
};

use crate::model::Model;

/// What is on record, and up to which number.
pub(crate) fn answer<'a>(model: &Model, asks: impl IntoIterator<Item = &'a BalancesAsk>) -> BalancesAnswer {
    let numbers = model.requests.iter().filter_map(|request| Some(request.recorded?.0));
    let includes = numbers.max().unwrap_or(0);
    let balances = asks.into_iter().map(|ask| balance(model, ask)).collect();
    BalancesAnswer { balances, includes }
}

fn balance(model: &Model, ask: &BalancesAsk) -> Balance {
    let costs = costs(model, ask.account);
    let sum = |range: &std::ops::Range<Minute>| {
        costs.iter().filter(|(minute, _)| range.contains(minute)).map(|(_, cost)| *cost).sum()
    };
    let by_minute = ask.by_minute.clone().unwrap_or(Minute::FIRST..Minute::FIRST);
    Balance {
        sums: ask.ranges.iter().map(sum).collect(),
        by_minute: costs.iter().filter(|(minute, _)| by_minute.contains(minute)).copied().collect(),
        resets: resets(model, ask.account),
        raises: Vec::new(),
    }
}

/// Each minute's cost, oldest first.
fn costs(model: &Model, account: AccountId) -> Vec<(Minute, Pico)> {
    let mut costs: Vec<(Minute, Pico)> = Vec::new();
    let mut requests: Vec<_> = model.requests.iter().filter(|r| r.side(account).is_some()).collect();
    requests.sort_by_key(|request| request.admitted);
    for request in requests {
        // What ended without a cost has a row too.
        let cost = match request.recorded {
            Some((_, cost)) => cost,
            None if request.open => continue,
            None => Pico::ZERO,
        };
        let minute = Minute::of(request.admitted);
        match costs.last_mut() {
            Some((latest, sum)) if *latest == minute => *sum += cost,
            _ => costs.push((minute, cost)),
        }
    }
    costs
}

fn resets(model: &Model, account: AccountId) -> Vec<(Span, Forgiven)> {
    let latest = |span| model.account(account).resets.iter().rfind(|reset| reset.span == span);
    Span::ALL.into_iter().filter_map(latest).map(|reset| (reset.span, reset.forgiven)).collect()
}
