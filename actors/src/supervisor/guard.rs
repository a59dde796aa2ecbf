//! The guard: a future that polls an actor and survives its panics.
//!
//! actix's own `Supervisor` restarts an actor whose context *stopped*; a panic unwinds through it and
//! closes the mailbox for good (S8). This one catches the unwind around the public [`ContextFut`] and
//! calls its public `restart()`: the address, the queue and the actor's value stay, and only the message
//! in hand is lost (I-33). A restart cancels every future the actor had spawned, and actix calls `started`
//! again when it next polls: what is armed there is armed once, whatever happens.
//!
//! ```text
//! polling --panic--> restart --(fewer than `panics` within `window`)--> polling
//!                       '- too many, or it panics too -> quarantine --`rest` over--> fresh value --> polling
//! ```
//!
//! Invariants
//! - Whatever the actor does, its address stays good (I-38) and the thread is not kept busy (I-34).
//! - A quarantined actor is not polled: nothing it would do can panic meanwhile.

use std::{
    any::Any,
    collections::VecDeque,
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::Arc,
    task::{Context as Task, Poll},
    time::{Duration, Instant},
};

use actix::{
    Actor, Arbiter, ArbiterHandle, Context, Supervised,
    dev::{ContextFut, channel},
};
use log::{error, warn};
use tokio::time::Sleep;

use super::{mailbox::Mailbox, vitals::Vitals};
use crate::clock::Clock;

/// How many panics are borne before an actor is made to rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leash {
    /// Panics within the window that are answered by a plain restart.
    pub panics: usize,
    /// The span they are counted over.
    pub window: Duration,
    /// How long the rest after too many of them lasts.
    pub rest: Duration,
}

impl Default for Leash {
    fn default() -> Self {
        Self { panics: 20, window: Duration::from_secs(10), rest: Duration::from_secs(30) }
    }
}

/// Messages an actor's mailbox holds before those who ask are refused.
pub(super) const MAILBOX_CAPACITY: usize = 4_096;

/// An actor that can live under guard.
///
/// Its `restarting` must make the value fresh when [`Vitals::leaves_quarantine`] says so;
/// [`Guarded::restore`] is that duty in one place.
pub trait Guarded: Actor<Context = Context<Self>> + Supervised {
    /// The guard's notes about this actor.
    fn vitals(&self) -> &Arc<Vitals>;

    /// Puts the value back to what it was when new.
    fn renew(&mut self);

    /// To be called from `restarting`: renews the value after a quarantine.
    fn restore(&mut self) {
        if self.vitals().leaves_quarantine() {
            self.renew();
        }
    }
}

/// Starts an actor under guard on `arbiter`; `make` builds it there.
pub fn start<A, F>(arbiter: &ArbiterHandle, clock: Clock, leash: Leash, name: String, make: F) -> Mailbox<A>
where
    A: Guarded,
    F: FnOnce(&mut Context<A>, Arc<Vitals>) -> A + Send + 'static,
{
    let (sender, receiver) = channel::channel(MAILBOX_CAPACITY);
    let vitals = Vitals::new(clock.now());
    let mailbox = Mailbox::new(actix::Addr::new(sender), Arc::clone(&vitals), MAILBOX_CAPACITY);
    arbiter.spawn_fn(move || {
        let mut context = Context::with_receiver(receiver);
        let actor = make(&mut context, Arc::clone(&vitals));
        let actor = context.into_future(actor);
        actix::spawn(Guard { actor, name, vitals, clock, leash, recent: VecDeque::new(), resting: None });
    });
    mailbox
}

/// The same, on the thread of whoever starts it.
pub fn start_here<A, F>(clock: Clock, leash: Leash, name: String, make: F) -> Mailbox<A>
where
    A: Guarded,
    F: FnOnce(&mut Context<A>, Arc<Vitals>) -> A + Send + 'static,
{
    start(&Arbiter::current(), clock, leash, name, make)
}

struct Guard<A: Guarded> {
    actor: ContextFut<A, Context<A>>,
    name: String,
    vitals: Arc<Vitals>,
    clock: Clock,
    leash: Leash,
    recent: VecDeque<Instant>,
    resting: Option<Pin<Box<Sleep>>>,
}

impl<A: Guarded> Future for Guard<A>
where
    ContextFut<A, Context<A>>: Unpin,
{
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<()> {
        let guard = &mut *self;
        loop {
            if let Some(rest) = &mut guard.resting {
                if rest.as_mut().poll(task).is_pending() {
                    return Poll::Pending;
                }
                guard.resting = None;
                match guard.restart() {
                    Ok(true) => {}
                    // Nobody can reach it any more.
                    Ok(false) => return Poll::Ready(()),
                    Err(panic) => {
                        let message = guard.note(panic.as_ref());
                        guard.quarantine(&message);
                        continue;
                    }
                }
            }
            match catch_unwind(AssertUnwindSafe(|| Pin::new(&mut guard.actor).poll(task))) {
                Ok(Poll::Pending) => return Poll::Pending,
                // The actor stopped itself, or nobody holds its address any more.
                Ok(Poll::Ready(())) => return Poll::Ready(()),
                Err(panic) => guard.survive(panic.as_ref()),
            }
        }
    }
}

impl<A: Guarded> Guard<A> {
    fn survive(&mut self, panic: &(dyn Any + Send)) {
        let message = self.note(panic);
        if self.recent.len() > self.leash.panics {
            return self.quarantine(&message);
        }
        match self.restart() {
            Ok(_) => {
                let name = self.name.as_str();
                warn!(actor = name; "actor {name}: restarted after a panic: {message}");
            }
            Err(panic) => {
                let message = self.note(panic.as_ref());
                self.quarantine(&message);
            }
        }
    }

    /// Writes a panic down, and answers what it said.
    fn note(&mut self, panic: &(dyn Any + Send)) -> String {
        let (now, message) = (self.clock.now(), panic_message(panic));
        self.vitals.panicked(message.clone(), now);
        self.recent.push_back(now);
        while self.recent.front().is_some_and(|at| now.duration_since(*at) > self.leash.window) {
            self.recent.pop_front();
        }
        message
    }

    fn quarantine(&mut self, message: &str) {
        let name = self.name.as_str();
        error!(actor = name; "actor {name}: panicked too often, quarantined: {message}");
        self.recent.clear();
        self.vitals.enter_quarantine(self.clock.now(), self.leash.rest);
        self.resting = Some(Box::pin(tokio::time::sleep(self.leash.rest)));
    }

    /// False when nobody can reach the actor any more.
    ///
    /// # Errors
    /// The panic of an actor that cannot even restart.
    fn restart(&mut self) -> Result<bool, Box<dyn Any + Send>> {
        catch_unwind(AssertUnwindSafe(|| self.actor.restart()))
    }
}

/// The text a panic carried.
fn panic_message(panic: &(dyn Any + Send)) -> String {
    panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "panicked with a value that is no text".to_owned())
}
