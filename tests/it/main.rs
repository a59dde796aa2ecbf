//! The server and its parts on loopback, told as stories.

// Stories may unwrap; the lint knows a test room by this mark.
#[cfg(test)]
mod admin;
#[cfg(test)]
mod house;
mod scripted;
mod wire_guard;
