//! Part 3 of a contract: what may be done, within which limits, and by which models.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::api::value::{ContentDigest, Name, Ratio};

/// One thing that may be done.
#[derive(Clone, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Operation {
    /// What.
    pub name: OperationName,
    /// By whom; absent: nobody.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Set)]
    #[schemars(length(max = 3))]
    pub actors: Vec<Actor>,
    /// Within which limits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<OperationLimits>,
}

/// What can be done with data and models.
#[derive(
    Clone, Copy, Debug, Default, Deserialize, Eq, schemars::JsonSchema, Ord, PartialEq, PartialOrd, Serialize,
)]
pub enum OperationName {
    /// Ask a model.
    #[default]
    Infer,
    /// Train a model.
    Train,
    /// Compute embeddings.
    Embed,
    /// Compute features.
    ExtractFeatures,
    /// Ask why a model said what it said.
    Explain,
}

/// Who does it.
#[derive(
    Clone, Copy, Debug, Deserialize, Eq, schemars::JsonSchema, Ord, PartialEq, PartialOrd, Serialize,
)]
pub enum Actor {
    /// A program of the partner's.
    Workload,
    /// A person of the partner's.
    Person,
    /// A program that acts for a named person.
    Agent,
}

/// The limits of an operation, for each grant.
#[derive(Clone, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OperationLimits {
    /// Requests a minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub requests_per_minute: Option<i32>,
    /// Requests at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100_000))]
    pub concurrency: Option<i32>,
    /// Records in one request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10_000_000))]
    pub max_records_per_request: Option<i32>,
    /// Bytes in one response.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_073_741_824))]
    pub max_response_bytes: Option<i32>,
    /// The smallest group of people that an answer may be about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub minimum_group_size: Option<i32>,
}

/// What may never be done (after ODRL 2.2 prohibitions).
#[derive(
    Clone, Copy, Debug, Deserialize, Eq, schemars::JsonSchema, Ord, PartialEq, PartialOrd, Serialize,
)]
pub enum Prohibition {
    /// Handing it on.
    ThirdPartySharing,
    /// Finding out whom it is about.
    ReIdentification,
    /// Training models on what came out.
    DerivedTraining,
    /// Joining it with other data.
    Linkage,
}

/// A model that may touch the data.
#[derive(Clone, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Model {
    /// Its name.
    pub name: Name,
    /// Its version, by content.
    pub digest: ContentDigest,
    /// What it had to pass.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["metric".into()]))]
    #[schemars(length(max = 16))]
    pub evaluations: Vec<Evaluation>,
}

/// A measure that a model had to pass.
#[derive(Clone, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = (
    "has(self.atMost) || has(self.atLeast)",
    "give atMost, atLeast or both"
))]
pub struct Evaluation {
    /// What was measured.
    pub metric: Name,
    /// The most that passes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_most: Option<Ratio>,
    /// The least that passes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_least: Option<Ratio>,
}
