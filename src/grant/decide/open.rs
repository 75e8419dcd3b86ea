//! What opens: first what was opened already, then the next stage, each in the order of promise P5.

use jiff::Timestamp;

use super::close::leave;
use super::{Place, Records, Step, View};
use crate::api::condition::Reason;
use crate::api::record::{RecordEvent, RecordReason};
use crate::grant::build::namespace::Gate;
use crate::grant::check::{Certificates, NamespaceStanding};
use crate::grant::gate::{Gates, Waiting};
use crate::journal::append::Entry;
use crate::journal::forum::Forum;
use crate::journal::remains::Remains;
use crate::journal::wanted::Wanted;
use crate::journal::{Journal, Opening, Recorded};
use crate::policy::lattice;

/// Opens what has to be open: first what was opened already, then the next stage.
pub(super) fn open(view: &View<'_>) -> (Option<Step>, Option<Waiting>) {
    let Ok(journal) = view.journal else { return (None, None) };
    if view.facts.deleting || journal.ended.is_some() {
        return (None, None);
    }
    if journal.next == 1 {
        // Anybody who may write grants may write any number that nobody accepts. Of those nothing is
        // written down, and nothing keeps them.
        let Ok(agreement) = &view.outlook.agreement else { return (None, None) };
        let entry = Entry::of_grant(RecordEvent::Requested, None, "access was asked for, and is permitted");
        let entry = Entry { digest: Some(agreement.digest.clone()), ..entry };
        return (Some(Step::Record(Box::new(entry))), None);
    }
    // After the first record, so that one that carries the finalizer and has none has lost it. Where a
    // grant goes between the two, its journal is ended like that of any other that is gone.
    if !view.finalized {
        return (Some(Step::Finalize), None);
    }
    let mut waiting = None;
    for place in view.places.iter().filter(|place| view.wanted(place) == Wanted::Open) {
        match open_place(view, place) {
            Ok(Some(step)) => return (Some(step), None),
            Ok(None) => {
                if let Some(entry) = narrowing(view, place) {
                    return (Some(Step::Record(Box::new(entry))), None);
                }
            }
            Err(wait) => waiting = waiting.or(Some(wait)),
        }
    }
    if waiting.is_some() { (None, waiting) } else { open_next(view, journal) }
}

/// What the journal has to say of what a place allows since, unless it says so already. What it
/// allows comes first: less is given at once, whether or not it can be written down.
fn narrowing(view: &View<'_>, place: &Place<'_>) -> Option<Entry> {
    let opening = place.opening?;
    let now = match place.remains {
        Remains::Agreed => None,
        Remains::Narrowed { policy, .. } => Some(policy),
        Remains::Nothing(_) => return None,
    };
    let pauses = opening.narrowed_again_at().is_some_and(|until| view.now < until);
    if now == opening.narrowed.policy.as_ref() || pauses || view.records != Records::Writable {
        return None;
    }
    let stage = opening.stage;
    let Some(policy) = now else {
        let message = format!("{stage} allows all again that was agreed to");
        let reason = RecordReason::PolicyChanged;
        return Some(Entry::of_opening(RecordEvent::Resumed, opening, reason, message));
    };
    let lost = lattice::diff(Some(&opening.policy), Some(policy));
    let lost: Vec<String> = lost.iter().map(ToString::to_string).collect();
    let message = format!("{stage} allows less than was agreed to: {}", lost.join("; "));
    Some(Entry::narrowed(opening, policy, view.outlook.digest(), message))
}

/// Opens the next stage, when its gates are met.
fn open_next(view: &View<'_>, journal: &Journal) -> (Option<Step>, Option<Waiting>) {
    let Ok(agreement) = &view.outlook.agreement else { return (None, None) };
    // Where nothing can be written down, what somebody decided may be among it.
    if view.records != Records::Writable {
        return (None, None);
    }
    let journal = view.foreseen.unwrap_or(journal);
    if view.facts.suspended || journal.consents.quarantined.is_some() || journal.consents.is_expired {
        return (None, None);
    }
    let forum = Forum { journal, agreement, made_again: view.made_again, now: view.now };
    let is_complete = |opening: &Opening| view.is_complete(opening);
    let gives = |opening: &Opening| view.gives(opening);
    let gates = Gates { forum, facts: view.facts, is_complete: &is_complete, gives: &gives };
    match gates.next_opening() {
        Ok(Some(_)) if view.conflict.is_some() => (None, view.conflict.as_deref().map(conflict)),
        Ok(entry) => (entry.map(|entry| Step::Record(Box::new(entry))), None),
        Err(waiting) => (None, Some(waiting)),
    }
}

