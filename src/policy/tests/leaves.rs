//! Everything that a kind's `spec` can say, found by walking its schema: each value with another
//! one that could stand in its place, and each list whose order means nothing.

use kube::CustomResourceExt;
use serde_json::{Value, json};

/// A `spec` that differs in one value, and where.
#[derive(Debug)]
pub struct Variant {
    /// The value's JSON pointer.
    pub path: String,
    /// The whole `spec`.
    pub spec: Value,
}

/// The schema of a kind's `spec`.
pub fn schema<K: CustomResourceExt>() -> Value {
    let definition = serde_json::to_value(K::crd()).expect("a definition is JSON");
    definition
        .pointer("/spec/versions/0/schema/openAPIV3Schema/properties/spec")
        .expect("every kind has a spec")
        .clone()
}

/// `spec` with each of its values changed in turn.
pub fn variants(schema: &Value, spec: &Value) -> Vec<Variant> {
    let mut leaves = Vec::new();
    collect(schema, spec, String::new(), &mut leaves);
    leaves
        .into_iter()
        .map(|(path, other)| {
            let mut spec = spec.clone();
            *spec.pointer_mut(&path).expect("it was found there") = other;
            Variant { path, spec }
        })
        .collect()
}

/// Each value of `value` that has an alternative, by its pointer.
fn collect(schema: &Value, value: &Value, path: String, leaves: &mut Vec<(String, Value)>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let inner = schema
                    .pointer(&format!("/properties/{}", escaped(name)))
                    .or_else(|| schema.get("additionalProperties"))
                    .unwrap_or_else(|| panic!("{path}/{name} isn't in the schema"));
                collect(inner, value, format!("{path}/{}", escaped(name)), leaves);
            }
        }
        Value::Array(items) => {
            let inner = schema.get("items").expect("a list has items");
            for (index, item) in items.iter().enumerate() {
                collect(inner, item, format!("{path}/{index}"), leaves);
            }
        }
        leaf => leaves.extend(alternative(schema, leaf).map(|other| (path, other))),
    }
}

/// Another value that could stand in the place of `leaf`.
fn alternative(schema: &Value, leaf: &Value) -> Option<Value> {
    if let Some(Value::Array(choices)) = schema.get("enum") {
        return choices.iter().find(|choice| *choice != leaf).cloned();
    }
    match leaf {
        Value::Bool(flag) => Some(json!(!flag)),
        Value::Number(number) => Some(json!(number.as_i64().expect("no floats in an API") + 1)),
        Value::String(_) if schema.get("format") == Some(&json!("date-time")) => {
            Some(json!("2031-02-03T04:05:06Z"))
        }
        Value::String(text) => Some(json!(format!("{text}x"))),
        _ => None,
    }
}

/// `value` with every list whose order means nothing reversed and turned by `turns`; other lists
/// stay as they are.
pub fn permuted(schema: &Value, value: &Value, turns: usize) -> Value {
    match value {
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| {
                let inner = schema.pointer(&format!("/properties/{}", escaped(name)));
                let value = inner.map_or_else(|| value.clone(), |inner| permuted(inner, value, turns));
                (name.clone(), value)
            })
            .collect::<serde_json::Map<_, _>>()
            .into(),
        Value::Array(items) => {
            let inner = schema.get("items").expect("a list has items");
            let mut items: Vec<Value> = items.iter().map(|item| permuted(inner, item, turns)).collect();
            let list_type = schema.get("x-kubernetes-list-type").and_then(Value::as_str);
            if matches!(list_type, Some("set" | "map")) && !items.is_empty() {
                items.reverse();
                let turn = turns % items.len();
                items.rotate_left(turn);
            }
            items.into()
        }
        leaf => leaf.clone(),
    }
}

/// `name` as JSON pointers write it.
fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}
