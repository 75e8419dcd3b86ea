//! Whether an object keeps the rules of its definition (CEL), evaluated as the API server does. A rule
//! that can't be evaluated here is told: it doesn't pass. Pure.

use kube::core::cel::{CompiledSchema, ErrorKind, ValidationError, Validator};
use serde_json::Value;

use super::definition::Definition;
use super::finding::{Fault, NOT_EVALUATED, RULE};

/// What to do about a rule that can't be evaluated here.
const REMEDY: &str = "kubectl apply --server-side --dry-run=server asks the API server";

/// Holds objects to rules.
#[derive(Debug)]
pub(super) struct Rules(Validator);

impl Rules {
    pub(super) fn new() -> Self {
        Self(Validator::new())
    }

    /// What an object breaks of its kind's rules. Those of changes count where it was another before.
    pub(super) fn broken(
        &self,
        definition: &Definition,
        object: &Value,
        before: Option<&Value>,
    ) -> Vec<Fault> {
        self.broken_of(definition.rules(), object, before)
    }

    fn broken_of(&self, rules: &CompiledSchema, object: &Value, before: Option<&Value>) -> Vec<Fault> {
        let Err(errors) = self.0.validate_compiled(rules, object, before) else { return Vec::new() };
        errors.into_iter().map(|error| fault(error, object)).collect()
    }
}

fn fault(error: ValidationError, object: &Value) -> Fault {
    let ValidationError { rule, message, field_path: path, kind, .. } = error;
    if kind == ErrorKind::ValidationFailure {
        return Fault::invalid(RULE, path.clone(), &shown(object, &path), &message);
    }
    let told = format!(
        "{path}: the rule `{rule}` can't be evaluated here, so nothing says that it is kept ({message}); {REMEDY}"
    );
    Fault::error(NOT_EVALUATED, path, told)
}

/// A value as the API server names it: itself, or what it is.
fn shown(object: &Value, path: &str) -> String {
    let mut value = object;
    for step in path.split(['.', '[']) {
        let index = step.strip_suffix(']').and_then(|index| index.parse::<usize>().ok());
        let next = index.and_then(|index| value.get(index)).or_else(|| value.get(step));
        let Some(next) = next else { return "\"object\"".to_owned() };
        value = next;
    }
    match value {
        Value::Object(_) => "\"object\"".to_owned(),
        Value::Array(_) => "\"array\"".to_owned(),
        leaf => leaf.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use kube::core::cel::compile_schema;
    use serde_json::json;

    use super::*;

    fn broken(rule: &str, value: &Value) -> Vec<Fault> {
        let schema = json!({"type": "object", "properties": {"spec": {"type": "object", "properties": {"a": {"type": "string",
            "x-kubernetes-validations": [{"rule": rule, "message": "say b"}]}}}}});
        Rules::new().broken_of(&compile_schema(&schema), &json!({"spec": {"a": value}}), None)
    }

    #[test]
    fn a_rule_that_is_broken_is_told_with_its_message_and_the_value() {
        assert_eq!(broken("self == 'b'", &json!("b")), []);
        let told = broken("self == 'b'", &json!("c"));
        assert_eq!(told, [Fault::error(RULE, "spec.a", "spec.a: Invalid value: \"c\": say b")]);
    }

    #[test]
    fn a_rule_that_cannot_be_evaluated_does_not_pass() {
        for rule in ["self.", "unheardOf(self)", "self == 1 + 'b'", "duration(self) > duration('0s')", "1"] {
            let told = broken(rule, &json!("c"));
            assert_eq!(told.len(), 1, "{rule}");
            assert_eq!((told[0].rule.as_str(), told[0].path.as_str()), (NOT_EVALUATED, "spec.a"), "{rule}");
            assert!(told[0].message.contains("--dry-run=server"), "{told:?}");
        }
    }

    #[test]
    fn a_rule_of_changes_counts_where_there_was_something_before() {
        let rules = compile_schema(&json!({"type": "object", "properties": {"spec": {"type": "object",
            "x-kubernetes-validations": [{"rule": "self == oldSelf", "message": "it never changes"}]}}}));
        let told =
            |before: Option<&Value>| Rules::new().broken_of(&rules, &json!({"spec": {"a": 1}}), before);
        assert_eq!(told(None), []);
        assert_eq!(told(Some(&json!({"spec": {"a": 1}}))), []);
        let changed = told(Some(&json!({"spec": {"a": 2}})));
        assert_eq!(changed[0].message, "spec: Invalid value: \"object\": it never changes");
    }
}
