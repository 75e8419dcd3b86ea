//! The life of a grant: the one next step, from what stands, the journal and the time. Pure, so
//! every interleaving of crash, clock and user can be tried.
//!
//! What closes comes before what opens, and closing access comes before clearing what is left.

mod open;

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::build::namespace::Gate;
use super::check::{Certificates, Doomed, NamespaceStanding, Standing};
use super::gate::Waiting;
use crate::api::condition::whole_seconds;
use crate::api::record::{RecordEvent, RecordReason};
use crate::journal::append::Entry;
use crate::journal::wanted::{GrantFacts, Wanted, gave_way, wanted};
use crate::journal::{Broken, Journal, Opening, Recorded};
use crate::plan::objects::Wanted as Object;
use crate::policy::{Agreement, Problem};

/// How long clearing waits for `comity sign` to take back its certificates. They end by
/// themselves; waiting merely keeps the order.
pub const CERTIFICATE_GRACE: SignedDuration = SignedDuration::from_secs(5);

/// Everything that deciding goes by.
#[derive(Debug)]
pub struct View<'a> {
    /// What the grant itself says.
    pub facts: GrantFacts,
    /// Whether the grant carries Comity's finalizer.
    pub finalized: bool,
    /// What is agreed, or why nothing is.
    pub agreement: &'a Result<Agreement, Vec<Problem>>,
    /// What the records say.
    pub journal: &'a Result<Journal, Broken>,
    /// Every place of this grant: its openings', and namespaces that no record speaks of.
    pub places: Vec<Place<'a>>,
    /// Namespaces of which it is known whether pods are left.
    pub pods: &'a BTreeMap<String, bool>,
    /// Whether somebody else has a namespace of the name that the next stage needs.
    pub conflict: Option<String>,
    /// Whether records can be written now. Closing doesn't wait for them.
    pub records: Records,
    /// The time.
    pub now: Timestamp,
}

/// Whether the journal can be written to.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Records {
    /// As far as is known.
    #[default]
    Writable,
    /// It didn't work just now.
    Failing,
    /// The API server refuses records, as it does in a namespace that is being deleted.
    Refused,
}

/// A namespace of the grant's, and what stands in it.
#[derive(Debug)]
pub struct Place<'a> {
    /// Its name.
    pub namespace: &'a str,
    /// The opening that it is for; `None` where no record speaks of it.
    pub opening: Option<&'a Opening>,
    /// What stands in it.
    pub standing: Standing,
}

/// One step. Each can be taken twice without harm, so a crash after it costs nothing.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Puts the finalizer on the grant, before anything is opened.
    Finalize,
    /// Takes the finalizer off, once nothing is left.
    Unfinalize,
    /// Appends to the journal.
    Record(Box<Entry>),
    /// Makes a namespace that must not exist yet.
    CreateNamespace(String),
    /// Sets the gate of a namespace.
    SetGate(String, Gate),
    /// Applies objects, in this order.
    Apply(Vec<Object>),
    /// Deletes objects.
    Delete(Vec<Doomed>),
    /// Looks whether pods are left in a namespace.
    CountPods(String),
    /// Deletes what runs in a namespace.
    DeletePods(String),
    /// Deletes a namespace, known by its UID.
    DeleteNamespace(String, String),
}

/// What to do now, and when to look again.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Decision {
    /// The one next step; `None`: nothing to do.
    pub step: Option<Step>,
    /// What is waited for.
    pub waiting: Option<Waiting>,
    /// Moments at which it has to be looked at again.
    pub look_again: Vec<Timestamp>,
}

impl View<'_> {
    /// The journal; empty where it is broken, so that nothing opens by it.
    fn openings(&self) -> &[Opening] {
        self.journal.as_ref().map_or(&[], |journal| &journal.openings)
    }

    /// Whether an opening has all that it is made of.
    pub fn is_complete(&self, opening: &Opening) -> bool {
        opening.state == Recorded::Open
            && self
                .places
                .iter()
                .any(|place| place.namespace == opening.namespace && place.standing.is_complete())
    }

    /// What the place should be now.
    pub fn wanted(&self, place: &Place<'_>) -> Wanted {
        match (self.journal, place.opening) {
            (Ok(journal), Some(opening)) => {
                let is_complete = |opening: &Opening| self.is_complete(opening);
                wanted(opening, journal, self.facts, self.agreement, &is_complete, self.now)
            }
            (Ok(_), None) => Wanted::Closed(RecordReason::NamespaceLost),
            // What is being deleted has nothing left that a mended journal could bring back.
            (Err(_), _) if self.facts.deleting => Wanted::Closed(RecordReason::Deleted),
            (Err(_), _) => Wanted::Held(RecordReason::NotAccepted),
        }
    }
}

/// The next step of a grant.
pub fn decide(view: &View<'_>) -> Decision {
    let mut decision = Decision { look_again: moments(view), ..Decision::default() };
    decision.step = shut(view).or_else(|| clear(view)).or_else(|| conclude(view));
    if decision.step.is_none() {
        let (step, waiting) = open::open(view);
        decision.step = step;
        decision.look_again.extend(waiting.iter().filter_map(|waiting| waiting.until));
        decision.waiting = waiting;
    }
    decision
}

/// Closes access where it has to be closed: binding, pods not allowed, paths; then says so.
fn shut(view: &View<'_>) -> Option<Step> {
    let mut records = None;
    for place in &view.places {
        let (gate, reason) = match view.wanted(place) {
            Wanted::Open => continue,
            Wanted::Held(reason) => (Gate::Closed, reason),
            Wanted::Closed(reason) => (Gate::Closing, reason),
        };
        if let Some(step) = shut_place(place, gate) {
            return Some(step);
        }
        records = records.or_else(|| record_of(view, place, gate, reason));
    }
    records.filter(|_| view.records == Records::Writable).map(|entry| Step::Record(Box::new(entry)))
}

