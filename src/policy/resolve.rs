//! From everything that a grant depends on to what is agreed, or to every reason why nothing is.

use jiff::Timestamp;
use kube::ResourceExt as _;

use super::checks::{CONTRACT_CHECKS, ContractInput, GRANT_CHECKS, GrantInput, problem};
use super::{Agreement, Operands, Problem, boundary, terms};
use crate::api::SharingBoundary;
use crate::api::condition::Reason;

/// What is agreed as everything stands at `now`.
///
/// Where something is missing, unknown or beyond what somebody else allows there is no agreement,
/// but every problem that could be found, in the order in which people are best told.
pub fn resolve(operands: &Operands<'_>, now: Timestamp) -> Result<Agreement, Vec<Problem>> {
    let namespace = operands.grant.namespace().unwrap_or_default();
    let boundaries = boundary::matching(&operands.boundaries, &namespace, &operands.namespace_labels);
    let mut problems = missing(operands, &boundaries, &namespace);
    let Some(contract) = operands.contract else { return Err(problems) };
    let input = GrantInput::of(operands, contract, &boundaries, now);
    problems.extend(examine(&input.terms));
    problems.extend(GRANT_CHECKS.iter().flat_map(|check| check(&input)));
    if !problems.is_empty() {
        return Err(problems);
    }
    terms::agreement(operands, &boundaries).ok_or_else(|| vec![unreadable(&contract.name_any())])
}

/// Every problem of a contract that doesn't depend on who is granted something under it.
pub fn examine(input: &ContractInput<'_>) -> Vec<Problem> {
    CONTRACT_CHECKS.iter().flat_map(|check| check(input)).collect()
}

/// The objects that aren't there.
fn missing(operands: &Operands<'_>, boundaries: &[&SharingBoundary], namespace: &str) -> Vec<Problem> {
    let spec = &operands.grant.spec;
    let mut problems = Vec::new();
    if operands.contract.is_none() {
        let name = &spec.contract_ref.name;
        let sides = format!("the grant is under {name}, but there is no contract {name} in this namespace");
        let remedy = "create it, or make a grant under another one";
        problems.push(problem(Reason::UnknownContract, "contractRef", sides, remedy));
    }
    if operands.partner.is_none() {
        let name = &spec.partner_ref.name;
        let sides = format!("the grant is for {name}, but there is no partner {name}");
        let remedy = "ask the platform team to create it, or make a grant for another one";
        problems.push(problem(Reason::UnknownPartner, "partnerRef", sides, remedy));
    }
    problems.extend(boundaries.is_empty().then(|| no_boundary(namespace)));
    problems
}

/// No boundary selects the namespace, so nothing can be shared from it.
pub fn no_boundary(namespace: &str) -> Problem {
    let sides = format!(
        "something is to be shared from the namespace {namespace}, but no SharingBoundary selects it, which allows nothing"
    );
    let remedy = "ask the platform team for a boundary whose spec.namespaces selects it";
    problem(Reason::NoBoundary, "boundary", sides, remedy)
}

/// Every check let it pass, and still it holds a value that can't be read: refuse all the same.
fn unreadable(contract: &str) -> Problem {
    let sides = format!("a value that the contract {contract} or the grant needs can't be read");
    problem(
        Reason::Invalid,
        "spec",
        sides,
        "write durations as 720h, quantities as 500m, networks as 192.0.2.0/24",
    )
}
