//! The review of an opening: until when somebody has to confirm that it is still wanted, and who may. Pure.

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::picture::Picture;
use super::words::roles_to_decide;
use crate::api::decision::DecisionAction;
use crate::journal::Opening;
use crate::journal::wanted::review_lapses_at;

/// How long before it lapses somebody is told that a review waits: as long as the alert `ComityReviewDue` does.
const SOON: SignedDuration = SignedDuration::from_hours(7 * 24);

/// A review that nobody has answered yet.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Review {
    /// When access is closed unless somebody confirms before that.
    pub(super) lapses_at: Timestamp,
    /// Whether that is within a week.
    pub(super) is_soon: bool,
    /// Why who asks may not confirm it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) you_may_not: Option<String>,
}

impl Review {
    /// The review of an opening; `None` where there is none, or where its end comes first.
    pub(super) fn of(picture: &Picture<'_>, opening: &Opening) -> Option<Self> {
        let journal = picture.sound_journal()?;
        let is_over = opening.is_closed() || journal.ended.is_some() || picture.now >= opening.end;
        let lapses = review_lapses_at(opening, journal).filter(|_| !is_over);
        let lapses_at = lapses.filter(|lapses| *lapses < opening.end && picture.now < *lapses)?;
        let person = &picture.reading.identity.name;
        let asks = picture.forum().is_some_and(|forum| forum.asks(person));
        Some(Self {
            lapses_at,
            is_soon: lapses_at.duration_since(picture.now) <= SOON,
            you_may_not: asks
                .then(|| format!("{person} asks for this grant, so somebody else has to confirm it")),
        })
    }
}

/// Who confirms that a grant is still wanted, and how.
pub(super) fn who_confirms(namespace: &str, name: &str, program: &str) -> String {
    let roles = roles_to_decide(DecisionAction::Attest).join(" or ");
    format!(
        "by whoever may attest it ({roles}) and doesn't ask for it: {program} attest {name} --namespace {namespace}"
    )
}
