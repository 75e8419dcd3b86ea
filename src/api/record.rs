//! `GrantRecord`: one line of a grant's journal. Immutable, written only by Comity.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use super::effective::EffectivePolicy;
use super::report::Counts;
use super::stage::Stage;
use super::value::{CaseName, ContentDigest, Name, Word};

/// One line of a grant's journal. Its name is the grant's UID and the sequence number, so two
/// writers can't both append; it holds the digest of the line before, so none can be taken out.
/// It has no owner, so it outlives the grant.
#[derive(Clone, CustomResource, Debug, Deserialize, KubeSchema, PartialEq, Serialize)]
#[kube(
    group = "comity.dev",
    version = "v1alpha1",
    kind = "GrantRecord",
    plural = "grantrecords",
    shortname = "gr",
    category = "comity",
    namespaced,
    derive = "PartialEq",
    doc = "One line of a grant's journal: immutable, and written only by Comity.",
    printcolumn(name = "Grant", type_ = "string", json_path = ".spec.grant.name"),
    printcolumn(name = "Seq", type_ = "integer", json_path = ".spec.sequence"),
    printcolumn(name = "Event", type_ = "string", json_path = ".spec.event"),
    printcolumn(name = "Stage", type_ = "string", json_path = ".spec.stage"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".spec.reason"),
    printcolumn(name = "Ends", type_ = "string", json_path = ".spec.expiresAt"),
    printcolumn(name = "At", type_ = "string", json_path = ".spec.at")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = ("self == oldSelf", "a record never changes"),
    validation = (
        "self.event != 'Opened' || (has(self.stage) && has(self.digest) && has(self.expiresAt) && has(self.policy))",
        "an Opened record says stage, digest, expiresAt and policy"
    ),
    validation = (
        "(self.event == 'Rehearsed') == has(self.report)",
        "a Rehearsed record, and no other, says which report it takes"
    )
)]
pub struct GrantRecordSpec {
    /// The grant whose journal this is.
    pub grant: GrantIdentity,
    /// The line's number, from 1.
    #[schemars(range(min = 1, max = 999_999))]
    pub sequence: i64,
    /// The digest of the line before; absent in the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 80))]
    pub previous: Option<String>,
    /// When it was written.
    pub at: Time,
    /// What happened.
    pub event: RecordEvent,
    /// The generation of the grant's spec that was looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<i64>,
    /// To which stage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<Stage>,
    /// The digest of what was asked for or opened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 80))]
    pub digest: Option<String>,
    /// With `Opened`: when it ends, whatever happens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Time>,
    /// Why, in a word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<RecordReason>,
    /// Why, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub message: Option<String>,
    /// With `Opened`: everything that it allows. With `Narrowed`: everything that it still allows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<EffectivePolicy>,
    /// With what narrows an opening: the digest of what stood then, where anything was agreed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 80))]
    pub stands: Option<String>,
    /// With `Opened`: which revisions of what it depends on. Whoever changes one of them later may not
    /// approve the change.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    #[schemars(length(max = 32))]
    pub revisions: Vec<Revision>,
    /// With what a person decided: the decision that this line takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<TakenDecision>,
    /// With `Rehearsed`: the report that this line takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<TakenReport>,
}

/// A revision of something that a grant depends on.
#[derive(Clone, Debug, Deserialize, Eq, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Revision {
    /// Of which kind.
    pub kind: RevisedKind,
    /// Its name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Its UID.
    #[schemars(length(min = 1, max = 64))]
    pub uid: String,
    /// The generation of its spec.
    #[schemars(range(min = 0))]
    pub generation: i64,
    /// Of a dataset: the version that the contract names. Another one wasn't agreed to with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<Word>,
}

/// What a grant depends on, and people write.
#[derive(
    Clone, Copy, Debug, Deserialize, Eq, Hash, schemars::JsonSchema, Ord, PartialEq, PartialOrd, Serialize,
)]
#[allow(missing_docs, reason = "a kind is that kind")]
pub enum RevisedKind {
    PartnerGrant,
    SharingContract,
    Partner,
    Dataset,
    SharingBoundary,
}

impl RevisedKind {
    /// As it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PartnerGrant => "PartnerGrant",
            Self::SharingContract => "SharingContract",
            Self::Partner => "Partner",
            Self::Dataset => "Dataset",
            Self::SharingBoundary => "SharingBoundary",
        }
    }
}

/// A decision, as the journal keeps it: the object may be deleted, its effect stays.
#[derive(Clone, Debug, Deserialize, Eq, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TakenDecision {
    /// Its name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Its UID: no decision is taken twice.
    #[schemars(length(min = 1, max = 64))]
    pub uid: String,
    /// Who decided, as admission stamped it.
    #[schemars(length(min = 1, max = 253))]
    pub by: String,
    /// The group that it counts for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_behalf_of: Option<Name>,
    /// When it was made, as the API server noted it: it may have been written down later.
    pub made: Time,
    /// Until when it counts, where it doesn't for good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Time>,
}

