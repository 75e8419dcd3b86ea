//! Events: what happened to an object, told where `kubectl describe` shows it. They are sent in
//! the background: nothing waits for them, and the journal is what counts.
#![expect(clippy::disallowed_types, reason = "cluster/ is where clients are used")]

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use kube::{Client, Resource};
use tokio::sync::mpsc;

use crate::api::PartnerGrant;
use crate::api::condition::cut;

/// How many events may wait to be sent; more are dropped, and counted by nobody.
const WAITING: usize = 1024;

/// Sends events.
#[derive(Clone, Debug)]
pub struct Events(mpsc::Sender<(k8s_openapi::api::core::v1::ObjectReference, Event)>);

impl Events {
    /// Begins to send events as `controller`.
    pub fn start(client: Client, controller: &str) -> Self {
        let recorder = Recorder::new(client, Reporter::from(controller.to_owned()));
        let (sender, mut waiting) = mpsc::channel(WAITING);
        tokio::spawn(async move {
            while let Some((about, event)) = waiting.recv().await {
                if let Err(error) = recorder.publish(&event, &about).await {
                    tracing::debug!(%error, "an event wasn't taken");
                }
            }
        });
        Self(sender)
    }

    /// Tells that something happened to a grant. `reason` is one word, `note` a sentence.
    pub fn tell(&self, grant: &PartnerGrant, is_warning: bool, reason: &str, note: &str) {
        let event = Event {
            type_: if is_warning { EventType::Warning } else { EventType::Normal },
            reason: reason.to_owned(),
            note: Some(cut(note, 1000)),
            action: action(note),
            secondary: None,
        };
        // A full queue means that the API server has worse troubles than a missing event.
        drop(self.0.try_send((grant.object_ref(&()), event)));
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
