//! What one can say to the clerk of exports.

use actix::Message;

use super::{
    Pass,
    shelf::{Export, Full, Halt, Order, Written},
};
use crate::ids::ExportId;

/// I want this.
#[derive(Debug)]
pub struct Take(pub Order);

impl Message for Take {
    type Result = Result<Export, Full>;
}

/// Whoever will write it is there, and waits for its turn.
#[derive(Debug)]
pub struct Turn(pub ExportId);

impl Message for Turn {
    type Result = Pass;
}

/// A running one has come so far.
#[derive(Debug)]
pub struct Went {
    /// Which.
    pub id: ExportId,
    /// How far.
    pub written: Written,
}

impl Message for Went {
    type Result = Result<(), Halt>;
}

/// One has ended: with a file, or why not.
#[derive(Debug)]
pub struct Ended {
    /// Which.
    pub id: ExportId,
    /// What it came to.
    pub end: Result<Written, String>,
}

impl Message for Ended {
    type Result = ();
}

/// Shows one.
#[derive(Debug)]
pub struct Show(pub ExportId);

impl Message for Show {
    type Result = Option<Export>;
}

/// Shows all, the latest first.
#[derive(Debug)]
pub struct List;

impl Message for List {
    type Result = Vec<Export>;
}

/// Cancels one under way; takes one that has ended off the shelf. False when there is none.
#[derive(Debug)]
pub struct Remove(pub ExportId);

impl Message for Remove {
    type Result = bool;
}

/// Takes those off the shelf whose time is over, and gives them away.
#[derive(Debug)]
pub struct Expire;

impl Message for Expire {
    type Result = Vec<Export>;
}
