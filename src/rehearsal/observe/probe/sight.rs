//! What is seen of a probe: whether it is the one that was sent, how it stands, and what comes of it. Pure.

use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use crate::rehearsal::cases::dials::{Told, word};

/// How long a pod has to stand that nobody schedules: in a cluster without nodes, nobody ever does.
const FOR_A_NODE: Duration = Duration::from_secs(10);

/// Whether a Job owns this pod. Anybody who makes pods may give them its label.
pub fn is_of(pod: &Value, job: &str) -> bool {
    let owners = pod["metadata"]["ownerReferences"].as_array();
    owners.into_iter().flatten().any(|owner| owner["controller"] == true && owner["uid"] == job)
}

/// Whether a Job is the one that was made, and nobody has changed it since: each change of its spec raises its generation,
/// and so does suspending it, and resuming it.
pub fn is_what_was_made(job: &Value, made: &Value) -> bool {
    let same = |field: &str| job["metadata"][field] == made["metadata"][field];
    same("uid")
        && same("generation")
        && job["metadata"]["deletionTimestamp"].is_null()
        && job["spec"]["suspend"] != true
}

/// Whether a pod runs just what was sent. A Job also takes in pods that nobody owns and that have its label, whatever they
/// run; those of a Deployment are restarted. What admission may add to any pod, such as where it runs, isn't looked at.
pub fn is_what_was_sent(pod: &Value, sent: &Value) -> bool {
    let (is, was) = (&pod["spec"], &sent["spec"]);
    let (container, meant) = (&is["containers"][0], &was["containers"][0]);
    let none = |value: &Value| value.is_null() || value.as_array().is_some_and(Vec::is_empty);
    let plain = ["command", "env", "envFrom", "volumeMounts", "lifecycle"]
        .iter()
        .all(|field| none(&container[field]));
    let alone = is["containers"].as_array().is_some_and(|all| all.len() == 1)
        && ["initContainers", "ephemeralContainers", "volumes"].iter().all(|field| none(&is[field]));
    let path = container["terminationMessagePath"].as_str().unwrap_or(TOLD);
    let labels = sent["metadata"]["labels"].as_object();
    let labelled =
        labels.into_iter().flatten().all(|(label, value)| pod["metadata"]["labels"][label] == *value);
    plain
        && alone
        && labelled
        && is["restartPolicy"] == was["restartPolicy"]
        && path == TOLD
        && container["image"] == meant["image"]
        && container["args"] == meant["args"]
}

/// Where a container leaves what it tells, unless it says otherwise.
const TOLD: &str = "/dev/termination-log";

/// How a probe stands.
#[derive(Debug, Default, Eq, PartialEq)]
enum State {
    /// It isn't there.
    #[default]
    None,
    /// It has ended, and left this.
    Told(String),
    /// Nobody has looked for a node for it.
    Unseen,
    /// It hasn't ended, for this reason.
    Waits(String),
}

/// What was seen of a probe, look for look.
#[derive(Debug, Default)]
pub struct Sight {
    last: State,
    looked: Looked,
}

/// Whether anybody has looked for a node for the probe, as far as that was seen.
#[derive(Debug, Default)]
enum Looked {
    /// It hasn't been there yet.
    #[default]
    Unknown,
    /// Nobody has, for this pod and no other, and it has stood since then.
    Nobody { uid: Value, since: Instant, until: Instant },
    /// Somebody has, or it was taken away, or made again: who could do that could have it stand unseen as well.
    Somebody,
}

impl Sight {
    /// Takes what is seen of the probe now; `None`: it isn't there. The time is that of a clock that nobody sets.
    pub fn take(&mut self, pod: Option<&Value>, now: Instant) {
        self.last = pod.map_or(State::None, state);
        let seen = pod.map_or(&Value::Null, |pod| &pod["metadata"]["uid"]);
        self.looked = match (std::mem::take(&mut self.looked), &self.last) {
            (Looked::Unknown, State::None) => Looked::Unknown,
            (Looked::Unknown, State::Unseen) => Looked::Nobody { uid: seen.clone(), since: now, until: now },
            (Looked::Nobody { uid, since, .. }, State::Unseen) if uid == *seen => {
                Looked::Nobody { uid, since, until: now }
            }
            _ => Looked::Somebody,
        };
    }

    /// Whether no more has to be seen.
    pub fn is_enough(&self) -> bool {
        matches!(self.last, State::Told(_)) || self.is_unseen()
    }

