//! L1, the journal of a grant: its records, folded into what they say.
//!
//! The journal is what is true. Status is a projection of it and may be lost; a clock set back,
//! a restart or a restored backup changes nothing that the journal says.

pub mod append;
pub mod consent;
pub mod remains;
pub mod wanted;

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use self::consent::Consents;
use crate::api::effective::EffectivePolicy;
use crate::api::name;
use crate::api::record::{GrantRecordSpec, RecordEvent, RecordReason};
use crate::api::stage::Stage;
use crate::policy::digest::record_digest;

/// After so many interruptions an opening is still opened again at once. Each one beyond doubles the
/// wait, from a second on.
pub const INTERRUPTIONS_AT_ONCE: u32 = 8;

/// The longest that an opening waits to be opened again, in seconds.
const LONGEST_PAUSE: i64 = 3600;

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
}

/// What the journal says of one opening.
#[derive(Clone, Debug, PartialEq)]
pub struct Opening {
    /// The stage.
    pub stage: Stage,
    /// The digest of exactly what was opened.
    pub digest: String,
    /// Its namespace.
    pub namespace: String,
    /// When it was first opened.
    pub opened_at: Timestamp,
    /// When it ends, whatever happens. Only what people decide moves it further away.
    pub end: Timestamp,
    /// Everything that it allows. A journal is copied for each look at it, this isn't.
    pub policy: Arc<EffectivePolicy>,
    /// Where it stands by the journal.
    pub state: Recorded,
    /// Since when it is open without interruption, or was before the last one.
    pub open_since: Timestamp,
    /// How often it was interrupted, and when it was last; `None`: never.
    pub interrupted: Option<(u32, Timestamp)>,
    /// Whether people moved its end later.
    pub extended: bool,
    /// What was narrowed of it.
    pub narrowed: Narrowed,
}

/// What the journal says of how an opening was narrowed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Narrowed {
    /// What it allows since; `None`: all that it was opened with.
    pub policy: Option<Box<EffectivePolicy>>,
    /// Why, for people.
    pub message: Option<String>,
    /// The digest of what stood when that was last written down.
    pub stood: Option<String>,
    /// How often that was written down, and when it was last; `None`: never.
    pub written: Option<(u32, Timestamp)>,
}

/// Where an opening stands by the journal.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Recorded {
    /// It was opened.
    Open,
    /// Access was closed for the time being.
    Suspended {
        /// Why.
        reason: RecordReason,
        /// When.
        at: Timestamp,
    },
    /// It was closed.
    Closed {
        /// Why.
        reason: RecordReason,
        /// When.
        at: Timestamp,
    },
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
        self.apply(record).ok_or(Broken::Senseless { sequence })?;
        self.head = Some(record_digest(record));
        self.next = sequence.saturating_add(1);
        self.requested.get_or_insert(record.at.0);
        self.newest = self.newest.max(Some(record.at.0));
        Ok(())
    }

    /// Applies what a record says; `None` where it makes no sense.
    fn apply(&mut self, record: &GrantRecordSpec) -> Option<()> {
        match record.event {
            RecordEvent::Opened => self.open(record)?,
            RecordEvent::Suspended => self.find(record)?.suspend(record),
            RecordEvent::Resumed => self.find(record)?.resume(record),
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
                opening.extended = true;
            }
            RecordEvent::Shortened => self.shorten(record)?,
            _ => {}
        }
        self.consents.take(record)
    }

    /// Opens a stage, or opens it again: the end that was recorded first stands, or an earlier one.
    fn open(&mut self, record: &GrantRecordSpec) -> Option<()> {
        let end = record.expires_at.as_ref()?.0;
        if let Some(opening) = self.find(record) {
            opening.go_on(record.at.0);
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
        self.openings.iter_mut().filter(is_meant).for_each(|opening| opening.end = opening.end.min(end));
        Some(())
    }

    /// The opening that a record speaks of.
    fn find(&mut self, record: &GrantRecordSpec) -> Option<&mut Opening> {
        let (stage, digest) = (record.stage?, record.digest.as_deref()?);
        self.openings.iter_mut().find(|opening| opening.stage == stage && opening.digest == digest)
    }
}

impl Opening {
    /// Takes that access was closed, for now or for good.
    fn interrupt(&mut self, state: Recorded, at: Timestamp) {
        if self.state == Recorded::Open {
            let before = self.interrupted.map_or(0, |(count, _)| count);
            self.interrupted = Some((before.saturating_add(1), at));
        }
        self.state = state;
    }

