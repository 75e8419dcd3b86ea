//! `SharingBoundary`: the platform's own ceiling and floor for the namespaces it selects.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use super::stage::Stage;
use super::value::{Cidr, Duration, Name, Registry};

/// What nobody who writes contracts or grants can get past, in the namespaces that it selects.
/// Several may select a namespace: their ceilings meet and their floors join.
#[derive(Clone, CustomResource, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[kube(
    group = "comity.dev",
    version = "v1alpha1",
    kind = "SharingBoundary",
    plural = "sharingboundaries",
    shortname = "sb",
    category = "comity",
    status = "SharingBoundaryStatus",
    derive = "PartialEq",
    doc = "The platform's own ceiling and floor for the namespaces it selects: what no contract can get past.",
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].status"#
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].reason"#
    ),
    printcolumn(name = "Credential-TTL", type_ = "string", json_path = ".spec.ceilings.credentialTTL"),
    printcolumn(name = "Pod-Security", type_ = "string", json_path = ".spec.ceilings.podSecurity"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct SharingBoundarySpec {
    /// The namespaces in which contracts and grants are held to this boundary.
    pub namespaces: NamespaceScope,
    /// The most that a contract can give.
    pub ceilings: Ceilings,
    /// The least that a contract has to ask for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub floors: Option<Floors>,
}

/// Which namespaces are meant.
#[derive(Clone, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = (
    "(self.from == 'Names') == has(self.names) && (self.from == 'Selector') == has(self.selector)",
    "give names with `from: Names`, a selector with `from: Selector`, and neither with `from: All`"
))]
pub struct NamespaceScope {
    /// How the namespaces are chosen.
    pub from: NamespaceChoice,
    /// With `Names`: the namespaces.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Set)]
    #[schemars(length(min = 1, max = 64))]
    pub names: Vec<Name>,
    /// With `Selector`: what their labels have to match.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selector: Option<LabelMatch>,
}

/// How namespaces are chosen.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, schemars::JsonSchema, PartialEq, Serialize)]
pub enum NamespaceChoice {
    /// The ones that are named.
    #[default]
    Names,
    /// The ones whose labels match.
    Selector,
    /// Every namespace.
    All,
}

/// Labels that have to be there, all of them.
#[derive(Clone, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LabelMatch {
    /// Label and value.
    #[schemars(extend("minProperties" = 1, "maxProperties" = 16, "additionalProperties" = {"type": "string", "maxLength": 63}))]
    pub match_labels: BTreeMap<String, String>,
}

/// The most that a contract can give. An absent list allows nothing.
#[derive(Clone, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Ceilings {
    /// For each stage that may be opened at all: how long, and with how much.
    #[x_kube(merge_strategy = ListMerge::Map(vec!["stage".into()]))]
    #[schemars(length(min = 1, max = 3))]
    pub stages: Vec<StageCeiling>,
    /// The longest that a workload's certificate may be valid.
    #[serde(rename = "credentialTTL")]
    pub credential_ttl: Duration,
    /// The weakest Pod Security Standard.
    pub pod_security: PodSecurity,
    /// Where traffic may leave the cluster to.
    #[serde(default)]
    pub egress: EgressCeiling,
    /// Where images may come from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Set)]
    #[schemars(length(max = 16))]
    pub registries: Vec<Registry>,
    /// The runtime classes that may be asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Set)]
    #[schemars(length(max = 16))]
    pub runtime_class_names: Vec<Name>,
    /// How many grants may be live at once, from the first time that each is accepted until it has
    /// ended; absent: no limit beside the quota of the API server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub live_grants: Option<LiveGrants>,
}

/// How long a stage may be open, and with how much.
#[derive(Clone, Debug, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StageCeiling {
    /// The stage.
    pub stage: Stage,
    /// The longest that it may be open.
    pub max_duration: Duration,
    /// The most that its namespace may hold. Of what it doesn't name the most is a
    /// default (docs/reference/quotas.md): an absent limit is never no limit.
    pub quota: Quota,
}

/// Limits of a namespace, as a ResourceQuota has them.
#[derive(Clone, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Quota {
    /// Resource and amount, as in `ResourceQuota.spec.hard`.
    #[schemars(extend("minProperties" = 1, "maxProperties" = 16, "additionalProperties" = {"type": "string", "maxLength": 32, "pattern": "^[0-9]+(\\.[0-9]{1,3})?(m|k|M|G|T|P|Ki|Mi|Gi|Ti|Pi)?$"}))]
    pub hard: BTreeMap<String, Quantity>,
}

/// A Pod Security Standard. `Privileged` can't be said.
#[derive(
    Clone, Copy, Debug, Default, Deserialize, Eq, schemars::JsonSchema, Ord, PartialEq, PartialOrd, Serialize,
)]
pub enum PodSecurity {
    /// Known escalations are prevented.
    Baseline,
    /// Hardened.
    #[default]
    Restricted,
}

impl PodSecurity {
    /// As the labels of Pod Security admission write it.
    pub const fn lower(self) -> &'static str {
        match self {
            Self::Baseline => "baseline",
            Self::Restricted => "restricted",
        }
    }
}

/// Where traffic may leave the cluster to, at most.
#[derive(Clone, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EgressCeiling {
    /// Networks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Set)]
    #[schemars(length(max = 32))]
    pub cidrs: Vec<Cidr>,
    /// Whether the cluster's DNS may be asked: DNS is a way out too.
    #[serde(default)]
    pub dns: Dns,
}

/// Which DNS a stage's pods may ask.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, schemars::JsonSchema, PartialEq, Serialize)]
pub enum Dns {
    /// The cluster's own.
    Cluster,
    /// None at all.
    #[default]
    None,
}

/// How many grants may be live at once.
#[derive(Clone, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LiveGrants {
    /// In one namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 10000))]
    pub per_namespace: Option<i32>,
    /// For one partner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 10000))]
    pub per_partner: Option<i32>,
}

/// The least that a contract has to ask for.
#[derive(Clone, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Floors {
    /// The least approvals, by stage.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["stage".into()]))]
    #[schemars(length(max = 3))]
    pub approvals: Vec<ApprovalFloor>,
    /// The longest time between two reviews.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reviews: Option<ReviewFloor>,
}

/// The least approvals that opening a stage needs.
#[derive(Clone, Debug, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ApprovalFloor {
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
}

/// At least so many approvals from a group.
#[derive(Clone, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GroupShare {
    /// The group, as the API server knows it.
    pub name: Name,
    /// How many approvals at least.
    #[schemars(range(min = 1, max = 16))]
    pub at_least: i32,
}

/// The longest time between two reviews.
#[derive(Clone, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ReviewFloor {
    /// At least this often.
    pub every: Duration,
}

/// What Comity makes of a boundary.
#[derive(Clone, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SharingBoundaryStatus {
    /// The generation of the spec that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Whether it can be used, and if not why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    #[schemars(length(max = 16))]
    pub conditions: Vec<Condition>,
}
