//! The conductor: for each stage of a grant, look whether anything is due, tend it, say what was
//! done, and name the moment at which to look again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use kube::runtime::controller::Action;

use super::Now;
use super::ca::Chest;
use super::decide::earliest;
use super::error::SignError;
use super::observe::Observer;
use super::opening::Opening;
use super::site::Site;
use super::stage::{Made, Outcome, Tender};
use super::talk::Talk;
use super::upkeep::{self, Seen};
use crate::api::PartnerGrant;
use crate::cluster::event::Events;
use crate::plan::retry;

/// How often what is remembered is gone through for what nobody needs any more.
const SWEEP: SignedDuration = SignedDuration::from_secs(60);
/// How long the right to act in a new namespace may take to arrive before it is called a failure.
const PATIENCE: SignedDuration = SignedDuration::from_secs(20);
/// The shortest and the longest wait for that right.
const WAITS: [SignedDuration; 2] = [SignedDuration::from_millis(50), SignedDuration::from_secs(1)];

/// How long after a certificate should have been renewed it is late.
const LATE: SignedDuration = SignedDuration::from_mins(2);

/// What is counted and timed of signing.
pub trait Meter: Send + Sync {
    /// A certificate was made, and how long that took.
    fn issued(&self, took: Duration);
    /// Nothing may be signed for a stage.
    fn refused(&self);
    /// Somebody who called the enrolment endpoint was answered this word.
    fn answered(&self, word: &'static str);
}

/// What every pass needs.
pub struct Context {
    /// What reads.
    pub observer: Observer,
    /// What tends stages.
    pub tender: Tender,
    /// What writes beside that.
    pub talk: Talk,
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
    /// Since when the signer isn't let in, and when it tries again.
    denied: BTreeMap<String, (Timestamp, Timestamp)>,
    /// Since when a stage is over whose gate is open still.
    over: BTreeMap<String, Timestamp>,
    swept: Option<Timestamp>,
}

/// One pass over a grant.
pub async fn reconcile(grant: Arc<PartnerGrant>, context: Arc<Context>) -> Result<Action, SignError> {
    let now = (context.now)();
    context.sweep(now).await;
    if context.observer.has_news(&grant) {
        context.observer.witness(&grant, now).await?;
    }
    let places = context.observer.cached_places(&grant);
    if let Some(later) = context.memory.has_to_wait(&places, now) {
        return Ok(Action::requeue(retry::until_earliest([later], now).unsigned_abs()));
    }
    // While a stage is made there is much news of its grant, and none of it matters before this.
    if !places.iter().any(|place| context.observer.is_let_in(place)) {
        let turns = places.iter().map(|place| upkeep::turn(now, place));
        return Ok(Action::requeue(retry::until_earliest(turns, now).unsigned_abs()));
    }
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
        // It is told as soon as it is.
        if !self.observer.is_let_in(&place) {
            return Ok(Some(upkeep::turn(now, &place)));
        }
        if let Some(later) = self.memory.waits_for_the_gate(opening, &site, now) {
            return Ok(Some(later));
        }
        if let Some(later) = self.memory.not_due(opening, &site, now) {
            return Ok(Some(later));
        }
        let confirm = || self.observer.live(grant, opening, now);
        match self.tender.tend(opening, &site, now, confirm).await {
            Ok(outcome) => {
                self.say(grant, opening, &outcome);
                self.offer(grant, opening, now).await?;
                let seen = Seen { at: now, opening: opening.clone(), renew_at: outcome.renew_at, site };
                Ok(Some(self.memory.note(place, seen)))
            }
            Err(error) if error.code() == Some(403) => self.denied(place, error, now).map(Some),
            Err(error) => Err(error),
        }
    }

    /// The right to act in a namespace arrives a moment after the RoleBinding that gives it.
    fn denied(&self, place: String, error: SignError, now: Timestamp) -> Result<Timestamp, SignError> {
        let (since, again) = self.memory.note_denied(place, now);
        let Some(again) = again else { return Err(error) };
        tracing::debug!(%error, %since, "not allowed in this namespace yet");
        Ok(again)
    }

