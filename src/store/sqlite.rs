//! Connections to SQLite: a file in write-ahead mode, one writer, several readers.

use std::{path::Path, time::Duration};

use diesel::{
    Connection as _, ConnectionError, ConnectionResult, SqliteConnection, connection::SimpleConnection as _,
    declare_sql_function, sql_types::Text,
};
use diesel_async::{pooled_connection::ManagerConfig, sync_connection_wrapper::SyncConnectionWrapper};
use futures_util::FutureExt;

use super::{db::Manager, error::StoreError};

/// A connection whose work is done in the blocking threads.
pub(super) type Connection = SyncConnectionWrapper<SqliteConnection>;

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// The one that may change something.
    Write,
    /// One of those that may not.
    Read,
}

#[declare_sql_function]
extern "SQL" {
    /// A text without regard to capitals. SQLite's own `lower` knows those of ASCII and no others.
    fn folded(text: Text) -> Text;
}

/// How long a statement waits for another process that holds the file, such as an old server
/// during an upgrade.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// How connections to the file at `path` are made. The file and its directory are made if missing.
pub(super) fn manager(path: &Path, access: Access) -> Result<Manager<Connection>, StoreError> {
    let url = path
        .to_str()
        .ok_or_else(|| StoreError::invalid("store.url", "the path is not valid Unicode"))?
        .to_owned();
    if let Some(directory) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        crate::config::data_dir::make(directory).map_err(|error| {
            StoreError::Unavailable(format!("cannot make directory {}: {error}", directory.display()))
        })?;
    }
    let mut how = ManagerConfig::default();
    how.custom_setup = Box::new(move |_| {
        let url = url.clone();
        async move {
            tokio::task::spawn_blocking(move || connect(&url, access))
                .await
                .unwrap_or_else(|failed| Err(ConnectionError::BadConnection(failed.to_string())))
                .map(SyncConnectionWrapper::new)
        }
        .boxed()
    });
    Ok(Manager::new_with_config(String::new(), how))
}

/// Opens the file, set up as all our connections are. Blocks.
pub(super) fn connect(path: &str, access: Access) -> ConnectionResult<SqliteConnection> {
    let mut connection = SqliteConnection::establish(path)?;
    // FULL: what was committed outlasts a power cut, since the journal gives up what is posted. Records are
    // committed in groups, so few syncs are enough. Readers are held to reading, so that nothing slips past
    // the one writer.
    let query_only = if access == Access::Read { "ON" } else { "OFF" };
    connection
        .batch_execute(&format!(
            "PRAGMA busy_timeout = {}; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
             PRAGMA foreign_keys = ON; PRAGMA query_only = {query_only}; \
             PRAGMA wal_autocheckpoint = 4000; PRAGMA cache_size = -16000;",
            BUSY_TIMEOUT.as_millis()
        ))
        .map_err(ConnectionError::CouldntSetupConfiguration)?;
    folded_utils::register_impl(&mut connection, |text: String| text.to_lowercase())
        .map_err(ConnectionError::CouldntSetupConfiguration)?;
    Ok(connection)
}
