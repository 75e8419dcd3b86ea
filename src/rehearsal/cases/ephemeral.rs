//! What may be added to a pod that runs: an ephemeral container is looked at like any other. It can be tried only where a
//! pod runs, since none can be made with one.

use serde_json::{Value, json};

use super::pods::{DIGEST, REGISTRIES, STRANGE_IMAGE, STRANGER, container};
use super::{Case, Ground, request};
use crate::rehearsal::case::{Attempt, Method, Request};

/// The name of the container that is tried.
const CONTAINER: &str = "comity-rehearsal";

/// A pod that runs.
#[derive(Clone, Debug, PartialEq)]
pub struct Running {
    /// Its name.
    name: String,
    /// The ephemeral containers that it has: none is ever taken away.
    containers: Vec<Value>,
}

impl Running {
    /// The first of these pods that isn't about to go.
    pub fn among(pods: &[Value]) -> Result<Self, String> {
        let stays = |pod: &&Value| {
            let phase = pod["status"]["phase"].as_str().unwrap_or_default();
            pod["metadata"]["deletionTimestamp"].is_null() && !matches!(phase, "Succeeded" | "Failed")
        };
        let mut named =
            pods.iter().filter(stays).filter_map(|pod| Some((pod, pod["metadata"]["name"].as_str()?)));
        let (pod, name) =
            named.next().ok_or("no pod runs in the stage, and none is made with such a container")?;
        let containers = pod["spec"]["ephemeralContainers"].as_array().cloned().unwrap_or_default();
        Ok(Self { name: name.to_owned(), containers })
    }
}

/// The case of an image of another origin.
pub(super) fn cases(ground: &Ground<'_>) -> Vec<Case> {
    let name = "pod-ephemeral-image-of-stranger".to_owned();
    let tried = "an ephemeral container with an image of another registry".to_owned();
    match &ground.running {
        Ok(running) => {
            vec![request(name, REGISTRIES, tried, running.with_a_stranger(ground.namespace), STRANGER)]
        }
        Err(why) => {
            vec![Case {
                name,
                clause: REGISTRIES,
                tried,
                attempt: Attempt::Nothing(why.clone()),
                expected: STRANGER,
            }]
        }
    }
}

impl Running {
    /// The pod with one container more, as strictly held as any: nothing but its image is to be refused.
    fn with_a_stranger(&self, namespace: &str) -> Request {
        let mut stranger = container(CONTAINER, &format!("{STRANGE_IMAGE}@{DIGEST}"));
        stranger["securityContext"]["runAsNonRoot"] = json!(true);
        stranger["securityContext"]["seccompProfile"] = json!({"type": "RuntimeDefault"});
        let mut containers = self.containers.clone();
        containers.push(stranger);
        Request {
            by: None,
            method: Method::Patch,
            path: format!("/api/v1/namespaces/{namespace}/pods/{}/ephemeralcontainers", self.name),
            body: json!({"spec": {"ephemeralContainers": containers}}),
            tells: "",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(name: &str, metadata: &Value, phase: &str) -> Value {
        let mut pod = json!({"metadata": metadata, "status": {"phase": phase}});
        pod["metadata"]["name"] = json!(name);
        pod
    }

    #[test]
    fn something_is_added_only_to_a_pod_that_stays() {
        let going = pod("going", &json!({"deletionTimestamp": "2026-12-01T00:00:00Z"}), "Running");
        let done = [pod("done", &json!({}), "Succeeded"), pod("failed", &json!({}), "Failed"), going];
        assert!(Running::among(&done).is_err_and(|why| why.contains("no pod runs")));
        let mut pods = done.to_vec();
        let mut stays = pod("stays", &json!({}), "Pending");
        stays["spec"] = json!({"ephemeralContainers": [{"name": "theirs"}]});
        pods.push(stays);
        let running = Running::among(&pods).unwrap();
        let request = running.with_a_stranger("comity-x-rehearsal-00000000");
        assert!(request.path.ends_with("/pods/stays/ephemeralcontainers") && request.by.is_none());
        let containers = request.body["spec"]["ephemeralContainers"].as_array().unwrap();
        let names: Vec<&Value> = containers.iter().map(|one| &one["name"]).collect();
        assert_eq!(names, ["theirs", CONTAINER], "none is taken away");
        assert!(containers[1]["image"].as_str().is_some_and(|image| image.starts_with(STRANGE_IMAGE)));
    }
}
