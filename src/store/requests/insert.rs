//! Posting: adding records to the log in groups, each at most once, and what the new ones cost to the balances
//! of their accounts, in one transaction (I-40).

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
    },
};

/// Rows per statement, so that the binds stay below the 65,535 that PostgreSQL takes.
const ROWS_PER_STATEMENT: usize = 1_000;

/// What one group brings.
struct Group {
    rows: Vec<Row>,
    tries: Vec<AttemptRow>,
    postings: Vec<Posting>,
}

impl Group {
    fn of(records: &[Record]) -> Result<Self, StoreError> {
        let mut rows = Vec::with_capacity(records.len());
        let mut tries = Vec::with_capacity(records.len());
        for record in records {
            rows.push(Row::new(record)?);
            for (ordinal, attempt) in (1..).zip(&record.attempts) {
                tries.push(AttemptRow::new(record.id, ordinal, attempt));
            }
        }
        Ok(Self { rows, tries, postings: records.iter().map(Posting::of).collect() })
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
        let group = Group::of(records)?;
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
                            // Out of range is not the database's word for it; carried around its error type.
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

async fn insert_many(conn: &mut diesel_async::AsyncPgConnection, group: Group) -> Result<usize, StoreError> {
    use diesel_async::RunQueryDsl as _;
    let Group { rows, tries, postings } = group;
    let mut new: HashSet<RequestId> = HashSet::with_capacity(rows.len());
    for rows in rows.chunks(ROWS_PER_STATEMENT) {
        let insert = diesel::insert_into(requests::table).values(rows).on_conflict_do_nothing();
        let ids: Vec<Id> = insert.returning(requests::id).get_results(conn).await?;
        new.extend(ids.into_iter().map(|Id(id)| id));
    }
    for tries in tries.chunks(ROWS_PER_STATEMENT) {
        let insert = diesel::insert_into(attempts::table).values(tries).on_conflict_do_nothing();
        insert.execute(conn).await?;
    }
    fault::point("within-commit");
    post_many(conn, Postings::of(postings.iter().filter(|posting| new.contains(&posting.request)))?).await?;
    Ok(new.len())
}

fn insert_each(conn: &mut diesel::SqliteConnection, group: Group) -> QueryResult<usize> {
    use diesel::RunQueryDsl as _;
    let Group { rows, tries, mut postings } = group;
    let mut new = HashSet::with_capacity(rows.len());
    for row in rows {
        let Id(id) = row.id;
        if unless_there(diesel::insert_into(requests::table).values(row).execute(conn))? == 1 {
            new.insert(id);
        }
    }
    for attempt in tries {
        if new.contains(&attempt.request_id.0) {
            diesel::insert_into(attempts::table).values(attempt).execute(conn)?;
        }
    }
    fault::point("within-commit");
    postings.retain(|posting| new.contains(&posting.request));
    let postings = Postings::of(&postings).map_err(|error| Error::SerializationError(error.into()))?;
    post_each(conn, postings)?;
    Ok(new.len())
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
