//! An object of a kind that can be compared, with nothing in it that isn't understood. Pure.

use jiff::SignedDuration;
use k8s_openapi::api::core::v1::Service;
use kube::Resource as _;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::api::value::Duration;
use crate::api::{Dataset, GROUP, Partner, PartnerGrant, SharingBoundary, SharingContract, VERSION};
use crate::cli::files::world::Identity;
use crate::cli::validate::definition;
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
    Grant(Box<PartnerGrant>),
    Service(Box<Service>),
}

/// Why a value is no such object.
#[derive(Debug, thiserror::Error)]
pub(super) enum ObjectError {
    #[error(
        "it holds no object: diff compares objects of {GROUP}/{VERSION}, and the Services that serve datasets"
    )]
    Nothing,
    #[error(
        "it is a {0}: diff compares a SharingContract, SharingBoundary, Dataset, Partner or PartnerGrant of {GROUP}/{VERSION}, or a Service"
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
    /// The object that a value is, if the value says nothing else.
    pub(super) fn of(value: &Value) -> Result<Self, ObjectError> {
        let word = |name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default();
        let (version, kind) = (word("apiVersion"), word("kind"));
        if (version, kind) == ("v1", "Service") {
            return read(value, kind).map(Self::Service);
        }
        if version != format!("{GROUP}/{VERSION}") {
            let known =
                if version.is_empty() || kind.is_empty() { "thing without apiVersion and kind" } else { "" };
            return Err(ObjectError::Kind(format!("{known}{version} {kind}").trim().to_owned()));
        }
        match kind {
            "SharingContract" => whole(value, kind).map(Self::Contract),
            "SharingBoundary" => whole(value, kind).map(Self::Boundary),
            "Dataset" => whole(value, kind).map(Self::Dataset),
            "Partner" => whole(value, kind).map(Self::Partner),
            "PartnerGrant" => whole(value, kind).map(Self::Grant),
            _ => Err(ObjectError::Kind(kind.to_owned())),
        }
    }

    /// Which object it is; `namespace` is that of one that names none.
    pub(super) fn identity(&self, namespace: &str) -> Identity {
        let (kind, metadata, is_namespaced) = match self {
            Self::Contract(object) => ("SharingContract", object.meta(), true),
            Self::Boundary(object) => ("SharingBoundary", object.meta(), false),
            Self::Dataset(object) => ("Dataset", object.meta(), true),
            Self::Partner(object) => ("Partner", object.meta(), false),
            Self::Grant(object) => ("PartnerGrant", object.meta(), true),
            Self::Service(object) => ("Service", object.meta(), true),
        };
        let own = metadata.namespace.as_deref().filter(|own| !own.is_empty()).unwrap_or(namespace);
        let name = metadata.name.as_deref().unwrap_or("without a name");
        Identity::new(kind, if is_namespaced { own } else { "" }, name)
    }

    /// The boundary that it is, if it is one.
    pub(super) fn boundary(&self) -> Option<&SharingBoundary> {
        let Self::Boundary(boundary) = self else { return None };
        Some(boundary)
    }
}

/// The object that a value says, if the value says nothing else.
fn whole<K: DeserializeOwned>(value: &Value, kind: &str) -> Result<Box<K>, ObjectError> {
    let schema = definition(kind).and_then(|definition| definition.schema.pointer("/properties/spec"));
    if let (Some(schema), Some(spec)) = (schema, value.get("spec")) {
        understood(schema, spec, "")?;
    }
    read(value, kind)
}

fn read<K: DeserializeOwned>(value: &Value, kind: &str) -> Result<Box<K>, ObjectError> {
    let read = K::deserialize(value).map(Box::new);
    read.map_err(|error| ObjectError::Shape { kind: kind.to_owned(), error })
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