    /// Tells what was done: in the log, in metrics, and, where people should look, in Events.
    fn say(&self, grant: &PartnerGrant, opening: &Opening, outcome: &Outcome) {
        let place = opening.place();
        for Made { workload, why, took, .. } in &outcome.issued {
            self.meter.issued(*took);
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
    async fn sweep(&self, now: Timestamp) {
        let is_gone = |place: &str| self.observer.cached_site(place).is_none();
        let Some(wanted) = self.memory.sweep(&is_gone, now) else { return };
        self.tender.authorities().retain(&|chest| wanted.contains(chest));
        self.tender.retain(&|place| !is_gone(place));
        if let Err(error) = self.observer.sweep().await {
            tracing::warn!(%error, "what is remembered of grants that are gone can't be gone through");
        }
        if let Err(error) = self.take_back_what_is_over(now).await {
            tracing::warn!(%error, "what was given to datasets can't be gone through");
        }
    }
}

/// How long to wait until the next try, after having been kept out for so long; `None`: too long.
///
/// By time and not by tries: while a stage is made, every change of its grant is a try, and a
/// dozen of them mustn't keep the signer waiting once it is let in.
fn wait_to_be_let_in(kept_out: SignedDuration) -> Option<SignedDuration> {
    let [shortest, longest] = WAITS;
    (kept_out <= PATIENCE).then(|| (kept_out / 2).clamp(shortest, longest))
}

impl Memory {
    /// When this stage is to be looked at, if that is later than now.
    fn not_due(&self, opening: &Opening, site: &Site, now: Timestamp) -> Option<Timestamp> {
        let remembered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = remembered.seen.get(&site.name)?;
        (!upkeep::is_due(Some(seen), opening, site, now)).then(|| upkeep::next_look(seen))
    }

    /// Until when the certificates of a stage that is over stay, for what gives access to go first.
    fn waits_for_the_gate(&self, opening: &Opening, site: &Site, now: Timestamp) -> Option<Timestamp> {
        let mut remembered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if opening.open && now < opening.end || site.is_shut() {
            remembered.over.remove(&site.name);
            return None;
        }
        let since = *remembered.over.entry(site.name.clone()).or_insert(now);
        upkeep::waits_for_the_gate(opening, site, since, now)
    }

    /// How many open stages there are of which a certificate should long have been renewed.
    pub fn late(&self, now: Timestamp) -> usize {
        let remembered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_late = |seen: &&Seen| {
            let is_open = seen.opening.open && now < seen.opening.end;
            is_open && seen.renew_at.is_some_and(|due| now.duration_since(due) > LATE)
        };
        remembered.seen.values().filter(is_late).count()
    }

    fn note(&self, place: String, seen: Seen) -> Timestamp {
        let next = upkeep::next_look(&seen);
        let mut remembered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        remembered.denied.remove(&place);
        remembered.seen.insert(place, seen);
        next
    }

    /// Since when the signer isn't let in, and when to try again; `None`: it has been too long.
    fn note_denied(&self, place: String, now: Timestamp) -> (Timestamp, Option<Timestamp>) {
        let mut remembered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, until) = remembered.denied.entry(place).or_insert((now, now));
        *since = now.min(*since);
        let again = wait_to_be_let_in(now.duration_since(*since)).and_then(|wait| now.checked_add(wait).ok());
        *until = again.unwrap_or(now);
        (*since, again)
    }

    /// When there will be something to look at, if there is nothing yet: a grant has no place, or the
    /// signer was let into none of its places and hasn't to try again already. While a stage is made
    /// there is much news of its grant, and none of it lets the signer in.
    fn has_to_wait(&self, places: &[String], now: Timestamp) -> Option<Timestamp> {
        let remembered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let [_, longest] = WAITS;
        let again = |place: &String| {
            let (_, until) = remembered.denied.get(place)?;
            // A clock that was set back makes nobody wait for longer.
            (now < *until && until.duration_since(now) <= longest).then_some(*until)
        };
        let until: Option<Vec<Timestamp>> = places.iter().map(again).collect();
        until.map(|until| until.into_iter().min().unwrap_or(Timestamp::MAX))
    }

    fn forget(&self, place: &str) {
        let mut remembered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        remembered.seen.remove(place);
        remembered.denied.remove(place);
        remembered.over.remove(place);
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
        remembered.over.retain(|place, _| !is_gone(place));
        let open = remembered.seen.values().filter(|seen| seen.opening.open);
        Some(open.map(|seen| seen.opening.chest()).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::name;
    use crate::signer::testing;

    #[test]
    fn how_long_a_stage_is_over_counts_from_when_it_was_seen_first() {
        let (memory, now) = (Memory::default(), testing::now());
        let opening = Opening { open: false, ..testing::opening() };
        let mut site = testing::site(&opening);
        site.labels.insert(name::LABEL_PODS.to_owned(), name::PODS_OPEN.to_owned());
        let waits =
            |seconds| memory.waits_for_the_gate(&opening, &site, now + SignedDuration::from_secs(seconds));
        assert_eq!(waits(0), Some(now + upkeep::GRACE));
        assert_eq!(waits(3), Some(now + upkeep::GRACE), "however often it is looked at");
        assert_eq!(waits(6), None);
        let again = Opening { open: true, ..opening.clone() };
        assert_eq!(memory.waits_for_the_gate(&again, &site, now), None);
        assert!(waits(6).is_some(), "it was open again since");
    }

    #[test]
    fn a_certificate_is_late_where_a_stage_is_open_and_its_renewal_is_long_due() {
        let (memory, now) = (Memory::default(), testing::now());
        let opening = testing::opening();
        let seen = |place: &str, renew_at, opening: &Opening| {
            let site = testing::site(opening);
            memory.note(place.to_owned(), Seen { at: now, opening: opening.clone(), renew_at, site })
        };
        let due = now + SignedDuration::from_mins(10);
        seen("due", Some(due), &opening);
        seen("none", None, &opening);
        seen("closed", Some(due), &Opening { open: false, ..opening.clone() });
        seen("over", Some(due), &Opening { end: due, ..opening.clone() });
        assert_eq!((memory.late(due), memory.late(due + LATE)), (0, 0));
        assert_eq!(memory.late(due + LATE + SignedDuration::from_millis(1)), 1);
        seen("due", Some(due + SignedDuration::from_hours(1)), &opening);
        assert_eq!(memory.late(due + LATE + SignedDuration::from_millis(1)), 0, "it was renewed");
    }

    #[test]
    fn many_tries_in_a_moment_make_no_long_wait() {
        let memory = Memory::default();
        let start = Timestamp::UNIX_EPOCH;
        let moments = (0..40).map(|number| start + SignedDuration::from_millis(number * 10));
        let waits = moments.map(|now| {
            let (_, again) = memory.note_denied("comity-x".to_owned(), now);
            again.unwrap().duration_since(now)
        });
        assert!(waits.max().unwrap() < SignedDuration::from_millis(250));
    }

    #[test]
    fn being_kept_out_for_long_is_a_failure_until_it_is_over() {
        assert_eq!(wait_to_be_let_in(SignedDuration::from_secs(15)), Some(SignedDuration::from_secs(1)));
        assert_eq!(wait_to_be_let_in(PATIENCE + SignedDuration::from_millis(1)), None);
        let (memory, start) = (Memory::default(), Timestamp::UNIX_EPOCH);
        memory.note_denied("comity-x".to_owned(), start);
        memory.forget("comity-x");
        let later = start + SignedDuration::from_hours(1);
        assert_eq!(memory.note_denied("comity-x".to_owned(), later).0, later);
        assert_eq!(memory.note_denied("comity-x".to_owned(), start).0, start, "a clock set back is no wait");
    }

    #[test]
    fn who_is_kept_out_tries_again_in_time_and_not_at_all_that_happens_meanwhile() {
        let (memory, now) = (Memory::default(), testing::now());
        let places = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert_eq!(memory.has_to_wait(&[], now), Some(Timestamp::MAX), "there is no place yet");
        assert_eq!(memory.has_to_wait(&places(&["a"]), now), None);
        let (_, again) = memory.note_denied("a".to_owned(), now);
        let soon = now + SignedDuration::from_millis(10);
        assert_eq!(memory.has_to_wait(&places(&["a"]), soon), again);
        assert_eq!(memory.has_to_wait(&places(&["a", "b"]), soon), None, "another place isn't tried yet");
        assert_eq!(memory.has_to_wait(&places(&["a"]), again.unwrap()), None);
        assert_eq!(memory.has_to_wait(&places(&["a"]), now - SignedDuration::from_hours(1)), None);
        memory.forget("a");
        assert_eq!(memory.has_to_wait(&places(&["a"]), soon), None);
    }
}
