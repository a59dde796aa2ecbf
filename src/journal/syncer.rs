//! The thread that makes what was written outlast a power cut, and that tries again when the disk was full.
//!
//! It sleeps until something was written, syncs, and rests for a moment, so that many frames share one sync.

use std::{
    sync::{Weak, atomic::Ordering},
    thread::{self, JoinHandle, Thread},
    time::Duration,
};

use super::{desk::Desk, settings::Sync};

/// How long to wait before a full disk is tried again, and between syncs that nobody waits for.
const REST: Duration = Duration::from_millis(50);

/// The thread; it ends with its desk.
pub(super) struct Syncer {
    thread: Thread,
    _handle: JoinHandle<()>,
}

impl Syncer {
    /// Starts the thread of a desk that is being built.
    pub(super) fn start<Q: Send + 'static>(desk: Weak<Desk<Q>>) -> Self {
        // It finds nothing to upgrade until the desk stands, and is woken by the first frame.
        let work = move || {
            thread::park();
            while let Some(desk) = desk.upgrade() {
                let rest = desk.tend();
                drop(desk);
                match rest {
                    Some(rest) => thread::sleep(rest),
                    None => thread::park(),
                }
            }
        };
        let handle = thread::Builder::new().name("journal".into()).spawn(work);
        let handle = handle.expect("a process that can't start a thread can't serve either");
        Self { thread: handle.thread().clone(), _handle: handle }
    }

    /// Something was written.
    pub(super) fn wake(&self) {
        self.thread.unpark();
    }
}

impl Drop for Syncer {
    fn drop(&mut self) {
        self.thread.unpark();
    }
}

impl<Q: Send + 'static> Desk<Q> {
    /// Does what there is to do; says how long to rest, none until something happens.
    fn tend(&self) -> Option<Duration> {
        let written = self.dirty.swap(false, Ordering::AcqRel);
        if self.is_in_trouble() {
            self.try_again();
        }
        if written && self.settings.sync != Sync::Off {
            self.sync();
        }
        match self.settings.sync {
            _ if self.is_in_trouble() => Some(REST),
            _ if !written => None,
            Sync::Off => Some(REST),
            Sync::Every(period) => Some(period),
            Sync::Always => Some(Duration::ZERO),
        }
    }

    fn sync(&self) {
        let (files, frames) = {
            let mut tray = self.tray();
            (tray.segments.take_unsynced(), tray.frames)
        };
        for file in files {
            if let Err(error) = file.sync_data() {
                // What this leaves in doubt only a power cut would show. The process itself has lost nothing.
                log::error!("journal: cannot be synced: {error}");
            }
        }
        self.synced.send_replace(frames);
    }
}
