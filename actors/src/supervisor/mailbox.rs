//! How one reaches a guarded actor: *ask* and wait for the answer, or *tell* and go on.
//!
//! Asking is refused while the queue is full, so overload turns into a quick no (I-35). Telling is never
//! refused: it is for ends (release, settle, report), which must arrive whatever the load (S9, S10).

use std::{fmt, sync::Arc};

use actix::{
    Actor, Addr, AsyncContext, Context, Handler, Message,
    dev::{MessageResponse, OneshotSender},
};
use tokio::sync::oneshot;

use super::vitals::{Turn, Vitals, Waiting};

/// The way to one actor. Clones are cheap and stay good across the actor's restarts.
pub struct Mailbox<A: Actor> {
    address: Addr<A>,
    vitals: Arc<Vitals>,
    capacity: u32,
}

/// Why a question got no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Undelivered {
    /// Too many messages wait already.
    #[error("the actor's mailbox is full")]
    Full,
    /// The actor panicked over this message, rests after too many panics, or has stopped.
    #[error("the actor lost the message")]
    Lost,
}

impl<A: Actor<Context = Context<A>>> Mailbox<A> {
    pub(super) fn new(address: Addr<A>, vitals: Arc<Vitals>, capacity: usize) -> Self {
        Self { address, vitals, capacity: u32::try_from(capacity).unwrap_or(u32::MAX) }
    }

    /// Asks, and waits for the answer. A caller who stops waiting may take the question back. An actor
    /// that rests is not asked at all: the question would wait for the end of its rest.
    ///
    /// # Errors
    /// [`Undelivered`] when the queue is full or the actor lost the message.
    pub async fn ask<M>(&self, message: M) -> Result<M::Result, Undelivered>
    where
        M: Message + Send + 'static,
        M::Result: Send,
        A: Handler<Counted<M>>,
    {
        if self.vitals.waiting() >= self.capacity {
            return Err(Undelivered::Full);
        }
        if self.vitals.rests() {
            return Err(Undelivered::Lost);
        }
        let message = Counted { message, waiting: self.vitals.message_sent() };
        self.address.send(message).await.map_err(|_| Undelivered::Lost)
    }

    /// Tells, and does not look back.
    pub fn tell<M>(&self, message: M)
    where
        M: Message + Send + 'static,
        M::Result: Send,
        A: Handler<Counted<M>>,
    {
        self.address.do_send(Counted { message, waiting: self.vitals.message_sent() });
    }

    /// An actor's way to itself, to be handed to those who will have something to tell it.
    pub(crate) fn own(context: &Context<A>, vitals: &Arc<Vitals>) -> Self {
        Self::new(context.address(), Arc::clone(vitals), super::guard::MAILBOX_CAPACITY)
    }

    /// Whether the actor has stopped for good.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        !self.address.connected()
    }

    /// The actor's health.
    #[must_use]
    pub fn vitals(&self) -> &Arc<Vitals> {
        &self.vitals
    }
}

impl<A: Actor> Clone for Mailbox<A> {
    fn clone(&self) -> Self {
        Self { address: self.address.clone(), vitals: Arc::clone(&self.vitals), capacity: self.capacity }
    }
}

impl<A: Actor> fmt::Debug for Mailbox<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mailbox").field("waiting", &self.vitals.waiting()).finish_non_exhaustive()
    }
}

/// A message that is counted while it waits.
#[derive(Debug)]
pub struct Counted<M> {
    message: M,
    waiting: Waiting,
}

impl<M: Message> Message for Counted<M> {
    type Result = M::Result;
}

impl<M> Counted<M> {
    /// The message, which waits no longer, and what measures how long it is handled.
    pub fn take_up(self) -> (M, Turn) {
        (self.message, self.waiting.turn())
    }
}

/// A handler's answer, for types that actix does not know how to send back.
#[derive(Debug)]
pub struct Reply<T>(pub T);

impl<A, M, T> MessageResponse<A, M> for Reply<T>
where
    A: Actor,
    M: Message<Result = T>,
{
    fn handle(self, _: &mut A::Context, asker: Option<OneshotSender<T>>) {
        if let Some(asker) = asker {
            // Nobody waits for the answer any more: that is the asker's right.
            let _ = asker.send(self.0);
        }
    }
}

/// A handler's answer that may take a while, without keeping the actor from its other messages.
#[derive(Debug)]
pub enum Answer<T> {
    /// Here it is.
    Now(T),
    /// The other end will have it. If that is dropped, the question counts as lost.
    Later(oneshot::Receiver<T>),
}

impl<A, M, T> MessageResponse<A, M> for Answer<T>
where
    A: Actor,
    M: Message<Result = T>,
    T: 'static,
{
    fn handle(self, _: &mut A::Context, asker: Option<OneshotSender<T>>) {
        let Some(mut asker) = asker else { return };
        match self {
            Self::Now(answer) => {
                let _ = asker.send(answer);
            }
            Self::Later(answer) => {
                actix::spawn(async move {
                    tokio::select! {
                        answer = answer => {
                            if let Ok(answer) = answer {
                                let _ = asker.send(answer);
                            }
                        }
                        // Dropping our end tells whoever would answer that nobody waits.
                        () = asker.closed() => {}
                    }
                });
            }
        }
    }
}

/// Names all that can be said to an actor, and lets it take each message counted.
macro_rules! takes {
    ($actor:ty: $($message:ty),+ $(,)?) => {$(
        impl actix::Handler<$crate::supervisor::mailbox::Counted<$message>> for $actor {
            type Result = <Self as actix::Handler<$message>>::Result;

            fn handle(
                &mut self,
                message: $crate::supervisor::mailbox::Counted<$message>,
                context: &mut Self::Context,
            ) -> Self::Result {
                let (message, _turn) = message.take_up();
                actix::Handler::<$message>::handle(self, message, context)
            }
        }
    )+};
}
pub(crate) use takes;
