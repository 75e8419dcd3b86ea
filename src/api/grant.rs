//! `PartnerGrant`: one partner's access under one contract.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use super::contract::OperationName;
use super::enforcement::EnforcedClause;
use super::stage::Stage;
use super::value::{Duration, Line, Name, Text, Word};

/// One partner's access under one contract.
#[derive(Clone, CustomResource, Debug, Deserialize, KubeSchema, PartialEq, Serialize)]
#[kube(
    group = "comity.dev",
    version = "v1alpha1",
    kind = "PartnerGrant",
    plural = "partnergrants",
    shortname = "pg",
    category = "comity",
    namespaced,
    status = "PartnerGrantStatus",
    derive = "PartialEq",
    doc = "One partner's access under one contract: what for, who, how far, and for how long.",
    validation = Rule::new("self.metadata.name.size() <= 63 && self.metadata.name.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')").message("the name is part of certificates and labels: use lower case letters, digits and dashes, at most 63"),
    printcolumn(name = "Partner", type_ = "string", json_path = ".spec.partnerRef.name"),
    printcolumn(name = "Contract", type_ = "string", json_path = ".spec.contractRef.name"),
    printcolumn(name = "Wanted", type_ = "string", json_path = ".spec.stage"),
    printcolumn(name = "Open", type_ = "string", json_path = ".status.openStages"),
    printcolumn(name = "Ends", type_ = "string", json_path = ".status.expiresAt"),
    printcolumn(name = "Active", type_ = "string", json_path = r#".status.conditions[?(@.type=="Active")].status"#),
    printcolumn(name = "Reason", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].reason"#),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = (
    "!has(self.workloads) || self.workloads.all(w, !has(w.operations) || w.operations.all(o, o in self.operations))",
    "a workload can do only what the grant does: add the operation to spec.operations or take it from the workload"
))]
pub struct PartnerGrantSpec {
    /// Who is granted something. It never changes.
    #[x_kube(validation = ("self == oldSelf", "partnerRef never changes: make a new grant"))]
    pub partner_ref: Reference,
    /// Under which contract, in the same namespace. It never changes.
    #[x_kube(validation = ("self == oldSelf", "contractRef never changes: make a new grant"))]
    pub contract_ref: Reference,
    /// How far the partner may come. Stages open in order up to it, each when its gates are met;
    /// lowering it closes what is above, at once.
    pub stage: Stage,
    /// What for: one of the contract's purposes.
    pub purpose: Name,
    /// What may be done: some of the contract's operations.
    #[x_kube(merge_strategy = ListMerge::Set)]
    #[schemars(length(min = 1, max = 5))]
    pub operations: Vec<OperationName>,
    /// How long each stage is to be open, counted from its opening; absent: as long as the
    /// contract allows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["stage".into()]))]
    #[schemars(length(max = 3))]
    pub stages: Vec<StageRequest>,
    /// The partner's people, and what they are there for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    #[schemars(length(max = 32))]
    pub people: Vec<Person>,
    /// The partner's programs. Each gets an identity of its own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    #[schemars(length(max = 16))]
    pub workloads: Vec<Workload>,
    /// Closes access for as long as it is true. The end doesn't move.
    #[serde(default, skip_serializing_if = "is_false")]
    pub suspend: bool,
    /// Why it is needed, for who decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub justification: Option<Text>,
    /// The ticket that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<Word>,
}

/// Whether a flag has its default, which is left out when written.
#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_false(flag: &bool) -> bool {
    !*flag
}

/// Another object by name: in the same namespace, or cluster-scoped.
#[derive(Clone, Debug, Default, Deserialize, Eq, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Reference {
    /// Its name.
    pub name: Name,
}

/// How long a stage is to be open.
#[derive(Clone, Debug, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StageRequest {
    /// The stage.
    pub stage: Stage,
    /// How long, counted from its opening.
    pub duration: Duration,
}

/// A person of the partner's.
#[derive(Clone, Debug, Default, Deserialize, Eq, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Person {
    /// Their name, as the partner's identity provider has it in the username claim.
    #[schemars(length(min = 1, max = 254), regex(pattern = "^[!-~]+$"))]
    pub name: String,
    /// What they are there for.
    pub role: Role,
}

