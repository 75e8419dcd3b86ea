//! What a grant says of its rehearsal. Pure.

use crate::api::condition::{ConditionType, Finding, Reason};
use crate::api::stage::Stage;
use crate::grant::decide::View;
use crate::journal::rehearsal::Shown;

/// Whether what is agreed now was tried; where nothing is, what was opened last.
pub(super) fn rehearsed(view: &View<'_>) -> Finding {
    let no = |reason, message: String| Finding::no(ConditionType::Rehearsed, reason, message);
    let Ok(journal) = view.journal else {
        return no(Reason::JournalBroken, "the journal can't be read".to_owned());
    };
    let agreement = view.outlook.agreement.as_ref().ok();
    let newest = journal.openings.iter().rev().find(|opening| opening.stage >= Stage::Rehearsal);
    let digest = agreement.map(|agreement| &agreement.digest).or(newest.map(|opening| &opening.digest));
    let Some(digest) = digest.filter(|digest| journal.opening(Stage::Rehearsal, digest).is_some()) else {
        return no(Reason::NotOpened, "it is tried once Rehearsal is open for what is agreed now".to_owned());
    };
    let require = agreement.map_or_else(Default::default, |agreement| agreement.rehearsal);
    match journal.rehearsals.shown(digest, require) {
        shown @ Shown::Passed(_) => Finding::yes(ConditionType::Rehearsed, shown.reason(), shown.to_string()),
        shown => no(shown.reason(), shown.to_string()),
    }
}
