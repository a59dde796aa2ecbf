//! Sudden death under load, with the upstream's own log as the truth (I-39): each request of which anything
//! reached the upstream has exactly one row, and nothing that did not is billed.
//!
//! `POINTSMAN_CHAOS_KILLS=100` dies a hundred times instead of ten.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use actors::{
    money::{Money, Pico},
    pricing::{Price, Rates},
};
use chrono::{TimeDelta, Utc};
use futures_util::future::join_all;
use pointsman::{
    demo::upstream::{self, Running},
    journal::{
        fault,
        record::{Ending, Record, Settlement},
    },
    store::PriceSource,
};
use tokio::time::sleep;

use crate::{
    caller::{Ask, Caller},
    figures::{Ms, Times},
    process::{Premises, Process},
    rig, rows,
    truth::Truth,
    turn,
};

const CALLERS: usize = 16;
/// How long one life may last in which a fault point ought to be passed.
const DIES_WITHIN: Duration = Duration::from_secs(60);

/// Callers who go on asking, each request with a number of its own, whatever becomes of the gateway.
struct Crowd {
    last: AtomicU32,
    stop: AtomicBool,
}

impl Crowd {
    fn new() -> Arc<Self> {
        Arc::new(Self { last: AtomicU32::new(0), stop: AtomicBool::new(false) })
    }

    fn next(&self) -> Option<u32> {
        (!self.stop.load(SeqCst)).then(|| self.last.fetch_add(1, SeqCst) + 1)
    }

    /// Asks until told to stop or until nobody answers any more.
    async fn ask(self: Arc<Self>, process: std::net::SocketAddr, key: String) {
        let Ok(mut caller) = Caller::connect(process).await else { return };
        while let Some(number) = self.next() {
            let asked = async {
                caller.raw(&request(number, &key)).await?;
                caller.answer().await
            };
            if asked.await.is_err() {
                return;
            }
        }
    }

    /// Sends this crowd against a process.
    fn gather(self: &Arc<Self>, process: &Process, key: &str) -> Vec<tokio::task::JoinHandle<()>> {
        self.stop.store(false, SeqCst);
        (0..CALLERS).map(|_| tokio::spawn(Arc::clone(self).ask(process.address, key.to_owned()))).collect()
    }
}