/// What a person of the partner's is there for.
#[derive(
    Clone, Copy, Debug, Default, Deserialize, Eq, schemars::JsonSchema, Ord, PartialEq, PartialOrd, Serialize,
)]
pub enum Role {
    /// Brings and checks data.
    DataCurator,
    /// Builds and runs models.
    ModelEngineer,
    /// Uses what models answer.
    InferenceConsumer,
    /// Looks at everything and changes nothing.
    #[default]
    Auditor,
}

impl Role {
    /// All roles.
    pub const ALL: [Self; 4] =
        [Self::DataCurator, Self::ModelEngineer, Self::InferenceConsumer, Self::Auditor];

    /// As it stands in names: kebab case.
    pub const fn kebab(self) -> &'static str {
        match self {
            Self::DataCurator => "data-curator",
            Self::ModelEngineer => "model-engineer",
            Self::InferenceConsumer => "inference-consumer",
            Self::Auditor => "auditor",
        }
    }
}

/// A program of the partner's.
#[derive(Clone, Debug, Default, Deserialize, Eq, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Workload {
    /// Its name, which becomes part of its identity.
    pub name: Name,
    /// What it does; absent: nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Set)]
    #[schemars(length(max = 5))]
    pub operations: Vec<OperationName>,
}

/// What is, projected from the journal. It may be lost without harm.
#[derive(Clone, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PartnerGrantStatus {
    /// The generation of the spec that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The stages that are open.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Set)]
    #[schemars(length(max = 3))]
    pub open_stages: Vec<Stage>,
    /// The latest end of what is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Time>,
    /// The digest of what would be opened next: what an approver of the next stage approves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 80))]
    pub request_digest: Option<String>,
    /// What stands and isn't given, because it is more than was agreed to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending: Option<PendingChange>,
    /// Everything that was ever opened under this grant.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["namespace".into()]))]
    #[schemars(length(max = 32))]
    pub openings: Vec<OpeningStatus>,
    /// Every clause of the contract, and what holds it.
    // One writer writes all of it: whose each line is would be most of what is stored of a grant.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    #[schemars(length(max = 64))]
    pub enforcement: Vec<EnforcedClause>,
    /// Where it stands: Ready, Accepted, Provisioned, Active, Reconciling, Stalled.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    #[schemars(length(max = 16))]
    pub conditions: Vec<Condition>,
}

/// One opening of a stage.
#[derive(Clone, Debug, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OpeningStatus {
    /// The stage.
    pub stage: Stage,
    /// The digest of exactly what was opened.
    #[schemars(length(max = 80))]
    pub digest: String,
    /// Where it stands.
    pub state: OpeningState,
    /// Its namespace.
    pub namespace: Name,
    /// When it was opened.
    pub opened_at: Time,
    /// When it ends, whatever happens.
    pub expires_at: Time,
    /// What isn't allowed any more of what was agreed to, because grant, contract, partner, datasets
    /// or boundary became narrower since.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    #[schemars(length(max = 32))]
    pub narrowed: Vec<Line>,
}

/// What stands and isn't given, because it is more than was agreed to. It opens beside what is live,
/// through the gates of its stages, and takes over from it.
#[derive(Clone, Debug, Deserialize, Eq, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PendingChange {
    /// The digest of what would be opened.
    #[schemars(length(max = 80))]
    pub digest: String,
    /// The stage that would open next for it.
    pub next: Stage,
    /// What it gives that isn't given now.
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    #[schemars(length(max = 32))]
    pub changes: Vec<Line>,
}

/// Where an opening stands.
#[derive(Clone, Copy, Debug, Deserialize, Eq, schemars::JsonSchema, PartialEq, Serialize)]
pub enum OpeningState {
    /// Its objects are being made.
    Opening,
    /// It can be used.
    Open,
    /// Nobody can use it for now; its namespace is kept and its end stands.
    Held,
    /// It is being closed and cleared.
    Closing,
    /// Nothing of it is left.
    Closed,
}
