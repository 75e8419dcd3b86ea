//! How the watches of a process fare: what a watch that fails doesn't tell, nobody here knows.
//! Times are passed in.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};

/// A watch that has failed for so long isn't coming back by itself.
pub const TOO_LONG: SignedDuration = SignedDuration::from_secs(60);

/// How long after its last failure a watch is believed to be well again although it tells of
/// nothing, since nothing happens: longer than it waits between two tries, and than one takes.
const CALM: SignedDuration = SignedDuration::from_secs(120);

/// The watches of a process, by the kind that they tell of.
#[derive(Clone, Debug, Default)]
pub struct Watches(Arc<Mutex<BTreeMap<&'static str, Option<Spell>>>>);

/// Failures of a watch with nothing else in between.
#[derive(Clone, Copy, Debug)]
struct Spell {
    first: Timestamp,
    last: Timestamp,
}

impl Watches {
    /// There is a watch of this kind, or it told of something.
    pub fn well(&self, kind: &'static str) {
        self.lock().insert(kind, None);
    }

    /// The watch of a kind failed, and is started again.
    pub fn failed(&self, kind: &'static str, now: Timestamp) {
        let mut known = self.lock();
        let spell = known.entry(kind).or_default();
        let first =
            spell.filter(|spell| now.duration_since(spell.last) <= CALM).map_or(now, |spell| spell.first);
        *spell = Some(Spell { first, last: now });
    }

    /// For each watch: its kind, and for how long it has failed, where that is too long.
    pub fn failing(&self, now: Timestamp) -> BTreeMap<&'static str, Option<SignedDuration>> {
        let lasting = |spell: Spell| {
            let lasted = spell.last.duration_since(spell.first);
            let goes_on = now.duration_since(spell.last) <= CALM;
            (goes_on && lasted > TOO_LONG).then(|| now.duration_since(spell.first).max(lasted))
        };
        self.lock().iter().map(|(kind, spell)| (*kind, spell.and_then(lasting))).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<&'static str, Option<Spell>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
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
}
