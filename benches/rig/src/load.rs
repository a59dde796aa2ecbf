//! The load: so many connections, each with one request at a time, for so long.
//!
//! Every answer is checked (status, length, number of events, end mark): a figure over answers that were
//! not right would be worth nothing, so failures are part of the record.

use std::{
    cell::RefCell,
    io,
    rc::Rc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use tokio::{
    net::TcpStream,
    task::JoinSet,
    time::{sleep, timeout},
};

use crate::{
    events::Events,
    process,
    record::{Record, Spread},
    scenario::{Answer, Scenario},
    upstream::plain_body,
    wire::Wire,
};

/// How long answers that are under way at the end may take to finish.
const LAST_ANSWERS: Duration = Duration::from_secs(5);

/// One measurement as it was ordered.
pub(crate) struct Order {
    pub(crate) scenario: &'static Scenario,
    pub(crate) target: String,
    pub(crate) round: u32,
    pub(crate) duration: Duration,
    /// Host and port to send to.
    pub(crate) address: String,
    pub(crate) key: String,
    /// The processes whose CPU and memory are read; none for the upstream itself.
    pub(crate) pids: Vec<u32>,
    /// Host and port of the bench upstream, asked how many connections reached it.
    pub(crate) upstream: String,
}

/// What the connections have seen.
#[derive(Default)]
struct Tally {
    counting: bool,
    over: bool,
    requests: u64,
    events: u64,
    failed: u64,
    first_failure: Option<String>,
    connections: u64,
    whole: Vec<u64>,
    first_event: Vec<u64>,
    delay: Vec<u64>,
}

impl Tally {
    fn fail(&mut self, problem: &anyhow::Error) {
        self.failed += 1;
        self.first_failure.get_or_insert_with(|| format!("{problem:#}"));
    }
}

/// Runs one measurement.
pub(crate) async fn run(order: &Order) -> Result<Record> {
    let tally = Rc::new(RefCell::new(Tally::default()));
    let upstream_before = upstream_connections(&order.upstream).await?;

    let mut tasks = JoinSet::new();
    for number in 0..order.scenario.connections {
        let request = order.scenario.request(&order.address, &order.key, number);
        let start_after = order.scenario.stagger() * u32::try_from(number)?;
        let (address, answer, tally) = (order.address.clone(), order.scenario.answer, Rc::clone(&tally));
        tasks.spawn_local(async move {
            sleep(start_after).await;
            keep_busy(&address, &request, answer, &tally).await;
        });
    }

    sleep(order.scenario.warm_up).await;
    for &pid in &order.pids {
        process::reset_peak(pid).with_context(|| format!("cannot reset the peak memory of {pid}"))?;
    }
    let cpu_before = cpu(&order.pids)?;
    let began = Instant::now();
    tally.borrow_mut().counting = true;
    sleep(order.duration).await;
    tally.borrow_mut().counting = false;
    let seconds = began.elapsed().as_secs_f64();
    let cpu_seconds = cpu(&order.pids)? - cpu_before;
    let (rss_kib, peak_kib) = memory(&order.pids)?;

    tally.borrow_mut().over = true;
    if !matches!(order.scenario.answer, Answer::Endless { .. }) {
        let all = async { while tasks.join_next().await.is_some() {} };
        timeout(LAST_ANSWERS, all).await.context("the last answers did not end")?;
    }
    tasks.shutdown().await;

    let upstream_connections = upstream_connections(&order.upstream).await? - upstream_before;
    let mut tally = tally.borrow_mut();
    Ok(Record {
        scenario: order.scenario.name.to_owned(),
        target: order.target.clone(),
        round: order.round,
        seconds,
        requests: tally.requests,
        events: tally.events,
        failed: tally.failed,
        first_failure: tally.first_failure.take(),
        connections: tally.connections,
        upstream_connections,
        whole_us: Spread::of(&mut tally.whole),
        first_event_us: Spread::of(&mut tally.first_event),
        delay_us: Spread::of(&mut tally.delay),
        cpu_seconds: (!order.pids.is_empty()).then_some(cpu_seconds),
        rss_kib,
        peak_kib,
    })
}

async fn keep_busy(address: &str, request: &[u8], answer: Answer, tally: &RefCell<Tally>) {
    let plain_length = plain_body().len() as u64;
    let mut wire = None;
    while !tally.borrow().over {
        match exchange(&mut wire, address, request, answer, plain_length, tally).await {
            Ok(()) => (),
            Err(problem) => {
                wire = None;
                tally.borrow_mut().fail(&problem);
                // A target that is down must not be hammered at full speed.
                sleep(Duration::from_millis(20)).await;
            }
        }
    }
}

async fn exchange(
    wire: &mut Option<Wire>,
    address: &str,
    request: &[u8],
    answer: Answer,
    plain_length: u64,
    tally: &RefCell<Tally>,
) -> Result<()> {
    let wire = match wire {
        Some(wire) => wire,
        None => {
            tally.borrow_mut().connections += 1;
            wire.insert(Wire::new(TcpStream::connect(address).await.context("cannot connect")?)?)
        }
    };
    let began = Instant::now();
    wire.send(request).await?;
    let head = wire.head().await?.context("closed without an answer")?;
    if head.status != 200 {
        let mut text = Vec::new();
        wire.body(head.framing, |bytes| text.extend_from_slice(bytes)).await?;
        bail!("status {}: {:.300}", head.status, String::from_utf8_lossy(&text));
    }
    match answer {
        Answer::Plain => {
            let length = wire.body(head.framing, |_| ()).await?;
            ensure!(length == plain_length, "{length} bytes of {plain_length}");
        }
        Answer::Stream { .. } | Answer::Endless { .. } => {
            let mut events = Events::default();
            let mut first = true;
            wire.body(head.framing, |bytes| {
                events.push(bytes, |delay_us| {
                    let mut tally = tally.borrow_mut();
                    let is_first = std::mem::take(&mut first);
                    if !tally.counting {
                        return;
                    }
                    if is_first {
                        tally.first_event.push(nanos(began.elapsed()));
                    }
                    tally.events += 1;
                    tally.delay.push(delay_us * 1_000);
                });
            })
            .await?;
            ensure!(events.ended, "no end mark");
            if let Answer::Stream { events: asked, .. } = answer {
                ensure!(events.deltas == asked, "{} events of {asked}", events.deltas);
            }
        }
    }
    let mut tally = tally.borrow_mut();
    if tally.counting {
        tally.requests += 1;
        tally.whole.push(nanos(began.elapsed()));
    }
    Ok(())
}

async fn upstream_connections(address: &str) -> Result<u64> {
    let mut wire = Wire::new(TcpStream::connect(address).await.context("the bench upstream is not there")?)?;
    wire.send(format!("GET /stats HTTP/1.1\r\nhost: {address}\r\n\r\n").as_bytes()).await?;
    let head = wire.head().await?.context("no statistics")?;
    let mut body = Vec::new();
    wire.body(head.framing, |bytes| body.extend_from_slice(bytes)).await?;
    let stats: serde_json::Value = serde_json::from_slice(&body)?;
    stats["connections"].as_u64().context("statistics without connections")
}

fn cpu(pids: &[u32]) -> io::Result<f64> {
    pids.iter().map(|&pid| process::cpu_seconds(pid)).sum()
}

fn memory(pids: &[u32]) -> io::Result<(u64, u64)> {
    pids.iter().try_fold((0, 0), |(rss, peak), &pid| {
        process::memory_kib(pid).map(|(more_rss, more_peak)| (rss + more_rss, peak + more_peak))
    })
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
