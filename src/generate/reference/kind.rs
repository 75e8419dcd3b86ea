//! The page of one kind: its names, its columns, and every field with its type and bounds.

use serde_json::Value;

use super::{GENERATED, cell};
use crate::generate::GeneratedFile;

/// The page of the kind that `definition` defines.
pub(super) fn page(definition: &Value) -> GeneratedFile {
    let kind = text(definition, "/spec/names/kind");
    let schema = definition.pointer("/spec/versions/0/schema/openAPIV3Schema").unwrap_or(&Value::Null);
    let mut rows = Rows::default();
    for part in ["spec", "status"] {
        if let Some(field) = schema.pointer(&format!("/properties/{part}")) {
            rows.field(part, field, list(schema, "/required").contains(&Value::from(part)));
        }
    }
    rows.rules("the whole object", schema);
    let contents = [
        format!("# {kind}\n\n{GENERATED}\n\n{}\n\n{}\n", text(schema, "/description"), names(definition)),
        table("Fields", "| Field | Type | Bounds | What it says |\n|---|---|---|---|", &rows.fields),
        table("Rules", "| Of | What is said where it is broken |\n|---|---|", &rows.rules),
    ]
    .concat();
    GeneratedFile { path: format!("docs/reference/{}.md", kind.to_lowercase()), contents }
}

/// How it is called, and where it lives.
fn names(definition: &Value) -> String {
    let strings = |pointer: &str| -> Vec<String> {
        list(definition, pointer).iter().filter_map(Value::as_str).map(|name| format!("`{name}`")).collect()
    };
    let mut called = vec![format!("`{}`", text(definition, "/spec/names/plural"))];
    called.extend(strings("/spec/names/shortNames"));
    let columns: Vec<&str> = list(definition, "/spec/versions/0/additionalPrinterColumns")
        .iter()
        .map(|column| text(column, "/name"))
        .collect();
    format!(
        "- API version: `{}/{}`\n- Scope: {}\n- In `kubectl`: {}, and with all others `comity`\n- Columns: {}",
        text(definition, "/spec/group"),
        text(definition, "/spec/versions/0/name"),
        text(definition, "/spec/scope"),
        called.join(", "),
        columns.join(", "),
    )
}

/// A table under a heading; nothing where it would be empty.
fn table(heading: &str, head: &str, rows: &[String]) -> String {
    if rows.is_empty() { String::new() } else { format!("\n## {heading}\n\n{head}\n{}\n", rows.join("\n")) }
}

/// The rows of the page's tables.
#[derive(Default)]
struct Rows {
    fields: Vec<String>,
    rules: Vec<String>,
}

impl Rows {
    /// A field, and everything below it. What Kubernetes defines isn't said again.
    fn field(&mut self, path: &str, schema: &Value, required: bool) {
        let required = if required { " (required)" } else { "" };
        self.fields.push(format!(
            "| `{path}` | {}{required} | {} | {} |",
            type_of(schema),
            cell(&bounds(schema)),
            cell(text(schema, "/description"))
        ));
        self.rules(&format!("`{path}`"), schema);
        if !path.ends_with(".conditions") {
            self.below(path, schema);
            if let Some(items) = schema.get("items") {
                self.rules(&format!("`{path}[]`"), items);
                self.below(&format!("{path}[]"), items);
            }
        }
    }

    /// The fields of an object.
    fn below(&mut self, path: &str, schema: &Value) {
        let Some(fields) = schema.get("properties").and_then(Value::as_object) else { return };
        for (name, field) in fields {
            let required = list(schema, "/required").contains(&Value::from(name.as_str()));
            self.field(&format!("{path}.{name}"), field, required);
        }
    }

    /// The CEL rules of a schema.
    fn rules(&mut self, of: &str, schema: &Value) {
        let messages = list(schema, "/x-kubernetes-validations").iter().map(|rule| text(rule, "/message"));
        self.rules.extend(messages.map(|message| format!("| {of} | {} |", cell(message))));
    }
}

