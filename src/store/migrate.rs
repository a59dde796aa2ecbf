//! Schema changes, embedded in the binary; the rules are in `migrations/README.md`.

use std::time::Duration;

use diesel::{SqliteConnection, backend::Backend, connection::SimpleConnection, migration::Migration};
use diesel_async::{AsyncPgConnection, async_connection_wrapper::AsyncConnectionWrapper};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use super::{
    Store,
    error::StoreError,
    postgres,
    sqlite::{self, Access},
};
use crate::config::store::StoreUrl;

const POSTGRES: EmbeddedMigrations = embed_migrations!("migrations/postgres");
const SQLITE: EmbeddedMigrations = embed_migrations!("migrations/sqlite");

/// Rewriting a large table takes its time; a server that starts waits for it.
const DEADLINE: Duration = Duration::from_secs(3600);

/// Held while migrating, so that of several servers starting at once one does the work. Any
/// number does, as long as nobody else in the database uses it: these are the letters `points`.
const ADVISORY_LOCK: i64 = 0x70_6f_69_6e_74_73;

#[derive(Clone, Copy)]
enum Task {
    Apply,
    ListPending,
    #[cfg(test)]
    RevertAll,
}

impl Store {
    /// Applies the migrations that are missing and returns their names.
    ///
    /// # Errors
    /// [`StoreError::Refused`] names the migration that failed; those before it stay applied.
    pub async fn migrate(&self) -> Result<Vec<String>, StoreError> {
        self.migrations(Task::Apply).await
    }

    /// The migrations that are missing; the store works when there are none.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub async fn pending_migrations(&self) -> Result<Vec<String>, StoreError> {
        self.migrations(Task::ListPending).await
    }

    /// Undoes every migration, newest first.
    #[cfg(test)]
    pub(super) async fn unmigrate(&self) -> Result<Vec<String>, StoreError> {
        self.migrations(Task::RevertAll).await
    }

    async fn migrations(&self, task: Task) -> Result<Vec<String>, StoreError> {
        let url = self.url().clone();
        let work = async move {
            // diesel's harness blocks, so it gets a thread where that is allowed.
            let blocking = match url {
                StoreUrl::Postgres(url) => {
                    let connection = postgres::connect_unlimited(url.reveal()).await?;
                    tokio::task::spawn_blocking(move || {
                        let mut connection = AsyncConnectionWrapper::<AsyncPgConnection>::from(connection);
                        // Given back when the connection closes, at the end of this block.
                        connection.batch_execute(&format!("SELECT pg_advisory_lock({ADVISORY_LOCK})"))?;
                        perform(&mut connection, POSTGRES, task)
                    })
                }
                StoreUrl::Sqlite(path) => tokio::task::spawn_blocking(move || {
                    let path = path.to_string_lossy();
                    let mut connection: SqliteConnection = sqlite::connect(&path, Access::Write)
                        .map_err(|error| StoreError::Unavailable(format!("{path}: {error}")))?;
                    // As the advisory lock does there: of several servers one does the work.
                    connection.immediate_transaction(|connection| perform(connection, SQLITE, task))
                }),
            };
            blocking.await.map_err(|failed| StoreError::Refused(failed.to_string()))?
        };
        self.engine().run_within(DEADLINE, work).await
    }
}

fn perform<DB: Backend>(
    connection: &mut impl MigrationHarness<DB>,
    source: EmbeddedMigrations,
    task: Task,
) -> Result<Vec<String>, StoreError> {
    let refused = |error: Box<dyn std::error::Error + Send + Sync>| StoreError::Refused(error.to_string());
    let mut names = Vec::new();
    match task {
        Task::ListPending => {
            let pending = connection.pending_migrations(source).map_err(refused)?;
            names.extend(pending.iter().map(|migration| migration.name().to_string()));
        }
        Task::Apply => {
            for migration in connection.pending_migrations(source).map_err(refused)? {
                let name = migration.name().to_string();
                log::info!(migration = name.as_str(); "store: applying migration {name}");
                connection
                    .run_migration(&*migration)
                    .map_err(|error| StoreError::Refused(format!("migration {name}: {error}")))?;
                names.push(name);
            }
        }
        #[cfg(test)]
        Task::RevertAll => {
            use diesel::migration::MigrationSource as _;
            let mut all: Vec<Box<dyn Migration<DB>>> = source.migrations().map_err(refused)?;
            all.sort_by_key(|migration| std::cmp::Reverse(migration.name().to_string()));
            for migration in all {
                names.push(migration.name().to_string());
                connection.revert_migration(&*migration).map_err(refused)?;
            }
        }
    }
    Ok(names)
}
