//! Exports of the request log: files that are written beside everything else, fetched, and gone after a day.
//!
//! ```text
//! admin --order--> Clerk (an actor: who may, whose turn, how far)
//!   '--filter--> Copying (on a thread of low priority) --Turn, Went, Ended--> Clerk
//!                   '--pages--> store        '--rows--> file
//! ```

mod columns;
mod copying;
mod csv_file;
mod files;
mod lines;
mod paper;
mod xlsx_file;

use std::{fs::File, io, time::Duration};

use actix::{Arbiter, ArbiterHandle};
use actors::{
    exports::{
        Clerk,
        messages::{Expire, List, Remove, Show, Take},
        shelf::{Export, Full, Order},
    },
    ids::ExportId,
    supervisor::{Mailbox, Undelivered},
};
use tokio::time::interval;

pub use self::files::Files;
use self::{copying::Copying, lines::Lines};
use crate::store::{RequestFilter, Store};

/// How often those are looked for whose time is over.
const SWEEP_EVERY: Duration = Duration::from_secs(60);

/// Takes orders, and has them written. Clones are the same.
#[derive(Clone)]
pub struct Exports {
    clerk: Mailbox<Clerk>,
    store: Store,
    files: Files,
    thread: ArbiterHandle,
}

impl Exports {
    /// Has exports written on that thread.
    #[must_use]
    pub fn new(clerk: Mailbox<Clerk>, store: Store, files: Files, thread: ArbiterHandle) -> Self {
        let exports = Self { clerk, store, files, thread };
        let sweeping = exports.clone();
        exports.thread.spawn(async move {
            let mut ticks = interval(SWEEP_EVERY);
            loop {
                ticks.tick().await;
                sweeping.sweep().await;
            }
        });
        exports
    }

    /// Takes an order. It is written when its turn comes.
    ///
    /// # Errors
    /// When the clerk is overloaded, or there are enough already.
    pub async fn order(
        &self,
        order: Order,
        filter: RequestFilter,
    ) -> Result<Result<Export, Full>, Undelivered> {
        let export = match self.clerk.ask(Take(order)).await? {
            Ok(export) => export,
            Err(full) => return Ok(Err(full)),
        };
        let copying = Copying {
            id: export.id,
            format: export.order.format,
            lines: Lines::new(self.store.clone(), filter, export.order.of_everyone),
            files: self.files.clone(),
            clerk: self.clerk.clone(),
        };
        self.thread.spawn_fn(|| drop(actix::spawn(copying.run())));
        Ok(Ok(export))
    }

    /// One of them.
    ///
    /// # Errors
    /// When the clerk is overloaded.
    pub async fn get(&self, id: ExportId) -> Result<Option<Export>, Undelivered> {
        self.clerk.ask(Show(id)).await
    }

    /// All of them, the latest first.
    ///
    /// # Errors
    /// When the clerk is overloaded.
    pub async fn all(&self) -> Result<Vec<Export>, Undelivered> {
        self.clerk.ask(List).await
    }

    /// The file of one that is done. Who has it open reads it to its end, also when it is removed meanwhile.
    ///
    /// # Errors
    /// When it can't be opened.
    pub fn file(&self, export: &Export) -> io::Result<File> {
        File::open(self.files.path(export.id, export.order.format))
    }

    /// Cancels it if it has not ended, removes it if it has.
    ///
    /// # Errors
    /// When the clerk is overloaded.
    pub async fn remove(&self, export: &Export) -> Result<bool, Undelivered> {
        let removed = self.clerk.ask(Remove(export.id)).await?;
        self.files.remove(export.id, export.order.format);
        Ok(removed)
    }

    /// Removes those whose time is over.
    async fn sweep(&self) {
        // A clerk that does not answer is asked again.
        for over in self.clerk.ask(Expire).await.unwrap_or_default() {
            self.files.remove(over.id, over.order.format);
        }
    }
}

/// A thread that the system lets run when nobody else wants to.
#[must_use]
pub fn quiet_thread() -> ArbiterHandle {
    let thread = Arbiter::new().handle();
    thread.spawn_fn(|| {
        // Linux counts this for a thread, and for those that it starts; elsewhere it would slow down us all.
        #[cfg(target_os = "linux")]
        if let Err(error) = rustix::process::setpriority_process(None, 19) {
            log::warn!("exports run with the priority of everyone: {error}");
        }
    });
    thread
}
