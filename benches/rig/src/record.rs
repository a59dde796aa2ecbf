//! One measurement as a line of JSON: what the load writes and the report reads.

use serde::{Deserialize, Serialize};

/// What one round of one load at one target gave.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) scenario: String,
    pub(crate) target: String,
    pub(crate) round: u32,
    pub(crate) seconds: f64,
    /// Answers that ended within the window.
    pub(crate) requests: u64,
    /// Deltas that arrived within the window.
    pub(crate) events: u64,
    /// Answers that were not as they should be, warm-up included.
    pub(crate) failed: u64,
    pub(crate) first_failure: Option<String>,
    /// Connections the load opened; as many as the scenario has when all were kept alive.
    pub(crate) connections: u64,
    /// Connections that reached the upstream meanwhile.
    pub(crate) upstream_connections: u64,
    /// Request written to answer read.
    pub(crate) whole_us: Spread,
    /// Request written to first delta read.
    pub(crate) first_event_us: Spread,
    /// Delta written by the upstream to delta read by the load.
    pub(crate) delay_us: Spread,
    /// CPU time of the processes under test within the window.
    pub(crate) cpu_seconds: Option<f64>,
    /// Resident memory at the end of the window.
    pub(crate) rss_kib: u64,
    /// The most resident memory within the window.
    pub(crate) peak_kib: u64,
}

/// The middle and the tail of a sample, in microseconds.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(crate) struct Spread {
    pub(crate) p50: f64,
    pub(crate) p90: f64,
    pub(crate) p99: f64,
}

impl Spread {
    /// The spread of times given in nanoseconds; zeros when there are none.
    pub(crate) fn of(nanos: &mut [u64]) -> Self {
        nanos.sort_unstable();
        let at = |share: f64| match nanos.len() {
            0 => 0.0,
            length => nanos[((length - 1) as f64 * share).round() as usize] as f64 / 1_000.0,
        };
        Self { p50: at(0.50), p90: at(0.90), p99: at(0.99) }
    }
}
