//! Whether an object has the shape that its definition asks for: the API server's structural schema,
//! in the API server's words. Pure.

use serde_json::{Map, Value};

use super::definition::Definition;
use super::finding::{Fault, NOT_EVALUATED, SCHEMA};

/// Fields of every object, which its definition doesn't speak of.
const OF_EVERY_OBJECT: [&str; 3] = ["apiVersion", "kind", "metadata"];

/// How far into an object: nothing is written out until there is something to say.
#[derive(Clone, Copy, Debug)]
struct Path<'a> {
    before: Option<&'a Path<'a>>,
    step: Step<'a>,
}

#[derive(Clone, Copy, Debug)]
enum Step<'a> {
    Root,
    Field(&'a str),
    Item(usize),
}

impl<'a> Path<'a> {
    const ROOT: Self = Self { before: None, step: Step::Root };

    fn then(&'a self, step: Step<'a>) -> Self {
        Self { before: Some(self), step }
    }
}

impl std::fmt::Display for Path<'_> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Some(before) = self.before else { return Ok(()) };
        before.fmt(out)?;
        match self.step {
            Step::Root => Ok(()),
            Step::Field(name) if before.before.is_none() => out.write_str(name),
            Step::Field(name) => write!(out, ".{name}"),
            Step::Item(index) => write!(out, "[{index}]"),
        }
    }
}

/// What was found of an object's shape.
#[derive(Debug, Default)]
pub(super) struct Shape {
    /// What is wrong with it.
    pub(super) faults: Vec<Fault>,
    /// Whether it is so wrong that the rules say nothing of it, as the API server has it.
    pub(super) is_blocking: bool,
}

/// Holds an object to the shape of its kind.
pub(super) fn shape(definition: &Definition, object: &Value) -> Shape {
    let mut walk = Walk { definition, shape: Shape::default() };
    walk.value(&definition.schema, object, &Path::ROOT);
    walk.shape
}

struct Walk<'a> {
    definition: &'a Definition,
    shape: Shape,
}

fn number(schema: &Value, word: &str) -> Option<u64> {
    schema.get(word).and_then(Value::as_u64)
}

fn words<'a>(schema: &'a Value, word: &str) -> impl Iterator<Item = &'a str> {
    schema.get(word).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

