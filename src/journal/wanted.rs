//! What every opening should be now: open, held, or closed. `comity run` acts on it and
//! `comity sign` signs by it, each from its own reading of the journal and the operands.

use std::collections::BTreeSet;
use std::ops::Bound;

use jiff::{SignedDuration, Timestamp};

use super::opening::Reviewed;
use super::remains::{Remains, is_lost};
use super::{Journal, Opening, Recorded};
use crate::api::contract::AfterPromotion;
use crate::api::record::RecordReason;
use crate::api::stage::Stage;
use crate::policy::standing::Outlook;

/// How long the namespace of an opening is kept of which nothing is left, since it may come back.
pub const KEPT_FOR: SignedDuration = SignedDuration::from_hours(24);

/// What matters of a grant's own fields.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct GrantFacts {
    /// How far the partner may come.
    pub ceiling: Stage,
    /// Whether access is closed for the time being.
    pub suspended: bool,
    /// Whether the grant is being deleted.
    pub deleting: bool,
}

/// What an opening should be now.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Wanted {
    /// It can be used.
    Open,
    /// Nobody can use it; its namespace and its end stay.
    Held(RecordReason),
    /// It is closed for good, or until `spec.stage` is raised again.
    Closed(RecordReason),
}

/// What an opening is looked at by.
#[derive(Clone, Copy)]
pub struct Circumstances<'a> {
    /// What the journal says.
    pub journal: &'a Journal,
    /// What the grant itself says.
    pub facts: GrantFacts,
    /// What everything that it depends on comes to.
    pub outlook: &'a Outlook,
    /// Whether an opening has all that it is made of, so that what it takes over from can go.
    pub is_complete: &'a dyn Fn(&Opening) -> bool,
    /// The time.
    pub now: Timestamp,
}

impl Circumstances<'_> {
    /// What an opening should be of which this much is left.
    pub fn wanted(&self, opening: &Opening, remains: &Remains) -> Wanted {
        let closing = self.closing_reason(opening).or_else(|| self.giving_way_reason(opening));
        if let Some(reason) = closing {
            return Wanted::Closed(reason);
        }
        match self.holding_reason(remains) {
            None => Wanted::Open,
            Some(reason) if reason.is_loss() && self.is_kept_no_longer(opening) => Wanted::Closed(reason),
            Some(reason) => Wanted::Held(reason),
        }
    }

    /// Why an opening is over, whatever the contract says now.
    fn closing_reason(&self, opening: &Opening) -> Option<RecordReason> {
        if let Recorded::Closed { reason, .. } = opening.state
            && !reason.can_reopen()
        {
            return Some(reason);
        }
        if self.now >= opening.end {
            return Some(RecordReason::Expired);
        }
        if review_lapses_at(opening, self.journal).is_some_and(|lapse| lapse <= self.now) {
            return Some(RecordReason::ReviewLapsed);
        }
        if self.facts.deleting {
            return Some(RecordReason::Deleted);
        }
        if self.journal.ended.is_some() {
            return Some(RecordReason::NothingLeft);
        }
        (opening.stage > self.facts.ceiling).then_some(RecordReason::Demoted)
    }

    /// Why an opening gives way to one that came after it.
    fn giving_way_reason(&self, opening: &Opening) -> Option<RecordReason> {
        // What is closed doesn't come back beside what was opened for it since, complete or not.
        let mut after = self.journal.after(opening).filter(|later| later.stage == opening.stage);
        if opening.is_closed() && after.any(|later| self.lives(later)) {
            return Some(RecordReason::Superseded);
        }
        if gives_way_at(opening, self.journal, self.outlook, &|later| self.serves(later))
            .is_some_and(|at| at <= self.now)
        {
            return Some(RecordReason::Superseded);
        }
        // What was closed doesn't come back because the contract says since that it would have stayed.
        if gave_way(opening, self.journal, self.facts.ceiling) {
            return Some(RecordReason::Promoted);
        }
        let terms = self.outlook.terms(opening.stage);
        if terms.is_some_and(|terms| terms.after_promotion == AfterPromotion::Keep) {
            return None;
        }
        let mut later = self.journal.after(opening).filter(|later| later.stage > opening.stage);
        later.any(|later| self.serves(later)).then_some(RecordReason::Promoted)
    }

    /// Whether an opening is one that the partner works in, or could but for what holds all of them.
    fn serves(&self, opening: &Opening) -> bool {
        opening.stage <= self.facts.ceiling && self.lives(opening) && (self.is_complete)(opening)
    }

    /// Whether an opening isn't over.
    fn lives(&self, opening: &Opening) -> bool {
        opening.closed_for().is_none_or(RecordReason::can_reopen) && self.now < opening.end
    }

    /// Why nobody may use an opening for the time being.
    fn holding_reason(&self, remains: &Remains) -> Option<RecordReason> {
        if self.journal.consents.quarantined.is_some() {
            return Some(RecordReason::Quarantined);
        }
        if self.facts.suspended {
            return Some(RecordReason::Suspended);
        }
        match remains {
            Remains::Agreed => None,
            Remains::Nothing(reason) => Some(*reason),
            Remains::Narrowed { policy, until } => {
                let begun = policy.time.not_before.as_ref().is_none_or(|begin| begin.0 <= self.now);
                (!begun || *until <= self.now).then_some(RecordReason::PolicyChanged)
            }
        }
    }

    /// Whether nothing is left of an opening for so long that its namespace goes too.
    fn is_kept_no_longer(&self, opening: &Opening) -> bool {
        kept_until(opening).is_some_and(|until| until <= self.now)
    }
}

