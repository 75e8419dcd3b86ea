//! `status.enforcement`: every clause of the contract, and what holds it. Nothing is silently ignored.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

/// One clause of the contract, and what holds it.
#[derive(Clone, Debug, Deserialize, Eq, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EnforcedClause {
    /// The clause's path in the contract's spec: `destination.egress`.
    #[schemars(length(min = 1, max = 64))]
    pub clause: String,
    /// What holds it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Set)]
    #[schemars(length(max = 8))]
    pub by: Vec<Enforcer>,
    /// Whether it is held.
    pub state: EnforcementState,
    /// What else is to be known: why it isn't held, or what holds it only while Comity lives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub message: Option<String>,
}

/// What can hold a clause.
#[derive(
    Clone, Copy, Debug, Deserialize, Eq, schemars::JsonSchema, Ord, PartialEq, PartialOrd, Serialize,
)]
pub enum Enforcer {
    /// A NetworkPolicy, as far as the cluster's network plugin enforces it.
    NetworkPolicy,
    /// A ResourceQuota.
    ResourceQuota,
    /// A ValidatingAdmissionPolicy, in the API server.
    AdmissionPolicy,
    /// A certificate, by what it says and when it ends.
    Certificate,
    /// A RoleBinding.
    RoleBinding,
    /// The gate in front of a dataset.
    Gate,
    /// Comity itself, while it lives.
    Controller,
}

/// Whether a clause is held.
#[derive(Clone, Copy, Debug, Deserialize, Eq, schemars::JsonSchema, PartialEq, Serialize)]
pub enum EnforcementState {
    /// It is held by what `by` names.
    Enforced,
    /// A stage is open under it, but what holds it isn't all there yet.
    Pending,
    /// It is written down, and nothing holds it; the message says why.
    DeclaredOnly,
    /// The contract doesn't use it.
    NotUsed,
}
