//! The conventions of CEL rules: each answers with what to do.

use serde_json::Value;

use super::{list, text};

/// Words of which one has to be in a message: it says what to do, or what has to be.
const SAYS_WHAT_TO_DO: [&str; 19] = [
    "add", "at most", "choose", "give", "has to", "have to", "leave", "lower", "make", "move", "must",
    "raise", "remove", "shorten", "swap", "take", "use", "wait", "write",
];

/// Checks the rules of a schema and of everything below it.
pub(super) fn check_all(path: &str, schema: &Value, written_by_comity: bool, found: &mut Vec<String>) {
    for rule in list(schema, "/x-kubernetes-validations") {
        found.extend(objection(rule, written_by_comity).map(|what| format!("{path}: {what}")));
    }
    if let Some(fields) = schema.get("properties").and_then(Value::as_object) {
        for (name, field) in fields {
            let below = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            check_all(&below, field, written_by_comity, found);
        }
    }
    if let Some(items) = schema.get("items") {
        check_all(&format!("{path}[]"), items, written_by_comity, found);
    }
}

/// What is to be said against a rule, if anything.
fn objection(rule: &Value, written_by_comity: bool) -> Option<String> {
    let (cel, message) = (text(rule, "/rule"), text(rule, "/message"));
    if message.is_empty() {
        return Some(format!("`{cel}` has no message"));
    }
    if message.contains("self.") || message.contains("failed rule") {
        return Some(format!("{message:?} speaks CEL: say it in words"));
    }
    let helps = SAYS_WHAT_TO_DO.iter().any(|word| message.contains(word));
    (!helps && !written_by_comity).then(|| format!("{message:?} doesn't say what to do"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_rule_has_to_say_what_to_do() {
        let against = |message: &str, comity| objection(&json!({"rule": "x", "message": message}), comity);
        assert_eq!(against("from has to be before to: swap them", false), None);
        assert_eq!(against("a record never changes", true), None);
        assert!(against("a record never changes", false).is_some());
        assert!(against("", true).is_some());
        assert!(against("failed rule: self.from < self.to", true).is_some());
    }

    #[test]
    fn rules_are_found_wherever_they_are() {
        let rule = json!({"type": "string", "x-kubernetes-validations": [{"rule": "x"}]});
        let schema = json!({"x-kubernetes-validations": [{"rule": "x"}], "properties": {
            "list": {"items": {"properties": {"deep": rule}}}, "flat": rule}});
        let mut found = Vec::new();
        check_all("", &schema, false, &mut found);
        assert_eq!(found.len(), 3, "{found:?}");
    }
}
