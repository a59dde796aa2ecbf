//! The clerk of exports: the actor that takes orders for files, says whose turn it is to be written, and knows
//! how far each is. It writes nothing: whoever does waits for a [`Pass`] and tells it.

pub mod messages;
pub mod shelf;

use std::{collections::HashMap, sync::Arc};

use actix::{Actor, Context, Handler, Supervised};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use tokio::sync::oneshot;

use self::{
    messages::{Ended, Expire, List, Remove, Show, Take, Turn, Went},
    shelf::{Export, Full, Halt, Shelf, Stage, Terms, Written},
};
use crate::{
    clock::Clock,
    fault,
    ids::ExportId,
    supervisor::{
        Guarded, Mailbox, Observe, Undelivered, Vitals,
        mailbox::{Answer, Reply, takes},
    },
};

/// The actor.
pub struct Clerk {
    shelf: Shelf,
    /// Those who will write, and wait.
    waiting: HashMap<ExportId, oneshot::Sender<Pass>>,
    clock: Clock,
    vitals: Arc<Vitals>,
    me: Mailbox<Self>,
}

/// The leave to write one export. Dropped without a word it says that the writing broke off.
#[derive(Debug)]
pub struct Pass {
    id: ExportId,
    /// None once the end was told.
    clerk: Option<Mailbox<Clerk>>,
}

impl Pass {
    /// So much is written.
    ///
    /// # Errors
    /// Why to stop; a clerk that does not answer just now is no reason.
    pub async fn went(&self, written: Written) -> Result<(), Halt> {
        let Some(clerk) = &self.clerk else { return Ok(()) };
        let told: Result<_, Undelivered> = clerk.ask(Went { id: self.id, written }).await;
        told.unwrap_or(Ok(()))
    }

    /// This is the end.
    pub fn end(mut self, end: Result<Written, String>) {
        if let Some(clerk) = self.clerk.take() {
            clerk.tell(Ended { id: self.id, end });
        }
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        if let Some(clerk) = self.clerk.take() {
            clerk.tell(Ended { id: self.id, end: Err("writing it broke off; the log says more".to_owned()) });
        }
    }
}

impl Clerk {
    /// A clerk without orders.
    #[must_use]
    pub fn new(clock: Clock, vitals: Arc<Vitals>, context: &Context<Self>) -> Self {
        let me = Mailbox::own(context, &vitals);
        Self { shelf: Shelf::new(Terms::default()), waiting: HashMap::new(), clock, vitals, me }
    }

    fn now(&self) -> DateTime<Utc> {
        self.clock.wall(self.clock.now())
    }

    /// Lets run who may.
    fn move_up(&mut self) {
        while let Some(id) = self.shelf.next(|id| self.waiting.contains_key(&id)) {
            if let Some(writer) = self.waiting.remove(&id) {
                // One who is gone drops the pass, which says so.
                let _ = writer.send(Pass { id, clerk: Some(self.me.clone()) });
            }
        }
    }
}

impl Actor for Clerk {
    type Context = Context<Self>;
}

impl Supervised for Clerk {
    fn restarting(&mut self, _: &mut Self::Context) {
        self.restore();
    }
}

impl Guarded for Clerk {
    fn vitals(&self) -> &Arc<Vitals> {
        &self.vitals
    }

    fn renew(&mut self) {
        self.shelf = Shelf::new(Terms::default());
        self.waiting.clear();
    }
}

takes!(Clerk: Take, Turn, Went, Ended, Show, List, Remove, Expire, Observe);

impl Handler<Take> for Clerk {
    type Result = Result<Export, Full>;

    fn handle(&mut self, Take(order): Take, _: &mut Self::Context) -> Self::Result {
        fault::point("exports.take", "clerk");
        self.shelf.order(ExportId::new(), order, self.now())
    }
}

impl Handler<Turn> for Clerk {
    type Result = Answer<Pass>;

    fn handle(&mut self, Turn(id): Turn, _: &mut Self::Context) -> Self::Result {
        let (writer, pass) = oneshot::channel();
        if self.shelf.get(id).is_some_and(|export| export.stage == Stage::Waiting) {
            self.waiting.insert(id, writer);
            self.move_up();
        }
        Answer::Later(pass)
    }
}

impl Handler<Went> for Clerk {
    type Result = Result<(), Halt>;

    fn handle(&mut self, Went { id, written }: Went, _: &mut Self::Context) -> Self::Result {
        self.shelf.went(id, written)
    }
}

impl Handler<Ended> for Clerk {
    type Result = ();

    fn handle(&mut self, Ended { id, end }: Ended, _: &mut Self::Context) {
        let now = self.now();
        self.shelf.ended(id, end, now);
        self.move_up();
    }
}

impl Handler<Show> for Clerk {
    type Result = Reply<Option<Export>>;

    fn handle(&mut self, Show(id): Show, _: &mut Self::Context) -> Self::Result {
        Reply(self.shelf.get(id).cloned())
    }
}

impl Handler<List> for Clerk {
    type Result = Reply<Vec<Export>>;

    fn handle(&mut self, _: List, _: &mut Self::Context) -> Self::Result {
        Reply(self.shelf.all().cloned().collect())
    }
}

impl Handler<Remove> for Clerk {
    type Result = bool;

    fn handle(&mut self, Remove(id): Remove, _: &mut Self::Context) -> Self::Result {
        let now = self.now();
        let removed = self.shelf.remove(id, now);
        self.waiting.remove(&id);
        self.move_up();
        removed
    }
}

impl Handler<Expire> for Clerk {
    type Result = Reply<Vec<Export>>;

    fn handle(&mut self, _: Expire, _: &mut Self::Context) -> Self::Result {
        let now = self.now();
        Reply(self.shelf.expire(now))
    }
}

impl Handler<Observe> for Clerk {
    type Result = Reply<Value>;

    fn handle(&mut self, _: Observe, _: &mut Self::Context) -> Self::Result {
        let of = |stage: &Stage| self.shelf.all().filter(|export| export.stage == *stage).count();
        Reply(json!({
            "waiting": of(&Stage::Waiting),
            "running": of(&Stage::Running),
            "kept": self.shelf.all().count(),
            "bytes": self.shelf.bytes(),
        }))
    }
}
