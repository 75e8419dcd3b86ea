//! No field of any kind is without its order: each value that a schema knows is changed in turn,
//! and the change is seen, under its own name.

use std::collections::BTreeSet;

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::super::{Change, diff, diff_boundaries, diff_contracts, diff_datasets, diff_partners};
use crate::api::effective::EffectivePolicy;
use crate::api::{Dataset, GrantRecord, Partner, SharingBoundary, SharingContract};
use crate::policy::testing::World;
use crate::policy::tests::leaves::{schema, variants};

/// The paths of a schema's leaves; the items of lists count as what they are lists of.
fn leaves(schema: &Value, path: &str, found: &mut BTreeSet<String>) {
    let schema = schema.get("items").unwrap_or(schema);
    match schema.get("properties").and_then(Value::as_object) {
        Some(properties) => properties.iter().for_each(|(name, property)| {
            leaves(property, &if path.is_empty() { name.clone() } else { format!("{path}.{name}") }, found);
        }),
        None => drop(found.insert(path.to_owned())),
    }
}

/// A pointer or a clause without which item of a list, or which entry of a map, it is about.
fn plain(path: &str) -> String {
    let mut plain = String::new();
    let mut depth = 0_usize;
    for letter in path.chars() {
        match letter {
            '[' => depth += 1,
            ']' => depth -= 1,
            _ if depth == 0 => plain.push(letter),
            _ => {}
        }
    }
    let parts = plain.trim_start_matches('/').split(['/', '.']);
    parts.filter(|part| part.parse::<usize>().is_err()).collect::<Vec<_>>().join(".")
}

/// What has to hold too is told where its like is told.
fn told_at(leaf: &str) -> String {
    let moved = [
        ("further.schedules.windows", "time.windows"),
        ("further.authentication", "security.authentication"),
    ];
    let found = moved.iter().find_map(|(from, to)| Some(format!("{to}{}", leaf.strip_prefix(from)?)));
    found.unwrap_or_else(|| leaf.to_owned())
}

fn touches(one: &str, other: &str) -> bool {
    let begins = |long: &str, short: &str| {
        long == short || long.strip_prefix(short).is_some_and(|rest| rest.starts_with('.'))
    };
    begins(one, other) || begins(other, one)
}

/// Changes every value of `samples` in turn, and looks for the change. Gives what wasn't seen, and
/// what the schema knows and no sample has.
fn unseen<T: DeserializeOwned>(
    schema: &Value,
    samples: &[Value],
    diff: impl Fn(&T, &T) -> Vec<Change>,
) -> (Vec<String>, Vec<String>) {
    let mut known = BTreeSet::new();
    leaves(schema, "", &mut known);
    assert!(known.len() > 10, "the walk found the schema: {known:?}");
    let mut unseen = Vec::new();
    let read = |value: &Value| serde_json::from_value::<T>(value.clone()).expect("a sample can be read");
    for sample in samples {
        let before = read(sample);
        assert_eq!(diff(&before, &before), [], "a sample is equal to itself");
        present(schema, sample, "", &mut known);
        for variant in variants(schema, sample) {
            let leaf = told_at(&plain(&variant.path));
            let changes = diff(&before, &read(&variant.spec));
            if !changes.iter().any(|change| touches(&leaf, &plain(&change.clause))) {
                unseen.push(format!("{leaf}: {changes:?}"));
            }
        }
    }
    (unseen, known.into_iter().collect())
}

/// Takes the leaves that a sample has from `missing`.
fn present(schema: &Value, value: &Value, path: &str, missing: &mut BTreeSet<String>) {
    match value {
        Value::Array(items) => {
            let inner = schema.get("items").unwrap_or(schema);
            for item in items {
                present(inner, item, path, missing);
            }
        }
        Value::Object(fields) if schema.get("properties").is_some() => {
            for (name, value) in fields {
                let inner = &schema["properties"][name.as_str()];
                let deeper = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                present(inner, value, &deeper, missing);
            }
        }
        _ => drop(missing.remove(path)),
    }
}

