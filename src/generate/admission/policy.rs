//! One admission policy and its bindings, as data, and the two Kubernetes objects that it becomes.

use serde_json::{Value, json};

use super::cel::spell;
use crate::api::{GROUP, VERSION, name};

/// A `ValidatingAdmissionPolicy` with its bindings. Every text may hold the words of [`super::cel`].
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// Name of the policy and of its binding.
    pub name: &'static str,
    /// What it is for, in a sentence that `kubectl describe` shows.
    pub about: &'static str,
    /// Which requests it sees.
    pub rules: Vec<Rule>,
    /// Only namespaces with these labels.
    pub namespaces: Option<Value>,
    /// Only requests for which all of these hold: name and expression.
    pub conditions: Vec<(&'static str, &'static str)>,
    /// Names for expressions, in the order in which they build on each other.
    pub variables: Vec<(&'static str, &'static str)>,
    /// What must hold.
    pub validations: Vec<Validation>,
    /// Whether the StagePolicy of the namespace is its parameter.
    pub stage_policy: bool,
    /// Labels of which one must be on the old or the new object; each is a binding. None: one binding for all.
    pub labels: Vec<&'static str>,
}

/// Requests: resources of an API group, and what is done to them.
#[derive(Clone, Debug)]
pub struct Rule {
    /// API group; `""` is the core, `"*"` all.
    pub group: &'static str,
    /// Resources, with subresources as `pods/resize`.
    pub resources: &'static [&'static str],
    /// `CREATE`, `UPDATE`, `DELETE`, `CONNECT`.
    pub operations: &'static [&'static str],
}

/// An expression that must be true, and what is said if it isn't.
#[derive(Clone, Copy, Debug)]
pub struct Validation {
    /// The expression.
    pub expression: &'static str,
    /// What is said, in words, if the message's own expression can't be had.
    pub message: &'static str,
    /// CEL for the message; empty: just `message`.
    pub say: &'static str,
}

/// Selects the namespaces of stages.
pub fn stage_namespaces() -> Value {
    json!({"matchExpressions": [{"key": name::LABEL_GRANT_UID, "operator": "Exists"}]})
}

impl Policy {
    /// The policy, then its bindings; `system` is the namespace that Comity runs in.
    pub fn objects(&self, system: &str) -> Vec<Value> {
        let mut objects = vec![self.policy(system)];
        objects.extend(self.bindings());
        objects
    }

    fn policy(&self, system: &str) -> Value {
        let mut spec = json!({
            "failurePolicy": "Fail",
            "matchConstraints": self.constraints(system),
            "validations": self.validations.iter().map(|rule| rule.value(system)).collect::<Vec<_>>(),
        });
        if self.stage_policy {
            spec["paramKind"] = json!({"apiVersion": format!("{GROUP}/{VERSION}"), "kind": "StagePolicy"});
        }
        for (field, expressions) in [("matchConditions", &self.conditions), ("variables", &self.variables)] {
            if !expressions.is_empty() {
                spec[field] = named_expressions(expressions, system);
            }
        }
        json!({
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "ValidatingAdmissionPolicy",
            "metadata": {
                "name": self.name,
                "labels": super::super::labels(),
                "annotations": {"comity.dev/about": self.about},
            },
            "spec": spec,
        })
    }

    fn constraints(&self, system: &str) -> Value {
        let mut constraints = constraints(&self.rules);
        if let Some(selector) = &self.namespaces {
            let text = selector.to_string().replace("$SYSTEM", system);
            constraints["namespaceSelector"] = text.parse().unwrap_or_default();
        }
        constraints
    }

    fn bindings(&self) -> Vec<Value> {
        if self.labels.is_empty() {
            return vec![self.binding(self.name, None)];
        }
        let named = |label: &str| format!("{}-{}", self.name, label.rsplit('/').next().unwrap_or(label));
        let labels = self.labels.iter().enumerate();
        labels
            .map(|(number, label)| self.binding(&named(label), Some((label, &self.labels[..number]))))
            .collect()
    }

    /// A binding to what carries a label, and none of those `before` it: what carries several is looked
    /// at once.
    fn binding(&self, binding: &str, label: Option<(&str, &[&str])>) -> Value {
        let mut spec = json!({"policyName": self.name, "validationActions": ["Deny"]});
        if let Some((label, before)) = label {
            let mut expressions = vec![json!({"key": label, "operator": "Exists"})];
            expressions.extend(before.iter().map(|other| json!({"key": other, "operator": "DoesNotExist"})));
            spec["matchResources"] = json!({"objectSelector": {"matchExpressions": expressions}});
        }
        if self.stage_policy {
            spec["paramRef"] = json!({"name": name::STAGE_POLICY, "parameterNotFoundAction": "Deny"});
        }
        json!({
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "ValidatingAdmissionPolicyBinding",
            "metadata": {"name": binding, "labels": super::super::labels()},
            "spec": spec,
        })
    }
}

impl Rule {
    fn value(&self) -> Value {
        json!({
            "apiGroups": [self.group],
            "apiVersions": ["*"],
            "resources": self.resources,
            "operations": self.operations,
        })
    }
}

impl Validation {
    fn value(self, system: &str) -> Value {
        let mut value = json!({
            "expression": expression(self.expression, system),
            "message": lines(self.message, " "),
            "reason": "Forbidden",
        });
        if !self.say.is_empty() {
            value["messageExpression"] = Value::from(lines(&spell(self.say, system), " "));
        }
        value
    }
}

/// Which requests a policy sees.
pub(super) fn constraints(rules: &[Rule]) -> Value {
    json!({"resourceRules": rules.iter().map(Rule::value).collect::<Vec<_>>()})
}

/// Names with their expressions.
pub(super) fn named_expressions(expressions: &[(&'static str, &'static str)], system: &str) -> Value {
    let named = |(name, text): &(&str, &str)| json!({"name": name, "expression": expression(text, system)});
    expressions.iter().map(named).collect()
}

/// An expression over several lines stays so: people read it in the cluster.
pub(super) fn expression(text: &str, system: &str) -> String {
    lines(&spell(text, system), "\n")
}

/// The lines of a text without the indentation that they have in the code.
fn lines(text: &str, between: &str) -> String {
    text.lines().map(str::trim).collect::<Vec<_>>().join(between)
}
