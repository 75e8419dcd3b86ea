//! `Partner`: who the partner is, and what they have shown.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use super::boundary::NamespaceScope;
use super::value::{ContentDigest, Duration, Email, Host, Line, Name, Pem, Uri, Word};

/// An organisation that something may be shared with.
#[derive(Clone, CustomResource, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[kube(
    group = "comity.dev",
    version = "v1alpha1",
    kind = "Partner",
    plural = "partners",
    category = "comity",
    status = "PartnerStatus",
    derive = "PartialEq",
    doc = "An organisation that something may be shared with: who they are and what they have shown.",
    validation = Rule::new("self.metadata.name.size() <= 63").message("the name is part of certificates and labels: use at most 63 characters"),
    printcolumn(name = "Organisation", type_ = "string", json_path = ".spec.organisation.legalName"),
    printcolumn(name = "Ready", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].status"#),
    printcolumn(name = "Reason", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].reason"#),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct PartnerSpec {
    /// The legal person behind the partner.
    pub organisation: Organisation,
    /// How their people and workloads say who they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<PartnerIdentity>,
    /// Whom to write to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contacts: Option<Contacts>,
    /// What they have shown of how they protect what they get, and until when it counts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    #[schemars(length(max = 32))]
    pub controls: Vec<Control>,
    /// The namespaces whose contracts and grants may name this partner; absent: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed_namespaces: Option<NamespaceScope>,
}

/// The legal person behind a partner.
#[derive(Clone, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Organisation {
    /// The name in the register of companies.
    pub legal_name: Line,
    /// The jurisdictions that the partner is subject to (ISO 3166-1 alpha-2, or EU).
    #[x_kube(merge_strategy = ListMerge::Set)]
    #[schemars(length(min = 1, max = 16))]
    pub jurisdictions: Vec<Word>,
}

/// How a partner's people and workloads say who they are.
#[derive(Clone, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = (
    "has(self.trustDomain) == has(self.trustBundle)",
    "trustDomain and trustBundle go together: give both or neither"
))]
pub struct PartnerIdentity {
    /// The SPIFFE trust domain of the partner's own workloads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trust_domain: Option<Host>,
    /// What the certificates of the partner's own workloads are verified against.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trust_bundle: Option<Pem>,
    /// Where the partner's people log in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oidc: Option<OpenIdConnect>,
}

/// An OpenID Connect provider (OpenID Connect Core 1.0).
#[derive(Clone, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("self.issuer.startsWith('https://')", "the issuer has to be an https:// URL"))]
pub struct OpenIdConnect {
    /// The issuer, exactly as in its tokens.
    pub issuer: Uri,
    /// The audiences that are accepted.
    #[x_kube(merge_strategy = ListMerge::Set)]
    #[schemars(length(min = 1, max = 8))]
    pub audiences: Vec<Word>,
    /// The claim that names a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username_claim: Option<Word>,
    /// The claim that lists a person's groups.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub groups_claim: Option<Word>,
}

/// Whom to write to at a partner.
#[derive(Clone, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Contacts {
    /// The security team.
    pub security: Email,
    /// Who answers when something has gone wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incident: Option<IncidentContact>,
}

/// Who answers when something has gone wrong, and how soon.
#[derive(Clone, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct IncidentContact {
    /// Where to write.
    pub email: Email,
    /// How soon they have agreed to answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acknowledge_within: Option<Duration>,
}

/// A control that the partner has shown to hold.
#[derive(Clone, Debug, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Control {
    /// What contracts call it in `security.requiredControls`.
    pub name: Name,
    /// What was shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Evidence>,
    /// Until when it counts.
    pub valid_until: Time,
}

/// A document that was shown.
#[derive(Clone, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Evidence {
    /// Where it is kept.
    pub uri: Uri,
    /// What it was when it was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<ContentDigest>,
}

/// What Comity makes of a partner.
#[derive(Clone, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PartnerStatus {
    /// The generation of the spec that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Whether it can be used, and if not why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    #[schemars(length(max = 16))]
    pub conditions: Vec<Condition>,
}
