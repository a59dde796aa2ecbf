//! The wire guard: a connection that awc cannot misread (S1 to S4).
//!
//! It sits above TLS and below awc, follows the framing of every answer, and corrects what awc 3.11
//! would get wrong: interim heads taken for answers, cut bodies taken for whole ones, bodies that end
//! with the connection thrown away, early answers lost to a write error, and stale connections that
//! look like any other failure. It also holds the two limits that only the wire can time well.
//!
//! ```text
//! AtRest --first write--> Asking --first byte handed up--> Answering --answer over, all handed up--> AtRest
//! ```
//! Invariants
//! - Bytes are handed up only for the request that is out; any other byte costs the connection (I-30).
//! - End-of-file is handed up only where the answer was whole (I-27), or at rest, where it makes awc's
//!   pool throw the connection away.
//! - The socket is closed the moment it can serve nothing more, not when someone looks at it next.

use std::{
    cell::Cell,
    fmt, io,
    mem::MaybeUninit,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
    time::Duration,
};

use actix_rt::net::{ActixStream, Ready};
use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{
    alarm::Alarm,
    fault::Fault,
    framing::{Framing, Then},
};

/// How long the wire may be silent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// From the request sent to the whole head; also while the upstream takes no more of the request.
    pub(super) first_byte: Duration,
    /// Within the body.
    pub(super) idle: Duration,
}

/// Counts retirements of a pool's resting connections.
#[derive(Debug, Clone, Default)]
pub(super) struct Generation(Rc<Cell<u64>>);

impl Generation {
    /// Lets no connection that rests now be used again; those at work are none the older for it.
    pub(super) fn retire_resting(&self) {
        self.0.set(self.0.get() + 1);
    }
}

/// A guarded connection.
pub(super) struct Guard<IO> {
    /// None once it can serve nothing more.
    io: Option<IO>,
    framing: Framing,
    phase: Phase,
    /// Checked bytes not yet handed up: a head and what came with it.
    out: BytesMut,
    /// To be raised once `out` is handed up.
    fault: Option<Fault>,
    /// Whether an earlier request used this connection.
    reused: bool,
    /// Whether any byte came for the request that is out.
    answered: bool,
    /// Whether the rest of the request goes nowhere, because the answer is there or must be near.
    abandoned: bool,
    limits: Limits,
    alarm: Alarm,
    /// The generation in which it last came to rest.
    rested_in: u64,
    generation: Generation,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    AtRest,
    Asking,
    Answering,
}

impl<IO: AsyncRead + AsyncWrite + Unpin> Guard<IO> {
    pub(super) fn new(io: IO, limits: Limits, generation: Generation) -> Self {
        Self {
            io: Some(io),
            framing: Framing::new(),
            phase: Phase::AtRest,
            out: BytesMut::new(),
            fault: None,
            reused: false,
            answered: false,
            abandoned: false,
            limits,
            alarm: Alarm::default(),
            rested_in: generation.0.get(),
            generation,
        }
    }

    /// At rest there is nothing to read but the reason to throw the connection away.
    fn poll_at_rest(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(io) = &mut self.io
            && self.rested_in == self.generation.0.get()
        {
            let mut probe = [0; 1];
            if Pin::new(io).poll_read(cx, &mut ReadBuf::new(&mut probe)).is_pending() {
                return Poll::Pending;
            }
        }
        self.io = None;
        Poll::Ready(())
    }

    /// Reads towards the head; what can be handed up goes to `out`.
    fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<u16>, Fault>> {
        let Some(io) = &mut self.io else { return Poll::Ready(Err(self.unanswered())) };
        let mut space = [MaybeUninit::uninit(); 8 * 1024];
        let mut space = ReadBuf::uninit(&mut space);
        match Pin::new(io).poll_read(cx, &mut space) {
            Poll::Pending if self.alarm.rings(self.limits.first_byte, cx) => {
                Poll::Ready(Err(Fault::HeadTimeout))
            }
            Poll::Pending => Poll::Pending,
            Poll::Ready(Ok(())) if !space.filled().is_empty() => {
                self.answered = true;
                let taken = self.framing.take(space.filled());
                let mut status = None;
                if let Some(head) = taken.head {
                    self.alarm.disarm();
                    self.out.extend_from_slice(&head.text);
                    status = Some(head.status);
                }
                self.out.extend_from_slice(&space.filled()[taken.body]);
                self.then(taken.then);
                Poll::Ready(Ok(status))
            }
            Poll::Ready(Ok(()) | Err(_)) => Poll::Ready(Err(self.unanswered())),
        }
    }

