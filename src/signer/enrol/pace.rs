//! How often somebody may ask: so much at once, and then one each while. Pure: times are passed in.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};

/// How many are remembered of those who asked lately. Of more, all that are new share one allowance.
const REMEMBERED: usize = 4096;

/// An allowance for each who asks.
#[derive(Debug)]
pub struct Pace<K> {
    at_once: i32,
    every: SignedDuration,
    spent: Mutex<Spent<K>>,
}

#[derive(Debug)]
struct Spent<K> {
    /// By who asked: when all that they used is theirs again.
    whole_at: HashMap<K, Timestamp>,
    /// The same of all whom there is no room to remember.
    of_the_rest: Option<Timestamp>,
}

impl<K: Eq + Hash> Pace<K> {
    /// So many at once, and one more each while.
    pub fn new(at_once: i32, every: SignedDuration) -> Self {
        let spent = Mutex::new(Spent { whole_at: HashMap::new(), of_the_rest: None });
        Self { at_once, every, spent }
    }

    /// Takes one of somebody's allowance; else how long until there is one.
    pub fn take(&self, who: K, now: Timestamp) -> Result<(), SignedDuration> {
        let mut spent = self.spent.lock().unwrap_or_else(PoisonError::into_inner);
        if spent.whole_at.len() >= REMEMBERED && !spent.whole_at.contains_key(&who) {
            spent.whole_at.retain(|_, whole| *whole > now);
        }
        let has_room = spent.whole_at.len() < REMEMBERED || spent.whole_at.contains_key(&who);
        let whole = if has_room { spent.whole_at.get(&who).copied() } else { spent.of_the_rest };
        let latest = later(now, self.every * self.at_once);
        // A clock that was set back makes nobody wait for longer.
        let whole = whole.filter(|whole| *whole <= latest).unwrap_or(now).max(now);
        let after = later(whole, self.every);
        if after > latest {
            return Err(after.duration_since(latest));
        }
        if has_room {
            spent.whole_at.insert(who, after);
        } else {
            spent.of_the_rest = Some(after);
        }
        Ok(())
    }
}

fn later(time: Timestamp, by: SignedDuration) -> Timestamp {
    time.checked_add(by).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        crate::signer::testing::now()
    }

    #[test]
    fn a_flood_waits_and_others_dont() {
        let every = SignedDuration::from_secs(3);
        let pace = Pace::new(20, every);
        let through = |who: u32, now| (0..1000).filter(|_| pace.take(who, now).is_ok()).count();
        assert_eq!(through(1, now()), 20);
        assert_eq!(pace.take(1, now()), Err(every));
        assert_eq!(pace.take(2, now()), Ok(()));
        assert_eq!(through(1, now() + every), 1, "and then one at a time");
        assert_eq!(through(1, now() + SignedDuration::from_hours(1)), 20);
        assert_eq!(through(1, now()), 20, "a clock that was set back makes nobody wait for longer");
    }

    #[test]
    fn a_crowd_without_end_takes_no_memory_and_no_more_than_one_more_allowance() {
        let pace = Pace::new(2, SignedDuration::from_secs(60));
        let through = (0..100_000_u32).filter(|who| pace.take(*who, now()).is_ok()).count();
        assert_eq!(through, REMEMBERED + 2);
        assert_eq!(pace.spent.lock().unwrap().whole_at.len(), REMEMBERED);
        assert_eq!(pace.take(0, now()), Ok(()), "who was there before keeps what is theirs");
        let later = now() + SignedDuration::from_hours(1);
        assert_eq!(pace.take(7_000_000, later), Ok(()), "and who asks seldom is forgotten");
        assert_eq!(pace.spent.lock().unwrap().whole_at.len(), 1);
    }
}
