//! Hours of ordinary days in one go: streams and plain requests, one answer in a hundred cut by the upstream,
//! one caller in a hundred leaving early. At the end three logs are held against each other: what the callers
//! saw, what the upstream received, and the rows.
//!
//! `POINTSMAN_SOAK_SECONDS=1800` goes on for half an hour instead of four seconds, `POINTSMAN_SOAK_RATE=200`
//! asks so often a second.

use std::{
    collections::{BTreeMap, HashMap},
    fs,
    net::SocketAddr,
    str::FromStr,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::SeqCst},
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
    journal::record::{Ending, Record, Settlement},
    store::PriceSource,
};
use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::{
    caller::Caller,
    process::{Premises, Process},
    rig, rows,
    truth::Truth,
    turn,
};

const CALLERS: u32 = 64;
/// How often the upstream's log is read: it remembers a thousand entries.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// What a whole answer consumes: 1,000 tokens in and 50 out.
const USAGE: &str = "[[usage input=1000 output=50]]";
/// What that costs at a dollar for a million.
const COST: Pico = Pico(1_050_000_000);

/// How a request goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Course {
    Plain,
    Stream,
    /// The upstream breaks off in the middle.
    Cut,
    /// The caller leaves in the middle.
    Leave,
}

impl Course {
    fn of(number: u32) -> Self {
        match number % 100 {
            37 => Self::Cut,
            74 => Self::Leave,
            rest if rest.is_multiple_of(3) => Self::Stream,
            _ => Self::Plain,
        }
    }

