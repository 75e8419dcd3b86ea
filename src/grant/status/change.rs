//! What changed under a grant since something was opened: what was lost, and what waits. Pure.

use crate::api::condition::cut;
use crate::api::grant::PendingChange;
use crate::api::value::Line;
use crate::grant::decide::{Place, View};
use crate::grant::gate::next_stage;
use crate::journal::Opening;
use crate::journal::remains::Remains;
use crate::policy::lattice::{Change, diff};

/// How many changes are told of, and how much of each.
const TOLD: usize = 32;
const LENGTH: usize = 256;

/// What is lost of an opening, for people; nothing, where all that was agreed to is allowed.
pub(super) fn narrowed(place: &Place<'_>) -> Vec<Line> {
    let (Some(opening), Remains::Narrowed { policy, until }) = (place.opening, place.remains) else {
        return Vec::new();
    };
    let sooner = (*until < opening.end).then(|| format!("open until: {} → {until}", opening.end));
    let lost = diff(Some(&opening.policy), Some(policy));
    told(lost.iter().map(Change::to_string).chain(sooner))
}

/// What stands and isn't given, because nobody agreed to it yet; `None`: nothing.
pub(super) fn pending(view: &View<'_>, open: &[&Opening]) -> Option<PendingChange> {
    let (Ok(agreement), Ok(journal)) = (&view.outlook.agreement, view.journal) else { return None };
    let live = open.last().filter(|live| live.digest != agreement.digest)?;
    let place = view.places.iter().find(|place| place.namespace == live.namespace)?;
    let terms = agreement.stages.get(&live.stage)?;
    let longer = live.opened_at.checked_add(terms.duration).is_ok_and(|end| end > live.end);
    let longer = (longer && live.end < agreement.not_after)
        .then(|| format!("{} open for {:#} once it is opened anew", live.stage, terms.duration));
    let wider = diff(Some(place.remains.policy(live)), Some(&terms.policy));
    let wider = wider.iter().filter(|change| change.effect.gains());
    let changes = told(wider.map(Change::to_string).chain(longer));
    let next = next_stage(journal, agreement, view.facts.ceiling).filter(|_| !changes.is_empty())?;
    Some(PendingChange { digest: agreement.digest.clone(), next, changes })
}

/// The changes as a status tells of them: each in one line, whatever somebody wrote into a contract.
fn told(changes: impl Iterator<Item = String>) -> Vec<Line> {
    let line = |text: String| cut(&text.replace(char::is_control, " "), LENGTH);
    changes.take(TOLD).map(|text| Line(line(text))).collect()
}
