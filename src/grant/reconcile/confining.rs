//! What somebody refuses to let be confined as it has to be: a webhook, say, or a policy of somebody else's.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::Context;
use crate::api::record::RecordReason;
use crate::cluster::apply::WriteError;
use crate::grant::check::NamespaceStanding;
use crate::grant::decide::confined::{PATIENCE, Unconfined};
use crate::grant::decide::{Decision, Place, Step};
use crate::grant::observe::{Names, Scene};
use crate::journal::Recorded;
use crate::journal::wanted::Wanted;
use crate::plan::objects::Key;

/// Takes which places couldn't be confined in this pass as they have to be, and which are.
pub(super) fn note_confined(
    scene: &mut Scene<'_>,
    names: &Names,
    decision: &Decision,
    failure: Option<&WriteError>,
    context: &Context,
) {
    let refusal = failure.filter(|error| error.is_refusal()).map(ToString::to_string);
    if failure.is_none() && scene.aside.unconfined.is_empty() {
        return;
    }
    let view = scene.view(names);
    let mut known = scene.aside.unconfined.clone();
    for place in &view.places {
        let changes = changes(place);
        if changes.is_empty() {
            known.remove(place.namespace);
            continue;
        }
        let is_tried = changes.iter().any(|key| scene.failed.contains(key) || is_applied(decision, key));
        let before = known.get(place.namespace);
        let since = before.map(|before| before.since).or_else(|| since(place, scene));
        let since = since.filter(|_| is_tried && view.wanted(place) == Wanted::Open);
        if let (Some(why), Some(since)) = (&refusal, since) {
            let tried = Unconfined::tried(before, since, scene.now, why.clone());
            known.insert(place.namespace.to_owned(), tried);
        }
    }
    context.memory.note_unconfined(&scene.aside.unconfined, &known, scene.now);
    scene.aside.unconfined = known;
}

/// What has to change for a place to allow no more than it may.
fn changes(place: &Place<'_>) -> BTreeSet<Key> {
    let standing = &place.standing;
    let parts = [&standing.confinement, &standing.identities, &standing.bindings];
    let stray = parts.iter().flat_map(|part| &part.stray).map(|doomed| doomed.key.clone());
    stray.chain(standing.too_wide.iter().map(|wanted| wanted.key.clone())).collect()
}

/// Whether this is what was to be applied last.
fn is_applied(decision: &Decision, key: &Key) -> bool {
    matches!(&decision.step, Some(Step::Apply(objects)) if objects.iter().any(|object| object.key == *key))
}

/// Since when somebody could use a place that isn't confined as it has to be; `None`: nobody can. One that
/// was closed for that is closed again at once.
fn since(place: &Place<'_>, scene: &Scene<'_>) -> Option<Timestamp> {
    if let Some(Recorded::Suspended { reason: RecordReason::Unconfined, at }) =
        place.opening.map(|opening| opening.state)
    {
        return Some(at.checked_sub(PATIENCE).unwrap_or(at));
    }
    let is_open = matches!(place.standing.namespace, NamespaceStanding::Ours { pods_closed: false, .. });
    (is_open || !place.standing.all_bindings.is_empty()).then_some(scene.now)
}
