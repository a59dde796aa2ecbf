//! A concurrency limit under siege: many callers, some of whom leave.

use std::{
    num::NonZeroUsize,
    time::{Duration, Instant},
};

use actors::ledger::limits::Limits;
use futures_util::future::join_all;
use pointsman::{config::server::Placement, store::NewProvider};
use tokio::time::{sleep, timeout};

use crate::{
    caller::{Ask, Caller},
    counting,
    figures::Ms,
    rig::{self, Rig},
    turn,
};

const LIMIT: u32 = 3;
const CALLERS: usize = 100;
const SIEGE: Duration = Duration::from_secs(3);
/// How long the upstream takes for an answer.
const PAUSE: Duration = Duration::from_millis(50);
/// How long the impatient wait: never until there is an answer, though until there is a refusal.
const PATIENCE: Duration = Duration::from_millis(40);

#[derive(Debug, Default, Clone, Copy)]
struct Tally {
    answered: usize,
    refused: usize,
    left: usize,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn i12_the_upstream_itself_never_sees_more_than_the_limit() {
    let _turn = turn().await;
    for (placement, workers) in [(Placement::Beside, 1), (Placement::Own, 4)] {
        println!("limit {LIMIT}, {CALLERS} callers, {workers} workers: {}", siege(placement, workers).await);
    }
}

/// So many callers against one limit, with the state actors there. Says what was measured.
async fn siege(placement: Placement, workers: usize) -> String {
    let (address, counts) = counting::start(PAUSE).await;
    let limited = NewProvider {
        limits: Limits { concurrency: Some(LIMIT), ..Limits::default() },
        ..rig::provider("limited", format!("http://{address}"))
    };
    let rig = Rig::serve(vec![limited], |config| {
        config.server.placement = placement;
        config.server.workers = NonZeroUsize::new(workers);
    })
    .await;
    let until = Instant::now() + SIEGE;
    let tallies = join_all((0..CALLERS).map(|number| besiege(&rig, number, until))).await;
    let quiet = rig.quiet().await;
    let all = tallies.iter().fold(Tally::default(), |sum, one| Tally {
        answered: sum.answered + one.answered,
        refused: sum.refused + one.refused,
        left: sum.left + one.left,
    });
    let (served, abandoned) = counts.ended();
    let peak = counts.peak();
    assert!(all.answered > 0 && all.refused > 0 && abandoned > 0, "no siege: {all:?}, {abandoned} abandoned");
    assert!(peak <= LIMIT as usize, "the upstream saw {peak} at once");
    assert_eq!(peak, LIMIT as usize, "the limit was made use of");
    assert_eq!(counts.open(), 0, "the upstream has nothing left");
    format!(
        "at most {peak} at once at the upstream; {} answered, {} refused with 429, {} left ({served} served, \
         {abandoned} abandoned there); gauges zero {} after",
        all.answered,
        all.refused,
        all.left,
        Ms(quiet)
    )
}

/// Asks again and again; every third caller leaves before its answer can come.
async fn besiege(rig: &Rig, number: usize, until: Instant) -> Tally {
    let mut tally = Tally::default();
    let mut caller = Caller::connect(rig.address()).await.unwrap();
    let ask = Ask::plain(&rig.key, "m", "let me in");
    let patience = if number.is_multiple_of(3) { PATIENCE } else { Duration::from_secs(10) };
    while Instant::now() < until {
        match timeout(patience, caller.ask(&ask)).await {
            Ok(answer) => match answer.unwrap().status {
                200 => tally.answered += 1,
                429 => {
                    tally.refused += 1;
                    sleep(PAUSE * 2).await;
                }
                status => panic!("an unexpected {status}"),
            },
            Err(_) => {
                tally.left += 1;
                caller = Caller::connect(rig.address()).await.unwrap();
            }
        }
    }
    tally
}
