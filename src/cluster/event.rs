//! Events: what happened to an object, told where `kubectl describe` shows it. They are sent in
//! the background: nothing waits for them, and the journal is what counts.
#![expect(clippy::disallowed_types, reason = "cluster/ is where clients are used")]

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use k8s_openapi::api::core::v1::ObjectReference;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use kube::{Client, Resource};
use tokio::sync::mpsc;

use crate::api::PartnerGrant;
use crate::api::condition::cut;

/// How many events may wait to be sent; more are dropped.
const WAITING: usize = 1024;

/// How many of the last events are remembered at most.
const REMEMBERED: usize = 64;

/// Who is told of every event that the API server took, by its reason.
pub type Count = Box<dyn Fn(&'static str) + Send + Sync>;

/// What waits to be sent: about what, what, and its reason.
type Waiting = (ObjectReference, Event, &'static str);

/// Sends events.
#[derive(Clone, Debug)]
pub struct Events(mpsc::Sender<Waiting>);

impl Events {
    /// Begins to send events as `controller`.
    pub fn start(client: Client, controller: &str, count: Count) -> Self {
        let reporter = Reporter::from(controller.to_owned());
        let (sender, mut waiting) = mpsc::channel::<Waiting>(WAITING);
        tokio::spawn(async move {
            let anew = || Recorder::new(client.clone(), reporter.clone());
            let (mut recorder, mut sent) = (anew(), 0_usize);
            while let Some((about, event, reason)) = waiting.recv().await {
                // A recorder keeps every event for minutes, to count one that comes again.
                if sent.is_multiple_of(REMEMBERED) {
                    recorder = anew();
                }
                sent = sent.wrapping_add(1);
                match recorder.publish(&event, &about).await {
                    Ok(()) => count(reason),
                    Err(error) => tracing::debug!(%error, "an event wasn't taken"),
                }
            }
        });
        Self(sender)
    }

    /// Tells that something happened to a grant. `reason` is one word, `note` a sentence.
    pub fn tell(&self, grant: &PartnerGrant, is_warning: bool, reason: &'static str, note: &str) {
        let event = Event {
            type_: if is_warning { EventType::Warning } else { EventType::Normal },
            reason: reason.to_owned(),
            note: Some(cut(note, 1000)),
            action: action(note),
            secondary: None,
        };
        // A full queue means that the API server has worse troubles than a missing event.
        drop(self.0.try_send((grant.object_ref(&()), event, reason)));
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
