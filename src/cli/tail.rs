//! Following the request log: looks again and again, and tells each row once.
//!
//! Rows are listed by the time a request began and come when it has ended, so a new row may stand below those
//! that were told already. Each look therefore reads on until a page brings nothing new.

use std::{collections::HashSet, time::Duration};

use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::time::sleep;

use super::{
    desk::{Desk, with_query},
    exit::{Done, Exit, Failure},
    output::page,
    progress::spinner,
    request::COLUMNS,
};

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
    let (mut told, mut first) = (0, true);
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
        sleep(interval).await;
    }
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
