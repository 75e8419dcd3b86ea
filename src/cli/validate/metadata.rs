//! Whether names, labels and annotations are such as Kubernetes takes, in its own words. Pure.

use serde_json::{Map, Value};

use super::finding::{Fault, METADATA, SCHEMA};

/// What `metadata` can hold.
const FIELDS: [&str; 15] = [
    "annotations",
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "finalizers",
    "generateName",
    "generation",
    "labels",
    "managedFields",
    "name",
    "namespace",
    "ownerReferences",
    "resourceVersion",
    "selfLink",
    "uid",
];

const LONGEST_NAME: usize = 253;
const LONGEST_LABEL: usize = 63;
const LONGEST_ANNOTATIONS: usize = 262_144;

const NAME: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must \
    start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is \
    '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const KEY: &str = "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an \
    alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is \
    '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const LABEL: &str = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must \
    start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation \
    is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";

/// What is wrong with the metadata of an object.
pub(super) fn faults(object: &Value) -> Vec<Fault> {
    let Some(metadata) = object.get("metadata").and_then(Value::as_object) else {
        return vec![Fault::error(
            METADATA,
            "metadata",
            "metadata.name: Required value: name or generateName is required",
        )];
    };
    let mut faults: Vec<Fault> = metadata
        .keys()
        .filter(|field| !FIELDS.contains(&field.as_str()))
        .map(|field| unknown(field))
        .collect();
    faults.extend(named(metadata));
    for (path, is_label) in [("labels", true), ("annotations", false)] {
        match metadata.get(path) {
            None | Some(Value::Null) => {}
            Some(Value::Object(entries)) => {
                faults.extend(entries_faults(&format!("metadata.{path}"), entries, is_label));
            }
            Some(other) => faults.push(Fault::invalid(
                METADATA,
                format!("metadata.{path}"),
                &other.to_string(),
                "must be a map",
            )),
        }
    }
    faults
}

fn unknown(field: &str) -> Fault {
    let message = format!(".metadata.{field}: field not declared in schema");
    Fault::error(SCHEMA, format!("metadata.{field}"), message)
}

/// What is wrong with the name and the namespace.
fn named(metadata: &Map<String, Value>) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (field, is_good) in [
        ("name", is_subdomain as fn(&str) -> bool),
        ("generateName", begins_subdomain),
        ("namespace", is_subdomain),
    ] {
        let path = format!("metadata.{field}");
        match metadata.get(field) {
            None | Some(Value::Null) => {}
            Some(Value::String(name)) if is_good(name) => {}
            Some(Value::String(name)) if name.len() > LONGEST_NAME => {
                faults.push(Fault::invalid(
                    METADATA,
                    path,
                    &format!("{name:?}"),
                    "must be no more than 253 bytes",
                ));
            }
            Some(other) => faults.push(Fault::invalid(METADATA, path, &other.to_string(), NAME)),
        }
    }
    let has = |field: &str| metadata.get(field).and_then(Value::as_str).is_some_and(|name| !name.is_empty());
    if !has("name") && !has("generateName") && faults.is_empty() {
        let message = "metadata.name: Required value: name or generateName is required";
        faults.push(Fault::error(METADATA, "metadata", message));
    }
    faults
}

fn entries_faults(path: &str, entries: &Map<String, Value>, is_label: bool) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut size = 0;
    for (key, value) in entries {
        // Kubernetes doesn't mind the case of an annotation's prefix.
        let looked_at = if is_label { key.clone() } else { key.to_lowercase() };
        if !is_qualified(&looked_at) {
            faults.push(Fault::invalid(METADATA, path, &format!("{key:?}"), KEY));
        }
        let Some(text) = value.as_str() else {
            let at = format!("{path}.{key}");
            faults.push(Fault::invalid(METADATA, at, &value.to_string(), "must be a text: put it in quotes"));
            continue;
        };
        size += key.len() + text.len();
        if is_label && text.len() > LONGEST_LABEL {
            faults.push(Fault::invalid(
                METADATA,
                path,
                &format!("{text:?}"),
                "must be no more than 63 bytes",
            ));
        } else if is_label && !text.is_empty() && !is_word(text) {
            faults.push(Fault::invalid(METADATA, path, &format!("{text:?}"), LABEL));
        }
    }
    if !is_label && size > LONGEST_ANNOTATIONS {
        let message = format!("{path}: Too long: may not be more than {LONGEST_ANNOTATIONS} bytes");
        faults.push(Fault::error(METADATA, path, message));
    }
    faults
}

