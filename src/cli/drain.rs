//! `drain`: lets a server on this machine end what runs, and waits for its end.

use std::{
    io,
    time::{Duration, Instant},
};

use clap::Args;
use rustix::{
    io::Errno,
    process::{Pid, Signal, kill_process, test_kill_process},
};
use tokio::time::sleep;

use super::{
    exit::{Done, Exit, Failure},
    output::Output,
    process_args::SettingsArgs,
    progress::spinner,
    remote::Remote,
};
use crate::{boot::pid_file, config};

/// What a server needs after its last request, at most.
const AFTERWARDS: Duration = Duration::from_secs(20);
const AGAIN_AFTER: Duration = Duration::from_millis(50);

/// Stop the server on this machine gracefully, as SIGTERM does, and wait until it has ended.
#[derive(Debug, Args)]
pub(super) struct Drain {
    /// Its process; otherwise the one that runs with the data directory.
    #[arg(long)]
    pid: Option<i32>,
    /// How long to wait; otherwise as long as its requests may take to end.
    #[arg(long, value_name = "SECONDS")]
    wait: Option<u64>,
    /// Break off what runs: the second signal.
    #[arg(long)]
    now: bool,
    #[command(flatten)]
    settings: SettingsArgs,
}

impl Drain {
    pub(super) async fn run(self, remote: &Remote) -> Done {
        let out = Output::new(remote);
        let (found, longest) = self.target()?;
        let pid = Pid::from_raw(found).ok_or_else(|| Failure::usage("--pid: there is no process 0"))?;
        let longest = self.wait.map_or(longest, Duration::from_secs);
        tell(pid)?;
        if self.now {
            // Apart, so that the first is not lost in the second.
            sleep(Duration::from_millis(200)).await;
            // It may have ended meanwhile.
            let _ = kill_process(pid, Signal::TERM);
        }
        let bar = spinner(&out, &format!("process {found} is draining"));
        let start = Instant::now();
        while test_kill_process(pid) != Err(Errno::SRCH) && !is_dead(found) {
            if start.elapsed() > longest {
                bar.finish_and_clear();
                let text = format!(
                    "process {found} still runs after {} s; --now breaks off its requests",
                    longest.as_secs()
                );
                return Err(Failure::new(Exit::Unwell, text));
            }
            sleep(AGAIN_AFTER).await;
        }
        bar.finish_and_clear();
        out.note(&format!("process {found} has ended"));
        Ok(())
    }

    /// Whom to tell, and how long its requests may take.
    fn target(&self) -> Result<(i32, Duration), Failure> {
        let config = config::load(&self.settings.clone().into());
        if let Some(pid) = self.pid {
            let longest = config.map_or(Duration::from_secs(600), |config| config.server.drain_timeout);
            return Ok((pid, longest + AFTERWARDS));
        }
        let config = config.map_err(|error| Failure::new(Exit::No, format!("configuration: {error}")))?;
        let home = config.data_dir.display();
        let running = pid_file::running(&config.data_dir)
            .map_err(|error| Failure::new(Exit::No, format!("{home}: {error}")))?;
        let pid = running.and_then(|pid| i32::try_from(pid).ok()).ok_or_else(|| {
            Failure::new(
                Exit::NotFound,
                format!("no server runs with the data directory {home}; is --data-dir right?"),
            )
        })?;
        Ok((pid, config.server.drain_timeout + AFTERWARDS))
    }
}

fn tell(pid: Pid) -> Done {
    kill_process(pid, Signal::TERM).map_err(|error| {
        let exit = match error {
            Errno::SRCH => Exit::NotFound,
            Errno::PERM => Exit::Forbidden,
            _ => Exit::No,
        };
        Failure::new(exit, format!("process {}: {}", pid.as_raw_nonzero(), io::Error::from(error)))
    })
}

/// Whether it has ended and only waits for its parent to notice.
fn is_dead(pid: i32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The state stands behind the name, which is in parentheses and may hold anything.
    status.rsplit_once(')').is_some_and(|(_, rest)| rest.trim_start().starts_with(['Z', 'X']))
}
