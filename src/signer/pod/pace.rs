//! How often one pod may be asked for: so that no flood of requests for one makes the others wait. Times are
//! passed in.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};

use crate::pki::policy::Wish;

/// How many requests of one pod are looked at as they come: more than it has volumes.
const AT_ONCE: i32 = 30;
/// How often one is after that.
const EVERY: SignedDuration = SignedDuration::from_secs(5);
/// Over how many turns those are spread that have to wait.
const TURNS: i64 = 24;
/// How many pods are remembered before those are forgotten that needn't wait any more.
const REMEMBERED: usize = 1024;

/// For which pod a request is, as far as what it says can be trusted: its UID is for whoever asks to
/// choose, and nobody makes a request in the namespace of a stage but the node that it names. So whoever
/// asks elsewhere, or as another node, uses up nothing of a pod that isn't theirs.
pub fn pod_of(namespace: &str, wish: &Wish) -> String {
    // Neither namespaces nor nodes have a slash in their name.
    format!("{namespace}/{}/{}", wish.node, wish.pod.uid)
}

/// Until when what each pod asked for would have taken, at the pace that lasts.
#[derive(Debug, Default)]
pub struct Pace(Mutex<HashMap<String, Timestamp>>);

impl Pace {
    /// When to look at a request again, if its pod asks too often; `None`: now.
    pub fn wait(&self, pod: &str, request: &str, now: Timestamp) -> Option<Timestamp> {
        let mut busy = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if busy.len() >= REMEMBERED && !busy.contains_key(pod) {
            busy.retain(|_, until| *until > now);
        }
        let most = later(now, EVERY * AT_ONCE);
        // A clock that was set back makes nobody wait for longer.
        let before = busy.get(pod).copied().filter(|until| *until <= most).unwrap_or(now).max(now);
        let until = later(before, EVERY);
        if until > most {
            return Some(later(now, turn(request)));
        }
        busy.insert(pod.to_owned(), until);
        None
    }
}

/// When it is the turn of a request that has to wait: always the same for the same one.
fn turn(request: &str) -> SignedDuration {
    let drawn =
        Sha256::digest(request).iter().take(4).fold(0, |number, byte| (number << 8) | i64::from(*byte));
    SignedDuration::from_secs(EVERY.as_secs() * (1 + drawn % TURNS))
}

fn later(time: Timestamp, by: SignedDuration) -> Timestamp {
    time.checked_add(by).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_waits_and_others_dont() {
        let (pace, now) = (Pace::default(), crate::signer::testing::now());
        let through =
            |pod: &str, now| (0..1000).filter(|n| pace.wait(pod, &n.to_string(), now).is_none()).count();
        assert_eq!(through("flood", now), 30);
        assert_eq!(pace.wait("other", "1", now), None);
        assert_eq!(through("flood", now + EVERY), 1, "and then one at a time");
        assert_eq!(through("flood", now + SignedDuration::from_hours(1)), 30);
        assert_eq!(through("flood", now), 30, "a clock that was set back makes nobody wait for longer");
    }

    #[test]
    fn those_who_wait_dont_all_come_at_once() {
        let (pace, now) = (Pace::default(), crate::signer::testing::now());
        let waits: std::collections::BTreeSet<Timestamp> =
            (0..1000).filter_map(|n| pace.wait("flood", &n.to_string(), now)).collect();
        assert_eq!(waits.len(), 24);
        assert!(waits.iter().all(|until| *until > now && *until <= now + SignedDuration::from_mins(2)));
    }

    #[test]
    fn who_asks_seldom_is_forgotten() {
        let (pace, now) = (Pace::default(), crate::signer::testing::now());
        for n in 0..3 * REMEMBERED {
            let now = now + SignedDuration::from_secs(i64::try_from(n).unwrap());
            pace.wait(&n.to_string(), "1", now);
        }
        assert!(pace.0.lock().unwrap().len() <= REMEMBERED);
    }
}
