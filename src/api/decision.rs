//! `GrantDecision`: one human act about a grant. Immutable; who decided is stamped by admission.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use super::grant::PartnerGrant;
use super::record::GrantIdentity;
use super::stage::Stage;
use super::value::{ContentDigest, Name, OpeningDigest, Text};

/// One human act about a grant. It never changes, and what it did is in the grant's journal: deleting
/// it afterwards undoes nothing. Who decided is the annotation `comity.dev/decided-by`, which the API
/// server stamps.
#[derive(Clone, CustomResource, Debug, Deserialize, KubeSchema, PartialEq, Serialize)]
#[kube(
    group = "comity.dev",
    version = "v1alpha1",
    kind = "GrantDecision",
    plural = "grantdecisions",
    shortname = "gd",
    category = "comity",
    namespaced,
    status = "GrantDecisionStatus",
    derive = "PartialEq",
    doc = "One human act about a grant: approve, deny, extend, shorten, expire, quarantine, release, attest, and a few more.",
    printcolumn(name = "Grant", type_ = "string", json_path = ".spec.grantRef.name"),
    printcolumn(name = "Action", type_ = "string", json_path = ".spec.action"),
    printcolumn(name = "Stage", type_ = "string", json_path = ".spec.stage"),
    printcolumn(name = "By", type_ = "string", json_path = r".metadata.annotations.comity\.dev/decided-by"),
    printcolumn(name = "For", type_ = "string", json_path = ".spec.onBehalfOf"),
    printcolumn(
        name = "Taken",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Taken")].status"#
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Taken")].reason"#
    ),
    printcolumn(name = "Digest", type_ = "string", json_path = ".spec.digest", priority = 1),
    printcolumn(name = "Until", type_ = "string", json_path = ".spec.expiresAt", priority = 1),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = ("self == oldSelf", "a decision never changes: make another one"),
    validation = (
        "!(self.action in ['Approve', 'Deny', 'Extend']) || (has(self.stage) && has(self.digest))",
        "Approve, Deny and Extend are about a stage and a digest: give both, the digest as the status of the grant has it"
    ),
    validation = (
        "!(self.action in ['Approve', 'Extend']) || has(self.onBehalfOf)",
        "Approve and Extend count for one of your groups: give it in onBehalfOf"
    ),
    validation = (
        "(self.action in ['Extend', 'Shorten']) == has(self.expiresAt)",
        "expiresAt is the new end: give it with Extend and Shorten, and leave it out of any other action"
    ),
    validation = ("self.action != 'Shorten' || has(self.stage)", "Shorten is about a stage: give it"),
    validation = (
        "self.action != 'Expire' || has(self.stage) || !has(self.digest)",
        "a digest says which opening of a stage is to end: give the stage too, or leave both out to end the grant"
    ),
    validation = (
        "!(self.action in ['Quarantine', 'Release', 'Attest']) || (!has(self.stage) && !has(self.digest))",
        "Quarantine, Release and Attest are about the whole grant: leave stage and digest out"
    ),
    validation = (
        "!(self.action in ['Sponsor', 'Countersign', 'Rehearse']) || (has(self.digest) && !has(self.stage))",
        "Sponsor, Countersign and Rehearse are about the whole request: give its digest, and leave stage out"
    ),
    validation = (
        "(self.action == 'Enrol') == has(self.enrolment)",
        "enrolment says which workload may enrol, and by which token: give it with Enrol, and leave it out of any other action"
    ),
    validation = (
        "self.action != 'Enrol' || (has(self.stage) && has(self.digest))",
        "Enrol is about what is open: give its stage and its digest"
    )
)]
pub struct GrantDecisionSpec {
    /// The grant, in the same namespace. Another one of the same name isn't meant.
    pub grant_ref: GrantIdentity,
    /// What is decided.
    pub action: DecisionAction,
    /// About which stage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<Stage>,
    /// The digest of exactly what is decided about: an approval of one digest is none of another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<OpeningDigest>,
    /// The one group that it counts for. Who decides has to be in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_behalf_of: Option<Name>,
    /// With `Extend` and `Shorten`: the new end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Time>,
    /// With `Enrol`: which workload may enrol, by which token, until when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enrolment: Option<Enrolment>,
    /// Why, for who reads the journal.
    pub reason: Text,
}

/// That one workload of the partner's may enrol once: whoever shows the token gets its first certificate.
#[derive(Clone, Debug, Deserialize, Eq, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Enrolment {
    /// The workload, as the grant names it.
    pub workload: Name,
    /// The SHA-256 of the token. The token itself is written down nowhere.
    pub token_digest: ContentDigest,
    /// Until when the token may be used: 12 hours after this was decided at the latest, whatever is said here.
    pub expires_at: Time,
}

impl Enrolment {
    /// How long a token may be used at the most.
    pub const LONGEST: SignedDuration = SignedDuration::from_hours(12);

    /// Until when its token may be used, if it was decided at `made`.
    pub fn until(&self, made: Timestamp) -> Timestamp {
        let latest = made.checked_add(Self::LONGEST).unwrap_or(made);
        self.expires_at.0.min(latest)
    }
}

