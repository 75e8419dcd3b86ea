//! `StagePolicy`: the parameters of the admission policies in a stage's namespace.

use std::collections::BTreeMap;

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use super::boundary::PodSecurity;
use super::contract::{ImageReference, KeyDelivery};
use super::stage::Stage;
use super::value::{Name, Registry};

/// What the admission policies hold pods of a stage's namespace to. Written only by Comity.
#[derive(Clone, CustomResource, Debug, Deserialize, KubeSchema, PartialEq, Serialize)]
#[kube(
    group = "comity.dev",
    version = "v1alpha1",
    kind = "StagePolicy",
    plural = "stagepolicies",
    category = "comity",
    namespaced,
    derive = "PartialEq",
    doc = "The parameters of the admission policies in a stage's namespace. Written only by Comity.",
    printcolumn(name = "Stage", type_ = "string", json_path = ".spec.stage"),
    printcolumn(name = "Purpose", type_ = "string", json_path = ".spec.purpose"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct StagePolicySpec {
    /// The UID of the grant.
    pub grant_uid: Name,
    /// The stage.
    pub stage: Stage,
    /// The purpose that every pod has to carry as its label.
    pub purpose: Name,
    /// Where images may come from; empty: nowhere.
    #[serde(default)]
    #[x_kube(merge_strategy = ListMerge::Set)]
    #[schemars(length(max = 16))]
    pub registries: Vec<Registry>,
    /// How images have to be named.
    pub image_reference: ImageReference,
    /// The runtime class that every pod has to have; absent: none may be named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runtime_class_name: Option<Name>,
    /// The node labels that every pod has to select.
    #[serde(default)]
    #[schemars(extend("maxProperties" = 8, "additionalProperties" = {"type": "string", "maxLength": 63}))]
    pub node_selector: BTreeMap<String, String>,
    /// The workloads whose identities pods may have.
    #[serde(default)]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    #[schemars(length(max = 16))]
    pub workloads: Vec<StageWorkload>,
    /// The Pod Security Standard of the namespace.
    pub pod_security: PodSecurity,
    /// How workloads may get their keys; empty: not at all.
    #[serde(default)]
    #[x_kube(merge_strategy = ListMerge::Set)]
    #[schemars(length(max = 3))]
    pub key_delivery: Vec<KeyDelivery>,
}

/// A workload whose identity pods may have.
#[derive(Clone, Debug, Default, Deserialize, Eq, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StageWorkload {
    /// Its name in the grant.
    pub name: Name,
    /// The ServiceAccount that its pods run as.
    pub service_account_name: Name,
    /// The only Secret that its pods may use.
    pub secret_name: Name,
}
