//! Whether what is wanted is already there. What an object says has to be just that; its metadata
//! may hold more, because the API server and others add to that.

use serde_json::{Map, Value, json};

use super::objects::{Live, Wanted};
use crate::policy::quantity::Amount;

/// Whether `live` says what `wanted` says, and nothing beside.
pub fn is_contained(wanted: &Wanted, live: &Live) -> bool {
    if live.terminating {
        return false;
    }
    let Some(fields) = wanted.body.as_object() else { return false };
    if !is_labelled(wanted, live) {
        return false;
    }
    let live = live.unlabelled();
    fields.iter().filter(|(field, _)| !is_type(field)).all(|(field, value)| {
        let there = live.get(field).unwrap_or(&Value::Null);
        if field == "metadata" { is_annotated(value, there) } else { says(value, there) }
    })
}

/// Whether `live` has every label that is wanted.
fn is_labelled(wanted: &Wanted, live: &Live) -> bool {
    let labels = wanted.body.pointer("/metadata/labels").and_then(Value::as_object);
    labels
        .into_iter()
        .flatten()
        .all(|(label, value)| live.labels.get(label).map(String::as_str) == value.as_str())
}

/// Whether the metadata `there` has every annotation that is wanted.
fn is_annotated(wanted: &Value, there: &Value) -> bool {
    let annotations = wanted.get("annotations").and_then(Value::as_object);
    let there = there.get("annotations").unwrap_or(&Value::Null);
    annotations.into_iter().flatten().all(|(name, value)| there.get(name) == Some(value))
}

/// The merge patch after which `live` says just what `wanted` says. Applying isn't enough where
/// somebody else has added something: what they own, applying leaves.
pub fn correction(wanted: &Wanted, live: &Live) -> Value {
    let there = live.unlabelled();
    let fields = wanted.body.as_object().into_iter().flatten();
    let mut patch: Map<String, Value> = fields
        .filter(|(field, _)| !is_type(field) && *field != "metadata")
        .map(|(field, value)| (field.clone(), difference(value, there.get(field).unwrap_or(&Value::Null))))
        .collect();
    patch.insert("metadata".to_owned(), json!({ "uid": live.uid }));
    Value::Object(patch)
}

/// What a merge patch says to make `wanted` of `there`: lists whole, and `null` for what has to go.
fn difference(wanted: &Value, there: &Value) -> Value {
    let (Value::Object(wanted), Value::Object(there)) = (wanted, there) else { return wanted.clone() };
    let gone = there.keys().filter(|field| !wanted.contains_key(*field));
    let gone = gone.map(|field| (field.clone(), Value::Null));
    let kept = wanted
        .iter()
        .map(|(field, value)| (field.clone(), difference(value, there.get(field).unwrap_or(&Value::Null))));
    Value::Object(gone.chain(kept).collect())
}

fn is_type(field: &str) -> bool {
    matches!(field, "apiVersion" | "kind")
}

/// Whether both say the same: lists item by item, quantities by value, since the API server writes
/// `1000m` as `1`.
fn says(wanted: &Value, there: &Value) -> bool {
    match (wanted, there) {
        (wanted, there) if is_empty(wanted) => is_empty(there),
        (Value::Object(wanted), Value::Object(there)) => {
            let more = there.iter().any(|(field, value)| !wanted.contains_key(field) && !is_empty(value));
            !more && wanted.iter().all(|(field, value)| says(value, there.get(field).unwrap_or(&Value::Null)))
        }
        (Value::Array(wanted), Value::Array(there)) => {
            wanted.len() == there.len() && wanted.iter().zip(there).all(|(wanted, there)| says(wanted, there))
        }
        (Value::String(wanted), Value::String(there)) => wanted == there || same_quantity(wanted, there),
        _ => wanted == there,
    }
}

/// Whether a value is one that the API server leaves out when it stores an object.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Object(fields) => fields.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Null => true,
        _ => false,
    }
}

/// Whether two texts are the same quantity.
fn same_quantity(one: &str, other: &str) -> bool {
    matches!((Amount::parse(one), Amount::parse(other)), (Some(one), Some(other)) if one == other)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::plan::objects::Kind;

    fn quota(pods: &str) -> Wanted {
        let content = json!({"spec": {"hard": {"pods": pods}}});
        Wanted::new(Kind::ResourceQuota, "n", "q", &BTreeMap::new(), content)
    }

    #[test]
    fn what_the_server_adds_is_no_difference() {
        let mut stored = quota("1000m").body;
        stored["spec"]["hard"]["pods"] = json!("1");
        stored["status"] = json!({"hard": {}});
        assert!(is_contained(&quota("1000m"), &Live::from_value(stored)));
    }

    #[test]
    fn a_selector_that_was_narrowed_is_a_difference() {
        let wanted = Wanted::new(
            Kind::NetworkPolicy,
            "n",
            "p",
            &BTreeMap::new(),
            json!({"spec": {"podSelector": {}}}),
        );
        let mut stored = wanted.body.clone();
        assert!(is_contained(&wanted, &Live::from_value(stored.clone())));
        stored["spec"]["podSelector"] = json!({"matchLabels": {"app": "only-this"}});
        assert!(!is_contained(&wanted, &Live::from_value(stored)));
    }

    #[test]
    fn what_somebody_added_is_a_difference_and_the_correction_takes_it_away() {
        let content = json!({"spec": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}});
        let wanted = Wanted::new(Kind::NetworkPolicy, "n", "p", &BTreeMap::new(), content);
        let mut stored = wanted.body.clone();
        stored["metadata"]["uid"] = json!("u");
        stored["metadata"]["labels"] = json!({"somebody": "else"});
        assert!(is_contained(&wanted, &Live::from_value(stored.clone())), "labels are for everybody");
        stored["spec"]["egress"] = json!([{}]);
        let live = Live::from_value(stored);
        assert!(!is_contained(&wanted, &live));
        let patch = correction(&wanted, &live);
        assert_eq!(
            patch,
            json!({"metadata": {"uid": "u"}, "spec": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"], "egress": null}})
        );
    }

    #[test]
    fn a_changed_value_is_a_difference() {
        let stored = Live::from_value(quota("2").body);
        assert!(!is_contained(&quota("1"), &stored));
    }
}