/// A rehearsal's report, as the journal keeps it: the object may be deleted, what it showed stays shown.
#[derive(Clone, Debug, Deserialize, Eq, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TakenReport {
    /// Its name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Its UID.
    #[schemars(length(min = 1, max = 64))]
    pub uid: String,
    /// The SHA-256 of its `spec`, as RFC 8785 writes it.
    pub digest: ContentDigest,
    /// The number of the record that asked for it.
    #[schemars(range(min = 1, max = 999_999))]
    pub cause: i64,
    /// How many cases came out how.
    pub counts: Counts,
    /// The first of those that failed, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    #[schemars(length(max = 8))]
    pub failed: Vec<CaseName>,
    /// The first of those that nothing can execute, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    #[schemars(length(max = 8))]
    pub not_executable: Vec<CaseName>,
}

/// A grant, told apart from another of the same name.
#[derive(Clone, Debug, Default, Deserialize, Eq, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GrantIdentity {
    /// Its name.
    pub name: Name,
    /// Its UID.
    pub uid: Name,
}

/// What happened to a grant.
#[derive(Clone, Copy, Debug, Deserialize, Eq, schemars::JsonSchema, PartialEq, Serialize)]
pub enum RecordEvent {
    /// It was asked for, and accepted for the first time.
    Requested,
    /// Somebody took responsibility for the request.
    Sponsored,
    /// Somebody agreed.
    Approved,
    /// Somebody refused.
    Denied,
    /// A stage was opened, or opened again within its recorded end.
    Opened,
    /// What a stage allows became less.
    Narrowed,
    /// A stage's end was moved later.
    Extended,
    /// A stage's end was moved earlier.
    Shortened,
    /// Access was closed for the time being.
    Suspended,
    /// Access that was closed for the time being was opened again.
    Resumed,
    /// Access was closed until somebody releases it.
    Quarantined,
    /// Somebody released it.
    Released,
    /// Somebody confirmed that it is still wanted.
    Attested,
    /// Somebody asked for another rehearsal.
    RehearsalRequested,
    /// A rehearsal was through, whatever came out.
    Rehearsed,
    /// A stage was closed.
    Closed,
    /// Nothing is open, and nothing can open any more.
    Ended,
}

impl RecordEvent {
    /// As it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Requested => "Requested",
            Self::Sponsored => "Sponsored",
            Self::Approved => "Approved",
            Self::Denied => "Denied",
            Self::Opened => "Opened",
            Self::Narrowed => "Narrowed",
            Self::Extended => "Extended",
            Self::Shortened => "Shortened",
            Self::Suspended => "Suspended",
            Self::Resumed => "Resumed",
            Self::Quarantined => "Quarantined",
            Self::Released => "Released",
            Self::Attested => "Attested",
            Self::RehearsalRequested => "RehearsalRequested",
            Self::Rehearsed => "Rehearsed",
            Self::Closed => "Closed",
            Self::Ended => "Ended",
        }
    }
}

/// Why something happened to a grant.
#[derive(Clone, Copy, Debug, Deserialize, Eq, schemars::JsonSchema, PartialEq, Serialize)]
pub enum RecordReason {
    /// Its time was over.
    Expired,
    /// The next stage opened.
    Promoted,
    /// Another opening of its stage, for what was agreed since, took over.
    Superseded,
    /// `spec.stage` was lowered.
    Demoted,
    /// The grant was deleted.
    Deleted,
    /// `spec.suspend` was set.
    Suspended,
    /// What was agreed isn't what stands any more.
    PolicyChanged,
    /// Something that it needs is gone, or says no.
    NotAccepted,
    /// Its namespace was deleted by somebody else.
    NamespaceLost,
    /// There is nothing left that could open.
    NothingLeft,
    /// Nobody answered the request in time.
    Unanswered,
    /// A person decided it.
    Decided,
    /// It is quarantined, until somebody releases it.
    Quarantined,
    /// Nobody confirmed in time that it is still wanted.
    ReviewLapsed,
    /// Somebody refuses to let it be confined as it has to be.
    Unconfined,
}

impl RecordReason {
    /// Whether a stage that was closed for this reason can open again within its recorded end.
    pub const fn can_reopen(self) -> bool {
        matches!(self, Self::Promoted | Self::Demoted) || self.is_loss()
    }

    /// Whether it says that nothing was left of what was agreed to.
    pub const fn is_loss(self) -> bool {
        matches!(self, Self::NotAccepted | Self::PolicyChanged)
    }
}
