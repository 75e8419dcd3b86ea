//! L1, the journal of a grant: its records, folded into what they say.
//!
//! The journal is what is true. Status is a projection of it and may be lost; a clock set back,
//! a restart or a restored backup changes nothing that the journal says.

pub mod allowance;
pub mod append;
pub mod consent;
pub mod forum;
mod opening;
pub mod rehearsal;
pub mod remains;
pub mod wanted;

use std::sync::Arc;

use jiff::Timestamp;

use self::consent::Consents;
pub use self::opening::{INTERRUPTIONS_AT_ONCE, Narrowed, Opening, Recorded};
use self::rehearsal::Rehearsals;
use self::remains::is_lost;
use crate::api::name;
use crate::api::record::{GrantRecordSpec, RecordEvent, RecordReason};
use crate::api::stage::Stage;
use crate::policy::digest::record_digest;

/// What a grant's records say.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Journal {
    /// Everything that was ever opened, in the order of its first opening.
    pub openings: Vec<Opening>,
    /// The number that the next record gets.
    pub next: i64,
    /// The digest of the newest record.
    pub head: Option<String>,
    /// Once the grant has ended: when, why, and at which generation of its spec.
    pub ended: Option<Ending>,
    /// The time of the first record: when the grant was first accepted.
    pub requested: Option<Timestamp>,
    /// The time of the newest record: no later look at the clock is earlier.
    pub newest: Option<Timestamp>,
    /// What people decided.
    pub consents: Consents,
    /// What was rehearsed.
    pub rehearsals: Rehearsals,
}

/// How a grant ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Ending {
    /// When.
    pub at: Timestamp,
    /// Why.
    pub reason: RecordReason,
    /// The generation of the spec that ended; a later one asks for something that can't be.
    pub generation: Option<i64>,
}

/// Why records don't make a journal. Nothing opens, and everything closes, until it is mended.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Broken {
    /// A record is missing.
    #[error("record {expected} is missing: the next one there is {found}")]
    Gap {
        /// The number that should have come.
        expected: i64,
        /// The number that came.
        found: i64,
    },
    /// A record doesn't follow from the one before it.
    #[error("record {sequence} doesn't hold the digest of the one before it")]
    Chain {
        /// Its number.
        sequence: i64,
    },
    /// There was a journal, and no record of it is left.
    #[error(
        "every record of it is gone, so nobody can say what was opened until when; put the records back from a \
         backup, or delete the grant and make a new one"
    )]
    Lost,
    /// A record is there that can't be read.
    #[error("record {sequence} can't be read")]
    Unreadable {
        /// Its number.
        sequence: i64,
    },
    /// A record speaks of a stage that was never opened, or lacks what its event needs.
    #[error("record {sequence} makes no sense after those before it")]
    Senseless {
        /// Its number.
        sequence: i64,
    },
}

impl Journal {
    /// The journal before its first record.
    pub fn empty() -> Self {
        Self { next: 1, ..Self::default() }
    }

