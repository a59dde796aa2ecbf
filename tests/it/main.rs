//! The server and its parts on loopback, told as stories.

mod scripted;
mod wire_guard;
