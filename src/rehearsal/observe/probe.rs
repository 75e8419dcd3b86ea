//! Has a pod of the stage dial, the way the partner's own people would: as a role that may run Jobs, within the stage's
//! quota and policies, and held to its admission like any other. What it saw it leaves in its termination message, which only
//! the node writes.
//!
//! The partner's people may do to that pod whatever they may do to theirs. So all that they can bring about has failed.

use std::time::Duration;

use jiff::SignedDuration;
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use crate::cluster::apply::WriteError;
use crate::cluster::clock::Clock;
use crate::cluster::trial::{Answer, Trial};
use crate::rehearsal::case::Who;
use crate::rehearsal::cases::Ground;
use crate::rehearsal::cases::dials::{DEADLINE, Told, job, word};

/// How often it is looked whether the probe has told, and how long it is waited before something is tried again.
const EVERY: Duration = Duration::from_millis(500);
/// How long it is looked for a pod that somebody schedules: in a cluster without nodes, nobody ever does.
const FOR_A_NODE: SignedDuration = SignedDuration::from_secs(10);
/// How long a right, or a quota that has to be there, is waited for; and an API server that is in trouble.
const FOR_RIGHTS: SignedDuration = SignedDuration::from_secs(2);
const FOR_ANSWERS: SignedDuration = SignedDuration::from_secs(5);

/// What is asked, and by which clock it is waited.
type Asked<'a> = (&'a Trial, &'a Clock);

/// Runs this pod in the stage's namespace, once, and reads what it told.
pub async fn dialled(ground: &Ground<'_>, pod: &Value, asked: Asked<'_>) -> Result<Told, WriteError> {
    let place = ground.namespace;
    let Some(maker) = ground.role_that_may("create", "batch", "jobs") else {
        return Ok(Told::Untried("nobody of the partner's may run a Job, and so nobody here".to_owned()));
    };
    let Some(watcher) = ground.role_that_may("list", "", "pods") else {
        return Ok(Told::Untried("nobody of the partner's may see pods, and so nobody here".to_owned()));
    };
    // A Job that may make no pod says so to nobody who waits: ask first.
    let pods = format!("/api/v1/namespaces/{place}/pods");
    if let Err(why) = patiently(asked, None, &pods, pod).await? {
        return Ok(Told::Nothing(format!("the probe pod is refused: {why}")));
    }
    let jobs = format!("/apis/batch/v1/namespaces/{place}/jobs");
    let maker = Who::Role(maker).user(place);
    let wanted = job(pod);
    let made = match patiently(asked, Some(&maker), &jobs, &wanted).await? {
        Ok(made) => made,
        Err(why) => return Ok(Told::Nothing(format!("the probe is refused: {why}"))),
    };
    let told = told(&Who::Role(watcher).user(place), place, (&made, pod), asked).await;
    let name = made["metadata"]["name"].as_str().unwrap_or_default();
    let gone = json!({"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background"});
    if let Err(error) = asked.0.act(&maker, "DELETE", &format!("{jobs}/{name}"), &gone).await {
        tracing::warn!(job = name, namespace = place, %error, "a probe couldn't be deleted, and goes by itself soon");
    }
    told
}

/// What came of making something as `user`, or of trying to without effect as who this is; after a moment's patience with
/// whoever refuses it, or can't say.
async fn patiently(
    (trial, clock): Asked<'_>,
    user: Option<&str>,
    path: &str,
    object: &Value,
) -> Result<Result<Value, String>, WriteError> {
    let began = clock.now();
    loop {
        let answer = match user {
            Some(user) => trial.act(user, "POST", path, object).await,
            None => trial.dry_run(None, ("POST", "application/json"), path, object).await,
        };
        let waited = clock.now().duration_since(began);
        match answer {
            Ok(Answer::Yes(object)) => return Ok(Ok(object)),
            Ok(Answer::No(words)) if waited >= FOR_RIGHTS => return Ok(Err(words)),
            Ok(Answer::Absent) if waited >= FOR_RIGHTS => {
                return Ok(Err("its namespace isn't there".to_owned()));
            }
            Ok(_) => {}
            Err(WriteError::Api { source: kube::Error::Api(status), .. }) if status.code >= 500 => {
                if waited >= FOR_ANSWERS {
                    return Ok(Err(format!("the API server answered {}: {}", status.code, status.message)));
                }
            }
            Err(error) => return Err(error),
        }
        sleep(EVERY).await;
    }
}

