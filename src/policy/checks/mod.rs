//! Why something can't be agreed: one small function for each failure, named after it.
//!
//! Each looks at everything it needs and gives every problem it finds, with the clause, both
//! sides and what to do. What can't be read or compared is a problem too.

pub mod ceilings;
pub mod datasets;
pub mod endpoints;
pub mod floors;
pub mod live;
pub mod partner;
pub mod place;
pub mod quota;
pub mod request;

use std::collections::BTreeMap;
use std::fmt::Display;

use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt as _;

use super::{Operands, OtherGrant, Problem, ServiceFacts};
use crate::api::condition::Reason;
use crate::api::contract::ScopedDataset;
use crate::api::value::Duration;
use crate::api::{Dataset, Partner, PartnerGrant, SharingBoundary, SharingContract};

/// What a contract is judged by, whoever is granted something under it.
#[derive(Clone, Copy, Debug)]
pub struct ContractInput<'a> {
    /// The contract.
    pub contract: &'a SharingContract,
    /// The datasets that it names, by name.
    pub datasets: &'a BTreeMap<String, &'a Dataset>,
    /// The Services that the datasets name, by name.
    pub services: &'a BTreeMap<String, ServiceFacts>,
    /// The boundaries that select its namespace.
    pub boundaries: &'a [&'a SharingBoundary],
    /// The instant at which it is judged.
    pub now: Timestamp,
}

/// What a grant is judged by, beside its contract.
#[derive(Clone, Copy, Debug)]
pub struct GrantInput<'a> {
    /// The grant.
    pub grant: &'a PartnerGrant,
    /// Its contract, and what that is judged by.
    pub terms: ContractInput<'a>,
    /// Its partner, where there is one.
    pub partner: Option<&'a Partner>,
    /// The labels of the namespace.
    pub namespace_labels: &'a BTreeMap<String, String>,
    /// When the grant was first accepted; `None`: it never was.
    pub requested: Option<Timestamp>,
    /// The other grants that are live.
    pub others: &'a [OtherGrant],
}

impl<'a> GrantInput<'a> {
    /// What a grant under `contract` is judged by. `boundaries` are those that select its namespace.
    pub fn of(
        operands: &'a Operands<'a>,
        contract: &'a SharingContract,
        boundaries: &'a [&'a SharingBoundary],
        now: Timestamp,
    ) -> Self {
        let (datasets, services) = (&operands.datasets, &operands.services);
        Self {
            grant: operands.grant,
            terms: ContractInput { contract, datasets, services, boundaries, now },
            partner: operands.partner,
            namespace_labels: &operands.namespace_labels,
            requested: operands.requested,
            others: &operands.others,
        }
    }
}

/// One way in which a contract can fail.
pub type ContractCheck = for<'a> fn(&ContractInput<'a>) -> Vec<Problem>;

/// One way in which a grant can fail.
pub type GrantCheck = for<'a> fn(&GrantInput<'a>) -> Vec<Problem>;

/// Every way in which a contract can fail, in the order in which people are told.
pub const CONTRACT_CHECKS: [ContractCheck; 22] = [
    ceilings::contract_ended,
    ceilings::boundary_unreadable,
    ceilings::stage_beyond_boundary,
    ceilings::duration_beyond_boundary,
    ceilings::soak_longer_than_stage,
    quota::quota_unusable,
    quota::quota_beyond_boundary,
    ceilings::credentials_beyond_boundary,
    place::pod_security_beyond_boundary,
    place::egress_beyond_boundary,
    place::dns_beyond_boundary,
    place::registry_beyond_boundary,
    place::runtime_class_beyond_boundary,
    floors::approvals_below_floor,
    floors::reviews_below_floor,
    datasets::dataset_unknown,
    datasets::field_not_shared,
    datasets::artifact_prohibited,
    datasets::use_not_permitted,
    datasets::kept_too_long,
    endpoints::service_unusable,
    endpoints::stages_share_pods,
];

/// Every way in which a grant can fail under its contract, in the order in which people are told.
pub const GRANT_CHECKS: [GrantCheck; 11] = [
    partner::not_in_contract,
    partner::namespace_not_allowed,
    partner::control_missing,
    request::stage_not_offered,
    request::duration_beyond_contract,
    request::soak_out_of_reach,
    request::purpose_beyond_contract,
    request::operation_beyond_contract,
    request::workload_not_an_actor,
    live::duplicate,
    live::too_many,
];

impl<'a> ContractInput<'a> {
    /// The contract, for people: `the contract fraud-scoring`.
    fn subject(&self) -> String {
        format!("the contract {}", self.contract.name_any())
    }

    /// The contract's datasets, where they exist, each with what the contract says of it.
    fn scoped(&self) -> impl Iterator<Item = (&'a ScopedDataset, &'a Dataset)> {
        let datasets = self.datasets;
        self.contract
            .spec
            .data_scope
            .datasets
            .iter()
            .filter_map(move |scoped| Some((scoped, *datasets.get(scoped.name.as_str())?)))
    }
}

/// A problem, in the form in which all of them are told: the clause, both sides, what to do.
pub(crate) fn problem(
    reason: Reason,
    clause: impl Into<String>,
    sides: impl Display,
    remedy: &str,
) -> Problem {
    let clause = clause.into();
    let message = format!("{clause}: {sides}; {remedy}");
    Problem { reason, clause, message, until: None }
}

/// The boundary, for people: `the boundary partners-default`.
fn named(boundary: &SharingBoundary) -> String {
    format!("the boundary {}", boundary.name_any())
}

/// Whether `asked` isn't known to be at most `limit`: also where one of them can't be read.
pub(crate) fn longer(asked: &Duration, limit: &Duration) -> bool {
    match (positive(asked), positive(limit)) {
        (Some(asked), Some(limit)) => asked > limit,
        _ => true,
    }
}

/// The length of a duration that is longer than nothing.
pub(crate) fn positive(duration: &Duration) -> Option<SignedDuration> {
    duration.length().filter(SignedDuration::is_positive)
}

/// Names in a sentence: the first eight, and how many more there are.
pub(crate) fn list<T: Display>(names: impl IntoIterator<Item = T>) -> String {
    const SHOWN: usize = 8;
    let names: Vec<String> = names.into_iter().map(|name| name.to_string()).collect();
    let shown = names.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
    match names.len() {
        0 => "none".to_owned(),
        count if count > SHOWN => format!("{shown} and {} more", count - SHOWN),
        _ => shown,
    }
}
