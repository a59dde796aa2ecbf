//! What ends a command from outside: an interrupt, a terminal that goes away, a supervisor that has waited long
//! enough. Who has something to tidy up waits for it; everybody else is ended by the system.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals, from now on ours.
pub(super) struct Stop {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Stop {
    pub(super) fn listen() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Waits for the next one.
    pub(super) async fn asked(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hangup.recv() => {}
        }
    }
}
