//! When something was there, as a watch of the benchmark's own saw it.

use std::{
    collections::HashMap,
    fmt::Debug,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use e2e::{Result, eventually};
use futures::StreamExt as _;
use kube::{
    Api, Resource,
    runtime::{WatchStreamExt as _, watcher},
};
use serde::de::DeserializeOwned;
use tokio::task::JoinHandle;

/// Which object was seen last of each that is looked for, and when it was seen first.
type Seen = HashMap<String, (String, Instant)>;

/// A watch that notes when it was told of what.
pub struct Sight {
    seen: Arc<Mutex<Seen>>,
    task: JoinHandle<()>,
}

impl Sight {
    /// Begins to watch. `effect` says what an object is looked for as, and which one of those it is, if it is
    /// what is looked for.
    pub fn of<K>(api: Api<K>, effect: impl Fn(&K) -> Option<(String, String)> + Send + 'static) -> Self
    where
        K: Resource + Clone + Debug + DeserializeOwned + Send + 'static,
    {
        let seen = Arc::new(Mutex::new(Seen::new()));
        let noted = Arc::clone(&seen);
        let task = tokio::spawn(async move {
            let watched = watcher(api, watcher::Config::default()).default_backoff().applied_objects();
            let mut changes = pin!(watched);
            while let Some(change) = changes.next().await {
                // Trouble is tried again by the watch itself.
                let Ok(object) = change else { continue };
                let Some((whose, which)) = effect(&object) else { continue };
                let mut noted = locked(&noted);
                if noted.get(&whose).is_none_or(|(before, _)| *before != which) {
                    noted.insert(whose, (which, Instant::now()));
                }
            }
        });
        Self { seen, task }
    }

    /// Awaits that each of these was seen since then: when, in their order.
    pub async fn all(&self, whose: &[String], since: Instant, within: Duration) -> Result<Vec<Instant>> {
        eventually("all that was asked for", within, async || {
            let seen = locked(&self.seen);
            let found = whose.iter().filter_map(|one| seen.get(one)).map(|(_, at)| *at);
            let found: Vec<Instant> = found.filter(|at| *at >= since).collect();
            if found.len() == whose.len() {
                Ok(found)
            } else {
                Err(format!("{} of {}", found.len(), whose.len()))
            }
        })
        .await
    }
}

impl Drop for Sight {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What the lock holds: a thread that panicked holding it left it whole.
fn locked(seen: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}
