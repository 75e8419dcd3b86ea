//! What is said of a grant: conditions, openings and ends, from the view and the decision. Pure.

use std::collections::BTreeSet;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

mod change;
mod rehearsed;
mod situation;

use super::decide::{Decision, Place, View};
use super::meter::OpenNow;
use crate::api::condition::{ConditionType, Finding, Reason, merge};
use crate::api::enforcement::EnforcedClause;
use crate::api::grant::{OpeningState, OpeningStatus, PartnerGrantStatus};
use crate::api::record::RecordReason;
use crate::api::stage::Stage;
use crate::journal::wanted::{Wanted, review_lapses_at};
use crate::journal::{Opening, Recorded};
use situation::{Situation, SituationKind, refused, situation};

/// How many openings a status tells of: the newest ones.
const OPENINGS_TOLD: usize = 32;

/// The status that a grant should have.
pub fn status(
    view: &View<'_>,
    decision: &Decision,
    old: &[Condition],
    generation: Option<i64>,
    enforcement: Vec<EnforcedClause>,
) -> PartnerGrantStatus {
    let open = open_now(view);
    let findings = findings(view, decision, &open, generation);
    PartnerGrantStatus {
        observed_generation: generation,
        expires_at: open.iter().map(|opening| view.until(opening)).max().map(Time),
        open_stages: open.iter().map(|opening| opening.stage).collect::<BTreeSet<_>>().into_iter().collect(),
        request_digest: view.outlook.digest().map(str::to_owned),
        pending: change::pending(view, &open),
        openings: openings(view),
        enforcement,
        conditions: merge(old, &findings, generation, view.now),
    }
}

/// The openings that can be used now, in the order of their stages.
fn open_now<'a>(view: &View<'a>) -> Vec<&'a Opening> {
    let mut open: Vec<&Opening> = view
        .places
        .iter()
        .filter(|place| view.wanted(place) == Wanted::Open && place.standing.is_complete())
        .filter_map(|place| place.opening.filter(|opening| opening.state == Recorded::Open))
        .collect();
    open.sort_by_key(|opening| opening.stage);
    open
}

/// The same, with the times at which they end and at which a review that nobody answers closes them.
pub(super) fn open_for(view: &View<'_>) -> Vec<OpenNow> {
    let lapses = |opening| review_lapses_at(opening, view.journal.as_ref().ok()?);
    open_now(view)
        .into_iter()
        .map(|opening| OpenNow { stage: opening.stage, until: view.until(opening), lapses: lapses(opening) })
        .collect()
}

fn findings(
    view: &View<'_>,
    decision: &Decision,
    open: &[&Opening],
    generation: Option<i64>,
) -> Vec<Finding> {
    let situation = situation(view, decision, open, generation);
    let message = situation.message.clone();
    let ready = situation.kind == SituationKind::Settled;
    let moving = situation.kind == SituationKind::Moving;
    let stuck = situation.kind == SituationKind::Stuck;
    vec![
        Finding {
            condition: ConditionType::Ready,
            holds: ready,
            reason: situation.reason,
            message: message.clone(),
        },
        accepted(view, generation),
        approved(view, decision),
        rehearsed::rehearsed(view),
        provisioned(view),
        active(view, open, &situation),
        flag(ConditionType::Reconciling, moving, situation.reason, &message),
        flag(ConditionType::Stalled, stuck, situation.reason, &message),
    ]
}

/// A condition that says nothing more where it doesn't hold.
fn flag(condition: ConditionType, holds: bool, reason: Reason, message: &str) -> Finding {
    if holds { Finding::yes(condition, reason, message) } else { Finding::no(condition, Reason::Settled, "") }
}

fn accepted(view: &View<'_>, generation: Option<i64>) -> Finding {
    if let Some(message) = changed_after_end(view, generation) {
        return Finding::no(ConditionType::Accepted, Reason::Ended, message);
    }
    match &view.outlook.agreement {
        Ok(_) => {
            Finding::yes(ConditionType::Accepted, Reason::Accepted, "everything that it refers to permits it")
        }
        Err(problems) => {
            let reason = problems.first().map_or(Reason::Invalid, |problem| problem.reason);
            let told: Vec<&str> = problems.iter().map(|problem| problem.message.as_str()).collect();
            Finding::no(ConditionType::Accepted, reason, told.join(". "))
        }
    }
}

/// What is said where the spec was changed after the end.
fn changed_after_end(view: &View<'_>, generation: Option<i64>) -> Option<String> {
    let ending = view.journal.as_ref().ok()?.ended?;
    (ending.generation.is_some() && ending.generation != generation).then(|| {
        format!(
            "this grant ended at {}, and what has ended is never opened again: make a new grant",
            ending.at
        )
    })
}

/// Whether people agree: to what waits for them, else to what is open.
fn approved(view: &View<'_>, decision: &Decision) -> Finding {
    let waits = [Reason::ConsentPending, Reason::ConsentRefused];
    if let Some(waiting) = decision.waiting.as_ref().filter(|waiting| waits.contains(&waiting.reason)) {
        return Finding::no(ConditionType::Approved, waiting.reason, &waiting.message);
    }
    let asked = |opening: &&Opening| {
        opening.policy.approvals.iter().any(|rule| rule.stage == opening.stage && rule.required > 0)
    };
    let Some(last) = view.openings().last() else {
        return Finding::no(ConditionType::Approved, Reason::NotOpened, "nothing was opened yet");
    };
    if asked(&last) {
        let message = format!("people agreed to {} with the digest {}", last.stage, last.digest);
        return Finding::yes(ConditionType::Approved, Reason::ConsentGiven, message);
    }
    let message = format!("nobody has to agree to {}", last.stage);
    Finding::yes(ConditionType::Approved, Reason::ConsentNotNeeded, message)
}