    /// What comes of one that is waited for no longer. Where nobody runs pods nothing could be tried; whoever takes the probe
    /// away, holds it up, leaves it no node or withholds its image doesn't get out of it.
    pub fn in_the_end(self) -> Told {
        let is_unseen = self.is_unseen();
        let silent = |why: &str| Told::Nothing(format!("the probe told nothing in time: {why}"));
        match self.last {
            State::None => Told::Nothing("no pod was made of it, or somebody took it away".to_owned()),
            State::Told(told) => Told::Dialled(word::read(&told)),
            State::Unseen if is_unseen => {
                Told::Untried("nobody here runs pods: no scheduler looked at the probe".to_owned())
            }
            State::Unseen => silent("no scheduler has looked at its pod, which hasn't always been there"),
            State::Waits(why) => silent(&why),
        }
    }

    /// Whether the probe has stood for long enough, and nobody has ever looked for a node for it.
    fn is_unseen(&self) -> bool {
        matches!(self.looked, Looked::Nobody { since, until, .. } if until.duration_since(since) >= FOR_A_NODE)
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
    use serde_json::json;

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
        for silent in [Some(&withheld), Some(&homeless), Some(&runs), None] {
            let told = seen(&[(0, silent)]).in_the_end();
            assert!(matches!(told, Told::Nothing(_)), "whoever silences it doesn't get out of it: {told:?}");
        }
    }

    /// What is seen where each of these stands so many seconds after the first look.
    fn seen(looks: &[(u64, Option<&Value>)]) -> Sight {
        let (mut sight, began) = (Sight::default(), Instant::now());
        for (second, pod) in looks {
            sight.take(*pod, began + Duration::from_secs(*second));
        }
        sight
    }

    #[test]
    fn nobody_runs_pods_only_where_the_same_pod_has_stood_unseen_for_long() {
        let pod = |uid: &str| json!({"metadata": {"uid": uid}});
        let (one, another, long) = (pod("one"), pod("another"), FOR_A_NODE.as_secs());
        let looked = json!({"metadata": {"uid": "one"},
            "status": {"conditions": [{"type": "PodScheduled", "status": "False"}]}});
        let (at, is) = (Some(&one), Some(&another));
        for unseen in [&[(0, at), (long, at)][..], &[(0, None), (5, at), (9, at), (5 + long, at)]] {
            let sight = seen(unseen);
            assert!(sight.is_enough() && matches!(sight.in_the_end(), Told::Untried(_)), "{unseen:?}");
        }
        for held_up in [
            &[(0, at)][..],
            &[(0, None), (30, at)],
            &[(0, at), (long - 1, at)],
            &[(0, at), (long, is)],
            &[(0, at), (5, is), (5 + long, is)],
            &[(0, at), (5, None), (6, at), (30, at)],
            &[(0, Some(&looked)), (5, at), (30, at)],
        ] {
            let sight = seen(held_up);
            assert!(!sight.is_enough() && matches!(sight.in_the_end(), Told::Nothing(_)), "{held_up:?}");
        }
    }

    #[test]
    fn a_job_that_somebody_changed_is_not_the_one_that_was_made() {
        let made = json!({"metadata": {"uid": "one", "generation": 1}, "spec": {"backoffLimit": 0}});
        let mut found = made.clone();
        found["status"] = json!({"active": 1});
        found["metadata"]["resourceVersion"] = json!("7");
        assert!(is_what_was_made(&found, &made));
        for (pointer, value) in [
            ("/metadata/uid", json!("another")),
            ("/metadata/generation", json!(3)),
            ("/metadata/deletionTimestamp", json!("2026-11-22T00:00:00Z")),
            ("/spec/suspend", json!(true)),
        ] {
            let mut other = found.clone();
            let (parent, field) = pointer.rsplit_once('/').unwrap();
            other.pointer_mut(parent).unwrap()[field] = value;
            assert!(!is_what_was_made(&other, &made), "{pointer}");
        }
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
        let sent = json!({"metadata": {"labels": {"part-of": "one"}},
            "spec": {"containers": [container], "restartPolicy": "Never"}});
        let mut stored = sent.clone();
        stored["metadata"]["labels"]["job-name"] = json!("probe");
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
            ("/spec/restartPolicy", json!("Always")),
            ("/metadata/labels/part-of", json!("another")),
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
