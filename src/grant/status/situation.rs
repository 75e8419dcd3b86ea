//! How a grant as a whole stands, in one word and one sentence. Pure.

use super::{accepted, changed_after_end};
use crate::api::condition::Reason;
use crate::api::contract::QuarantinedPods;
use crate::api::record::RecordReason;
use crate::grant::check::Certificates;
use crate::grant::decide::close::loses_pods;
use crate::grant::decide::{Decision, Place, View};
use crate::journal::Opening;
use crate::journal::wanted::Wanted;

/// How the grant as a whole stands, in one word and one sentence.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Situation {
    pub(super) reason: Reason,
    pub(super) message: String,
    pub(super) kind: SituationKind,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum SituationKind {
    /// As it can be now.
    Settled,
    /// Comity, or something that it waits for, is at work on it.
    Moving,
    /// Somebody has to change something.
    Stuck,
}

pub(super) fn situation(
    view: &View<'_>,
    decision: &Decision,
    open: &[&Opening],
    generation: Option<i64>,
) -> Situation {
    let say = |kind, reason, message: String| Situation { reason, message, kind };
    let journal = match view.journal {
        Ok(journal) => journal,
        Err(broken) => {
            let message = format!("the journal can't be trusted, so nothing is open: {broken}");
            return say(SituationKind::Stuck, Reason::JournalBroken, message);
        }
    };
    if let Some(message) = changed_after_end(view, generation) {
        return say(SituationKind::Stuck, Reason::Ended, message);
    }
    if let Some(ending) = journal.ended {
        let message = format!("ended at {}: nothing is open and nothing can open any more", ending.at);
        return say(SituationKind::Settled, Reason::Ended, message);
    }
    held(view)
        .or_else(|| refused(view))
        .or_else(|| unguarded(view, open))
        .or_else(|| waiting(decision, open))
        .or_else(|| closing(view, decision))
        .unwrap_or_else(|| rest(view, decision, open))
}

/// What holds access back although it was opened, or could be.
fn held(view: &View<'_>) -> Option<Situation> {
    if view.outlook.agreement.is_err() {
        let accepted = accepted(view, None);
        let (reason, message) = (accepted.reason, format!("{}{}", accepted.message, lost_pods(view)));
        return Some(Situation { reason, message, kind: SituationKind::Moving });
    }
    let holding = view.places.iter().find_map(|place| match view.wanted(place) {
        Wanted::Held(reason) => Some((place, reason)),
        _ => None,
    });
    let opening = holding.and_then(|(place, _)| place.opening);
    let stage = opening.map_or_else(String::new, |opening| format!("{} is closed: ", opening.stage));
    let quarantined = view.journal.as_ref().ok().and_then(|journal| journal.consents.quarantined.as_ref());
    if let Some((by, since)) = quarantined {
        let message = format!(
            "{stage}{by} quarantined it at {since}, until somebody else releases it; every end stands; {}",
            quarantined_pods(view)
        );
        return Some(Situation { reason: Reason::Quarantined, message, kind: SituationKind::Settled });
    }
    if view.facts.suspended {
        let message = format!("{stage}spec.suspend is true; every end stands");
        return Some(Situation { reason: Reason::Suspended, message, kind: SituationKind::Settled });
    }
    if let Some((place, RecordReason::Unconfined)) = holding {
        return unconfined(view, place, &stage);
    }
    holding.map(|_| Situation {
        reason: Reason::PolicyChanged,
        message: format!(
            "{stage}nothing is left of what was agreed to, by what grant, contract, partner, datasets and boundary \
             say now; put them back as they were, or have what they say agreed to; the end stands{}",
            lost_pods(view)
        ),
        kind: SituationKind::Stuck,
    })
}

/// What is closed because somebody refuses to let it be confined as it has to be.
fn unconfined(view: &View<'_>, place: &Place<'_>, stage: &str) -> Option<Situation> {
    let why = &view.unconfined.get(place.namespace)?.why;
    let message = format!(
        "{stage}what confines it couldn't be made as narrow as it has to be: {why}; it is tried again every half minute, \
         and the end stands"
    );
    Some(Situation { reason: Reason::Refused, message, kind: SituationKind::Stuck })
}

