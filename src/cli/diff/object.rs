//! What a file holds: one object of a kind that can be compared, and nothing that isn't understood.

use jiff::SignedDuration;
use kube::CustomResourceExt;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::api::value::Duration;
use crate::api::{Dataset, GROUP, Partner, SharingBoundary, SharingContract, VERSION};
use crate::policy::lattice;
use crate::policy::network::Network;
use crate::policy::quantity::Amount;

/// An object that can be compared with another one of its kind.
#[derive(Debug)]
pub(super) enum Object {
    Contract(Box<SharingContract>),
    Boundary(Box<SharingBoundary>),
    Dataset(Box<Dataset>),
    Partner(Box<Partner>),
}

/// Why a text holds no such object.
#[derive(Debug, thiserror::Error)]
pub(super) enum ObjectError {
    #[error("it isn't YAML: {0}")]
    Syntax(#[from] serde_saphyr::Error),
    #[error("it holds {0} objects: diff compares one with one, so give each its own file")]
    NotOne(usize),
    #[error(
        "it is a {0}: diff compares a SharingContract, SharingBoundary, Dataset or Partner of {GROUP}/{VERSION}"
    )]
    Kind(String),
    #[error("spec.{0} isn't known: correct its name, or use a comity that knows it")]
    Unknown(String),
    #[error("spec.{path} says {text:?}, which can't be read: {remedy}")]
    Unreadable { path: String, text: String, remedy: &'static str },
    #[error("it isn't a whole {kind}: {error}")]
    Shape { kind: String, error: serde_json::Error },
}

impl Object {
    /// The only object in a text.
    pub(super) fn parse(text: &str) -> Result<Self, ObjectError> {
        let mut all: Vec<Value> = serde_saphyr::from_multiple(text)?;
        all.retain(|value| !value.is_null());
        let count = all.len();
        let Some(value) = all.pop().filter(|_| count == 1) else { return Err(ObjectError::NotOne(count)) };
        let word = |name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default();
        let (version, kind) = (word("apiVersion").to_owned(), word("kind").to_owned());
        if version != format!("{GROUP}/{VERSION}") {
            let known =
                if version.is_empty() || kind.is_empty() { "thing without apiVersion and kind" } else { "" };
            return Err(ObjectError::Kind(format!("{known}{version} {kind}").trim().to_owned()));
        }
        match kind.as_str() {
            "SharingContract" => whole(value, kind).map(Self::Contract),
            "SharingBoundary" => whole(value, kind).map(Self::Boundary),
            "Dataset" => whole(value, kind).map(Self::Dataset),
            "Partner" => whole(value, kind).map(Self::Partner),
            _ => Err(ObjectError::Kind(kind)),
        }
    }
}

/// The object that a value says, if the value says nothing else.
fn whole<K: CustomResourceExt + DeserializeOwned>(value: Value, kind: String) -> Result<Box<K>, ObjectError> {
    let definition = serde_json::to_value(K::crd()).unwrap_or_default();
    let schema = definition.pointer("/spec/versions/0/schema/openAPIV3Schema/properties/spec");
    if let (Some(schema), Some(spec)) = (schema, value.get("spec")) {
        understood(schema, spec, "")?;
    }
    serde_json::from_value(value).map(Box::new).map_err(|error| ObjectError::Shape { kind, error })
}

/// Checks that a schema knows everything in a value, and that every text in it can be read.
fn understood(schema: &Value, value: &Value, path: &str) -> Result<(), ObjectError> {
    match value {
        Value::Object(fields) => fields.iter().try_for_each(|(name, value)| {
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            let known = schema.get("properties").and_then(|known| known.get(name));
            match known.or_else(|| schema.get("additionalProperties")) {
                Some(schema) => understood(schema, value, &path),
                None => Err(ObjectError::Unknown(path)),
            }
        }),
        Value::Array(items) => items.iter().enumerate().try_for_each(|(index, item)| {
            understood(schema.get("items").unwrap_or(&Value::Null), item, &format!("{path}[{index}]"))
        }),
        Value::String(text) => match fault(schema, text, path) {
            Some(remedy) => {
                Err(ObjectError::Unreadable { path: path.to_owned(), text: text.clone(), remedy })
            }
            None => Ok(()),
        },
        _ => Ok(()),
    }
}

/// What to write instead of a text that can't be read, where the schema says what it has to be.
fn fault(schema: &Value, text: &str, path: &str) -> Option<&'static str> {
    let of = |name: &str| schema.get(name).and_then(Value::as_str).unwrap_or_default();
    let rules = schema.get("x-kubernetes-validations").map(ToString::to_string).unwrap_or_default();
    let is_amount = of("pattern").starts_with("^[0-9]+(");
    let (reads, remedy) = if rules.contains("duration(self)") {
        let length = Duration::from(text).length();
        (length.is_some_and(|length| length > SignedDuration::ZERO), "write it as 720h, longer than nothing")
    } else if rules.contains("isCIDR(self)") {
        (Network::parse(text).is_some(), "write it as 192.0.2.0/24, with no bits set after the prefix")
    } else if is_amount {
        (Amount::parse(text).is_some(), "write it as 500m or 16Gi")
    } else if path.ends_with(".timeZone") {
        (lattice::is_time_zone(text), "write a time zone of IANA's, such as Europe/Stockholm")
    } else {
        return None;
    };
    (!reads).then_some(remedy)
}