impl Walk<'_> {
    fn invalid(&mut self, path: &Path<'_>, value: &Value, why: &str) {
        let path = path.to_string();
        let shown = if value.is_object() || value.is_array() { type_of(value) } else { value.to_string() };
        self.shape.faults.push(Fault::invalid(
            SCHEMA,
            path.clone(),
            &shown,
            &format!("{path} in body {why}"),
        ));
    }

    /// Something for which the API server doesn't look at the rules.
    fn blocking(&mut self, path: &Path<'_>, what: &str) {
        let path = path.to_string();
        let message = format!("{path}: {what}");
        self.shape.faults.push(Fault::error(SCHEMA, path, message));
        self.shape.is_blocking = true;
    }

    fn value(&mut self, schema: &Value, value: &Value, path: &Path<'_>) {
        let wanted = schema.get("type").and_then(Value::as_str).unwrap_or_default();
        if !is_of_type(value, wanted) {
            let found = type_of(value);
            self.invalid(path, &Value::from(found.as_str()), &format!("must be of type {wanted}: {found:?}"));
            self.shape.is_blocking = true;
            return;
        }
        match value {
            Value::Object(fields) => self.object(schema, fields, path),
            Value::Array(items) => self.list(schema, items, path),
            Value::String(text) => self.text(schema, value, text, path),
            Value::Number(_) => self.number(schema, value, path),
            _ => {}
        }
        if let Some(Value::Array(allowed)) = schema.get("enum")
            && !allowed.contains(value)
        {
            let known: Vec<String> = allowed.iter().map(ToString::to_string).collect();
            self.blocking(
                path,
                &format!("Unsupported value: {value}: supported values: {}", known.join(", ")),
            );
        }
    }

    fn object(&mut self, schema: &Value, fields: &Map<String, Value>, path: &Path<'_>) {
        for name in words(schema, "required").filter(|name| !fields.contains_key(*name)) {
            self.blocking(&path.then(Step::Field(name)), "Required value");
        }
        let properties = schema.get("properties");
        let others = schema.get("additionalProperties");
        for (name, value) in fields {
            if path.before.is_none() && OF_EVERY_OBJECT.contains(&name.as_str()) {
                continue;
            }
            if let Some(inner) = properties.and_then(|known| known.get(name)) {
                self.value(inner, value, &path.then(Step::Field(name)));
            } else if let Some(inner) = others {
                self.value(inner, value, &path.then(Step::Field(name)));
            } else {
                let path = path.then(Step::Field(name)).to_string();
                let message = format!(".{path}: field not declared in schema");
                self.shape.faults.push(Fault::error(SCHEMA, path, message));
            }
        }
        self.count(schema, "Properties", "properties", fields.len(), path);
    }

    fn list(&mut self, schema: &Value, items: &[Value], path: &Path<'_>) {
        self.count(schema, "Items", "items", items.len(), path);
        let Some(inner) = schema.get("items") else { return };
        for (index, item) in items.iter().enumerate() {
            self.value(inner, item, &path.then(Step::Item(index)));
        }
        for key in twice(schema, items) {
            let path = path.to_string();
            let message = format!(".{path}: duplicate entries for key [{key}]");
            self.shape.faults.push(Fault::error(SCHEMA, path, message));
        }
    }

    /// Holds the number of fields or items to its bounds.
    fn count(&mut self, schema: &Value, what: &str, plural: &str, count: usize, path: &Path<'_>) {
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        if let Some(most) = number(schema, &format!("max{what}")).filter(|most| count > *most) {
            self.blocking(path, &format!("Too many: {count}: must have at most {most} items"));
        }
        if let Some(least) = number(schema, &format!("min{what}")).filter(|least| count < *least) {
            let path = path.to_string();
            let message = format!(
                "{path}: Invalid value: {count}: {path} in body should have at least {least} {plural}"
            );
            self.shape.faults.push(Fault::error(SCHEMA, path, message));
        }
    }

    fn text(&mut self, schema: &Value, value: &Value, text: &str, path: &Path<'_>) {
        let length = u64::try_from(text.chars().count()).unwrap_or(u64::MAX);
        if let Some(most) = number(schema, "maxLength").filter(|most| length > *most) {
            self.blocking(path, &format!("Too long: may not be more than {most} bytes"));
        }
        if let Some(least) = number(schema, "minLength").filter(|least| length < *least) {
            self.invalid(path, value, &format!("should be at least {least} chars long"));
        }
        if let Some(pattern) = schema.get("pattern").and_then(Value::as_str) {
            match self.definition.matches(pattern, text) {
                Ok(true) => {}
                Ok(false) => self.invalid(path, value, &format!("should match '{pattern}'")),
                Err(why) => {
                    let path = path.to_string();
                    let message = format!("{path}: the pattern {pattern} can't be evaluated here: {why}");
                    self.shape.faults.push(Fault::error(NOT_EVALUATED, path, message));
                }
            }
        }
        let is_time = schema.get("format").and_then(Value::as_str) == Some("date-time");
        if is_time && text.parse::<jiff::Timestamp>().is_err() {
            self.invalid(path, value, &format!("must be of type date-time: {value}"));
        }
    }

    fn number(&mut self, schema: &Value, value: &Value, path: &Path<'_>) {
        let Some(number) = value.as_f64() else { return };
        let bound = |word: &str| schema.get(word).and_then(Value::as_f64);
        if let Some(least) = bound("minimum").filter(|least| number < *least) {
            self.invalid(path, value, &format!("should be greater than or equal to {least}"));
        }
        if let Some(most) = bound("maximum").filter(|most| number > *most) {
            self.invalid(path, value, &format!("should be less than or equal to {most}"));
        }
        let is_small = schema.get("format").and_then(Value::as_str) == Some("int32");
        if is_small && value.as_i64().is_none_or(|number| i32::try_from(number).is_err()) {
            self.invalid(path, value, &format!("must be of type int32: {value}"));
        }
    }
}

/// Whether a value is of a type of `OpenAPI`.
fn is_of_type(value: &Value, wanted: &str) -> bool {
    match wanted {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "number" => value.is_number(),
        "integer" => {
            value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|number| number.fract() == 0.0)
        }
        _ => true,
    }
}

/// What the API server calls the type of a value.
fn type_of(value: &Value) -> String {
    let name = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    name.to_owned()
}