/// The type of a field, in a word or two.
fn type_of(schema: &Value) -> String {
    match text(schema, "/type") {
        "array" => format!("list of {}", schema.get("items").map_or_else(String::new, plural)),
        "object" if schema.get("additionalProperties").is_some() => "map of strings".to_owned(),
        "string" if text(schema, "/format") == "date-time" => "time".to_owned(),
        "string" if is_duration(schema) => "duration".to_owned(),
        other => other.to_owned(),
    }
}

/// The type of the items of a list.
fn plural(items: &Value) -> String {
    format!("{}s", type_of(items))
}

/// Whether it is a length of time.
fn is_duration(schema: &Value) -> bool {
    list(schema, "/x-kubernetes-validations")
        .iter()
        .any(|rule| text(rule, "/rule").contains("duration(self)"))
}

/// What a field is held to.
fn bounds(schema: &Value) -> String {
    let mut bounds = Vec::new();
    let choices: Vec<String> = choices(schema).iter().map(|choice| format!("`{choice}`")).collect();
    if !choices.is_empty() {
        bounds.push(format!("one of {}", choices.join(", ")));
    }
    let items_are = schema.get("items").map(bounds_of_items).unwrap_or_default();
    bounds.extend(items_are);
    bounds.extend(range(schema, "minLength", "maxLength", "characters"));
    bounds.extend(range(schema, "minItems", "maxItems", "items"));
    bounds.extend(range(schema, "minProperties", "maxProperties", "entries"));
    bounds.extend(range(schema, "minimum", "maximum", ""));
    let keys: Vec<&str> =
        list(schema, "/x-kubernetes-list-map-keys").iter().filter_map(Value::as_str).collect();
    if !keys.is_empty() {
        bounds.push(format!("keyed by {}", keys.join(" and ")));
    }
    if let Some(default) = schema.get("default").filter(|default| default.is_string()) {
        bounds.push(format!("default `{}`", default.as_str().unwrap_or_default()));
    }
    bounds.join("; ")
}

/// What the items of a list are held to, where that is said nowhere else.
fn bounds_of_items(items: &Value) -> Option<String> {
    let bounds = if items.get("properties").is_some() { String::new() } else { bounds(items) };
    (!bounds.is_empty()).then(|| format!("each {bounds}"))
}

/// The values that are allowed, where they are listed.
fn choices(schema: &Value) -> Vec<&str> {
    list(schema, "/enum").iter().filter_map(Value::as_str).collect()
}

/// From the least to the most, as far as it is said.
fn range(schema: &Value, least: &str, most: &str, of: &str) -> Option<String> {
    let number = |name: &str| schema.get(name).and_then(Value::as_i64);
    let range = match (number(least), number(most)) {
        (Some(least), Some(most)) => format!("{least} to {most} {of}"),
        (None, Some(most)) => format!("at most {most} {of}"),
        (Some(least), None) => format!("at least {least} {of}"),
        (None, None) => return None,
    };
    Some(range.trim_end().to_owned())
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn list<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    value.pointer(pointer).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page_of(kind: &str) -> String {
        let definitions = crate::generate::crd::definitions().expect("every type can be written");
        let definition = definitions.iter().find(|definition| text(definition, "/spec/names/kind") == kind);
        page(definition.expect("the kind exists")).contents
    }

    #[test]
    fn a_field_has_its_type_its_bounds_and_its_words() {
        let page = page_of("PartnerGrant");
        for row in [
            "| `spec.stage` | string (required) | one of `Sandbox`, `Rehearsal`, `Production` |",
            "| `spec.stages[].duration` | duration (required) | 2 to 24 characters |",
            "| `spec.people` | list of objects | at most 32 items; keyed by name |",
            "| `spec.operations` | list of strings (required) | each one of `Infer`,",
            "| `status.openings[].openedAt` | time (required) |",
            "`partnergrants`, `pg`",
            "partnerRef never changes: make a new grant",
        ] {
            assert!(page.contains(row), "{row}\n{page}");
        }
        assert!(!page.contains("conditions[]."), "Kubernetes' own fields are said elsewhere");
    }

    #[test]
    fn a_bar_does_not_break_a_table() {
        for line in page_of("SharingContract").lines().filter(|line| line.starts_with("| `")) {
            assert!(matches!(line.replace("\\|", "").matches('|').count(), 3 | 5), "{line}");
        }
    }
}
