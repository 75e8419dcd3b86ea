//! Writes down what happened, or goes on without.

use super::Context;
use crate::api::record::{GrantIdentity, RecordEvent};
use crate::cluster::apply::WriteError;
use crate::grant::decide::Records;
use crate::grant::foresee::REFUSED_AT_ONCE;
use crate::grant::meter::Appended;
use crate::grant::observe::{Names, Scene};
use crate::journal::append::{Entry, next_record};

/// Appends to the journal. Closing never waits for a record that can't be written.
pub(super) async fn record(
    entry: &Entry,
    scene: &mut Scene<'_>,
    names: &Names,
    context: &Context,
) -> Result<bool, WriteError> {
    let Ok(journal) = &scene.journal else { return Ok(false) };
    let identity = GrantIdentity { name: names.grant.as_str().into(), uid: names.uid.as_str().into() };
    let record = next_record(journal, entry, &identity, scene.grant.metadata.generation, scene.now);
    let appended = context.writer.append(&names.namespace, record).await;
    context.meter.appended(match &appended {
        Ok(()) => Appended::Written,
        Err(WriteError::Exists { .. }) => Appended::Conflict,
        Err(_) => Appended::Failed,
    });
    match appended {
        Err(error) if may_wait(entry) => go_on_without(entry, &error, scene),
        appended => {
            appended?;
            if entry.event == RecordEvent::Requested {
                scene.agree(&context.catalogue);
            }
            let is_warning = matches!(entry.event, RecordEvent::Suspended | RecordEvent::Narrowed);
            context.events.tell(scene.grant, is_warning, entry.event.as_str(), &entry.message);
        }
    }
    Ok(true)
}

/// Goes on without a record that can't be written, or whose number somebody else took: what closes waits
/// for neither.
fn go_on_without(entry: &Entry, error: &WriteError, scene: &mut Scene<'_>) {
    tracing::warn!(error = %error, "a record can't be written; closing goes on without it");
    scene.refused.extend(entry.decision.as_ref().map(|decision| decision.uid.clone()));
    let is_taken = matches!(error, WriteError::Exists { .. });
    scene.taken += usize::from(is_taken);
    // A number that was taken is known now, and the next one is free unless somebody is at it again.
    let is_alone = entry.decision.is_none() && !is_taken;
    if is_alone || scene.refused.len().max(scene.taken) >= REFUSED_AT_ONCE {
        let refused = matches!(error, WriteError::Forbidden { .. });
        scene.records = if refused { Records::Refused } else { Records::Failing };
    }
}

/// Whether what has to be done doesn't wait for a record: it tells of an end and not of a beginning,
/// or of what a person decided.
const fn may_wait(entry: &Entry) -> bool {
    use RecordEvent::{Closed, Ended, Narrowed, Suspended};
    matches!(entry.event, Closed | Suspended | Ended | Narrowed) || entry.decision.is_some()
}
