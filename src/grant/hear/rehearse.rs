//! That somebody asks for another rehearsal of what stands. Pure.

use super::act::{Act, unheard};
use super::{Heard, Hearing, about, is_live};
use crate::api::condition::Reason;
use crate::api::record::RecordEvent;
use crate::api::stage::Stage;

impl Hearing<'_> {
    /// What is open at Rehearsal for just what is asked for now is tried again.
    pub(super) fn rehearse(&self, act: Act<'_>) -> Heard {
        let forum = self.forum()?;
        act.is_todays(forum.agreement)?;
        let digest = &forum.agreement.digest;
        let opening = self.journal.opening(Stage::Rehearsal, digest);
        if opening.is_none_or(|opening| !is_live(opening, self.now)) {
            let message = "Rehearsal isn't open for what is asked for now: it is rehearsed once it is";
            return unheard(Reason::NothingToDecide, message);
        }
        if self.journal.rehearsals.due(digest).is_some() {
            return unheard(Reason::NothingToDecide, "it is about to be rehearsed anyway");
        }
        let message = format!("{} asks for another rehearsal: {}", act.person, act.decision.spec.reason);
        Ok(about(RecordEvent::RehearsalRequested, Stage::Rehearsal, digest, message))
    }
}
