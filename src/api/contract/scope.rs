//! Part 1 of a contract: what may be used, and what never.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::api::value::{Name, Word};

/// What may be used, and what never.
#[derive(Clone, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = (
    "!has(self.prohibited) || !has(self.prohibited.fields) || self.datasets.all(d, d.fields.all(f, !(f in self.prohibited.fields)))",
    "a field can't be both in a dataset's fields and in prohibited.fields: take it out of one of them"
))]
pub struct DataScope {
    /// The datasets, each in one version.
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into(), "version".into()]))]
    #[schemars(length(min = 1, max = 8))]
    pub datasets: Vec<ScopedDataset>,
    /// What is never shared, whatever else is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prohibited: Option<Prohibited>,
}

/// What may be used of one dataset.
#[derive(Clone, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ScopedDataset {
    /// The `Dataset`, in the same namespace.
    pub name: Name,
    /// Its version.
    pub version: Word,
    /// The fields that may be used.
    #[x_kube(merge_strategy = ListMerge::Set)]
    #[schemars(length(min = 1, max = 128))]
    pub fields: Vec<Word>,
    /// The rows that may be used; absent: all of that version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<Rows>,
    /// What may be made of it; absent: nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Set)]
    #[schemars(length(max = 8))]
    pub artifacts: Vec<Artifact>,
}

/// Which rows.
#[derive(Clone, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = (
    "!has(self.from) || !has(self.to) || self.from < self.to",
    "from has to be before to: swap them"
))]
pub struct Rows {
    /// The earliest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Time>,
    /// The first that is too late.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Time>,
    /// Segments, as the dataset's owner names them; absent: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Set)]
    #[schemars(length(max = 32))]
    pub segments: Vec<Word>,
}

/// What can be made of data.
#[derive(
    Clone, Copy, Debug, Deserialize, Eq, schemars::JsonSchema, Ord, PartialEq, PartialOrd, Serialize,
)]
pub enum Artifact {
    /// Features.
    Features,
    /// Scores.
    Scores,
    /// Embeddings.
    Embeddings,
    /// Figures over groups.
    Aggregates,
    /// Models trained on it.
    Models,
    /// The rows themselves.
    RawRows,
}

/// What is never shared.
#[derive(Clone, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Prohibited {
    /// Fields, of whichever dataset.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Set)]
    #[schemars(length(max = 64))]
    pub fields: Vec<Word>,
    /// What may not be made of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Set)]
    #[schemars(length(max = 8))]
    pub artifacts: Vec<Artifact>,
}
