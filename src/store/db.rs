//! One query body, two backends.
//!
//! [`Engine`] owns the pools and a small runtime of its own; the `db!` macro takes a query body,
//! expands it once per backend and runs it there, under a deadline (S14).
//!
//! Why a runtime of its own: a connection's driver must not live on an HTTP worker that may be
//! busy or going away, and diesel-async's SQLite connection blocks in place when a query is
//! abandoned, which a worker's single-threaded runtime answers with a panic. So nothing a caller
//! does, such as hanging up, ever abandons a query half way: it runs to its end or its deadline.

use std::{
    future::Future,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bb8::{ErrorSink, ManageConnection, RunError};
use diesel_async::{
    AsyncPgConnection,
    pooled_connection::{AsyncDieselConnectionManager, PoolError},
};
use tokio::runtime::{Builder, Runtime};

use super::{
    error::StoreError,
    postgres,
    sqlite::{self, Access},
};
use crate::config::store::{StoreSettings, StoreUrl};

/// The pools of one of the two backends.
pub(super) enum Db {
    /// PostgreSQL.
    Pg(Lender<AsyncPgConnection>),
    /// SQLite: writes queue for the only writer, reads never wait for it (WAL).
    Lite { writer: Lender<sqlite::Connection>, readers: Lender<sqlite::Connection> },
}

/// Runs query bodies.
pub(super) struct Engine {
    db: Arc<Db>,
    deadline: Duration,
    /// Present until dropped.
    runtime: Option<Runtime>,
}

impl Engine {
    /// Prepares the pools; the first query connects.
    pub(super) fn new(settings: &StoreSettings) -> Result<Self, StoreError> {
        // One thread is plenty: it only moves bytes. SQLite's work is in the blocking threads.
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .max_blocking_threads(16)
            .thread_name("store")
            .enable_all()
            .build()
            .map_err(|error| StoreError::Unavailable(format!("no thread for the store: {error}")))?;
        let inside = runtime.enter(); // the pools start their reapers here
        let db = match &settings.url {
            StoreUrl::Postgres(url) => {
                let manager = postgres::manager(url.reveal(), settings.query_deadline)?;
                Db::Pg(Lender::new(manager, settings.pool_size, settings.pool_wait))
            }
            StoreUrl::Sqlite(path) => Db::Lite {
                writer: Lender::new(sqlite::manager(path, Access::Write)?, 1, settings.pool_wait),
                readers: Lender::new(sqlite::manager(path, Access::Read)?, 4, settings.pool_wait),
            },
        };
        drop(inside);
        Ok(Self { db: Arc::new(db), deadline: settings.query_deadline, runtime: Some(runtime) })
    }

    /// The connections of each pool.
    pub(super) fn pools(&self) -> Vec<PoolState> {
        match &*self.db {
            Db::Pg(pool) => vec![pool.state("main")],
            Db::Lite { writer, readers } => vec![writer.state("writer"), readers.state("readers")],
        }
    }

    /// The pools, to be moved into a query body.
    pub(super) fn db(&self) -> Arc<Db> {
        Arc::clone(&self.db)
    }

    /// Runs `work` to its end or to the deadline, whatever becomes of the caller.
    pub(super) async fn run<T, W>(&self, work: W) -> Result<T, StoreError>
    where
        T: Send + 'static,
        W: Future<Output = Result<T, StoreError>> + Send + 'static,
    {
        self.run_within(self.deadline, work).await
    }

    /// Like [`Engine::run`] with a deadline of its own, for migrations.
    pub(super) async fn run_within<T, W>(&self, deadline: Duration, work: W) -> Result<T, StoreError>
    where
        T: Send + 'static,
        W: Future<Output = Result<T, StoreError>> + Send + 'static,
    {
        let runtime = self.runtime.as_ref().expect("present until dropped");
        let work = runtime.spawn(work);
        // Dropping an unfinished PostgreSQL query costs a connection at most. An SQLite query
        // cannot be dropped, only left to finish.
        let abort = matches!(*self.db, Db::Pg(_)).then(|| work.abort_handle());
        // The clock of the deadline is the store's too, so that a caller on a paused one can wait.
        let watched = runtime.spawn(async move {
            match tokio::time::timeout(deadline, work).await {
                Ok(Ok(result)) => result,
                Ok(Err(failed)) => Err(StoreError::Refused(format!("query ended early: {failed}"))),
                Err(_) => {
                    if let Some(abort) = abort {
                        abort.abort();
                    }
                    Err(StoreError::Unavailable(format!("no answer within {deadline:?}")))
                }
            }
        });
        watched.await.unwrap_or_else(|_| Err(StoreError::Unavailable("the store is closing".into())))
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Waiting is forbidden here: the last handle may go away inside another runtime.
            runtime.shutdown_background();
        }
    }
}

