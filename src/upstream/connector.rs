//! How awc gets a connection: name, address check, TCP, TLS, wire guard, all within one limit.
//!
//! The address that was checked is the address that is connected to (C-06): nothing resolves the
//! name a second time. A proxy would take the place of [`Road::tcp`]: it, too, ends in a TCP stream
//! on which TLS to the provider may be spoken.

use std::{fmt, io, net::SocketAddr, pin::Pin, rc::Rc, sync::Arc, task, time::Duration};

use actix_service::Service;
use actix_tls::connect::{ConnectError, ConnectInfo, Connection};
use awc::http::Uri;
use futures_util::future::LocalBoxFuture;
use socket2::{SockRef, TcpKeepalive};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use url::Host;

use super::{
    address,
    base_url::BaseUrl,
    fault::Fault,
    guard::{Generation, Guard, Limits},
    resolver::Resolver,
    tls,
};

/// Longest try at one address, so that a dead first address leaves time for the second.
const PER_ADDRESS: Duration = Duration::from_secs(2);

/// Makes guarded connections to one provider.
#[derive(Clone)]
pub(super) struct Road(Rc<Inner>);

struct Inner {
    base: BaseUrl,
    allow_private: bool,
    connect: Duration,
    limits: Limits,
    generation: Generation,
    resolver: Rc<Resolver>,
    tls: Arc<rustls::ClientConfig>,
}

impl Road {
    pub(super) fn new(
        base: BaseUrl,
        allow_private: bool,
        connect: Duration,
        limits: Limits,
        generation: Generation,
        resolver: Rc<Resolver>,
        tls: Arc<rustls::ClientConfig>,
    ) -> Self {
        Self(Rc::new(Inner { base, allow_private, connect, limits, generation, resolver, tls }))
    }

    async fn connect(&self) -> Result<Guard<Wire>, Fault> {
        let Inner { connect, limits, generation, .. } = &*self.0;
        let wire = timeout(*connect, self.wire()).await.map_err(|_| Fault::ConnectTimeout)??;
        Ok(Guard::new(wire, *limits, generation.clone()))
    }

    async fn wire(&self) -> Result<Wire, Fault> {
        let Inner { base, tls, .. } = &*self.0;
        let tcp = self.tcp().await?;
        if !base.tls {
            return Ok(Wire::Plain(tcp));
        }
        let name = tls::server_name(&base.host)?;
        let stream = TlsConnector::from(tls.clone()).connect(name, tcp).await;
        Ok(Wire::Tls(Box::new(stream.map_err(|error| tls::fault(&error))?)))
    }

    async fn tcp(&self) -> Result<TcpStream, Fault> {
        let Inner { base, resolver, allow_private, .. } = &*self.0;
        let addresses = match &base.host {
            Host::Ipv4(v4) => vec![(*v4).into()],
            Host::Ipv6(v6) => vec![(*v6).into()],
            Host::Domain(name) => resolver.resolve(name).await?,
        };
        let mut refused = None;
        let mut tried = false;
        for address in addresses {
            if let Err(reason) = address::check(address, *allow_private) {
                refused = Some(reason);
                continue;
            }
            tried = true;
            let socket = TcpStream::connect(SocketAddr::new(address, base.port));
            if let Ok(Ok(stream)) = timeout(PER_ADDRESS, socket).await
                && tune(&stream).is_ok()
            {
                return Ok(stream);
            }
        }
        match refused {
            Some(reason) if !tried => Err(Fault::AddressRefused(reason)),
            _ => Err(Fault::Connect),
        }
    }
}

/// No waiting for company before a small write; and a peer that vanished is found out.
fn tune(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let keep_alive =
        TcpKeepalive::new().with_time(Duration::from_secs(60)).with_interval(Duration::from_secs(15));
    SockRef::from(stream).set_tcp_keepalive(&keep_alive)
}

impl Service<ConnectInfo<Uri>> for Road {
    type Response = Connection<Uri, Guard<Wire>>;
    type Error = ConnectError;
    type Future = LocalBoxFuture<'static, Result<Self::Response, Self::Error>>;

    actix_service::always_ready!();

    fn call(&self, asked: ConnectInfo<Uri>) -> Self::Future {
        let road = self.clone();
        Box::pin(async move {
            // The uri is only awc's key to its pool; where to go is not a matter of the request (C-07).
            let guard = road.connect().await.map_err(|fault| ConnectError::Io(fault.into()))?;
            Ok(Connection::new(asked.request().clone(), guard))
        })
    }
}

/// What the guard sits on.
pub(super) enum Wire {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plain(_) => "Wire::Plain",
            Self::Tls(_) => "Wire::Tls",
        })
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut task::Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> task::Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut task::Context<'_>,
        buf: &[u8],
    ) -> task::Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> task::Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> task::Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
