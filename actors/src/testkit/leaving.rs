//! Callers who leave: a future that is dropped at a chosen await point.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

/// Polls a future at most so many times, then drops it: each poll but the last ends at an await point, so
/// counting up from one leaves at every point there is.
#[derive(Debug)]
pub struct Leaving<F> {
    future: Option<Pin<Box<F>>>,
    polls_left: u32,
}

impl<F: Future> Leaving<F> {
    /// Leaves when `future` still waits after `polls` polls. Zero leaves before the first.
    pub fn after(polls: u32, future: F) -> Self {
        Self { future: Some(Box::pin(future)), polls_left: polls }
    }
}

impl<F: Future> Future for Leaving<F> {
    /// None when it left.
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Self::Output> {
        if let Some(left) = self.polls_left.checked_sub(1) {
            self.polls_left = left;
            if let Some(Poll::Ready(output)) = self.future.as_mut().map(|future| future.as_mut().poll(task)) {
                self.future = None;
                return Poll::Ready(Some(output));
            }
        }
        if self.polls_left > 0 {
            return Poll::Pending;
        }
        self.future = None;
        Poll::Ready(None)
    }
}
