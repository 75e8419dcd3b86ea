//! One `MutatingAdmissionPolicy` and its binding, as data, and the two Kubernetes objects that it
//! becomes. What is stamped here is compared in [`super::consent`], so where nothing stamps, the
//! client has to.

use serde_json::{Value, json};

use super::policy::{Rule, constraints, expression, named_expressions};

/// The API without which a cluster can't stamp, as Helm's capabilities name it.
pub const NEEDS: &str = "admissionregistration.k8s.io/v1/MutatingAdmissionPolicy";

/// A `MutatingAdmissionPolicy` with its binding. Every text may hold the words of [`super::cel`].
#[derive(Clone, Debug)]
pub struct Mutation {
    /// Name of the policy and of its binding.
    pub name: &'static str,
    /// What it is for, in a sentence that `kubectl describe` shows.
    pub about: &'static str,
    /// Which requests it sees.
    pub rules: Vec<Rule>,
    /// Names for expressions, in the order in which they build on each other.
    pub variables: Vec<(&'static str, &'static str)>,
    /// The list of JSON patches.
    pub patches: &'static str,
}

impl Mutation {
    /// The policy, then its binding; `system` is the namespace that Comity runs in.
    pub fn objects(&self, system: &str) -> Vec<Value> {
        vec![
            json!({
                "apiVersion": "admissionregistration.k8s.io/v1",
                "kind": "MutatingAdmissionPolicy",
                "metadata": {
                    "name": self.name,
                    "labels": super::super::labels(),
                    "annotations": {"comity.dev/about": self.about},
                },
                "spec": {
                    "failurePolicy": "Fail",
                    // What somebody else's policy changes after it is still looked at.
                    "reinvocationPolicy": "IfNeeded",
                    "matchConstraints": constraints(&self.rules),
                    "variables": named_expressions(&self.variables, system),
                    "mutations": [{
                        "patchType": "JSONPatch",
                        "jsonPatch": {"expression": expression(self.patches, system)},
                    }],
                },
            }),
            json!({
                "apiVersion": "admissionregistration.k8s.io/v1",
                "kind": "MutatingAdmissionPolicyBinding",
                "metadata": {"name": self.name, "labels": super::super::labels()},
                "spec": {"policyName": self.name},
            }),
        ]
    }
}
