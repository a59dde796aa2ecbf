//! The door of the control plane: the actor that remembers who has failed to sign in, and holds them off.

pub mod backoff;
pub mod messages;

use std::sync::Arc;

use actix::{Actor, Context, Handler, Supervised};
use serde_json::{Value, json};

use self::{
    backoff::{Backoff, Terms},
    messages::{Admit, Succeeded},
};
use crate::{
    clock::Clock,
    fault,
    supervisor::{
        Guarded, Observe, Vitals,
        mailbox::{Reply, takes},
    },
};

/// The actor.
pub struct Door {
    backoff: Backoff,
    clock: Clock,
    vitals: Arc<Vitals>,
}

impl Door {
    /// A door that nobody has knocked at.
    #[must_use]
    pub fn new(clock: Clock, vitals: Arc<Vitals>) -> Self {
        Self { backoff: Backoff::new(Terms::default()), clock, vitals }
    }
}

impl Actor for Door {
    type Context = Context<Self>;
}

impl Supervised for Door {
    fn restarting(&mut self, _: &mut Self::Context) {
        self.restore();
    }
}

impl Guarded for Door {
    fn vitals(&self) -> &Arc<Vitals> {
        &self.vitals
    }

    fn renew(&mut self) {
        self.backoff = Backoff::new(Terms::default());
    }
}

takes!(Door: Admit, Succeeded, Observe);

impl Handler<Admit> for Door {
    type Result = <Admit as actix::Message>::Result;

    fn handle(&mut self, Admit(attempt): Admit, _: &mut Self::Context) -> Self::Result {
        fault::point("sign_in.admit", "door");
        self.backoff.admit(attempt, self.clock.now())
    }
}

impl Handler<Succeeded> for Door {
    type Result = ();

    fn handle(&mut self, Succeeded(leave): Succeeded, _: &mut Self::Context) {
        self.backoff.succeeded(leave);
    }
}

impl Handler<Observe> for Door {
    type Result = Reply<Value>;

    fn handle(&mut self, _: Observe, _: &mut Self::Context) -> Self::Result {
        let (places, accounts) = self.backoff.sizes();
        Reply(json!({"places": places, "accounts": accounts}))
    }
}