    /// Takes that access was closed for the time being.
    fn suspend(&mut self, record: &GrantRecordSpec) {
        let reason = record.reason.unwrap_or(RecordReason::Suspended);
        self.interrupt(Recorded::Suspended { reason, at: record.at.0 }, record.at.0);
        if record.stands.is_some() {
            self.narrowed.stood.clone_from(&record.stands);
        }
    }

    /// Takes that access was opened again, or that nothing is narrowed any more.
    fn resume(&mut self, record: &GrantRecordSpec) {
        if record.reason == Some(RecordReason::PolicyChanged) {
            self.narrow(record);
        }
        self.go_on(record.at.0);
    }

    /// Takes what it allows since.
    fn narrow(&mut self, record: &GrantRecordSpec) {
        let count = self.narrowed.written.map_or(0, |(count, _)| count);
        self.narrowed = Narrowed {
            policy: record.policy.clone().map(Box::new),
            message: record.message.clone(),
            stood: record.stands.clone(),
            written: Some((count.saturating_add(1), record.at.0)),
        };
    }

    /// Takes that it is open again.
    fn go_on(&mut self, at: Timestamp) {
        if self.state != Recorded::Open {
            self.open_since = at;
        }
        self.state = Recorded::Open;
    }

    /// Before when it isn't opened again, because it was interrupted so often; `None`: at once.
    ///
    /// Every interruption takes a record, and so does opening again. Closing never waits, so
    /// opening does: whoever turns a grant off and on in a loop doesn't fill the cluster's store.
    pub fn opens_again_at(&self) -> Option<Timestamp> {
        after_pause(self.interrupted?)
    }

    /// Before when it isn't written down again what it allows, because that was done so often; `None`:
    /// at once. What it allows follows at once all the same.
    pub fn narrowed_again_at(&self) -> Option<Timestamp> {
        after_pause(self.narrowed.written?)
    }

    /// Whether the journal says that it was closed.
    pub const fn is_closed(&self) -> bool {
        matches!(self.state, Recorded::Closed { .. })
    }

    /// Why it was closed, if it was.
    pub const fn closed_for(&self) -> Option<RecordReason> {
        match self.state {
            Recorded::Closed { reason, .. } => Some(reason),
            _ => None,
        }
    }
}

/// When the pause is over after something that happened so often, the last time then.
fn after_pause((count, last): (u32, Timestamp)) -> Option<Timestamp> {
    let beyond = count.checked_sub(INTERRUPTIONS_AT_ONCE)?.checked_sub(1)?;
    let pause = 2_i64.checked_pow(beyond).map_or(LONGEST_PAUSE, |seconds| seconds.min(LONGEST_PAUSE));
    Some(last.checked_add(SignedDuration::from_secs(pause)).unwrap_or(Timestamp::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUSPENDED: Recorded =
        Recorded::Suspended { reason: RecordReason::Suspended, at: Timestamp::UNIX_EPOCH };

    #[test]
    fn a_clock_that_was_set_back_past_the_newest_record_is_not_believed() {
        let at = |second| Timestamp::from_second(second).expect("in range");
        let journal = Journal { newest: Some(at(5000)), ..Journal::empty() };
        assert_eq!(journal.time(at(1400)), at(5000));
        assert_eq!(journal.time(at(5001)), at(5001));
        assert_eq!(Journal::empty().time(at(1400)), at(1400));
    }

    #[test]
    fn the_ninth_interruption_is_waited_for_and_each_after_it_twice_as_long_up_to_an_hour() {
        let mut opening = Opening {
            stage: Stage::Sandbox,
            digest: String::new(),
            namespace: String::new(),
            opened_at: Timestamp::UNIX_EPOCH,
            end: Timestamp::MAX,
            policy: Arc::default(),
            state: Recorded::Open,
            open_since: Timestamp::UNIX_EPOCH,
            interrupted: None,
            extended: false,
            narrowed: Narrowed::default(),
        };
        let mut waits = Vec::new();
        for _ in 0..70 {
            opening.interrupt(SUSPENDED, Timestamp::UNIX_EPOCH);
            opening.interrupt(SUSPENDED, Timestamp::MAX);
            waits.push(opening.opens_again_at().map(Timestamp::as_second));
            opening.go_on(Timestamp::UNIX_EPOCH);
        }
        assert_eq!(waits[..8], [None; 8]);
        assert_eq!(waits[8..12], [Some(1), Some(2), Some(4), Some(8)]);
        assert_eq!(waits[19..22], [Some(2048), Some(3600), Some(3600)]);
        assert_eq!(waits[69], Some(3600));
        opening.interrupt(SUSPENDED, Timestamp::MAX);
        assert_eq!(opening.opens_again_at(), Some(Timestamp::MAX), "what can't be told is never");
    }
}
