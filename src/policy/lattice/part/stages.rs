//! The rules of a contract's stages: how long, with how much, who agrees, what has to be shown.

use super::super::change::{Comparison, Difference};
use super::super::walk::Walk;
use super::place;
use crate::api::boundary::{GroupShare, Quota};
use crate::api::contract::{
    AfterPromotion, Anomaly, AnomalyAction, Approval, NarrowedPods, Narrowing, Probe, Quarantine,
    QuarantinedPods, Rehearsal, RehearsalCase, RehearsalRequirement, RequestedUse, Reviews, StageRule,
};
use crate::api::value::Duration;

/// Stages ⊆: one that isn't named can't be opened. How long ≤, soak ≥, overlap ≤, quota ≤.
pub(super) fn stages(walk: &mut Walk, old: &[StageRule], new: &[StageRule]) {
    let none = Duration::from("0s");
    walk.family(
        ("stages", "stage"),
        (old, new),
        |rule| rule.stage,
        |walk, old, new| {
            let StageRule { stage, max_duration, soak, after_promotion, overlap, quota } = old;
            let longest = ("maxDuration", "longest duration");
            let overlaps = (overlap.as_ref().unwrap_or(&none), new.overlap.as_ref().unwrap_or(&none));
            let after = [AfterPromotion::Close, AfterPromotion::Keep];
            Some(StageRule {
                stage: *stage,
                max_duration: walk
                    .at_most(longest, Some(max_duration), Some(&new.max_duration))
                    .unwrap_or_else(|| max_duration.clone()),
                soak: walk.at_least(("soak", "soak"), soak.as_ref(), new.soak.as_ref()),
                after_promotion: walk.chain(
                    ("afterPromotion", "after promotion"),
                    &after,
                    *after_promotion,
                    new.after_promotion,
                ),
                overlap: walk.at_most(("overlap", "overlap"), Some(overlaps.0), Some(overlaps.1)),
                quota: quotas(walk, quota.as_ref(), new.quota.as_ref()),
            })
        },
    );
}

/// The quota of a stage; none is the boundary's.
fn quotas(walk: &mut Walk, old: Option<&Quota>, new: Option<&Quota>) -> Option<Quota> {
    let unlimited = Quota::default();
    let met = place::quota(walk, "the boundary's", old.unwrap_or(&unlimited), new.unwrap_or(&unlimited));
    (!met.hard.is_empty()).then_some(met)
}

/// Approvals ⊇: how many ≥, from which groups ⊇, for how long they count ≤.
pub(super) fn approvals(walk: &mut Walk, old: &[Approval], new: &[Approval]) -> Vec<Approval> {
    walk.requirements(
        ("approvals", "approval"),
        (old, new),
        |approval| approval.stage,
        |walk, old, new| {
            let Approval { stage, required, groups, pending_for, valid_for } = old;
            let (pending, valid) =
                (("pendingFor", "wait for approvals"), ("validFor", "validity of approvals"));
            let people = ("required", "people who have to approve");
            Approval {
                stage: *stage,
                required: walk.at_least(people, Some(required), Some(&new.required)).unwrap_or(*required),
                groups: shares(walk, groups, &new.groups),
                pending_for: walk.at_most(pending, pending_for.as_ref(), new.pending_for.as_ref()),
                valid_for: walk.at_most(valid, valid_for.as_ref(), new.valid_for.as_ref()),
            }
        },
    )
}

/// Groups that have to approve ⊇, each at least so often ≥.
fn shares(walk: &mut Walk, old: &[GroupShare], new: &[GroupShare]) -> Vec<GroupShare> {
    let name = |share: &GroupShare| share.name.clone();
    walk.requirements(("groups", "approving group"), (old, new), name, |walk, old, new| {
        let least = walk.at_least(("atLeast", "approvals"), Some(&old.at_least), Some(&new.at_least));
        GroupShare { name: old.name.clone(), at_least: least.unwrap_or(old.at_least) }
    })
}

/// What has to be shown ⊇.
pub(super) fn rehearsal(walk: &mut Walk, old: Option<&Rehearsal>, new: Option<&Rehearsal>) {
    let told = |rehearsal: Option<&Rehearsal>| rehearsal.map(|rehearsal| rehearsal.require);
    let cases = |rehearsal: Option<&Rehearsal>| rehearsal.map_or_else(Vec::new, |it| it.cases.clone());
    let order = [Some(RehearsalRequirement::All), Some(RehearsalRequirement::Executable), None];
    let image = |rehearsal: Option<&Rehearsal>| {
        rehearsal.and_then(|it| it.probe.as_ref()).map(|Probe { image }| image.clone())
    };
    walk.under("rehearsal", "", |walk| {
        walk.chain(("require", "rehearsed before production"), &order, told(old), told(new));
        // What dials is stricter than nothing, and another one may show something else.
        walk.same_if_asked(("probe.image", "image of the probe"), image(old).as_ref(), image(new).as_ref());
        let (old, new) = (cases(old), cases(new));
        let name = |case: &RehearsalCase| case.name.clone();
        let clause = ("cases", "rehearsed case");
        walk.requirements(clause, (&old, &new), name, |walk, old, new| {
            let RehearsalCase { name: _, request, expect } = old;
            walk.same(("expect", "expected answer"), expect, &new.expect);
            walk.under("request", "", |walk| asked(walk, request, &new.request));
            old.clone()
        });
    });
}

