//! CustomResourceDefinitions from the types in `api`, finished as Kubernetes wants them.

use serde_json::Value;

use super::{GenerateError, GeneratedFile, yaml};
use crate::api;

/// Every definition, in its final form.
pub fn definitions() -> Result<Vec<Value>, GenerateError> {
    api::definitions()
        .into_iter()
        .map(|definition| {
            let mut value = serde_json::to_value(&definition)
                .map_err(|source| GenerateError::Json { what: "a definition".to_owned(), source })?;
            finish(&mut value);
            Ok(value)
        })
        .collect()
}

/// A file for each definition, named by its plural.
pub fn files() -> Result<Vec<GeneratedFile>, GenerateError> {
    definitions()?
        .iter()
        .map(|definition| {
            let plural =
                definition.pointer("/spec/names/plural").and_then(Value::as_str).unwrap_or("unnamed");
            Ok(GeneratedFile { path: format!("crds/{plural}.yaml"), contents: yaml(plural, definition)? })
        })
        .collect()
}

/// Takes out what derivation puts in and Kubernetes warns about: `nullable` on what is merely
/// optional, formats that the API server doesn't know, and limits written as floats.
fn finish(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.remove("nullable");
            if fields.get("format").and_then(Value::as_str).is_some_and(|format| format.starts_with("uint")) {
                fields.remove("format");
            }
            for bound in ["minimum", "maximum"] {
                round(fields.get_mut(bound));
            }
            if let Some(Value::Array(allowed)) = fields.get_mut("enum") {
                allowed.retain(|choice| !choice.is_null());
            }
            fields.values_mut().for_each(finish);
        }
        Value::Array(items) => items.iter_mut().for_each(finish),
        _ => {}
    }
}

/// Writes a bound such as `1.0` as `1`.
#[allow(clippy::cast_possible_truncation, reason = "bounds are small whole numbers")]
fn round(bound: Option<&mut Value>) {
    if let Some(bound) = bound
        && let Some(number) = bound.as_f64()
        && number.fract() == 0.0
    {
        *bound = Value::from(number as i64);
    }
}
