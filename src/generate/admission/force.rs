//! Whether the policies are in force that this version writes: there, bound so that they deny or stamp, and
//! saying just what was written, beside what the API server fills in. Pure.

use std::collections::BTreeMap;

use serde_json::Value;

/// What makes a rule of admission.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Part {
    /// A `ValidatingAdmissionPolicy`.
    Policy,
    /// A `ValidatingAdmissionPolicyBinding`. A policy without one holds nothing.
    Binding,
    /// A `MutatingAdmissionPolicy`.
    Stamp,
    /// A `MutatingAdmissionPolicyBinding`. A policy without one stamps nothing.
    StampBinding,
}

impl Part {
    /// What refuses.
    pub const REFUSING: [Self; 2] = [Self::Policy, Self::Binding];

    /// What stamps.
    pub const STAMPING: [Self; 2] = [Self::Stamp, Self::StampBinding];

    /// The part that a kind is.
    pub fn of_kind(kind: &str) -> Option<Self> {
        let mut all = Self::REFUSING.into_iter().chain(Self::STAMPING);
        all.find(|part| part.kind() == kind)
    }

    /// Its kind.
    pub const fn kind(self) -> &'static str {
        match self {
            Self::Policy => "ValidatingAdmissionPolicy",
            Self::Binding => "ValidatingAdmissionPolicyBinding",
            Self::Stamp => "MutatingAdmissionPolicy",
            Self::StampBinding => "MutatingAdmissionPolicyBinding",
        }
    }

    /// Its kind's plural, as paths have it.
    pub const fn plural(self) -> &'static str {
        match self {
            Self::Policy => "validatingadmissionpolicies",
            Self::Binding => "validatingadmissionpolicybindings",
            Self::Stamp => "mutatingadmissionpolicies",
            Self::StampBinding => "mutatingadmissionpolicybindings",
        }
    }
}

/// Which part of which rule.
pub type PartName = (Part, String);

/// What has to stand, and what it has to say.
#[derive(Clone, Debug, Default)]
pub struct Required(BTreeMap<PartName, Value>);

/// What the API server fills in where nothing is said.
const FILLED_IN: [(&str, &str); 3] =
    [("matchPolicy", "Equivalent"), ("scope", "*"), ("failurePolicy", "Fail")];

impl Required {
    /// All that refuses, as this version writes it; `system` is the namespace that Comity runs in.
    pub fn of(system: &str) -> Self {
        Self::all(&super::objects(system))
    }

    /// All that stamps, as this version writes it.
    pub fn stamps(system: &str) -> Self {
        Self::all(&super::stamps(system))
    }

    fn all(objects: &[Value]) -> Self {
        let part = |object: &Value| {
            let part = Part::of_kind(object.get("kind")?.as_str()?)?;
            let name = object.pointer("/metadata/name")?.as_str()?.to_owned();
            Some(((part, name), object.get("spec")?.clone()))
        };
        Self(objects.iter().filter_map(part).collect())
    }

    /// Whether nothing is required.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether an object says what it has to say; `None` where it isn't one of these.
    pub fn is_met(&self, part: &PartName, object: &Value) -> Option<bool> {
        let wanted = self.0.get(part)?;
        Some(says(wanted, object.get("spec").unwrap_or(&Value::Null)))
    }

    /// What isn't in force, given which parts stand and whether each says what it has to say: the
    /// first of it, in a sentence. `None`: all of it is.
    pub fn lacking(&self, standing: &BTreeMap<PartName, bool>) -> Option<String> {
        self.0.keys().find_map(|(part, name)| {
            let kind = part.kind();
            match standing.get(&(*part, name.clone())) {
                Some(true) => None,
                Some(false) => Some(format!("the {kind} {name} isn't as this version of Comity wrote it")),
                None if matches!(part, Part::Binding | Part::StampBinding) => {
                    Some(format!("a policy isn't bound: there is no {kind} {name}"))
                }
                None => Some(format!("there is no {kind} {name}")),
            }
        })
    }
}

/// Whether what is there says just what is wanted.
fn says(wanted: &Value, there: &Value) -> bool {
    match (wanted, there) {
        (Value::Object(wanted), Value::Object(there)) => {
            wanted.iter().all(|(field, value)| says(value, there.get(field).unwrap_or(&Value::Null)))
                && there.iter().all(|(field, value)| wanted.contains_key(field) || is_filled_in(field, value))
        }
        (Value::Array(wanted), Value::Array(there)) => {
            wanted.len() == there.len() && wanted.iter().zip(there).all(|(wanted, there)| says(wanted, there))
        }
        _ => wanted == there || (is_nothing(wanted) && is_nothing(there)),
    }
}

fn is_filled_in(field: &str, value: &Value) -> bool {
    is_nothing(value) || FILLED_IN.iter().any(|(known, default)| *known == field && value == default)
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const SYSTEM: &str = "comity-system";

    fn stored() -> BTreeMap<PartName, Value> {
        Required::of(SYSTEM).0.into_iter().map(|(part, spec)| (part, json!({"spec": spec}))).collect()
    }

    fn lacking(objects: &BTreeMap<PartName, Value>) -> Option<String> {
        let required = Required::of(SYSTEM);
        let met = |part: &PartName, object: &Value| Some((part.clone(), required.is_met(part, object)?));
        required.lacking(&objects.iter().filter_map(|(part, object)| met(part, object)).collect())
    }

    fn pods(part: Part) -> PartName {
        (part, "comity-pods".to_owned())
    }

    #[test]
    fn what_is_written_is_in_force_with_what_the_api_server_fills_in() {
        let mut objects = stored();
        assert_eq!(lacking(&objects), None);
        let constraints = &mut objects.get_mut(&pods(Part::Policy)).unwrap()["spec"]["matchConstraints"];
        constraints["matchPolicy"] = json!("Equivalent");
        constraints["objectSelector"] = json!({});
        constraints["resourceRules"][0]["scope"] = json!("*");
        assert_eq!(lacking(&objects), None);
        objects.insert((Part::Policy, "somebody-elses".to_owned()), json!({"spec": {}}));
        assert_eq!(lacking(&objects), None);
    }

    #[test]
    fn what_is_missing_or_weakened_is_named() {
        type Change = fn(&mut Value);
        let weak: [(Part, Change); 7] = [
            (Part::Binding, |spec| spec["validationActions"] = json!(["Audit"])),
            (Part::Binding, |spec| spec["policyName"] = json!("another")),
            (Part::Binding, |spec| spec["paramRef"]["parameterNotFoundAction"] = json!("Allow")),
            (Part::Binding, |spec| spec["matchResources"] = json!({"excludeResourceRules": [{}]})),
            (Part::Policy, |spec| spec["failurePolicy"] = json!("Ignore")),
            (Part::Policy, |spec| spec["validations"][0]["expression"] = json!("true")),
            (Part::Policy, |spec| {
                spec["matchConditions"] = json!([{"name": "never", "expression": "false"}]);
            }),
        ];
        for (part, change) in weak {
            let mut objects = stored();
            change(&mut objects.get_mut(&pods(part)).unwrap()["spec"]);
            let why = lacking(&objects).unwrap();
            assert_eq!(
                why,
                format!("the {} comity-pods isn't as this version of Comity wrote it", part.kind())
            );
        }
        for part in Part::REFUSING {
            let mut objects = stored();
            objects.remove(&pods(part));
            assert!(
                lacking(&objects).unwrap().ends_with(&format!("there is no {} comity-pods", part.kind()))
            );
        }
    }
}