/// Every third is a stream. The number stands in the prompt, where the upstream keeps it, and in the model's
/// name, where the row does.
fn request(number: u32, key: &str) -> String {
    let stream = number.is_multiple_of(3);
    let pace = if stream { "[[events 4]] [[slow 10ms]]" } else { "" };
    let body = serde_json::json!({
        "model": format!("n{number}"), "max_tokens": 100, "stream": stream,
        "messages": [{"role": "user", "content": format!("n{number} {pace}")}],
    });
    let body = body.to_string();
    format!(
        "POST /v1/messages HTTP/1.1\r\nhost: gateway\r\nx-api-key: {key}\r\nanthropic-version: 2023-06-01\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

impl Truth {
    /// Compares rows with what was seen; says how many there are of each settlement.
    fn check(&self, rows: &[Record]) -> BTreeMap<&'static str, usize> {
        let mut by_number: BTreeMap<&str, Vec<&Record>> = BTreeMap::new();
        for row in rows {
            by_number.entry(row.model.as_deref().unwrap_or("")).or_default().push(row);
        }
        let doubled: Vec<_> = by_number.iter().filter(|(_, rows)| rows.len() > 1).collect();
        assert!(doubled.is_empty(), "doubled: {doubled:?}");
        let missing: Vec<_> =
            self.reached.iter().filter(|number| !by_number.contains_key(number.as_str())).collect();
        assert!(missing.is_empty(), "missing: {missing:?}");
        // There is no price here, so that what would be billed is called unpriced.
        let billed = |row: &Record| !matches!(row.settlement, Settlement::Free | Settlement::Disputed);
        let phantoms: Vec<_> = by_number
            .iter()
            .filter(|(number, rows)| billed(rows[0]) && !self.reached.contains(**number))
            .collect();
        assert!(phantoms.is_empty(), "phantoms: {phantoms:?}");
        let incomplete = rows.iter().filter(|row| row.ending == Ending::Incomplete);
        assert!(incomplete.into_iter().all(|row| !row.attempts.is_empty()), "an intent is an attempt");
        let mut settlements = BTreeMap::new();
        for row in rows {
            *settlements.entry(row.settlement.name()).or_default() += 1;
        }
        settlements
    }
}

async fn premises(upstream: &Running) -> Premises {
    Premises::with(vec![rig::provider("only", upstream.base_url())]).await
}

/// The last life: everything is posted, it ends in order, and all is compared.
async fn look_back(premises: &Premises, upstream: &Running, truth: &mut Truth) -> (usize, String) {
    let mut process = premises.start("last", "info", &[]).await;
    process.terminate();
    let (status, _) = process.end(Duration::from_secs(20)).await;
    assert!(status.success(), "{status} {}", process.stderr());
    truth.read_on(upstream);
    let store = premises.store();
    let rows = rows::all(&store).await;
    let settlements = truth.check(&rows);
    assert_eq!(store.drift().await.unwrap(), [], "I-04");
    let left = premises.files().into_iter().filter(|path| path.extension().is_some_and(|e| e == "journal"));
    assert_eq!(left.count(), 0, "an orderly end leaves nothing to replay");
    (rows.len(), format!("{settlements:?}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i39_killed_at_any_instant_no_request_is_missing_doubled_or_made_up() {
    let _turn = turn().await;
    let kills = std::env::var("POINTSMAN_CHAOS_KILLS").map_or(10_u32, |kills| kills.parse().unwrap());
    let upstream = upstream::start(0).unwrap();
    let premises = premises(&upstream).await;
    let (crowd, mut truth, mut starts) = (Crowd::new(), Truth::default(), Vec::new());
    for life in 0..kills {
        let start = Instant::now();
        let mut process = premises.start(&format!("life-{life}"), "info", &[]).await;
        starts.push(start.elapsed());
        let asking = crowd.gather(&process, &premises.key);
        // No two lives end at the same point of their work.
        sleep(Duration::from_micros(30_000 + u64::from(life) * 7_919 % 250_000)).await;
        process.kill();
        crowd.stop.store(true, SeqCst);
        join_all(asking).await;
        truth.read_on(&upstream);
    }
    let (rows, settlements) = look_back(&premises, &upstream, &mut truth).await;
    assert!(truth.reached.len() > kills as usize, "there was no load to speak of");
    println!(
        "kill -9: {kills} times; {} requests reached the upstream, {rows} rows: 0 missing, 0 doubled, 0 phantom; \
         {settlements}; start until ready {}",
        truth.reached.len(),
        Times::of(starts)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i39_the_same_at_each_named_point() {
    let _turn = turn().await;
    let upstream = upstream::start(0).unwrap();
    let premises = premises(&upstream).await;
    let (crowd, mut truth) = (Crowd::new(), Truth::default());
    let began = Instant::now();
    for point in fault::POINTS {
        // The tenth time for what each request passes. What a group or a file passes is rarer, and the first
        // time belongs to what the life before has left.
        let rare = point.contains("commit") || point.contains("segment");
        let die_at = format!("{point}:{}", if rare { 2 } else { 10 });
        let environment = [("POINTSMAN_DIE_AT", die_at.as_str())];
        let mut process = premises.start(point, "info", &environment).await;
        let asking = crowd.gather(&process, &premises.key);
        if point == "before-segment-delete" {
            // Only when all is quiet is a file given up before it is full.
            until_a_megabyte_is_written(&premises, &upstream, &mut truth).await;
            crowd.stop.store(true, SeqCst);
        }
        let (status, _) = process.end(DIES_WITHIN).await;
        assert!(!status.success(), "{point}: it ended in order");
        crowd.stop.store(true, SeqCst);
        join_all(asking).await;
        truth.read_on(&upstream);
    }
    let (rows, settlements) = look_back(&premises, &upstream, &mut truth).await;
    println!(
        "died at {} points in {}: {} requests reached the upstream, {rows} rows: 0 missing, 0 doubled, 0 phantom; \
         {settlements}",
        fault::POINTS.len(),
        Ms(began.elapsed()),
        truth.reached.len()
    );
}

async fn until_a_megabyte_is_written(premises: &Premises, upstream: &Running, truth: &mut Truth) {
    let began = Instant::now();
    let largest = || {
        let journals =
            premises.files().into_iter().filter(|path| path.extension().is_some_and(|e| e == "journal"));
        journals.filter_map(|path| path.metadata().ok()).map(|meta| meta.len()).max().unwrap_or(0)
    };
    while largest() < 1_200_000 {
        assert!(began.elapsed() < DIES_WITHIN, "{} bytes", largest());
        truth.read_on(upstream);
        sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i39_of_a_stream_that_had_begun_the_best_estimate_is_posted() {
    let _turn = turn().await;
    let upstream = upstream::start(0).unwrap();
    let premises = premises(&upstream).await;
    let dollar = Money::one();
    let price = Price::from(Rates::completed(dollar.clone(), dollar, None, None, None));
    premises
        .store()
        .put_prices(PriceSource::Manual, Utc::now() - TimeDelta::minutes(1), vec![("m".to_owned(), price)])
        .await
        .unwrap();
    let mut process = premises.start("struck", "info", &[]).await;
    let mut caller = Caller::connect(process.address).await.unwrap();
    caller.send(&Ask::stream(&premises.key, "m", "go on and on [[slow 100ms]]")).await.unwrap();
    caller.wait_for(b"content_block_delta").await.unwrap();
    process.kill();
    let mut process = premises.start("after", "info", &[]).await;
    process.terminate();
    process.end(Duration::from_secs(20)).await;
    let rows = rows::all(&premises.store()).await;
    let [row] = rows.as_slice() else { panic!("one row: {rows:?}") };
    assert_eq!((row.ending, row.settlement), (Ending::Incomplete, Settlement::Estimated));
    let usage = row.metering.usage();
    assert!(usage.input_tokens > 0 && row.cost.is_some_and(|cost| cost > Pico::ZERO), "{row:?}");
    assert!(row.reserved.is_some_and(|reserved| reserved > Pico::ZERO), "{row:?}");
}
