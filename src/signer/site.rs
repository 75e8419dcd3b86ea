//! The namespace of a stage, as far as it matters to the signer.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Namespace;

use crate::api::name;

/// A namespace.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Site {
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Whether it is being deleted.
    pub terminating: bool,
}

impl Site {
    /// Whether it is being closed for good. Only deletions are let through then.
    pub fn is_closing(&self) -> bool {
        self.terminating || self.labels.contains_key(name::LABEL_CLOSING)
    }

    /// Whether it was made for a stage of some grant: nobody else can have set that label.
    pub fn is_a_stages(&self) -> bool {
        self.labels.contains_key(name::LABEL_GRANT_UID)
    }

    /// Whether it admits no pods: whoever closes it has come as far as that.
    pub fn is_shut(&self) -> bool {
        self.is_closing() || self.labels.get(name::LABEL_PODS).map(String::as_str) != Some(name::PODS_OPEN)
    }

    /// Whether it is the same as before to the signer, whatever else changed about it.
    pub fn is_still(&self, before: &Self) -> bool {
        self.uid == before.uid && self.is_closing() == before.is_closing()
    }
}

impl From<Namespace> for Site {
    fn from(namespace: Namespace) -> Self {
        let metadata = namespace.metadata;
        Self {
            name: metadata.name.unwrap_or_default(),
            uid: metadata.uid.unwrap_or_default(),
            labels: metadata.labels.unwrap_or_default(),
            terminating: metadata.deletion_timestamp.is_some(),
        }
    }
}
