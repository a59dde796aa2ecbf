//! Closing down: told by a signal or from within, what runs ends by itself or is broken off.

use std::{
    io,
    sync::{Arc, Weak},
    time::Duration,
};

use actix::System;
use actix_web::dev::ServerHandle;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::Semaphore,
    time::{sleep, timeout},
};

use crate::{drain::Drain, proxy::Proxy};

/// How long what runs may take to be broken off once its time is over: an error event has to leave.
pub(super) const BREAK_OFF_WITHIN: Duration = Duration::from_secs(5);

/// Stops a house that serves. Clones stop the same one.
#[derive(Debug, Clone)]
pub struct Stopper {
    /// One permit for each time it was told: none is lost while nobody waits for it.
    told: Arc<Semaphore>,
}

impl Stopper {
    pub(super) fn new() -> Self {
        Self { told: Arc::new(Semaphore::new(0)) }
    }

    /// Lets running requests end; told a second time, stops at once.
    pub fn stop(&self) {
        self.told.add_permits(1);
    }

    async fn told(&self) {
        // Nobody closes it.
        if let Ok(permit) = self.told.acquire().await {
            permit.forget();
        }
    }
}

/// Waits until no request is being handled: one that was broken off ends, and is recorded, as its thread ends.
pub(super) async fn last_one_out(proxy: &Weak<Proxy>) {
    while proxy.strong_count() > 0 {
        sleep(Duration::from_millis(2)).await;
    }
}

/// Waits for SIGTERM or SIGINT, then drains; a second one ends the draining.
pub(super) async fn stop_when_told(
    stopper: Stopper,
    handle: ServerHandle,
    drain: Drain,
    limit: Duration,
) -> io::Result<()> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let mut told = async || {
        tokio::select! { _ = terminate.recv() => (), _ = interrupt.recv() => (), () = stopper.told() => () }
    };
    told().await;
    drain.begin();
    log::info!(
        "stopping: running requests may take up to {} s to end; signal again to stop at once",
        limit.as_secs()
    );
    // Once it stops gracefully the server hears of nothing else: who runs must be told by ourselves.
    actix_web::rt::spawn(handle.stop(true));
    if timeout(limit, told()).await.is_ok() {
        log::warn!("stopping at once");
    }
    drain.finish();
    sleep(BREAK_OFF_WITHIN).await;
    // The server takes no other order until it has carried out the first; the threads of its workers do.
    System::current().stop();
    Ok(())
}
