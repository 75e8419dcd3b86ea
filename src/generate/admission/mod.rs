//! Who may write what, as `ValidatingAdmissionPolicies`, and who did, as `MutatingAdmissionPolicies`:
//! shipped once, written from the constants that the processes themselves use. Nothing of ours sits in the API server's write path.

pub mod cage;
pub mod cel;
pub mod consent;
mod ends;
pub mod force;
pub mod guard;
pub mod mutation;
pub mod ours;
pub mod policy;

use policy::Policy;
use serde_json::Value;

/// Every policy.
pub fn policies() -> Vec<Policy> {
    let mut policies = vec![cage::run(), cage::sign(), cage::rehearse()];
    policies.extend(ours::policies());
    policies.extend(consent::policies());
    policies.extend(guard::policies());
    policies
}

/// Every policy that stamps, with its binding: where the API server has such policies.
pub fn stamps(system: &str) -> Vec<Value> {
    consent::stamps().iter().flat_map(|stamp| stamp.objects(system)).collect()
}

/// Every policy that refuses, with its bindings; `system` is the namespace that Comity runs in.
pub fn objects(system: &str) -> Vec<Value> {
    policies().iter().flat_map(|policy| policy.objects(system)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_word_is_left_unspelled() {
        for object in [objects("comity-system"), stamps("comity-system")].concat() {
            let text = object.to_string();
            let left = text
                .match_indices('$')
                .find(|(at, _)| text[at + 1..].starts_with(|c: char| c.is_ascii_uppercase()));
            assert!(left.is_none(), "{text}");
        }
    }

    #[test]
    fn every_policy_fails_closed_and_denies() {
        for policy in [objects("comity-system"), stamps("comity-system")].concat() {
            match policy["kind"].as_str() {
                Some("ValidatingAdmissionPolicy" | "MutatingAdmissionPolicy") => {
                    assert_eq!(policy["spec"]["failurePolicy"], "Fail");
                }
                Some("MutatingAdmissionPolicyBinding") => {
                    assert_eq!(policy["spec"], serde_json::json!({"policyName": policy["metadata"]["name"]}));
                }
                _ => assert_eq!(policy["spec"]["validationActions"][0], "Deny"),
            }
        }
    }

    #[test]
    fn a_policy_with_a_parameter_selects_namespaces_itself() {
        for policy in policies().iter().filter(|policy| policy.stage_policy) {
            assert!(policy.namespaces.is_some(), "{} would refuse everywhere without its CRD", policy.name);
        }
    }
}