#[track_caller]
fn all_seen<T: DeserializeOwned>(schema: &Value, samples: &[Value], diff: impl Fn(&T, &T) -> Vec<Change>) {
    let (unseen, missing) = unseen(schema, samples, diff);
    assert!(unseen.is_empty(), "changed, and nobody noticed: {unseen:#?}");
    assert!(missing.is_empty(), "give the sample these, so that they are tried: {missing:#?}");
}

/// The story's contract, and what the story doesn't say.
fn contract() -> Value {
    let mut value = serde_json::to_value(World::story().contract.spec).expect("JSON");
    value["dataScope"]["datasets"][0]["rows"]["to"] = json!("2029-01-01T00:00:00Z");
    value["models"][0]["evaluations"][0]["atLeast"] = json!("0.1");
    value["stages"][0]["soak"] = json!("1h");
    let image = format!("registry.retail.example/partners/comity@sha256:{}", "0".repeat(64));
    value["rehearsal"]["probe"] = json!({"image": image});
    value
}

fn policy() -> Value {
    let mut world = World::story();
    world.contract.spec = serde_json::from_value(contract()).expect("a contract");
    let agreed = world.agreed();
    let mut value =
        serde_json::to_value(&agreed.stages[&crate::api::Stage::Production].policy).expect("JSON");
    value["datasets"][0]["endpoint"]["target"]["name"] = json!("https");
    value["people"] = json!([{"name": "ana", "role": "Auditor"}]);
    let windows = value["time"]["windows"].clone();
    let other: Value =
        serde_json::from_str(&windows.to_string().replace("Stockholm", "London")).expect("JSON");
    value["further"] = json!({"schedules": [{"windows": other}], "authentication": [{"contexts": ["hwk"]}]});
    value
}

#[test]
fn every_clause_of_a_contract_has_its_order() {
    all_seen(&schema::<SharingContract>(), &[contract()], diff_contracts);
}

#[test]
fn every_clause_of_an_effective_policy_has_its_order() {
    let schema = schema::<GrantRecord>();
    let schema = schema.pointer("/properties/policy").expect("a record holds a policy");
    all_seen(schema, &[policy()], |old: &EffectivePolicy, new: &EffectivePolicy| diff(Some(old), Some(new)));
}

#[test]
fn every_clause_of_a_boundary_has_its_order() {
    let selected = serde_json::to_value(&World::story().boundaries[0].spec).expect("JSON");
    let mut named = selected.clone();
    named["namespaces"] = json!({"from": "Names", "names": ["risk-data"]});
    all_seen(&schema::<SharingBoundary>(), &[selected, named], diff_boundaries);
}

#[test]
fn every_clause_of_a_dataset_has_its_order() {
    let dataset = serde_json::to_value(&World::story().datasets[0].spec).expect("JSON");
    all_seen(&schema::<Dataset>(), &[dataset], diff_datasets);
}

#[test]
fn every_clause_of_a_partner_has_its_order() {
    let named = serde_json::to_value(&World::story().partner.spec).expect("JSON");
    let mut selected = named.clone();
    selected["allowedNamespaces"] = json!({"from": "Selector", "selector": {"matchLabels": {"a": "b"}}});
    all_seen(&schema::<Partner>(), &[named, selected], diff_partners);
}

#[test]
fn a_clause_that_is_forgotten_is_found() {
    let schema = schema::<SharingContract>();
    let forgetful = |old: &_, new: &_| -> Vec<Change> {
        diff_contracts(old, new)
            .into_iter()
            .filter(|change| !change.clause.contains("minimumGroupSize"))
            .collect()
    };
    let (overlooked, missing) = unseen(&schema, &[contract()], forgetful);
    assert_eq!(overlooked.len(), 1, "{overlooked:?}");
    assert!(missing.is_empty());
    let mut short = contract();
    short.as_object_mut().expect("an object").remove("anomaly");
    let (_, missing) = unseen(&schema, &[short], diff_contracts);
    assert_eq!(missing, ["anomaly.action", "anomaly.denialsPerMinute", "anomaly.volumeFactor"]);
}
