//! Part 6 of a contract: what has to be held up.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::api::boundary::PodSecurity;
use crate::api::value::{Duration, Name, Word};

/// What has to be held up.
#[derive(Clone, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Security {
    /// The partner's controls that have to be shown and in date.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Set)]
    #[schemars(length(max = 32))]
    pub required_controls: Vec<Name>,
    /// The Pod Security Standard of the stages' namespaces.
    #[serde(default)]
    pub pod_security: PodSecurity,
    /// How long a workload's certificate is valid; absent: as long as the boundary allows.
    #[serde(default, rename = "credentialTTL", skip_serializing_if = "Option::is_none")]
    pub credential_ttl: Option<Duration>,
    /// How workloads may get their keys; absent: not at all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Set)]
    #[schemars(length(max = 3))]
    pub key_delivery: Vec<KeyDelivery>,
    /// What a person's login has to have shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authentication: Option<Authentication>,
    /// Who holds the keys that the data is encrypted with at rest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encryption_keys: Option<EncryptionKeys>,
    /// What is logged, and what happens where it can't be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logging: Option<Logging>,
}

/// How a workload may get its key.
#[derive(
    Clone, Copy, Debug, Deserialize, Eq, schemars::JsonSchema, Ord, PartialEq, PartialOrd, Serialize,
)]
pub enum KeyDelivery {
    /// The kubelet makes it and keeps it on the node (KEP-4317).
    PodCertificate,
    /// The partner makes it and sends a request (certificates.k8s.io/v1).
    CertificateSigningRequest,
    /// Comity makes it and stores it as a Secret.
    Secret,
}

/// What a person's login has to have shown.
#[derive(Clone, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Authentication {
    /// Authentication contexts or methods (RFC 8176) of which one is needed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Set)]
    #[schemars(length(max = 8))]
    pub contexts: Vec<Word>,
}

/// Who holds the keys that the data is encrypted with at rest.
#[derive(Clone, Copy, Debug, Deserialize, Eq, schemars::JsonSchema, PartialEq, Serialize)]
pub enum EncryptionKeys {
    /// Who owns the data.
    DataOwner,
    /// The partner.
    Partner,
    /// The platform.
    Platform,
}

/// What is logged, and what happens where it can't be.
#[derive(Clone, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Logging {
    /// What happens to requests that can't be logged.
    #[serde(default)]
    pub on_sink_failure: SinkFailure,
}

/// What happens to requests that can't be logged.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, schemars::JsonSchema, PartialEq, Serialize)]
pub enum SinkFailure {
    /// They are refused.
    #[default]
    Refuse,
    /// They are answered, and logged later.
    Buffer,
}
