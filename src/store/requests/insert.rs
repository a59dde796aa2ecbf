//! Adding records to the log, in groups and each at most once.

use diesel::{
    QueryResult,
    result::{DatabaseErrorKind, Error},
};
use diesel_async::AsyncConnection as _;

use super::rows::{AttemptRow, Row};
use crate::{
    journal::record::Record,
    store::{
        Store,
        db::{Db, db},
        error::StoreError,
        schema::{attempts, requests},
        types::At,
    },
};

/// Rows per statement, so that the binds stay below the 65,535 that PostgreSQL takes.
const ROWS_PER_STATEMENT: usize = 1_000;

impl Store {
    /// Adds records to the log in one transaction, leaving out those that are there already, and
    /// returns how many were new. Asking again after a lost answer is therefore harmless.
    ///
    /// # Errors
    /// When one of the records cannot be stored none is; see [`StoreError::is_temporary`].
    pub async fn insert_requests(&self, records: &[Record]) -> Result<usize, StoreError> {
        let mut rows = Vec::with_capacity(records.len());
        let mut tries = Vec::new();
        for record in records {
            rows.push(Row::new(record)?);
            for (ordinal, attempt) in (1..).zip(&record.attempts) {
                tries.push(AttemptRow::new(record.id, ordinal, attempt));
            }
        }
        let db = self.engine().db();
        // The one place where the backends part: PostgreSQL wants many rows in one statement,
        // SQLite many runs of one prepared statement without leaving its thread.
        self.engine()
            .run(async move {
                match &*db {
                    Db::Pg(lender) => {
                        let mut lent = lender.lend().await?;
                        (*lent).transaction(async move |conn| insert_many(conn, rows, tries).await).await
                    }
                    Db::Lite { writer, .. } => {
                        let mut lent = writer.lend().await?;
                        let work = lent.spawn_blocking(move |conn| {
                            conn.immediate_transaction(|conn| insert_each(conn, rows, tries))
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
    rows: Vec<Row>,
    tries: Vec<AttemptRow>,
) -> Result<usize, StoreError> {
    use diesel_async::RunQueryDsl as _;
    let mut new = 0;
    for rows in rows.chunks(ROWS_PER_STATEMENT) {
        let insert = diesel::insert_into(requests::table).values(rows).on_conflict_do_nothing();
        new += insert.execute(conn).await?;
    }
    for tries in tries.chunks(ROWS_PER_STATEMENT) {
        let insert = diesel::insert_into(attempts::table).values(tries).on_conflict_do_nothing();
        insert.execute(conn).await?;
    }
    Ok(new)
}

fn insert_each(
    conn: &mut diesel::SqliteConnection,
    rows: Vec<Row>,
    tries: Vec<AttemptRow>,
) -> QueryResult<usize> {
    use diesel::RunQueryDsl as _;
    let mut new = 0;
    for row in rows {
        new += unless_there(diesel::insert_into(requests::table).values(row).execute(conn))?;
    }
    for attempt in tries {
        unless_there(diesel::insert_into(attempts::table).values(attempt).execute(conn))?;
    }
    Ok(new)
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
