//! What the partner's people get, last of all: a RoleBinding for each role that somebody has. While the stage
//! is rehearsed, `comity rehearse` may try things as they would.

use std::collections::BTreeSet;

use serde_json::json;

use super::Site;
use crate::api::grant::Role;
use crate::api::name;
use crate::plan::objects::{Kind, Wanted};

/// A RoleBinding for each role. Its subject is a ServiceAccount that is never created: it can be
/// impersonated by the access proxy, but nobody can run as it or get a token for it.
pub fn role_bindings(site: &Site<'_>) -> Vec<Wanted> {
    let roles: BTreeSet<Role> = site.policy.people.iter().map(|person| person.role).collect();
    let bindings = roles.into_iter().map(|role| role_binding(site, role));
    bindings.chain(site.rehearsing.then(|| rehearser_binding(site))).collect()
}

/// Lets `comity rehearse` act in this namespace, for as long as it has to.
fn rehearser_binding(site: &Site<'_>) -> Wanted {
    let content = json!({
        "roleRef": {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "ClusterRole",
            "name": name::REHEARSER_CLUSTER_ROLE,
        },
        "subjects": [{
            "kind": "ServiceAccount",
            "name": name::REHEARSE,
            "namespace": site.installation.system_namespace,
        }],
    });
    Wanted::new(Kind::RoleBinding, &site.opening.namespace, name::REHEARSER_BINDING, &site.labels(), content)
}

fn role_binding(site: &Site<'_>, role: Role) -> Wanted {
    let content = json!({
        "roleRef": {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "ClusterRole",
            "name": name::role_cluster_role(role.kebab(), site.opening.stage),
        },
        "subjects": [{
            "kind": "ServiceAccount",
            "name": name::role_service_account(role.kebab()),
            "namespace": site.opening.namespace,
        }],
    });
    let binding = name::role_binding(role.kebab());
    Wanted::new(Kind::RoleBinding, &site.opening.namespace, &binding, &site.labels(), content)
}
