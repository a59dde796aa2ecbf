//! Corrections: what a request turned out to cost beside what was posted with its row, which never changes.
//!
//! A request's cost is the sum of its row and its corrections. Each counts in the minute of the request, on
//! every account the row counts on, in the balances as well as in the entries (I-04, I-08).

use std::collections::{BTreeMap, HashMap};

use actors::{ids::RequestId, ledger::limits::AccountId, money::Pico};
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncConnection as _, RunQueryDsl};

use super::{EVER, EntryRow, Postings, Sum, post_each, post_many};
use crate::{
    journal::{
        balances::{EntryKind, LedgerEntry},
        record::Record,
    },
    store::{
        Deed, Store,
        audit::Line,
        db::{Db, db},
        error::StoreError,
        schema::{audit_log, ledger_entries},
        types::{At, Cost, Id},
    },
};

/// A correction to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Correction {
    request: RequestId,
    accounts: Vec<AccountId>,
    minute: i64,
    amount: Pico,
    /// How many there were before.
    after: usize,
}

impl Correction {
    /// What makes the request of `record` cost `total`, given the corrections it has had; none where it does
    /// already.
    #[must_use]
    pub fn to(record: &Record, total: Pico, had: &[Corrected]) -> Option<Self> {
        let posted = record.cost.unwrap_or(Pico::ZERO);
        let stands = had.iter().fold(posted, |sum, corrected| sum + corrected.amount);
        let amount = Pico(total.0 - stands.0);
        let accounts = record.accounts().collect();
        let (request, minute, after) = (record.id, record.minute, had.len());
        (amount != Pico::ZERO).then_some(Self { request, accounts, minute, amount, after })
    }

    /// Whose books it changes.
    #[must_use]
    pub fn accounts(&self) -> &[AccountId] {
        &self.accounts
    }

    /// By how much.
    #[must_use]
    pub fn amount(&self) -> Pico {
        self.amount
    }
}

/// A correction that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Corrected {
    /// By how much; below zero where it had cost too much.
    pub amount: Pico,
    /// Why.
    pub note: String,
    /// When.
    pub at: DateTime<Utc>,
}

impl Store {
    /// The corrections that these requests have had, oldest first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn corrections(
        &self,
        requests: impl IntoIterator<Item = RequestId>,
    ) -> Result<HashMap<RequestId, Vec<Corrected>>, StoreError> {
        let ids: Vec<Option<Id>> = requests.into_iter().map(|id| Some(Id(id))).collect();
        let rows: Vec<(Option<Id>, String, Cost, String, At)> = db!(self.engine(), read, conn => {
            ledger_entries::table
                .filter(ledger_entries::request_id.eq_any(ids))
                .filter(ledger_entries::kind.eq(EntryKind::Correction.name()))
                .order(ledger_entries::id)
                .select((
                    ledger_entries::request_id,
                    ledger_entries::account,
                    ledger_entries::amount,
                    ledger_entries::note,
                    ledger_entries::created_at,
                ))
                .load(conn)
                .await?
        })?;
        // Each stands once for every account; one of them tells it.
        let mut told: HashMap<RequestId, (String, Vec<Corrected>)> = HashMap::new();
        for (request, account, amount, note, at) in rows {
            let Some(Id(request)) = request else { continue };
            let (teller, corrections) = told.entry(request).or_insert_with(|| (account.clone(), Vec::new()));
            if *teller == account {
                corrections.push(Corrected { amount: amount.pico(), note, at: at.0 });
            }
        }
        Ok(told.into_iter().map(|(request, (_, corrections))| (request, corrections)).collect())
    }

    /// Makes corrections, all or none, together with the line that tells who did.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when one of the requests was corrected meanwhile; then nothing has happened.
    pub async fn correct(
        &self,
        corrections: Vec<Correction>,
        note: &str,
        deed: Deed,
    ) -> Result<(), StoreError> {
        let rows = rows(&corrections, note)?;
        let (sums, line) = (sums(&corrections)?, Line::new(deed)?);
        let db = self.engine().db();
        self.engine()
            .run(async move {
                match &*db {
                    Db::Pg(lender) => {
                        let mut lent = lender.lend().await?;
                        let work = async move |conn: &mut diesel_async::AsyncPgConnection| {
                            for rows in rows.chunks(1_000) {
                                diesel::insert_into(ledger_entries::table).values(rows).execute(conn).await?;
                            }
                            post_many(conn, sums).await?;
                            diesel::insert_into(audit_log::table).values(line).execute(conn).await
                        };
                        (*lent).transaction(work).await?;
                        Ok(())
                    }
                    Db::Lite { writer, .. } => {
                        let mut lent = writer.lend().await?;
                        let work = lent.spawn_blocking(move |conn| {
                            conn.immediate_transaction(|conn| {
                                for row in rows {
                                    let insert = diesel::insert_into(ledger_entries::table).values(row);
                                    diesel::RunQueryDsl::execute(insert, conn)?;
                                }
                                post_each(conn, sums)?;
                                let insert = diesel::insert_into(audit_log::table).values(line);
                                diesel::RunQueryDsl::execute(insert, conn)
                            })
                        });
                        work.await?;
                        Ok(())
                    }
                }
            })
            .await
    }
}

fn rows(corrections: &[Correction], note: &str) -> Result<Vec<EntryRow>, StoreError> {
    let mut rows = Vec::new();
    for correction in corrections {
        for account in &correction.accounts {
            let entry = LedgerEntry {
                account: *account,
                minute: correction.minute,
                kind: EntryKind::Correction,
                span: None,
                amount: correction.amount,
                until: None,
                request: Some(correction.request),
                note: note.to_owned(),
            };
            let ordinal = i64::try_from(correction.after + 1).ok();
            rows.push(EntryRow { ordinal, ..EntryRow::new(&entry)? });
        }
    }
    Ok(rows)
}

/// What they bring to the balances; no request more than there was.
fn sums(corrections: &[Correction]) -> Result<Postings, StoreError> {
    let mut sums: BTreeMap<(AccountId, i64), Pico> = BTreeMap::new();
    for Correction { accounts, minute, amount, .. } in corrections {
        for account in accounts {
            for minute in [EVER, *minute] {
                *sums.entry((*account, minute)).or_default() += *amount;
            }
        }
    }
    let sum = |((account, minute), cost): ((AccountId, i64), Pico)| {
        Ok(Sum { account: account.to_string(), minute, cost: Cost::new(cost, "amount")?, requests: 0 })
    };
    sums.into_iter().map(sum).collect::<Result<_, StoreError>>().map(Postings)
}
