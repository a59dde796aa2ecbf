//! Names to addresses, within two seconds, with the last good answer as a crutch.
//!
//! Every new connection asks anew; a cached answer is used only when asking fails, so a moved
//! upstream is followed at once and a resolver's short outage is not ours.

use std::{cell::RefCell, collections::HashMap, fmt, io, net::IpAddr, sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use tokio::time::{Instant, timeout};

use super::fault::Fault;

/// Longest wait for a name.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long an old answer may stand in for a failed one.
const STALE: Duration = Duration::from_secs(60);

/// Where addresses come from.
pub trait Lookup: fmt::Debug + Send + Sync {
    /// All addresses of a host.
    fn lookup<'a>(&'a self, host: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>>;
}

/// The system's own resolver.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemLookup;

impl Lookup for SystemLookup {
    fn lookup<'a>(&'a self, host: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        Box::pin(async move {
            let found = tokio::net::lookup_host((host, 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    }
}

/// A lookup with a memory, one per worker.
#[derive(Debug)]
pub(super) struct Resolver {
    lookup: Arc<dyn Lookup>,
    good: RefCell<HashMap<String, (Instant, Vec<IpAddr>)>>,
}

impl Resolver {
    pub(super) fn new(lookup: Arc<dyn Lookup>) -> Self {
        Self { lookup, good: RefCell::default() }
    }

    /// The addresses of `host`, at least one.
    pub(super) async fn resolve(&self, host: &str) -> Result<Vec<IpAddr>, Fault> {
        let found = timeout(PATIENCE, self.lookup.lookup(host)).await;
        let now = Instant::now();
        let mut good = self.good.borrow_mut();
        good.retain(|_, (since, _)| now.duration_since(*since) <= STALE);
        match found {
            Ok(Ok(addresses)) if !addresses.is_empty() => {
                good.insert(host.to_owned(), (now, addresses.clone()));
                Ok(addresses)
            }
            _ => good.get(host).map(|(_, addresses)| addresses.clone()).ok_or(Fault::Resolve),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        future::pending,
        io,
        net::{IpAddr, Ipv4Addr},
        sync::{Arc, Mutex},
        time::Duration,
    };

    use futures_util::future::BoxFuture;
    use tokio::time::{Instant, advance};

    use super::{Fault, Lookup, Resolver};

    #[derive(Debug, Clone, Copy)]
    enum Next {
        Answer(u8),
        Fail,
        Hang,
    }

    #[derive(Debug)]
    struct Scripted(Mutex<Next>);

    impl Scripted {
        fn set(&self, next: Next) {
            *self.0.lock().unwrap() = next;
        }
    }

    impl Lookup for Scripted {
        fn lookup<'a>(&'a self, _: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
            let next = *self.0.lock().unwrap();
            Box::pin(async move {
                match next {
                    Next::Answer(last) => Ok(vec![address(last)]),
                    Next::Fail => Err(io::ErrorKind::NotFound.into()),
                    Next::Hang => pending().await,
                }
            })
        }
    }

    fn address(last: u8) -> IpAddr {
        Ipv4Addr::new(8, 8, 8, last).into()
    }

    #[tokio::test(start_paused = true)]
    async fn an_old_answer_stands_in_for_a_failed_one_for_a_minute() {
        let script = Arc::new(Scripted(Mutex::new(Next::Answer(1))));
        let resolver = Resolver::new(script.clone());
        assert_eq!(resolver.resolve("a.example").await, Ok(vec![address(1)]));
        script.set(Next::Answer(2));
        assert_eq!(
            resolver.resolve("a.example").await,
            Ok(vec![address(2)]),
            "a good answer is always fresh"
        );
        script.set(Next::Fail);
        advance(Duration::from_secs(60)).await;
        assert_eq!(resolver.resolve("a.example").await, Ok(vec![address(2)]));
        assert_eq!(resolver.resolve("b.example").await, Err(Fault::Resolve));
        advance(Duration::from_secs(1)).await;
        assert_eq!(resolver.resolve("a.example").await, Err(Fault::Resolve));
    }

    #[tokio::test(start_paused = true)]
    async fn a_hanging_resolver_is_given_two_seconds() {
        let resolver = Resolver::new(Arc::new(Scripted(Mutex::new(Next::Hang))));
        let start = Instant::now();
        assert_eq!(resolver.resolve("a.example").await, Err(Fault::Resolve));
        assert_eq!(start.elapsed(), Duration::from_secs(2));
    }
}
