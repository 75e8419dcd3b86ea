//! What the conductor remembers from one pass to the next: what was written and a watch has yet
//! to tell, and what isn't worth asking for again so soon. All of it may be lost without harm.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt as _;

use super::decide::Pods;
use super::decide::confined::{AllUnconfined, Unconfined};
use super::hear::vain::InVain;
use super::weigh::Weighed;
use crate::api::{PartnerGrant, name};
use crate::plan::objects::{Kind, LiveObjects};
use crate::plan::retry;

/// Of how many grants something is remembered at most.
const REMEMBERED: usize = 4096;

/// For how long nothing may have been made less of any grant before that is written down of one: where
/// one change takes from many grants, it is taken from all of them first.
const CALM: SignedDuration = SignedDuration::from_secs(1);

/// How long writing that down waits at most.
const PATIENCE: SignedDuration = SignedDuration::from_secs(10);

/// What is remembered of grants.
#[derive(Debug, Default)]
pub struct Memory {
    /// By grant: whether it carries the finalizer since a version that no watch has told of yet.
    finalized: Mutex<HashMap<String, (bool, u64)>>,
    /// By namespace: how often pods were found to be still ending, and when to look again.
    ending: Mutex<HashMap<String, (u32, Timestamp)>>,
    /// By namespace: which of its pods aren't allowed any more.
    weighed: Mutex<HashMap<String, Weighed>>,
    /// By grant: what was decided in vain.
    in_vain: Mutex<HashMap<String, Arc<InVain>>>,
    lessened: Mutex<Lessened>,
    /// By grant: the digest of what was agreed when that was last known.
    stood: Mutex<HashMap<String, String>>,
    /// By namespace: what can't be confined as it has to be.
    unconfined: Mutex<AllUnconfined>,
}

/// Of which grants something was taken that has yet to be written down.
#[derive(Debug, Default)]
struct Lessened {
    /// When that was last done to any.
    last: Timestamp,
    /// By grant: since when it isn't written down.
    unwritten: HashMap<String, Timestamp>,
}

impl Memory {
    /// Whether a grant carries the finalizer: as it was last written, until a watch has told of
    /// that. What it has told of is forgotten, so that a finalizer that somebody takes off is missed.
    pub(super) fn is_finalized(&self, grant: &PartnerGrant) -> bool {
        let uid = grant.uid().unwrap_or_default();
        let mut finalized = lock(&self.finalized);
        match finalized.get(&uid) {
            Some((present, version)) if number(grant.resource_version().as_deref()) < *version => *present,
            _ => {
                finalized.remove(&uid);
                grant.finalizers().iter().any(|finalizer| finalizer == name::FINALIZER)
            }
        }
    }

    /// Takes that the finalizer was put on a grant, or taken off, and which version it has since.
    pub(super) fn note_finalizer(&self, grant: &PartnerGrant, present: bool, version: Option<&str>) {
        let mut finalized = lock(&self.finalized);
        // Of what is gone no watch tells any more.
        if finalized.len() >= REMEMBERED {
            finalized.clear();
        }
        finalized.insert(grant.uid().unwrap_or_default(), (present, number(version)));
    }

    /// What is remembered of pods in the namespaces of `live`.
    pub(super) fn ending(&self, live: &LiveObjects) -> BTreeMap<String, Pods> {
        let ending = lock(&self.ending);
        let places = live.keys().filter(|key| key.kind == Kind::Namespace);
        let known = places.filter_map(|key| Some((key.name.clone(), ending.get(&key.name)?.1)));
        known.map(|(place, then)| (place, Pods::Ending(then))).collect()
    }

    /// Takes that pods were found to be ending: they are looked for ever more seldom.
    pub(super) fn note_ending(&self, place: &str, now: Timestamp) -> Pods {
        let mut ending = lock(&self.ending);
        // What nobody came back to went in another way.
        ending.retain(|_, (_, then)| now.duration_since(*then) < retry::LONGEST);
        let times = ending.get(place).map_or(0, |(times, _)| times.saturating_add(1));
        let then = now.checked_add(retry::backoff(times)).unwrap_or(now);
        ending.insert(place.to_owned(), (times, then));
        Pods::Ending(then)
    }

    /// What was decided about a grant in vain.
    pub(super) fn in_vain(&self, uid: &str) -> Option<Arc<InVain>> {
        lock(&self.in_vain).get(uid).cloned()
    }

    /// Takes that all that was decided about a grant was heard in vain.
    pub(super) fn note_in_vain(&self, uid: &str, known: InVain) {
        let mut in_vain = lock(&self.in_vain);
        // Of what is gone no watch tells any more.
        if in_vain.len() >= REMEMBERED {
            in_vain.clear();
        }
        in_vain.insert(uid.to_owned(), Arc::new(known));
    }

    /// Takes that less was made of a grant just now.
    pub(super) fn note_lessened(&self, uid: &str, now: Timestamp) {
        let mut lessened = lock(&self.lessened);
        // What nobody came back to was written down, or is gone.
        lessened.unwritten.retain(|_, since| now.duration_since(*since) < PATIENCE);
        lessened.last = lessened.last.max(now);
        lessened.unwritten.entry(uid.to_owned()).or_insert(now);
    }

    /// Until when it isn't written down that less was made of a grant; `None`: now, or there is nothing.
    pub(super) fn written_down_after(&self, uid: &str, now: Timestamp) -> Option<Timestamp> {
        let mut lessened = lock(&self.lessened);
        let calm = lessened.last.checked_add(CALM).unwrap_or(now);
        let until = lessened.unwritten.get(uid)?.checked_add(PATIENCE).unwrap_or(now).min(calm);
        if until <= now {
            lessened.unwritten.remove(uid);
        }
        (now < until).then_some(until)
    }

