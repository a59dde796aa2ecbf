//! The measuring rig: upstream, bare relay, load and report as one program. `scripts/bench` drives it.
//!
//! It knows the gateway only by its HTTP surface. One program rather than five: one is linked once.

#![allow(clippy::print_stdout, reason = "a command-line tool: its output is its product")]
#![allow(clippy::disallowed_methods, reason = "what measures reads clocks")]
#![allow(clippy::cast_precision_loss, reason = "figures for people, far below 2^52")]

mod clock;
mod events;
mod figures;
mod goals;
mod load;
mod process;
mod record;
mod relay;
mod report;
mod scenario;
mod seed;
#[cfg(test)]
mod tests;
mod upstream;
mod wire;

use std::{
    fs,
    future::Future,
    io::{BufRead as _, BufReader},
    net::TcpListener,
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use clap::{Args, Parser, Subcommand};

use crate::{load::Order, record::Record, scenario::Scenario, wire::Wire};

#[derive(Parser)]
#[command(about = "The measuring rig; see scripts/bench")]
struct Rig {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the bench upstream on a free port and print its address
    Upstream,
    /// Serve the bare relay to that upstream on a free port and print its address
    Relay { upstream: String },
    /// Print a free port of the loopback interface
    Port,
    /// Wait until GET <path> answers 200 and print how many milliseconds that took
    Wait { address: String, path: String, seconds: u64 },
    /// Set a fresh gateway up and print an API key
    Seed { address: String, admin_token: String, upstream: String },
    /// Print the names of the scenarios
    Scenarios,
    /// Run one scenario against one target once and print the record
    Load(Load),
    /// Print the records in a file as Markdown tables; fails when answers were wrong
    Report { records: PathBuf },
}

#[derive(Args)]
struct Load {
    /// Which load
    #[arg(long)]
    scenario: String,
    /// What to call the target in the report
    #[arg(long)]
    target: String,
    /// Host and port of the target
    #[arg(long)]
    address: String,
    /// Host and port of the bench upstream
    #[arg(long)]
    upstream: String,
    /// The API key to present
    #[arg(long, default_value = "sk-none")]
    key: String,
    /// A process under test; may be repeated
    #[arg(long = "pid")]
    pids: Vec<u32>,
    /// How long to count
    #[arg(long)]
    milliseconds: u64,
    /// Which round this is
    #[arg(long, default_value_t = 1)]
    round: u32,
}

fn main() -> Result<()> {
    match Rig::parse().command {
        Command::Upstream => {
            let listener = free_port()?;
            println!("{}", listener.local_addr()?);
            listener.set_nonblocking(true)?;
            on_one_thread(async { Ok(upstream::serve(tokio::net::TcpListener::from_std(listener)?).await?) })
        }
        Command::Relay { upstream } => {
            let listener = free_port()?;
            println!("{}", listener.local_addr()?);
            Ok(actix_web::rt::System::new().block_on(relay::serve(listener, format!("http://{upstream}")))?)
        }
        Command::Port => {
            println!("{}", free_port()?.local_addr()?.port());
            Ok(())
        }
        Command::Wait { address, path, seconds } => {
            on_one_thread(wait(&address, &path, Duration::from_secs(seconds)))
        }
        Command::Seed { address, admin_token, upstream } => on_one_thread(async {
            println!("{}", seed::gateway(&address, &admin_token, &upstream).await?);
            Ok(())
        }),
        Command::Scenarios => {
            scenario::ALL.iter().for_each(|scenario| println!("{}", scenario.name));
            Ok(())
        }
        Command::Load(load) => on_one_thread(async {
            println!("{}", serde_json::to_string(&load::run(&load.order()?).await?)?);
            Ok(())
        }),
        Command::Report { records } => {
            let lines = BufReader::new(fs::File::open(&records).context("cannot read the records")?).lines();
            let records: Vec<Record> =
                lines.map(|line| Ok(serde_json::from_str(&line?)?)).collect::<Result<_>>()?;
            print!("{}", report::markdown(&records));
            let wrong: u64 = records.iter().map(|record| record.failed).sum();
            ensure!(wrong == 0, "{wrong} answers were wrong: these figures do not count");
            Ok(())
        }
    }
}

impl Load {
    fn order(self) -> Result<Order> {
        Ok(Order {
            scenario: Scenario::named(&self.scenario).context("no scenario of that name")?,
            target: self.target,
            round: self.round,
            duration: Duration::from_millis(self.milliseconds),
            address: self.address,
            key: self.key,
            pids: self.pids,
            upstream: self.upstream,
        })
    }
}

fn free_port() -> Result<TcpListener> {
    TcpListener::bind("127.0.0.1:0").context("cannot bind a loopback port")
}

fn on_one_thread<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    tokio::task::LocalSet::new().block_on(&runtime, work)
}

async fn wait(address: &str, path: &str, limit: Duration) -> Result<()> {
    let began = Instant::now();
    while began.elapsed() < limit {
        if answers(address, path).await.unwrap_or(false) {
            println!("{}", began.elapsed().as_millis());
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    bail!("{address}{path} did not answer within {} s", limit.as_secs())
}

async fn answers(address: &str, path: &str) -> Result<bool> {
    let mut wire = Wire::new(tokio::net::TcpStream::connect(address).await?)?;
    wire.send(format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n").as_bytes())
        .await?;
    Ok(wire.head().await?.is_some_and(|head| head.status == 200))
}
