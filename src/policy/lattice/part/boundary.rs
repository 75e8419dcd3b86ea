//! A platform's boundary: its ceilings, which give, and its floors, which ask.

use super::super::address;
use super::super::walk::Walk;
use super::place::{self, DNS};
use super::security::POD_SECURITY;
use super::stages::{self, paper};
use crate::api::boundary::{
    ApprovalFloor, Ceilings, EgressCeiling, Floors, LiveGrants, Quota, ReviewFloor, SharingBoundarySpec,
    StageCeiling,
};
use crate::api::contract::Approval;
use crate::policy::quota;
use crate::policy::scope::describe;

/// Every clause of it. Which namespaces are held to it has no order: a namespace that it no
/// longer selects may be held to another one, or to none, which allows nothing.
pub(crate) fn boundary(walk: &mut Walk, old: &SharingBoundarySpec, new: &SharingBoundarySpec) {
    let SharingBoundarySpec { namespaces, ceilings: most, floors: least } = old;
    paper(walk, ("namespaces", "holds for"), &describe(namespaces), &describe(&new.namespaces));
    walk.under("ceilings", "", |walk| ceilings(walk, most, &new.ceilings));
    walk.under("floors", "", |walk| floors(walk, least.as_ref(), new.floors.as_ref()));
}

/// Stages ⊆, durations and quotas ≤, places ⊆.
fn ceilings(walk: &mut Walk, old: &Ceilings, new: &Ceilings) {
    let Ceilings {
        stages,
        credential_ttl,
        pod_security,
        egress,
        registries,
        runtime_class_names,
        live_grants,
    } = old;
    walk.family(
        ("stages", "stage"),
        (stages, &new.stages),
        |ceiling| ceiling.stage,
        |walk, old, new| {
            let StageCeiling { stage: _, max_duration, quota } = old;
            let longest = ("maxDuration", "longest duration");
            walk.at_most(longest, Some(max_duration), Some(&new.max_duration));
            place::quota(walk, "no limit", &whole(quota), &whole(&new.quota));
            Some(old.clone())
        },
    );
    let ttl = ("credentialTTL", "certificates valid for");
    walk.at_most(ttl, Some(credential_ttl), Some(&new.credential_ttl));
    walk.chain(("podSecurity", "pod security"), &POD_SECURITY, *pod_security, new.pod_security);
    let EgressCeiling { cidrs, dns } = egress;
    address::networks(walk, ("egress.cidrs", "egress"), cidrs, &new.egress.cidrs);
    walk.chain(("egress.dns", "DNS"), &DNS, *dns, new.egress.dns);
    place::registries(walk, ("registries", "images from"), registries, &new.registries);
    let classes = ("runtimeClassNames", "runtime class");
    walk.allowed(classes, runtime_class_names, &new.runtime_class_names);
    live(walk, live_grants.as_ref(), new.live_grants.as_ref());
}

/// A quota with the default of what it doesn't name.
fn whole(named: &Quota) -> Quota {
    Quota { hard: quota::ceilings(&named.hard) }
}

/// How many grants may be live ≤.
fn live(walk: &mut Walk, old: Option<&LiveGrants>, new: Option<&LiveGrants>) {
    let none = LiveGrants::default();
    let LiveGrants { per_namespace, per_partner } = old.unwrap_or(&none);
    let now = new.unwrap_or(&none);
    walk.under("liveGrants", "", |walk| {
        let (namespace, partner) =
            (("perNamespace", "live grants of a namespace"), ("perPartner", "live grants of a partner"));
        walk.at_most(namespace, per_namespace.as_ref(), now.per_namespace.as_ref());
        walk.at_most(partner, per_partner.as_ref(), now.per_partner.as_ref());
    });
}

/// Approvals ⊇, reviews ≤.
fn floors(walk: &mut Walk, old: Option<&Floors>, new: Option<&Floors>) {
    let none = Floors::default();
    let Floors { approvals, reviews } = old.unwrap_or(&none);
    let new = new.unwrap_or(&none);
    stages::approvals(walk, &asked(approvals), &asked(&new.approvals));
    let every = |floor: &Option<ReviewFloor>| floor.as_ref().map(|ReviewFloor { every }| every.clone());
    let (before, after) = (every(reviews), every(&new.reviews));
    walk.at_most(("reviews.every", "reviewed every"), before.as_ref(), after.as_ref());
}

/// The least approvals, as a contract would ask for them.
fn asked(floors: &[ApprovalFloor]) -> Vec<Approval> {
    let approval = |ApprovalFloor { stage, required, groups }: &ApprovalFloor| Approval {
        stage: *stage,
        required: *required,
        groups: groups.clone(),
        pending_for: None,
        valid_for: None,
    };
    floors.iter().map(approval).collect()
}
