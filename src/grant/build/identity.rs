//! An identity for each workload: a ServiceAccount without a token and without rights; and who
//! signs for them.

use serde_json::json;

use super::Site;
use crate::api::name;
use crate::plan::objects::{Kind, Wanted};

/// The workloads' accounts and, after them, what lets `comity sign` act: no certificate comes
/// before the identity that it is for.
pub fn objects(site: &Site<'_>) -> Vec<Wanted> {
    let mut objects = service_accounts(site);
    objects.push(signer_binding(site));
    objects
}

/// A ServiceAccount for each workload.
fn service_accounts(site: &Site<'_>) -> Vec<Wanted> {
    site.opening
        .policy
        .workloads
        .iter()
        .map(|workload| {
            let mut labels = site.labels();
            labels.insert(name::LABEL_WORKLOAD.to_owned(), workload.name.0.clone());
            Wanted::new(
                Kind::ServiceAccount,
                &site.opening.namespace,
                &name::workload_service_account(&workload.name.0),
                &labels,
                json!({"automountServiceAccountToken": false}),
            )
        })
        .collect()
}

/// Lets `comity sign` act in this namespace, and nowhere else.
fn signer_binding(site: &Site<'_>) -> Wanted {
    let content = json!({
        "roleRef": {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "ClusterRole",
            "name": name::SIGNER_CLUSTER_ROLE,
        },
        "subjects": [{
            "kind": "ServiceAccount",
            "name": name::SIGN,
            "namespace": site.installation.system_namespace,
        }],
    });
    Wanted::new(Kind::RoleBinding, &site.opening.namespace, name::SIGNER_BINDING, &site.labels(), content)
}
