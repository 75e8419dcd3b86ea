//! Pods that run although less is allowed than when they were let in: when they are looked at. Pure.
//!
//! Only a place of which less is allowed to pods than was agreed to has any, so no other is looked at.
//! Once the guard is narrower, it lets none in that isn't allowed. What it let in before is looked for
//! then, and again a little later, since the API server learns of the narrower policy a moment late.

use jiff::{SignedDuration, Timestamp};

use super::close::has_failed;
use super::{Place, Step, View};
use crate::api::contract::NarrowedPods;
use crate::api::effective::EffectivePolicy;
use crate::api::record::RecordReason;
use crate::api::stage_policy::StagePolicySpec;
use crate::grant::build::confinement::guard;
use crate::grant::check::NamespaceStanding;
use crate::grant::weigh::Weighed;
use crate::journal::Opening;
use crate::journal::remains::Remains;
use crate::journal::wanted::Wanted;
use crate::plan::objects::Kind;

/// How soon after the record that says what is still allowed pods are looked at that are merely named.
pub const NAMED_AFTER: SignedDuration = SignedDuration::from_secs(5);

/// What pods of an opening are held to. It doesn't say whose they are: that never changes.
pub fn held_to(policy: &EffectivePolicy, opening: &Opening) -> StagePolicySpec {
    guard(policy, "", opening.stage)
}

/// Looks at the pods of a place, where it is time for it and this is what becomes of those that aren't
/// allowed.
pub(super) fn weigh(view: &View<'_>, fate: NarrowedPods) -> Option<Step> {
    let is_due = |place: &&Place<'_>| {
        policy(place).is_some_and(|policy| policy.unlawful_pods() == fate)
            && weighed_at(view, place).is_some_and(|due| due <= view.now)
    };
    let due = view.places.iter().find(is_due)?;
    Some(Step::Weigh(due.namespace.to_owned()))
}

/// What is left of the policy of a place, where that is less.
fn policy<'a>(place: &Place<'a>) -> Option<&'a EffectivePolicy> {
    match place.remains {
        Remains::Narrowed { policy, .. } => Some(policy),
        Remains::Agreed | Remains::Nothing(_) => None,
    }
}

/// When the pods of a place are looked at; `None`: not, as everything stands.
pub(super) fn weighed_at(view: &View<'_>, place: &Place<'_>) -> Option<Timestamp> {
    let (opening, policy) = (place.opening?, policy(place)?);
    let against = held_to(policy, opening);
    let is_concerned = against != held_to(&opening.policy, opening);
    if !is_concerned || !is_guarded(place) || has_failed(view, place) || !may_run(view, place) {
        return None;
    }
    match view.weighed.get(place.namespace) {
        Some(known) if known.against == against => known.again(),
        _ if policy.unlawful_pods() == NarrowedPods::Delete => Some(view.now),
        _ => Some(first_named_at(opening, policy).unwrap_or(view.now)),
    }
}

/// When pods are looked at first that are merely named: soon after it was written down what is allowed.
fn first_named_at(opening: &Opening, policy: &EffectivePolicy) -> Option<Timestamp> {
    let (_, at) = opening.narrowed.written?;
    let is_this = opening.narrowed.policy.as_deref() == Some(policy);
    is_this.then_some(at)?.checked_add(NAMED_AFTER).ok()
}

/// Whether no pod is let in by what was allowed before: neither by the guard, nor by Pod Security.
fn is_guarded(place: &Place<'_>) -> bool {
    let missing = &place.standing.confinement.missing;
    match place.standing.namespace {
        NamespaceStanding::Ours {
            terminating: false, closing: false, pods_closed, as_wanted_open, ..
        } => {
            let is_narrow = !missing.iter().any(|object| object.key.kind == Kind::StagePolicy);
            pods_closed || (is_narrow && as_wanted_open)
        }
        _ => false,
    }
}

/// Whether pods of a place run because they are allowed to, and not because somebody has to look into
/// them, or until they are cleared.
fn may_run(view: &View<'_>, place: &Place<'_>) -> bool {
    matches!(view.wanted(place), Wanted::Open | Wanted::Held(RecordReason::Suspended))
}

impl View<'_> {
    /// What was found of the pods of a place, where that still counts.
    pub fn weighed_of(&self, place: &Place<'_>) -> Option<&Weighed> {
        let (opening, policy) = (place.opening?, policy(place)?);
        let known = self.weighed.get(place.namespace)?;
        (known.against == held_to(policy, opening) && may_run(self, place)).then_some(known)
    }
}
