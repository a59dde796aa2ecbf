//! Many rows changed at once, all or none, and put back again for as long as nobody has touched them since.
//!
//! One transaction changes the rows, keeps what they were, and writes a line of the audit log for each. A preview is
//! the same transaction, taken back at its end: what it tells is what would be.

mod keys;
mod providers;
mod undo;
mod users;

use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;
use serde::{Deserialize, Serialize};

pub use self::undo::Undone;
use super::{
    audit::Author,
    error::StoreError,
    schema::batches,
    text::Clean,
    trash::TrashKind,
    types::{At, Json},
};

/// How long a batch can be undone.
const KEPT: TimeDelta = TimeDelta::hours(24);

/// A change of one row among many.
#[derive(Debug, Clone)]
pub struct RowChange<C> {
    /// Which row.
    pub id: i64,
    /// The version it must have.
    pub version: i64,
    /// What changes.
    pub change: C,
}

/// Whether rows are changed, or only looked at as they would be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Nothing stays of it.
    Preview,
    /// They are changed.
    Apply,
}

/// What became of many rows, or would.
#[derive(Debug, Clone)]
pub struct Batch<T> {
    /// By which it can be undone, and until when; none of a preview.
    pub made: Option<Made>,
    /// Each row, before and after.
    pub changed: Vec<(T, T)>,
}

/// A batch that can be undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Made {
    /// Its number.
    pub id: i64,
    /// Until when.
    pub undo_until: DateTime<Utc>,
}

/// Why a transaction ends without changing anything.
enum Stop<T> {
    /// It was a preview: this is what it would have done.
    TakenBack(T),
    Failed(StoreError),
}

impl<T> From<StoreError> for Stop<T> {
    fn from(error: StoreError) -> Self {
        Self::Failed(error)
    }
}

impl<T> From<diesel::result::Error> for Stop<T> {
    fn from(error: diesel::result::Error) -> Self {
        Self::Failed(error.into())
    }
}

/// What came of a transaction that may have been a preview.
fn outcome<T>(done: Result<T, Stop<T>>) -> Result<T, StoreError> {
    match done {
        Ok(done) | Err(Stop::TakenBack(done)) => Ok(done),
        Err(Stop::Failed(error)) => Err(error),
    }
}

/// The same changes as columns.
fn columns<C, D>(
    changes: Vec<RowChange<C>>,
    columns: impl Fn(i64, C) -> Result<D, StoreError>,
) -> Result<Vec<RowChange<D>>, StoreError> {
    let one = |RowChange { id, version, change }| Ok(RowChange { id, version, change: columns(id, change)? });
    changes.into_iter().map(one).collect()
}

impl<R> Batch<R> {
    /// The same with rows as the rest of the house knows them.
    fn try_map<T>(self, open: impl Fn(R) -> Result<T, StoreError>) -> Result<Batch<T>, StoreError> {
        let both = |(before, after)| Ok::<_, StoreError>((open(before)?, open(after)?));
        Ok(Batch { made: self.made, changed: self.changed.into_iter().map(both).collect::<Result<_, _>>()? })
    }
}

/// A row as it was, and the version it has got since.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Was<K> {
    version: i64,
    pub(super) row: K,
}

#[derive(Insertable)]
#[diesel(table_name = batches)]
struct NewRow<K: Serialize + std::fmt::Debug> {
    kind: &'static str,
    document: Json<Vec<Was<K>>>,
    who: Option<Clean>,
    made_at: At,
}

impl<K: Serialize + std::fmt::Debug> NewRow<K> {
    fn new(kind: TrashKind, document: Vec<Was<K>>, author: Option<&Author>) -> Self {
        let who = author.map(|author| Clean::cut(&author.who, 200));
        Self { kind: kind.name(), document: Json(document), who, made_at: At::now() }
    }
}

/// Changes rows in one transaction: `$change` gives each before and after, `$told` what the audit log says of the
/// second.
macro_rules! change_rows {
    (
        $store:expr, $kind:expr, $action:literal, $changes:expr, $mode:expr,
        $table:ident as $row:ty, kept as $kept:ty, $subject:path,
        |$conn:ident, $id:ident, $expected:ident, $columns:ident| $change:expr, |$before:ident, $after:ident| $told:expr
    ) => {{
        let (changes, mode, author) = ($changes, $mode, $store.author());
        db!($store.engine(), write, conn => {
            let done = conn
                .transaction(async move |$conn| {
                    let (mut changed, mut document): (Vec<($row, $row)>, Vec<Was<$kept>>) = Default::default();
                    for RowChange { id: $id, version, change: $columns } in changes {
                        let $expected = Expected::OneOf(vec![version]);
                        let was: Option<$kept> =
                            $table::table.find($id).select(<$kept>::as_select()).first($conn).await.optional()?;
                        let (before, after): ($row, $row) = $change;
                        document.extend(was.map(|row| Was { version: after.version, row }));
                        changed.push((before, after));
                    }
                    if mode == Mode::Preview {
                        return Err(Stop::TakenBack((None, changed)));
                    }
                    let new = NewRow::new($kind, document, author.as_ref());
                    let made_at = new.made_at.0;
                    let too_old = batches::made_at.lt(At(made_at - KEPT));
                    diesel::delete(batches::table.filter(too_old)).execute($conn).await?;
                    let id: i64 = diesel::insert_into(batches::table)
                        .values(new)
                        .returning(batches::id)
                        .get_result($conn)
                        .await?;
                    for ($before, $after) in &changed {
                        let author = author.clone();
                        tell!($conn, author, $action, $subject($after.id()), Some($before), Some($told), batch id);
                    }
                    Ok((Some(Made { id, undo_until: made_at + KEPT }), changed))
                })
                .await;
            let (made, changed) = outcome(done)?;
            Batch { made, changed }
        })
    }};
}
use change_rows;
