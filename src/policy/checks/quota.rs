//! Quotas that are beyond the boundary, or that no ResourceQuota could hold.

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use super::super::quantity::Amount;
use super::super::quota;
use super::ceilings::{clause, each_ceiling};
use super::{ContractInput, named, problem};
use crate::api::boundary::Quota;
use crate::api::condition::Reason;
use crate::api::{SharingBoundary, Stage};
use crate::policy::Problem;

/// The resources that are counted, and have no fractions.
const COUNTED: [&str; 9] = [
    "pods",
    "services",
    "services.nodeports",
    "services.loadbalancers",
    "replicationcontrollers",
    "resourcequotas",
    "secrets",
    "configmaps",
    "persistentvolumeclaims",
];

/// The resources that are measured.
const MEASURED: [&str; 10] = [
    "cpu",
    "memory",
    "ephemeral-storage",
    "requests.cpu",
    "requests.memory",
    "requests.storage",
    "requests.ephemeral-storage",
    "limits.cpu",
    "limits.memory",
    "limits.ephemeral-storage",
];

/// A quota names a resource, or an amount of it, that the API server refuses in a ResourceQuota.
pub fn quota_unusable(input: &ContractInput<'_>) -> Vec<Problem> {
    let own = input.contract.spec.stages.iter().filter_map(|rule| Some((rule.stage, rule.quota.as_ref()?)));
    let own = own.map(|(stage, quota)| (input.subject(), stage, quota));
    let ceilings = input.boundaries.iter().flat_map(|boundary| ceilings_of(boundary));
    own.chain(ceilings).flat_map(unusable).collect()
}

/// The same of a boundary alone.
pub fn ceilings_unusable(boundary: &SharingBoundary) -> Vec<Problem> {
    ceilings_of(boundary).flat_map(unusable).collect()
}

/// Whose quota, for which stage, and what it holds.
type Given<'a> = (String, Stage, &'a Quota);

/// The quotas that a boundary gives its stages.
fn ceilings_of(boundary: &SharingBoundary) -> impl Iterator<Item = Given<'_>> {
    let stages = boundary.spec.ceilings.stages.iter();
    stages.map(|ceiling| (named(boundary), ceiling.stage, &ceiling.quota))
}

/// What is wrong with one quota.
fn unusable((subject, stage, quota): Given<'_>) -> Vec<Problem> {
    let wrong = quota.hard.iter().filter_map(|(resource, amount)| {
        Some(format!("{subject} gives {} of {resource}, but {}", amount.0, fault(resource, amount)?))
    });
    let remedy = "write it as the resources of a ResourceQuota are written: pods: \"10\", requests.cpu: 500m";
    wrong.map(|sides| problem(Reason::Invalid, clause(stage, ".quota.hard"), sides, remedy)).collect()
}

/// What the API server has against `amount` of `resource` in a ResourceQuota, if anything.
fn fault(resource: &str, amount: &Quantity) -> Option<&'static str> {
    let qualified = resource.split_once('/');
    let is_huge = resource.strip_prefix("requests.").unwrap_or(resource).starts_with("hugepages-");
    let is_known = match qualified {
        Some((prefix, name)) => is_subdomain(prefix) && is_qualified_name(name),
        None => {
            COUNTED.contains(&resource)
                || MEASURED.contains(&resource)
                || is_huge && is_qualified_name(resource)
        }
    };
    if !is_known {
        return Some("a quota knows no such resource");
    }
    let is_counted = qualified.is_some() || COUNTED.contains(&resource);
    let is_fraction = Amount::of(amount).is_some_and(|amount| !amount.is_whole());
    (is_counted && is_fraction).then_some("there is no fraction of that")
}

/// Whether `text` is a DNS subdomain (RFC 1123).
fn is_subdomain(text: &str) -> bool {
    let is_label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|letter| matches!(letter, b'a'..=b'z' | b'0'..=b'9' | b'-'))
    };
    text.len() <= 253 && text.split('.').all(is_label)
}

/// Whether `text` is the name part of a qualified name, as labels and resources have it.
fn is_qualified_name(text: &str) -> bool {
    let ends = [text.bytes().next(), text.bytes().last()];
    let well_ended = ends.iter().all(|end| end.is_some_and(|letter| letter.is_ascii_alphanumeric()));
    let inside = |letter: u8| letter.is_ascii_alphanumeric() || matches!(letter, b'-' | b'_' | b'.');
    text.len() <= 63 && well_ended && text.bytes().all(inside)
}

/// The contract gives a stage more of a resource than the boundary allows. Of what a boundary doesn't
/// name it allows the default, under whichever name the contract asks for it.
pub fn quota_beyond_boundary(input: &ContractInput<'_>) -> Vec<Problem> {
    each_ceiling(input, |boundary, rule, ceiling| {
        let asked = rule.quota.iter().flat_map(|quota| &quota.hard);
        let ceilings = quota::ceilings(&ceiling.quota.hard);
        asked
            .filter_map(|(resource, amount)| {
                let most = quota::most(&ceilings, resource);
                let within = match (Amount::of(amount), &most) {
                    (Some(_), None) => true,
                    (Some(asked), Some(most)) => Amount::of(most).is_some_and(|most| asked <= most),
                    (None, _) => false,
                };
                let most = most.map_or_else(|| "no such limit".to_owned(), |most| most.0);
                let is_default = quota::most(&ceiling.quota.hard, resource).is_none();
                let why = if is_default { ", the default of what it doesn't name" } else { "" };
                let sides = format!(
                    "{} gives {}, but {} at most {most}{why}",
                    input.subject(),
                    amount.0,
                    named(boundary)
                );
                let path = clause(rule.stage, &format!(".quota.hard[{resource}]"));
                let remedy = "lower it in the contract, or ask the platform team for a higher ceiling";
                (!within).then(|| problem(Reason::BeyondBoundary, path, sides, remedy))
            })
            .collect()
    })
}