/// The next step towards an open place, in the order of promise P5; or what it waits for.
fn open_place(view: &View<'_>, place: &Place<'_>) -> Result<Option<Step>, Waiting> {
    let Some(opening) = place.opening else { return Ok(None) };
    let standing = &place.standing;
    let namespace = place.namespace.to_owned();
    if let Some(pause) = pause(opening, view.now) {
        return Err(pause);
    }
    if let NamespaceStanding::Ours { closing, terminating, .. } = standing.namespace
        && (closing || terminating)
    {
        return leaving(view, place);
    }
    match opening.state {
        Recorded::Closed { .. } => return Ok(Some(Step::Record(Box::new(Entry::reopened(opening))))),
        // Whether it can be confined by now is seen before anybody is told that it is open.
        Recorded::Suspended { reason: RecordReason::Unconfined, .. }
            if standing.namespace != NamespaceStanding::Absent && !standing.too_wide.is_empty() =>
        {
            return Ok(Some(Step::Apply(standing.too_wide.clone())));
        }
        Recorded::Suspended { .. } => {
            let message = format!("access to {} is opened again; its end stands", opening.stage);
            let reason = RecordReason::Suspended;
            let entry = Entry::of_opening(RecordEvent::Resumed, opening, reason, message);
            return Ok(Some(Step::Record(Box::new(entry))));
        }
        Recorded::Open => {}
    }
    match standing.namespace {
        NamespaceStanding::Absent => Ok(Some(Step::CreateNamespace(namespace))),
        NamespaceStanding::Foreign => Err(conflict(place.namespace)),
        NamespaceStanding::Ours { as_wanted_open, .. } => fill_place(view, place, as_wanted_open),
    }
}

/// What an opening waits for that was closed and opened again too often.
fn pause(opening: &Opening, now: Timestamp) -> Option<Waiting> {
    let (count, _) = opening.interrupted.filter(|_| opening.state != Recorded::Open)?;
    let until = opening.opens_again_at().filter(|until| now < *until)?;
    let message = format!(
        "{} was closed and opened again {count} times, so it waits, each time longer; it is opened again at {until}, \
         and its end stands",
        opening.stage
    );
    Some(Waiting { reason: Reason::Interrupted, message, until: Some(until) })
}

/// A namespace that was on its way out has to be gone before a new one takes its name. It goes as any
/// other does: deleted as it stands, its default deny might go before its pods.
fn leaving(view: &View<'_>, place: &Place<'_>) -> Result<Option<Step>, Waiting> {
    if let Some(step) = leave(view, place) {
        return Ok(Some(step));
    }
    let message = format!("the namespace {} has to be gone before it is made again", place.namespace);
    Err(Waiting { reason: Reason::Opening, message, until: None })
}

/// Fills a namespace: closed off first, then identities, certificates, pods allowed, bindings.
fn fill_place(view: &View<'_>, place: &Place<'_>, gate_open: bool) -> Result<Option<Step>, Waiting> {
    let standing = &place.standing;
    let wait = |reason, message: &str| Err(Waiting { reason, message: message.to_owned(), until: None });
    for part in [&standing.confinement, &standing.identities] {
        if !part.missing.is_empty() {
            return Ok(Some(Step::Apply(part.missing.clone())));
        }
    }
    if !gate_open {
        if let Some(lacking) = view.lacking {
            return Err(unguarded(lacking));
        }
        match &standing.certificates {
            Certificates::Ready if standing.quota_in_force => {
                return Ok(Some(Step::SetGate(place.namespace.to_owned(), Gate::Open)));
            }
            Certificates::Ready => return wait(Reason::QuotaPending, "the quota isn't in force yet"),
            Certificates::Refused(why) => return wait(Reason::CertificateRefused, why),
            Certificates::None | Certificates::Pending => {
                return wait(
                    Reason::CertificatePending,
                    "waiting for `comity sign` to issue the certificates",
                );
            }
        }
    }
    let missing = &standing.bindings.missing;
    Ok((!missing.is_empty()).then(|| Step::Apply(missing.clone())))
}

/// What is said when what holds pods to the rules isn't in force.
fn unguarded(lacking: &str) -> Waiting {
    let message = format!("no pods are allowed before Comity's admission policies are in force: {lacking}");
    Waiting { reason: Reason::Unguarded, message, until: None }
}

/// What is said when somebody else has the namespace's name.
fn conflict(namespace: &str) -> Waiting {
    let message = format!(
        "a namespace {namespace} exists and isn't Comity's; Comity never takes one over: delete it, or make the \
         grant under another name"
    );
    Waiting { reason: Reason::NamespaceConflict, message, until: None }
}
