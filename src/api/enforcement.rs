//! `status.enforcement`: every clause of the contract, and what holds it. Nothing is silently ignored.

use std::fmt::Write as _;

use kube::KubeSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

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

/// What a brief of clauses begins with; no clause is called so.
const BRIEF: &str = "sha256:";

/// In place of what is said of every clause, which is long, a list of one that is another for every
/// other list: enough to tell whether the same is said again. A brief is its own brief.
pub fn brief(told: &[EnforcedClause]) -> Vec<EnforcedClause> {
    if told.is_empty() || told.iter().any(|told| told.clause.starts_with(BRIEF)) {
        return told.to_vec();
    }
    let mut clause = BRIEF.to_owned();
    for byte in Sha256::digest(serde_json::to_vec(told).unwrap_or_default()) {
        // Writing to a String can't fail.
        let _ = write!(clause, "{byte:02x}");
    }
    vec![EnforcedClause { clause, by: Vec::new(), state: EnforcementState::NotUsed, message: None }]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_brief_tells_what_was_said_from_everything_else() {
        let clause = |clause: &str, by: &[Enforcer], state, message: Option<&str>| EnforcedClause {
            clause: clause.to_owned(),
            by: by.to_vec(),
            state,
            message: message.map(str::to_owned),
        };
        let all = [
            clause("time", &[Enforcer::Controller], EnforcementState::Enforced, Some("while it lives")),
            clause("time", &[Enforcer::Controller], EnforcementState::Enforced, None),
            clause("time", &[Enforcer::Controller], EnforcementState::Pending, None),
            clause("time", &[], EnforcementState::Pending, None),
            clause("models", &[], EnforcementState::Pending, None),
        ];
        let mut briefs = vec![brief(&all), brief(&all[..4]), Vec::new()];
        briefs.extend(all.iter().map(|one| brief(std::slice::from_ref(one))));
        for (number, one) in briefs.iter().enumerate() {
            assert_eq!(brief(one), *one);
            assert!(briefs[number + 1..].iter().all(|other| other != one), "{number}");
        }
        assert_eq!(brief(&[]), Vec::new(), "nothing said is nothing said");
    }
}
