//! Who wrote what, from the API server's own audit log.

use comity::ops::request::UNCOUNTED;
use serde_json::Value;

use super::Cluster;
use crate::{Error, Explain as _, Result};

/// Verbs that change something.
pub const MUTATING: [&str; 5] = ["create", "update", "patch", "delete", "deletecollection"];

/// One mutating request, as the API server saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    /// `create`, `update`, `patch`, `delete` or `deletecollection`.
    pub verb: String,
    /// The resource, with its subresource.
    pub resource: String,
    /// Where, empty for what belongs to no namespace.
    pub namespace: String,
    /// Of which object; empty where the server chose the name.
    pub name: String,
    /// The status code of the answer.
    pub code: u64,
    /// When the request came, RFC 3339.
    pub at: String,
}

impl Cluster {
    /// The mutating requests by `user` so far, less lease renewals, events, access reviews and dry runs.
    pub fn audit_writes(&self, user: &str) -> Result<Vec<Write>> {
        Ok(self.audit(user)?.iter().filter_map(write).collect())
    }

    /// Every audited request by `user` so far. Reads are there for Comity's own identities.
    pub fn audit(&self, user: &str) -> Result<Vec<Value>> {
        let plane = self.control_plane().ok_or_else(|| {
            Error::Failed("the audit log of a cluster that was given can't be read".to_owned())
        })?;
        let log = std::fs::read_to_string(plane.audit_log()).explain("read the audit log")?;
        let whole_lines = log.rsplit_once('\n').map_or("", |(lines, _)| lines).lines();
        let mut events = Vec::new();
        for line in whole_lines.filter(|line| line.contains(user)) {
            let event: Value = serde_json::from_str(line).explain("read a line of the audit log")?;
            if event["user"]["username"] == user && event["stage"] == "ResponseComplete" {
                events.push(event);
            }
        }
        Ok(events)
    }
}

fn write(event: &Value) -> Option<Write> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let target = &event["objectRef"];
    let (verb, mut resource) = (text(&event["verb"]), text(&target["resource"]));
    if !MUTATING.contains(&verb.as_str()) || UNCOUNTED.contains(&resource.as_str()) {
        return None;
    }
    // What is only tried has no effect.
    if text(&event["requestURI"]).contains("dryRun=All") {
        return None;
    }
    if let Some(subresource) = target["subresource"].as_str() {
        resource = format!("{resource}/{subresource}");
    }
    Some(Write {
        verb,
        resource,
        namespace: text(&target["namespace"]),
        name: text(&target["name"]),
        code: event["responseStatus"]["code"].as_u64().unwrap_or_default(),
        at: text(&event["requestReceivedTimestamp"]),
    })
}
