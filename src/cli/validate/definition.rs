//! The definitions of Comity's kinds, ready to hold many objects to them. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{LazyLock, OnceLock};

use kube::core::cel::{CompiledSchema, compile_schema};
use regex::Regex;
use serde_json::Value;

use crate::generate::crd::definitions;

/// A kind.
#[derive(Debug)]
pub(in crate::cli) struct Definition {
    /// Whether its objects are in namespaces.
    pub(super) namespaced: bool,
    /// What an object of it looks like.
    pub(in crate::cli) schema: Value,
    /// Its patterns, each once; an error is one that can't be read here.
    patterns: BTreeMap<String, Result<Regex, String>>,
    /// Its rules, made ready when the first object is held to them.
    rules: OnceLock<CompiledSchema>,
}

/// Every kind, by its name.
static DEFINITIONS: LazyLock<BTreeMap<String, Definition>> = LazyLock::new(|| {
    let all = definitions().unwrap_or_default();
    all.iter()
        .filter_map(|definition| Some((text(definition, "/spec/names/kind")?, of(definition)?)))
        .collect()
});

/// The definition of a kind of Comity's, if there is such a kind.
pub(in crate::cli) fn definition(kind: &str) -> Option<&'static Definition> {
    DEFINITIONS.get(kind)
}

/// The names of all kinds.
pub(super) fn kinds() -> Vec<&'static str> {
    DEFINITIONS.keys().map(String::as_str).collect()
}

fn text(value: &Value, pointer: &str) -> Option<String> {
    value.pointer(pointer).and_then(Value::as_str).map(str::to_owned)
}

fn of(definition: &Value) -> Option<Definition> {
    let schema = definition.pointer("/spec/versions/0/schema/openAPIV3Schema")?.clone();
    let mut patterns = BTreeSet::new();
    collect_patterns(&schema, &mut patterns);
    let patterns = patterns.into_iter().map(|pattern| (pattern.clone(), compiled(&pattern))).collect();
    let namespaced = text(definition, "/spec/scope").as_deref() == Some("Namespaced");
    Some(Definition { namespaced, schema, patterns, rules: OnceLock::new() })
}

fn collect_patterns(schema: &Value, patterns: &mut BTreeSet<String>) {
    match schema {
        Value::Object(fields) => {
            if let Some(Value::String(pattern)) = fields.get("pattern") {
                patterns.insert(pattern.clone());
            }
            fields.values().for_each(|inner| collect_patterns(inner, patterns));
        }
        Value::Array(items) => items.iter().for_each(|inner| collect_patterns(inner, patterns)),
        _ => {}
    }
}

/// A pattern as the API server reads it: there white space is that of ASCII.
fn compiled(pattern: &str) -> Result<Regex, String> {
    Regex::new(&pattern.replace(r"\s", r"\t\n\f\r ")).map_err(|error| error.to_string())
}

impl Definition {
    /// Whether a text matches a pattern of this kind.
    pub(super) fn matches(&self, pattern: &str, text: &str) -> Result<bool, String> {
        match self.patterns.get(pattern) {
            Some(Ok(regex)) => Ok(regex.is_match(text)),
            Some(Err(why)) => Err(why.clone()),
            None => Err("it isn't in the definition".to_owned()),
        }
    }

    /// Its rules.
    pub(super) fn rules(&self) -> &CompiledSchema {
        self.rules.get_or_init(|| compile_schema(&self.schema))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the walk over a schema holds a value to, or what says nothing of values.
    const UNDERSTOOD: [&str; 23] = [
        "additionalProperties",
        "default",
        "description",
        "enum",
        "format",
        "items",
        "maxItems",
        "maxLength",
        "maxProperties",
        "maximum",
        "minItems",
        "minLength",
        "minProperties",
        "minimum",
        "pattern",
        "properties",
        "required",
        "title",
        "type",
        "x-kubernetes-list-map-keys",
        "x-kubernetes-list-type",
        "x-kubernetes-validations",
        "x-kubernetes-map-type",
    ];
    const FORMATS: [&str; 3] = ["date-time", "int32", "int64"];

    fn each_schema(schema: &Value, look: &mut impl FnMut(&Value)) {
        look(schema);
        let properties = schema.get("properties").and_then(Value::as_object);
        properties.into_iter().flat_map(|fields| fields.values()).for_each(|inner| each_schema(inner, look));
        for inner in ["items", "additionalProperties"].iter().filter_map(|name| schema.get(*name)) {
            each_schema(inner, look);
        }
    }

    #[test]
    fn every_word_of_every_definition_is_understood() {
        assert_eq!(kinds().len(), crate::api::definitions().len());
        let brackets = Regex::new(r"\[[^\]]*\]").expect("a pattern");
        for kind in kinds() {
            let definition = definition(kind).expect("it was listed");
            each_schema(&definition.schema, &mut |schema| {
                let unknown: Vec<&String> = schema
                    .as_object()
                    .into_iter()
                    .flat_map(|fields| fields.keys())
                    .filter(|word| !UNDERSTOOD.contains(&word.as_str()))
                    .collect();
                assert!(unknown.is_empty(), "{kind}: nothing holds a value to {unknown:?}");
                let format = schema.get("format").and_then(Value::as_str);
                assert!(format.is_none_or(|format| FORMATS.contains(&format)), "{kind}: {format:?}");
            });
            for (pattern, compiled) in &definition.patterns {
                assert!(compiled.is_ok(), "{kind}: {pattern}: {compiled:?}");
                let outside = brackets.replace_all(pattern, "");
                assert!(!outside.contains(r"\s"), "{kind}: {pattern}: \\s is understood in brackets only");
            }
        }
    }

    #[test]
    fn every_rule_of_every_definition_can_be_read() {
        fn errors(schema: &CompiledSchema, found: &mut Vec<String>) {
            found.extend(schema.compilation_errors().iter().map(ToString::to_string));
            let inner = schema.properties.values();
            let inner = inner.chain(schema.items.as_deref()).chain(schema.additional_properties.as_deref());
            inner.for_each(|schema| errors(schema, found));
        }
        let mut found = Vec::new();
        for kind in kinds() {
            errors(definition(kind).expect("it was listed").rules(), &mut found);
        }
        assert_eq!(found, [] as [String; 0]);
    }
}
