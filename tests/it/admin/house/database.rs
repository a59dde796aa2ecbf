//! One story, both databases: an SQLite file, and a schema of its own in the PostgreSQL server that
//! `POINTSMAN_TEST_POSTGRES_URL` names.

use std::future::Future;

use pointsman::config::{Secret, store::StoreUrl};
use tokio_postgres::{NoTls, error::SqlState};

use super::TestHouse;

/// Makes one test per database out of each `async fn name(house: TestHouse)`.
macro_rules! on_both {
    ($($name:ident)+) => {
        $(mod $name {
            #[actix::test]
            async fn on_sqlite() {
                super::$name($crate::admin::house::TestHouse::on_sqlite().await).await;
            }

            #[actix::test]
            async fn on_postgres() {
                $crate::admin::house::TestHouse::run_on_postgres(super::$name).await;
            }
        })+
    };
}
pub(crate) use on_both;

impl TestHouse {
    /// Tells a story on PostgreSQL, where there is one. CI has one: the suite of the store sees to that.
    pub(crate) async fn run_on_postgres<T: Future<Output = ()>>(story: impl FnOnce(Self) -> T) {
        let Some(schema) = Schema::make().await else { return };
        let directory = tempfile::tempdir().unwrap();
        story(Self::build(schema.url(), directory).await).await;
        schema.remove().await;
    }
}

/// A schema of its own in PostgreSQL.
pub(crate) struct Schema {
    server: String,
    name: String,
    client: tokio_postgres::Client,
}

impl Schema {
    /// Makes one, where there is a server.
    pub(crate) async fn make() -> Option<Self> {
        let server = std::env::var("POINTSMAN_TEST_POSTGRES_URL").ok()?;
        let name = format!("test_{}", uuid::Uuid::now_v7().simple());
        let (client, connection) = tokio_postgres::connect(&server, NoTls).await.unwrap();
        actix::spawn(connection);
        client.batch_execute(&format!("CREATE SCHEMA {name}")).await.unwrap();
        Some(Self { server, name, client })
    }

    /// Where it is.
    pub(crate) fn url(&self) -> StoreUrl {
        let separator = if self.server.contains('?') { '&' } else { '?' };
        let url = format!("{}{separator}options=-c%20search_path%3D{}", self.server, self.name);
        StoreUrl::Postgres(Secret::new(url))
    }

    /// Takes it away again.
    pub(crate) async fn remove(self) {
        // What the house still writes behind an answer's back may stand in the way: then PostgreSQL ends one
        // of the two, and this one asks again.
        let drop = format!("DROP SCHEMA {} CASCADE", self.name);
        let mut tries = 0;
        while let Err(error) = self.client.batch_execute(&drop).await {
            let code = error.code().cloned();
            tries += 1;
            assert!(code == Some(SqlState::T_R_DEADLOCK_DETECTED) && tries < 5, "{error}");
        }
    }
}
