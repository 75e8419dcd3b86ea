//! What contract, datasets, partner and boundaries allow together as they stand, whether or not
//! anybody would accept them so: what a grant that is live is held to.
//!
//! [`resolve`](super::resolve::resolve) refuses a contract that goes past a dataset or a boundary,
//! so that nothing new is opened under it. What is open already loses only what isn't allowed any
//! more. Each operand is read as a policy that allows everything that it doesn't speak of.

use std::collections::BTreeMap;

use jiff::Timestamp;
use kube::ResourceExt as _;

use super::checks::{ContractCheck, GrantCheck, GrantInput};
use super::checks::{endpoints, live, partner, quota, request};
use super::resolve::resolve;
use super::{Agreement, Operands, Problem, StageTerms, boundary, lattice, terms};
use crate::api::contract::{Actor, Egress, EgressPort, Reviews};
use crate::api::dataset::{DatasetSpec, Sharing};
use crate::api::effective::{EffectiveDataset, EffectivePolicy};
use crate::api::{SharingBoundary, Stage};

/// What a grant comes to, as everything that it depends on stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Outlook {
    /// What is agreed, or why nothing new can be opened.
    pub agreement: Result<Agreement, Vec<Problem>>,
    /// Where nothing is agreed: what is allowed all the same of what is open already, at each stage. A
    /// stage that nothing is allowed at is absent.
    pub standing: BTreeMap<Stage, StageTerms>,
    /// The controls that the partner has shown, and until when each counts.
    pub controls: BTreeMap<String, Timestamp>,
}

impl Outlook {
    /// What everything comes to at `now`.
    pub fn of(operands: &Operands<'_>, now: Timestamp) -> Self {
        let agreement = resolve(operands, now);
        let standing = if agreement.is_err() { standing(operands, now) } else { BTreeMap::new() };
        let shown = operands.partner.iter().flat_map(|partner| &partner.spec.controls);
        let controls = shown.map(|control| (control.name.0.clone(), control.valid_until.0)).collect();
        Self { agreement, standing, controls }
    }

    /// What is allowed at a stage as everything stands; `None`: nothing.
    pub fn terms(&self, stage: Stage) -> Option<&StageTerms> {
        match &self.agreement {
            Ok(agreement) => agreement.stages.get(&stage),
            Err(_) => self.standing.get(&stage),
        }
    }

    /// The digest of what is agreed, if anything is.
    pub fn digest(&self) -> Option<&str> {
        self.agreement.as_ref().ok().map(|agreement| agreement.digest.as_str())
    }
}

/// What leaves nothing at all.
const NOTHING_AFTER: [GrantCheck; 6] = [
    partner::not_in_contract,
    partner::namespace_not_allowed,
    partner::control_missing,
    request::purpose_beyond_contract,
    live::duplicate,
    live::too_many,
];

/// What leaves no way to the data: a policy can't name the pods, or they serve another stage too.
const UNREACHABLE_AFTER: [ContractCheck; 2] = [endpoints::service_unusable, endpoints::stages_share_pods];

/// What they allow together, at each stage. Nothing at all where one is missing, can't be read, or
/// stands against all of it.
pub fn standing(operands: &Operands<'_>, now: Timestamp) -> BTreeMap<Stage, StageTerms> {
    let namespace = operands.grant.namespace().unwrap_or_default();
    let boundaries = boundary::matching(&operands.boundaries, &namespace, &operands.namespace_labels);
    let (Some(contract), Some(_)) = (operands.contract, operands.partner) else { return BTreeMap::new() };
    let input = GrantInput::of(operands, contract, &boundaries, now);
    let stands = NOTHING_AFTER.iter().all(|check| check(&input).is_empty());
    if !stands || !quota::quota_unusable(&input.terms).is_empty() {
        return BTreeMap::new();
    }
    let reachable = UNREACHABLE_AFTER.iter().all(|check| check(&input.terms).is_empty());
    let stages = terms::agreement(operands, &boundaries).map(|agreement| agreement.stages);
    let met = |(stage, terms): (Stage, StageTerms)| {
        let policy = within_all(terms.policy, reachable, operands, &boundaries)?;
        Some((stage, StageTerms { policy, ..terms }))
    };
    stages.into_iter().flatten().filter_map(met).collect()
}

