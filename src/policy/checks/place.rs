//! Beyond where the boundary lets things run and send to.

use super::super::network::Network;
use super::super::scope::registry_within;
use super::{ContractInput, list, named, problem};
use crate::api::SharingBoundary;
use crate::api::boundary::Dns;
use crate::api::condition::Reason;
use crate::policy::Problem;

/// What people do about a place that is out of bounds.
const REMEDY: &str = "take it from the contract, or ask the platform team to allow it";

/// The contract asks for a weaker Pod Security Standard than the boundary.
pub fn pod_security_beyond_boundary(input: &ContractInput<'_>) -> Vec<Problem> {
    let asked = input.contract.spec.security.pod_security;
    each_boundary(input, |boundary| {
        let least = boundary.spec.ceilings.pod_security;
        let sides =
            format!("{} asks for {asked:?}, but {} for at least {least:?}", input.subject(), named(boundary));
        let remedy = format!("set it to {least:?}");
        (asked < least)
            .then(|| problem(Reason::BeyondBoundary, "security.podSecurity", sides, &remedy))
            .into_iter()
            .collect()
    })
}

/// The contract sends to a network that the boundary doesn't allow.
pub fn egress_beyond_boundary(input: &ContractInput<'_>) -> Vec<Problem> {
    each_boundary(input, |boundary| {
        let texts = &boundary.spec.ceilings.egress.cidrs;
        let allowed: Vec<Network> = texts.iter().filter_map(|cidr| Network::parse(&cidr.0)).collect();
        let egress = input.contract.spec.destination.egress.iter();
        egress
            .filter(|egress| {
                !Network::parse(&egress.cidr.0).is_some_and(|network| network.is_covered_by(&allowed))
            })
            .map(|egress| {
                let cidr = &egress.cidr.0;
                let limit = list(texts.iter().map(|cidr| &cidr.0));
                let sides = format!(
                    "{} sends to {cidr}, but {} allows only networks inside of: {limit}",
                    input.subject(),
                    named(boundary)
                );
                problem(Reason::BeyondBoundary, format!("destination.egress[{cidr}]"), sides, REMEDY)
            })
            .collect()
    })
}

/// The contract asks for DNS, and the boundary allows none.
pub fn dns_beyond_boundary(input: &ContractInput<'_>) -> Vec<Problem> {
    let asked = input.contract.spec.destination.dns;
    each_boundary(input, |boundary| {
        let sides = format!("{} asks for {asked:?}, but {} allows None", input.subject(), named(boundary));
        (asked == Dns::Cluster && boundary.spec.ceilings.egress.dns == Dns::None)
            .then(|| problem(Reason::BeyondBoundary, "destination.dns", sides, REMEDY))
            .into_iter()
            .collect()
    })
}

/// The contract takes images from where the boundary doesn't.
pub fn registry_beyond_boundary(input: &ContractInput<'_>) -> Vec<Problem> {
    each_boundary(input, |boundary| {
        let allowed = &boundary.spec.ceilings.registries;
        let registries = input.contract.spec.destination.compute.registries.iter();
        registries
            .filter(|asked| !allowed.iter().any(|limit| registry_within(asked.as_str(), limit.as_str())))
            .map(|asked| {
                let sides = format!(
                    "{} takes images from {asked}, but {} allows only what is inside of: {}",
                    input.subject(),
                    named(boundary),
                    list(allowed)
                );
                let clause = format!("destination.compute.registries[{asked}]");
                problem(Reason::BeyondBoundary, clause, sides, REMEDY)
            })
            .collect()
    })
}

/// The contract runs pods under a runtime class that the boundary doesn't name.
pub fn runtime_class_beyond_boundary(input: &ContractInput<'_>) -> Vec<Problem> {
    let Some(asked) = &input.contract.spec.destination.compute.runtime_class_name else { return Vec::new() };
    each_boundary(input, |boundary| {
        let allowed = &boundary.spec.ceilings.runtime_class_names;
        let sides = format!(
            "{} asks for {asked}, but {} allows only: {}",
            input.subject(),
            named(boundary),
            list(allowed)
        );
        (!allowed.contains(asked))
            .then(|| problem(Reason::BeyondBoundary, "destination.compute.runtimeClassName", sides, REMEDY))
            .into_iter()
            .collect()
    })
}

/// What `check` finds against each boundary.
fn each_boundary(
    input: &ContractInput<'_>,
    check: impl Fn(&SharingBoundary) -> Vec<Problem>,
) -> Vec<Problem> {
    input.boundaries.iter().flat_map(|boundary| check(boundary)).collect()
}
