//! The life of a grant: the one next step, from what stands, the journal and the time. Pure, so
//! every interleaving of crash, clock and user can be tried.
//!
//! What closes ([`close`]) comes before what opens ([`open`]), and closing access comes before
//! clearing what is left.

pub(super) mod close;
pub mod confined;
mod heard;
mod open;
mod rehearsed;
pub mod running;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

use super::build::namespace::Gate;
use super::check::{Doomed, NamespaceStanding, Standing};
use super::gate::Waiting;
use super::hear::Hearing;
use super::weigh::Weighed;
use crate::api::GrantDecision;
use crate::api::contract::NarrowedPods;
use crate::api::effective::EffectivePolicy;
use crate::api::record::{RecordEvent, RecordReason};
use crate::journal::append::Entry;
use crate::journal::rehearsal::Told;
use crate::journal::remains::Remains;
use crate::journal::wanted::{
    Circumstances, GrantFacts, Wanted, gave_way, gives_way_at, kept_until, review_lapses_at,
};
use crate::journal::{Broken, Journal, Opening, Recorded};
use crate::plan::objects::{Key, Wanted as Object};
use crate::policy::standing::Outlook;

use close::{certificates_waited_for, clear, confine, shut, tidy};
use confined::AllUnconfined;
use heard::{Heard, answered, extended, heard};
use rehearsed::rehearsed;
use running::{weigh, weighed_at};

/// Everything that deciding goes by.
#[derive(Debug)]
pub struct View<'a> {
    /// What the grant itself says.
    pub facts: GrantFacts,
    /// Whether the grant carries Comity's finalizer.
    pub finalized: bool,
    /// What everything that it depends on comes to.
    pub outlook: &'a Outlook,
    /// The digest of what was agreed when that was last known; `None`: nobody remembers.
    pub stood: Option<&'a str>,
    /// What the records say.
    pub journal: &'a Result<Journal, Broken>,
    /// Every place of this grant: its openings', and namespaces that no record speaks of.
    pub places: Vec<Place<'a>>,
    /// What people decided of this grant, in the order in which they did, less what was heard in vain.
    pub decisions: &'a [Arc<GrantDecision>],
    /// What rehearsals showed that isn't in the journal yet.
    pub told: &'a [Told],
    /// When somebody last quarantined in vain what was quarantined already.
    pub quarantined_again: Option<Timestamp>,
    /// Whether there was a grant before this one for the same partner, contract and purpose.
    pub made_again: bool,
    /// Namespaces of which it is known whether pods are left.
    pub pods: &'a BTreeMap<String, Pods>,
    /// Namespaces of which it is known which pods run and aren't allowed any more.
    pub weighed: &'a BTreeMap<String, Weighed>,
    /// What can't be confined as it has to be.
    pub unconfined: &'a AllUnconfined,
    /// Whether somebody else has a namespace of the name that the next stage needs.
    pub conflict: Option<String>,
    /// Whether records can be written now. Closing doesn't wait for them.
    pub records: Records,
    /// What of Comity's own admission policies isn't in force. No gate opens then: they are what
    /// holds it.
    pub lacking: Option<&'a str>,
    /// The journal as it will be, where something that closes or refuses can't be written down.
    pub foreseen: Option<&'a Journal>,
    /// The UIDs of decisions whose records were refused in this pass. The others are none the worse for
    /// that.
    pub refused: &'a BTreeSet<String>,
    /// What couldn't be closed or cleared in this pass. The rest of it is none the worse for that.
    pub failed: &'a BTreeSet<Key>,
    /// The time.
    pub now: Timestamp,
}

/// What is left of pods in a namespace that is being cleared.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Pods {
    /// None is left.
    Gone,
    /// All that are left were deleted and are ending; it is worth a look then, and no sooner.
    Ending(Timestamp),
    /// Some have to be deleted.
    Running,
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
    /// What is left of that.
    pub remains: &'a Remains,
    /// What stands in it.
    pub standing: Arc<Standing>,
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
    Apply(Vec<Arc<Object>>),
    /// Applies what confines a place that is open: each of these objects, whatever becomes of the others.
    Confine(Vec<Arc<Object>>),
    /// Deletes objects.
    Delete(Vec<Doomed>),
    /// Looks whether pods are left in a namespace.
    CountPods(String),
    /// Deletes those pods in a namespace that aren't ending yet.
    DeletePods(String),
    /// Looks which pods in a namespace aren't allowed any more, and does with them as the contract says.
    Weigh(String),
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
    /// How many decisions of people were heard.
    pub heard: u64,
    /// When the first of those has its turn that merely wait.
    pub hears_again: Option<Timestamp>,
}