/// What a case asks for: anything else is another case.
fn asked(walk: &mut Walk, old: &RequestedUse, new: &RequestedUse) {
    let RequestedUse { dataset, fields, operation, purpose } = old;
    walk.same(("dataset", "dataset"), dataset, &new.dataset);
    walk.same(("operation", "operation"), operation, &new.operation);
    walk.same(("purpose", "purpose"), purpose, &new.purpose);
    let sorted = |fields: &[crate::api::value::Word]| {
        let mut names: Vec<&str> = fields.iter().map(crate::api::value::Word::as_str).collect();
        names.sort_unstable();
        names.join(", ")
    };
    walk.same(("fields", "fields"), &sorted(fields), &sorted(&new.fields));
}

/// Reviews: how often ≤, how long the answer may take ≤. None at all is the widest.
pub(super) fn reviews(walk: &mut Walk, old: Option<&Reviews>, new: Option<&Reviews>) -> Option<Reviews> {
    let every = |reviews: Option<&Reviews>| reviews.map(|Reviews { every, .. }| every.clone());
    let grace = |reviews: Option<&Reviews>| reviews.map(|Reviews { grace, .. }| grace.clone());
    walk.under("reviews", "", |walk| {
        let every = walk.at_most(("every", "reviewed every"), every(old).as_ref(), every(new).as_ref());
        let grace =
            walk.at_most(("grace", "reviews answered within"), grace(old).as_ref(), grace(new).as_ref());
        Some(Reviews { every: every?, grace: grace? })
    })
}

/// Quarantine: pods that go are narrower than pods that stay, which is what silence says.
pub(super) fn quarantine(
    walk: &mut Walk,
    old: Option<&Quarantine>,
    new: Option<&Quarantine>,
) -> Option<Quarantine> {
    let pods = |quarantine: Option<&Quarantine>| quarantine.map_or(QuarantinedPods::Keep, |it| it.pods);
    let order = [QuarantinedPods::Delete, QuarantinedPods::Keep];
    let pods = walk.chain(("quarantine.pods", "pods under quarantine"), &order, pods(old), pods(new));
    (old.is_some() || new.is_some()).then_some(Quarantine { pods })
}

/// Narrowing: pods that go are narrower than pods that stay, which is what silence says.
pub(super) fn narrowing(
    walk: &mut Walk,
    old: Option<&Narrowing>,
    new: Option<&Narrowing>,
) -> Option<Narrowing> {
    let pods = |narrowing: Option<&Narrowing>| narrowing.map_or(NarrowedPods::Keep, |it| it.pods);
    let order = [NarrowedPods::Delete, NarrowedPods::Keep];
    let pods = walk.chain(("narrowing.pods", "pods not allowed any more"), &order, pods(old), pods(new));
    (old.is_some() || new.is_some()).then_some(Narrowing { pods })
}

/// Anomalies: the bounds ≤, and what is done. Watching nothing is the widest.
pub(super) fn anomaly(walk: &mut Walk, old: Option<&Anomaly>, new: Option<&Anomaly>) {
    let denials = |anomaly: Option<&Anomaly>| anomaly.and_then(|it| it.denials_per_minute);
    let volume = |anomaly: Option<&Anomaly>| anomaly.and_then(|it| it.volume_factor);
    let action = |anomaly: Option<&Anomaly>| anomaly.map(|Anomaly { action, .. }| *action);
    walk.under("anomaly", "", |walk| {
        let refused = ("denialsPerMinute", "refused requests per minute");
        walk.at_most(refused, denials(old).as_ref(), denials(new).as_ref());
        walk.at_most(("volumeFactor", "times the usual volume"), volume(old).as_ref(), volume(new).as_ref());
        let order = [Some(AnomalyAction::Quarantine), Some(AnomalyAction::Notify), None];
        walk.chain(("action", "done about anomalies"), &order, action(old), action(new));
    });
}

/// Something that Comity doesn't interpret: what it becomes may matter to people in any way.
pub(super) fn paper<T: super::super::show::Show + PartialEq>(
    walk: &mut Walk,
    clause: super::super::walk::Clause,
    old: &T,
    new: &T,
) {
    if old != new {
        let how = Difference::Became { old: old.show(), new: new.show() };
        walk.note(clause, "", how, Comparison::Both);
    }
}