/// What of a policy boundaries and datasets allow. `None`: nothing.
fn within_all(
    mut policy: EffectivePolicy,
    reachable: bool,
    operands: &Operands<'_>,
    boundaries: &[&SharingBoundary],
) -> Option<EffectivePolicy> {
    if !reachable {
        policy.datasets.iter_mut().for_each(|dataset| dataset.endpoint = None);
    }
    let by_boundary = boundaries.iter().map(|boundary| within_boundary(&policy, boundary));
    let datasets = policy.datasets.iter().filter_map(|scoped| operands.datasets.get(scoped.name.as_str()));
    let by_dataset = datasets.map(|dataset| within_dataset(&policy, &dataset.name_any(), &dataset.spec));
    let ceilings: Vec<EffectivePolicy> = by_boundary.chain(by_dataset).collect();
    let met = ceilings.iter().try_fold(policy, |met, ceiling| lattice::meet(Some(&met), Some(ceiling)));
    met.map(only_what_programs_may)
}

/// The policy, as far as a boundary goes. Durations and quotas are in it already.
fn within_boundary(policy: &EffectivePolicy, boundary: &SharingBoundary) -> EffectivePolicy {
    let ceilings = &boundary.spec.ceilings;
    let mut ceiling = policy.clone();
    let mut ports: Vec<EgressPort> = Vec::new();
    for port in policy.destination.egress.iter().flat_map(|egress| &egress.ports) {
        if !ports.contains(port) {
            ports.push(port.clone());
        }
    }
    let networks = ceilings.egress.cidrs.iter();
    ceiling.destination.egress =
        networks.map(|cidr| Egress { cidr: cidr.clone(), ports: ports.clone(), reason: None }).collect();
    ceiling.destination.dns = ceilings.egress.dns;
    ceiling.security.pod_security = ceilings.pod_security;
    let compute = &mut ceiling.destination.compute;
    let known = |class| ceilings.runtime_class_names.contains(class);
    let runs = compute.runtime_class_name.as_ref().is_none_or(known);
    compute.registries = if runs { ceilings.registries.clone() } else { Vec::new() };
    if let Some(floor) = boundary.spec.floors.as_ref().and_then(|floors| floors.reviews.as_ref()) {
        // How long an answer may take beyond that is the contract's to say.
        let grace = policy.reviews.as_ref().map_or_else(|| "0s".into(), |reviews| reviews.grace.clone());
        ceiling.reviews = Some(Reviews { every: floor.every.clone(), grace });
    }
    ceiling
}

/// The policy, as far as the owner of a dataset goes.
fn within_dataset(policy: &EffectivePolicy, name: &str, owner: &DatasetSpec) -> EffectivePolicy {
    let mut ceiling = policy.clone();
    let shared = owner.fields.iter().filter(|field| field.sharing == Sharing::Permitted);
    let shared: Vec<_> = shared.map(|field| field.name.clone()).collect();
    let is_it = |dataset: &EffectiveDataset| dataset.name.as_str() == name;
    let for_this = owner.permitted.purposes.contains(&policy.purpose);
    ceiling.datasets.retain(|dataset| for_this || !is_it(dataset));
    for dataset in ceiling.datasets.iter_mut().filter(|dataset| is_it(dataset)) {
        dataset.fields.clone_from(&shared);
    }
    ceiling.operations.retain(|operation| owner.permitted.operations.contains(&operation.name));
    let longest = Some(owner.retention.max.clone());
    ceiling.time.retention.inputs.clone_from(&longest);
    ceiling.time.retention.artifacts = longest;
    ceiling
}

/// The policy without what its programs aren't named among the actors of.
fn only_what_programs_may(mut policy: EffectivePolicy) -> EffectivePolicy {
    let operations = &policy.operations;
    for workload in &mut policy.workloads {
        workload.operations.retain(|name| {
            operations.iter().any(|one| one.name == *name && one.actors.contains(&Actor::Workload))
        });
    }
    policy
}