impl GrantDecision {
    /// Whether it is about this very grant: by its UID, and by the name and namespace that the API server
    /// asked about whether this person may decide.
    pub fn is_about(&self, grant: &PartnerGrant) -> bool {
        let (about, is) = (&self.spec.grant_ref, &grant.metadata);
        self.metadata.namespace == is.namespace
            && is.name.as_deref() == Some(about.name.as_str())
            && is.uid.as_deref() == Some(about.uid.as_str())
    }
}

/// What is decided about a grant.
#[derive(
    Clone, Copy, Debug, Deserialize, Eq, Hash, schemars::JsonSchema, Ord, PartialEq, PartialOrd, Serialize,
)]
pub enum DecisionAction {
    /// A stage may open with this digest.
    Approve,
    /// A stage may not open with this digest, for good.
    Deny,
    /// What is open ends later.
    Extend,
    /// What is open ends earlier.
    Shorten,
    /// What is open ends now.
    Expire,
    /// Access is closed until somebody releases it.
    Quarantine,
    /// Access that was quarantined is given again.
    Release,
    /// It is still wanted: the answer to a review.
    Attest,
    /// A person takes responsibility for a request that automation made.
    Sponsor,
    /// The rehearsal is to run again.
    Rehearse,
    /// A workload on the partner's side may enrol once for its first certificate.
    Enrol,
    /// The partner agrees too.
    Countersign,
}

impl DecisionAction {
    /// All actions.
    pub const ALL: [Self; 12] = [
        Self::Approve,
        Self::Deny,
        Self::Extend,
        Self::Shorten,
        Self::Expire,
        Self::Quarantine,
        Self::Release,
        Self::Attest,
        Self::Sponsor,
        Self::Rehearse,
        Self::Enrol,
        Self::Countersign,
    ];

    /// As it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Approve => "Approve",
            Self::Deny => "Deny",
            Self::Extend => "Extend",
            Self::Shorten => "Shorten",
            Self::Expire => "Expire",
            Self::Quarantine => "Quarantine",
            Self::Release => "Release",
            Self::Attest => "Attest",
            Self::Sponsor => "Sponsor",
            Self::Rehearse => "Rehearse",
            Self::Enrol => "Enrol",
            Self::Countersign => "Countersign",
        }
    }

    /// The virtual verb on `partnergrants` of `consent.comity.dev` that it takes: its name in lower case.
    pub const fn verb(self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Deny => "deny",
            Self::Extend => "extend",
            Self::Shorten => "shorten",
            Self::Expire => "expire",
            Self::Quarantine => "quarantine",
            Self::Release => "release",
            Self::Attest => "attest",
            Self::Sponsor => "sponsor",
            Self::Rehearse => "rehearse",
            Self::Enrol => "enrol",
            Self::Countersign => "countersign",
        }
    }

    /// Whether automation may do it too: what only closes, or only tries. Everything else is a person's.
    pub const fn automatable(self) -> bool {
        matches!(self, Self::Deny | Self::Shorten | Self::Expire | Self::Quarantine | Self::Rehearse)
    }
}

/// What came of a decision: `Taken=True` and the number of the record (`Enrol` makes none), or
/// `Taken=False` and why not.
#[derive(Clone, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GrantDecisionStatus {
    /// The generation of the spec that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The number of the record of the grant's journal that took it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 999_999))]
    pub record: Option<i64>,
    /// What came of it: Ready, Taken, Stalled.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    #[schemars(length(max = 16))]
    pub conditions: Vec<Condition>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verb_is_the_action_in_lower_case_and_no_other_actions() {
        for action in DecisionAction::ALL {
            assert_eq!(action.verb(), action.as_str().to_lowercase());
            assert_eq!(serde_json::to_value(action).expect("JSON"), action.as_str());
        }
        let verbs: std::collections::BTreeSet<_> = DecisionAction::ALL.map(DecisionAction::verb).into();
        assert_eq!(verbs.len(), DecisionAction::ALL.len());
    }

    #[test]
    fn no_token_is_good_for_longer_than_half_a_day() {
        let made: Timestamp = "2026-12-01T00:00:00Z".parse().expect("a time");
        let until = |hours| {
            let (digest, end) =
                (format!("sha256:{}", "0".repeat(64)), made + SignedDuration::from_hours(hours));
            let (workload, token_digest) = ("scorer".into(), digest.as_str().into());
            Enrolment { workload, token_digest, expires_at: Time(end) }.until(made)
        };
        assert_eq!(until(1), made + SignedDuration::from_hours(1));
        assert_eq!(until(9000), made + Enrolment::LONGEST);
        assert_eq!(until(-1), made - SignedDuration::from_hours(1));
    }

    #[test]
    fn automation_gives_nobody_anything() {
        use DecisionAction::{Approve, Attest, Countersign, Enrol, Extend, Release, Sponsor};
        for action in [Approve, Extend, Release, Attest, Sponsor, Enrol, Countersign] {
            assert!(!action.automatable(), "{action:?}");
        }
    }
}
