//! The rules of a contract's stages: how long, with how much, who agrees, what has to be shown.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use super::OperationName;
use crate::api::boundary::{GroupShare, Quota};
use crate::api::stage::Stage;
use crate::api::value::{Duration, Name, PinnedImage, Word};

/// One stage that can be opened.
#[derive(Clone, Debug, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = (
    "!has(self.soak) || duration(self.soak) <= duration(self.maxDuration)",
    "soak is longer than maxDuration, so the stage would end before the next one could open: shorten soak or raise maxDuration"
))]
pub struct StageRule {
    /// The stage.
    pub stage: Stage,
    /// The longest that it may be open.
    pub max_duration: Duration,
    /// How long it has to have been open and healthy, without interruption, before the next one opens; absent:
    /// not long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub soak: Option<Duration>,
    /// What becomes of it when the next stage opens.
    #[serde(default)]
    pub after_promotion: AfterPromotion,
    /// How long the old and the new policy may be open side by side when one takes over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overlap: Option<Duration>,
    /// The most that its namespace may hold; of what it doesn't name: what the boundary allows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quota: Option<Quota>,
}

/// What becomes of a stage when the next one opens.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, schemars::JsonSchema, PartialEq, Serialize)]
pub enum AfterPromotion {
    /// It is closed.
    #[default]
    Close,
    /// It stays open until its own end.
    Keep,
}

/// Who has to agree before a stage opens.
#[derive(Clone, Debug, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Approval {
    /// The stage.
    pub stage: Stage,
    /// How many people.
    #[schemars(range(min = 1, max = 16))]
    pub required: i32,
    /// From which groups at least how many.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    #[schemars(length(max = 8))]
    pub groups: Vec<GroupShare>,
    /// How long a request waits for an answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending_for: Option<Duration>,
    /// How long an approval counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_for: Option<Duration>,
}

/// What has to be shown before production.
#[derive(Clone, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Rehearsal {
    /// Whether cases that nothing can execute block production.
    #[serde(default)]
    pub require: RehearsalRequirement,
    /// Cases beside those that follow from the contract itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    #[schemars(length(max = 64))]
    pub cases: Vec<RehearsalCase>,
    /// What runs as a pod of the stage and dials, where the cluster runs pods: what has to be reached, and what mustn't.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probe: Option<Probe>,
}

/// What runs as a pod of the stage and dials.
#[derive(Clone, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Probe {
    /// Its image, from a registry that the contract names: a copy of Comity's own, whose `comity dial` it runs.
    pub image: PinnedImage,
}

/// Whether cases that nothing can execute block production.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, schemars::JsonSchema, PartialEq, Serialize)]
pub enum RehearsalRequirement {
    /// They don't.
    Executable,
    /// They do.
    #[default]
    All,
}

/// A case that a rehearsal tries.
#[derive(Clone, Debug, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RehearsalCase {
    /// Its name.
    pub name: Name,
    /// What is asked for.
    pub request: RequestedUse,
    /// What has to be the answer.
    pub expect: Expectation,
}

/// A use of data, as a partner would ask for it.
#[derive(Clone, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RequestedUse {
    /// Of which dataset.
    pub dataset: Name,
    /// Which fields.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Set)]
    #[schemars(length(max = 128))]
    pub fields: Vec<Word>,
    /// To do what.
    pub operation: OperationName,
    /// For which purpose.
    pub purpose: Name,
}

/// What has to be the answer.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, schemars::JsonSchema, PartialEq, Serialize)]
pub enum Expectation {
    /// Yes.
    Allow,
    /// No.
    #[default]
    Deny,
}

/// How often somebody has to confirm that a grant is still wanted.
#[derive(Clone, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Reviews {
    /// This often.
    pub every: Duration,
    /// How long the answer may take; then access ends.
    pub grace: Duration,
}

/// What becomes of pods under quarantine.
#[derive(Clone, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Quarantine {
    /// What.
    pub pods: QuarantinedPods,
}

/// What becomes of pods under quarantine.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, schemars::JsonSchema, PartialEq, Serialize)]
pub enum QuarantinedPods {
    /// They stay, for whoever has to look into it; open connections may live on.
    #[default]
    Keep,
    /// They go, and every open connection with them.
    Delete,
}

/// What becomes of pods that run and aren't allowed any more, because less is allowed than when they were
/// let in.
#[derive(Clone, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Narrowing {
    /// What.
    pub pods: NarrowedPods,
}

/// What becomes of pods that run and aren't allowed any more.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, schemars::JsonSchema, PartialEq, Serialize)]
pub enum NarrowedPods {
    /// They stay, and `status.enforcement` names them, until whoever runs them replaces them.
    #[default]
    Keep,
    /// They go.
    Delete,
}

/// What counts as out of the ordinary, and what is done then.
#[derive(Clone, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Anomaly {
    /// Refused requests a minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub denials_per_minute: Option<i32>,
    /// Times the usual volume.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 2, max = 1000))]
    pub volume_factor: Option<i32>,
    /// What is done.
    pub action: AnomalyAction,
}

/// What is done when something is out of the ordinary.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, schemars::JsonSchema, PartialEq, Serialize)]
pub enum AnomalyAction {
    /// Somebody is told.
    Notify,
    /// Access is closed until somebody releases it.
    #[default]
    Quarantine,
}
