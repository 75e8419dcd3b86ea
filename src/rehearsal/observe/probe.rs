//! Has a pod of the stage dial, the way the partner's own people would: as a role that may run Jobs, within the stage's
//! quota and policies, and held to its admission like any other. What it saw it leaves in its termination message, which only
//! the node writes.

use std::time::Duration;

use serde_json::{Value, json};

use crate::cluster::apply::WriteError;
use crate::cluster::trial::{Answer, Trial};
use crate::rehearsal::case::Who;
use crate::rehearsal::cases::Ground;
use crate::rehearsal::cases::dials::{DEADLINE, Told, job, read};

/// How often it is looked whether the probe has told.
const EVERY: Duration = Duration::from_millis(500);
/// How often it is looked before it is given up: for as long as it may run.
const LOOKS: i32 = DEADLINE * 2;
/// How often it is looked for a node that takes it: in a cluster without one, none ever does.
const LOOKS_FOR_A_NODE: i32 = 20;

/// Runs this pod in the stage's namespace, once, and reads what it told.
pub async fn dialled(ground: &Ground<'_>, pod: &Value, trial: &Trial) -> Result<Told, WriteError> {
    let place = ground.namespace;
    let Some(maker) = ground.role_that_may("create", "batch", "jobs") else {
        return Ok(Told::Untried("nobody of the partner's may run a Job, and so nobody here".to_owned()));
    };
    let Some(watcher) = ground.role_that_may("list", "", "pods") else {
        return Ok(Told::Untried("nobody of the partner's may see pods, and so nobody here".to_owned()));
    };
    // A Job that may make no pod says so to nobody who waits: ask first.
    let pods = format!("/api/v1/namespaces/{place}/pods");
    if let Answer::No(words) = trial.dry_run(None, ("POST", "application/json"), &pods, pod).await? {
        return Ok(Told::Nothing(format!("the probe pod is refused: {words}")));
    }
    let jobs = format!("/apis/batch/v1/namespaces/{place}/jobs");
    let maker = Who::Role(maker).user(place);
    let made = match trial.act(&maker, "POST", &jobs, &job(pod)).await? {
        Answer::Yes(made) => made,
        Answer::No(words) => return Ok(Told::Nothing(format!("the probe is refused: {words}"))),
        Answer::Absent => return Ok(Told::Nothing("the namespace isn't there".to_owned())),
    };
    let name = made["metadata"]["name"].as_str().unwrap_or_default();
    let told = told(&Who::Role(watcher).user(place), place, &made, trial).await;
    // It goes with its pod. Where that fails, it goes by itself a minute later.
    let gone = json!({"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background"});
    let gone = trial.act(&maker, "DELETE", &format!("{jobs}/{name}"), &gone).await;
    let told = told?;
    gone?;
    Ok(told)
}

/// Waits until the pod of a Job has ended, and reads what it left.
async fn told(watcher: &str, place: &str, job: &Value, trial: &Trial) -> Result<Told, WriteError> {
    let uid = job["metadata"]["uid"].as_str().unwrap_or_default();
    let of_job = format!("batch.kubernetes.io/controller-uid={uid}");
    let mut last = State::None;
    for look in 0..LOOKS {
        let pods = trial.pods(watcher, place, Some(&of_job)).await?;
        last = pods.iter().find(|pod| is_of(pod, uid)).map_or(State::None, state);
        match last {
            State::Told(told) => return Ok(Told::Dialled(read(&told))),
            State::None | State::Nowhere(_) if look >= LOOKS_FOR_A_NODE => break,
            _ => tokio::time::sleep(EVERY).await,
        }
    }
    Ok(last.in_the_end())
}

/// Whether a Job made this pod. Anybody who makes pods may give them its label; only the API server's controllers
/// say who they belong to.
fn is_of(pod: &Value, job: &str) -> bool {
    let owners = pod["metadata"]["ownerReferences"].as_array();
    owners.into_iter().flatten().any(|owner| owner["controller"] == true && owner["uid"] == job)
}