/// What becomes of pods under quarantine, and of what they have open.
fn quarantined_pods(view: &View<'_>) -> &'static str {
    let deletes = |opening: &Opening| {
        opening
            .policy
            .quarantine
            .as_ref()
            .is_some_and(|quarantine| quarantine.pods == QuarantinedPods::Delete)
    };
    if view.openings().iter().any(deletes) {
        "its pods are deleted"
    } else {
        "its pods are kept, and connections that they have open may live on"
    }
}

/// What becomes of pods where nothing is left that they would be allowed to be.
fn lost_pods(view: &View<'_>) -> &'static str {
    let is_lost = |place: &Place<'_>| view.wanted(place) != Wanted::Held(RecordReason::Quarantined);
    if view.places.iter().any(|place| is_lost(place) && loses_pods(view, place)) {
        "; its pods are deleted"
    } else {
        ""
    }
}

/// What opening waits for.
fn waiting(decision: &Decision, open: &[&Opening]) -> Option<Situation> {
    let waiting = decision.waiting.clone()?;
    let kind = match waiting.reason {
        Reason::NotYet | Reason::Interrupted | Reason::WaitingForTime
            if waiting.until.is_some() || !open.is_empty() =>
        {
            SituationKind::Settled
        }
        // Waiting for people must not read as failed; that they refused must.
        Reason::ConsentPending => SituationKind::Settled,
        // What a rehearsal showed waits for people too: for whoever mends it.
        Reason::ConsentRefused | Reason::RehearsalFailed | Reason::RehearsalIncomplete
            if !open.is_empty() =>
        {
            SituationKind::Settled
        }
        Reason::WaitingForTime
        | Reason::NamespaceConflict
        | Reason::ConsentRefused
        | Reason::RehearsalFailed
        | Reason::RehearsalIncomplete => SituationKind::Stuck,
        _ => SituationKind::Moving,
    };
    Some(Situation { reason: waiting.reason, message: waiting.message, kind })
}

/// What is open although no certificate is issued for it any more.
pub(super) fn refused(view: &View<'_>) -> Option<Situation> {
    let is_open = |place: &&Place<'_>| view.wanted(place) == Wanted::Open && place.standing.is_complete();
    view.places.iter().filter(is_open).find_map(|place| {
        let (opening, Certificates::Refused(why)) = (place.opening?, &place.standing.certificates) else {
            return None;
        };
        let message = format!(
            "{} is open until {}, but its certificates aren't renewed, and end by themselves: {why}",
            opening.stage,
            view.until(opening)
        );
        let (kind, reason) = (SituationKind::Moving, Reason::CertificateRefused);
        Some(Situation { reason, message, kind })
    })
}

/// What is open although what holds its pods to the rules isn't in force any more.
fn unguarded(view: &View<'_>, open: &[&Opening]) -> Option<Situation> {
    let (last, lacking) = (open.last()?, view.lacking?);
    let message = format!(
        "{} is open until {}, but Comity's admission policies aren't all in force: {lacking}; install them again",
        last.stage,
        view.until(last)
    );
    Some(Situation { reason: Reason::Unguarded, message, kind: SituationKind::Moving })
}

/// What is still being closed and cleared.
fn closing(view: &View<'_>, decision: &Decision) -> Option<Situation> {
    use crate::grant::check::NamespaceStanding::Ours;
    let place = view.places.iter().find(|place| {
        matches!(view.wanted(place), Wanted::Closed(_)) && matches!(place.standing.namespace, Ours { .. })
    })?;
    let none_open =
        decision.step.is_some() || !view.places.iter().any(|place| view.wanted(place) == Wanted::Open);
    none_open.then(|| Situation {
        reason: Reason::Closing,
        message: format!("access is closed; {} is being cleared", place.namespace),
        kind: SituationKind::Moving,
    })
}

fn rest(view: &View<'_>, decision: &Decision, open: &[&Opening]) -> Situation {
    if let (Some(last), None) = (open.last(), &decision.step) {
        let message = format!("{} is open until {}", last.stage, view.until(last));
        return Situation { reason: Reason::Open, message, kind: SituationKind::Settled };
    }
    let (reason, message) = if view.facts.deleting {
        (Reason::Closing, "the grant is being deleted: access is closed first, then everything is cleared")
    } else {
        (Reason::Opening, "what the stage is made of is being stored")
    };
    Situation { reason, message: message.to_owned(), kind: SituationKind::Moving }
}
