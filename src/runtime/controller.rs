//! Works through a queue of objects: each at most once at a time, so many at once, failures
//! again after ever longer waits. Logs and metrics of reconciling are written here only.

use std::collections::HashMap;
use std::convert::Infallible;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::channel::mpsc::UnboundedReceiver;
use futures::{StreamExt as _, TryFuture, TryFutureExt};
use jiff::{SignedDuration, Timestamp};
use kube::runtime::applier;
use kube::runtime::controller::{Action, Config};
use kube::runtime::reflector::{ObjectRef, Store};
use kube::{Resource, ResourceExt as _};
use tracing::Instrument as _;

use crate::cluster::clock::Clock;
use crate::ops::metric::{Kind, Outcome};
use crate::ops::trace::{TraceIds, work};
use crate::ops::{Heartbeat, Metrics};
use crate::plan::retry::{Failure, LONGEST, Setbacks, until_earliest};

/// What a controller reports to.
#[derive(Clone, Debug)]
pub struct Telemetry {
    /// What is reconciled.
    pub kind: Kind,
    /// Its pulse.
    pub heartbeat: Arc<Heartbeat>,
    /// The process's metrics.
    pub metrics: Metrics,
    /// What time it is.
    pub clock: Clock,
    /// Trace ids, one for each pass.
    pub traces: Arc<TraceIds>,
}

/// How often each object has failed in a row.
type Failures = Mutex<HashMap<String, Setbacks>>;

/// How soon at the earliest something is tried again that failed, whatever is due of it.
const SOONEST: SignedDuration = SignedDuration::from_millis(250);

/// What a pass is given.
struct Pass<C> {
    context: Arc<C>,
    telemetry: Telemetry,
    failures: Failures,
}

/// Works through `queue` until it ends, `workers` objects at once.
pub async fn drive<K, C, R, F>(
    store: Store<K>,
    queue: UnboundedReceiver<ObjectRef<K>>,
    context: Arc<C>,
    workers: u16,
    telemetry: Telemetry,
    reconcile: R,
) where
    K: Resource<DynamicType = ()> + Clone + Send + Sync + 'static,
    K::DynamicType: std::fmt::Debug + Eq + Hash + Clone + Unpin,
    C: Send + Sync + 'static,
    R: Fn(Arc<K>, Arc<C>) -> F + Send + Sync + 'static,
    F: TryFuture<Ok = Action> + Send + 'static,
    F::Error: Failure + Send + Sync + 'static,
{
    let pass = Arc::new(Pass { context, telemetry, failures: Failures::default() });
    let one = move |object: Arc<K>, pass: Arc<Pass<C>>| {
        let future = reconcile(Arc::clone(&object), Arc::clone(&pass.context));
        Box::pin(reported(object, pass, future))
    };
    let config = Config::default().concurrency(workers);
    let queue = queue.map(Ok::<_, Infallible>);
    // An object that is gone before its turn comes is no error worth a word.
    let again = |object: Arc<K>, error: &F::Error, pass: Arc<Pass<C>>| {
        failed(&key(object.as_ref()), error, &pass.failures, pass.telemetry.clock.now())
    };
    applier(one, again, pass, store, queue, config).for_each(|_| async {}).await;
}

/// Runs one pass and tells how it came out.
async fn reported<K, C, F>(object: Arc<K>, pass: Arc<Pass<C>>, future: F) -> Result<Action, F::Error>
where
    K: Resource<DynamicType = ()>,
    F: TryFuture<Ok = Action> + Send,
    F::Error: Failure,
{
    let telemetry = &pass.telemetry;
    let namespace = object.namespace().unwrap_or_default();
    let span = work(telemetry.kind.as_str(), &namespace, &object.name_any(), &telemetry.traces.next());
    let work = TryFutureExt::into_future(future).instrument(span.clone());
    let result = count(telemetry, work, |action| *action == Action::requeue(LONGEST.unsigned_abs())).await;
    let key = key(object.as_ref());
    match &result {
        Ok(_) => {
            pass.failures.lock().unwrap_or_else(PoisonError::into_inner).remove(&key);
        }
        Err(error) => {
            span.in_scope(|| tracing::warn!(error = %chain(error), "a pass failed and is tried again"));
            let now = telemetry.clock.now();
            pass.failures.lock().unwrap_or_else(PoisonError::into_inner).entry(key).or_default().note(now);
        }
    }
    result
}

/// Does some work and counts how it came out. `is_settled`: it will be looked at again only when
/// something changes, or to be sure that nothing was missed.
pub(super) async fn count<T, E>(
    telemetry: &Telemetry,
    work: impl Future<Output = Result<T, E>>,
    is_settled: impl Fn(&T) -> bool,
) -> Result<T, E> {
    let began = telemetry.clock.now();
    let busy = Busy::since(began, telemetry);
    let result = work.await;
    let ended = telemetry.clock.now();
    drop(busy);
    let took = Duration::try_from(ended.duration_since(began)).unwrap_or_default();
    let outcome = match &result {
        Ok(done) if is_settled(done) => Outcome::Settled,
        Ok(_) => Outcome::Waiting,
        Err(_) => Outcome::Failed,
    };
    telemetry.metrics.reconciled(telemetry.kind, outcome, took);
    result
}

/// Some work goes on. It doesn't any more once this is dropped: done, or given up.
struct Busy<'a>(&'a Telemetry);

impl<'a> Busy<'a> {
    fn since(began: Timestamp, telemetry: &'a Telemetry) -> Self {
        telemetry.heartbeat.begun(began);
        Self(telemetry)
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.heartbeat.finished(self.0.clock.now());
    }
}

/// When to try again what failed: after a wait, but no later than it says itself.
fn failed(key: &str, error: &impl Failure, failures: &Failures, now: Timestamp) -> Action {
    let failures = failures.lock().unwrap_or_else(PoisonError::into_inner);
    let wait = failures.get(key).copied().unwrap_or_default().wait(now);
    let due = error.at_the_latest().map(|due| until_earliest([due], now).max(SOONEST));
    Action::requeue(due.map_or(wait, |due| due.min(wait)).unsigned_abs())
}

fn key<K: Resource>(object: &K) -> String {
    object.meta().uid.clone().unwrap_or_else(|| object.name_any())
}

/// An error with all that caused it, in one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut told = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if !told.contains(&text) {
            told = format!("{told}: {text}");
        }
        cause = error.source();
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("no")]
    struct Refused(Option<Timestamp>);

    impl Failure for Refused {
        fn at_the_latest(&self) -> Option<Timestamp> {
            self.0
        }
    }

    #[test]
    fn what_failed_often_is_still_tried_when_something_of_it_is_due() {
        let (failures, mut now) = (Failures::default(), Timestamp::UNIX_EPOCH);
        for _ in 0..20 {
            failures.lock().unwrap().entry("one".to_owned()).or_default().note(now);
            now += SignedDuration::from_mins(2);
        }
        failures.lock().unwrap().entry("one".to_owned()).or_default().note(now);
        let wait = |due: Option<Timestamp>| failed("one", &Refused(due), &failures, now);
        let seconds = |seconds| Action::requeue(Duration::from_secs(seconds));
        assert_eq!(wait(None), seconds(60));
        assert_eq!(wait(Some(now + SignedDuration::from_secs(7))), seconds(7));
        assert_eq!(wait(Some(now + SignedDuration::from_hours(7))), seconds(60));
        assert_eq!(wait(Some(now)), Action::requeue(SOONEST.unsigned_abs()));
    }
}
