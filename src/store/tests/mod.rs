//! One suite for both backends: each test gets a migrated database of its own, a file in a
//! directory of its own or a schema of its own in the server that `POINTSMAN_TEST_POSTGRES_URL`
//! names.

mod audit;
mod batches;
mod console_sessions;
mod idempotency;
mod ledger;
mod lists;
mod migrations;
mod outages;
mod prices;
mod providers;
mod recording;
mod requests;
mod seals;
mod settings;
mod totals;
mod usage;
mod users_and_keys;

use std::{future::Future, io::Write as _, sync::Once, time::Duration};

use diesel::{QueryableByName, sql_types::Text};
use diesel_async::{RunQueryDsl, SimpleAsyncConnection as _};
use tempfile::TempDir;
use tokio_postgres::NoTls;

use super::{Store, StoreError, db::db, sqlite};
use crate::{
    config::{
        Secret,
        store::{StoreSettings, StoreUrl},
    },
    secrets::{digest::Digester, digest_key::DigestKey, sealing::Sealer, sealing_key::SealingKey},
};

/// Makes one test per backend out of each `async fn name(rig: Rig)`.
macro_rules! on_both {
    ($($name:ident)+) => {
        $(mod $name {
            #[actix::test]
            async fn on_sqlite() {
                super::super::Rig::run_on_sqlite(super::$name).await;
            }

            #[actix::test]
            async fn on_postgres() {
                super::super::Rig::run_on_postgres(super::$name).await;
            }
        })+
    };
}
use on_both;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Backend {
    Sqlite,
    Postgres,
}

/// A store on a database of its own.
struct Rig {
    backend: Backend,
    store: Store,
    settings: StoreSettings,
    _directory: TempDir,
}

impl Rig {
    async fn run_on_sqlite<T: Future<Output = ()>>(test: impl FnOnce(Rig) -> T) {
        let directory = tempfile::tempdir().unwrap();
        let url = StoreUrl::Sqlite(directory.path().join("made/on/demand.db"));
        test(Self::migrated(Backend::Sqlite, url, directory).await).await;
    }

    async fn run_on_postgres<T: Future<Output = ()>>(test: impl FnOnce(Rig) -> T) {
        let Some(server) = postgres_server() else { return };
        let schema = format!("test_{}", uuid::Uuid::now_v7().simple());
        let (client, connection) = tokio_postgres::connect(&server, NoTls).await.unwrap();
        actix::spawn(connection);
        client.batch_execute(&format!("CREATE SCHEMA {schema}")).await.unwrap();
        let separator = if server.contains('?') { '&' } else { '?' };
        let url = format!("{server}{separator}options=-c%20search_path%3D{schema}");
        let directory = tempfile::tempdir().unwrap();
        let url = StoreUrl::Postgres(Secret::new(url));
        test(Self::migrated(Backend::Postgres, url, directory).await).await;
        client.batch_execute(&format!("DROP SCHEMA {schema} CASCADE")).await.unwrap();
    }

    async fn migrated(backend: Backend, url: StoreUrl, directory: TempDir) -> Self {
        let settings = StoreSettings {
            url,
            pool_size: 4,
            pool_wait: Duration::from_secs(5),
            query_deadline: Duration::from_secs(10),
            auto_migrate: true,
        };
        let store = Store::open(&settings, sealer("11")).unwrap();
        store.migrate().await.unwrap();
        Self { backend, store, settings, _directory: directory }
    }

    /// Another store on the same database.
    fn reopened(&self, sealer: Sealer) -> Store {
        Store::open(&self.settings, sealer).unwrap()
    }

    /// Runs statements as they stand.
    async fn sql(&self, statements: &str) -> Result<(), StoreError> {
        let statements = statements.to_owned();
        db!(self.store.engine(), write, conn => conn.batch_execute(&statements).await?)
    }

    /// One text column, called `text`, of a query as it stands.
    async fn texts(&self, query: &str) -> Vec<String> {
        #[derive(QueryableByName)]
        struct Row {
            #[diesel(sql_type = Text)]
            text: String,
        }
        let query = query.to_owned();
        let rows: Vec<Row> =
            db!(self.store.engine(), read, conn => diesel::sql_query(query).load(conn).await?).unwrap();
        rows.into_iter().map(|row| row.text).collect()
    }
}

/// Someone else who keeps the tables from being written.
enum Lock {
    Sqlite(diesel::SqliteConnection),
    Postgres(tokio_postgres::Client),
}

impl Lock {
    async fn take(rig: &Rig) -> Self {
        match &rig.settings.url {
            StoreUrl::Sqlite(path) => {
                use diesel::connection::SimpleConnection as _;
                let mut holder = sqlite::connect(path.to_str().unwrap(), sqlite::Access::Write).unwrap();
                holder.batch_execute("BEGIN IMMEDIATE").unwrap();
                Self::Sqlite(holder)
            }
            StoreUrl::Postgres(url) => {
                let (holder, connection) = tokio_postgres::connect(url.reveal(), NoTls).await.unwrap();
                actix::spawn(connection);
                holder.batch_execute("BEGIN; LOCK TABLE users, requests IN EXCLUSIVE MODE").await.unwrap();
                Self::Postgres(holder)
            }
        }
    }

    async fn give_back(self) {
        match self {
            Self::Sqlite(mut holder) => {
                diesel::connection::SimpleConnection::batch_execute(&mut holder, "ROLLBACK").unwrap();
            }
            Self::Postgres(holder) => holder.batch_execute("ROLLBACK").await.unwrap(),
        }
    }
}

fn sealing_key(byte: &str) -> SealingKey {
    SealingKey::parse(&byte.repeat(32)).unwrap()
}

fn sealer(byte: &str) -> Sealer {
    Sealer::new(&sealing_key(byte))
}

fn digest_key() -> DigestKey {
    DigestKey::of_old(&sealing_key("11"))
}

fn digester() -> Digester {
    Digester::for_api_keys(&digest_key())
}

/// The server for tests. Where there must be one, its absence is a failure; elsewhere half of the
/// suite is left out, which is said past the test harness's capture.
fn postgres_server() -> Option<String> {
    static SAID: Once = Once::new();
    if let Ok(url) = std::env::var("POINTSMAN_TEST_POSTGRES_URL") {
        return Some(url);
    }
    assert_ne!(
        std::env::var("CI").as_deref(),
        Ok("true"),
        "POINTSMAN_TEST_POSTGRES_URL must be set: nothing is tested on PostgreSQL"
    );
    SAID.call_once(|| {
        let warning = b"\n*** POINTSMAN_TEST_POSTGRES_URL is not set: NOTHING IS TESTED ON POSTGRESQL ***\n";
        std::io::stderr().write_all(warning).unwrap();
    });
    None
}
