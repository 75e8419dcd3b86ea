//! What a rehearsal showed that isn't in the journal yet. Pure.

use super::{Records, Step, View, record};

/// Takes the report that a rehearsal came to, whatever it shows. One that nobody asked for, or that is of
/// something else than its name says, is none.
pub(super) fn rehearsed(view: &View<'_>) -> Option<Step> {
    let journal = view.journal.as_ref().ok()?;
    if view.records != Records::Writable || view.facts.deleting || journal.ended.is_some() {
        return None;
    }
    let told = journal.openings.iter().find_map(|opening| {
        let cause = journal.rehearsal_due(opening)?;
        view.told.iter().find(|told| told.taken.cause == cause && told.digest == opening.digest)
    });
    told.map(|told| record(told.entry()))
}
