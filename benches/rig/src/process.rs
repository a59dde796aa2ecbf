//! What a process has cost, read from `/proc`.

use std::{fs, io};

/// Clock ticks per second in `/proc`: fixed at 100 on every architecture we run on.
const TICKS_PER_SECOND: f64 = 100.0;

/// The CPU time of a process and all its threads so far, in seconds.
pub(crate) fn cpu_seconds(pid: u32) -> io::Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name stands in parentheses and may itself hold blanks and parentheses.
    let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let tick =
        |index: usize| fields.split_whitespace().nth(index).and_then(|field| field.parse::<f64>().ok());
    match (tick(11), tick(12)) {
        (Some(user), Some(system)) => Ok((user + system) / TICKS_PER_SECOND),
        _ => Err(io::Error::new(io::ErrorKind::InvalidData, format!("/proc/{pid}/stat is not as expected"))),
    }
}

/// Resident memory of a process: now, and at its highest since the last reset.
pub(crate) fn memory_kib(pid: u32) -> io::Result<(u64, u64)> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_whitespace().next()?.parse().ok()
    };
    Ok((field("VmRSS:").unwrap_or(0), field("VmHWM:").unwrap_or(0)))
}

/// Lets the highest resident memory count from now on.
pub(crate) fn reset_peak(pid: u32) -> io::Result<()> {
    fs::write(format!("/proc/{pid}/clear_refs"), "5")
}
