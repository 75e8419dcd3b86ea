//! The digest of what is agreed (DESIGN, "Digest"), and that of a line of a journal.
//!
//! Both are SHA-256 of RFC 8785 canonical JSON. What is agreed is normalised first: fields that
//! are empty or have their default are left out, and lists whose order means nothing are sorted.
//! Which lists and which defaults those are, the schemas of the kinds say, so that a new field
//! can't be forgotten here. Test vectors for other implementations are in `docs/digest-vectors/`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::LazyLock;

use kube::CustomResourceExt;
use serde::Serialize;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::Operands;
use crate::api::contract::ScopedDataset;
use crate::api::record::GrantRecordSpec;
use crate::api::report::RehearsalReportSpec;
use crate::api::{Dataset, Partner, PartnerGrant, SharingBoundary, SharingContract};

/// What the digest of an agreement begins with. It changes when what is digested does.
const PREFIX: &str = "v1:sha256:";

/// Where a kind's `spec` stands in its definition.
const SPEC: &str = "/spec/versions/0/schema/openAPIV3Schema/properties/spec";

/// The digest of everything that a grant's policy is made of. `boundaries` are those that select
/// its namespace. `None` where the contract, the partner or one of the datasets is missing.
pub fn digest(operands: &Operands<'_>, boundaries: &[&SharingBoundary]) -> Option<String> {
    Some(format!("{PREFIX}{}", hexadecimal(canonical(operands, boundaries)?.as_bytes())))
}

/// What [`digest`] is the SHA-256 of.
pub fn canonical(operands: &Operands<'_>, boundaries: &[&SharingBoundary]) -> Option<String> {
    let contract = operands.contract?;
    let scoped = contract.spec.data_scope.datasets.iter();
    let mut boundaries: Vec<Value> =
        boundaries.iter().map(|boundary| BOUNDARY.normal(&boundary.spec)).collect::<Option<_>>()?;
    let mut datasets: Vec<Value> = scoped.map(|scoped| dataset(operands, scoped)).collect::<Option<_>>()?;
    sort(&mut boundaries);
    sort(&mut datasets);
    let mut whole = json!({
        "grant": grant(operands.grant)?,
        "contract": CONTRACT.normal(&contract.spec)?,
        "datasets": datasets,
        "boundaries": boundaries,
    });
    if let Some(identity) = &operands.partner?.spec.identity {
        whole.as_object_mut()?.insert("partner".to_owned(), IDENTITY.normal(identity)?);
    }
    serde_json_canonicalizer::to_string(&whole).ok()
}

/// The digest of a line of a journal: of its `spec` as it is stored, in whichever order.
pub fn record_digest(record: &GrantRecordSpec) -> String {
    // A record holds no number that JSON couldn't hold; should one ever, the digest still tells
    // it from every other record.
    let canonical = serde_json_canonicalizer::to_string(record).unwrap_or_else(|_| format!("{record:?}"));
    format!("sha256:{}", hexadecimal(canonical.as_bytes()))
}

/// The digest of a rehearsal's report: of its `spec` as it is stored, in whichever order.
pub fn report_digest(report: &RehearsalReportSpec) -> String {
    // As with records.
    let canonical = serde_json_canonicalizer::to_string(report).unwrap_or_else(|_| format!("{report:?}"));
    format!("sha256:{}", hexadecimal(canonical.as_bytes()))
}

/// A grant's spec, less what isn't part of what is agreed: how far to go now, and whether to pause.
fn grant(grant: &PartnerGrant) -> Option<Value> {
    let mut spec = GRANT.normal(&grant.spec)?;
    let fields = spec.as_object_mut()?;
    fields.remove("stage");
    fields.remove("suspend");
    Some(spec)
}

/// A dataset's spec with only the named version, and what its Services come to.
fn dataset(operands: &Operands<'_>, scoped: &ScopedDataset) -> Option<Value> {
    let dataset: &Dataset = operands.datasets.get(scoped.name.as_str())?;
    let mut spec = dataset.spec.clone();
    spec.versions.retain(|version| version.name == scoped.version);
    let mut services = Map::new();
    for endpoint in &spec.endpoints {
        let Some(service) = operands.services.get(endpoint.service.name.as_str()) else { continue };
        let resolved =
            json!({"selector": service.selector, "target": service.targets.get(&endpoint.service.port)});
        services.insert(endpoint.stage.to_string(), without_nulls(resolved));
    }
    Some(json!({"name": scoped.name, "spec": DATASET.normal(&spec)?, "services": services}))
}

