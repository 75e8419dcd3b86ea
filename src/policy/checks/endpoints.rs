//! What serves the datasets: Services that can be named in a NetworkPolicy, and that keep real
//! data apart from what the sandbox may reach.

use std::collections::{BTreeMap, BTreeSet};

use kube::ResourceExt as _;

use super::super::ServiceFacts;
use super::{ContractInput, problem};
use crate::api::condition::Reason;
use crate::api::dataset::{DataKind, Endpoint};
use crate::api::{Dataset, Stage};
use crate::policy::Problem;

/// The most labels that the journal has room for in a selector.
const MOST_LABELS: usize = 32;

/// A Service is missing, has no selector, or doesn't have the port.
pub fn service_unusable(input: &ContractInput<'_>) -> Vec<Problem> {
    distinct(input).into_iter().flat_map(|dataset| unusable_services(dataset, input.services)).collect()
}

/// Pods with real data answer at a stage that isn't meant to reach them.
pub fn stages_share_pods(input: &ContractInput<'_>) -> Vec<Problem> {
    shared_pods(&distinct(input), input.services)
}

/// The endpoints of one dataset that can't be used.
pub fn unusable_services(dataset: &Dataset, services: &BTreeMap<String, ServiceFacts>) -> Vec<Problem> {
    let endpoints = dataset.spec.endpoints.iter();
    endpoints
        .filter_map(|endpoint| {
            let wanted = &endpoint.service;
            let (fault, remedy) = match services.get(wanted.name.as_str()) {
                None => ("doesn't exist in this namespace", "create it, or correct the dataset's endpoint"),
                Some(service) if service.selector.is_empty() => {
                    ("has no selector, so its pods can't be named", "give it a selector, or name another one")
                }
                Some(service) if !service.targets.contains_key(&wanted.port) => (
                    "doesn't have that port",
                    "add the port to the Service, or correct the dataset's endpoint",
                ),
                Some(service) if service.selector.len() > MOST_LABELS => {
                    ("selects by more than 32 labels", "select by fewer, or name another one")
                }
                Some(_) => return None,
            };
            let sides = format!(
                "the dataset {} is served at port {} of the Service {}, which {fault}",
                dataset.name_any(),
                wanted.port,
                wanted.name
            );
            Some(problem(Reason::EndpointUnusable, clause(dataset, endpoint), sides, remedy))
        })
        .collect()
}

/// Each pair of endpoints that may select the same pods and mustn't.
pub fn shared_pods(datasets: &[&Dataset], services: &BTreeMap<String, ServiceFacts>) -> Vec<Problem> {
    let endpoints: Vec<(&Dataset, &Endpoint)> = datasets
        .iter()
        .flat_map(|dataset| dataset.spec.endpoints.iter().map(|endpoint| (*dataset, endpoint)))
        .collect();
    let mut problems = Vec::new();
    for (index, (dataset, endpoint)) in endpoints.iter().enumerate() {
        for (other_dataset, other) in endpoints.iter().skip(index + 1) {
            if must_differ(endpoint, other) && same_pods(endpoint, other, services) {
                let sides = format!(
                    "{} of {} at {} and {} of {} at {} may select the same pods",
                    endpoint.service.name,
                    dataset.name_any(),
                    endpoint.stage,
                    other.service.name,
                    other_dataset.name_any(),
                    other.stage
                );
                let remedy = "give their Services selectors that differ in the value of one label";
                problems.push(problem(Reason::EndpointUnusable, clause(dataset, endpoint), sides, remedy));
            }
        }
    }
    problems
}

/// Whether two endpoints have to be different pods: the sandbox's and production's always, and
/// whatever serves real data from whatever doesn't.
fn must_differ(one: &Endpoint, other: &Endpoint) -> bool {
    let stages = [one.stage, other.stage];
    let ends = stages.contains(&Stage::Sandbox) && stages.contains(&Stage::Production);
    ends || (one.data == DataKind::Real) != (other.data == DataKind::Real)
}

/// Whether two endpoints' Services may select a pod in common.
fn same_pods(one: &Endpoint, other: &Endpoint, services: &BTreeMap<String, ServiceFacts>) -> bool {
    let selector =
        |endpoint: &Endpoint| services.get(endpoint.service.name.as_str()).map(|service| &service.selector);
    match (selector(one), selector(other)) {
        (Some(one), Some(other)) => !one.is_empty() && !other.is_empty() && overlap(one, other),
        _ => false,
    }
}

/// Whether a pod can match both selectors: no label has to have two values.
pub fn overlap(one: &BTreeMap<String, String>, other: &BTreeMap<String, String>) -> bool {
    one.iter().all(|(label, value)| other.get(label).is_none_or(|required| required == value))
}

/// The contract's datasets, each once, although it may name several versions of one.
fn distinct<'a>(input: &ContractInput<'a>) -> Vec<&'a Dataset> {
    let mut seen = BTreeSet::new();
    input.scoped().filter(|(scoped, _)| seen.insert(&scoped.name)).map(|(_, dataset)| dataset).collect()
}

/// The path of an endpoint.
fn clause(dataset: &Dataset, endpoint: &Endpoint) -> String {
    format!("datasets[{}].endpoints[{}].service", dataset.name_any(), endpoint.stage)
}
