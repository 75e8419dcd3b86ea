//! `Dataset`: one entry of the data owner's catalogue. The terms are those of the Open Data
//! Contract Standard (ODCS 3.1) where it has them.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use super::contract::OperationName;
use super::stage::Stage;
use super::value::{ContentDigest, Duration, Email, Name, Word};

/// Something that can be shared, in the words of who owns it.
#[derive(Clone, CustomResource, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[kube(
    group = "comity.dev",
    version = "v1alpha1",
    kind = "Dataset",
    plural = "datasets",
    shortname = "ds",
    category = "comity",
    namespaced,
    status = "DatasetStatus",
    derive = "PartialEq",
    doc = "One entry of the data catalogue: what it holds, what it may be used for, and what serves it.",
    validation = Rule::new("self.metadata.name.size() <= 63").message("the name is part of derived names: use at most 63 characters"),
    printcolumn(name = "Owner", type_ = "string", json_path = ".spec.owner.team"),
    printcolumn(name = "Sensitivity", type_ = "string", json_path = ".spec.sensitivity"),
    printcolumn(name = "Ready", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].status"#),
    printcolumn(name = "Reason", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].reason"#),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct DatasetSpec {
    /// Who answers for it.
    pub owner: DatasetOwner,
    /// How much harm its loss would do.
    pub sensitivity: Sensitivity,
    /// The jurisdictions whose law it is under.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Set)]
    #[schemars(length(max = 16))]
    pub jurisdictions: Vec<Word>,
    /// What its owner permits at most.
    pub permitted: Permitted,
    /// What it consists of.
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    #[schemars(length(min = 1, max = 128))]
    pub fields: Vec<DatasetField>,
    /// How long anything of it may be kept.
    pub retention: DatasetRetention,
    /// What there is of it. A version's digest never changes.
    #[x_kube(
        merge_strategy = ListMerge::Map(vec!["name".into()]),
        validation = (
            "self.all(new, oldSelf.all(old, old.name != new.name || old.digest == new.digest))",
            "a version's digest never changes: add a version instead"
        )
    )]
    #[schemars(length(min = 1, max = 32))]
    pub versions: Vec<DatasetVersion>,
    /// What serves it, by stage. The sandbox never reaches real data.
    #[x_kube(
        merge_strategy = ListMerge::Map(vec!["stage".into()]),
        validation = (
            "self.all(endpoint, endpoint.stage == 'Production' || endpoint.data != 'Real')",
            "real data is served in Production only: give Sandbox and Rehearsal Synthetic or Masked data"
        )
    )]
    #[schemars(length(max = 3))]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub endpoints: Vec<Endpoint>,
}

/// Who answers for a dataset.
#[derive(Clone, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DatasetOwner {
    /// The team.
    pub team: Name,
    /// Where to reach them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact: Option<Email>,
    /// The group whose members may approve its use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approvers: Option<Name>,
}

/// How much harm a dataset's loss would do.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, schemars::JsonSchema, PartialEq, Serialize)]
pub enum Sensitivity {
    /// None: it is public.
    Public,
    /// Little: for the organisation's own use.
    Internal,
    /// Much.
    Confidential,
    /// Most.
    #[default]
    Restricted,
}

/// What a dataset's owner permits at most.
#[derive(Clone, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Permitted {
    /// Purposes; absent: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Set)]
    #[schemars(length(max = 32))]
    pub purposes: Vec<Name>,
    /// Operations; absent: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Set)]
    #[schemars(length(max = 5))]
    pub operations: Vec<OperationName>,
}

/// One field of a dataset.
#[derive(Clone, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DatasetField {
    /// Its name.
    pub name: Word,
    /// What kind of knowledge it is.
    pub classification: Classification,
    /// Whether any contract can open it.
    #[serde(default, skip_serializing_if = "Sharing::is_permitted")]
    pub sharing: Sharing,
}

/// What kind of knowledge a field is.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, schemars::JsonSchema, PartialEq, Serialize)]
pub enum Classification {
    /// Known to everybody.
    Public,
    /// Known in the organisation.
    Internal,
    /// Computed from others.
    Derived,
    /// About a person who can't be named from it alone.
    Pseudonymous,
    /// About a person.
    Personal,
    /// Never to be seen but by who has to.
    #[default]
    Restricted,
}

/// Whether any contract can open a field.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, schemars::JsonSchema, PartialEq, Serialize)]
pub enum Sharing {
    /// A contract may name it.
    #[default]
    Permitted,
    /// No contract can open it.
    Prohibited,
}

impl Sharing {
    /// Whether a contract may name the field; the default, which is left out when written.
    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
    pub fn is_permitted(&self) -> bool {
        *self == Self::Permitted
    }
}

/// How long anything of a dataset may be kept.
#[derive(Clone, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DatasetRetention {
    /// At most.
    pub max: Duration,
}

/// One immutable version of a dataset.
#[derive(Clone, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DatasetVersion {
    /// What contracts call it.
    pub name: Word,
    /// What it is.
    pub digest: ContentDigest,
}

/// What serves a dataset at a stage.
#[derive(Clone, Debug, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Endpoint {
    /// The stage.
    pub stage: Stage,
    /// The Service, in the dataset's namespace. It needs a selector.
    pub service: ServicePort,
    /// What kind of data it serves.
    pub data: DataKind,
}

/// A port of a Service in the same namespace.
#[derive(Clone, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ServicePort {
    /// The Service.
    pub name: Name,
    /// The Service's port (not the pods').
    #[schemars(range(min = 1, max = 65535))]
    pub port: i32,
}

/// What kind of data an endpoint serves.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, schemars::JsonSchema, PartialEq, Serialize)]
pub enum DataKind {
    /// Made up.
    #[default]
    Synthetic,
    /// Real, with what could name anybody taken out.
    Masked,
    /// Real.
    Real,
}

/// What Comity makes of a dataset.
#[derive(Clone, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DatasetStatus {
    /// The generation of the spec that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Whether it can be used, and if not why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    #[schemars(length(max = 16))]
    pub conditions: Vec<Condition>,
}
