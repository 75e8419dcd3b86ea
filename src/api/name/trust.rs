//! The names of what says whom to believe beyond a stage, and of CAs that the platform brings.

use super::{NAMESPACE_PREFIX, TRUST_PREFIX};

/// Value of [`super::LABEL_AUTHORITY`] on a Secret: the platform brought what it holds.
pub const BROUGHT: &str = "brought";

/// The ClusterRole that the platform gives `comity sign` in a namespace of datasets, by [`super::SIGNER_BINDING`].
pub const PUBLISHER_CLUSTER_ROLE: &str = "comity:publisher";

/// The ConfigMap in the namespace of the datasets by which whoever serves them verifies the workloads of a stage.
pub fn dataset_trust(stage_namespace: &str) -> String {
    format!("{TRUST_PREFIX}{stage_namespace}")
}

/// Whether a ConfigMap is called so.
pub fn is_dataset_trust(name: &str) -> bool {
    name.strip_prefix(TRUST_PREFIX).is_some_and(|place| place.starts_with(NAMESPACE_PREFIX))
}

/// The `ClusterTrustBundle` with the anchors of a contract's stage ([`super::ca`]): one of a signer's begins with its name.
pub fn trust_bundle(ca: &str) -> String {
    format!("comity.dev:workload:{ca}")
}

/// The ConfigMap in Comity's own namespace that says for whom a key is used that was brought, by its SHA-256.
pub fn brought_config_map(fingerprint: &str) -> String {
    format!("{TRUST_PREFIX}brought-{fingerprint}")
}