/// Until when the namespace of an opening is kept of which nothing is left; `None`: something is, as
/// far as the journal knows.
pub fn kept_until(opening: &Opening) -> Option<Timestamp> {
    match opening.state {
        Recorded::Suspended { at, .. } if is_lost(opening) => {
            Some(at.checked_add(KEPT_FOR).unwrap_or(opening.end))
        }
        Recorded::Closed { at, .. } if is_lost(opening) => Some(at),
        _ => None,
    }
}

/// When an opening gives way to one of its stage that was opened after it, for what was agreed since,
/// and `serves` now; `None`: there is none.
pub fn gives_way_at(
    opening: &Opening,
    journal: &Journal,
    outlook: &Outlook,
    serves: &dyn Fn(&Opening) -> bool,
) -> Option<Timestamp> {
    let mut later = journal.after(opening).filter(|later| later.stage == opening.stage);
    let heir = later.find(|later| serves(later))?;
    // How long both stay was agreed to with the heir: what the contract says since has no say in it.
    let agreed = outlook.terms(opening.stage).filter(|_| outlook.digest() == Some(heir.digest.as_str()));
    let overlap = agreed.map(|terms| terms.overlap).unwrap_or_default();
    Some(heir.opened_at.checked_add(overlap).unwrap_or(opening.end))
}

/// When an opening ends because nobody has confirmed that it is still wanted; `None`: never.
pub fn review_lapses_at(opening: &Opening, journal: &Journal) -> Option<Timestamp> {
    lapses_at(opening, &journal.consents.attested)
}

/// The same, if it was confirmed whenever `answers` says. What was asked for since it was opened counts from
/// when that was first written down, whatever else changed after it.
pub fn lapses_at(opening: &Opening, answers: &BTreeSet<Timestamp>) -> Option<Timestamp> {
    let agreed = Reviewed::by(&opening.policy).map(|asked| (asked, opening.opened_at));
    let since =
        opening.narrowed.reviewed.iter().map(|(asked, since)| (*asked, opening.opened_at.max(*since)));
    let reviews = agreed.into_iter().chain(since);
    reviews.map(|(asked, since)| review_lapses(asked, since, opening, answers)).min()
}

/// When the review after the last answer lapses: answered in time, the next is due so long after that;
/// answered late, when it would have been, had it been answered in time.
fn review_lapses(
    asked: Reviewed,
    since: Timestamp,
    opening: &Opening,
    answers: &BTreeSet<Timestamp>,
) -> Timestamp {
    let after = |moment: Timestamp, span| moment.checked_add(span).unwrap_or(opening.end);
    let answers = answers.range((Bound::Excluded(since), Bound::Unbounded));
    let begins = answers.fold(since, |begins, answered| after(begins, asked.every).min(*answered));
    after(after(begins, asked.every), asked.grace)
}

/// Whether an opening was closed because a later stage, which the grant still reaches to, took
/// over. It stays closed when that one has its end: nobody asked for it to come back.
pub fn gave_way(opening: &Opening, journal: &Journal, ceiling: Stage) -> bool {
    opening.closed_for() == Some(RecordReason::Promoted)
        && journal.openings.iter().any(|later| later.stage > opening.stage && later.stage <= ceiling)
}