/// Closes access to one place.
fn shut_place(place: &Place<'_>, gate: Gate) -> Option<Step> {
    let standing = &place.standing;
    if !standing.all_bindings.is_empty() {
        return Some(Step::Delete(standing.all_bindings.clone()));
    }
    if let NamespaceStanding::Ours { pods_closed, closing, terminating: false, .. } = standing.namespace
        && (!pods_closed || (gate == Gate::Closing && !closing))
    {
        return Some(Step::SetGate(place.namespace.to_owned(), gate));
    }
    let paths = standing.paths();
    (!paths.is_empty()).then_some(Step::Delete(paths))
}

/// What the journal has to say of a place whose access is closed, unless it says so already.
fn record_of(view: &View<'_>, place: &Place<'_>, gate: Gate, reason: RecordReason) -> Option<Entry> {
    let opening = place.opening?;
    match (gate, opening.state) {
        (Gate::Closing, Recorded::Open | Recorded::Suspended) => {
            let message = format!("{} was closed at {}: {reason:?}", opening.stage, whole_seconds(view.now));
            Some(Entry::of_opening(RecordEvent::Closed, opening, reason, message))
        }
        (Gate::Closed, Recorded::Open) => {
            let message =
                format!("access to {} was closed for now: {reason:?}; its end stands", opening.stage);
            Some(Entry::of_opening(RecordEvent::Suspended, opening, reason, message))
        }
        _ => None,
    }
}

/// Clears what is closed: certificates first, then pods, the namespace last, since its default
/// deny and its quota have to outlive what they hold.
fn clear(view: &View<'_>) -> Option<Step> {
    view.places
        .iter()
        .filter(|place| matches!(view.wanted(place), Wanted::Closed(_)))
        .find_map(|place| clear_place(view, place))
}

fn clear_place(view: &View<'_>, place: &Place<'_>) -> Option<Step> {
    let NamespaceStanding::Ours { terminating: false, uid, .. } = &place.standing.namespace else {
        return None;
    };
    if view.now < certificates_waited_for(place).unwrap_or(view.now) {
        return None;
    }
    let namespace = place.namespace.to_owned();
    Some(match view.pods.get(place.namespace) {
        None => Step::CountPods(namespace),
        Some(true) => Step::DeletePods(namespace),
        Some(false) => Step::DeleteNamespace(namespace, uid.clone()),
    })
}

/// Until when a closed place waits for its certificates to be taken back, if there are any.
fn certificates_waited_for(place: &Place<'_>) -> Option<Timestamp> {
    let has_any = place.opening.is_none_or(|opening| !opening.policy.certified().is_empty())
        && place.standing.certificates != Certificates::None;
    let Recorded::Closed { at, .. } = place.opening?.state else { return None };
    has_any.then(|| at.checked_add(CERTIFICATE_GRACE).unwrap_or(at))
}

/// Ends the grant once nothing is left and nothing can open any more.
fn conclude(view: &View<'_>) -> Option<Step> {
    let cleared = view.places.iter().all(|place| {
        matches!(place.standing.namespace, NamespaceStanding::Absent | NamespaceStanding::Foreign)
    });
    let ended = view.journal.as_ref().is_ok_and(|journal| journal.ended.is_some());
    if !cleared || !(ended || view.facts.deleting || is_over(view)) {
        return None;
    }
    if !ended && view.journal.as_ref().is_ok_and(|journal| journal.next > 1) {
        let reason = if view.facts.deleting { RecordReason::Deleted } else { RecordReason::NothingLeft };
        let message = "nothing is open and nothing can open any more; for more access make a new grant";
        match view.records {
            Records::Writable => {
                let entry = Entry::of_grant(RecordEvent::Ended, Some(reason), message);
                return Some(Step::Record(Box::new(entry)));
            }
            Records::Refused if view.facts.deleting => {}
            // An end that isn't written isn't final: the grant is kept until it is.
            Records::Failing | Records::Refused => return None,
        }
    }
    view.finalized.then_some(Step::Unfinalize)
}

/// Whether something was opened, nothing is open, and nothing up to the ceiling can open any more.
fn is_over(view: &View<'_>) -> bool {
    let Ok(journal) = view.journal else { return false };
    let lives = |opening: &Opening| {
        let reopens = opening.closed_for().is_none_or(RecordReason::can_reopen);
        let gave_way = gave_way(opening, journal, view.facts.ceiling);
        reopens && !gave_way && view.now < opening.end && opening.stage <= view.facts.ceiling
    };
    !journal.openings.is_empty() && !journal.openings.iter().any(lives)
}

/// The moments at which something changes by time alone.
fn moments(view: &View<'_>) -> Vec<Timestamp> {
    let mut moments: Vec<Timestamp> =
        view.openings().iter().filter(|opening| !opening.is_closed()).map(|opening| opening.end).collect();
    moments.extend(view.places.iter().filter_map(certificates_waited_for));
    match view.agreement {
        Ok(agreement) => {
            moments.extend(agreement.not_before);
            moments.extend(agreement.review_at);
            moments.push(agreement.not_after);
        }
        Err(problems) => moments.extend(problems.iter().filter_map(|problem| problem.until)),
    }
    moments.retain(|moment| *moment > view.now);
    moments
}
