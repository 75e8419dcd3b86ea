//! What the boundaries of a namespace come to together: the meet of their ceilings, which is what
//! a contract gets where it says nothing itself.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use super::quantity::Amount;
use super::{quota, scope};
use crate::api::boundary::{PodSecurity, StageCeiling};
use crate::api::{SharingBoundary, Stage};

/// The meet of the ceilings of all boundaries that select a namespace.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// The stages that every one of them names.
    pub stages: BTreeMap<Stage, StageLimit>,
    /// The longest that a certificate may be valid.
    pub credential_ttl: SignedDuration,
    /// The weakest Pod Security Standard.
    pub pod_security: PodSecurity,
}

/// The most that a stage can be given.
#[derive(Clone, Debug, PartialEq)]
pub struct StageLimit {
    /// The longest that it may be open.
    pub duration: SignedDuration,
    /// The most of each resource: what the boundaries name, and the default of what one doesn't.
    pub quota: BTreeMap<String, Quantity>,
}

/// The boundaries that select a namespace.
pub fn matching<'a>(
    boundaries: &[&'a SharingBoundary],
    namespace: &str,
    labels: &BTreeMap<String, String>,
) -> Vec<&'a SharingBoundary> {
    boundaries
        .iter()
        .copied()
        .filter(|boundary| scope::selects(&boundary.spec.namespaces, namespace, labels))
        .collect()
}

/// The meet of their ceilings. `None` where there is no boundary, or where one of them holds a
/// value that can't be read: what can't be compared allows nothing.
pub fn meet(boundaries: &[&SharingBoundary]) -> Option<Limits> {
    let mut limits = boundaries.iter().map(|boundary| limits_of(boundary));
    let first = limits.next()??;
    limits.try_fold(first, |met, next| Some(met_with(met, &next?)))
}

/// The lesser of two quantities; `None` where one of them can't be read.
pub fn lesser(one: &Quantity, other: &Quantity) -> Option<Quantity> {
    let lesser = if Amount::of(one)? <= Amount::of(other)? { one } else { other };
    Some(lesser.clone())
}

/// For each resource that either names, the lesser of the amounts.
///
/// An amount that can't be read counts as nothing, so that it can't be more than the other one.
pub fn meet_quotas(
    one: &BTreeMap<String, Quantity>,
    other: &BTreeMap<String, Quantity>,
) -> BTreeMap<String, Quantity> {
    let mut met = one.clone();
    for (resource, amount) in other {
        met.entry(resource.clone())
            .and_modify(|known| {
                *known = lesser(known, amount).unwrap_or_else(|| Quantity("0".to_owned()));
            })
            .or_insert_with(|| amount.clone());
    }
    met
}

/// The ceilings of one boundary.
fn limits_of(boundary: &SharingBoundary) -> Option<Limits> {
    let ceilings = &boundary.spec.ceilings;
    let stages = ceilings
        .stages
        .iter()
        .map(|ceiling| Some((ceiling.stage, stage_limit(ceiling)?)))
        .collect::<Option<_>>()?;
    let credential_ttl = ceilings.credential_ttl.length()?;
    Some(Limits { stages, credential_ttl, pod_security: ceilings.pod_security })
}

/// The ceiling of one stage, where everything in it can be read.
fn stage_limit(ceiling: &StageCeiling) -> Option<StageLimit> {
    let readable = ceiling.quota.hard.values().all(|amount| Amount::of(amount).is_some());
    let duration = ceiling.max_duration.length()?;
    readable.then(|| StageLimit { duration, quota: quota::ceilings(&ceiling.quota.hard) })
}

/// The meet of two.
fn met_with(one: Limits, other: &Limits) -> Limits {
    let stages = one
        .stages
        .into_iter()
        .filter_map(|(stage, limit)| {
            let against = other.stages.get(&stage)?;
            let met = StageLimit {
                duration: limit.duration.min(against.duration),
                quota: meet_quotas(&limit.quota, &against.quota),
            };
            Some((stage, met))
        })
        .collect();
    Limits {
        stages,
        credential_ttl: one.credential_ttl.min(other.credential_ttl),
        pod_security: one.pod_security.max(other.pod_security),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::boundary::{Ceilings, Quota, SharingBoundarySpec};

    /// A stage, its longest duration and its quota.
    type Rule<'a> = (Stage, &'a str, &'a [(&'a str, &'a str)]);

    fn boundary(stages: &[Rule<'_>], ttl: &str, security: PodSecurity) -> SharingBoundary {
        let ceiling = |(stage, longest, quota): &Rule<'_>| StageCeiling {
            stage: *stage,
            max_duration: (*longest).into(),
            quota: Quota {
                hard: quota.iter().map(|(key, amount)| ((*key).into(), Quantity((*amount).into()))).collect(),
            },
        };
        let ceilings = Ceilings {
            stages: stages.iter().map(ceiling).collect(),
            credential_ttl: ttl.into(),
            pod_security: security,
            ..Ceilings::default()
        };
        SharingBoundary::new("b", SharingBoundarySpec { ceilings, ..SharingBoundarySpec::default() })
    }

    #[test]
    fn ceilings_meet() {
        let one = boundary(
            &[(Stage::Sandbox, "10h", &[("pods", "20"), ("cpu", "4")]), (Stage::Production, "9h", &[])],
            "2h",
            PodSecurity::Baseline,
        );
        let other = boundary(
            &[(Stage::Sandbox, "20h", &[("pods", "5"), ("memory", "1Gi")])],
            "1h",
            PodSecurity::Restricted,
        );
        let met = meet(&[&one, &other]).expect("both can be read");
        assert_eq!(meet(&[&other, &one]), Some(met.clone()), "in whichever order");
        assert_eq!(met.credential_ttl, SignedDuration::from_hours(1));
        assert_eq!(met.pod_security, PodSecurity::Restricted);
        assert_eq!(met.stages.keys().collect::<Vec<_>>(), [&Stage::Sandbox], "a stage needs all of them");
        let sandbox = met.stages.get(&Stage::Sandbox).expect("both name it");
        assert_eq!(sandbox.duration, SignedDuration::from_hours(10));
        let most = |resource| quota::most(&sandbox.quota, resource).map(|amount| amount.0);
        let given = ["cpu", "memory", "pods", "services"].map(most);
        let wanted = ["4", "1Gi", "5", "8"].map(|amount| Some(amount.to_owned()));
        assert_eq!(given, wanted, "the lesser; what one doesn't name is its default");
    }

    #[test]
    fn a_boundary_that_cannot_be_read_allows_nothing() {
        let good = boundary(&[(Stage::Sandbox, "10h", &[("pods", "20")])], "2h", PodSecurity::Restricted);
        let quota = boundary(&[(Stage::Sandbox, "10h", &[("pods", "many")])], "2h", PodSecurity::Restricted);
        let duration = boundary(&[(Stage::Sandbox, "long", &[])], "2h", PodSecurity::Restricted);
        for bad in [&quota, &duration] {
            assert_eq!(meet(&[&good, bad]), None);
        }
        assert_eq!(meet(&[]), None, "no boundary is no permission");
    }
}
