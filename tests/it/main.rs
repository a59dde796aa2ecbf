//! The server and its parts on loopback, told as stories.

mod admin;
mod house;
mod scripted;
mod wire_guard;