/// Whether a text is a name of DNS in lower case.
fn is_subdomain(text: &str) -> bool {
    let is_part = |part: &str| {
        let edge = |letter: Option<char>| {
            letter.is_some_and(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit())
        };
        let fits = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-';
        edge(part.chars().next()) && edge(part.chars().last()) && part.chars().all(fits)
    };
    text.len() <= LONGEST_NAME && text.split('.').all(is_part)
}

/// Whether a name of DNS can begin so.
fn begins_subdomain(text: &str) -> bool {
    is_subdomain(&format!("{text}x"))
}

/// Whether a text is a key: `example.com/name`, or `name`.
fn is_qualified(key: &str) -> bool {
    let (prefix, name) = key.split_once('/').map_or((None, key), |(prefix, name)| (Some(prefix), name));
    prefix.is_none_or(is_subdomain) && name.len() <= LONGEST_LABEL && is_word(name)
}

/// Whether a text is a word as labels have them.
fn is_word(text: &str) -> bool {
    let edge = |letter: Option<char>| letter.is_some_and(|letter| letter.is_ascii_alphanumeric());
    let fits = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.');
    edge(text.chars().next()) && edge(text.chars().last()) && text.chars().all(fits)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(metadata: &Value) -> Vec<String> {
        faults(&json!({ "metadata": metadata })).into_iter().map(|fault| fault.message).collect()
    }

    #[test]
    fn what_kubernetes_takes_is_taken() {
        for metadata in [
            json!({"name": "a"}),
            json!({"name": "a.b-c.0", "namespace": "x", "labels": {"a/b": "", "app.kubernetes.io/Name_1": "V.1"}}),
            json!({"generateName": "ok-", "annotations": {"Example.COM/a": "anything; at all"}}),
            json!({"name": "n".repeat(253), "labels": null}),
        ] {
            assert_eq!(told(&metadata), [] as [String; 0], "{metadata}");
        }
    }

    #[test]
    fn what_it_does_not_take_is_told_in_its_words() {
        for (metadata, words) in [
            (json!({}), "metadata.name: Required value"),
            (json!({"name": "A"}), "a lowercase RFC 1123 subdomain"),
            (json!({"name": "a..b"}), "a lowercase RFC 1123 subdomain"),
            (json!({"name": "n".repeat(254)}), "no more than 253"),
            (json!({"name": "a", "label": {}}), ".metadata.label: field not declared in schema"),
            (json!({"name": "a", "labels": {"a b": "x"}}), "name part must consist of"),
            (json!({"name": "a", "labels": {"a": "x y"}}), "a valid label must be an empty string"),
            (json!({"name": "a", "labels": {"a": true}}), "put it in quotes"),
            (json!({"name": "a", "labels": {"a": "x".repeat(64)}}), "no more than 63"),
            (json!({"name": "a", "annotations": {"/a": "x"}}), "name part must consist of"),
            (json!({"name": "a", "annotations": {"a": "x".repeat(300_000)}}), "Too long"),
            (json!({"name": "a", "annotations": []}), "must be a map"),
        ] {
            let told = told(&metadata);
            assert_eq!(told.len(), 1, "{metadata}: {told:?}");
            assert!(told[0].contains(words), "{words}: {told:?}");
        }
        assert_eq!(faults(&json!({})).len(), 1);
    }
}
