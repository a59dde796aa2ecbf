//! What one can say to the door.

use std::time::Duration;

use actix::Message;

use super::backoff::{Attempt, Leave};

/// May this be tried?
#[derive(Debug)]
pub struct Admit(pub Attempt);

impl Message for Admit {
    /// The leave, or how long to wait.
    type Result = Result<Leave, Duration>;
}

/// What was tried has succeeded.
#[derive(Debug)]
pub struct Succeeded(pub Leave);

impl Message for Succeeded {
    type Result = ();
}
