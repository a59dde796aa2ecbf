//! The desk: where intents, progress and finals are taken in, from every thread, under one short lock.
//!
//! A frame is made ready before the lock is taken; under it are one write and a few counters. The same lock
//! orders the queue, so that the order of finals in the journal, of records in the queue and of their numbers
//! is one.
//!
//! When the disk is full, what runs goes on: its records stay in memory, no new work is admitted, and the
//! [`syncer`](super::syncer) tries again.

use std::{
    cell::RefCell,
    fs::{DirBuilder, File},
    io,
    os::unix::fs::DirBuilderExt as _,
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
};

use actors::ids::RequestId;
use tokio::sync::{Notify, watch};

use super::{
    fault,
    frame::{self, Kind},
    intent::{Intent, Progress},
    queue::{Entry, Queue},
    record::Record,
    replay,
    segments::{Place, Segments, delete},
    settings::{self, JournalError, JournalSettings, NoRoom, Sync},
    syncer::Syncer,
};

/// Takes frames and records. `Q` is a question for the writer.
pub(super) struct Desk<Q> {
    tray: Mutex<Tray<Q>>,
    pub(super) settings: JournalSettings,
    pub(super) directory: PathBuf,
    /// Wakes the writer: the queue is not empty any more, or there is a question in it.
    pub(super) arrived: Notify,
    pub(super) hurry: Notify,
    /// Something was written since the last sync.
    pub(super) dirty: AtomicBool,
    syncer: Syncer,
    /// How many frames outlast a power cut.
    pub(super) synced: watch::Sender<u64>,
    /// Records in the queue or in the writer's hands.
    pub(super) backlog: AtomicUsize,
    has_room: AtomicBool,
    bytes: AtomicU64,
    pub(super) damaged: u64,
    /// Held as long as this exists.
    _lock: File,
}

pub(super) struct Tray<Q> {
    pub(super) segments: Segments,
    pub(super) queue: Queue<Q>,
    /// Records that were taken in.
    pub(super) last: u64,
    /// Frames that were written.
    pub(super) frames: u64,
    /// Nobody takes anything out any more.
    pub(super) abandoned: bool,
    /// Nobody puts anything in any more.
    pub(super) closed: bool,
}

