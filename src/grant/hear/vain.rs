//! What was heard in vain isn't heard again before something changes that it depends on: else each of
//! ten thousand decisions would have all the others heard once more. Pure.

use jiff::Timestamp;

use super::Hearing;
use crate::policy::{Agreement, Problem};

/// From so many decisions on it is worth remembering that they were heard in vain.
pub const MANY: usize = 32;

/// By what decisions were heard when none of them changed anything.
#[derive(Clone, Debug)]
pub struct InVain {
    next: i64,
    head: Option<String>,
    made_again: bool,
    agreement: Result<Agreement, Vec<Problem>>,
    /// All that were numbered before this were heard.
    pub before: u64,
    /// When one of them may change something by time alone.
    pub until: Option<Timestamp>,
    /// When somebody last quarantined with them what was quarantined already.
    pub quarantined_again: Option<Timestamp>,
}

impl InVain {
    /// All before this number were heard by this; `waits` is when the first of those that merely wait
    /// has its turn.
    pub fn of(hearing: &Hearing<'_>, before: u64, waits: Option<Timestamp>) -> Self {
        let approvals = hearing.journal.consents.approvals.iter();
        let lapses = approvals.filter_map(|approved| approved.until).filter(|until| *until > hearing.now);
        Self {
            next: hearing.journal.next,
            head: hearing.journal.head.clone(),
            made_again: hearing.made_again,
            agreement: hearing.agreement.clone(),
            before,
            until: lapses.chain(waits).min(),
            quarantined_again: hearing.quarantined_again,
        }
    }

    /// Whether nothing has changed since that they depend on.
    pub fn holds(&self, hearing: &Hearing<'_>) -> bool {
        self.until.is_none_or(|until| hearing.now < until)
            && self.next == hearing.journal.next
            && self.head == hearing.journal.head
            && self.made_again == hearing.made_again
            && self.agreement == *hearing.agreement
    }
}

/// Which decisions a pass has before it.
#[derive(Clone, Debug, Default)]
pub struct Called {
    /// From this number on: those before it were heard in vain.
    pub from: u64,
    /// The number after the last of them.
    pub next: u64,
    /// When those before may change something by time alone.
    pub until: Option<Timestamp>,
    /// When somebody last quarantined with those before what was quarantined already.
    pub quarantined_again: Option<Timestamp>,
    /// The newest line of the journal then.
    pub head: Option<String>,
}
