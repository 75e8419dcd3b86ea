//! How much a stage's namespace may hold, and what its pods are held to.

use serde_json::{Value, json};

use super::Site;
use crate::api::effective::EffectivePolicy;
use crate::api::grant::Workload;
use crate::api::name;
use crate::api::stage::Stage;
use crate::api::stage_policy::{StagePolicySpec, StageWorkload};
use crate::plan::objects::{Kind, Wanted};
use crate::policy::quota::{DEFAULTS, Most};

/// What each pod is held to: limits, and the parameters of admission.
pub fn limits(site: &Site<'_>) -> Vec<Wanted> {
    vec![limit_range(site), stage_policy(site)]
}

/// One object of this stage's namespace.
fn wanted(site: &Site<'_>, kind: Kind, name: &str, content: Value) -> Wanted {
    Wanted::new(kind, &site.opening.namespace, name, &site.labels(), content)
}

/// What contract, boundary and defaults allow, and never a Service that opens a port on a node or a
/// balancer, whatever a record says.
pub fn quota(site: &Site<'_>) -> Wanted {
    let mut hard = json!(site.policy.quota.hard);
    for never in DEFAULTS.iter().filter(|line| matches!(line.most, Most::Never)) {
        hard[never.resource] = Value::from("0");
    }
    wanted(site, Kind::ResourceQuota, name::QUOTA, json!({"spec": {"hard": hard}}))
}

/// What containers get that don't say, so that a quota on compute doesn't refuse them.
fn limit_range(site: &Site<'_>) -> Wanted {
    let content = json!({"spec": {"limits": [{
        "type": "Container",
        "default": {"cpu": "500m", "memory": "512Mi"},
        "defaultRequest": {"cpu": "50m", "memory": "64Mi"},
    }]}});
    wanted(site, Kind::LimitRange, name::LIMIT_RANGE, content)
}

/// The parameters of the admission policies.
fn stage_policy(site: &Site<'_>) -> Wanted {
    let spec = guard(site.policy, site.grant_uid, site.opening.stage);
    wanted(site, Kind::StagePolicy, name::STAGE_POLICY, json!({ "spec": spec }))
}

/// What pods of a stage are held to.
pub fn guard(policy: &EffectivePolicy, grant_uid: &str, stage: Stage) -> StagePolicySpec {
    let compute = &policy.destination.compute;
    let workload = |workload: &Workload| StageWorkload {
        name: workload.name.clone(),
        service_account_name: name::workload_service_account(&workload.name.0).as_str().into(),
        secret_name: name::workload_secret(&workload.name.0).as_str().into(),
    };
    StagePolicySpec {
        grant_uid: grant_uid.into(),
        stage,
        purpose: policy.purpose.clone(),
        registries: compute.registries.clone(),
        image_reference: compute.image_reference,
        runtime_class_name: compute.runtime_class_name.clone(),
        node_selector: compute.node_selector.clone(),
        workloads: policy.workloads.iter().map(workload).collect(),
        pod_security: policy.security.pod_security,
        key_delivery: policy.security.key_delivery.clone(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use crate::api::grant::Role;
    use crate::api::stage::Stage;
    use crate::generate::rbac::partner;
    use crate::policy::quota;

    /// As a ResourceQuota counts objects of this kind.
    fn counted_as(group: &str, resource: &str) -> String {
        if group.is_empty() { resource.to_owned() } else { format!("count/{resource}.{group}") }
    }

    #[test]
    fn whatever_a_role_may_create_is_limited_where_nobody_names_it() {
        let defaults = quota::ceilings(&BTreeMap::new());
        let mut tried = 0;
        for (role, stage) in Role::ALL.into_iter().flat_map(|role| Stage::ALL.map(|stage| (role, stage))) {
            for rule in partner::rules(role, stage).iter().filter(|rule| rule.verbs.contains(&"create")) {
                for resource in rule.resources.iter().filter(|resource| !resource.contains('/')) {
                    let counted = counted_as(rule.group, resource);
                    assert!(defaults.contains_key(&counted), "{role:?} in {stage} may create {counted}");
                    tried += 1;
                }
            }
        }
        assert!(tried > 10, "the walk found the rules: {tried}");
        // What the cluster's controllers make of it.
        for made in ["count/pods", "count/replicasets.apps"] {
            assert!(defaults.contains_key(made), "{made}");
        }
    }
}
