//! A copy of an SQLite database while it is in use, and whether a file is sound.

use std::path::Path;

use diesel::{
    Connection as _, QueryableByName, RunQueryDsl as _, SqliteConnection, connection::SimpleConnection as _,
    sql_types::Text,
};

use super::error::StoreError;

#[derive(QueryableByName)]
struct Verdict {
    #[diesel(sql_type = Text)]
    integrity_check: String,
}

/// Copies the database at `from`, as it is at one moment, to `to`, which must not exist. Writers go on meanwhile.
/// Blocks.
///
/// # Errors
/// When either can't be read or written.
pub fn copy_sqlite(from: &Path, to: &Path) -> Result<(), StoreError> {
    let mut connection = open(from)?;
    let to = to.to_str().ok_or_else(|| StoreError::invalid("file", "the path is not valid Unicode"))?;
    diesel::sql_query("VACUUM INTO ?").bind::<Text, _>(to).execute(&mut connection)?;
    Ok(())
}

/// What SQLite finds wrong with the database at `path`; empty when it is sound. Reads all of it, and blocks.
///
/// # Errors
/// When it can't be read at all.
pub fn check_sqlite(path: &Path) -> Result<Vec<String>, StoreError> {
    let mut connection = open(path)?;
    let verdicts: Vec<Verdict> = diesel::sql_query("PRAGMA integrity_check").load(&mut connection)?;
    Ok(verdicts
        .into_iter()
        .map(|verdict| verdict.integrity_check)
        .filter(|verdict| verdict != "ok")
        .collect())
}

/// Whether somebody who writes would be let in. Takes the lock of the writer for a moment and changes nothing;
/// blocks.
///
/// # Errors
/// Why not.
pub fn probe_sqlite_write(path: &Path) -> Result<(), StoreError> {
    Ok(open(path)?.batch_execute("BEGIN IMMEDIATE; ROLLBACK")?)
}

fn open(path: &Path) -> Result<SqliteConnection, StoreError> {
    let unavailable =
        |error: &dyn std::fmt::Display| StoreError::Unavailable(format!("{}: {error}", path.display()));
    // SQLite would make a file that is not there.
    if !path.is_file() {
        return Err(unavailable(&"there is no such file"));
    }
    let path =
        path.to_str().ok_or_else(|| StoreError::invalid("store.url", "the path is not valid Unicode"))?;
    let mut connection = SqliteConnection::establish(path).map_err(|error| unavailable(&error))?;
    connection.batch_execute("PRAGMA busy_timeout = 5000")?;
    Ok(connection)
}
