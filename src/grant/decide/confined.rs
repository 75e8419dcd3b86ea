//! What can't be confined as it has to be, because somebody refuses that: after a while access to it is
//! closed, since it allows more than it may. Pure.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

/// How long a place may allow more than it has to, because what confines it is refused.
pub const PATIENCE: SignedDuration = SignedDuration::from_secs(30);

/// How often it is tried again once access is closed.
const AGAIN: SignedDuration = SignedDuration::from_secs(30);

/// That a place can't be confined as it has to be.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Unconfined {
    /// Since when that is known.
    pub since: Timestamp,
    /// When it was last tried.
    pub last: Timestamp,
    /// Why not, in the API server's words, as they were at first: they may differ each time.
    pub why: String,
}

/// By namespace: what can't be confined as it has to be.
pub type AllUnconfined = BTreeMap<String, Unconfined>;

impl Unconfined {
    /// The same after it was tried again; `before` is what was known of it.
    #[must_use]
    pub fn tried(before: Option<&Self>, since: Timestamp, now: Timestamp, why: String) -> Self {
        before.map_or(Self { since, last: now, why }, |before| Self { last: now, ..before.clone() })
    }

    /// Whether nobody may use it now.
    pub fn closes(&self, now: Timestamp) -> bool {
        let [closes, again] = self.moments();
        closes <= now && now < again
    }

    /// When access to it is closed, and when it is tried again after that.
    pub fn moments(&self) -> [Timestamp; 2] {
        let after = |moment: Timestamp, span| moment.checked_add(span).unwrap_or(moment);
        [after(self.since, PATIENCE), after(self.last, AGAIN)]
    }
}
