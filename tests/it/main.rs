//! The server and its parts on loopback, told as stories.

// Stories may unwrap; the lint knows a test room by this mark.
#[cfg(test)]
mod admin;
#[cfg(test)]
mod admission;
#[cfg(test)]
mod budgets;
#[cfg(test)]
mod charging;
mod crosstalk;
mod draining;
#[cfg(test)]
mod events;
mod faults;
mod headers;
mod house;
mod keys;
#[cfg(test)]
mod logs;
#[cfg(test)]
mod metrics;
#[cfg(test)]
mod restrictions;
mod scripted;
mod sessions;
mod streaming;
#[cfg(test)]
mod traces;
#[cfg(test)]
mod versions;
mod wire_guard;