    /// What `records`, in the order of their numbers, say.
    pub fn fold<'a>(records: impl IntoIterator<Item = &'a GrantRecordSpec>) -> Result<Self, Broken> {
        let mut journal = Self::empty();
        for record in records {
            journal.take(record)?;
        }
        Ok(journal)
    }

    /// The same, unless it has no record although there once was one: a journal that was lost isn't
    /// begun anew, or what it said of ends would be said anew too.
    pub fn unless_lost(self, once_had_records: bool) -> Result<Self, Broken> {
        if once_had_records && self.next == 1 { Err(Broken::Lost) } else { Ok(self) }
    }

    /// What time it is by the journal and a clock: a clock that was set back past the newest record
    /// is wrong.
    pub fn time(&self, clock: Timestamp) -> Timestamp {
        self.newest.map_or(clock, |newest| newest.max(clock))
    }

    /// The opening of this stage with this digest, if it was ever opened.
    pub fn opening(&self, stage: Stage, digest: &str) -> Option<&Opening> {
        self.openings.iter().find(|opening| opening.stage == stage && opening.digest == digest)
    }

    /// The number of the newest record that says what people decided, or what a rehearsal showed.
    pub fn newest_told(&self) -> Option<i64> {
        self.consents.newest_taken().max(self.rehearsals.newest_told())
    }

    /// The number of the record that asks for a rehearsal of an opening which nobody has done yet.
    pub fn rehearsal_due(&self, opening: &Opening) -> Option<i64> {
        let is_live = opening.stage == Stage::Rehearsal && opening.state == Recorded::Open;
        self.rehearsals.due(&opening.digest).filter(|_| is_live)
    }

    /// The openings that came after this one, in that order.
    pub fn after<'a>(&'a self, opening: &'a Opening) -> impl Iterator<Item = &'a Opening> {
        self.openings.iter().skip_while(|known| known.namespace != opening.namespace).skip(1)
    }

    /// Takes the next record.
    pub fn take(&mut self, record: &GrantRecordSpec) -> Result<(), Broken> {
        let sequence = record.sequence;
        if sequence != self.next {
            return Err(Broken::Gap { expected: self.next, found: sequence });
        }
        if record.previous != self.head {
            return Err(Broken::Chain { sequence });
        }
        // Nobody writes down what was before what is written already.
        if self.newest.is_some_and(|newest| record.at.0 < newest) {
            return Err(Broken::Senseless { sequence });
        }
        self.apply(record).ok_or(Broken::Senseless { sequence })?;
        self.head = Some(record_digest(record));
        self.next = sequence.saturating_add(1);
        self.requested.get_or_insert(record.at.0);
        self.newest = self.newest.max(Some(record.at.0));
        Ok(())
    }

    /// Applies what a record says; `None` where it makes no sense.
    fn apply(&mut self, record: &GrantRecordSpec) -> Option<()> {
        if matches!(record.event, RecordEvent::Opened | RecordEvent::Requested) {
            self.stood(record);
        }
        match record.event {
            RecordEvent::Opened => self.open(record)?,
            RecordEvent::Suspended => self.find(record)?.suspend(record),
            RecordEvent::Resumed => self.find(record)?.resume(record)?,
            RecordEvent::Narrowed => self.find(record)?.narrow(record),
            RecordEvent::Closed => {
                let (reason, at) = (record.reason?, record.at.0);
                self.find(record)?.interrupt(Recorded::Closed { reason, at }, at);
            }
            RecordEvent::Ended => {
                let reason = record.reason.unwrap_or(RecordReason::NothingLeft);
                self.ended = Some(Ending { at: record.at.0, reason, generation: record.generation });
            }
            RecordEvent::Extended => {
                let end = record.expires_at.as_ref()?.0;
                let opening = self.find(record)?;
                opening.end = opening.end.max(end);
                (opening.extended, opening.moved_at) = (true, Some(record.at.0));
            }
            RecordEvent::Shortened => self.shorten(record)?,
            _ => {}
        }
        self.rehearsals.take(record)?;
        self.consents.take(record)
    }

    /// What is asked for, or opened, stands then: for whatever is open beside it, that is what it is held to.
    fn stood(&mut self, record: &GrantRecordSpec) {
        if record.digest.is_some() {
            let live = self.openings.iter_mut().filter(|opening| !is_lost(opening));
            live.for_each(|opening| opening.narrowed.stood.clone_from(&record.digest));
        }
    }

    /// Opens a stage, or opens it again: the end that was recorded first stands, or an earlier one.
    fn open(&mut self, record: &GrantRecordSpec) -> Option<()> {
        let end = record.expires_at.as_ref()?.0;
        if let Some(opening) = self.find(record) {
            opening.go_on(record.at.0)?;
            opening.end = opening.end.min(end);
            return Some(());
        }
        let (stage, digest) = (record.stage?, record.digest.clone()?);
        self.openings.push(Opening {
            stage,
            namespace: name::stage_namespace(&record.grant.name.0, &record.grant.uid.0, stage, &digest),
            digest,
            opened_at: record.at.0,
            end,
            policy: Arc::new(record.policy.clone()?),
            state: Recorded::Open,
            open_since: record.at.0,
            interrupted: None,
            extended: false,
            moved_at: None,
            narrowed: Narrowed::default(),
        });
        Some(())
    }

    /// Moves ends earlier: of one opening, of those of a stage, or of all, as the record says.
    fn shorten(&mut self, record: &GrantRecordSpec) -> Option<()> {
        let end = record.expires_at.as_ref()?.0;
        let is_meant = |opening: &&mut Opening| {
            record.stage.is_none_or(|stage| stage == opening.stage)
                && record.digest.as_ref().is_none_or(|digest| *digest == opening.digest)
        };
        for opening in self.openings.iter_mut().filter(is_meant).filter(|opening| end < opening.end) {
            (opening.end, opening.moved_at) = (end, Some(record.at.0));
        }
        Some(())
    }

    /// The opening that a record speaks of.
    fn find(&mut self, record: &GrantRecordSpec) -> Option<&mut Opening> {
        let (stage, digest) = (record.stage?, record.digest.as_deref()?);
        self.openings.iter_mut().find(|opening| opening.stage == stage && opening.digest == digest)
    }
}

#[cfg(test)]
mod tests;
