//! The definition of contracts, as a tree of clauses.

use serde_json::Value;

use crate::generate::crd;

/// What a contract can say, as paths; the items of lists count as what they are lists of.
pub fn of_contracts() -> Vec<String> {
    let definitions = crd::definitions().expect("every type can be written");
    let contract = definitions
        .iter()
        .find(|definition| definition.pointer("/spec/names/kind") == Some(&Value::from("SharingContract")))
        .expect("there is a definition of contracts");
    let schema = "/spec/versions/0/schema/openAPIV3Schema/properties/spec";
    let mut found = Vec::new();
    leaves(contract.pointer(schema).expect("a spec"), "", &mut found);
    assert!(found.len() > 40, "the walk found the schema: {found:?}");
    // A stage's name says which, and isn't a clause of its own.
    found.retain(|leaf| leaf != "stages.stage");
    found
}

fn leaves(schema: &Value, path: &str, found: &mut Vec<String>) {
    let schema = schema.get("items").unwrap_or(schema);
    match schema.get("properties").and_then(Value::as_object) {
        Some(properties) => properties.iter().for_each(|(name, property)| {
            let deeper = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            leaves(property, &deeper, found);
        }),
        None => found.push(path.to_owned()),
    }
}

/// Whether a clause is this leaf, or what it is a part of.
pub fn covers(clause: &str, leaf: &str) -> bool {
    leaf == clause || leaf.strip_prefix(clause).is_some_and(|rest| rest.starts_with('.'))
}