/// An object without the fields that are null.
fn without_nulls(mut value: Value) -> Value {
    if let Some(fields) = value.as_object_mut() {
        fields.retain(|_, field| !field.is_null());
    }
    value
}

static GRANT: LazyLock<Shape> = LazyLock::new(|| Shape::of::<PartnerGrant>(SPEC));
static CONTRACT: LazyLock<Shape> = LazyLock::new(|| Shape::of::<SharingContract>(SPEC));
static DATASET: LazyLock<Shape> = LazyLock::new(|| Shape::of::<Dataset>(SPEC));
static BOUNDARY: LazyLock<Shape> = LazyLock::new(|| Shape::of::<SharingBoundary>(SPEC));
static IDENTITY: LazyLock<Shape> =
    LazyLock::new(|| Shape::of::<Partner>(&format!("{SPEC}/properties/identity")));

/// What a schema says of order and defaults.
#[derive(Debug, Default)]
struct Shape {
    /// The fields of an object that say anything.
    fields: BTreeMap<String, Shape>,
    /// The items of a list.
    items: Option<Box<Shape>>,
    /// Whether the order of a list's items means nothing.
    unordered: bool,
    /// The value that means the same as none.
    default: Option<Value>,
}

impl Shape {
    /// The shape at `pointer` in the definition of a kind.
    fn of<K: CustomResourceExt>(pointer: &str) -> Self {
        let definition = serde_json::to_value(K::crd()).unwrap_or_default();
        definition.pointer(pointer).map(Self::read).unwrap_or_default()
    }

    /// The shape that a schema describes.
    fn read(schema: &Value) -> Self {
        let properties = schema.get("properties").and_then(Value::as_object);
        let fields: BTreeMap<String, Self> = properties
            .into_iter()
            .flatten()
            .map(|(name, schema)| (name.clone(), Self::read(schema)))
            .filter(|(_, shape)| shape.says_anything())
            .collect();
        let list_type = schema.get("x-kubernetes-list-type").and_then(Value::as_str);
        let mut shape = Self {
            fields,
            items: schema.get("items").map(|items| Box::new(Self::read(items))),
            unordered: matches!(list_type, Some("set" | "map")),
            default: None,
        };
        shape.default = schema.get("default").map(|default| shape.applied(default.clone()));
        shape
    }

    /// Whether anything of that shape would be changed.
    fn says_anything(&self) -> bool {
        !self.fields.is_empty() || self.items.is_some() || self.default.is_some()
    }

    /// `value` in the one form that all that mean the same have.
    fn normal(&self, value: &impl Serialize) -> Option<Value> {
        serde_json::to_value(value).ok().map(|value| self.applied(value))
    }

    /// `value`, with sets sorted and defaults left out.
    fn applied(&self, value: Value) -> Value {
        match value {
            Value::Object(fields) => Value::Object(
                fields.into_iter().filter_map(|(name, value)| self.field(name, value)).collect(),
            ),
            Value::Array(items) => Value::Array(self.list(items)),
            leaf => leaf,
        }
    }

    /// One field of an object, unless it says what its absence says.
    fn field(&self, name: String, value: Value) -> Option<(String, Value)> {
        let Some(shape) = self.fields.get(&name) else {
            return (!value.is_null()).then_some((name, value));
        };
        let value = shape.applied(value);
        let empty = value.is_null() || value.as_array().is_some_and(Vec::is_empty);
        let absent = empty || shape.default.as_ref() == Some(&value);
        (!absent).then_some((name, value))
    }

    /// The items of a list, in the order that is always the same where theirs means nothing.
    fn list(&self, items: Vec<Value>) -> Vec<Value> {
        let Some(shape) = &self.items else { return items };
        let mut items: Vec<Value> = items.into_iter().map(|item| shape.applied(item)).collect();
        if self.unordered {
            sort(&mut items);
        }
        items
    }
}

/// Sorts values by their canonical form.
fn sort(values: &mut [Value]) {
    values.sort_by_cached_key(|value| serde_json_canonicalizer::to_string(value).unwrap_or_default());
}

/// The SHA-256 of some bytes, in lower-case hexadecimal digits.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::with_capacity(64), |mut digits, byte| {
        // Writing to a String can't fail.
        let _ = write!(digits, "{byte:02x}");
        digits
    })
}