/// Waits until the pod of a Job has ended, and reads what it left.
async fn told(
    watcher: &str,
    place: &str,
    (job, sent): (&Value, &Value),
    (trial, clock): Asked<'_>,
) -> Result<Told, WriteError> {
    let uid = job["metadata"]["uid"].as_str().unwrap_or_default();
    let of_job = format!("batch.kubernetes.io/controller-uid={uid}");
    let mut last = State::None;
    let began = clock.now();
    let looking = async {
        loop {
            let pods = trial.pods(watcher, place, Some(&of_job)).await?;
            let own = pods.iter().find(|pod| is_of(pod, uid) && is_what_was_sent(pod, sent));
            last = own.map_or(State::None, state);
            match last {
                State::Told(_) => break,
                State::Unseen if clock.now().duration_since(began) >= FOR_A_NODE => break,
                _ => sleep(EVERY).await,
            }
        }
        Ok::<(), WriteError>(())
    };
    let long = Duration::from_secs(u64::from(DEADLINE.unsigned_abs()));
    if let Ok(ended) = timeout(long, looking).await {
        ended?;
    }
    Ok(last.in_the_end())
}

/// Whether a Job owns this pod. Anybody who makes pods may give them its label.
fn is_of(pod: &Value, job: &str) -> bool {
    let owners = pod["metadata"]["ownerReferences"].as_array();
    owners.into_iter().flatten().any(|owner| owner["controller"] == true && owner["uid"] == job)
}

/// Whether a pod runs just what was sent. A Job also takes in pods that nobody owns and that have its label, whatever they run.
fn is_what_was_sent(pod: &Value, sent: &Value) -> bool {
    let (is, was) = (&pod["spec"], &sent["spec"]);
    let (container, meant) = (&is["containers"][0], &was["containers"][0]);
    let none = |value: &Value| value.is_null() || value.as_array().is_some_and(Vec::is_empty);
    let plain = ["command", "env", "envFrom", "volumeMounts", "lifecycle"]
        .iter()
        .all(|field| none(&container[field]));
    let alone = is["containers"].as_array().is_some_and(|all| all.len() == 1)
        && ["initContainers", "ephemeralContainers", "volumes"].iter().all(|field| none(&is[field]));
    let path = container["terminationMessagePath"].as_str().unwrap_or(TOLD);
    plain
        && alone
        && path == TOLD
        && container["image"] == meant["image"]
        && container["args"] == meant["args"]
}

/// Where a container leaves what it tells, unless it says otherwise.
const TOLD: &str = "/dev/termination-log";

/// How a probe stands.
#[derive(Debug, Eq, PartialEq)]
enum State {
    /// It isn't there.
    None,
    /// It has ended, and left this.
    Told(String),
    /// Nobody has looked for a node for it.
    Unseen,
    /// It hasn't ended, for this reason.
    Waits(String),
}

impl State {
    /// What comes of one that is waited for no longer. Where nobody runs pods nothing could be tried; whoever takes the probe
    /// away, leaves it no node or withholds its image doesn't get out of it.
    fn in_the_end(self) -> Told {
        match self {
            Self::None => Told::Nothing("no pod was made of it, or somebody took it away".to_owned()),
            Self::Told(told) => Told::Dialled(word::read(&told)),
            Self::Unseen => {
                Told::Untried("nobody here runs pods: no scheduler looked at the probe".to_owned())
            }
            Self::Waits(why) => Told::Nothing(format!("the probe told nothing in time: {why}")),
        }
    }
}