thread_local! {
    /// Where a frame is made ready.
    static FRAME: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

impl<Q: Send + 'static> Desk<Q> {
    /// Opens the journal: what an earlier process left in it is first in the queue. Says how much that is.
    pub(super) fn open(settings: JournalSettings) -> Result<(Arc<Self>, usize), JournalError> {
        let directory = settings.data_dir.join(settings::FOLDER);
        let files = |cause| JournalError::Files { directory: directory.clone(), cause };
        DirBuilder::new().recursive(true).mode(0o700).create(&directory).map_err(files)?;
        let lock = settings::lock(&directory)?;
        let left = replay::look(&directory).map_err(files)?;
        let segments = Segments::follow(&directory, left.segments, settings.max_bytes).map_err(files)?;
        let replayed = left.finals.map_or(0, |stretch| stretch.finals) + left.incomplete.len();
        let mut queue = Queue::default();
        left.finals.into_iter().for_each(|stretch| queue.push_stretch(stretch));
        let (last, frames, abandoned, closed) = (0, 0, false, false);
        let (has_room, bytes) = (segments.has_room().into(), segments.bytes().into());
        let desk = Arc::new_cyclic(|desk| Self {
            tray: Mutex::new(Tray { segments, queue, last, frames, abandoned, closed }),
            arrived: Notify::new(),
            hurry: Notify::new(),
            dirty: AtomicBool::new(false),
            syncer: Syncer::start(std::sync::Weak::clone(desk)),
            synced: watch::Sender::new(0),
            backlog: AtomicUsize::new(left.finals.map_or(0, |stretch| stretch.finals)),
            has_room,
            bytes,
            damaged: left.damaged,
            settings,
            directory: directory.clone(),
            _lock: lock,
        });
        for record in left.incomplete {
            desk.take_in(record, |_| 0);
        }
        Ok((desk, replayed))
    }

    pub(super) fn tray(&self) -> MutexGuard<'_, Tray<Q>> {
        // Whoever panicked in here did so before or after a write, not within: what is in it is sound.
        self.tray.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether new work may be admitted.
    pub(super) fn has_room(&self) -> bool {
        self.has_room.load(Ordering::Relaxed)
    }

    /// Bytes in the journal's files.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Writes an intent. With [`Sync::Always`] it outlasts a power cut when this returns.
    pub(super) async fn intent(&self, intent: &Intent) -> Result<(), NoRoom> {
        fault::point("before-intent");
        if !self.has_room() {
            return Err(NoRoom);
        }
        let request = intent.request;
        let written = self.write(Kind::Intent, intent, |segments, frame| segments.intent(request, frame));
        let number = written.map_err(|error| {
            log::error!(request:% = request; "journal: request {request} can't be begun: {error}");
            NoRoom
        })?;
        fault::point("after-intent");
        if self.settings.sync == Sync::Always {
            // The sender is ours: it can't be gone.
            let _ = self.synced.subscribe().wait_for(|synced| *synced >= number).await;
        }
        Ok(())
    }

    /// Writes how far an answer has come. That this may fail costs no more than a worse estimate.
    pub(super) fn progress(&self, progress: &Progress) {
        let request = progress.request;
        let written =
            self.write(Kind::Progress, progress, |segments, frame| segments.progress(request, frame));
        if let Err(error) = written {
            log::debug!(request:% = request; "journal: no progress of {request}: {error}");
        }
    }

    /// Writes a frame; says how many there are then.
    fn write(
        &self,
        kind: Kind,
        value: &impl serde::Serialize,
        write: impl FnOnce(&mut Segments, &[u8]) -> io::Result<()>,
    ) -> io::Result<u64> {
        FRAME.with_borrow_mut(|buffer| {
            frame::encode(kind, value, buffer)?;
            let mut tray = self.tray();
            let written = write(&mut tray.segments, buffer);
            tray.frames += u64::from(written.is_ok());
            let number = tray.frames;
            self.look_at(&tray.segments);
            drop(tray);
            self.touched();
            written.map(|()| number)
        })
    }

    /// Takes a record: writes its final and puts it into the queue. Its number is its place there.
    pub(super) fn enter(&self, record: Record) -> u64 {
        fault::point("before-final");
        let number = self.take_in(record, |last| last + 1);
        fault::point("after-final");
        number
    }

    fn take_in(&self, record: Record, number: impl FnOnce(u64) -> u64) -> u64 {
        let number = FRAME.with_borrow_mut(|buffer| {
            let ready = frame::encode(Kind::Final, &record, buffer);
            let mut tray = self.tray();
            let place = match ready {
                // What waits for the disk goes first.
                Ok(()) if tray.segments.trouble().is_none() => tray.finish(record.id, buffer),
                _ => None,
            };
            let number = number(tray.last);
            tray.last = number;
            let idle = tray.queue.is_empty();
            if !tray.abandoned {
                self.backlog.fetch_add(1, Ordering::Relaxed);
                tray.queue.push(record, number, place);
            }
            self.look_at(&tray.segments);
            drop(tray);
            if idle {
                self.arrived.notify_one();
            }
            number
        });
        self.touched();
        number
    }

    /// Puts a question into the queue, or gives it back when nobody is there to answer.
    pub(super) fn ask(&self, question: Q) -> Result<(), Q> {
        let mut tray = self.tray();
        if tray.abandoned {
            return Err(question);
        }
        tray.queue.ask(question);
        drop(tray);
        self.arrived.notify_one();
        self.hurry.notify_one();
        Ok(())
    }

    /// Takes the first of the queue, if `wanted` says so.
    pub(super) fn take_if(&self, wanted: impl FnOnce(&Entry<Q>) -> bool) -> Option<Entry<Q>> {
        self.tray().queue.take_if(wanted)
    }

    /// Everything that was taken out so far is in the database or set aside: `last` is where that ends, and
    /// these were never written here. Deletes the files that this frees.
    pub(super) fn posted(&self, last: Option<Place>, unwritten: &[RequestId]) {
        let mut tray = self.tray();
        last.into_iter().for_each(|place| tray.segments.posted(place));
        unwritten.iter().for_each(|request| tray.segments.forget(*request));
        let unneeded = tray.segments.take_unneeded();
        self.look_at(&tray.segments);
        drop(tray);
        for path in unneeded {
            fault::point("before-segment-delete");
            delete(&path);
        }
    }

    /// Tries to write what could not be written, in its order.
    pub(super) fn try_again(&self) {
        let mut tray = self.tray();
        if tray.segments.trouble().is_none() {
            return;
        }
        if let Err(error) = tray.write_unwritten() {
            log::debug!("journal: still can't be written: {error}");
        } else {
            log::info!("journal: can be written again");
        }
        self.look_at(&tray.segments);
    }

    /// Whether the last write failed.
    pub(super) fn is_in_trouble(&self) -> bool {
        self.tray().segments.trouble().is_some()
    }

    fn look_at(&self, segments: &Segments) {
        self.has_room.store(segments.has_room(), Ordering::Relaxed);
        self.bytes.store(segments.bytes(), Ordering::Relaxed);
    }

    fn touched(&self) {
        if !self.dirty.swap(true, Ordering::AcqRel) {
            self.syncer.wake();
        }
    }
}

impl<Q> Tray<Q> {
    fn finish(&mut self, request: RequestId, frame: &[u8]) -> Option<Place> {
        match self.segments.finish(request, frame) {
            Ok(place) => {
                self.frames += 1;
                Some(place)
            }
            Err(error) => {
                log::error!(
                    request:% = request;
                    "journal: can't be written, no new work is admitted and records wait in memory: {error}"
                );
                None
            }
        }
    }

    fn write_unwritten(&mut self) -> io::Result<()> {
        self.segments.probe()?;
        let mut frame = Vec::new();
        for entered in self.queue.unwritten() {
            // One that can't be a frame stays in memory until it is posted.
            if frame::encode(Kind::Final, &entered.record, &mut frame).is_ok() {
                entered.place = Some(self.segments.finish(entered.record.id, &frame)?);
                self.frames += 1;
            }
        }
        Ok(())
    }
}
