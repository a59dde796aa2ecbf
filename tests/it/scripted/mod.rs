//! An upstream that does on the wire exactly what a script says, byte by byte.
//!
//! A script is an async function that is handed each accepted connection. What it receives is
//! recorded. A script that panics fails the test when the upstream is dropped.

mod conn;
mod tls;

use std::{
    cell::{Cell, RefCell},
    future::Future,
    net::SocketAddr,
    rc::Rc,
    sync::Arc,
};

use tokio::{net::TcpListener, task::JoinSet};
use tokio_rustls::TlsAcceptor;

pub(crate) use self::{
    conn::{Conn, Request},
    tls::Authority,
};

/// A scripted upstream on a loopback port, until dropped.
pub(crate) struct Upstream {
    pub(crate) address: SocketAddr,
    record: Rc<Record>,
    accepting: tokio::task::JoinHandle<()>,
}

/// What happened so far.
#[derive(Default)]
struct Record {
    connections: Cell<usize>,
    requests: RefCell<Vec<Request>>,
    script_failed: Cell<bool>,
}

impl Upstream {
    /// Plays `script` on every connection.
    pub(crate) async fn start<S, F>(script: S) -> Self
    where
        S: Fn(Conn) -> F + 'static,
        F: Future<Output = ()> + 'static,
    {
        Self::listen(None, script).await
    }

    /// The same above TLS; a failed handshake just ends the connection.
    pub(crate) async fn start_tls<S, F>(config: Arc<rustls::ServerConfig>, script: S) -> Self
    where
        S: Fn(Conn) -> F + 'static,
        F: Future<Output = ()> + 'static,
    {
        Self::listen(Some(TlsAcceptor::from(config)), script).await
    }

    async fn listen<S, F>(tls: Option<TlsAcceptor>, script: S) -> Self
    where
        S: Fn(Conn) -> F + 'static,
        F: Future<Output = ()> + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a loopback port");
        let address = listener.local_addr().expect("a bound listener");
        let record = Rc::new(Record::default());
        let script = Rc::new(script);
        let accepting = tokio::task::spawn_local({
            let record = record.clone();
            async move {
                let mut playing = JoinSet::new();
                loop {
                    tokio::select! {
                        accepted = listener.accept() => {
                            let (tcp, _) = accepted.expect("accept on loopback");
                            let number = record.connections.get();
                            record.connections.set(number + 1);
                            let (script, record, tls) = (script.clone(), record.clone(), tls.clone());
                            playing.spawn_local(async move {
                                if let Some(conn) = Conn::open(tcp, tls, number, record).await {
                                    script(conn).await;
                                }
                            });
                        }
                        Some(played) = playing.join_next() => {
                            if played.is_err() {
                                record.script_failed.set(true);
                            }
                        }
                    }
                }
            }
        });
        Self { address, record, accepting }
    }

    /// Connections accepted so far.
    pub(crate) fn connections(&self) -> usize {
        self.record.connections.get()
    }

    /// Complete requests received so far.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.record.requests.borrow().clone()
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.accepting.abort();
        if !std::thread::panicking() {
            assert!(!self.record.script_failed.get(), "the upstream's script failed");
        }
    }
}