/// Whether everything is stored that the stages are made of which are to be open.
fn provisioned(view: &View<'_>) -> Finding {
    let open = view.places.iter().filter(|place| view.wanted(place) == Wanted::Open);
    let (stored, missing): (Vec<_>, Vec<_>) = open.partition(|place| place.standing.is_complete());
    let names = |places: &[&Place<'_>]| {
        let stages = places.iter().filter_map(|place| Some(place.opening?.stage.to_string()));
        stages.collect::<Vec<String>>().join(" and ")
    };
    if !missing.is_empty() {
        let message = format!("what {} is made of is being stored", names(&missing));
        return Finding::no(ConditionType::Provisioned, Reason::Opening, message);
    }
    if stored.is_empty() {
        return Finding::no(ConditionType::Provisioned, Reason::NotOpened, "no stage is to be open now");
    }
    if let Some(refused) = refused(view) {
        return Finding::no(ConditionType::Provisioned, refused.reason, refused.message);
    }
    let message = format!("everything that {} is made of is stored", names(&stored));
    Finding::yes(ConditionType::Provisioned, Reason::Open, message)
}

fn active(view: &View<'_>, open: &[&Opening], situation: &Situation) -> Finding {
    if let Some(until) = open.iter().map(|opening| view.until(opening)).max() {
        let stages: BTreeSet<Stage> = open.iter().map(|opening| opening.stage).collect();
        let stages: Vec<String> = stages.iter().map(ToString::to_string).collect();
        let less = view.places.iter().any(|place| !change::narrowed(place).is_empty());
        let less = if less { "; less is allowed than was agreed to: see status.openings" } else { "" };
        let message = format!("{} open until {until}{less}", stages.join(" and "));
        return Finding::yes(ConditionType::Active, Reason::Open, message);
    }
    if let (Ok(_), Some((stage, RecordReason::Expired))) = (&view.outlook.agreement, last_closing(view)) {
        return Finding::no(ConditionType::Active, Reason::Expired, format!("the time of {stage} is over"));
    }
    let message = format!("{}{}", situation.message, certificates_left(view));
    Finding::no(ConditionType::Active, situation.reason, message)
}

/// Until when a certificate may still be valid that was issued before access was closed. Nobody can
/// revoke one; each ends by itself. Says nothing that changes as time passes.
fn certificates_left(view: &View<'_>) -> String {
    let mut ends = view.places.iter().rev().filter_map(|place| {
        let opening = place.opening.filter(|opening| !opening.policy.certified().is_empty())?;
        let ttl = opening.policy.security.credential_ttl.as_ref()?;
        match (view.wanted(place), opening.state) {
            (_, Recorded::Closed { reason: RecordReason::Expired | RecordReason::Promoted, .. }) => None,
            (Wanted::Held(_), _) => {
                Some(format!("at most {ttl} after access was closed, and by {}", opening.end))
            }
            (Wanted::Closed(_), Recorded::Closed { at, .. }) => {
                let last = at.checked_add(ttl.length()?).map_or(opening.end, |last| last.min(opening.end));
                Some(format!("by {last}"))
            }
            _ => None,
        }
    });
    ends.next().map_or_else(String::new, |last| {
        format!("; certificates that were issued before end by themselves, {last}")
    })
}

/// The stage that closed last, and why.
fn last_closing(view: &View<'_>) -> Option<(Stage, RecordReason)> {
    let journal = view.journal.as_ref().ok()?;
    let closed = |opening: &Opening| match opening.state {
        Recorded::Closed { reason, at } => Some((at, opening.stage, reason)),
        _ => None,
    };
    journal
        .openings
        .iter()
        .filter_map(closed)
        .max_by_key(|(at, stage, _)| (*at, *stage))
        .map(|(_, s, r)| (s, r))
}

/// The openings as a status tells of them.
fn openings(view: &View<'_>) -> Vec<OpeningStatus> {
    let told = view.places.iter().filter_map(|place| {
        let opening = place.opening?;
        let state = opening_state(view, place);
        Some(OpeningStatus {
            stage: opening.stage,
            digest: opening.digest.clone(),
            state,
            namespace: opening.namespace.as_str().into(),
            opened_at: Time(opening.opened_at),
            expires_at: Time(view.until(opening)),
            narrowed: change::narrowed(place),
        })
    });
    let all: Vec<OpeningStatus> = told.collect();
    all.into_iter().rev().take(OPENINGS_TOLD).rev().collect()
}

fn opening_state(view: &View<'_>, place: &Place<'_>) -> OpeningState {
    use super::check::NamespaceStanding::{Absent, Foreign};
    match view.wanted(place) {
        Wanted::Open if place.standing.is_complete() => OpeningState::Open,
        Wanted::Open => OpeningState::Opening,
        Wanted::Held(_) => OpeningState::Held,
        Wanted::Closed(_) if matches!(place.standing.namespace, Absent | Foreign) => OpeningState::Closed,
        Wanted::Closed(_) => OpeningState::Closing,
    }
}

/// Whether two statuses say the same, times of change aside.
pub fn says_the_same(one: &PartnerGrantStatus, other: &PartnerGrantStatus) -> bool {
    one == other
}

/// The time at which a condition became what it is; for tests and figures.
pub fn since(status: &PartnerGrantStatus, condition: ConditionType) -> Option<Timestamp> {
    let found = status.conditions.iter().find(|found| found.type_ == condition.as_str())?;
    Some(found.last_transition_time.0)
}
