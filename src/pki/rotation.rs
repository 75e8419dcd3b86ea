//! When one authority takes over from another: arithmetic only.
//!
//! The next one is made and published when half of the life of the one that signs is over, and signs when
//! two thirds are, but never before all who verify have had the time to learn of it:
//!
//! - a **margin** for what carries the news: `comity sign` looks at each stage once a minute, a node takes
//!   up to two minutes to bring a changed ConfigMap to its pods, and a pod reads it again after that;
//! - one **credential lifetime** on top, for whoever reads its anchors only when its own certificate is
//!   renewed.
//!
//! Where the one that signs is over, or was given up, the margin alone is waited for: those who learn of the
//! next one late then refuse what is new, and what is old they refuse, or should, anyway.

use jiff::{SignedDuration, Timestamp};

use super::lifetime::Lifetime;

/// The margin of an authority that lives for long.
const MARGIN: SignedDuration = SignedDuration::from_mins(5);
/// No margin is shorter: every stage is looked at once in this time.
const SHORTEST_MARGIN: SignedDuration = SignedDuration::from_secs(75);
/// The margin is no more than this part of its life.
const MARGIN_PART: i32 = 12;

/// When the one after an authority of this lifetime is made.
pub fn prepare_at(lifetime: Lifetime) -> Timestamp {
    lifetime.after(1, 2)
}

/// When it signs in place of an authority of this lifetime, if it is ripe.
pub fn take_over_at(lifetime: Lifetime) -> Timestamp {
    lifetime.after(2, 3)
}

/// How long an authority of this lifetime is published before it signs, in any case.
pub fn margin(lifetime: Lifetime) -> SignedDuration {
    (lifetime.length() / MARGIN_PART).clamp(SHORTEST_MARGIN, MARGIN)
}

/// From when on everybody knows an authority of this lifetime that was published then, where credentials
/// live for `ttl`.
pub fn ripe_at(published: Timestamp, lifetime: Lifetime, ttl: SignedDuration) -> Timestamp {
    later(later(published, margin(lifetime)), ttl)
}

/// A moment later by this much.
pub fn later(time: Timestamp, by: SignedDuration) -> Timestamp {
    time.checked_add(by).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn an_authority_that_lives_long_enough_hands_over_in_time(
            start in 0_i64..4_000_000_000, hours in 1_i64..10_000, ttl in 1_i64..60,
        ) {
            let now = Timestamp::from_second(start).unwrap();
            let ttl = SignedDuration::from_mins(ttl).min(SignedDuration::from_hours(hours) / 6);
            let lifetime = Lifetime::of_authority(now, ttl, later(now, SignedDuration::from_hours(hours)));
            let prepared = prepare_at(lifetime);
            let hands_over = take_over_at(lifetime).max(ripe_at(prepared, lifetime, ttl));
            prop_assert!(now <= prepared && prepared < hands_over);
            // What it signs last isn't cut: it has a credential lifetime left when it stops.
            prop_assert!(later(hands_over, ttl) <= lifetime.not_after(), "{lifetime:?} {hands_over}");
        }
    }
}
