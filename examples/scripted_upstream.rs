//! The scripted upstream on its own, for tests with real clients and for the benchmark.
//!
//! `cargo run --example scripted_upstream -- --port 9000` prints its base URL and serves until it is ended.

use std::io::{self, Write};

use clap::Parser;
use pointsman::demo::upstream::{Options, start_with};

/// A model vendor that does as it is told.
#[derive(Parser)]
struct Arguments {
    /// The loopback port; 0 takes a free one.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Threads that answer.
    #[arg(long, default_value_t = 1)]
    workers: usize,
    /// Forget requests at once, for benchmarks.
    #[arg(long)]
    forgetful: bool,
    /// The only credential it accepts; any or none without it.
    #[arg(long)]
    credential: Option<String>,
}

fn main() -> io::Result<()> {
    let Arguments { port, workers, forgetful, credential } = Arguments::parse();
    let upstream = start_with(Options { port, workers, record: !forgetful, credential })?;
    writeln!(io::stdout(), "{}", upstream.base_url())?;
    upstream.wait()
}
