//! The real binary as an operator uses it: against a house that serves, and on machines where something is wrong.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking, as tests do")]

mod asking;
mod broken;
mod house;
mod interrupted;
mod lifecycle;
mod log;
mod sealing;
