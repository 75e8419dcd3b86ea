//! A stage's namespace. Its labels are the gates: whether pods are admitted, whether it is closing.

use std::collections::BTreeMap;

use serde_json::json;

use super::Site;
use crate::api::name;
use crate::plan::objects::{Kind, Wanted};

/// Whether a stage's namespace admits pods.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Gate {
    /// It admits pods that conform.
    Open,
    /// It admits none.
    Closed,
    /// It admits none and never will again.
    Closing,
}

/// The namespace of an opening, with its gate.
pub fn namespace(site: &Site<'_>, gate: Gate) -> Wanted {
    let mut labels = site.labels();
    labels.extend(pod_security(site.opening.policy.security.pod_security.lower()));
    with_gate(&site.opening.namespace, labels, gate)
}

/// A namespace that Comity made and knows nothing more of, closing.
pub fn closing(namespace: &str, labels: BTreeMap<String, String>) -> Wanted {
    with_gate(namespace, labels, Gate::Closing)
}

fn with_gate(namespace: &str, mut labels: BTreeMap<String, String>, gate: Gate) -> Wanted {
    let pods = if gate == Gate::Open { name::PODS_OPEN } else { name::PODS_CLOSED };
    labels.insert(name::LABEL_PODS.to_owned(), pods.to_owned());
    if gate == Gate::Closing {
        labels.insert(name::LABEL_CLOSING.to_owned(), name::CLOSING.to_owned());
    }
    Wanted::new(Kind::Namespace, namespace, namespace, &labels, json!({}))
}

/// The labels that Pod Security admission goes by.
fn pod_security(level: &str) -> BTreeMap<String, String> {
    ["enforce", "audit", "warn"]
        .into_iter()
        .map(|mode| (format!("pod-security.kubernetes.io/{mode}"), level.to_owned()))
        .collect()
}
