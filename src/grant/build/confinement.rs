//! How much a stage's namespace may hold, and what its pods are held to.

use serde_json::{Value, json};

use super::Site;
use crate::api::name;
use crate::api::stage_policy::StageWorkload;
use crate::plan::objects::{Kind, Wanted};

/// Quota, limits, and the parameters of admission.
pub fn objects(site: &Site<'_>) -> Vec<Wanted> {
    vec![quota(site), limits(site), stage_policy(site)]
}

/// One object of this stage's namespace.
fn wanted(site: &Site<'_>, kind: Kind, name: &str, content: Value) -> Wanted {
    Wanted::new(kind, &site.opening.namespace, name, &site.labels(), content)
}

/// What the contract allows, and never a Service that opens a port on a node or a balancer.
fn quota(site: &Site<'_>) -> Wanted {
    let mut hard = json!(site.opening.policy.quota.hard);
    hard["services.nodeports"] = Value::from("0");
    hard["services.loadbalancers"] = Value::from("0");
    wanted(site, Kind::ResourceQuota, name::QUOTA, json!({"spec": {"hard": hard}}))
}

/// What containers get that don't say, so that a quota on compute doesn't refuse them.
fn limits(site: &Site<'_>) -> Wanted {
    let content = json!({"spec": {"limits": [{
        "type": "Container",
        "default": {"cpu": "500m", "memory": "512Mi"},
        "defaultRequest": {"cpu": "50m", "memory": "64Mi"},
    }]}});
    wanted(site, Kind::LimitRange, name::LIMIT_RANGE, content)
}

/// The parameters of the admission policies.
fn stage_policy(site: &Site<'_>) -> Wanted {
    let policy = &site.opening.policy;
    let compute = &policy.destination.compute;
    let workloads: Vec<StageWorkload> = policy
        .workloads
        .iter()
        .map(|workload| StageWorkload {
            name: workload.name.clone(),
            service_account_name: name::workload_service_account(&workload.name.0).as_str().into(),
            secret_name: name::workload_secret(&workload.name.0).as_str().into(),
        })
        .collect();
    let mut spec = json!({
        "grantUid": site.grant_uid,
        "stage": site.opening.stage,
        "purpose": policy.purpose,
        "registries": compute.registries,
        "imageReference": compute.image_reference,
        "nodeSelector": compute.node_selector,
        "workloads": workloads,
        "podSecurity": policy.security.pod_security,
    });
    if let Some(runtime_class) = &compute.runtime_class_name {
        spec["runtimeClassName"] = json!(runtime_class);
    }
    wanted(site, Kind::StagePolicy, name::STAGE_POLICY, json!({ "spec": spec }))
}
