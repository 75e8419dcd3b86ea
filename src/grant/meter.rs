//! What is counted and timed of grants. Who counts is for the process to say.

use std::time::Duration;

use jiff::Timestamp;

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

/// An opening that gives access now.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct OpenNow {
    /// Its stage.
    pub stage: Stage,
    /// When it ends.
    pub until: Timestamp,
    /// When it is closed before that unless somebody confirms that it is still wanted; `None`: never.
    pub lapses: Option<Timestamp>,
}

/// What is counted and timed of grants.
pub trait Meter: std::fmt::Debug + Send + Sync {
    /// These openings of a grant, named by its UID, give access now; none: it has none.
    fn open_now(&self, grant: &str, openings: &[OpenNow]);
    /// Bindings were deleted so long after the recorded end of their opening.
    fn expired(&self, lag: Duration);
    /// So many decisions were heard.
    fn heard(&self, decisions: u64);
    /// Somebody tried to append to a journal.
    fn appended(&self, outcome: Appended);
}
