//! Supervision: what keeps an actor's address good for as long as the process lives.
//!
//! [`guard`] polls an actor and survives its panics, [`vitals`] is what it notes about the actor's
//! health, [`mailbox`] is how others reach it, [`roster`] is the list of everyone under guard, and
//! [`watchdog`] sees how late their thread comes to what is due, and [`worst`] remembers the worst for a while.

pub mod guard;
pub mod mailbox;
pub mod roster;
pub mod vitals;
pub mod watchdog;
pub mod worst;

pub use guard::{Guarded, Leash};
pub use mailbox::{Mailbox, Undelivered};
pub use roster::{Observe, Roster, Snapshot};
pub use vitals::Vitals;
