//! Has a pod of the stage dial, the way the partner's own people would: as a role that may run Jobs, within the stage's
//! quota and policies, and held to its admission like any other. What it saw it leaves in its termination message, which only
//! the node writes.
//!
//! The partner's people may do to that pod whatever they may do to theirs. So all that they can bring about has failed.

mod sight;

use std::time::Duration;

use jiff::SignedDuration;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout};

use self::sight::{Sight, is_of, is_what_was_made, is_what_was_sent};

use crate::cluster::apply::WriteError;
use crate::cluster::clock::Clock;
use crate::cluster::trial::{Answer, Trial};
use crate::rehearsal::case::Who;
use crate::rehearsal::cases::Ground;
use crate::rehearsal::cases::dials::{DEADLINE, Told, job};

/// How often it is looked whether the probe has told, and how long it is waited before something is tried again.
const EVERY: Duration = Duration::from_millis(500);
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
    let name = made["metadata"]["name"].as_str().unwrap_or_default();
    let path = format!("{jobs}/{name}");
    let told = told(&Who::Role(watcher).user(place), place, (&made, pod), asked.0).await;
    let told = believed(told, &maker, (&path, &made), asked.0).await;
    let gone = json!({"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background"});
    if let Err(error) = asked.0.act(&maker, "DELETE", &path, &gone).await {
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
    // A right may have come while the first answer, however slow, was waited for.
    let mut is_first = true;
    loop {
        let answer = match user {
            Some(user) => trial.act(user, "POST", path, object).await,
            None => trial.dry_run(None, ("POST", "application/json"), path, object).await,
        };
        let waited = clock.now().duration_since(began);
        match answer {
            Ok(Answer::Yes(object)) => return Ok(Ok(object)),
            Ok(Answer::No(words)) if waited >= FOR_RIGHTS && !is_first => return Ok(Err(words)),
            Ok(Answer::Absent) if waited >= FOR_RIGHTS && !is_first => {
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
        is_first = false;
        sleep(EVERY).await;
    }
}

/// Waits until the pod of a Job has ended, and reads what it left.
async fn told(
    watcher: &str,
    place: &str,
    (job, sent): (&Value, &Value),
    trial: &Trial,
) -> Result<Told, WriteError> {
    let uid = job["metadata"]["uid"].as_str().unwrap_or_default();
    let of_job = format!("batch.kubernetes.io/controller-uid={uid}");
    let mut sight = Sight::default();
    let looking = async {
        loop {
            let pods = trial.pods(watcher, place, Some(&of_job)).await?;
            let own = pods.iter().find(|pod| is_of(pod, uid) && is_what_was_sent(pod, sent));
            sight.take(own, Instant::now());
            if sight.is_enough() {
                return Ok::<(), WriteError>(());
            }
            sleep(EVERY).await;
        }
    };
    let long = Duration::from_secs(u64::from(DEADLINE.unsigned_abs()));
    if let Ok(ended) = timeout(long, looking).await {
        ended?;
    }
    Ok(sight.in_the_end())
}

/// What was told, if the Job is still what was made. Whoever may make Jobs may hold one up, and change what it makes
/// meanwhile.
async fn believed(
    told: Result<Told, WriteError>,
    maker: &str,
    (path, made): (&str, &Value),
    trial: &Trial,
) -> Result<Told, WriteError> {
    let told = told?;
    let is_same = match trial.see(maker, path).await? {
        Answer::Yes(found) => is_what_was_made(&found, made),
        Answer::No(_) | Answer::Absent => false,
    };
    let changed = || Told::Nothing("somebody changed, suspended or deleted the Job of the probe".to_owned());
    Ok(if is_same { told } else { changed() })
}
