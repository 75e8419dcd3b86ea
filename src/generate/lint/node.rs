//! The conventions of fields: described, bounded, of a type that every client can hold.

use serde_json::Value;

use super::super::crd::TIME;
use super::{list, text};

/// Booleans that are meant, and why.
const BOOLEANS: [(&str, &str); 1] =
    [("spec.suspend", "as in CronJob and Flux: who is woken at night knows what it does")];
/// Names of fields that aren't ours to choose, and whose they are.
const NAMES: [(&str, &str); 1] =
    [("spec.statement._type", "in-toto's, and whoever reads such statements looks for it")];
/// Formats that the API server knows and every client can hold.
const FORMATS: [&str; 3] = ["int32", "int64", "date-time"];
/// GEP-2257, "Duration format".
const GEP_2257: &str = "^([0-9]{1,5}(h|m|s|ms)){1,4}$";

/// Checks a field and everything below it.
pub(super) fn check(path: &str, schema: &Value, found: &mut Vec<String>) {
    let mut say = |what: &str| found.push(format!("{path}: {what}"));
    if text(schema, "/description").is_empty() {
        say("has no description");
    }
    if schema.get("nullable").is_some() {
        say("is nullable: leave it out instead");
    }
    for loose in ["$ref", "x-kubernetes-preserve-unknown-fields", "x-kubernetes-int-or-string"] {
        if schema.get(loose).is_some() {
            say(&format!("{loose}: say what it holds"));
        }
    }
    if let Some(format) = schema.get("format").and_then(Value::as_str)
        && !FORMATS.contains(&format)
    {
        say(&format!("format {format}: use one of {FORMATS:?}"));
    }
    match text(schema, "/type") {
        "string" => string(schema, &mut say),
        "array" => array(path, schema, found),
        "object" => object(path, schema, found),
        "integer" => {}
        "boolean" => boolean(path, found),
        other => say(&format!("type {other:?}: use a string, an integer, a list or an object")),
    }
}

fn string(schema: &Value, say: &mut impl FnMut(&str)) {
    if !["maxLength", "enum"].iter().any(|bound| schema.get(bound).is_some()) {
        say("no maxLength or enum: it could be of any size");
    }
    let pattern = text(schema, "/pattern");
    if text(schema, "/format") == "date-time" && pattern != TIME {
        say("a time without the pattern of times: what nobody can read would be stored");
    }
    let rules = list(schema, "/x-kubernetes-validations");
    let is_duration = rules.iter().any(|rule| text(rule, "/rule").contains("duration(self)"));
    if is_duration && pattern != GEP_2257 {
        say("read as a duration, but its pattern isn't that of GEP-2257");
    }
    let choices = list(schema, "/enum").iter().filter_map(Value::as_str);
    for choice in choices.filter(|choice| !choice.starts_with(|first: char| first.is_ascii_uppercase())) {
        say(&format!("enum value {choice}: begin it with a capital"));
    }
}

fn array(path: &str, schema: &Value, found: &mut Vec<String>) {
    let mut say = |what: &str| found.push(format!("{path}: {what}"));
    if schema.get("maxItems").is_none() {
        say("no maxItems: it could be of any size");
    }
    let keys = list(schema, "/x-kubernetes-list-map-keys");
    match text(schema, "/x-kubernetes-list-type") {
        "map" if keys.is_empty() => say("list-type map without keys"),
        "map" => {
            for key in keys.iter().filter_map(Value::as_str).filter(|key| !always_there(schema, key)) {
                say(&format!("key {key} is neither required nor has a default"));
            }
        }
        "set" | "atomic" => {}
        _ => say("no x-kubernetes-list-type: nobody could own a part of it"),
    }
    if path.ends_with(".conditions") {
        if keys != [Value::from("type")] {
            say("conditions are keyed by type");
        }
        // Its fields are Kubernetes' own.
        return;
    }
    match schema.get("items") {
        Some(items) => check(&format!("{path}[]"), items, found),
        None => found.push(format!("{path}: says nothing of its items")),
    }
}

/// Whether every item of a list has this field.
fn always_there(schema: &Value, key: &str) -> bool {
    list(schema, "/items/required").contains(&Value::from(key))
        || schema.pointer(&format!("/items/properties/{key}/default")).is_some()
}

