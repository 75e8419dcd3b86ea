//! What the journal says of one opening of a stage.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::api::effective::EffectivePolicy;
use crate::api::record::{GrantRecordSpec, RecordReason};
use crate::api::stage::Stage;
use crate::api::value::Duration;

/// After so many interruptions an opening is still opened again at once. Each one beyond doubles the
/// wait, from a second on.
pub const INTERRUPTIONS_AT_ONCE: u32 = 8;

/// The longest that an opening waits to be opened again, in seconds.
const LONGEST_PAUSE: i64 = 3600;

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
    /// When people last moved its end, later or earlier.
    pub moved_at: Option<Timestamp>,
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
    /// How reviews are asked for, and since when they are at least that soon, the oldest first: none is as soon
    /// as one after it. What else changes meanwhile doesn't put any of them off.
    pub reviewed: Vec<(Reviewed, Timestamp)>,
}

/// How often it has to be confirmed that an opening is still wanted, and how long the answer may take.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Reviewed {
    /// How often.
    pub every: SignedDuration,
    /// How long the answer may take; then access ends.
    pub grace: SignedDuration,
}

impl Reviewed {
    /// As a policy asks for it.
    pub(super) fn by(policy: &EffectivePolicy) -> Option<Self> {
        let reviews = policy.reviews.as_ref()?;
        // What can't be read is over at once.
        let length = |duration: &Duration| duration.length().unwrap_or_default();
        Some(Self { every: length(&reviews.every), grace: length(&reviews.grace) })
    }

    /// How long it takes until access ends where nobody ever answers.
    const fn lapse(self) -> SignedDuration {
        self.every.saturating_add(self.grace)
    }

    /// Whether whoever answers by this is never late by the other.
    fn is_as_soon_as(self, other: Self) -> bool {
        self.every <= other.every && self.lapse() <= other.lapse()
    }

    /// No sooner than either of two.
    fn eased(self, other: Self) -> Self {
        let (every, lapse) = (self.every.max(other.every), self.lapse().max(other.lapse()));
        Self { every, grace: lapse.saturating_sub(every) }
    }
}

impl Narrowed {
    /// Since when reviews are asked for, once they are asked for so; `None`: none are. What was asked for before
    /// is asked for still, as far as it is now: else one that can't be compared with it would put it off.
    fn reviewed_since(&self, asked: Option<Reviewed>, at: Timestamp) -> Vec<(Reviewed, Timestamp)> {
        let Some(asked) = asked else { return Vec::new() };
        let known = self.reviewed.iter().map(|(known, since)| (known.eased(asked), *since));
        let mut reviews: Vec<(Reviewed, Timestamp)> = Vec::new();
        // Oldest first: what is no sooner than one that is older says nothing new.
        for (review, since) in known.chain([(asked, at)]) {
            if !reviews.iter().any(|(older, _)| older.is_as_soon_as(review)) {
                reviews.push((review, since));
            }
        }
        reviews
    }
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

impl Opening {
    /// Takes that access was closed, for now or for good.
    pub(super) fn interrupt(&mut self, state: Recorded, at: Timestamp) {
        if self.state == Recorded::Open {
            let before = self.interrupted.map_or(0, |(count, _)| count);
            self.interrupted = Some((before.saturating_add(1), at));
        }
        self.state = state;
    }

    /// Takes that access was closed for the time being.
    pub(super) fn suspend(&mut self, record: &GrantRecordSpec) {
        let reason = record.reason.unwrap_or(RecordReason::Suspended);
        self.interrupt(Recorded::Suspended { reason, at: record.at.0 }, record.at.0);
        if record.stands.is_some() {
            self.narrowed.stood.clone_from(&record.stands);
        }
    }

    /// Takes that access was opened again, or that nothing is narrowed any more; `None` where it was closed
    /// for good.
    pub(super) fn resume(&mut self, record: &GrantRecordSpec) -> Option<()> {
        if record.reason == Some(RecordReason::PolicyChanged) {
            self.narrow(record);
        }
        self.go_on(record.at.0)
    }

    /// Takes what it allows since.
    pub(super) fn narrow(&mut self, record: &GrantRecordSpec) {
        let count = self.narrowed.written.map_or(0, |(count, _)| count);
        let reviewed =
            self.narrowed.reviewed_since(record.policy.as_ref().and_then(Reviewed::by), record.at.0);
        self.narrowed = Narrowed {
            reviewed,
            policy: record.policy.clone().map(Box::new),
            message: record.message.clone(),
            stood: record.stands.clone(),
            written: Some((count.saturating_add(1), record.at.0)),
        };
    }

    /// Takes that it is open again; `None` where it was closed for good.
    pub(super) fn go_on(&mut self, at: Timestamp) -> Option<()> {
        if self.closed_for().is_some_and(|reason| !reason.can_reopen()) {
            return None;
        }
        if self.state != Recorded::Open {
            self.open_since = at;
        }
        self.state = Recorded::Open;
        Some(())
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
pub(super) fn after_pause((count, last): (u32, Timestamp)) -> Option<Timestamp> {
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
            moved_at: None,
            narrowed: Narrowed::default(),
        };
        let mut waits = Vec::new();
        for _ in 0..70 {
            opening.interrupt(SUSPENDED, Timestamp::UNIX_EPOCH);
            opening.interrupt(SUSPENDED, Timestamp::MAX);
            waits.push(opening.opens_again_at().map(Timestamp::as_second));
            opening.go_on(Timestamp::UNIX_EPOCH).expect("it was closed for now");
        }
        assert_eq!(waits[..8], [None; 8]);
        assert_eq!(waits[8..12], [Some(1), Some(2), Some(4), Some(8)]);
        assert_eq!(waits[19..22], [Some(2048), Some(3600), Some(3600)]);
        assert_eq!(waits[69], Some(3600));
        opening.interrupt(SUSPENDED, Timestamp::MAX);
        assert_eq!(opening.opens_again_at(), Some(Timestamp::MAX), "what can't be told is never");
    }

    #[test]
    fn a_review_that_cant_be_compared_with_the_one_before_puts_it_off_no_further_than_it_asks() {
        let hours = SignedDuration::from_hours;
        let asks = |every, grace| Reviewed { every: hours(every), grace: hours(grace) };
        let at = |hour| Timestamp::UNIX_EPOCH + hours(hour);
        let mut narrowed = Narrowed::default();
        for (asked, hour) in [(asks(10, 30), 0), (asks(20, 5), 9), (asks(10, 30), 12), (asks(20, 5), 14)] {
            narrowed.reviewed = narrowed.reviewed_since(Some(asked), at(hour));
        }
        // Every twenty hours and forty to answer in all: what both ask for was asked for from the first.
        assert_eq!(narrowed.reviewed, [(asks(20, 20), at(0)), (asks(20, 5), at(14))]);
        assert_eq!(narrowed.reviewed_since(Some(asks(50, 0)), at(20)), [(asks(50, 0), at(0))]);
        assert_eq!(narrowed.reviewed_since(None, at(20)), []);
    }
}
