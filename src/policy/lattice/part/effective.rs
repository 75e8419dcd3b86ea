//! What an opening allows: the whole effective policy, as the journal keeps it.

use super::super::change::{Comparison, Difference};
use super::super::walk::Walk;
use super::{operation, place, scope, security, stages, time};
use crate::api::contract::{Authentication, Window};
use crate::api::effective::{EffectiveDataset, EffectiveEndpoint, EffectivePolicy, Further, Schedule};
use crate::api::grant::{Person, Workload};

/// Every clause of it. What the walk finds contradictory allows nothing.
pub(crate) fn policy(walk: &mut Walk, old: &EffectivePolicy, new: &EffectivePolicy) -> EffectivePolicy {
    let windows = (schedules(old), schedules(new));
    let (time, schedules) = time::time(walk, (&old.time, &new.time), (&windows.0, &windows.1));
    let asked = (logins(old), logins(new));
    let (security, authentication) = security::security(walk, (&old.security, &new.security), asked);
    let schedules = schedules.into_iter().map(|windows| Schedule { windows }).collect();
    let further = Further { schedules, authentication };
    EffectivePolicy {
        partner: walk.same(("partner", "partner"), &old.partner, &new.partner),
        contract: walk.same(("contract", "contract"), &old.contract, &new.contract),
        contract_uid: walk.same(("contractUid", "the contract's UID"), &old.contract_uid, &new.contract_uid),
        purpose: walk.same(("purpose", "purpose"), &old.purpose, &new.purpose),
        operations: operation::operations(walk, &old.operations, &new.operations),
        prohibitions: walk.required(("prohibitions", "prohibition"), &old.prohibitions, &new.prohibitions),
        models: operation::models(walk, &old.models, &new.models),
        datasets: datasets(walk, &old.datasets, &new.datasets),
        prohibited: scope::prohibited(walk, old.prohibited.as_ref(), new.prohibited.as_ref()),
        time,
        destination: place::destination(walk, &old.destination, &new.destination),
        security,
        quota: place::quota(walk, "no limit", &old.quota, &new.quota),
        people: people(walk, &old.people, &new.people),
        workloads: workloads(walk, &old.workloads, &new.workloads),
        approvals: stages::approvals(walk, &old.approvals, &new.approvals),
        reviews: stages::reviews(walk, old.reviews.as_ref(), new.reviews.as_ref()),
        quarantine: stages::quarantine(walk, old.quarantine.as_ref(), new.quarantine.as_ref()),
        narrowing: stages::narrowing(walk, old.narrowing.as_ref(), new.narrowing.as_ref()),
        further: (further != Further::default()).then_some(further),
    }
}

/// The lists of windows beside the first one.
fn schedules(policy: &EffectivePolicy) -> Vec<&[Window]> {
    let further = policy.further.iter().flat_map(|further| &further.schedules);
    further.map(|schedule| &schedule.windows[..]).collect()
}

/// What logins have to show beside the first list.
fn logins(policy: &EffectivePolicy) -> &[Authentication] {
    policy.further.as_ref().map_or(&[], |further| &further.authentication)
}

/// Datasets ⊆, each known by its content; fields ⊆, rows ⊆, artifacts ⊆, pods that serve it ⊆.
fn datasets(walk: &mut Walk, old: &[EffectiveDataset], new: &[EffectiveDataset]) -> Vec<EffectiveDataset> {
    let some = |datasets: &[EffectiveDataset]| -> Vec<EffectiveDataset> {
        datasets.iter().filter(|dataset| scope::has_any(dataset.rows.as_ref())).cloned().collect()
    };
    let key = |dataset: &EffectiveDataset| {
        ((dataset.name.clone(), dataset.version.clone()), dataset.digest.clone())
    };
    walk.family(("datasets", "dataset"), (&some(old), &some(new)), key, |walk, old, new| {
        let met = EffectiveDataset {
            name: old.name.clone(),
            version: old.version.clone(),
            digest: old.digest.clone(),
            fields: walk.allowed(("fields", "field"), &old.fields, &new.fields),
            artifacts: walk.allowed(("artifacts", "artifact"), &old.artifacts, &new.artifacts),
            endpoint: endpoint(walk, old.endpoint.as_ref(), new.endpoint.as_ref()),
            rows: None,
        };
        let rows = scope::rows(walk, old.rows.as_ref(), new.rows.as_ref())?;
        Some(EffectiveDataset { rows, ..met })
    })
}

/// The pods that serve a dataset: those of one Service, and of these all that have the labels.
fn endpoint(
    walk: &mut Walk,
    old: Option<&EffectiveEndpoint>,
    new: Option<&EffectiveEndpoint>,
) -> Option<EffectiveEndpoint> {
    let told = |endpoint: &EffectiveEndpoint| {
        let target = &endpoint.target;
        let port = target.name.as_ref().map(ToString::to_string);
        let port = port.or_else(|| target.number.map(|number| number.to_string())).unwrap_or_default();
        format!("{}/{}:{port}/{}", endpoint.namespace, endpoint.service, target.protocol.as_str())
    };
    let clause = ("endpoint", "served by");
    match (old, new) {
        (None, None) => None,
        (Some(old), None) => {
            walk.note(clause, &told(old), Difference::Removed, Comparison::Narrower);
            None
        }
        (None, Some(new)) => {
            walk.note(clause, &told(new), Difference::Added, Comparison::Wider);
            None
        }
        (Some(old), Some(new)) => {
            let place = |endpoint: &EffectiveEndpoint| EffectiveEndpoint {
                selector: std::collections::BTreeMap::new(),
                ..endpoint.clone()
            };
            if place(old) != place(new) {
                walk.became(clause, told(old), told(new), Comparison::Both);
                return None;
            }
            let clause = ("endpoint.selector", "label of the pods that serve it,");
            let selector = super::place::labels(walk, clause, &old.selector, &new.selector)?;
            Some(EffectiveEndpoint { selector, ..old.clone() })
        }
    }
}

/// People ⊆, each in one role.
fn people(walk: &mut Walk, old: &[Person], new: &[Person]) -> Vec<Person> {
    let key = |person: &Person| (person.name.clone(), person.role);
    walk.family(("people", "person"), (old, new), key, |_, old, _| Some(old.clone()))
}

/// Programs ⊆, and what they do ⊆.
fn workloads(walk: &mut Walk, old: &[Workload], new: &[Workload]) -> Vec<Workload> {
    let key = |workload: &Workload| workload.name.clone();
    walk.family(("workloads", "workload"), (old, new), key, |walk, old, new| {
        let operations = walk.allowed(("operations", "operation"), &old.operations, &new.operations);
        Some(Workload { name: old.name.clone(), operations })
    })
}