/// What one backend's connections are made by.
pub(super) type Manager<C> = AsyncDieselConnectionManager<C>;

/// The connections of one pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolState {
    /// Which.
    pub name: &'static str,
    /// Those that somebody has.
    pub in_use: u32,
    /// Those that are open and free.
    pub idle: u32,
    /// How many there may be.
    pub most: u32,
}

/// A pool that knows why it is empty.
pub(super) struct Lender<C>
where
    Manager<C>: ManageConnection<Connection = C, Error = PoolError>,
    C: Send + 'static,
{
    pool: bb8::Pool<Manager<C>>,
    most: u32,
    trouble: Trouble,
}

impl<C> Lender<C>
where
    Manager<C>: ManageConnection<Connection = C, Error = PoolError>,
    C: Send + 'static,
{
    /// A pool of at most `size` connections. Must be called inside the engine's runtime.
    pub(super) fn new(manager: Manager<C>, size: u32, wait: Duration) -> Self {
        let trouble = Trouble::default();
        let pool = bb8::Pool::builder()
            .max_size(size)
            .connection_timeout(wait)
            // The cause of a failure must be known before the wait is over, and whoever asks next
            // tries again anyway.
            .retry_connection(false)
            .error_sink(Box::new(trouble.clone()))
            .build_unchecked(manager);
        Self { pool, most: size, trouble }
    }

    fn state(&self, name: &'static str) -> PoolState {
        let bb8::State { connections, idle_connections, .. } = self.pool.state();
        PoolState {
            name,
            in_use: connections.saturating_sub(idle_connections),
            idle: idle_connections,
            most: self.most,
        }
    }

    /// A connection, within the pool's own waiting time.
    pub(super) async fn lend(&self) -> Result<bb8::PooledConnection<'_, Manager<C>>, StoreError> {
        self.pool.get().await.map_err(|error| match error {
            RunError::User(error) => StoreError::Unavailable(error.to_string()),
            RunError::TimedOut => StoreError::Unavailable(match self.trouble.take() {
                Some(cause) => format!("no connection: {cause}"),
                None => "no connection came free in time".to_owned(),
            }),
        })
    }
}

/// The last failure to connect. bb8 reports every one of them as a timeout and gives the cause
/// only to its error sink.
#[derive(Debug, Clone, Default)]
struct Trouble(Arc<Mutex<Option<String>>>);

impl Trouble {
    fn take(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl ErrorSink<PoolError> for Trouble {
    fn sink(&self, error: PoolError) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.to_string());
    }

    fn boxed_clone(&self) -> Box<dyn ErrorSink<PoolError>> {
        Box::new(self.clone())
    }
}

/// Runs one query body on whichever backend there is, on a connection for reading or for writing:
///
/// ```text
/// let names = db!(self.engine, read, conn => users::table.select(users::name).load(conn).await?);
/// ```
///
/// The body may use `?` on diesel's and the store's errors and must own what it uses.
macro_rules! db {
    ($engine:expr, read, $conn:ident => $body:expr) => {
        $crate::store::db::db!(@ $engine, readers, $conn => $body)
    };
    ($engine:expr, write, $conn:ident => $body:expr) => {
        $crate::store::db::db!(@ $engine, writer, $conn => $body)
    };
    (@ $engine:expr, $lite:ident, $conn:ident => $body:expr) => {{
        let db = $engine.db();
        $engine
            .run(async move {
                match &*db {
                    $crate::store::db::Db::Pg(lender) => {
                        let mut lent = lender.lend().await?;
                        let $conn = &mut *lent;
                        Ok($body)
                    }
                    $crate::store::db::Db::Lite { $lite: lender, .. } => {
                        let mut lent = lender.lend().await?;
                        let $conn = &mut *lent;
                        Ok($body)
                    }
                }
            })
            .await
    }};
}
pub(super) use db;
