//! What was rehearsed of a grant, as its journal has it. Only what is here counts: a report that was
//! deleted after the journal took it has shown what it showed.

use std::collections::BTreeMap;

use crate::api::contract::RehearsalRequirement;
use crate::api::record::{GrantRecordSpec, RecordEvent, TakenReport};
use crate::api::stage::Stage;

/// What was rehearsed, by the digest of what was tried.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rehearsals {
    /// The number of the newest record that asks for a rehearsal.
    causes: BTreeMap<String, i64>,
    /// The newest report.
    reports: BTreeMap<String, TakenReport>,
}

/// What a rehearsal showed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Shown<'a> {
    /// Nothing yet: it has to be rehearsed, or rehearsed again.
    Nothing,
    /// Everything that counts came out as it had to.
    Passed(&'a TakenReport),
    /// Something came out otherwise.
    Failed(&'a TakenReport),
    /// Something can't be executed here, and the contract asks for all of it.
    Incomplete(&'a TakenReport),
}

impl Rehearsals {
    /// The number of the record that asks for a rehearsal of this digest which nobody has done yet. Each
    /// opening of the stage asks for one, also one that was closed for a while: who knows what has changed.
    pub fn due(&self, digest: &str) -> Option<i64> {
        let cause = self.causes.get(digest).copied();
        let told = self.reports.get(digest).map(|report| report.cause);
        cause.filter(|cause| told.is_none_or(|told| told < *cause))
    }

    /// The newest report of this digest, also where another one is due.
    pub fn newest(&self, digest: &str) -> Option<&TakenReport> {
        self.reports.get(digest)
    }

    /// What is shown of this digest, by what its contract asks for.
    pub fn shown(&self, digest: &str, require: RehearsalRequirement) -> Shown<'_> {
        let Some(report) = self.newest(digest).filter(|_| self.due(digest).is_none()) else {
            return Shown::Nothing;
        };
        let counts = report.counts;
        if counts.failed > 0 || counts.passed == 0 {
            return Shown::Failed(report);
        }
        if counts.not_executable > 0 && require == RehearsalRequirement::All {
            return Shown::Incomplete(report);
        }
        Shown::Passed(report)
    }

    /// Takes what a record says of rehearsals; `None` where it makes no sense.
    pub(super) fn take(&mut self, record: &GrantRecordSpec) -> Option<()> {
        match record.event {
            RecordEvent::Opened | RecordEvent::Resumed if record.stage == Some(Stage::Rehearsal) => {
                self.causes.insert(record.digest.clone()?, record.sequence);
            }
            RecordEvent::RehearsalRequested => {
                *self.causes.get_mut(record.digest.as_deref()?)? = record.sequence;
            }
            RecordEvent::Rehearsed => {
                let (digest, report) = (record.digest.clone()?, record.report.clone()?);
                // Nothing is rehearsed that nobody asked for, nor twice.
                if self.due(&digest)? != report.cause {
                    return None;
                }
                self.reports.insert(digest, report);
            }
            _ => {}
        }
        Some(())
    }
}

#[cfg(test)]
mod tests;
