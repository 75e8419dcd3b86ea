//! What keeps a contract from being granted under, whoever the partner is. Pure.

use std::collections::BTreeMap;

use jiff::Timestamp;
use kube::ResourceExt as _;

use crate::api::{Dataset, SharingBoundary, SharingContract};
use crate::policy::checks::ContractInput;
use crate::policy::resolve::{examine, no_boundary};
use crate::policy::{Problem, ServiceFacts, boundary};

/// Everything that a contract is judged by, as it stands.
#[derive(Clone, Debug)]
pub struct Ground<'a> {
    /// The contract.
    pub contract: &'a SharingContract,
    /// The datasets that it names, by name.
    pub datasets: BTreeMap<String, &'a Dataset>,
    /// The Services of its namespace, by name.
    pub services: BTreeMap<String, ServiceFacts>,
    /// The boundaries that there are.
    pub boundaries: Vec<&'a SharingBoundary>,
    /// The labels of its namespace.
    pub namespace_labels: BTreeMap<String, String>,
}

/// Every problem of a contract at `now`.
pub fn problems(ground: &Ground<'_>, now: Timestamp) -> Vec<Problem> {
    let namespace = ground.contract.namespace().unwrap_or_default();
    let boundaries = boundary::matching(&ground.boundaries, &namespace, &ground.namespace_labels);
    let mut problems: Vec<Problem> =
        boundaries.is_empty().then(|| no_boundary(&namespace)).into_iter().collect();
    problems.extend(examine(&ContractInput {
        contract: ground.contract,
        datasets: &ground.datasets,
        services: &ground.services,
        boundaries: &boundaries,
        now,
    }));
    problems
}

/// When time alone changes what is to be said of a contract.
pub fn moments(contract: &SharingContract, now: Timestamp) -> Vec<Timestamp> {
    let time = &contract.spec.time;
    let moments = time.not_before.iter().chain([&time.not_after]).map(|moment| moment.0);
    moments.filter(|moment| *moment > now).collect()
}
