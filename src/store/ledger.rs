//! The ledger: what accounts have used, per minute and in all, and the entries that no request made.
//!
//! Invariants
//! - A balance is the sum of the request rows, lost attempts and corrections of its account and minute, to the
//!   last digit; minute 0 holds the sum of all (I-04). [`Store::drift`] says where it is not so.
//! - A row is added to the balances in the transaction that inserts it, and only if it was new (I-40).
//! - Balances are written in the order of their keys, so that no two replicas wait for each other in a circle.

use std::collections::BTreeMap;

use actors::{
    ids::RequestId,
    ledger::limits::{AccountId, Span},
    money::Pico,
};
use diesel::{QueryResult, dsl::sql, prelude::*, upsert::excluded};
use diesel_async::RunQueryDsl;

use super::{
    Store,
    db::db,
    error::StoreError,
    schema::{ledger_balances, ledger_entries},
    text::Clean,
    types::{At, Cost, Id, Usd, count},
};
use crate::journal::{
    balances::{Balance, BalancesAsk, EntryKind, LedgerEntry},
    record::Record,
};

mod corrections;
mod drift;

pub use self::{
    corrections::{Corrected, Correction},
    drift::Drift,
};

/// The minute under which the sum of all minutes stands.
const EVER: i64 = 0;
/// Sums asked for in one statement; SQLite takes up to 500.
const SUMS_PER_STATEMENT: usize = 200;

/// What one record brings to the balances, if it is new.
pub(super) struct Posting {
    pub(super) request: RequestId,
    accounts: [Option<AccountId>; 3],
    minute: i64,
    cost: Pico,
    /// What attempts that came to nothing cost at their providers.
    lost: Vec<(AccountId, Pico)>,
}

impl Posting {
    pub(super) fn of(record: &Record) -> Self {
        let mut accounts = [None; 3];
        for (place, account) in accounts.iter_mut().zip(record.accounts()) {
            *place = Some(account);
        }
        let cost = record.cost.unwrap_or(Pico::ZERO);
        let lost = record.attempts.iter();
        let lost = lost.filter_map(|tried| Some((AccountId::Provider(tried.provider_id), tried.cost?)));
        Self { request: record.id, accounts, minute: record.minute, cost, lost: lost.collect() }
    }

    /// What it adds to whom, and whether as a request of theirs.
    fn lines(&self) -> impl Iterator<Item = (AccountId, Pico, u64)> {
        let own = self.accounts.iter().flatten().map(|account| (*account, self.cost, 1));
        own.chain(self.lost.iter().map(|(account, cost)| (*account, *cost, 0)))
    }
}

/// One sum to be added to a balance.
#[derive(Debug, Clone, PartialEq, Eq, Insertable)]
#[diesel(table_name = ledger_balances)]
struct Sum {
    account: String,
    minute: i64,
    cost: Cost,
    requests: i64,
}

/// What a group brings to the balances, in the order of their keys.
pub(super) struct Postings(Vec<Sum>);

impl Postings {
    pub(super) fn of<'a>(postings: impl IntoIterator<Item = &'a Posting>) -> Result<Self, StoreError> {
        let mut sums: BTreeMap<(AccountId, i64), (Pico, u64)> = BTreeMap::new();
        for posting in postings {
            for (account, cost, request) in posting.lines() {
                for minute in [EVER, posting.minute] {
                    let (sum, requests) = sums.entry((account, minute)).or_default();
                    *sum += cost;
                    *requests += request;
                }
            }
        }
        let sums = sums.into_iter().map(|((account, minute), (cost, requests))| {
            let (cost, requests) = (Cost::new(cost, "cost")?, count(requests, "requests")?);
            Ok(Sum { account: account.to_string(), minute, cost, requests })
        });
        sums.collect::<Result<_, StoreError>>().map(Self)
    }
}

/// The statement that adds `$sums`, one or many, to the balances.
macro_rules! add {
    ($sums:expr) => {
        diesel::insert_into(ledger_balances::table)
            .values($sums)
            .on_conflict((ledger_balances::account, ledger_balances::minute))
            .do_update()
            .set((
                ledger_balances::cost.eq(sql::<Usd>("ledger_balances.cost + excluded.cost")),
                ledger_balances::requests.eq(ledger_balances::requests + excluded(ledger_balances::requests)),
            ))
    };
}

/// Adds to the balances on PostgreSQL, within the caller's transaction.
pub(super) async fn post_many(
    conn: &mut diesel_async::AsyncPgConnection,
    Postings(sums): Postings,
) -> QueryResult<()> {
    for sums in sums.chunks(1_000) {
        add!(sums).execute(conn).await?;
    }
    Ok(())
}

/// Adds to the balances on SQLite, within the caller's transaction.
pub(super) fn post_each(conn: &mut SqliteConnection, Postings(sums): Postings) -> QueryResult<()> {
    for sum in &sums {
        diesel::RunQueryDsl::execute(add!(sum), conn)?;
    }
    Ok(())
}

#[derive(QueryableByName)]
struct Summed {
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    place: i64,
    #[diesel(sql_type = Usd)]
    sum: Cost,
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = ledger_entries)]
#[diesel(treat_none_as_default_value = false)]
pub(super) struct EntryRow {
    account: String,
    minute: i64,
    kind: String,
    span: Option<String>,
    amount: Cost,
    until: Option<At>,
    request_id: Option<Id>,
    note: Clean,
    created_at: At,
    ordinal: Option<i64>,
}

