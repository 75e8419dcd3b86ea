//! The conductor: for each stage of a grant, look whether anything is due, tend it, say what was
//! done, and name the moment at which to look again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use kube::runtime::controller::Action;

use super::Now;
use super::custody::Chest;
use super::decide::earliest;
use super::error::SignError;
use super::observe::Observer;
use super::opening::Opening;
use super::site::Site;
use super::stage::{Made, Outcome, Tender};
use super::upkeep::{self, Seen};
use crate::api::PartnerGrant;
use crate::cluster::event::Events;
use crate::plan::retry;

/// How often what is remembered is gone through for what nobody needs any more.
const SWEEP: SignedDuration = SignedDuration::from_secs(60);
/// How long the right to act in a new namespace may take to arrive before it is called a failure.
const PATIENCE: u32 = 8;

/// What is counted and timed of signing.
pub trait Meter: Send + Sync {
    /// A certificate was made, and how long that took.
    fn issued(&self, took: Duration);
    /// Nothing may be signed for a stage.
    fn refused(&self);
}

/// What every pass needs.
pub struct Context {
    /// What reads.
    pub observer: Observer,
    /// What tends stages.
    pub tender: Tender,
    /// What time it is.
    pub now: Now,
    /// Where events go.
    pub events: Events,
    /// What is counted.
    pub meter: Box<dyn Meter>,
    /// What was seen.
    pub memory: Memory,
}

/// What was seen of stages, by their namespace. Nothing in it is secret, and none of it is needed
/// to be right: it spares requests.
#[derive(Debug, Default)]
pub struct Memory(Mutex<Remembered>);

#[derive(Debug, Default)]
struct Remembered {
    seen: BTreeMap<String, Seen>,
    denied: BTreeMap<String, u32>,
    swept: Option<Timestamp>,
}

/// One pass over a grant.
pub async fn reconcile(grant: Arc<PartnerGrant>, context: Arc<Context>) -> Result<Action, SignError> {
    let now = (context.now)();
    context.sweep(now);
    let derived = context.observer.cached(&grant, now);
    let mut next = derived.look_again;
    let mut failure = None;
    for opening in &derived.openings {
        // One stage's trouble is none of the others'.
        match context.look(&grant, opening, now).await {
            Ok(at) => next = earliest(next, at),
            Err(error) => failure = Some(error),
        }
    }
    match failure {
        Some(error) => Err(error),
        None => Ok(Action::requeue(retry::until_earliest(next, now).unsigned_abs())),
    }
}

impl Context {
    /// Looks at one stage, if it is due, and says when to look again.
    async fn look(
        &self,
        grant: &PartnerGrant,
        opening: &Opening,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, SignError> {
        let place = opening.place();
        let Some(site) = self.observer.cached_site(&place).filter(|site| opening.owns(site)) else {
            self.memory.forget(&place);
            return Ok(None);
        };
        if let Some(later) = self.memory.not_due(opening, &site, now) {
            return Ok(Some(later));
        }
        let confirm = || self.observer.live(grant, opening, now);
        match self.tender.tend(opening, &site, now, confirm).await {
            Ok(outcome) => {
                self.say(grant, opening, &outcome);
                let seen = Seen { at: now, opening: opening.clone(), renew_at: outcome.renew_at, site };
                Ok(Some(self.memory.note(place, seen)))
            }
            Err(error) if error.code() == Some(403) => self.denied(place, error, now).map(Some),
            Err(error) => Err(error),
        }
    }

    /// The right to act in a new namespace comes with a RoleBinding a moment after it.
    fn denied(&self, place: String, error: SignError, now: Timestamp) -> Result<Timestamp, SignError> {
        let times = self.memory.note_denied(place);
        if times > PATIENCE {
            return Err(error);
        }
        tracing::debug!(%error, times, "not allowed in this namespace yet");
        let wait = SignedDuration::from_millis(25_i64 << times);
        Ok(now.checked_add(wait).unwrap_or(now))
    }

    /// Tells what was done: in the log, in metrics, and, where people should look, in Events.
    fn say(&self, grant: &PartnerGrant, opening: &Opening, outcome: &Outcome) {
        let place = opening.place();
        for Made { workload, why, took } in &outcome.issued {
            self.meter.issued(*took);
            tracing::info!(namespace = place, workload, why = why.word(), "a certificate was issued");
            if !why.expected() {
                let note = format!("the certificate of workload {workload} in {place} was made anew: {why}");
                self.events.tell(grant, true, "CertificateReplaced", &note);
            }
        }
        if outcome.removed > 0 {
            tracing::info!(namespace = place, removed = outcome.removed, "certificates were taken back");
        }
        if let Some(refusal) = outcome.refused.as_ref().filter(|_| outcome.published) {
            self.meter.refused();
            tracing::error!(namespace = place, reason = refusal.word(), "{refusal}");
            self.events.tell(grant, true, refusal.word(), &refusal.to_string());
        }
    }

    /// Forgets stages that are gone, and authorities (keys and all) that no stage needs any more.
    fn sweep(&self, now: Timestamp) {
        let is_gone = |place: &str| self.observer.cached_site(place).is_none();
        if let Some(wanted) = self.memory.sweep(&is_gone, now) {
            self.tender.authorities().retain(&|chest| wanted.contains(chest));
        }
    }
}

impl Memory {
    /// When this stage is to be looked at, if that is later than now.
    fn not_due(&self, opening: &Opening, site: &Site, now: Timestamp) -> Option<Timestamp> {
        let remembered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = remembered.seen.get(&site.name)?;
        (!upkeep::is_due(Some(seen), opening, site, now)).then(|| upkeep::next_look(seen))
    }

    fn note(&self, place: String, seen: Seen) -> Timestamp {
        let next = upkeep::next_look(&seen);
        let mut remembered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        remembered.denied.remove(&place);
        remembered.seen.insert(place, seen);
        next
    }

    fn note_denied(&self, place: String) -> u32 {
        let mut remembered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let times = remembered.denied.entry(place).or_default();
        *times = times.saturating_add(1);
        *times
    }

    fn forget(&self, place: &str) {
        let mut remembered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        remembered.seen.remove(place);
        remembered.denied.remove(place);
    }

    /// Forgets what is gone; the authorities that are still needed. `None`: it isn't time yet.
    fn sweep(&self, is_gone: &dyn Fn(&str) -> bool, now: Timestamp) -> Option<BTreeSet<Chest>> {
        let mut remembered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if remembered.swept.is_some_and(|swept| now.duration_since(swept) < SWEEP) {
            return None;
        }
        remembered.swept = Some(now);
        remembered.seen.retain(|place, _| !is_gone(place));
        remembered.denied.retain(|place, _| !is_gone(place));
        let open = remembered.seen.values().filter(|seen| seen.opening.open);
        Some(open.map(|seen| Chest::of(&seen.opening)).collect())
    }
}
