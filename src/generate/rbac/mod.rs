//! What each identity may ask of the API server at all: least rights, no wildcard, no `escalate`,
//! `bind` by name, and nothing that leads cluster-wide to Secrets, tokens or impersonation.
//!
//! RBAC says which kinds and verbs; which namespaces and objects is the cage's to say
//! ([`crate::generate::admission`]), as namespaces of stages come and go.

pub mod partner;
pub mod people;
pub mod process;

use serde_json::{Value, json};

/// One rule of a role.
#[derive(Clone, Copy, Debug)]
pub struct Grant {
    /// API group, `""` for the core.
    pub group: &'static str,
    /// Resources and subresources, by name.
    pub resources: &'static [&'static str],
    /// Names of objects; none: all.
    pub names: &'static [&'static str],
    /// Verbs, by name.
    pub verbs: &'static [&'static str],
}

/// What reading takes.
pub const READ: &[&str] = &["get", "list", "watch"];

/// A rule for every object of the resources.
pub const fn may(
    verbs: &'static [&'static str],
    group: &'static str,
    resources: &'static [&'static str],
) -> Grant {
    Grant { group, resources, names: &[], verbs }
}

impl Grant {
    fn value(&self) -> Value {
        let mut rule = json!({"apiGroups": [self.group], "resources": self.resources, "verbs": self.verbs});
        if !self.names.is_empty() {
            rule["resourceNames"] = json!(self.names);
        }
        rule
    }
}

/// A ClusterRole. None of Comity's aggregates into another.
pub fn cluster_role(name: &str, rules: &[Grant]) -> Value {
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": name, "labels": super::labels()},
        "rules": rules.iter().map(Grant::value).collect::<Vec<_>>(),
    })
}

/// All of the roles and bindings; `system` is the namespace that Comity runs in.
pub fn objects(system: &str) -> Vec<Value> {
    let mut objects = process::objects(system);
    objects.extend(partner::objects());
    objects.extend(people::objects());
    objects
}

#[cfg(test)]
mod tests;
