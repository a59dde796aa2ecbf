//! The recorder as ledgers know it: who remembers what accounts have used.

use actors::{
    ledger::{claim::Raise, limits::Span, minutes::Minute, tally::Forgiven},
    ports,
};
use futures_util::{FutureExt, future::BoxFuture};

use super::{
    balances::{Balance, BalancesAsk, EntryKind, LedgerEntry},
    recorder::Recorder,
};

impl ports::Balances for Recorder {
    fn balances(
        &self,
        asks: Vec<ports::BalancesAsk>,
    ) -> BoxFuture<'static, Result<ports::BalancesAnswer, ports::Away>> {
        let recorder = self.clone();
        let asks = asks.into_iter().map(asked).collect();
        async move {
            let answer = Recorder::balances(&recorder, asks).await.map_err(|away| ports::Away(away.0))?;
            let balances = answer.balances.into_iter().map(answered).collect();
            Ok(ports::BalancesAnswer { balances, includes: answer.includes })
        }
        .boxed()
    }
}

fn asked(ask: ports::BalancesAsk) -> BalancesAsk {
    let plain = |minutes: std::ops::Range<Minute>| minutes.start.0..minutes.end.0;
    BalancesAsk {
        account: ask.account,
        ranges: ask.ranges.into_iter().map(plain).collect(),
        by_minute: ask.by_minute.map(plain),
    }
}

fn answered(balance: Balance) -> ports::Balance {
    let Balance { sums, by_minute, entries } = balance;
    let by_minute = by_minute.into_iter().map(|(minute, cost)| (Minute(minute), cost)).collect();
    let (resets, raises) =
        (entries.iter().filter_map(forgiven).collect(), entries.iter().filter_map(raised).collect());
    ports::Balance { sums, by_minute, resets, raises }
}

fn forgiven(entry: &LedgerEntry) -> Option<(Span, Forgiven)> {
    let forgiven = Forgiven { minute: Minute(entry.minute), in_minute: entry.amount };
    (entry.kind == EntryKind::Reset).then_some((entry.span?, forgiven))
}

fn raised(entry: &LedgerEntry) -> Option<(Span, Raise)> {
    (entry.kind == EntryKind::Raise).then_some((entry.span?, Raise { to: entry.amount, until: entry.until? }))
}
