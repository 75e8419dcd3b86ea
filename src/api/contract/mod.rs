//! `SharingContract`: policy with six parts (data scope, purpose, operations with limits, time
//! and retention, destination and compute, security posture) and the rules of its stages.

mod operation;
mod place;
mod scope;
mod security;
mod stages;
mod time;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

pub use operation::{Actor, Evaluation, Model, Operation, OperationLimits, OperationName, Prohibition};
pub use place::{Compute, Destination, Egress, EgressPort, ImageReference, Protocol};
pub use scope::{Artifact, DataScope, Prohibited, Rows, ScopedDataset};
pub use security::{Authentication, EncryptionKeys, KeyDelivery, Logging, Security, SinkFailure};
pub use stages::{
    AfterPromotion, Anomaly, AnomalyAction, Approval, Expectation, NarrowedPods, Narrowing, Probe,
    Quarantine, QuarantinedPods, Rehearsal, RehearsalCase, RehearsalRequirement, RequestedUse, Reviews,
    StageRule,
};
pub use time::{Retention, Reuse, TimeTerms, Weekday, Window};

use super::value::{ContentDigest, Email, Line, Name, Uri, Word};

/// What may be shared with whom, for which purpose, how long, and where.
#[derive(Clone, CustomResource, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[kube(
    group = "comity.dev",
    version = "v1alpha1",
    kind = "SharingContract",
    plural = "sharingcontracts",
    shortname = "sc",
    category = "comity",
    namespaced,
    status = "SharingContractStatus",
    derive = "PartialEq",
    doc = "What may be shared with whom, for which purpose, for how long, and where it may go.",
    validation = Rule::new("self.metadata.name.size() <= 63").message("the name is part of derived names: use at most 63 characters"),
    printcolumn(name = "Purposes", type_ = "string", json_path = ".spec.purposes"),
    printcolumn(name = "Ends", type_ = "string", json_path = ".spec.time.notAfter"),
    printcolumn(name = "Accepted", type_ = "string", json_path = r#".status.conditions[?(@.type=="Accepted")].status"#),
    printcolumn(name = "Reason", type_ = "string", json_path = r#".status.conditions[?(@.type=="Accepted")].reason"#),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct SharingContractSpec {
    /// The paper behind it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub framework: Option<Framework>,
    /// Its terms of law.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub legal: Option<Legal>,
    /// Who may be granted something under it; absent: nobody.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Set)]
    #[schemars(length(max = 32))]
    pub partners: Vec<Name>,
    /// 1: what may be used, and what never.
    pub data_scope: DataScope,
    /// 2: what for. A closed list, within what the datasets permit.
    #[x_kube(merge_strategy = ListMerge::Set)]
    #[schemars(length(min = 1, max = 16))]
    pub purposes: Vec<Name>,
    /// 3: what may be done, and within which limits.
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    #[schemars(length(min = 1, max = 5))]
    pub operations: Vec<Operation>,
    /// 3: what may never be done.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Set)]
    #[schemars(length(max = 16))]
    pub prohibitions: Vec<Prohibition>,
    /// 3: which versions of which models may touch it, and what they had to pass.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    #[schemars(length(max = 16))]
    pub models: Vec<Model>,
    /// 4: when, how long, and what has to be deleted by when.
    pub time: TimeTerms,
    /// 5: where it may go and run.
    pub destination: Destination,
    /// 6: what has to be held up.
    pub security: Security,
    /// The stages that can be opened at all.
    #[x_kube(merge_strategy = ListMerge::Map(vec!["stage".into()]))]
    #[schemars(length(min = 1, max = 3))]
    pub stages: Vec<StageRule>,
    /// Who has to agree before a stage opens.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["stage".into()]))]
    #[schemars(length(max = 3))]
    pub approvals: Vec<Approval>,
    /// What has to be shown before production.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rehearsal: Option<Rehearsal>,
    /// How often somebody has to confirm that it is still wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reviews: Option<Reviews>,
    /// What becomes of pods under quarantine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quarantine: Option<Quarantine>,
    /// What becomes of pods that run and that a narrower policy doesn't allow any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub narrowing: Option<Narrowing>,
    /// What counts as out of the ordinary, and what is done then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anomaly: Option<Anomaly>,
}

/// The paper behind a contract.
#[derive(Clone, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Framework {
    /// Its title.
    pub title: Line,
    /// Where it is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uri: Option<Uri>,
    /// What it was when it was signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<ContentDigest>,
}

/// A contract's terms of law. The words are the parties' own; nothing here is interpreted.
#[derive(Clone, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Legal {
    /// The basis of the processing, as GDPR article 6 names them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basis: Option<Word>,
    /// What makes the transfer lawful.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transfer_mechanism: Option<Word>,
    /// Who owns what comes out of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_owner: Option<OutputOwner>,
    /// Whom to write to where the parties disagree.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disputes: Option<Email>,
}

/// Who owns what comes out of a contract.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, schemars::JsonSchema, PartialEq, Serialize)]
pub enum OutputOwner {
    /// Who owns the data.
    #[default]
    DataOwner,
    /// The partner.
    Partner,
    /// Both.
    Joint,
}

/// What Comity makes of a contract.
#[derive(Clone, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SharingContractStatus {
    /// The generation of the spec that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Whether it can be used, and if not why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    #[schemars(length(max = 16))]
    pub conditions: Vec<Condition>,
}
