//! What a house remembers: rows, and what must be true when all is quiet.

use std::{collections::HashSet, time::Duration};

use actors::ids::RequestId;
use pointsman::{
    journal::record::Record,
    store::{RequestFilter, StoreError},
};
use tokio::time::{Instant, timeout_at};

use super::{Heard, TestHouse};

/// How soon everything is given back and written down (I-10).
const QUIET_WITHIN: Duration = Duration::from_secs(2);
/// The same on a machine that others keep busy.
const PATIENCE: Duration = QUIET_WITHIN.saturating_mul(5);

impl TestHouse {
    /// The row of an answered request. That it has no other, `close` looks at.
    pub(crate) async fn row(&self, heard: &Heard) -> Record {
        let id = heard.header("x-pointsman-request-id").expect("every answer names its request");
        let id = RequestId(id.parse().expect("an id"));
        let until = Instant::now() + PATIENCE;
        loop {
            let flushed = timeout_at(until, self.recorder.flush()).await;
            flushed.unwrap_or_else(|_| panic!("request {id} has no row"));
            match self.store.request(id).await {
                Ok(row) => return row,
                // The caller saw the end a moment before the house did.
                Err(StoreError::NotFound { .. }) if Instant::now() < until => {}
                Err(error) => panic!("request {id}: {error}"),
            }
        }
    }

    /// The rows of all requests so far, newest first, once all of them have ended.
    pub(crate) async fn rows(&self) -> Vec<Record> {
        let asked = self.asked.get();
        let until = Instant::now() + PATIENCE;
        while self.recorder.snapshot().committed < asked {
            assert!(Instant::now() < until, "of {asked} requests, {:?} have rows", self.recorder.snapshot());
            let flushed = timeout_at(until, self.recorder.flush()).await;
            flushed.expect("the database takes rows");
        }
        let mut rows = Vec::new();
        let mut next = None;
        loop {
            let page = self.store.requests(RequestFilter::default(), next, 500).await;
            let page = page.expect("the database answers");
            rows.extend(page.items);
            next = page.next;
            if next.is_none() {
                return rows;
            }
        }
    }

    /// Waits until all is quiet, and looks at everything that should then be so.
    pub(super) async fn check_rest(&self) {
        let rows = self.rows().await;
        let different: HashSet<_> = rows.iter().map(|row| row.id).collect();
        let asked = self.asked.get();
        assert_eq!((rows.len(), different.len()), (asked, asked), "one row per request (I-28)");
        assert_eq!(self.recorder.snapshot().set_aside, 0, "no row is set aside");
        let until = Instant::now() + PATIENCE;
        loop {
            let actors = self.gateway.actors().await;
            for actor in &actors {
                let (kind, name, panic) = (actor.kind, &actor.name, &actor.last_panic);
                let state = serde_json::to_value(actor.state).expect("a name");
                assert_eq!(state, "running", "{kind} {name}");
                assert!(panic.is_none(), "{kind} {name}: {panic:?}");
            }
            let in_flight = |detail: &serde_json::Value| detail["in_flight"].as_u64().unwrap_or_default();
            let busy: Vec<_> = actors
                .iter()
                .filter(|actor| actor.detail.as_ref().is_some_and(|d| in_flight(d) > 0))
                .collect();
            if busy.is_empty() {
                return;
            }
            assert!(Instant::now() < until, "permits are still out (I-10): {busy:#?}");
        }
    }
}
