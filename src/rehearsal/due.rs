//! Whether something has to be rehearsed, by what people wrote and the journal. Pure; no status is believed.

use jiff::Timestamp;

use crate::api::PartnerGrant;
use crate::api::stage::Stage;
use crate::journal::wanted::GrantFacts;
use crate::journal::{Journal, Opening};
use crate::policy::standing::Outlook;
use crate::policy::{Agreement, StageTerms};

/// A rehearsal that nobody has done yet.
#[derive(Clone, Copy, Debug)]
pub struct Due<'a> {
    /// What is open, and has to be rehearsed.
    pub opening: &'a Opening,
    /// The number of the record that asks for it.
    pub cause: i64,
    /// What is agreed: of this, and of nothing else, it is a rehearsal.
    pub agreement: &'a Agreement,
    /// What it allows.
    pub terms: &'a StageTerms,
}

/// The rehearsal of a grant that is due. What is open for something else than what is agreed now isn't
/// rehearsed: it leads nowhere any more.
pub fn due<'a>(
    grant: &PartnerGrant,
    journal: &'a Journal,
    outlook: &'a Outlook,
    now: Timestamp,
) -> Option<Due<'a>> {
    let facts = GrantFacts {
        ceiling: grant.spec.stage,
        suspended: grant.spec.suspend,
        deleting: grant.metadata.deletion_timestamp.is_some(),
    };
    let is_closed = facts.suspended || facts.deleting || facts.ceiling < Stage::Rehearsal;
    if is_closed || journal.ended.is_some() || journal.consents.quarantined.is_some() {
        return None;
    }
    let agreement = outlook.agreement.as_ref().ok()?;
    let opening = journal.opening(Stage::Rehearsal, &agreement.digest)?;
    let cause = journal.rehearsal_due(opening).filter(|_| now < opening.end)?;
    let terms = agreement.stages.get(&Stage::Rehearsal)?;
    Some(Due { opening, cause, agreement, terms })
}
