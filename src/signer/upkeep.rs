//! When to look at a stage again: at most once a minute, each stage at its own second of the
//! minute, and in between only when something that matters changed or is due.

use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};

use super::opening::Opening;
use super::site::Site;

/// How often a stage's Secrets are read, at most, when nothing happens.
const EVERY: SignedDuration = SignedDuration::from_secs(60);

/// How long certificates stay after their stage is over, so that `comity run` closes first what
/// gives access. They end by themselves; waiting merely keeps the order of promise P5.
pub const GRACE: SignedDuration = SignedDuration::from_secs(5);

/// Until when the certificates of a stage that isn't open stay, seen so since `since`: until
/// `comity run` has set the gate of its namespace, or for so long that it may be dead. Nothing is
/// signed meanwhile. `None`: there is nothing to wait for.
pub fn waits_for_the_gate(
    opening: &Opening,
    site: &Site,
    since: Timestamp,
    now: Timestamp,
) -> Option<Timestamp> {
    if opening.open && now < opening.end || site.is_shut() {
        return None;
    }
    let until = since.min(opening.end).checked_add(GRACE).unwrap_or(since);
    // A clock that was set back makes nobody wait for longer.
    (since <= now && now < until).then_some(until)
}

/// What was found when a stage was last looked at, and nothing that is secret.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Seen {
    /// When.
    pub at: Timestamp,
    /// As what.
    pub opening: Opening,
    /// When the first certificate is to be renewed.
    pub renew_at: Option<Timestamp>,
    /// Its namespace.
    pub site: Site,
}

/// When this stage is to be looked at again, if nothing happens before.
pub fn next_look(seen: &Seen) -> Timestamp {
    let turn = turn(seen.at, &seen.opening.place());
    let end = Some(seen.opening.end).filter(|end| seen.opening.open && *end > seen.at);
    [Some(turn), seen.renew_at, end].into_iter().flatten().min().unwrap_or(turn)
}

/// Whether this stage has to be looked at now, given what was seen last.
pub fn is_due(seen: Option<&Seen>, opening: &Opening, site: &Site, now: Timestamp) -> bool {
    seen.is_none_or(|seen| {
        seen.opening != *opening
            || !site.is_still(&seen.site)
            || next_look(seen) <= now
            // The clock was set back by more than a turn: better look than wait for it.
            || seen.at > now
    })
}

/// The stage's next turn after `now`: every minute, at the second that is its own.
pub fn turn(now: Timestamp, place: &str) -> Timestamp {
    let every = EVERY.as_millis();
    let own = i128::from(draw(place)) % every;
    let since = (i128::from(now.as_millisecond()) - own).rem_euclid(every);
    let wait = i64::try_from(every - since).unwrap_or(60_000);
    now.checked_add(SignedDuration::from_millis(wait)).unwrap_or(Timestamp::MAX)
}

/// A number that is the same for the same namespace, and anything for another.
fn draw(place: &str) -> u32 {
    Sha256::digest(place).iter().take(4).fold(0, |number, byte| (number << 8) | u32::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::name;
    use crate::signer::testing;
    use proptest::prelude::*;

    fn seen(at: Timestamp) -> Seen {
        let opening = testing::opening();
        Seen { at, site: testing::site(&opening), opening, renew_at: None }
    }

    proptest! {
        #[test]
        fn every_stage_is_looked_at_once_a_minute_and_at_its_own_second(
            start in 1_600_000_000_000_i64..4_000_000_000_000, place in "[a-z]{8}",
        ) {
            let now = Timestamp::from_millisecond(start).unwrap();
            let first = turn(now, &place);
            prop_assert!(first > now && first <= now + EVERY);
            prop_assert_eq!(turn(first, &place), first + EVERY);
        }
    }

    #[test]
    fn stages_take_turns() {
        let seconds: std::collections::BTreeSet<i64> = (0..600)
            .map(|number| turn(testing::now(), &format!("comity-{number}")).as_second() % 60)
            .collect();
        assert!(seconds.len() > 50, "{} of 60 seconds are used", seconds.len());
    }

    #[test]
    fn nothing_is_read_twice_in_a_turn_unless_something_happened() {
        let (now, opening) = (testing::now(), testing::opening());
        let seen = seen(now);
        let (same, soon) = (testing::site(&opening), now + SignedDuration::from_millis(1));
        assert!(is_due(None, &opening, &same, now));
        assert!(!is_due(Some(&seen), &opening, &same, soon));
        let mut labelled = same.clone();
        labelled.labels.insert(name::LABEL_PODS.to_owned(), name::PODS_OPEN.to_owned());
        assert!(!is_due(Some(&seen), &opening, &labelled, soon), "the gate is no concern of the signer");
        labelled.labels.insert(name::LABEL_CLOSING.to_owned(), name::CLOSING.to_owned());
        assert!(is_due(Some(&seen), &opening, &labelled, soon), "the namespace is being closed");
        let another = Site { uid: "another".to_owned(), ..same.clone() };
        assert!(is_due(Some(&seen), &opening, &another, soon), "the namespace is another one");
        assert!(is_due(Some(&seen), &Opening { open: false, ..opening.clone() }, &same, soon));
        assert!(is_due(Some(&seen), &opening, &same, next_look(&seen)));
        assert!(is_due(Some(&seen), &opening, &same, now - SignedDuration::from_hours(1)));
    }

    #[test]
    fn certificates_stay_until_the_gate_is_shut_or_nobody_shuts_it() {
        let now = testing::now();
        let over = Opening { open: false, ..testing::opening() };
        let ended = Opening { end: now, ..testing::opening() };
        let mut site = testing::site(&over);
        site.labels.insert(name::LABEL_PODS.to_owned(), name::PODS_OPEN.to_owned());
        let waits = |opening: &Opening, site: &Site, seconds| {
            waits_for_the_gate(opening, site, now, now + SignedDuration::from_secs(seconds))
        };
        assert_eq!(waits(&testing::opening(), &site, 0), None, "what is open is tended");
        for opening in [&over, &ended] {
            assert_eq!(waits(opening, &site, 0), Some(now + GRACE));
            assert_eq!(waits(opening, &site, 4), Some(now + GRACE));
            assert_eq!(waits(opening, &site, 5), None, "whoever should have shut it may be dead");
            for (label, value) in
                [(name::LABEL_PODS, name::PODS_CLOSED), (name::LABEL_CLOSING, name::CLOSING)]
            {
                let mut shut = site.clone();
                shut.labels.insert(label.to_owned(), value.to_owned());
                assert_eq!(waits(opening, &shut, 0), None, "{label}");
            }
            let gone = Site { terminating: true, ..site.clone() };
            assert_eq!(waits(opening, &gone, 0), None);
            assert_eq!(waits(opening, &site, -60), None, "a clock set back");
        }
        let late = Opening { end: now - SignedDuration::from_secs(60), ..over };
        assert_eq!(waits(&late, &site, 0), None, "whoever starts long after the end waits for nobody");
    }

    #[test]
    fn a_renewal_and_the_end_come_before_the_turn() {
        let now = testing::now();
        let soon = now + SignedDuration::from_millis(5);
        assert_eq!(next_look(&Seen { renew_at: Some(soon), ..seen(now) }), soon);
        let mut ending = seen(now);
        ending.opening.end = soon;
        assert_eq!(next_look(&ending), soon);
        ending.opening.open = false;
        assert!(next_look(&ending) > soon, "what is closed has no end to wait for");
    }
}