    /// Reads body straight into the reader's own buffer and hands up what belongs to the answer.
    fn poll_body(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<Result<(), Fault>> {
        let Some(io) = &mut self.io else { return Poll::Ready(self.framing.close()) };
        let before = buf.filled().len();
        match Pin::new(io).poll_read(cx, buf) {
            // The alarm is armed only by someone who wants bytes and gets none, so a reader that
            // stays away for long is not taken for a silent upstream.
            Poll::Pending if self.alarm.rings(self.limits.idle, cx) => Poll::Ready(Err(Fault::IdleTimeout)),
            Poll::Pending => Poll::Pending,
            Poll::Ready(Ok(())) if buf.filled().len() > before => {
                self.alarm.disarm();
                let taken = self.framing.take(&buf.filled()[before..]);
                buf.set_filled(before + taken.body.end);
                self.then(taken.then);
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Ok(())) => {
                self.io = None;
                Poll::Ready(self.framing.close())
            }
            // Not even the end of a body that ends with the connection: TLS without a goodbye, or a
            // reset, may be someone's scissors.
            Poll::Ready(Err(_)) => Poll::Ready(Err(Fault::Cut)),
        }
    }

    fn then(&mut self, then: Then) {
        match then {
            Then::More => {}
            Then::Over { reusable } => {
                // A request that never went out whole leaves the upstream waiting for the rest.
                if !reusable || self.abandoned {
                    self.io = None;
                }
            }
            Then::Broken(fault) => self.fail(fault),
        }
    }

    /// Closes the socket; the fault is raised once what was good before it is handed up.
    fn fail(&mut self, fault: Fault) {
        self.io = None;
        self.fault = Some(fault);
    }

    /// The rest of the request goes nowhere.
    fn abandon(&mut self) {
        self.abandoned = true;
        if self.framing.is_over() {
            self.io = None;
        }
    }

    /// What it means that the connection ended before the head did.
    fn unanswered(&self) -> Fault {
        match (self.answered, self.reused) {
            (true, _) => Fault::Cut,
            (false, true) => Fault::StaleReuse,
            (false, false) => Fault::NoAnswer,
        }
    }

    /// A write begins a request, goes on with one, or must not be.
    fn before_write(&mut self, buf: &[u8]) -> Result<(), Fault> {
        match self.phase {
            Phase::Asking => Ok(()),
            Phase::AtRest if self.io.is_some() => {
                // awc hands over the whole head with its first write, so the method is in here.
                self.framing.begin(buf.starts_with(b"HEAD "));
                self.phase = Phase::Asking;
                self.answered = false;
                self.abandoned = false;
                self.alarm.disarm();
                Ok(())
            }
            // Gone since the pool looked, or still answering another request: nobody's fault, and
            // nothing was sent, so a fresh connection will do.
            Phase::AtRest | Phase::Answering => {
                self.io = None;
                Err(Fault::StaleReuse)
            }
        }
    }

    /// Looks for an early answer while the upstream takes no more of the request. Ready when the rest
    /// of the request is not worth sending.
    fn poll_early_answer(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while self.wire().is_some() && self.framing.in_head() {
            match ready!(self.poll_head(cx)) {
                Ok(Some(400..)) => self.abandon(),
                Ok(_) => {}
                Err(fault) => self.fail(fault),
            }
        }
        if self.wire().is_none() {
            return Poll::Ready(());
        }
        // A good answer has begun; it may well want the rest of the request.
        if self.alarm.rings(self.limits.first_byte, cx) {
            self.fail(Fault::HeadTimeout);
            return Poll::Ready(());
        }
        Poll::Pending
    }

    /// Where bytes of the request go, if they are still worth sending.
    fn wire(&mut self) -> Option<&mut IO> {
        self.io.as_mut().filter(|_| !self.abandoned)
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin> AsyncRead for Guard<IO> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.phase == Phase::AtRest {
            return this.poll_at_rest(cx).map(Ok);
        }
        if buf.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        while this.out.is_empty() && buf.filled().len() == before {
            let step = match this.fault {
                Some(fault) => Err(fault),
                None if this.framing.in_head() => ready!(this.poll_head(cx)).map(|_| ()),
                None => match ready!(this.poll_body(cx, buf)) {
                    Ok(()) if buf.filled().len() == before && this.fault.is_none() => break, // the end
                    other => other,
                },
            };
            if let Err(fault) = step {
                this.fail(fault);
                return Poll::Ready(Err(fault.into()));
            }
        }
        let run = this.out.len().min(buf.remaining());
        buf.put_slice(&this.out[..run]);
        this.out.advance(run);
        this.phase = Phase::Answering;
        if this.framing.is_over() && this.out.is_empty() {
            this.phase = Phase::AtRest;
            this.rested_in = this.generation.0.get();
            this.reused = true;
        }
        Poll::Ready(Ok(()))
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Guard<IO> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.before_write(buf)?;
        let Some(io) = this.wire() else { return Poll::Ready(Ok(buf.len())) };
        match Pin::new(io).poll_write(cx, buf) {
            Poll::Ready(Ok(written)) => {
                this.alarm.disarm();
                Poll::Ready(Ok(written))
            }
            // The upstream may have answered before it closed; reading will tell.
            Poll::Ready(Err(_)) => {
                this.abandon();
                Poll::Ready(Ok(buf.len()))
            }
            Poll::Pending => this.poll_early_answer(cx).map(|()| Ok(buf.len())),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let Some(io) = this.wire() else { return Poll::Ready(Ok(())) };
        match Pin::new(io).poll_flush(cx) {
            Poll::Ready(Ok(())) => Poll::Ready(Ok(())),
            Poll::Ready(Err(_)) => {
                this.abandon();
                Poll::Ready(Ok(()))
            }
            Poll::Pending => this.poll_early_answer(cx).map(Ok),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().io {
            Some(io) => Pin::new(io).poll_shutdown(cx),
            None => Poll::Ready(Ok(())),
        }
    }
}

/// awc asks for this trait but never for readiness; "try and see" is always a right answer.
impl<IO: AsyncRead + AsyncWrite + Unpin> ActixStream for Guard<IO> {
    fn poll_read_ready(&self, _: &mut Context<'_>) -> Poll<io::Result<Ready>> {
        Poll::Ready(Ok(Ready::READABLE))
    }

    fn poll_write_ready(&self, _: &mut Context<'_>) -> Poll<io::Result<Ready>> {
        Poll::Ready(Ok(Ready::WRITABLE))
    }
}

impl<IO> fmt::Debug for Guard<IO> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").field("phase", &self.phase).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
