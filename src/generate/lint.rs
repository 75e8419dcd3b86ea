//! Test only: the conventions of the Kubernetes API, and ours, held against every definition.
//!
//! After `api-conventions.md` of Kubernetes and its API linter; a field that breaks a convention
//! can't be mended once somebody uses it.

mod node;
mod rule;

use serde_json::Value;

use super::crd::definitions;

/// Kinds that only Comity writes: nobody reads the messages of their rules.
const WRITTEN_BY_COMITY: [&str; 3] = ["GrantRecord", "RehearsalReport", "StagePolicy"];
/// Print columns of type `date` show a time to come as `<invalid>`, so only this one may have it.
const ONLY_DATE: &str = ".metadata.creationTimestamp";

/// What breaks a convention in one definition.
fn broken(definition: &Value) -> Vec<String> {
    let kind = text(definition, "/spec/names/kind");
    let mut found = names(definition);
    for version in list(definition, "/spec/versions") {
        found.extend(of_version(version, WRITTEN_BY_COMITY.contains(&kind)));
    }
    found.into_iter().map(|finding| format!("{kind}: {finding}")).collect()
}

/// What is wrong with the names of a definition.
fn names(definition: &Value) -> Vec<String> {
    let mut found = Vec::new();
    if !list(definition, "/spec/names/categories").contains(&Value::from("comity")) {
        found.push("not in the category comity: `kubectl get comity` would miss it".to_owned());
    }
    if text(definition, "/spec/group") != crate::api::GROUP {
        found.push("not in our group".to_owned());
    }
    found
}

/// What is wrong in one version.
fn of_version(version: &Value, written_by_comity: bool) -> Vec<String> {
    let mut found = Vec::new();
    let empty = Value::Null;
    let schema = version.pointer("/schema/openAPIV3Schema").unwrap_or(&empty);
    if !list(schema, "/required").contains(&Value::from("spec")) {
        found.push("spec isn't required: transition rules don't run when it is taken out".to_owned());
    }
    if list(schema, "/required").contains(&Value::from("status")) {
        found.push("status is required, so nobody could create one".to_owned());
    }
    let has_status = schema.pointer("/properties/status").is_some();
    if has_status && version.pointer("/subresources/status").is_none() {
        found.push("status isn't a subresource".to_owned());
    }
    if has_status && schema.pointer("/properties/status/properties/observedGeneration").is_none() {
        found.push("status has no observedGeneration".to_owned());
    }
    for column in list(version, "/additionalPrinterColumns") {
        if text(column, "/type") == "date" && text(column, "/jsonPath") != ONLY_DATE {
            found.push(format!(
                "print column {}: a time to come would show as <invalid>",
                text(column, "/name")
            ));
        }
    }
    for part in ["spec", "status"] {
        if let Some(schema) = schema.pointer(&format!("/properties/{part}")) {
            node::check(part, schema, &mut found);
        }
    }
    rule::check_all("", schema, written_by_comity, &mut found);
    found
}

/// The text at `pointer`, or nothing.
fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// The list at `pointer`, or nothing.
fn list<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    value.pointer(pointer).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

#[test]
fn every_definition_keeps_the_conventions() {
    let definitions = definitions().expect("every type can be written");
    assert!(definitions.len() >= 7, "some kinds are missing");
    let found: Vec<String> = definitions.iter().flat_map(broken).collect();
    assert!(found.is_empty(), "{found:#?}");
}

/// Breaks a good definition at one place, and gives what is found.
#[cfg(test)]
fn found_after(kind: &str, breaking: impl FnOnce(&mut Value)) -> Vec<String> {
    let definitions = definitions().expect("every type can be written");
    let mut definition = definitions
        .into_iter()
        .find(|definition| text(definition, "/spec/names/kind") == kind)
        .expect("the kind exists");
    breaking(&mut definition);
    broken(&definition)
}

/// The value at `pointer`, to break it.
#[cfg(test)]
fn at<'a>(definition: &'a mut Value, pointer: &str) -> &'a mut Value {
    definition.pointer_mut(pointer).unwrap_or_else(|| panic!("nothing at {pointer}"))
}

#[test]
fn what_is_wrong_with_a_whole_definition_is_found() {
    const VERSION: &str = "/spec/versions/0";
    let schema = |rest: &str| format!("{VERSION}/schema/openAPIV3Schema{rest}");
    let breaks: [(&str, Value); 6] = [
        ("/spec/names/categories", Value::from(vec!["all"])),
        ("/spec/group", Value::from("example.com")),
        (&schema("/required"), Value::from(vec!["metadata"])),
        (&schema("/required"), Value::from(vec!["spec", "status"])),
        (&format!("{VERSION}/subresources"), serde_json::json!({})),
        (
            &format!("{VERSION}/additionalPrinterColumns/0"),
            serde_json::json!({"type": "date", "jsonPath": ".spec.x"}),
        ),
    ];
    for (pointer, value) in breaks {
        let found = found_after("PartnerGrant", |definition| *at(definition, pointer) = value.clone());
        assert_eq!(found.len(), 1, "{pointer} = {value}: {found:?}");
    }
}