    /// The digest of what was agreed when that was last known: now, if it is.
    pub(super) fn stood(&self, uid: &str, now: Option<&str>) -> Option<String> {
        let mut stood = lock(&self.stood);
        let known = stood.get(uid).map(String::as_str);
        let Some(now) = now.filter(|now| known != Some(*now)) else { return known.map(str::to_owned) };
        // Of what is gone nobody tells.
        if stood.len() >= REMEMBERED && known.is_none() {
            stood.clear();
        }
        stood.insert(uid.to_owned(), now.to_owned());
        Some(now.to_owned())
    }

    /// What can't be confined as it has to be, of the namespaces of `live`.
    pub(super) fn unconfined(&self, live: &LiveObjects) -> AllUnconfined {
        let unconfined = lock(&self.unconfined);
        if unconfined.is_empty() {
            return AllUnconfined::new();
        }
        let places = live.keys().filter(|key| key.kind == Kind::Namespace);
        places.filter_map(|key| Some((key.name.clone(), unconfined.get(&key.name)?.clone()))).collect()
    }

    /// Takes what of a grant can't be confined as it has to be, of which this was known before.
    pub(super) fn note_unconfined(&self, before: &AllUnconfined, known: &AllUnconfined, now: Timestamp) {
        if before == known {
            return;
        }
        let mut unconfined = lock(&self.unconfined);
        // What is still there was tried again since; what isn't is told by nobody.
        let is_old = |one: &Unconfined| now.duration_since(one.last) >= retry::LONGEST.saturating_mul(2);
        unconfined.retain(|place, one| !before.contains_key(place) && !is_old(one));
        unconfined.extend(known.clone());
    }

    /// Takes that no pods are left.
    pub(super) fn forget_ending(&self, place: &str) {
        lock(&self.ending).remove(place);
    }

    /// What was found of the pods in the namespaces of `live`.
    pub(super) fn weighed(&self, live: &LiveObjects) -> BTreeMap<String, Weighed> {
        let weighed = lock(&self.weighed);
        let places = live.keys().filter(|key| key.kind == Kind::Namespace);
        places.filter_map(|key| Some((key.name.clone(), weighed.get(&key.name)?.clone()))).collect()
    }

    /// Takes what was found of the pods in a namespace.
    pub(super) fn note_weighed(&self, place: &str, found: &Weighed) {
        let mut weighed = lock(&self.weighed);
        // Where none is left to look at, it does no harm to look once more.
        weighed.retain(|_, known| found.last.duration_since(known.last) < retry::LONGEST);
        weighed.insert(place.to_owned(), found.clone());
    }
}

/// Resource versions are ordered numbers (KEP-5504); what can't be read is the oldest.
fn number(version: Option<&str>) -> u64 {
    version.and_then(|version| version.parse().ok()).unwrap_or_default()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Stage;

    #[test]
    fn what_is_ending_is_looked_for_ever_more_seldom_until_it_is_gone() {
        let (memory, now) = (Memory::default(), Timestamp::UNIX_EPOCH);
        let waits: Vec<_> = (0..12).map(|_| memory.note_ending("place", now)).collect();
        let wait = |milliseconds| Pods::Ending(Timestamp::from_millisecond(milliseconds).unwrap());
        assert_eq!((waits[0], waits[1], waits[11]), (wait(250), wait(500), wait(60_000)));
        memory.forget_ending("place");
        assert_eq!(memory.note_ending("place", now), wait(250));
    }

    #[test]
    fn what_is_made_less_is_written_down_once_nothing_else_is_but_not_too_late() {
        let at = |milliseconds| Timestamp::from_millisecond(milliseconds).unwrap();
        let memory = Memory::default();
        assert_eq!(memory.written_down_after("one", at(0)), None, "nothing was made less");
        memory.note_lessened("one", at(0));
        memory.note_lessened("other", at(400));
        assert_eq!(memory.written_down_after("one", at(1000)), Some(at(1400)), "another was since");
        assert_eq!(memory.written_down_after("one", at(1400)), None);
        for moment in (1600..10_300).step_by(400) {
            memory.note_lessened("another", at(moment));
        }
        assert_eq!(memory.written_down_after("other", at(10_300)), Some(at(10_400)));
        assert_eq!(memory.written_down_after("other", at(10_400)), None, "it has waited long enough");
    }

    #[test]
    fn a_finalizer_is_as_it_was_written_until_a_watch_tells_of_that() {
        let grant = |version: &str, finalizers: &[&str]| {
            let mut grant = crate::testing::known::Known::grant(Stage::Sandbox);
            grant.metadata.resource_version = Some(version.to_owned());
            grant.metadata.finalizers = Some(finalizers.iter().map(|one| (*one).to_owned()).collect());
            grant
        };
        let memory = Memory::default();
        memory.note_finalizer(&grant("1", &[]), true, Some("5"));
        assert!(memory.is_finalized(&grant("4", &[])), "the watch lags");
        assert!(!memory.is_finalized(&grant("6", &[])), "somebody took it off since");
        memory.note_finalizer(&grant("6", &[name::FINALIZER]), false, Some("9"));
        assert!(!memory.is_finalized(&grant("6", &[name::FINALIZER])), "the watch lags");
        assert!(memory.is_finalized(&grant("10", &[name::FINALIZER])), "somebody put it on since");
    }
}
