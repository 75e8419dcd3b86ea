//! What closes: access first, then what nobody asks for, then what is left to clear. Pure.
//!
//! What couldn't be closed in a pass is left for the next one, and holds up nothing else: neither
//! another place, nor what comes after it in the same one.

use jiff::{SignedDuration, Timestamp};

use super::{Place, Pods, Records, Step, View};
use crate::api::condition::whole_seconds;
use crate::api::contract::{NarrowedPods, QuarantinedPods};
use crate::api::record::{RecordEvent, RecordReason};
use crate::grant::build::namespace::Gate;
use crate::grant::check::{Certificates, Doomed, NamespaceStanding, Standing};
use crate::journal::append::Entry;
use crate::journal::wanted::Wanted;
use crate::journal::{Opening, Recorded};
use crate::plan::objects::Key;

/// How long clearing waits for `comity sign` to take back its certificates. They end by
/// themselves; waiting merely keeps the order.
pub const CERTIFICATE_GRACE: SignedDuration = SignedDuration::from_secs(5);

/// Closes access where it has to be closed: binding, pods not allowed, paths; then says so.
pub(super) fn shut(view: &View<'_>) -> Option<Step> {
    let mut records = None;
    for place in &view.places {
        let (gate, reason) = match view.wanted(place) {
            Wanted::Open => continue,
            Wanted::Held(reason) => (Gate::Closed, reason),
            Wanted::Closed(reason) => (Gate::Closing, reason),
        };
        if let Some(step) = shut_place(view, place, gate) {
            return Some(step);
        }
        if !has_failed(view, place) || is_stopped(view, place, reason) {
            records = records.or_else(|| record_of(view, place, gate, reason));
        }
    }
    records.filter(|_| view.records == Records::Writable).map(|entry| Step::Record(Box::new(entry)))
}

/// Whether a place that can't be confined takes no pods and no people any more, though a path is left that
/// somebody refuses to let go: `comity sign` goes by the journal, and is to stop too.
fn is_stopped(view: &View<'_>, place: &Place<'_>, reason: RecordReason) -> bool {
    let standing = &place.standing;
    let is_shut = matches!(
        standing.namespace,
        NamespaceStanding::Ours { pods_closed: true, .. } | NamespaceStanding::Ours { terminating: true, .. }
    );
    reason == RecordReason::Unconfined
        && is_shut
        && standing.all_bindings.is_empty()
        && !view.failed.contains(&Key::namespace(place.namespace))
}

/// Closes access to one place. What fails doesn't leave open what comes after it.
fn shut_place(view: &View<'_>, place: &Place<'_>, gate: Gate) -> Option<Step> {
    let standing = &place.standing;
    if let Some(step) = delete(view, &standing.all_bindings) {
        return Some(step);
    }
    if let NamespaceStanding::Ours { pods_closed, closing, terminating: false, .. } = standing.namespace
        && (!pods_closed || (gate == Gate::Closing && !closing))
        && !view.failed.contains(&Key::namespace(place.namespace))
    {
        return Some(Step::SetGate(place.namespace.to_owned(), gate));
    }
    delete(view, &standing.paths())
}

/// Takes away what nobody asks for in places that are to be open.
pub(super) fn tidy(view: &View<'_>) -> Option<Step> {
    let stays = |place: &&Place<'_>| {
        let standing = &place.standing.namespace;
        matches!(standing, NamespaceStanding::Ours { terminating: false, closing: false, .. })
            && view.wanted(place) == Wanted::Open
    };
    view.places.iter().filter(stays).find_map(|place| {
        let Standing { bindings, confinement, identities, .. } = place.standing.as_ref();
        [bindings, confinement, identities].into_iter().find_map(|part| delete(view, &part.stray))
    })
}

/// Confines again what is open and isn't confined as it should be, since less is allowed now, or
/// since somebody meddled with it.
pub(super) fn confine(view: &View<'_>) -> Option<Step> {
    let is_open = |place: &&Place<'_>| {
        let standing = &place.standing.namespace;
        let gate_open =
            matches!(standing, NamespaceStanding::Ours { pods_closed: false, terminating: false, .. });
        gate_open && view.wanted(place) == Wanted::Open && !has_failed(view, place)
    };
    let open = view.places.iter().filter(is_open);
    let missing = open.flat_map(|place| &place.standing.confinement.missing);
    let missing: Vec<_> = missing.filter(|object| !view.failed.contains(&object.key)).cloned().collect();
    (!missing.is_empty()).then_some(Step::Confine(missing))
}

/// Deletes what is there, but for what couldn't be deleted in this pass.
fn delete(view: &View<'_>, doomed: &[Doomed]) -> Option<Step> {
    let doomed: Vec<Doomed> =
        doomed.iter().filter(|doomed| !view.failed.contains(&doomed.key)).cloned().collect();
    (!doomed.is_empty()).then_some(Step::Delete(doomed))
}

