//! Whether what is wanted is already there: a subset comparison, because the API server and its
//! controllers add fields of their own.

use serde_json::Value;

use super::objects::{Live, Wanted};
use crate::policy::quantity::Amount;

/// Whether `live` already holds everything that `wanted` says.
pub fn is_contained(wanted: &Wanted, live: &Live) -> bool {
    if live.terminating {
        return false;
    }
    let live = live.value();
    let Some(fields) = wanted.body.as_object() else { return false };
    fields
        .iter()
        .filter(|(field, _)| !matches!(field.as_str(), "apiVersion" | "kind"))
        .all(|(field, value)| live.get(field).map_or_else(|| is_empty(value), |there| holds(value, there)))
}

/// Whether `there` holds everything in `wanted`: maps by subset, lists item by item, quantities
/// by value, since the API server writes `1000m` as `1`.
fn holds(wanted: &Value, there: &Value) -> bool {
    match (wanted, there) {
        (wanted, there) if is_empty(wanted) => is_empty(there),
        (Value::Object(wanted), Value::Object(there)) => wanted.iter().all(|(field, value)| {
            there.get(field).map_or_else(|| is_empty(value), |found| holds(value, found))
        }),
        (Value::Array(wanted), Value::Array(there)) => {
            wanted.len() == there.len()
                && wanted.iter().zip(there).all(|(wanted, there)| holds(wanted, there))
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

    use serde_json::json;

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
    fn a_changed_value_is_a_difference() {
        let stored = Live::from_value(quota("2").body);
        assert!(!is_contained(&quota("1"), &stored));
    }
}
