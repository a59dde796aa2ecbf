//! Following the request log: looks whenever the server tells of a request that has ended, and tells each row once.
//! Who may not hear of everything, or finds no place among those who listen, looks again and again instead.
//!
//! Rows are listed by the time a request began and come when it has ended, so a new row may stand below those
//! that were told already. Each look therefore reads on until a page brings nothing new.

use std::{collections::HashSet, time::Duration};

use futures_util::StreamExt as _;
use protocol::sse::Framer;
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::time::{sleep, timeout};

use super::{
    desk::{Desk, with_query},
    exit::{Done, Exit, Failure},
    output::page,
    progress::spinner,
    request::COLUMNS,
};
use crate::upstream::Body;

/// How long nothing is heard before a look that nobody asked for.
const LOOK_ANYWAY: Duration = Duration::from_secs(10);
/// Rows of one look, at first.
const PAGE: usize = 200;
/// Ids that are remembered. Those that fall out are the oldest, which no look reaches any more.
const REMEMBERED: usize = 100_000;

#[derive(Deserialize)]
struct Named {
    id: String,
}

/// Tells every row that comes from now on, up to `limit`.
pub(super) async fn follow(
    desk: &Desk,
    query: &[(&'static str, String)],
    limit: Option<usize>,
    interval: Duration,
) -> Done {
    let mut seen = Seen::default();
    // What is there already was there before.
    seen.look(desk, query, 1).await?;
    let (mut told, mut first, mut bell) = (0, true, Bell::new(desk));
    let bar = spinner(&desk.out, "waiting for requests");
    loop {
        let mut new = seen.look(desk, query, usize::MAX).await?;
        new.reverse();
        if let Some(limit) = limit {
            new.truncate(limit - told);
        }
        told += new.len();
        if first || !new.is_empty() {
            bar.suspend(|| desk.out.follow(&new, COLUMNS, "/id", first))?;
            first = false;
        }
        if limit.is_some_and(|limit| told >= limit) {
            bar.finish_and_clear();
            return Ok(());
        }
        bell.rings(interval).await;
    }
}

/// Rings when there may be something new.
struct Bell<'d> {
    desk: &'d Desk,
    hears: Hears,
}

enum Hears {
    /// Nothing yet, or not any more.
    Nothing,
    /// What happens.
    Events(Box<(Body, Framer)>),
    /// Nothing, and that is how it stays.
    Deaf,
}

impl<'d> Bell<'d> {
    const fn new(desk: &'d Desk) -> Self {
        Self { desk, hears: Hears::Nothing }
    }

    /// Waits for news, and at least so long.
    async fn rings(&mut self, pause: Duration) {
        sleep(pause).await;
        if matches!(self.hears, Hears::Nothing) {
            self.hears = match self.desk.client.open("/events?topics=requests").await {
                Ok(incoming) => Hears::Events(Box::new((incoming.body, Framer::new()))),
                Err(failure) if failure.exit() == Exit::Forbidden => Hears::Deaf,
                Err(_) => Hears::Nothing,
            };
        }
        if let Hears::Events(events) = &mut self.hears {
            let (body, framer) = &mut **events;
            // Once in a while all the same: a row may come later than the word of it.
            let heard = timeout(LOOK_ANYWAY, news(body, framer)).await;
            if heard == Ok(false) {
                self.hears = Hears::Nothing;
            }
        }
    }
}

/// Waits for an event; what is the case at the beginning is one, since a request may have ended before. False at
/// the end.
async fn news(body: &mut Body, framer: &mut Framer) -> bool {
    while let Some(Ok(piece)) = body.next().await {
        let mut heard = false;
        framer.push(&piece, |_| heard = true);
        if heard {
            return true;
        }
    }
    false
}

/// What was told already.
#[derive(Default)]
struct Seen(HashSet<String>);

impl Seen {
    /// Rows that were not there before, newest first. Reads at most so many pages.
    async fn look(
        &mut self,
        desk: &Desk,
        query: &[(&'static str, String)],
        most_pages: usize,
    ) -> Result<Vec<Box<RawValue>>, Failure> {
        let mut new = Vec::new();
        let mut cursor: Option<String> = None;
        for _ in 0..most_pages {
            let mut query = query.to_vec();
            query.push(("limit", PAGE.to_string()));
            query.extend(cursor.map(|cursor| ("cursor", cursor)));
            let reply = desk.client.get(&with_query("/requests", &query)).await?;
            let found = page(&reply.body)?;
            let before = new.len();
            for item in found.items {
                let named: Named = serde_json::from_str(item.get())
                    .map_err(|_| Failure::new(Exit::No, "the answer is not a list of requests"))?;
                if self.0.insert(named.id) {
                    new.push(item);
                }
            }
            cursor = found.next_cursor;
            let known_before = self.0.len() > new.len();
            if cursor.is_none() || new.len() == before || !known_before {
                break;
            }
        }
        self.forget();
        Ok(new)
    }

    /// Ids are made of the time a request began: the smallest is the oldest.
    fn forget(&mut self) {
        if self.0.len() > REMEMBERED {
            let mut ids: Vec<String> = self.0.drain().collect();
            ids.sort_unstable();
            self.0 = ids.split_off(ids.len() - REMEMBERED / 2).into_iter().collect();
        }
    }
}