fn object(path: &str, schema: &Value, found: &mut Vec<String>) {
    if let Some(values) = schema.get("additionalProperties") {
        if schema.get("maxProperties").is_none() {
            found.push(format!("{path}: no maxProperties: it could be of any size"));
        }
        if text(values, "/type") != "string" || values.get("maxLength").is_none() {
            found.push(format!("{path}: its values have to be strings with a maxLength"));
        }
        return;
    }
    let Some(fields) = schema.get("properties").and_then(Value::as_object) else {
        found.push(format!("{path}: says nothing of what it holds"));
        return;
    };
    for (name, field) in fields {
        let path = format!("{path}.{name}");
        let is_camel =
            name.starts_with(|first: char| first.is_ascii_lowercase()) && !name.contains(['_', '-']);
        if !is_camel && !NAMES.iter().any(|(meant, _)| *meant == path) {
            found.push(format!("{path}: field names are in camelCase"));
        }
        check(&path, field, found);
    }
}

fn boolean(path: &str, found: &mut Vec<String>) {
    if !BOOLEANS.iter().any(|(meant, _)| *meant == path) {
        found.push(format!("{path}: an enum can grow a third value, a boolean can't"));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn found(path: &str, schema: &Value) -> Vec<String> {
        let mut found = Vec::new();
        check(path, schema, &mut found);
        found
    }

    #[test]
    fn what_is_well_made_passes() {
        for (path, schema) in [
            ("spec.name", json!({"type": "string", "description": "x", "maxLength": 63})),
            (
                "spec.at",
                json!({"type": "string", "description": "x", "format": "date-time",
                "maxLength": 35, "pattern": TIME}),
            ),
            ("spec.kind", json!({"type": "string", "description": "x", "enum": ["A", "TCP"]})),
            ("spec.count", json!({"type": "integer", "description": "x", "format": "int32"})),
            ("spec.suspend", json!({"type": "boolean", "description": "x"})),
            (
                "status.conditions",
                json!({"type": "array", "description": "x", "maxItems": 8, "items": {"type": "object", "required": ["type"]},
                    "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]}),
            ),
        ] {
            assert_eq!(found(path, &schema), Vec::<String>::new(), "{schema}");
        }
    }

    #[test]
    fn every_broken_convention_of_a_value_is_found() {
        for schema in [
            json!({"type": "string", "maxLength": 1}),
            json!({"type": "string", "description": "x"}),
            json!({"type": "string", "description": "x", "maxLength": 1, "nullable": true}),
            json!({"type": "string", "description": "x", "format": "uuid", "maxLength": 36}),
            json!({"type": "string", "description": "x", "format": "date-time", "maxLength": 35}),
            json!({"type": "string", "description": "x", "format": "date-time", "pattern": TIME}),
            json!({"type": "string", "description": "x", "enum": ["lower"]}),
            json!({"type": "string", "description": "x", "maxLength": 9, "pattern": "^P.*$",
                "x-kubernetes-validations": [{"rule": "duration(self) > duration('0s')"}]}),
            json!({"type": "integer", "description": "x", "format": "uint32"}),
            json!({"type": "number", "description": "x"}),
            json!({"type": "boolean", "description": "x"}),
            json!({"description": "x"}),
        ] {
            assert_eq!(found("spec.x", &schema).len(), 1, "{schema}");
        }
    }

    #[test]
    fn every_broken_convention_of_a_list_or_map_is_found() {
        let item = json!({"type": "string", "description": "x", "maxLength": 1});
        let keyed = json!({"type": "object", "description": "x", "properties": {"a": item}});
        for schema in [
            json!({"type": "array", "description": "x", "items": item, "x-kubernetes-list-type": "set"}),
            json!({"type": "array", "description": "x", "items": item, "maxItems": 1}),
            json!({"type": "array", "description": "x", "maxItems": 1, "x-kubernetes-list-type": "set"}),
            json!({"type": "array", "description": "x", "items": keyed, "maxItems": 1, "x-kubernetes-list-type": "map"}),
            json!({"type": "array", "description": "x", "items": keyed, "maxItems": 1, "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["a"]}),
            json!({"type": "object", "description": "x", "additionalProperties": item}),
            json!({"type": "object", "description": "x", "maxProperties": 1, "additionalProperties": {"type": "string"}}),
            json!({"type": "object", "description": "x"}),
            json!({"type": "object", "description": "x", "properties": {"snake_case": item}}),
        ] {
            assert_eq!(found("spec.x", &schema).len(), 1, "{schema}");
        }
        let conditions =
            json!({"type": "array", "description": "x", "maxItems": 1, "x-kubernetes-list-type": "atomic"});
        assert_eq!(found("status.conditions", &conditions).len(), 1);
    }
}