impl EntryRow {
    pub(super) fn new(entry: &LedgerEntry) -> Result<Self, StoreError> {
        Ok(Self {
            account: entry.account.to_string(),
            minute: entry.minute,
            kind: entry.kind.name().to_owned(),
            span: entry.span.map(|span| span.name().to_owned()),
            amount: Cost::new(entry.amount, "amount")?,
            until: entry.until.map(At),
            request_id: entry.request.map(Id),
            note: Clean::whole(&entry.note, 2_000, "note")?,
            created_at: At::now(),
            ordinal: None,
        })
    }

    fn into_entry(self) -> Result<LedgerEntry, StoreError> {
        let corrupt = |column: &str| {
            StoreError::Corrupt(format!(
                "ledger_entries.{column} of `{}` {}",
                self.account, self.created_at.0
            ))
        };
        let span = self.span.as_deref().map(|name| Span::from_name(name).ok_or_else(|| corrupt("span")));
        Ok(LedgerEntry {
            account: self.account.parse().map_err(|_| corrupt("account"))?,
            minute: self.minute,
            kind: EntryKind::from_name(&self.kind).ok_or_else(|| corrupt("kind"))?,
            span: span.transpose()?,
            amount: self.amount.pico(),
            until: self.until.map(|at| at.0),
            request: self.request_id.map(|Id(id)| id),
            note: self.note.into_string(),
        })
    }
}

impl Store {
    /// What accounts have used: one answer for each question, all as of one moment at the earliest.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn balances(&self, asks: Vec<BalancesAsk>) -> Result<Vec<Balance>, StoreError> {
        let sums: Vec<String> = asks
            .iter()
            .flat_map(|ask| ask.ranges.iter().map(move |range| (ask.account, range.start, range.end)))
            .enumerate()
            .map(|(place, (account, from, until))| sum_of(place, account, from, until))
            .collect();
        let statements: Vec<String> =
            sums.chunks(SUMS_PER_STATEMENT).map(|sums| sums.join(" UNION ALL ")).collect();
        let wanted: Vec<_> =
            asks.iter().map(|ask| (ask.account.to_string(), ask.by_minute.clone().unwrap_or(0..0))).collect();
        let (summed, found) = db!(self.engine(), read, conn => {
            let mut summed: Vec<Summed> = Vec::new();
            for statement in statements {
                summed.extend(diesel::sql_query(statement).load::<Summed>(conn).await?);
            }
            let mut found = Vec::new();
            for (account, minutes) in wanted {
                let mut by_minute: Vec<(i64, Cost)> = Vec::new();
                if !minutes.is_empty() {
                    by_minute = ledger_balances::table
                        .filter(ledger_balances::account.eq(&account))
                        .filter(ledger_balances::minute.ge(minutes.start.max(EVER + 1)))
                        .filter(ledger_balances::minute.lt(minutes.end))
                        .order(ledger_balances::minute)
                        .select((ledger_balances::minute, ledger_balances::cost))
                        .load(conn)
                        .await?;
                }
                let entries: Vec<EntryRow> = ledger_entries::table
                    .filter(ledger_entries::account.eq(&account))
                    .filter(ledger_entries::kind.ne(EntryKind::Correction.name()))
                    .order(ledger_entries::id)
                    .select(EntryRow::as_select())
                    .load(conn)
                    .await?;
                found.push((by_minute, entries));
            }
            (summed, found)
        })?;
        let mut sums = vec![Pico::ZERO; summed.len()];
        for Summed { place, sum } in summed {
            let place = usize::try_from(place).ok().and_then(|place| sums.get_mut(place));
            *place.ok_or_else(|| StoreError::Corrupt("a sum that nobody asked for".into()))? = sum.pico();
        }
        let mut sums = sums.into_iter();
        let answers = asks.iter().zip(found).map(|(ask, (by_minute, entries))| {
            Ok(Balance {
                sums: sums.by_ref().take(ask.ranges.len()).collect(),
                by_minute: by_minute.into_iter().map(|(minute, cost)| (minute, cost.pico())).collect(),
                entries: latest(entries)?,
            })
        });
        answers.collect()
    }
}

/// A sum as a statement. Only numbers and our own names of accounts go into it.
fn sum_of(place: usize, account: AccountId, from: i64, until: i64) -> String {
    let minutes = if from <= EVER && until == i64::MAX {
        format!("minute = {EVER}")
    } else {
        format!("minute >= {} AND minute < {until}", from.max(EVER + 1))
    };
    format!(
        "SELECT CAST({place} AS bigint) AS place, COALESCE(SUM(cost), 0) AS sum \
         FROM ledger_balances WHERE account = '{account}' AND {minutes}"
    )
}

/// The latest of each kind and span.
fn latest(rows: Vec<EntryRow>) -> Result<Vec<LedgerEntry>, StoreError> {
    let mut latest: Vec<LedgerEntry> = Vec::new();
    for row in rows {
        let entry = row.into_entry()?;
        latest.retain(|known| (known.kind, known.span) != (entry.kind, entry.span));
        latest.push(entry);
    }
    Ok(latest)
}
