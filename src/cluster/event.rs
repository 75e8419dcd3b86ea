//! Events: what happened to an object, told where `kubectl describe` shows it. They are sent in
//! the background: nothing waits for them, and the journal is what counts.
#![expect(clippy::disallowed_types, reason = "cluster/ is where clients are used")]

mod gathering;

use std::future::pending;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use k8s_openapi::api::core::v1::ObjectReference;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use kube::{Client, Resource};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use self::gathering::Gathering;
use crate::api::PartnerGrant;
use crate::api::condition::cut;

/// How many events may wait to be sent; more are dropped.
const WAITING: usize = 1024;

/// How many of the last events are remembered at most.
const REMEMBERED: usize = 64;

/// How much is said at most, in characters.
const SAID: usize = 1000;

/// Who is told of every event that the API server took, by its reason.
pub type Count = Box<dyn Fn(&'static str) + Send + Sync>;

/// What waits to be sent.
#[derive(Clone, Debug)]
struct Waiting {
    about: ObjectReference,
    is_warning: bool,
    reason: &'static str,
    note: String,
    /// Where it may happen many times a second, and not each is sent: what is told together.
    kind: Option<String>,
}

impl Waiting {
    /// The same as the last of so many.
    fn of_several(self, count: usize) -> Self {
        let note = if count < 2 { self.note } else { format!("{count} more; the last: {}", self.note) };
        Self { note, ..self }
    }

    fn event(&self) -> Event {
        Event {
            type_: if self.is_warning { EventType::Warning } else { EventType::Normal },
            reason: self.reason.to_owned(),
            note: Some(cut(&self.note, SAID)),
            action: action(&self.note),
            secondary: None,
        }
    }
}

/// Sends events.
#[derive(Clone, Debug)]
pub struct Events(mpsc::Sender<Waiting>);

impl Events {
    /// Begins to send events as `controller`.
    pub fn start(client: Client, controller: &str, count: Count) -> Self {
        let reporter = Reporter::from(controller.to_owned());
        let (sender, waiting) = mpsc::channel::<Waiting>(WAITING);
        let outbox = Outbox {
            recorder: Recorder::new(client.clone(), reporter.clone()),
            client,
            reporter,
            sent: 0,
            count,
        };
        tokio::spawn(outbox.empty(waiting));
        Self(sender)
    }

    /// Tells that something happened to a grant. `reason` is one word, `note` a sentence.
    pub fn tell(&self, grant: &PartnerGrant, is_warning: bool, reason: &'static str, note: &str) {
        let (about, note) = (grant.object_ref(&()), note.to_owned());
        self.send(Waiting { about, is_warning, reason, note, kind: None });
    }

    /// Tells of something ordinary that may happen many times a second. The first of its reason and kind is told at
    /// once, what follows within ten seconds as how many there were, and the last of them.
    pub fn tell_of_many(&self, grant: &PartnerGrant, (reason, kind): (&'static str, &str), note: &str) {
        let (about, note, kind) = (grant.object_ref(&()), note.to_owned(), Some(kind.to_owned()));
        self.send(Waiting { about, is_warning: false, reason, note, kind });
    }

    fn send(&self, waiting: Waiting) {
        // A full queue means that the API server has worse troubles than a missing event.
        drop(self.0.try_send(waiting));
    }
}

/// Where events are sent from.
struct Outbox {
    client: Client,
    reporter: Reporter,
    recorder: Recorder,
    /// How many were sent.
    sent: usize,
    count: Count,
}

impl Outbox {
    /// Sends what waits, until nobody tells of anything any more.
    async fn empty(mut self, mut waiting: mpsc::Receiver<Waiting>) {
        let mut gathering = Gathering::default();
        loop {
            let due = gathering.next();
            tokio::select! {
                told = waiting.recv() => {
                    let Some(told) = told else { break };
                    if let Some(now) = gathering.take(told, Instant::now()) {
                        self.send(now).await;
                    }
                }
                () = at(due) => {
                    for told in gathering.due(Instant::now()) {
                        self.send(told).await;
                    }
                }
            }
        }
        for told in gathering.all() {
            self.send(told).await;
        }
    }

    async fn send(&mut self, told: Waiting) {
        // A recorder keeps every event for minutes, to count one that comes again.
        if self.sent.is_multiple_of(REMEMBERED) {
            self.recorder = Recorder::new(self.client.clone(), self.reporter.clone());
        }
        self.sent = self.sent.wrapping_add(1);
        match self.recorder.publish(&told.event(), &told.about).await {
            Ok(()) => (self.count)(told.reason),
            Err(error) => tracing::debug!(%error, "an event wasn't taken"),
        }
    }
}

/// Awaits this moment, or for ever where there is none.
async fn at(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => pending().await,
    }
}

/// What was done. The recorder takes events of one reason and action for one that comes again, and
/// keeps the first one's note: so what is said otherwise has to be done otherwise.
fn action(note: &str) -> String {
    let mut hasher = DefaultHasher::new();
    note.hash(&mut hasher);
    format!("Reconcile-{:016x}", hasher.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_note_is_another_event() {
        assert_eq!(action("Sandbox is open"), action("Sandbox is open"));
        assert_ne!(action("Sandbox is open"), action("Rehearsal is open"));
    }
}
