//! Other grants that are live: one for a partner, contract and purpose, and no more than the
//! boundary allows. The elder stays: the one that was accepted first, whenever it was created, so
//! that nobody keeps a grant in reserve that takes a live one's place.

use kube::ResourceExt as _;

use super::{GrantInput, named, problem};
use crate::api::condition::Reason;
use crate::policy::{OtherGrant, Problem};

/// An elder grant is for the same partner, contract and purpose.
pub fn duplicate(input: &GrantInput<'_>) -> Vec<Problem> {
    let spec = &input.grant.spec;
    let mut elders = elders(input).filter(|other| {
        in_this_namespace(input, other)
            && other.partner == spec.partner_ref.name.as_str()
            && other.contract == spec.contract_ref.name.as_str()
            && other.purpose == spec.purpose.as_str()
    });
    let Some(elder) = elders.next() else { return Vec::new() };
    let sides = format!(
        "this grant and {}, which is live since {}, are both for {} under {} for {}",
        elder.name, elder.requested, spec.partner_ref.name, spec.contract_ref.name, spec.purpose
    );
    vec![problem(Reason::Duplicate, "purpose", sides, "change the elder one, or end it first")]
}

/// As many elder grants are live as the boundary allows.
pub fn too_many(input: &GrantInput<'_>) -> Vec<Problem> {
    let partner = input.grant.spec.partner_ref.name.as_str();
    let here = elders(input).filter(|other| in_this_namespace(input, other)).count();
    let theirs = elders(input).filter(|other| other.partner == partner).count();
    let mut problems = Vec::new();
    for boundary in input.terms.boundaries {
        let Some(limits) = &boundary.spec.ceilings.live_grants else { continue };
        for (clause, live, most, whose) in [
            ("liveGrants.perNamespace", here, limits.per_namespace, "in this namespace"),
            ("liveGrants.perPartner", theirs, limits.per_partner, "for this partner"),
        ] {
            let Some(most) = most else { continue };
            if i64::try_from(live).is_ok_and(|live| live < i64::from(most)) {
                continue;
            }
            let sides = format!(
                "{live} elder grants {whose} are live, but {} allows at most {most} at once",
                named(boundary)
            );
            let remedy = "end one of them, or ask the platform team for a higher ceiling";
            problems.push(problem(Reason::TooManyGrants, clause, sides, remedy));
        }
    }
    problems
}

/// The live grants that were there before this one: accepted earlier, or in the same second with
/// the lesser UID. To a grant that never was accepted all that were are elder.
fn elders<'a>(input: &GrantInput<'a>) -> impl Iterator<Item = &'a OtherGrant> {
    let own_uid = input.grant.uid().unwrap_or_default();
    let requested = input.requested;
    input.others.iter().filter(move |other| {
        let came_before = |own| (other.requested, other.uid.as_str()) < (own, own_uid.as_str());
        other.uid != own_uid && requested.is_none_or(came_before)
    })
}

/// Whether the other grant is in the namespace of this one.
fn in_this_namespace(input: &GrantInput<'_>, other: &OtherGrant) -> bool {
    Some(other.namespace.as_str()) == input.grant.metadata.namespace.as_deref()
}