    fn directives(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Stream => "[[events 6]] [[slow 50ms]]",
            Self::Cut => "[[events 6]] [[slow 20ms]] [[cut 5]]",
            Self::Leave => "[[events 40]] [[slow 50ms]]",
        }
    }

    /// The endings that a row of such a request may have. A caller may leave just as the last word comes.
    fn fits(self, ending: Ending) -> bool {
        match self {
            Self::Plain | Self::Stream => ending == Ending::Complete,
            Self::Cut => ending == Ending::Cut,
            Self::Leave => ending == Ending::CallerLeft,
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i04_i05_i28_after_a_long_run_three_logs_agree_and_nothing_is_left() {
    let _turn = turn().await;
    let (length, rate) =
        (Duration::from_secs(told("POINTSMAN_SOAK_SECONDS", 4)), told("POINTSMAN_SOAK_RATE", 100));
    let upstream = upstream::start(0).unwrap();
    let premises = Premises::with(vec![rig::provider("only", upstream.base_url())]).await;
    let dollar = Money::one();
    let price = Price::from(Rates::completed(dollar.clone(), dollar, None, None, None));
    let since = Utc::now() - TimeDelta::minutes(1);
    premises.store().put_prices(PriceSource::Manual, since, vec![("m".to_owned(), price)]).await.unwrap();
    let mut process = premises.start("soak", "info", &[]).await;
    let token = process.stdout().trim().rsplit(' ').next().unwrap_or_default().to_owned();

    let last = Arc::new(AtomicU32::new(0));
    let until = Instant::now() + length;
    let asking = (0..CALLERS).map(|_| {
        let (last, key) = (Arc::clone(&last), premises.key.clone());
        tokio::spawn(ask(process.address, key, last, until, rate))
    });
    let watching = tokio::spawn(watch(process.pid(), until));
    let (mut truth, asking) = (Truth::default(), tokio::spawn(join_all(asking)));
    while !asking.is_finished() {
        truth.read_on(&upstream);
        sleep(LOOK_EVERY).await;
    }
    let seen: HashMap<u32, bool> = asking.await.unwrap().into_iter().flat_map(Result::unwrap).collect();
    let memory = watching.await.unwrap();
    truth.read_on(&upstream);
    nothing_is_left(&process, &upstream, &token).await;
    process.terminate();
    let (status, _) = process.end(Duration::from_secs(60)).await;
    assert!(status.success(), "{status} {}", process.stderr());

    let store = premises.store();
    let rows = rows::all(&store).await;
    let endings = compare(&seen, &truth, &rows);
    assert_eq!(store.drift().await.unwrap(), [], "I-04");
    println!(
        "soak of {} s: {} requests, {} reached the upstream, {} rows: 0 missing, 0 doubled, 0 phantom; {endings:?}; \
         drift empty, no reservation open; {memory}",
        length.as_secs(),
        seen.len(),
        truth.reached.len(),
        rows.len(),
    );
}

/// A number that was given from outside, or the usual one.
fn told<T: FromStr>(variable: &str, usual: T) -> T {
    std::env::var(variable).ok().map_or(usual, |text| {
        text.parse().ok().unwrap_or_else(|| panic!("{variable} must be a whole number"))
    })
}

/// One caller's day; says of each request whether a whole answer came.
async fn ask(
    gateway: SocketAddr,
    key: String,
    last: Arc<AtomicU32>,
    until: Instant,
    rate: u32,
) -> Vec<(u32, bool)> {
    let mut ticks = interval(Duration::from_secs(1) * CALLERS / rate);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut seen, mut caller) = (Vec::new(), None);
    while Instant::now() < until {
        ticks.tick().await;
        let number = last.fetch_add(1, SeqCst) + 1;
        let mut line = match caller.take() {
            Some(line) => line,
            None => Caller::connect(gateway).await.unwrap(),
        };
        line.raw(&request(number, &key)).await.unwrap();
        if Course::of(number) == Course::Leave {
            line.wait_for(format!("n{number}:2 ").as_bytes()).await.unwrap();
            line.leave_rudely().unwrap();
            seen.push((number, false));
            continue;
        }
        match line.answer().await {
            Ok(answer) => {
                seen.push((number, answer.status == 200));
                caller = Some(line);
            }
            Err(_) => seen.push((number, false)),
        }
    }
    seen
}

/// The number stands in the prompt, where the upstream keeps it, and in the user agent, where the row does.
fn request(number: u32, key: &str) -> String {
    let course = Course::of(number);
    let body = serde_json::json!({
        "model": "m", "max_tokens": 100, "stream": course != Course::Plain,
        "messages": [{"role": "user", "content": format!("n{number} {USAGE} {}", course.directives())}],
    });
    let body = body.to_string();
    format!(
        "POST /v1/messages HTTP/1.1\r\nhost: gateway\r\nx-api-key: {key}\r\nuser-agent: n{number}\r\n\
         anthropic-version: 2023-06-01\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// Holds the three logs against each other; says how many rows there are of each course.
fn compare(seen: &HashMap<u32, bool>, truth: &Truth, rows: &[Record]) -> BTreeMap<Course, usize> {
    let number_of = |row: &Record| row.user_agent.as_ref()?.strip_prefix('n')?.parse::<u32>().ok();
    let mut by_number = BTreeMap::new();
    let mut courses = BTreeMap::new();
    for row in rows {
        let number = number_of(row).expect("every row has its number");
        assert!(by_number.insert(number, row).is_none(), "doubled: {row:?}");
        let course = Course::of(number);
        assert!(course.fits(row.ending), "n{number} was to be {course:?}: {row:?}");
        assert!(truth.reached.contains(&format!("n{number}")), "a phantom: {row:?}");
        let whole = matches!(course, Course::Plain | Course::Stream);
        assert_eq!(seen.get(&number), Some(&whole), "what its caller saw: {row:?}");
        if whole {
            assert_eq!((row.settlement, row.cost), (Settlement::Exact, Some(COST)), "{row:?}");
        } else {
            assert!(row.cost.is_some_and(|cost| cost > Pico::ZERO), "{row:?}");
        }
        *courses.entry(course).or_default() += 1;
    }
    let missing: Vec<_> = seen.keys().filter(|number| !by_number.contains_key(number)).collect();
    assert!(missing.is_empty(), "missing: {missing:?}");
    assert_eq!(truth.reached.len(), by_number.len(), "what reached the upstream is what was recorded");
    courses
}

/// Nobody holds anything any more (I-05, I-10).
async fn nothing_is_left(process: &Process, upstream: &Running, token: &str) {
    let began = Instant::now();
    loop {
        let mut caller = Caller::connect(process.address).await.unwrap();
        let ask = format!(
            "GET /api/v1/ledger/reservations?state=open HTTP/1.1\r\nhost: gateway\r\n\
             authorization: Bearer {token}\r\n\r\n"
        );
        caller.raw(&ask).await.unwrap();
        let answer = caller.answer().await.unwrap();
        assert_eq!(answer.status, 200, "{answer:?}");
        if answer.body.contains("\"items\":[]") && upstream.open() == 0 {
            return;
        }
        assert!(began.elapsed() < Duration::from_secs(10), "still held: {}", answer.body);
        sleep(Duration::from_millis(50)).await;
    }
}

/// How memory went, in the last two thirds of the time.
async fn watch(pid: u32, until: Instant) -> String {
    let (began, mut samples) = (Instant::now(), Vec::new());
    while Instant::now() < until {
        samples.push((began.elapsed().as_secs_f64() / 60.0, resident_mib(pid)));
        sleep(Duration::from_millis(500)).await;
    }
    let late = &samples[samples.len() / 3..];
    let files = fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count();
    let most = samples.iter().map(|(_, mib)| *mib).fold(0.0, f64::max);
    format!("{most:.1} MiB at most, {:+.2} MiB a minute, {files} files open at its end", slope(late))
}

fn resident_mib(pid: u32) -> f64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() / 1024.0
}

/// Of the straight line nearest to these points.
fn slope(points: &[(f64, f64)]) -> f64 {
    let count = points.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
    let (x, y) = (mean(|point| point.0), mean(|point| point.1));
    let (mut rise, mut run) = (0.0, 0.0);
    for (a, b) in points {
        rise += (a - x) * (b - y);
        run += (a - x) * (a - x);
    }
    rise / run
}
