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
    labels.extend(pod_security(site.policy.security.pod_security.lower()));
    with_gate(&site.opening.namespace, labels, gate)
}

/// A namespace of which no record tells, with its gate. Whatever else Comity said of it stays: by
/// those labels admission and `comity sign` know what it is.
pub fn unrecorded(namespace: &str, live: &BTreeMap<String, String>, gate: Gate) -> Wanted {
    let labels = live.iter().filter(|(label, _)| is_of_comity(label));
    let labels = labels.map(|(label, value)| (label.clone(), value.clone())).collect();
    with_gate(namespace, labels, gate)
}

/// Whether Comity sets this label on a stage's namespace.
fn is_of_comity(label: &str) -> bool {
    label == name::LABEL_MANAGED_BY
        || ["comity.dev/", "pod-security.kubernetes.io/"].iter().any(|prefix| label.starts_with(prefix))
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
