//! What every opening should be now: open, held, or closed. `comity run` acts on it and
//! `comity sign` signs by it, each from its own reading of the journal and the operands.

use jiff::{SignedDuration, Timestamp};

use super::{Journal, Opening, Recorded};
use crate::api::contract::AfterPromotion;
use crate::api::record::RecordReason;
use crate::api::stage::Stage;
use crate::api::value::Duration;
use crate::policy::{Agreement, Problem};

/// What is lost where an opening and its end are each written in whole seconds.
const ROUNDING: SignedDuration = SignedDuration::from_secs(1);

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

/// What `opening` should be at `now`. `is_complete` says whether an opening has all that it is
/// made of, so that the stage before it can go.
pub fn wanted(
    opening: &Opening,
    journal: &Journal,
    facts: GrantFacts,
    agreement: &Result<Agreement, Vec<Problem>>,
    is_complete: &dyn Fn(&Opening) -> bool,
    now: Timestamp,
) -> Wanted {
    if let Some(reason) = closing_reason(opening, journal, facts, now) {
        return Wanted::Closed(reason);
    }
    if is_superseded(opening, journal, facts, agreement, is_complete, now) {
        return Wanted::Closed(RecordReason::Promoted);
    }
    holding_reason(opening, journal, facts, agreement).map_or(Wanted::Open, Wanted::Held)
}

/// Why an opening is over, whatever the contract says now.
fn closing_reason(
    opening: &Opening,
    journal: &Journal,
    facts: GrantFacts,
    now: Timestamp,
) -> Option<RecordReason> {
    if let Recorded::Closed { reason, .. } = opening.state
        && !reason.can_reopen()
    {
        return Some(reason);
    }
    if now >= opening.end {
        return Some(RecordReason::Expired);
    }
    if review_lapses_at(opening, journal).is_some_and(|lapse| lapse <= now) {
        return Some(RecordReason::ReviewLapsed);
    }
    if facts.deleting {
        return Some(RecordReason::Deleted);
    }
    if journal.ended.is_some() {
        return Some(RecordReason::NothingLeft);
    }
    (opening.stage > facts.ceiling).then_some(RecordReason::Demoted)
}

/// When an opening ends because nobody has confirmed that it is still wanted; `None`: never. A length
/// that can't be read is none at all.
pub fn review_lapses_at(opening: &Opening, journal: &Journal) -> Option<Timestamp> {
    let reviews = opening.policy.reviews.as_ref()?;
    let last = journal.consents.attested_at.map_or(opening.opened_at, |last| last.max(opening.opened_at));
    let length = |duration: &Duration| duration.length().unwrap_or_default();
    let due = last.checked_add(length(&reviews.every)).unwrap_or(opening.end);
    Some(due.checked_add(length(&reviews.grace)).unwrap_or(opening.end))
}

/// Whether a later stage has taken over.
fn is_superseded(
    opening: &Opening,
    journal: &Journal,
    facts: GrantFacts,
    agreement: &Result<Agreement, Vec<Problem>>,
    is_complete: &dyn Fn(&Opening) -> bool,
    now: Timestamp,
) -> bool {
    let terms = agreement.as_ref().ok().and_then(|agreement| agreement.stages.get(&opening.stage));
    if terms.is_some_and(|terms| terms.after_promotion == AfterPromotion::Keep) {
        return false;
    }
    gave_way(opening, journal, facts.ceiling)
        || journal.openings.iter().any(|later| {
            later.stage > opening.stage
                && later.stage <= facts.ceiling
                && later.closed_for().is_none_or(RecordReason::can_reopen)
                && now < later.end
                && is_complete(later)
        })
}

/// Whether an opening was closed because a later stage, which the grant still reaches to, took
/// over. It stays closed when that one has its end: nobody asked for it to come back.
pub fn gave_way(opening: &Opening, journal: &Journal, ceiling: Stage) -> bool {
    opening.closed_for() == Some(RecordReason::Promoted)
        && journal.openings.iter().any(|later| later.stage > opening.stage && later.stage <= ceiling)
}

/// Why nobody may use an opening for the time being.
fn holding_reason(
    opening: &Opening,
    journal: &Journal,
    facts: GrantFacts,
    agreement: &Result<Agreement, Vec<Problem>>,
) -> Option<RecordReason> {
    if journal.consents.quarantined.is_some() {
        return Some(RecordReason::Quarantined);
    }
    if facts.suspended {
        return Some(RecordReason::Suspended);
    }
    match agreement {
        Err(_) => Some(RecordReason::NotAccepted),
        Ok(agreement) if agreement.digest != opening.digest => Some(RecordReason::PolicyChanged),
        Ok(agreement) if !is_agreed(opening, agreement) => Some(RecordReason::PolicyChanged),
        Ok(_) => None,
    }
}

/// Whether an opening gives its stage no more time than is agreed, whoever wrote its record.
fn is_agreed(opening: &Opening, agreement: &Agreement) -> bool {
    let Some(terms) = agreement.stages.get(&opening.stage) else { return false };
    let longest = if opening.extended { terms.ceiling } else { terms.duration };
    let longest = longest.checked_add(ROUNDING);
    let latest = longest.and_then(|longest| opening.opened_at.checked_add(longest).ok());
    latest.is_some_and(|latest| opening.end <= latest) && opening.end <= agreement.not_after
}
