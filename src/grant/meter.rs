//! What is counted and timed of grants. Who counts is for the process to say.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::api::Stage;

/// How an attempt to append to a journal came out.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Appended {
    /// The record was written.
    Written,
    /// Somebody else had written another one of that number.
    Conflict,
    /// It couldn't be written.
    Failed,
}

/// What is counted and timed of grants.
pub trait Meter: std::fmt::Debug + Send + Sync {
    /// So many openings give access now, by stage.
    fn open_now(&self, openings: &BTreeMap<Stage, usize>);
    /// Bindings were deleted so long after the recorded end of their opening.
    fn expired(&self, lag: Duration);
    /// So many decisions were heard.
    fn heard(&self, decisions: u64);
    /// Somebody tried to append to a journal.
    fn appended(&self, outcome: Appended);
}
