//! What the partner, or who is one, stands in the way of.

use std::collections::BTreeMap;

use jiff::Timestamp;
use kube::ResourceExt as _;

use super::super::scope;
use super::{GrantInput, list, problem};
use crate::api::condition::Reason;
use crate::api::value::Name;
use crate::api::{Partner, SharingContract};
use crate::policy::Problem;

/// The contract isn't for this partner.
pub fn not_in_contract(input: &GrantInput<'_>) -> Vec<Problem> {
    let partner = &input.grant.spec.partner_ref.name;
    let contract = input.terms.contract;
    if contract.spec.partners.contains(partner) {
        return Vec::new();
    }
    let sides = format!(
        "the grant is for {partner}, but the contract {} is only for: {}",
        contract.name_any(),
        list(&contract.spec.partners)
    );
    vec![problem(
        Reason::PartnerNotAllowed,
        "partners",
        sides,
        "add the partner to the contract, or make no grant",
    )]
}

/// The partner's own entry doesn't let this namespace refer to it.
pub fn namespace_not_allowed(input: &GrantInput<'_>) -> Vec<Problem> {
    let namespace = input.grant.namespace().unwrap_or_default();
    let refused = input.partner.and_then(|partner| refusal(partner, &namespace, input.namespace_labels));
    refused.into_iter().collect()
}

/// Why `partner` can't be referred to from `namespace`, if it can't.
pub fn refusal(partner: &Partner, namespace: &str, labels: &BTreeMap<String, String>) -> Option<Problem> {
    let scope = partner.spec.allowed_namespaces.as_ref();
    if scope.is_some_and(|scope| scope::selects(scope, namespace, labels)) {
        return None;
    }
    let allowed = scope.map_or_else(|| "no namespace".to_owned(), scope::describe);
    let sides = format!(
        "this is the namespace {namespace}, but the partner {} lets in only {allowed}",
        partner.name_any()
    );
    let remedy = "ask the platform team to let the namespace in (allowedNamespaces of the Partner)";
    Some(problem(Reason::PartnerNotAllowed, "partner.allowedNamespaces", sides, remedy))
}

/// A control that the contract requires wasn't shown, or doesn't count any more.
pub fn control_missing(input: &GrantInput<'_>) -> Vec<Problem> {
    let Some(partner) = input.partner else { return Vec::new() };
    let contract = input.terms.contract;
    let required = contract.spec.security.required_controls.iter();
    required
        .filter_map(|name| {
            let fault = control_fault(partner, name, input.terms.now)?;
            let sides = format!("the contract {} requires {name}, but {fault}", contract.name_any());
            let remedy = "record current evidence in spec.controls of the Partner";
            let clause = format!("security.requiredControls[{name}]");
            Some(problem(Reason::ControlMissing, clause, sides, remedy))
        })
        .collect()
}

/// What is wrong with a partner's control, if anything is.
pub fn control_fault(partner: &Partner, name: &Name, now: Timestamp) -> Option<String> {
    let holder = partner.name_any();
    match partner.spec.controls.iter().find(|control| control.name == *name) {
        None => Some(format!("the partner {holder} hasn't shown it")),
        Some(control) if control.valid_until.0 <= now => {
            Some(format!("what the partner {holder} has shown counted until {}", control.valid_until.0))
        }
        Some(_) => None,
    }
}

/// The controls of a partner that don't count any more, whoever requires them.
pub fn controls_run_out(partner: &Partner, now: Timestamp) -> Vec<Problem> {
    let controls = partner.spec.controls.iter();
    controls
        .filter_map(|control| {
            let fault = control_fault(partner, &control.name, now)?;
            let sides = format!("{fault}; contracts that require it give no access");
            let remedy = "record current evidence, or take the control from the Partner";
            Some(problem(Reason::ControlMissing, format!("controls[{}]", control.name), sides, remedy))
        })
        .collect()
}

/// When the first of the controls that the contract requires stops counting.
pub fn first_control_to_end(partner: &Partner, contract: &SharingContract) -> Option<Timestamp> {
    let required = &contract.spec.security.required_controls;
    let controls = partner.spec.controls.iter();
    controls.filter(|control| required.contains(&control.name)).map(|control| control.valid_until.0).min()
}