/// The keys that several items of a list have, each once, as the API server writes them.
fn twice(schema: &Value, items: &[Value]) -> Vec<String> {
    let keys: Vec<&str> = words(schema, "x-kubernetes-list-map-keys").collect();
    let key_of = |item: &Value| match schema.get("x-kubernetes-list-type").and_then(Value::as_str) {
        Some("set") => Some(format!("={item}")),
        Some("map") => {
            let parts = keys.iter().map(|key| Some(format!("{key}={}", item.get(*key)?)));
            parts.collect::<Option<Vec<_>>>().map(|parts| parts.join(","))
        }
        _ => None,
    };
    let mut seen = std::collections::BTreeMap::new();
    for key in items.iter().filter_map(key_of) {
        *seen.entry(key).or_insert(0_usize) += 1;
    }
    seen.into_iter().filter(|(_, count)| *count > 1).map(|(key, _)| key).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::definition::definition;
    use super::*;

    fn told(kind: &str, object: &Value) -> Vec<String> {
        let shape = shape(definition(kind).expect("a kind"), object);
        shape.faults.into_iter().map(|fault| fault.message).collect()
    }

    fn grant(spec: &Value) -> Vec<String> {
        let mut whole = json!({"partnerRef": {"name": "a"}, "contractRef": {"name": "b"}, "stage": "Sandbox",
            "purpose": "p", "operations": ["Infer"]});
        for (name, value) in spec.as_object().into_iter().flatten() {
            whole[name] = value.clone();
        }
        told("PartnerGrant", &json!({"apiVersion": "x", "kind": "y", "metadata": {}, "spec": whole}))
    }

    #[test]
    fn what_is_well_formed_is_taken() {
        assert_eq!(grant(&json!({})), [] as [String; 0]);
    }

    #[test]
    fn each_way_to_be_wrong_is_told_in_the_api_servers_words() {
        for (spec, message) in [
            (
                json!({"suspend": "yes"}),
                r#"spec.suspend: Invalid value: "string": spec.suspend in body must be of type boolean: "string""#,
            ),
            (
                json!({"stage": "Prod"}),
                r#"spec.stage: Unsupported value: "Prod": supported values: "Sandbox", "Rehearsal", "Production""#,
            ),
            (
                json!({"purpose": ""}),
                r#"spec.purpose: Invalid value: "": spec.purpose in body should be at least 1 chars long"#,
            ),
            (json!({"purpose": "p".repeat(64)}), "spec.purpose: Too long: may not be more than 63 bytes"),
            (
                json!({"operations": []}),
                "spec.operations: Invalid value: 0: spec.operations in body should have at least 1 items",
            ),
            (
                json!({"operations": ["Infer", "Infer"]}),
                r#".spec.operations: duplicate entries for key [="Infer"]"#,
            ),
            (
                json!({"stages": [{"stage": "Sandbox", "duration": "1d"}]}),
                "spec.stages[0].duration in body should match '",
            ),
            (json!({"stages": [{"stage": "Sandbox"}]}), "spec.stages[0].duration: Required value"),
            (
                json!({"stages": null}),
                r#"spec.stages: Invalid value: "null": spec.stages in body must be of type array: "null""#,
            ),
        ] {
            let told = grant(&spec);
            assert!(told.iter().any(|told| told.contains(message)), "{message}\n{told:#?}");
        }
    }

    #[test]
    fn a_field_that_nobody_knows_is_told_and_a_whole_object_that_is_missing_is_required() {
        let elsewhere = grant(&json!({"contractRef": {"name": "b", "namespace": "c"}}));
        assert_eq!(elsewhere, [".spec.contractRef.namespace: field not declared in schema"]);
        assert_eq!(told("PartnerGrant", &json!({"metadata": {}})), ["spec: Required value"]);
        assert_eq!(told("PartnerGrant", &json!([])).len(), 1);
    }

    #[test]
    fn bounds_keys_of_maps_and_days_that_no_month_has_are_looked_at() {
        let dataset = json!({"spec": {"endpoints": [{"stage": "Sandbox", "data": "Synthetic",
            "service": {"name": "a", "port": 70_000}}]}});
        let message = "spec.endpoints[0].service.port in body should be less than or equal to 65535";
        assert!(told("Dataset", &dataset).iter().any(|told| told.contains(message)));
        let boundary = json!({"spec": {"ceilings": {"stages": [{"stage": "Sandbox", "maxDuration": "1h",
            "quota": {"hard": {"pods": "-1", "requests.cpu": 2}}}]}}});
        let told_of = told("SharingBoundary", &boundary);
        assert!(
            told_of.iter().any(|told| told.starts_with("spec.ceilings.stages[0].quota.hard.pods: ")),
            "{told_of:#?}"
        );
        assert!(
            told_of
                .iter()
                .any(|told| told.contains("hard.requests.cpu in body must be of type string: \"integer\""))
        );
        let contract = json!({"spec": {"time": {"notAfter": "2027-02-30T00:00:00Z"}}});
        let told_of = told("SharingContract", &contract);
        assert!(told_of.iter().any(|told| told.contains("must be of type date-time")), "{told_of:#?}");
    }
}
