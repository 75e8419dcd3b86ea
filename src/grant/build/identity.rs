//! An identity for each workload: a ServiceAccount without a token and without rights.

use serde_json::json;

use super::Site;
use crate::api::name;
use crate::plan::objects::{Kind, Wanted};

/// A ServiceAccount for each workload.
pub fn service_accounts(site: &Site<'_>) -> Vec<Wanted> {
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