/// Whether something of a place couldn't be closed or cleared in this pass.
pub(super) fn has_failed(view: &View<'_>, place: &Place<'_>) -> bool {
    let left = place.standing.all_bindings.iter().cloned().chain(place.standing.paths());
    view.failed.contains(&Key::namespace(place.namespace))
        || left.map(|doomed| doomed.key).any(|key| view.failed.contains(&key))
}

/// What the journal has to say of a place whose access is closed, unless it says so already.
fn record_of(view: &View<'_>, place: &Place<'_>, gate: Gate, reason: RecordReason) -> Option<Entry> {
    let opening = place.opening?;
    match (gate, opening.state) {
        (Gate::Closing, Recorded::Open | Recorded::Suspended { .. }) => {
            let message = format!("{} was closed at {}: {reason:?}", opening.stage, whole_seconds(view.now));
            Some(Entry::of_opening(RecordEvent::Closed, opening, reason, message))
        }
        (Gate::Closed, Recorded::Open) => Some(suspended(view, opening, reason)),
        // From then on it is counted how long its namespace is kept.
        (Gate::Closed, Recorded::Suspended { reason: known, .. }) if reason.is_loss() && !known.is_loss() => {
            Some(suspended(view, opening, reason))
        }
        _ => None,
    }
}

/// What is said of an opening that nobody can use for now.
fn suspended(view: &View<'_>, opening: &Opening, reason: RecordReason) -> Entry {
    let message = format!("access to {} was closed for now: {reason:?}; its end stands", opening.stage);
    let stands = view.outlook.digest().or(view.stood).filter(|_| reason.is_loss()).map(str::to_owned);
    Entry { stands, ..Entry::of_opening(RecordEvent::Suspended, opening, reason, message) }
}

/// Clears what is closed: certificates first, then pods, the namespace last, since its default
/// deny and its quota have to outlive what they hold.
pub(super) fn clear(view: &View<'_>) -> Option<Step> {
    view.places
        .iter()
        .filter(|place| matches!(view.wanted(place), Wanted::Closed(_)) && !has_failed(view, place))
        .find_map(|place| clear_place(view, place))
        .or_else(|| view.places.iter().find_map(|place| clear_held(view, place)))
}

/// Deletes the pods of a place that nobody may use for now, where its contract doesn't keep them.
fn clear_held(view: &View<'_>, place: &Place<'_>) -> Option<Step> {
    let is_here = matches!(place.standing.namespace, NamespaceStanding::Ours { terminating: false, .. });
    if !is_here || !loses_pods(view, place) || has_failed(view, place) {
        return None;
    }
    let namespace = place.namespace.to_owned();
    match view.pods.get(place.namespace) {
        Some(Pods::Gone) => None,
        Some(Pods::Ending(then)) if view.now < *then => None,
        None | Some(Pods::Ending(_)) => Some(Step::CountPods(namespace)),
        Some(Pods::Running) => Some(Step::DeletePods(namespace)),
    }
}

/// Whether the contract has the pods of a place deleted while nobody may use it: those under quarantine,
/// or all of them where nothing is left that they would be allowed to be.
pub(in crate::grant) fn loses_pods(view: &View<'_>, place: &Place<'_>) -> bool {
    let Some(opening) = place.opening else { return false };
    let policy = place.remains.policy(opening);
    match view.wanted(place) {
        Wanted::Held(RecordReason::Quarantined) => {
            policy.quarantine.as_ref().is_some_and(|quarantine| quarantine.pods == QuarantinedPods::Delete)
        }
        Wanted::Held(reason) if reason.is_loss() => policy.unlawful_pods() == NarrowedPods::Delete,
        _ => false,
    }
}

/// Shuts and clears a place that is closing although it is to be open: a closing isn't taken back.
pub(super) fn leave(view: &View<'_>, place: &Place<'_>) -> Option<Step> {
    shut_place(view, place, Gate::Closing).or_else(|| clear_place(view, place))
}

fn clear_place(view: &View<'_>, place: &Place<'_>) -> Option<Step> {
    let NamespaceStanding::Ours { terminating: false, uid, .. } = &place.standing.namespace else {
        return None;
    };
    if view.now < certificates_waited_for(place).unwrap_or(view.now) {
        return None;
    }
    let namespace = place.namespace.to_owned();
    match view.pods.get(place.namespace) {
        Some(Pods::Ending(then)) if view.now < *then => None,
        None | Some(Pods::Ending(_)) => Some(Step::CountPods(namespace)),
        Some(Pods::Running) => Some(Step::DeletePods(namespace)),
        Some(Pods::Gone) => Some(Step::DeleteNamespace(namespace, uid.clone())),
    }
}

/// Until when a closed place waits for its certificates to be taken back, if there are any.
pub(super) fn certificates_waited_for(place: &Place<'_>) -> Option<Timestamp> {
    let has_any = place.opening.is_none_or(|opening| !opening.policy.certified().is_empty())
        && place.standing.certificates != Certificates::None;
    let Recorded::Closed { at, .. } = place.opening?.state else { return None };
    has_any.then(|| at.checked_add(CERTIFICATE_GRACE).unwrap_or(at))
}
