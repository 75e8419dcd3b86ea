//! What closes, or stays closed, by decisions that aren't in the journal yet because they can't be written there.
//! Pure.
//!
//! Whoever closes access, or refuses it, doesn't wait for a record: it is decided by the journal as it will be.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use kube::ResourceExt as _;

use super::decide::Records;
use super::hear::Hearing;
use crate::api::GrantDecision;
use crate::api::decision::DecisionAction;
use crate::api::record::GrantIdentity;
use crate::journal::Journal;
use crate::journal::append::next_record;
use crate::policy::standing::Outlook;

/// After so many decisions whose records are refused, nothing more is written in the same pass.
pub const REFUSED_AT_ONCE: usize = 3;

/// Whether a decision does nothing but close.
pub fn closes(decision: &GrantDecision) -> bool {
    use DecisionAction::{Expire, Quarantine, Shorten};
    matches!(decision.spec.action, Quarantine | Expire | Shorten)
}

/// Whether a decision gives nothing: it closes, or keeps something from opening.
fn refuses(decision: &GrantDecision) -> bool {
    closes(decision) || decision.spec.action == DecisionAction::Deny
}

/// What can't be written down of what was decided, and how the journal will be with what of it closes.
#[derive(Clone, Copy, Debug)]
pub struct Unwritten<'a> {
    /// What was decided.
    pub decisions: &'a [Arc<GrantDecision>],
    /// The UIDs of decisions whose records were refused in this pass.
    pub refused: &'a BTreeSet<String>,
    /// Whether records can be written at all.
    pub records: Records,
}

impl Unwritten<'_> {
    /// The journal as it will be; `None` where that is how it is.
    pub fn foresee(&self, journal: &Journal, outlook: &Outlook, now: Timestamp) -> Option<Journal> {
        let is_stuck = |decision: &GrantDecision| {
            self.records != Records::Writable || decision.uid().is_some_and(|uid| self.refused.contains(&uid))
        };
        let mut foreseen: Option<Journal> = None;
        for decision in self.decisions.iter().filter(|decision| refuses(decision) && is_stuck(decision)) {
            let known = foreseen.as_ref().unwrap_or(journal);
            // Who made a grant again has no say in what closes it.
            let hearing = Hearing {
                journal: known,
                agreement: &outlook.agreement,
                made_again: false,
                quarantined_again: None,
                now,
            };
            let Some(entry) = hearing.hear(decision).ok().filter(|_| hearing.record_of(decision).is_none())
            else {
                continue;
            };
            let record = next_record(known, &entry, &GrantIdentity::default(), None, now);
            let mut next = known.clone();
            if next.take(&record).is_ok() {
                foreseen = Some(next);
            }
        }
        foreseen
    }
}