impl View<'_> {
    /// The journal; empty where it is broken, so that nothing opens by it.
    pub(super) fn openings(&self) -> &[Opening] {
        self.journal.as_ref().map_or(&[], |journal| &journal.openings)
    }

    /// By what decisions are looked at; nothing where the journal is broken.
    pub fn hearing(&self) -> Option<Hearing<'_>> {
        let hearing = Hearing::of(self.journal, &self.outlook.agreement, self.made_again, self.now)?;
        Some(hearing.among(self.decisions, self.quarantined_again))
    }

    /// Whether an opening has all that it is made of.
    pub fn is_complete(&self, opening: &Opening) -> bool {
        opening.state == Recorded::Open
            && self
                .places
                .iter()
                .any(|place| place.namespace == opening.namespace && place.standing.is_complete())
    }

    /// What an opening gives that can be used, or could once nobody refuses to let it be confined; `None`:
    /// nothing. Nobody is asked for what is there.
    pub fn gives(&self, opening: &Opening) -> Option<&EffectivePolicy> {
        let mut places = self.places.iter();
        let place = places.find(|place| place.namespace == opening.namespace)?;
        let policy = place.remains.policy(place.opening?);
        matches!(self.wanted(place), Wanted::Open | Wanted::Held(RecordReason::Unconfined)).then_some(policy)
    }

    /// Until when an opening can be used, as everything stands.
    pub fn until(&self, opening: &Opening) -> Timestamp {
        let place = self.places.iter().find(|place| place.namespace == opening.namespace);
        place.map_or(opening.end, |place| place.remains.until(opening))
    }

    /// What openings are looked at by.
    fn circumstances<'b>(
        &'b self,
        journal: &'b Journal,
        is_complete: &'b dyn Fn(&Opening) -> bool,
    ) -> Circumstances<'b> {
        Circumstances { journal, facts: self.facts, outlook: self.outlook, is_complete, now: self.now }
    }

    /// Whether a place allows more than it may for too long, because somebody refuses to let it be confined.
    fn is_unconfined(&self, place: &Place<'_>) -> bool {
        self.unconfined.get(place.namespace).is_some_and(|known| known.closes(self.now))
    }

    /// What the place should be now.
    pub fn wanted(&self, place: &Place<'_>) -> Wanted {
        match (self.journal, place.opening) {
            (Ok(journal), Some(opening)) => {
                let is_complete = |opening: &Opening| self.is_complete(opening);
                let journal = self.foreseen.unwrap_or(journal);
                let mut known = journal.openings.iter();
                let opening = known.find(|known| known.namespace == opening.namespace).unwrap_or(opening);
                match self.circumstances(journal, &is_complete).wanted(opening, place.remains) {
                    Wanted::Open if self.is_unconfined(place) => Wanted::Held(RecordReason::Unconfined),
                    wanted => wanted,
                }
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
    let shut = answered(view).map(record).or_else(|| shut(view));
    let heard = if shut.is_none() { heard(view) } else { Heard::default() };
    (decision.heard, decision.hears_again) = (heard.count, heard.again);
    decision.look_again.extend(heard.again);
    let closing = shut.or_else(|| heard.closing.map(record)).or_else(|| tidy(view));
    let closing = closing.or_else(|| confine(view)).or_else(|| clear(view));
    let closing = closing.or_else(|| weigh(view, NarrowedPods::Delete));
    decision.step = closing.or_else(|| heard.other.map(record)).or_else(|| extended(view));
    decision.step = decision.step.or_else(|| rehearsed(view));
    // Nothing is opened, or over, while something couldn't be closed.
    if !view.failed.is_empty() {
        return decision;
    }
    decision.step = decision.step.or_else(|| conclude(view));
    if decision.step.is_none() {
        let (step, waiting) = open::open(view);
        decision.step = step;
        decision.look_again.extend(waiting.iter().filter_map(|waiting| waiting.until));
        decision.waiting = waiting;
    }
    decision.step = decision.step.or_else(|| weigh(view, NarrowedPods::Keep));
    decision
}

fn record(entry: Entry) -> Step {
    Step::Record(Box::new(entry))
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
    if journal.openings.iter().any(lives) {
        return false;
    }
    !journal.openings.is_empty() || journal.consents.is_expired || first_request_lapsed(view, journal)
}

/// Whether nothing was ever opened, and nobody answered the request for what stands now.
fn first_request_lapsed(view: &View<'_>, journal: &Journal) -> bool {
    let digest = view.outlook.digest();
    digest.is_some_and(|digest| journal.consents.lapsed.iter().any(|(_, lapsed)| lapsed == digest))
}

/// When an opening of which less is left than was agreed to changes by time alone.
fn changes_at(place: &Place<'_>) -> Vec<Timestamp> {
    let Some(opening) = place.opening.filter(|opening| !opening.is_closed()) else { return Vec::new() };
    let mut moments = vec![kept_until(opening), opening.narrowed_again_at()];
    if let Remains::Narrowed { policy, until } = place.remains {
        moments.extend([policy.time.not_before.as_ref().map(|begin| begin.0), Some(*until)]);
    }
    moments.into_iter().flatten().collect()
}

/// The moments at which something changes by time alone.
fn moments(view: &View<'_>) -> Vec<Timestamp> {
    // What can open again keeps its grant from being over until its end, though it is closed.
    let lives = |opening: &&Opening| opening.closed_for().is_none_or(RecordReason::can_reopen);
    let mut moments: Vec<Timestamp> =
        view.openings().iter().filter(lives).map(|opening| opening.end).collect();
    if let Ok(journal) = view.journal {
        moments.extend(view.openings().iter().filter_map(|opening| review_lapses_at(opening, journal)));
        let serves = |opening: &Opening| !opening.is_closed();
        moments.extend(
            view.openings()
                .iter()
                .filter(|opening| !opening.is_closed())
                .filter_map(|opening| gives_way_at(opening, journal, view.outlook, &serves)),
        );
    }
    moments.extend(view.places.iter().flat_map(changes_at));
    moments.extend(view.places.iter().filter_map(certificates_waited_for));
    moments.extend(view.places.iter().filter_map(|place| weighed_at(view, place)));
    moments.extend(view.unconfined.values().flat_map(confined::Unconfined::moments));
    moments.extend(view.pods.values().filter_map(|pods| match pods {
        Pods::Ending(then) => Some(*then),
        Pods::Gone | Pods::Running => None,
    }));
    match &view.outlook.agreement {
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
