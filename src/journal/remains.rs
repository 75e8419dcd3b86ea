//! What is left of an opening: what was agreed to, met with everything as it stands now. Pure.
//!
//! What was agreed to is in the record that opened it. Whatever becomes narrower since is lost at
//! once; whatever becomes wider is given by another opening only, that people agree to (promise P4).

use jiff::{SignedDuration, Timestamp};

use super::{Opening, Recorded};
use crate::api::effective::EffectivePolicy;
use crate::api::record::RecordReason;
use crate::policy::standing::Outlook;
use crate::policy::{StageTerms, lattice};

/// What is lost where an opening and its end are each written in whole seconds.
const ROUNDING: SignedDuration = SignedDuration::from_secs(1);

/// What is left of an opening.
#[derive(Clone, Debug, PartialEq)]
pub enum Remains {
    /// All of it.
    Agreed,
    /// Less of it.
    Narrowed {
        /// What is still allowed.
        policy: Box<EffectivePolicy>,
        /// Until when anything is: its own end, or sooner.
        until: Timestamp,
    },
    /// Nothing, and why.
    Nothing(RecordReason),
}

impl Remains {
    /// What is allowed of an opening; what it was opened with, where nothing is.
    pub fn policy<'a>(&'a self, opening: &'a Opening) -> &'a EffectivePolicy {
        match self {
            Self::Narrowed { policy, .. } => policy,
            Self::Agreed | Self::Nothing(_) => &opening.policy,
        }
    }

    /// Until when an opening can be used: its end at the latest.
    pub fn until(&self, opening: &Opening) -> Timestamp {
        match self {
            Self::Narrowed { until, .. } => opening.end.min(*until),
            Self::Agreed | Self::Nothing(_) => opening.end,
        }
    }
}

/// What is left of `opening`, as everything stands.
pub fn remains(opening: &Opening, outlook: &Outlook) -> Remains {
    let gone =
        if outlook.agreement.is_ok() { RecordReason::PolicyChanged } else { RecordReason::NotAccepted };
    let Some(terms) = outlook.terms(opening.stage) else { return Remains::Nothing(gone) };
    let until = latest_end(opening, terms);
    let is_todays = outlook.digest() == Some(opening.digest.as_str());
    if is_todays && opening.end > until {
        // Whoever wrote a record that gives more time than is agreed, it isn't what was agreed.
        return Remains::Nothing(gone);
    }
    // Nor is one that gives anything else: of that only what stands is left, as of any other.
    if is_todays && says_the_same(&opening.policy, &terms.policy) {
        return Remains::Agreed;
    }
    let Some(shown_until) = shown_until(opening, outlook) else { return Remains::Nothing(gone) };
    if !is_todays && !may_go_on(opening, outlook) {
        return Remains::Nothing(gone);
    }
    let until = until.min(shown_until);
    // A meet that no object could hold would never be in force.
    let met = lattice::meet(Some(&opening.policy), Some(&terms.policy)).filter(EffectivePolicy::fits);
    let Some(policy) = met else { return Remains::Nothing(RecordReason::PolicyChanged) };
    if opening.end <= until && !lattice::compare(Some(&opening.policy), Some(&policy)).loses() {
        return Remains::Agreed;
    }
    Remains::Narrowed { policy: Box::new(policy), until }
}

/// What was closed because nothing was left comes back only with what stood before; anything else
/// that stands now is for people to agree to.
fn may_go_on(opening: &Opening, outlook: &Outlook) -> bool {
    !is_lost(opening)
        || opening.narrowed.stood.as_deref().is_some_and(|stood| outlook.digest() == Some(stood))
}

/// Whether the journal says that an opening was closed because nothing was left of it.
pub fn is_lost(opening: &Opening) -> bool {
    match opening.state {
        Recorded::Open => false,
        Recorded::Suspended { reason, .. } | Recorded::Closed { reason, .. } => reason.is_loss(),
    }
}

/// Whether two policies of one digest say the same. A contract that was made again as it was has another
/// UID, and the digest doesn't tell them apart; `comity sign` goes by the one that stands.
fn says_the_same(opened: &EffectivePolicy, stands: &EffectivePolicy) -> bool {
    opened == stands
        || *stands == EffectivePolicy { contract_uid: stands.contract_uid.clone(), ..opened.clone() }
}

/// Until when the partner has shown the controls that were asked for when it was opened, whatever the
/// contract asks for since; `None`: one isn't there.
fn shown_until(opening: &Opening, outlook: &Outlook) -> Option<Timestamp> {
    let required = opening.policy.security.required_controls.iter();
    let shown = required.map(|name| outlook.controls.get(name.as_str()).copied());
    shown.collect::<Option<Vec<_>>>().map(|shown| shown.into_iter().min().unwrap_or(Timestamp::MAX))
}

/// The latest moment until which a stage may be open that was opened then.
fn latest_end(opening: &Opening, terms: &StageTerms) -> Timestamp {
    let longest = if opening.extended { terms.ceiling } else { terms.duration };
    let longest = longest.checked_add(ROUNDING);
    let latest = longest.and_then(|longest| opening.opened_at.checked_add(longest).ok());
    latest.map_or(opening.opened_at, |latest| latest.min(terms.policy.time.not_after.0))
}
