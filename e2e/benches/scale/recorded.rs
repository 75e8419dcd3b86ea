//! The mutating requests that Comity made for a grant, from the API server's audit log.

use std::collections::HashMap;

use e2e::{Cluster, Error, Explain as _, Result, cluster::MUTATING};
use jiff::Timestamp;
use serde_json::Value;

use super::opening::Opened;

/// One request, as it can be sent again.
#[derive(Clone, Debug)]
pub struct Request {
    /// 0: by `comity run`; 1: by `comity sign`.
    pub by: usize,
    /// The method of HTTP.
    pub method: &'static str,
    /// Path and query.
    pub uri: String,
    /// What the body is.
    pub content_type: &'static str,
    /// The body; empty where there was none.
    pub body: String,
    /// When it came, RFC 3339.
    pub at: String,
}

/// What Comity sent for one grant, in its order.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// The grant.
    pub grant: Opened,
    /// The requests.
    pub requests: Vec<Request>,
}

impl Recorded {
    /// What was sent for one grant.
    pub fn read(cluster: &Cluster, grant: &Opened) -> Result<Self> {
        let mut all = Self::read_all(cluster, std::slice::from_ref(grant))?;
        all.pop().ok_or_else(|| Error::Failed(format!("nothing was recorded of {}", grant.name)))
    }

    /// What was sent for each of several grants until all of them were open.
    pub fn read_all(cluster: &Cluster, grants: &[Opened]) -> Result<Vec<Self>> {
        let plane = cluster.control_plane().ok_or_else(|| Error::Failed("no audit log".to_owned()))?;
        let log = std::fs::read_to_string(plane.audit_log()).explain("read the audit log")?;
        let mut recorded: Vec<Self> =
            grants.iter().map(|grant| Self { grant: grant.clone(), requests: Vec::new() }).collect();
        for line in log.lines().filter(|line| line.contains("comity-system:comity-")) {
            let event: Value = serde_json::from_str(line).explain("read a line of the audit log")?;
            let Some(request) = request(&event) else { continue };
            let speaks_of = |grant: &Opened| {
                [&grant.name, &grant.uid, &grant.namespace]
                    .iter()
                    .any(|word| request.uri.contains(*word) || request.body.contains(*word))
            };
            if let Some(found) = recorded.iter_mut().find(|recorded| speaks_of(&recorded.grant)) {
                found.requests.push(request);
            }
        }
        recorded.iter_mut().for_each(Self::keep_opening);
        Ok(recorded)
    }

    /// Keeps what came before the first request that deletes: the opening.
    fn keep_opening(&mut self) {
        self.requests.sort_by(|one, other| one.at.cmp(&other.at));
        if let Some(end) = self.requests.iter().position(|request| request.method == "DELETE") {
            self.requests.truncate(end);
        }
    }
}

/// What Comity changed in each of these namespaces since a moment.
pub fn changes(cluster: &Cluster, places: &[String], since: Timestamp) -> Result<Vec<Vec<Request>>> {
    let plane = cluster.control_plane().ok_or_else(|| Error::Failed("no audit log".to_owned()))?;
    let log = std::fs::read_to_string(plane.audit_log()).explain("read the audit log")?;
    let mut changes: HashMap<&str, Vec<Request>> =
        places.iter().map(|place| (place.as_str(), Vec::new())).collect();
    for line in log.lines().filter(|line| line.contains("comity-system:comity-run")) {
        let event: Value = serde_json::from_str(line).explain("read a line of the audit log")?;
        let Some(mut request) = request(&event) else { continue };
        let is_new = request.at.parse::<Timestamp>().is_ok_and(|at| at >= since);
        let namespace = event["objectRef"]["namespace"].as_str().unwrap_or_default();
        let Some(found) = changes.get_mut(namespace).filter(|_| is_new) else { continue };
        if request.method == "DELETE" {
            // It names the UID of an object that will have been put back by then.
            request.body = String::new();
        }
        found.push(request);
    }
    Ok(changes.into_values().collect())
}

/// The request that an audit event tells of, if Comity made it, and it succeeded.
fn request(event: &Value) -> Option<Request> {
    let by = match event["user"]["username"].as_str()? {
        "system:serviceaccount:comity-system:comity-run" => 0,
        "system:serviceaccount:comity-system:comity-sign" => 1,
        _ => return None,
    };
    let verb = event["verb"].as_str()?;
    let succeeded = event["responseStatus"]["code"].as_u64()? < 300;
    if !MUTATING.contains(&verb) || !succeeded || event["stage"] != "ResponseComplete" {
        return None;
    }
    let uri = event["requestURI"].as_str()?.to_owned();
    let body = event.get("requestObject").map(Value::to_string).unwrap_or_default();
    let (method, content_type) = match verb {
        "create" => ("POST", "application/json"),
        "update" => ("PUT", "application/json"),
        "patch" if uri.contains("force=true") => ("PATCH", "application/apply-patch+yaml"),
        "patch" => ("PATCH", "application/merge-patch+json"),
        _ => ("DELETE", "application/json"),
    };
    let at = event["requestReceivedTimestamp"].as_str()?.to_owned();
    Some(Request { by, method, uri, content_type, body, at })
}
