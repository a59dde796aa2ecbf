//! Connections to PostgreSQL: tokio-postgres over rustls, without libpq.

use std::{sync::Arc, time::Duration};

use diesel::{ConnectionError, ConnectionResult};
use diesel_async::{AsyncPgConnection, SimpleAsyncConnection, pooled_connection::ManagerConfig};
use futures_util::FutureExt;
use rustls::{ClientConfig, RootCertStore, crypto::ring};
use tokio_postgres::{
    Config, NoTls,
    config::{Host, SslMode},
};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::{db::Manager, error::StoreError};

/// How long TCP, TLS and the login of one connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How connections are made to the server that `url` names. A query that we give up on after `deadline` must
/// not go on there (S14): the server ends it a moment later, so that it is always we who say why.
pub(super) fn manager(url: &str, deadline: Duration) -> Result<Manager<AsyncPgConnection>, StoreError> {
    let (config, tls) = prepare(url)?;
    let statement_timeout = deadline + deadline / 4;
    let setup = format!("SET statement_timeout = {}", statement_timeout.as_millis());
    let shared = Arc::new((config, tls, setup));
    let mut how = ManagerConfig::default();
    how.custom_setup = Box::new(move |_| {
        let shared = Arc::clone(&shared);
        async move { connect(&shared.0, shared.1.as_ref(), &shared.2).await }.boxed()
    });
    Ok(Manager::new_with_config(String::new(), how))
}

/// One connection outside the pool and without a limit on its statements, for migrations.
pub(super) async fn connect_unlimited(url: &str) -> Result<AsyncPgConnection, StoreError> {
    let (config, tls) = prepare(url)?;
    connect(&config, tls.as_ref(), "SET statement_timeout = 0")
        .await
        .map_err(|error| StoreError::Unavailable(error.to_string()))
}

fn prepare(url: &str) -> Result<(Config, Option<MakeRustlsConnect>), StoreError> {
    // The parser's message never repeats the text, which may hold a password.
    let mut config: Config =
        url.parse().map_err(|error| StoreError::invalid("store.url", format!("{error}")))?;
    config.connect_timeout(CONNECT_TIMEOUT).keepalives_idle(Duration::from_secs(30));
    // A peer that vanished without a word is noticed after this long with unanswered data.
    config.tcp_user_timeout(Duration::from_secs(15));
    if config.get_application_name().is_none() {
        config.application_name("pointsman");
    }
    let tls = wants_tls(&config).then(tls).transpose()?;
    Ok((config, tls))
}

/// Whether to offer TLS. Certificates are always verified, which `sslmode=prefer`, the default,
/// does not ask for elsewhere; so over loopback, where distributions put a self-signed
/// certificate, `prefer` means plain.
fn wants_tls(config: &Config) -> bool {
    let local = |host: &Host| match host {
        Host::Tcp(name) => {
            name == "localhost" || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
        }
        _ => true, // a socket in the file system
    };
    match config.get_ssl_mode() {
        SslMode::Disable => false,
        SslMode::Prefer => !config.get_hosts().iter().all(local),
        _ => true,
    }
}

/// TLS that trusts the system's certificate authorities, or the public ones where the system has none.
fn tls() -> Result<MakeRustlsConnect, StoreError> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| StoreError::Refused(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}

async fn connect(
    config: &Config,
    tls: Option<&MakeRustlsConnect>,
    setup: &str,
) -> ConnectionResult<AsyncPgConnection> {
    let failed = |error: tokio_postgres::Error| ConnectionError::BadConnection(described(&error));
    let mut connection = match tls {
        Some(tls) => {
            let (client, connection) = config.connect(tls.clone()).await.map_err(failed)?;
            AsyncPgConnection::try_from_client_and_connection(client, connection).await?
        }
        None => {
            let (client, connection) = config.connect(NoTls).await.map_err(failed)?;
            AsyncPgConnection::try_from_client_and_connection(client, connection).await?
        }
    };
    connection.batch_execute(setup).await.map_err(ConnectionError::CouldntSetupConfiguration)?;
    Ok(connection)
}

/// The error with its causes, which tokio-postgres leaves out of its own text.
fn described(error: &tokio_postgres::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tls_is_offered_to_everyone_but_the_own_machine() {
        for (url, expected) in [
            ("postgres://u:p@127.0.0.1:5432/d", false),
            ("postgres://u:p@localhost/d", false),
            ("postgres://u:p@[::1]/d", false),
            ("postgres:///d?host=/var/run/postgresql", false),
            ("postgres://u:p@127.0.0.1/d?sslmode=require", true),
            ("postgres://u:p@db.internal/d", true),
            ("postgres://u:p@db.internal/d?sslmode=disable", false),
            ("postgres://u:p@localhost,db.internal/d", true),
        ] {
            assert_eq!(wants_tls(&url.parse().unwrap()), expected, "{url}");
        }
    }

    #[test]
    fn a_bad_url_is_refused_without_repeating_it() {
        let error = manager("postgres://u:hunter2@host:notaport/d", Duration::from_secs(1)).unwrap_err();
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
}
