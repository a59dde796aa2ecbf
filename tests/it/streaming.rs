//! Streams on their way down: whole, at once, and no faster than they are read.

mod bytes;
mod pace;
