//! P1, P5 and P6 of every request that changes an object.

use super::super::cluster::Request;
use super::super::ledger::Stands;
use super::objects::Reading;
use super::{Holds, Seen, holds};
use crate::api::name;
use crate::plan::objects::{Key, Kind};

/// So many seconds `comity sign` has to take its certificates back.
const GRACE: i32 = 5;

type Promise = fn(&Seen<'_>) -> Holds;

pub const PROMISES: [Promise; 5] = [
    nothing_is_made_without_a_recorded_end,
    closed_off_before_anything_opens,
    bindings_go_before_the_gate_shuts,
    what_closes_off_goes_last,
    closing_is_for_good,
];

/// What a request makes or changes.
fn made(request: &Request) -> Option<&Key> {
    match request {
        Request::CreateNamespace(wanted) | Request::Apply(wanted) => Some(&wanted.key),
        _ => None,
    }
}

/// Whether a request is a namespace's that shuts it.
fn shuts(request: &Request) -> bool {
    let Request::Apply(wanted) = request else { return false };
    let open = wanted.body["metadata"]["labels"][name::LABEL_PODS] == name::PODS_OPEN;
    wanted.key.kind == Kind::Namespace && !open
}

/// Of a process that was stopped since, the API server can't know that its view is old: what it still
/// does is looked at once everything has come to rest.
fn nothing_is_made_without_a_recorded_end(seen: &Seen<'_>) -> Holds {
    let request = seen.core.requests.get(seen.sent.request);
    let Some(key) = made(&request).filter(|_| !seen.sent.late) else { return Ok(()) };
    if shuts(&request) && seen.places.contains_key(&key.name) {
        return Ok(());
    }
    let promise = "P1: nothing without a recorded end";
    holds("P6: ended is final", seen.ledger.ended, || format!("{} is made", key.name))?;
    let told = match seen.ledger.of_namespace(&key.namespace) {
        Some(told) => told,
        // At a dataset, for whichever opening is live.
        None if name::is_dataset_ingress_policy(&key.name) && !seen.ledger.openings.is_empty() => {
            return Ok(());
        }
        None => {
            return holds(promise, true, || format!("{} is made, and no record says until when", key.name));
        }
    };
    let over = told.end <= seen.sent.seen.now;
    holds(promise, over, || format!("{} is made after its end at {}", key.name, told.end))
}

fn closed_off_before_anything_opens(seen: &Seen<'_>) -> Holds {
    let request = seen.core.requests.get(seen.sent.request);
    let Some(key) = made(&request).filter(|_| !seen.sent.raced) else { return Ok(()) };
    let place = seen.places.get(&key.namespace).cloned().unwrap_or_default();
    let opens = seen.places_after.get(&key.namespace).is_some_and(|after| after.is_gate_open);
    let ready = place.is_closed_off() && place.has_certificates;
    let broken = match key.kind {
        // A quota that becomes less while the gate is open is in force as it was, until it is taken up.
        Kind::Namespace => opens && !place.is_gate_open && !(ready && place.is_quota_in_force),
        Kind::RoleBinding if key.name != name::SIGNER_BINDING => !ready || !place.is_gate_open,
        Kind::ServiceAccount => !place.is_closed_off(),
        Kind::NetworkPolicy if key.namespace.starts_with("comity-") && key.name != name::DEFAULT_DENY => {
            !place.denies_by_default
        }
        _ => false,
    };
    holds("P5: the order of opening", broken, || format!("{} comes too early", key.name))
}

fn bindings_go_before_the_gate_shuts(seen: &Seen<'_>) -> Holds {
    let request = seen.core.requests.get(seen.sent.request);
    let place = made(&request).filter(|_| shuts(&request) && !seen.sent.raced).map(|key| key.name.clone());
    let is_used = |place: &Reading| place.is_gate_open && place.is_bound;
    let early = place.filter(|place| seen.places.get(place).is_some_and(is_used));
    let what = || format!("{early:?} is shut while somebody is bound there");
    holds("P5: the order of closing", early.is_some(), what)
}

fn what_closes_off_goes_last(seen: &Seen<'_>) -> Holds {
    let promise = "P5: the order of closing";
    let request = seen.core.requests.get(seen.sent.request);
    let Request::Delete(doomed) = request.as_ref() else { return Ok(()) };
    let (key, live) = (&doomed.key, seen.live);
    let hits = live.get(key) != seen.live_after.get(key);
    let holds_off = [name::DEFAULT_DENY, name::QUOTA, name::STAGE_POLICY].contains(&key.name.as_str());
    holds(promise, hits && holds_off, || format!("{} is deleted while its namespace stands", key.name))?;
    let Some(place) = seen.places.get(&key.name).filter(|_| key.kind == Kind::Namespace && hits) else {
        return Ok(());
    };
    let open = place.is_gate_open || place.is_bound || place.has_paths;
    holds(promise, open || !place.is_closing, || format!("{} is deleted while it is open", key.name))?;
    let pods = !seen.core.cleared.get(seen.sent.cleared).contains_key(&key.name);
    holds(promise, pods, || format!("{} is deleted, and perhaps there are pods in it", key.name))?;
    let closed = seen.ledger.of_namespace(&key.name).filter(|told| matches!(told.stands, Stands::Closed(_)));
    let waited = closed.is_none_or(|told| told.since + GRACE <= seen.sent.seen.now);
    let hasty = place.has_certificates && !waited && !seen.sent.raced;
    holds(promise, hasty, || format!("{} is deleted before its certificates", key.name))
}

fn closing_is_for_good(seen: &Seen<'_>) -> Holds {
    let stays = |name: &String| seen.places_after.get(name).is_none_or(|after| after.is_closing);
    let reopened = seen.places.iter().find(|(name, place)| place.is_closing && !stays(name));
    let what = || format!("{:?} isn't closing any more", reopened.map(|(name, _)| name));
    holds("P7: closing is for good", reopened.is_some(), what)
}