fn state(pod: &Value) -> State {
    // One that doesn't begin has one status, since it has one container.
    let container = &pod["status"]["containerStatuses"][0];
    if let Some(ended) = container["state"]["terminated"].as_object() {
        let left = ended.get("message").and_then(Value::as_str).unwrap_or_default();
        return State::Told(left.to_owned());
    }
    if pod["spec"]["nodeName"].is_null() {
        let conditions = pod["status"]["conditions"].as_array();
        let looked = conditions.into_iter().flatten().find(|condition| condition["type"] == "PodScheduled");
        return looked.map_or(State::Unseen, |_| State::Waits("no node takes it".to_owned()));
    }
    // Only its reason is told: its message may be what a registry says.
    let reason = container["state"]["waiting"]["reason"].as_str().unwrap_or("it hasn't ended");
    State::Waits(reason.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_probe_left_is_read_and_why_it_left_nothing_is_said() {
        let ended = json!({"state": {"terminated": {"exitCode": 0, "message": "10.0.0.1:8443 open 3\n"}}});
        let pod = json!({"spec": {"nodeName": "one"}, "status": {"containerStatuses": [ended]}});
        assert_eq!(state(&pod), State::Told("10.0.0.1:8443 open 3\n".to_owned()));
        let waiting = json!({"state": {"waiting": {"reason": "ImagePullBackOff", "message": "not found"}}});
        let withheld = json!({"spec": {"nodeName": "one"}, "status": {"containerStatuses": [waiting]}});
        assert_eq!(state(&withheld), State::Waits("ImagePullBackOff".to_owned()));
        let homeless = json!({"spec": {}, "status": {"conditions": [
            {"type": "PodScheduled", "status": "False", "message": "0/3 nodes are available"}]}});
        let runs = json!({"spec": {"nodeName": "one"},
            "status": {"containerStatuses": [{"state": {"running": {}}}]}});
        for silent in [state(&withheld), state(&homeless), state(&runs), State::None] {
            assert!(
                matches!(silent.in_the_end(), Told::Nothing(_)),
                "whoever silences it doesn't get out of it"
            );
        }
        assert!(matches!(state(&json!({})).in_the_end(), Told::Untried(_)));
    }

    #[test]
    fn a_pod_that_only_has_the_label_is_somebody_elses() {
        let owned = |uid: &str, controller: bool| json!({"metadata": {"ownerReferences": [{"uid": uid, "controller": controller}]}});
        assert!(is_of(&owned("job", true), "job"));
        for other in [owned("replicas", true), owned("job", false), json!({"metadata": {}})] {
            assert!(!is_of(&other, "job"), "{other}");
        }
    }

    #[test]
    fn a_pod_that_a_job_took_in_is_believed_only_where_it_runs_what_was_sent() {
        let container = json!({"name": "tried", "image": "one@sha256:0", "args": ["dial", "10.0.0.1:443"]});
        let sent = json!({"spec": {"containers": [container]}});
        let mut stored = sent.clone();
        stored["spec"]["containers"][0]["terminationMessagePath"] = json!(TOLD);
        stored["spec"]["volumes"] = json!([]);
        assert!(is_what_was_sent(&stored, &sent));
        for (pointer, value) in [
            ("/spec/containers/0/image", json!("other@sha256:0")),
            ("/spec/containers/0/args", json!(["dial"])),
            ("/spec/containers/0/command", json!(["/bin/sh"])),
            ("/spec/containers/0/env", json!([{"name": "A"}])),
            ("/spec/containers/0/volumeMounts", json!([{"name": "a"}])),
            ("/spec/containers/0/terminationMessagePath", json!("/told")),
            ("/spec/volumes", json!([{"name": "a"}])),
            ("/spec/initContainers", json!([{"name": "first"}])),
            ("/spec/containers", json!([container, container])),
        ] {
            let mut other = stored.clone();
            let (parent, field) = pointer.rsplit_once('/').unwrap();
            other.pointer_mut(parent).unwrap()[field] = value;
            assert!(!is_what_was_sent(&other, &sent), "{pointer}");
        }
    }
}
