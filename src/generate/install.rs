//! `install.yaml`: what the chart renders by default, for who has no Helm, with the Namespace first.

use serde_json::{Value, json};

use super::{GenerateError, GeneratedFile, HEADER, chart, template};
use crate::api::name;

/// The chart's defaults, as people read them.
const VALUES: &str = include_str!("../../charts/comity/values.yaml");

/// The file.
pub fn file() -> Result<GeneratedFile, GenerateError> {
    let values: Value = serde_saphyr::from_str(VALUES).map_err(|error| GenerateError::Yaml {
        what: "the chart's values".to_owned(),
        message: error.to_string(),
    })?;
    let mut text = template::documents(&[namespace()])?;
    let is_default = |template: &chart::Template| template.only != Some(chart::Only::Enrolment);
    for template in chart::templates()?.into_iter().filter(is_default) {
        text.push_str(template.text.strip_prefix(HEADER).unwrap_or(&template.text));
    }
    let contents = template::with_defaults(&text, &values, name::DEFAULT_SYSTEM_NAMESPACE, chart::VERSION);
    Ok(GeneratedFile { path: "install.yaml".to_owned(), contents })
}

/// Helm makes the namespace by itself (`--create-namespace`).
fn namespace() -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {
            "name": template::NAMESPACE,
            "labels": {"pod-security.kubernetes.io/enforce": "restricted"},
        },
    })
}
