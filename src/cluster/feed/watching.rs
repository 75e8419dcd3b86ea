//! Watches that run for as long as somebody wants to know, and that tell how they fare.

use futures::{Stream, StreamExt as _};
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Resource, ResourceExt as _};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::cluster::clock::Clock;
use crate::cluster::readable::{News, Readable};
use crate::cluster::watch::Watches;

/// The annotation in which `kubectl apply` keeps what it applied.
const APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Watches. They run until this is dropped.
#[derive(Debug)]
pub struct Watching {
    tasks: JoinSet<()>,
    ready: Vec<(&'static str, watch::Receiver<bool>)>,
    clock: Clock,
    watches: Watches,
}

impl Watching {
    /// No watch yet. How each will fare is told to `watches`.
    pub fn new(clock: &Clock, watches: &Watches) -> Self {
        Self { tasks: JoinSet::new(), ready: Vec::new(), clock: clock.clone(), watches: watches.clone() }
    }

    /// Waits until every watch has told of everything once.
    pub async fn filled(&mut self) {
        for (_, ready) in &mut self.ready {
            // A watch that has ended can't become ready: the process is going down.
            if ready.wait_for(|ready| *ready).await.is_err() {
                return;
            }
        }
    }

    /// Follows a watch for as long as these are kept. Errors are told and tried again, ever more slowly.
    /// An object that can't be read is no error of the watch.
    ///
    /// Who set which field, and what `kubectl` applied last, are as long as the object, and nobody
    /// asks: they aren't kept.
    pub fn follow<K, S>(
        &mut self,
        kind: &'static str,
        stream: S,
        mut handle: impl FnMut(News<K>) + Send + 'static,
    ) where
        K: Resource + Send + 'static,
        S: Stream<Item = watcher::Result<watcher::Event<Readable<K>>>> + Send + 'static,
    {
        let (filled, ready) = watch::channel(false);
        self.ready.push((kind, ready));
        let (clock, watches) = (self.clock.clone(), self.watches.clone());
        watches.well(kind);
        self.tasks.spawn(async move {
            let mut stream = std::pin::pin!(stream.default_backoff().modify(|object| {
                object.meta_mut().managed_fields = None;
                object.annotations_mut().remove(APPLIED);
            }));
            while let Some(event) = stream.next().await {
                match event {
                    Ok(event) => {
                        let news = News::from(event);
                        let is_done = matches!(news, News::End);
                        watches.well(kind);
                        complain(kind, &news);
                        watches.told(kind, &news);
                        handle(news);
                        if is_done {
                            filled.send_replace(true);
                        }
                    }
                    Err(error) => {
                        watches.failed(kind, clock.now());
                        tracing::warn!(kind, %error, "a watch failed and is started again");
                    }
                }
            }
        });
    }
}

/// Nobody watches any more, so nobody knows how that would fare.
impl Drop for Watching {
    fn drop(&mut self) {
        self.tasks.abort_all();
        for (kind, _) in &self.ready {
            self.watches.over(kind);
        }
    }
}

/// Says which object can't be read, and why. It counts as one that isn't there.
pub(in crate::cluster) fn complain<K>(kind: &'static str, news: &News<K>) {
    if let News::Unreadable(unreadable) = news {
        let (namespace, name) = unreadable.key();
        let error = &unreadable.error;
        tracing::warn!(kind, namespace, name, ?error, "an object can't be read and counts as absent");
    }
}
