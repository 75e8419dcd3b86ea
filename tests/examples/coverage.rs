//! Every way to be refused has an example: each rule of the definitions, and each check of the policy.

use std::collections::BTreeSet;

use comity::policy::boundary::matching;
use comity::policy::checks::{CONTRACT_CHECKS, GRANT_CHECKS, GrantInput};
use kube::ResourceExt as _;
use serde_json::Value;

use super::refusal::{Expected, Refusal};
use super::world::{World, files};

/// Checks of contracts that nothing that the API server stores can fail: they are there in case the
/// definitions are older than the program.
const UNREACHABLE: [&str; 2] = ["boundary_unreadable", "soak_longer_than_stage"];

/// A rule of a definition: the kind, and the message.
type Rule = (String, String);

/// The rules in a schema.
fn rules(kind: &str, schema: &Value, found: &mut BTreeSet<Rule>) {
    match schema {
        Value::Object(fields) => {
            for rule in fields.get("x-kubernetes-validations").and_then(Value::as_array).into_iter().flatten()
            {
                let message = rule["message"].as_str().expect("a rule has a message");
                found.insert((kind.to_owned(), message.to_owned()));
            }
            fields.values().for_each(|value| rules(kind, value, found));
        }
        Value::Array(items) => items.iter().for_each(|item| rules(kind, item, found)),
        _ => {}
    }
}

/// Every rule of the definitions. A record repeats what it resolved, so of its rules those count
/// that no other kind has.
fn all_rules() -> BTreeSet<Rule> {
    let mut found = BTreeSet::new();
    for file in files("crds") {
        for definition in &file.documents {
            let kind = definition["spec"]["names"]["kind"].as_str().expect("a definition names its kind");
            rules(kind, definition, &mut found);
        }
    }
    let elsewhere: BTreeSet<String> =
        found.iter().filter(|(kind, _)| kind != "GrantRecord").map(|(_, message)| message.clone()).collect();
    found.retain(|(kind, message)| kind != "GrantRecord" || !elsewhere.contains(message));
    found
}

#[test]
fn every_rule_of_the_definitions_is_hit() {
    let hit: BTreeSet<Rule> = Refusal::all()
        .into_iter()
        .filter_map(|refusal| match refusal.expected {
            Expected::Refused(message) => {
                Some((refusal.documents.last()?["kind"].as_str()?.to_owned(), message))
            }
            Expected::NotAccepted { .. } => None,
        })
        .collect();
    let all = all_rules();
    assert!(all.len() > 25, "the walk found the rules: {all:#?}");
    let missing: Vec<&Rule> = all.iter().filter(|rule| !hit.contains(*rule)).collect();
    assert!(missing.is_empty(), "no example in refused/ for {missing:#?}");
}

/// The numbers of the checks that fail in a world: of contracts, and of grants.
fn failing(world: &World) -> (BTreeSet<usize>, BTreeSet<usize>) {
    world.with(|operands, now| {
        let namespace = operands.grant.namespace().unwrap_or_default();
        let boundaries = matching(&operands.boundaries, &namespace, &operands.namespace_labels);
        let Some(contract) = operands.contract else { return Default::default() };
        let input = GrantInput::of(operands, contract, &boundaries, now);
        let terms = input.terms;
        let numbers = |fails: &dyn Fn(usize) -> bool, count| (0..count).filter(|at| fails(*at)).collect();
        (
            numbers(&|at| !CONTRACT_CHECKS[at](&terms).is_empty(), CONTRACT_CHECKS.len()),
            numbers(&|at| !GRANT_CHECKS[at](&input).is_empty(), GRANT_CHECKS.len()),
        )
    })
}

#[test]
fn every_check_of_the_policy_is_hit() {
    let (mut contracts, mut grants) = (BTreeSet::new(), BTreeSet::new());
    for refusal in Refusal::all() {
        if let Expected::NotAccepted { .. } = refusal.expected {
            let mut world = World::story();
            world.overlay(&refusal.documents);
            let (of_contract, of_grant) = failing(&world);
            contracts.extend(of_contract);
            grants.extend(of_grant);
        }
    }
    let untried = |count: usize, tried: &BTreeSet<usize>| (0..count).filter(|at| !tried.contains(at)).count();
    let left_out = (untried(CONTRACT_CHECKS.len(), &contracts), untried(GRANT_CHECKS.len(), &grants));
    assert_eq!(left_out, (UNREACHABLE.len(), 0), "tried: {contracts:?} of contracts, {grants:?} of grants");
}
