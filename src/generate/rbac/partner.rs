//! The rights of a partner's people in the namespace of a stage: a small ClusterRole for each role
//! and stage, bound there last and unbound first. Rehearsal is just like production.

use serde_json::Value;

use super::{Grant, READ, cluster_role, may};
use crate::api::{grant::Role, name, stage::Stage};

const MAKE: &[&str] = &["get", "list", "watch", "create", "update", "patch", "delete"];

const LOOK: &[Grant] = &[
    may(READ, "", &["pods", "services", "configmaps", "events"]),
    may(READ, "apps", &["deployments", "replicasets"]),
    may(READ, "batch", &["jobs"]),
];
const LOGS: Grant = may(&["get"], "", &["pods/log"]);

/// What a role may do at a stage.
pub fn rules(role: Role, stage: Stage) -> Vec<Grant> {
    let sandbox = stage == Stage::Sandbox;
    match role {
        Role::DataCurator => {
            let mut rules =
                [LOOK, &[LOGS, may(MAKE, "", &["configmaps"]), may(MAKE, "batch", &["jobs"])]].concat();
            if sandbox {
                rules.push(may(&["delete"], "", &["pods"]));
            }
            rules
        }
        Role::ModelEngineer => {
            let mut rules = [LOOK, &[LOGS, may(MAKE, "", &["configmaps", "services"])]].concat();
            rules.push(may(MAKE, "apps", &["deployments"]));
            rules.push(may(MAKE, "batch", &["jobs"]));
            // A bare pod has nobody to bring it back: good to try things with, not to serve from.
            let pods: &[&str] = if sandbox { &["create", "patch", "delete"] } else { &["delete"] };
            rules.push(may(pods, "", &["pods"]));
            rules
        }
        Role::InferenceConsumer => {
            let mut rules = vec![may(READ, "", &["services"])];
            if sandbox {
                rules.extend([may(READ, "", &["pods", "events"]), LOGS]);
            }
            rules
        }
        Role::Auditor => [LOOK, &[may(READ, "comity.dev", &["stagepolicies"])]].concat(),
    }
}

/// The names of every ClusterRole.
pub fn names() -> Vec<String> {
    every().map(|(role, stage)| name::role_cluster_role(role.kebab(), stage)).collect()
}

/// Every ClusterRole.
pub fn objects() -> Vec<Value> {
    every()
        .map(|(role, stage)| cluster_role(&name::role_cluster_role(role.kebab(), stage), &rules(role, stage)))
        .collect()
}

fn every() -> impl Iterator<Item = (Role, Stage)> {
    Role::ALL.into_iter().flat_map(|role| Stage::ALL.map(|stage| (role, stage)))
}
