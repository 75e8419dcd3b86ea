//! What people decided that isn't in the journal yet: which of it is written down next. Pure.

use jiff::Timestamp;
use kube::ResourceExt as _;

use super::{Records, Step, View, record};
use crate::api::GrantDecision;
use crate::api::decision::DecisionAction;
use crate::grant::foresee::closes;
use crate::grant::hear::Hearing;
use crate::journal::append::Entry;
use crate::journal::wanted::review_lapses_at;

/// What people decided and isn't in the journal yet.
#[derive(Default)]
pub(super) struct Heard {
    /// What closes most: a quarantine, else what ends soonest. Once that is taken, the rest may be moot.
    pub closing: Option<Entry>,
    /// The first of all others.
    pub other: Option<Entry>,
    /// How many were heard for that.
    pub count: u64,
    /// When one that merely waits has its turn.
    pub again: Option<Timestamp>,
}

/// Hears what people decided. A grant that is being deleted has heard enough: its end waits for nobody's
/// record.
pub(super) fn heard(view: &View<'_>) -> Heard {
    let mut heard = Heard::default();
    let hearing = view.hearing().filter(|_| view.records == Records::Writable && !view.facts.deleting);
    let Some(hearing) = hearing else { return heard };
    let unheard = view.decisions.iter().filter(|decision| is_unheard(view, &hearing, decision));
    for decision in unheard {
        let place = if closes(decision) { &mut heard.closing } else { &mut heard.other };
        if !closes(decision) && place.is_some() {
            continue;
        }
        heard.count += 1;
        match hearing.hear(decision) {
            Ok(entry) if place.as_ref().is_none_or(|known| entry.end < known.end) => *place = Some(entry),
            Ok(_) => {}
            Err(unheard) => heard.again = heard.again.into_iter().chain(unheard.until).min(),
        }
    }
    heard
}

/// That somebody answered in time a review that has lapsed since, where nobody was there to write it down:
/// what was answered ends nothing.
pub(super) fn answered(view: &View<'_>) -> Option<Entry> {
    let hearing = view.hearing().filter(|_| view.records == Records::Writable && !view.facts.deleting)?;
    let open = hearing.journal.openings.iter().filter(|opening| !opening.is_closed());
    let lapses = open.filter_map(|opening| review_lapses_at(opening, hearing.journal));
    let lapse = lapses.filter(|lapse| *lapse <= view.now).min()?;
    let answers = view.decisions.iter().filter(|decision| {
        let is_in_time = decision.creation_timestamp().is_some_and(|made| made.0 < lapse);
        decision.spec.action == DecisionAction::Attest && is_in_time && is_unheard(view, &hearing, decision)
    });
    answers.into_iter().find_map(|decision| hearing.hear(decision).ok())
}

/// Whether a decision isn't in the journal yet, and can be written there as far as is known.
fn is_unheard(view: &View<'_>, hearing: &Hearing<'_>, decision: &GrantDecision) -> bool {
    let is_refused = decision.uid().is_some_and(|uid| view.refused.contains(&uid));
    hearing.record_of(decision).is_none() && !is_refused
}

/// What follows from what people decided: an end that enough of them agreed to move.
pub(super) fn extended(view: &View<'_>) -> Option<Step> {
    let hearing = view.hearing().filter(|_| view.records == Records::Writable && !view.facts.deleting)?;
    hearing.extension().map(record)
}
