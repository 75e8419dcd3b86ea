//! Objects as Comity wants them, and as they are.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use crate::api::name;

/// The kinds of objects that `comity run` makes, or looks at, in and around a stage's namespace.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Kind {
    /// core/v1
    Namespace,
    /// core/v1
    ResourceQuota,
    /// core/v1
    LimitRange,
    /// comity.dev/v1alpha1
    StagePolicy,
    /// rbac.authorization.k8s.io/v1
    RoleBinding,
    /// networking.k8s.io/v1
    NetworkPolicy,
    /// core/v1
    ServiceAccount,
    /// core/v1; only looked at: `comity sign` writes it
    ConfigMap,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 8] = [
        Self::Namespace,
        Self::ResourceQuota,
        Self::LimitRange,
        Self::StagePolicy,
        Self::RoleBinding,
        Self::NetworkPolicy,
        Self::ServiceAccount,
        Self::ConfigMap,
    ];

    /// `apiVersion`, group, version, kind and plural.
    pub const fn api(self) -> Api {
        match self {
            Self::Namespace => Api::new("v1", "", "v1", "Namespace", "namespaces"),
            Self::ResourceQuota => Api::new("v1", "", "v1", "ResourceQuota", "resourcequotas"),
            Self::LimitRange => Api::new("v1", "", "v1", "LimitRange", "limitranges"),
            Self::ServiceAccount => Api::new("v1", "", "v1", "ServiceAccount", "serviceaccounts"),
            Self::ConfigMap => Api::new("v1", "", "v1", "ConfigMap", "configmaps"),
            Self::StagePolicy => {
                Api::new("comity.dev/v1alpha1", "comity.dev", "v1alpha1", "StagePolicy", "stagepolicies")
            }
            Self::RoleBinding => Api::new(
                "rbac.authorization.k8s.io/v1",
                "rbac.authorization.k8s.io",
                "v1",
                "RoleBinding",
                "rolebindings",
            ),
            Self::NetworkPolicy => Api::new(
                "networking.k8s.io/v1",
                "networking.k8s.io",
                "v1",
                "NetworkPolicy",
                "networkpolicies",
            ),
        }
    }
}

/// How a kind is called in the API.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Api {
    /// Group and version, as objects carry them.
    pub api_version: &'static str,
    /// The group; empty for core.
    pub group: &'static str,
    /// The version.
    pub version: &'static str,
    /// The kind.
    pub kind: &'static str,
    /// The plural, as paths have it.
    pub plural: &'static str,
}

impl Api {
    const fn new(
        api_version: &'static str,
        group: &'static str,
        version: &'static str,
        kind: &'static str,
        plural: &'static str,
    ) -> Self {
        Self { api_version, group, version, kind, plural }
    }
}

/// Which object.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Key {
    /// Its kind.
    pub kind: Kind,
    /// Its namespace; for a Namespace, its own name.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl Key {
    /// The namespace of that name.
    pub fn namespace(name: &str) -> Self {
        Self { kind: Kind::Namespace, namespace: name.to_owned(), name: name.to_owned() }
    }
}

/// An object as Comity wants it.
#[derive(Clone, Debug, PartialEq)]
pub struct Wanted {
    /// Which.
    pub key: Key,
    /// The whole object, as it is applied.
    pub body: Value,
}

impl Wanted {
    /// An object with its labels and what it says. `content` holds the fields beside metadata.
    pub fn new(
        kind: Kind,
        namespace: &str,
        name: &str,
        labels: &BTreeMap<String, String>,
        content: Value,
    ) -> Self {
        let api = kind.api();
        let mut body = json!({
            "apiVersion": api.api_version,
            "kind": api.kind,
            "metadata": { "name": name, "labels": labels },
        });
        if let (Some(fields), Value::Object(content)) = (body.as_object_mut(), content) {
            fields.extend(content);
        }
        if kind != Kind::Namespace {
            body["metadata"]["namespace"] = Value::from(namespace);
        }
        let hash = fingerprint(&body);
        body["metadata"]["annotations"] = json!({ name::ANNOTATION_WANTED: hash });
        Self { key: Key { kind, namespace: namespace.to_owned(), name: name.to_owned() }, body }
    }
}

/// Sixteen hexadecimal digits of the SHA-256 of an object, to tell one wish from another.
fn fingerprint(body: &Value) -> String {
    let hash = Sha256::digest(body.to_string().as_bytes());
    let (first, _) = hash.split_at(8);
    format!("{:016x}", first.iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte)))
}

/// An object as it is, without what Comity never looks at.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Live {
    /// Its UID: deletions name it, so that a namesake is never deleted.
    pub uid: String,
    /// Its version. Versions are ordered numbers (KEP-5504); one that can't be read is the oldest.
    pub version: u64,
    /// Whether it is being deleted.
    pub terminating: bool,
    /// Its labels: all objects of a stage have much the same ones, so they are kept once.
    pub labels: Arc<BTreeMap<String, String>>,
    /// The rest of it as JSON, as far as Comity looks at it.
    pub body: Arc<str>,
}

impl Live {
    /// Keeps of `object` what Comity looks at: labels, its own annotations, of a status what a quota
    /// holds to, and everything that isn't metadata.
    pub fn from_value(mut object: Value) -> Self {
        let metadata = object.get_mut("metadata").map(Value::take).unwrap_or_default();
        let text = |field: &str| metadata.get(field).and_then(Value::as_str).unwrap_or_default();
        let (uid, version) = (text("uid").to_owned(), text("resourceVersion").parse().unwrap_or_default());
        let terminating = metadata.get("deletionTimestamp").is_some();
        let labels = metadata.get("labels").cloned();
        let labels = labels.and_then(|labels| serde_json::from_value(labels).ok()).unwrap_or_default();
        if let Some(fields) = object.as_object_mut() {
            for field in ["apiVersion", "kind", "metadata"] {
                fields.remove(field);
            }
            if let Some(status) = fields.remove("status").as_ref().and_then(|status| status.get("hard")) {
                fields.insert("status".to_owned(), json!({ "hard": status }));
            }
            if let Some(annotations) = own_annotations(&metadata) {
                fields.insert("metadata".to_owned(), json!({ "annotations": annotations }));
            }
        }
        Self { uid, version, terminating, labels: Arc::new(labels), body: object.to_string().into() }
    }

    /// The object as JSON, as far as it is kept.
    pub fn value(&self) -> Value {
        let mut value = self.unlabelled();
        if !self.labels.is_empty() {
            value["metadata"]["labels"] = json!(*self.labels);
        }
        value
    }

    /// The same without its labels.
    pub fn unlabelled(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or(Value::Null)
    }

    /// One of its labels.
    pub fn label(&self, label: &str) -> Option<String> {
        self.labels.get(label).cloned()
    }

    /// Whether both are the same object and say the same, in whichever version.
    pub fn says_the_same(&self, other: &Self) -> bool {
        let Self { uid, version: _, terminating, labels, body } = self;
        (uid, terminating, body) == (&other.uid, &other.terminating, &other.body) && *labels == other.labels
    }
}

/// The annotations that are Comity's, if there are any.
fn own_annotations(metadata: &Value) -> Option<Map<String, Value>> {
    let all = metadata.get("annotations")?.as_object()?.iter();
    let own = all.filter(|(annotation, _)| annotation.starts_with(name::OWN));
    let own: Map<String, Value> = own.map(|(name, value)| (name.clone(), value.clone())).collect();
    (!own.is_empty()).then_some(own)
}

/// Objects that are there, by key.
pub type LiveObjects = BTreeMap<Key, Live>;
