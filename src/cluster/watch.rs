//! How the watches of a process fare: what a watch that fails doesn't tell, nobody here knows.
//! Times are passed in.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use kube::{Resource, ResourceExt as _};

use super::readable::{News, Unreadable};

/// A watch that has failed for so long isn't coming back by itself.
pub const TOO_LONG: SignedDuration = SignedDuration::from_secs(60);

/// How long after its last failure a watch is believed to be well again although it tells of
/// nothing, since nothing happens: longer than it waits between two tries, and than one takes.
const CALM: SignedDuration = SignedDuration::from_secs(120);

/// The watches of a process, by the kind that they tell of.
#[derive(Clone, Debug, Default)]
pub struct Watches(Arc<Mutex<BTreeMap<&'static str, Known>>>);

/// What is known of a watch.
#[derive(Clone, Debug, Default)]
struct Known {
    spell: Option<Spell>,
    /// What it told of that can't be read, by namespace and name.
    unreadable: BTreeSet<(String, String)>,
    /// The same of what it has told of since it began to tell of everything anew.
    anew: Option<BTreeSet<(String, String)>>,
}

/// Failures of a watch with nothing else in between.
#[derive(Clone, Copy, Debug)]
struct Spell {
    first: Timestamp,
    last: Timestamp,
}

impl Watches {
    /// There is a watch of this kind, or it told of something.
    pub fn well(&self, kind: &'static str) {
        self.lock().entry(kind).or_default().spell = None;
    }

    /// The watch of a kind failed, and is started again.
    pub fn failed(&self, kind: &'static str, now: Timestamp) {
        let mut known = self.lock();
        let spell = &mut known.entry(kind).or_default().spell;
        let first =
            spell.filter(|spell| now.duration_since(spell.last) <= CALM).map_or(now, |spell| spell.first);
        *spell = Some(Spell { first, last: now });
    }

    /// There is no watch of this kind any more.
    pub fn over(&self, kind: &'static str) {
        self.lock().remove(kind);
    }

    /// For each watch: its kind, and for how long it has failed, where that is too long.
    pub fn failing(&self, now: Timestamp) -> BTreeMap<&'static str, Option<SignedDuration>> {
        let lasting = |spell: Spell| {
            let lasted = spell.last.duration_since(spell.first);
            let goes_on = now.duration_since(spell.last) <= CALM;
            (goes_on && lasted > TOO_LONG).then(|| now.duration_since(spell.first).max(lasted))
        };
        self.lock().iter().map(|(kind, known)| (*kind, known.spell.and_then(lasting))).collect()
    }

    /// Takes what a watch tells, as far as it can be read or can't.
    pub fn told<K: Resource>(&self, kind: &'static str, news: &News<K>) {
        let mut known = self.lock();
        let known = known.entry(kind).or_default();
        match news {
            News::Begin => known.anew = Some(BTreeSet::new()),
            News::End => known.unreadable = known.anew.take().unwrap_or_default(),
            News::There(object) | News::Gone(object) => {
                known.is_readable(&(object.namespace().unwrap_or_default(), object.name_any()));
            }
            News::Unreadable(object) => known.is_unreadable(object),
            News::UnreadableGone(object) => known.is_readable(&object.key()),
        }
    }

    /// For each watch: its kind, and how many objects it tells of that can't be read.
    pub fn unreadable(&self) -> BTreeMap<&'static str, usize> {
        self.lock().iter().map(|(kind, known)| (*kind, known.unreadable.len())).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<&'static str, Known>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn is_readable(&mut self, key: &(String, String)) {
        self.unreadable.remove(key);
        if let Some(anew) = &mut self.anew {
            anew.remove(key);
        }
    }

    fn is_unreadable(&mut self, object: &Unreadable) {
        self.unreadable.insert(object.key());
        if let Some(anew) = &mut self.anew {
            anew.insert(object.key());
        }
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::Service;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn failing(watches: &Watches, second: i64) -> Option<i64> {
        watches.failing(at(second))["Partner"].map(|lasted| lasted.as_secs())
    }

    #[test]
    fn a_watch_that_fails_for_good_is_told_from_one_that_stumbles() {
        let watches = Watches::default();
        watches.well("Partner");
        assert_eq!(failing(&watches, 0), None);
        for second in [0, 1, 3, 6, 12, 25, 50, 60] {
            watches.failed("Partner", at(second));
            assert_eq!(failing(&watches, second), None, "{second}");
        }
        watches.failed("Partner", at(81));
        assert_eq!(failing(&watches, 90), Some(90));
        watches.well("Partner");
        assert_eq!(failing(&watches, 90), None, "and is well again when it tells of something");
    }

    #[test]
    fn one_that_stopped_failing_is_well_although_nothing_happens() {
        let watches = Watches::default();
        for second in [0, 30, 61] {
            watches.failed("Partner", at(second));
        }
        assert_eq!(failing(&watches, 181), Some(181));
        assert_eq!(failing(&watches, 182), None);
        watches.failed("Partner", at(1000));
        assert_eq!(failing(&watches, 1000), None, "that is another one");
    }

    #[test]
    fn what_cant_be_read_is_counted_until_it_can_or_is_gone_also_where_no_watch_told_of_that() {
        let metadata = |name: &str| ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() };
        let spoilt = |name: &str| Unreadable { metadata: metadata(name), error: "what?".to_owned() };
        let whole = |name: &str| Service { metadata: metadata(name), ..Service::default() };
        let watches = Watches::default();
        let after = |news: &[News<Service>]| {
            for news in news {
                watches.told("Service", news);
            }
            watches.unreadable()["Service"]
        };
        assert_eq!(after(&[News::Begin, News::Unreadable(spoilt("a")), News::There(whole("b"))]), 1);
        assert_eq!(after(&[News::End, News::Unreadable(spoilt("b")), News::Unreadable(spoilt("b"))]), 2);
        assert_eq!(after(&[News::There(whole("a"))]), 1);
        assert_eq!(after(&[News::UnreadableGone(spoilt("b"))]), 0);
        assert_eq!(after(&[News::Unreadable(spoilt("c")), News::Begin]), 1, "until everything is told anew");
        assert_eq!(after(&[News::Unreadable(spoilt("d")), News::End]), 1, "c is gone");
    }
}