/// How a probe stands.
#[derive(Debug, Eq, PartialEq)]
enum State {
    /// It isn't there.
    None,
    /// It has ended, and left this.
    Told(String),
    /// No node has taken it, for this reason.
    Nowhere(String),
    /// Its image can't be had, for this reason.
    Without(String),
    /// It hasn't ended, for this reason.
    Waits(String),
}

impl State {
    /// What comes of one that is waited for no longer. Where nobody runs pods, or nobody has the image, nothing could be tried;
    /// whoever takes the probe away doesn't get out of it.
    fn in_the_end(self) -> Told {
        match self {
            Self::None => Told::Nothing("no pod was made of it, or somebody took it away".to_owned()),
            Self::Told(told) => Told::Dialled(read(&told)),
            Self::Nowhere(why) => Told::Untried(why),
            Self::Without(why) => Told::Untried(format!("the probe's image can't be had: {why}")),
            Self::Waits(why) => Told::Nothing(format!("the probe told nothing in time: {why}")),
        }
    }
}

fn state(pod: &Value) -> State {
    let container = &pod["status"]["containerStatuses"][0];
    if let Some(ended) = container["state"]["terminated"].as_object() {
        let left = ended.get("message").and_then(Value::as_str).unwrap_or_default();
        return State::Told(left.to_owned());
    }
    if pod["spec"]["nodeName"].is_null() {
        let conditions = pod["status"]["conditions"].as_array();
        let scheduled =
            conditions.into_iter().flatten().find(|condition| condition["type"] == "PodScheduled");
        let why =
            scheduled.and_then(|condition| condition["message"].as_str()).unwrap_or("there may be none");
        return State::Nowhere(format!("no node takes the probe pod: {why}"));
    }
    let waiting = &container["state"]["waiting"];
    let reason = waiting["reason"].as_str().unwrap_or("it hasn't ended");
    let is_missing =
        ["ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName"].contains(&reason);
    // Only its reason is told: its message is what a registry says.
    if is_missing { State::Without(reason.to_owned()) } else { State::Waits(reason.to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_probe_left_is_read_and_why_it_left_nothing_is_said() {
        let ended = json!({"state": {"terminated": {"exitCode": 0, "message": "10.0.0.1:8443 open\n"}}});
        let pod = json!({"spec": {"nodeName": "one"}, "status": {"containerStatuses": [ended]}});
        assert_eq!(state(&pod), State::Told("10.0.0.1:8443 open\n".to_owned()));
        let waiting = json!({"state": {"waiting": {"reason": "ImagePullBackOff", "message": "not found"}}});
        let pod = json!({"spec": {"nodeName": "one"}, "status": {"containerStatuses": [waiting]}});
        assert_eq!(state(&pod), State::Without("ImagePullBackOff".to_owned()));
        assert!(matches!(state(&pod).in_the_end(), Told::Untried(_)));
        let pod = json!({"spec": {}, "status": {"conditions": [
            {"type": "PodScheduled", "status": "False", "message": "0/3 nodes are available"}]}});
        assert_eq!(
            state(&pod),
            State::Nowhere("no node takes the probe pod: 0/3 nodes are available".to_owned())
        );
        assert_eq!(
            state(&json!({})),
            State::Nowhere("no node takes the probe pod: there may be none".to_owned())
        );
    }

    #[test]
    fn a_pod_that_only_has_the_label_is_somebody_elses() {
        let owned = |uid: &str, controller: bool| json!({"metadata": {"ownerReferences": [{"uid": uid, "controller": controller}]}});
        assert!(is_of(&owned("job", true), "job"));
        for other in [owned("replicas", true), owned("job", false), json!({"metadata": {}})] {
            assert!(!is_of(&other, "job"), "{other}");
        }
    }
}
