//! Posting: adding records to the log in groups, each at most once, what the new ones cost to the balances
//! of their accounts, and what they come to to usage, in one transaction (I-40).

use std::collections::HashSet;

use actors::ids::RequestId;
use diesel::{
    QueryResult,
    result::{DatabaseErrorKind, Error},
};
use diesel_async::AsyncConnection as _;

use super::rows::{AttemptRow, Row};
use crate::{
    journal::{fault, record::Record},
    store::{
        Store,
        db::{Db, db},
        error::StoreError,
        ledger::{Posting, Postings, post_each, post_many},
        schema::{attempts, requests},
        types::{At, Id},
        usage::{Posted, Tallies, tally_each, tally_many},
    },
};

/// Rows per statement, so that the binds stay below the 65,535 that PostgreSQL takes.
const ROWS_PER_STATEMENT: usize = 1_000;

/// What one record brings.
struct Entry {
    row: Row,
    tries: Vec<AttemptRow>,
    posting: Posting,
    usage: Posted,
}

impl Entry {
    fn of(record: &Record) -> Result<Self, StoreError> {
        let tries = (1..).zip(&record.attempts);
        let tries = tries.map(|(ordinal, attempt)| AttemptRow::new(record.id, ordinal, attempt));
        let tries = tries.collect::<Result<_, _>>()?;
        Ok(Self { row: Row::new(record)?, tries, posting: Posting::of(record), usage: Posted::of(record) })
    }
}

impl Store {
    /// Adds records to the log in one transaction, leaving out those that are there already, and what the
    /// others cost to the balances of their accounts. Returns how many were new. Asking again after a lost
    /// answer is therefore harmless.
    ///
    /// # Errors
    /// When one of the records cannot be stored none is; see [`StoreError::is_temporary`].
    pub async fn insert_requests(&self, records: &[Record]) -> Result<usize, StoreError> {
        let group = records.iter().map(Entry::of).collect::<Result<Vec<_>, _>>()?;
        let db = self.engine().db();
        // The one place where the backends part: PostgreSQL wants many rows in one statement,
        // SQLite many runs of one prepared statement without leaving its thread.
        self.engine()
            .run(async move {
                match &*db {
                    Db::Pg(lender) => {
                        let mut lent = lender.lend().await?;
                        (*lent).transaction(async move |conn| insert_many(conn, group).await).await
                    }
                    Db::Lite { writer, .. } => {
                        let mut lent = writer.lend().await?;
                        let work = lent.spawn_blocking(move |conn| {
                            conn.immediate_transaction(|conn| insert_each(conn, group))
                        });
                        Ok(work.await?)
                    }
                }
            })
            .await
    }

    /// Adds a plain record and takes it back: tells a database that is in trouble, with a full disk
    /// say, from one that only dislikes a certain record.
    pub(in crate::store) async fn rehearse_insert(&self) -> Result<(), StoreError> {
        let row = Row::new(&Record::plain(At::now().0))?;
        db!(self.engine(), write, conn => {
            use diesel_async::RunQueryDsl as _;
            let rehearsal: QueryResult<()> = conn
                .transaction(async move |conn| {
                    diesel::insert_into(requests::table).values(row).execute(conn).await?;
                    Err(diesel::result::Error::RollbackTransaction)
                })
                .await;
            match rehearsal {
                Ok(()) | Err(diesel::result::Error::RollbackTransaction) => {}
                Err(error) => return Err(error.into()),
            }
        })
    }
}

async fn insert_many(
    conn: &mut diesel_async::AsyncPgConnection,
    group: Vec<Entry>,
) -> Result<usize, StoreError> {
    use diesel_async::RunQueryDsl as _;
    let (rows, rests): (Vec<Row>, Vec<_>) = group
        .into_iter()
        .map(|Entry { row, tries, posting, usage }| (row, (tries, (posting, usage))))
        .unzip();
    let mut new: HashSet<RequestId> = HashSet::with_capacity(rows.len());
    for rows in rows.chunks(ROWS_PER_STATEMENT) {
        let insert = diesel::insert_into(requests::table).values(rows).on_conflict_do_nothing();
        let ids: Vec<Id> = insert.returning(requests::id).get_results(conn).await?;
        new.extend(ids.into_iter().map(|Id(id)| id));
    }
    let inserted = new.len();
    // Of two records of one request in one group the first was inserted, so only that one counts.
    let rests = rests.into_iter().filter(|(_, (posting, _))| new.remove(&posting.request));
    let (tries, sums): (Vec<_>, Vec<_>) = rests.unzip();
    let (postings, usage): (Vec<_>, Vec<_>) = sums.into_iter().unzip();
    let tries: Vec<AttemptRow> = tries.into_iter().flatten().collect();
    for tries in tries.chunks(ROWS_PER_STATEMENT) {
        diesel::insert_into(attempts::table).values(tries).execute(conn).await?;
    }
    fault::point("within-commit");
    post_many(conn, Postings::of(&postings)?).await?;
    tally_many(conn, Tallies::of(&usage)?).await?;
    Ok(inserted)
}

fn insert_each(conn: &mut diesel::SqliteConnection, group: Vec<Entry>) -> QueryResult<usize> {
    use diesel::RunQueryDsl as _;
    let mut postings = Vec::with_capacity(group.len());
    let mut usage = Vec::with_capacity(group.len());
    for Entry { row, tries, posting, usage: used } in group {
        if unless_there(diesel::insert_into(requests::table).values(row).execute(conn))? == 0 {
            continue;
        }
        for attempt in tries {
            diesel::insert_into(attempts::table).values(attempt).execute(conn)?;
        }
        postings.push(posting);
        usage.push(used);
    }
    fault::point("within-commit");
    // A sum out of range comes back as what could not be written, which it is.
    let beyond = |error: StoreError| Error::SerializationError(error.into());
    post_each(conn, Postings::of(&postings).map_err(beyond)?)?;
    tally_each(conn, Tallies::of(&usage).map_err(beyond)?)?;
    Ok(postings.len())
}

/// Nothing was inserted where the row was there already. Said so instead of with `ON CONFLICT`, since a
/// plain insert is prepared once and a clause behind it is written anew for every row; SQLite's transaction
/// goes on after a statement that failed.
fn unless_there(inserted: QueryResult<usize>) -> QueryResult<usize> {
    match inserted {
        Err(Error::DatabaseError(DatabaseErrorKind::UniqueViolation, _)) => Ok(0),
        other => other,
    }
}
