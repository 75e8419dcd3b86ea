//! How long certificates and authorities live, and when they are renewed: arithmetic only.
//!
//! The rules, each with a property below:
//! - a workload's certificate never outlives the stage's recorded end, its own authority, or the
//!   credential lifetime counted from now;
//! - it is renewed at two thirds of its life, earlier by up to a tenth so that those that were
//!   issued together aren't renewed together, and not at all where a new one couldn't last longer;
//! - its lifetime is at most a sixth of its authority's, and the authority outlives all that it
//!   was asked to serve.

use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};

use super::error::PkiError;

/// How far a certificate reaches back, for verifiers whose clock is behind.
const SKEW: SignedDuration = SignedDuration::from_secs(60);
/// A certificate reaches back by no more than this part of what it reaches ahead.
const SKEW_PART: i32 = 10;
/// The latest renewal is at this part of a certificate's life: two thirds.
const RENEWAL: (i32, i32) = (2, 3);
/// Renewals are spread over this part of a certificate's life.
const SPREAD_PART: i32 = 10;
/// The API server takes no certificate for a pod that lives for less.
pub const SHORTEST_OF_POD: SignedDuration = SignedDuration::from_hours(1);
/// With a shorter credential lifetime a pod could be without a certificate before the end.
pub const SHORTEST_TTL_OF_POD: SignedDuration = SignedDuration::from_hours(2);
/// A node may be told to ask for the next certificate no sooner after the beginning, and no later
/// before the end.
const REFRESH_MARGIN: SignedDuration = SignedDuration::from_mins(10);
/// An authority lives at least this many times as long as what it signs.
const AUTHORITY_PART: i32 = 6;

/// From when until when, in whole seconds, because X.509 knows no smaller ones.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Lifetime {
    not_before: Timestamp,
    not_after: Timestamp,
}

impl Lifetime {
    /// What a certificate says about itself. Refused if it ends before it starts.
    pub fn read(not_before: Timestamp, not_after: Timestamp) -> Result<Self, PkiError> {
        if not_after <= not_before {
            return Err(PkiError::OtherProfile("it ends before it starts"));
        }
        Ok(Self { not_before, not_after })
    }

    /// For a workload's certificate that is issued now.
    ///
    /// `ttl` is the credential lifetime, `end` the recorded end of the stage, and `authority`
    /// the lifetime of what signs.
    pub fn of_leaf(
        now: Timestamp,
        ttl: SignedDuration,
        end: Timestamp,
        authority: Self,
    ) -> Result<Self, PkiError> {
        let ttl = ttl.min(authority.length() / AUTHORITY_PART);
        let not_after = whole_seconds(later(now, ttl).min(end).min(authority.not_after));
        if not_after <= now || not_after <= authority.not_before {
            return Err(PkiError::NothingLeft { end: not_after });
        }
        let skew = SKEW.min(not_after.duration_since(now) / SKEW_PART);
        let not_before = whole_seconds(earlier(now, skew)).max(authority.not_before);
        Ok(Self { not_before, not_after })
    }

    /// For a certificate about a key that its node made, asked for now; `None`: less time is left than
    /// the API server takes a certificate for.
    ///
    /// Ordinarily it lives for an hour less than credentials may. Where less is left than credentials
    /// may live, it lasts until the end: so one that is renewed in time always can be, and nobody is
    /// without one before the end. `longest` is what the pod asks for at most.
    pub fn of_pod(
        now: Timestamp,
        ttl: SignedDuration,
        end: Timestamp,
        longest: SignedDuration,
    ) -> Option<Self> {
        if end.duration_since(now) < SHORTEST_OF_POD || ttl < SHORTEST_TTL_OF_POD {
            return None;
        }
        let not_before = whole_seconds(earlier(now, SKEW));
        let ordinary = later(now, ttl - SHORTEST_OF_POD);
        let wanted = if end.duration_since(now) < ttl { end } else { ordinary };
        let not_after = whole_seconds(wanted.min(later(not_before, longest)));
        (not_after.duration_since(not_before) >= SHORTEST_OF_POD).then_some(Self { not_before, not_after })
    }

    /// When a node is to ask for the next certificate, for one that the API server takes.
    ///
    /// As [`Lifetime::renewal`] says; for one that lasts until `last`, as late as can be said, since
    /// the end may be moved until then.
    pub fn refresh(self, spiffe_id: &str, serial: &str, last: Timestamp) -> Timestamp {
        let latest = earlier(self.not_after, REFRESH_MARGIN);
        let wanted = self.renewal(spiffe_id, serial, last).unwrap_or(latest);
        whole_seconds(wanted).min(latest).max(later(self.not_before, REFRESH_MARGIN))
    }

    /// Whether another lifetime lies within this one.
    pub fn covers(self, other: Self) -> bool {
        self.not_before <= other.not_before && other.not_after <= self.not_after
    }

    /// For an authority that is made now, and that will serve until `needed_until` certificates
    /// that live for `ttl`.
    pub fn of_authority(now: Timestamp, ttl: SignedDuration, needed_until: Timestamp) -> Self {
        let not_before = whole_seconds(earlier(now, SKEW));
        let by_need = later(needed_until, ttl);
        let by_ttl = later(now, ttl.saturating_mul(AUTHORITY_PART));
        // A second more, for what rounding takes off.
        let not_after = later(whole_seconds(by_need.max(by_ttl)), SignedDuration::from_secs(1));
        Self { not_before, not_after: not_after.min(latest()) }
    }

    /// As much of this as an authority of that lifetime may sign; `None`: the API server takes no
    /// certificate for a pod that is so short.
    pub fn within(self, authority: Self) -> Option<Self> {
        let longest = later(self.not_before, authority.length() / AUTHORITY_PART);
        let not_after = whole_seconds(self.not_after.min(longest).min(authority.not_after));
        let not_before = self.not_before.max(authority.not_before);
        let is_enough = not_after.duration_since(not_before) >= SHORTEST_OF_POD;
        is_enough.then_some(Self { not_before, not_after })
    }

    /// Whether an authority of this lifetime may sign certificates that live for `ttl`.
    pub fn may_sign(self, ttl: SignedDuration) -> bool {
        self.length() / AUTHORITY_PART >= ttl
    }

    /// The moment at which `part` of `whole` parts of it are over.
    pub fn after(self, part: i32, whole: i32) -> Timestamp {
        later(self.not_before, self.length() / whole * part)
    }

    /// When to renew a certificate of this lifetime, if a new one could last longer.
    ///
    /// `spiffe_id` and `serial` spread renewals: the same certificate always gets the same instant.
    /// `last` is the latest end that any new certificate could have.
    pub fn renewal(self, spiffe_id: &str, serial: &str, last: Timestamp) -> Option<Timestamp> {
        if self.not_after >= whole_seconds(last) {
            return None;
        }
        let (part, whole) = RENEWAL;
        let after = self.length() / whole * part;
        let spread = self.length() / SPREAD_PART;
        let early = spread.as_millis() * i128::from(draw(spiffe_id, serial)) / i128::from(u32::MAX);
        let early = SignedDuration::from_millis(i64::try_from(early).unwrap_or(0));
        Some(later(self.not_before, after - early))
    }

    /// Whether this is longer than a certificate may be that is issued for `ttl` today.
    pub fn exceeds(self, ttl: SignedDuration) -> bool {
        let skew = SKEW.min(ttl / SKEW_PART) + SignedDuration::from_secs(1);
        self.length() > ttl.saturating_add(skew)
    }

    /// The first instant at which the certificate is valid.
    pub const fn not_before(self) -> Timestamp {
        self.not_before
    }

    /// The last instant at which the certificate is valid.
    pub const fn not_after(self) -> Timestamp {
        self.not_after
    }

    /// How long it is from the first instant to the last.
    pub fn length(self) -> SignedDuration {
        self.not_after.duration_since(self.not_before)
    }
}

/// A number that is the same for the same certificate, and anything for another.
fn draw(spiffe_id: &str, serial: &str) -> u32 {
    let hash = Sha256::new().chain_update(spiffe_id).chain_update([0]).chain_update(serial).finalize();
    hash.iter().take(4).fold(0, |number, byte| (number << 8) | u32::from(*byte))
}

/// The latest time that stands in a certificate.
fn latest() -> Timestamp {
    whole_seconds(Timestamp::MAX)
}

/// Cut to the second, towards the past.
fn whole_seconds(time: Timestamp) -> Timestamp {
    let part = i64::from(time.subsec_nanosecond().rem_euclid(1_000_000_000));
    earlier(time, SignedDuration::from_nanos(part))
}

fn later(time: Timestamp, by: SignedDuration) -> Timestamp {
    time.checked_add(by).unwrap_or(Timestamp::MAX)
}

fn earlier(time: Timestamp, by: SignedDuration) -> Timestamp {
    time.checked_sub(by).unwrap_or(Timestamp::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Any instant from 1970 to 2200, in milliseconds.
    fn instant() -> impl Strategy<Value = Timestamp> {
        (0_i64..7_258_118_400_000).prop_map(|ms| Timestamp::from_millisecond(ms).unwrap())
    }

    /// From nothing to a hundred days, in milliseconds.
    fn duration() -> impl Strategy<Value = SignedDuration> {
        prop_oneof![0_i64..30_000, 0_i64..8_640_000_000].prop_map(SignedDuration::from_millis)
    }

    proptest! {
        #[test]
        fn no_certificate_outlives_anything_that_bounds_it(
            now in instant(), ttl in duration(), end in instant(), near in duration(),
            needed in duration(), life in duration(),
        ) {
            let authority = Lifetime::of_authority(earlier(now, needed), life, now);
            for end in [end, later(now, near), earlier(now, near)] {
                match Lifetime::of_leaf(now, ttl, end, authority) {
                    Ok(leaf) => {
                        prop_assert!(leaf.not_after <= end);
                        prop_assert!(leaf.not_after <= later(now, ttl));
                        prop_assert!(leaf.not_after <= authority.not_after);
                        prop_assert!(leaf.not_before >= authority.not_before);
                        prop_assert!(leaf.not_before <= now && now < leaf.not_after);
                        prop_assert!(leaf.length() <= authority.length() / 6 + SKEW + SignedDuration::from_secs(1));
                        prop_assert!(!leaf.exceeds(ttl));
                    }
                    Err(error) => {
                        let nothing_left = matches!(error, PkiError::NothingLeft { .. });
                        prop_assert!(nothing_left);
                        let left = end.min(later(now, ttl)).min(authority.not_after);
                        let capped = authority.length() / 6 < SignedDuration::from_secs(2);
                        prop_assert!(capped || left < later(now, SignedDuration::from_secs(1)));
                    }
                }
            }
        }

        #[test]
        fn an_authority_made_for_something_serves_it(
            now in instant(), ttl in duration(), needed in instant(),
        ) {
            let authority = Lifetime::of_authority(now, ttl, needed);
            prop_assert!(authority.may_sign(ttl));
            prop_assert!(authority.length() >= ttl * 6);
            // So a leaf of that lifetime is never cut by its authority.
            if needed > later(now, SignedDuration::from_secs(2)) && ttl > SignedDuration::from_secs(2) {
                let leaf = Lifetime::of_leaf(now, ttl, needed, authority).unwrap();
                prop_assert_eq!(leaf.not_after, whole_seconds(later(now, ttl).min(needed)));
            }
        }

        #[test]
        fn renewal_is_within_life_and_always_the_same(
            now in instant(), ttl in 2_i64..8_640_000, serial in "[0-9a-f]{40}",
        ) {
            let ttl = SignedDuration::from_secs(ttl);
            let authority = Lifetime::of_authority(now, ttl, later(now, ttl * 10));
            let leaf = Lifetime::of_leaf(now, ttl, later(now, ttl * 9), authority).unwrap();
            let renewal = leaf.renewal("spiffe://d/a", &serial, later(now, ttl * 9)).unwrap();
            prop_assert!(leaf.not_before < renewal && renewal < leaf.not_after);
            prop_assert!(renewal <= later(leaf.not_before, leaf.length() * 2 / 3));
            prop_assert!(renewal >= later(leaf.not_before, leaf.length() / 2));
            prop_assert_eq!(Some(renewal), leaf.renewal("spiffe://d/a", &serial, later(now, ttl * 9)));
        }

        #[test]
        fn what_can_not_last_longer_is_not_renewed(now in instant(), ttl in 2_i64..8_640_000) {
            let ttl = SignedDuration::from_secs(ttl);
            let end = later(now, ttl);
            let authority = Lifetime::of_authority(now, ttl, end);
            let leaf = Lifetime::of_leaf(now, ttl, end, authority).unwrap();
            prop_assert_eq!(leaf.renewal("spiffe://d/a", "00", end), None);
        }
    }

    #[test]
    fn renewals_of_what_was_issued_together_are_spread() {
        let now: Timestamp = "2026-12-01T00:00:00Z".parse().unwrap();
        let hour = SignedDuration::from_hours(1);
        let authority = Lifetime::of_authority(now, hour, later(now, hour * 9));
        let leaf = Lifetime::of_leaf(now, hour, later(now, hour * 9), authority).unwrap();
        let minutes: std::collections::BTreeSet<i64> = (0..200)
            .filter_map(|number| leaf.renewal("spiffe://d/a", &format!("{number:x}"), authority.not_after))
            .map(|renewal| renewal.as_second() / 60)
            .collect();
        assert!(minutes.len() >= 6, "all of 200 renewals in {} minutes", minutes.len());
    }

    #[test]
    fn the_busiest_second_of_ten_thousand_renewals_is_no_more_than_three_times_the_mean() {
        let now: Timestamp = "2026-12-01T00:00:00Z".parse().unwrap();
        for minutes in [15, 60, 120] {
            let ttl = SignedDuration::from_mins(minutes);
            let authority = Lifetime::of_authority(now, ttl, later(now, ttl * 9));
            let leaf = Lifetime::of_leaf(now, ttl, later(now, ttl * 9), authority).unwrap();
            let mut seconds = std::collections::BTreeMap::<i64, u32>::new();
            for number in 0..10_000_u32 {
                let (id, serial) = (format!("spiffe://d/{}", number / 16), format!("{number:040x}"));
                let renewal = leaf.renewal(&id, &serial, authority.not_after).unwrap();
                *seconds.entry(renewal.as_second()).or_default() += 1;
            }
            let ends = seconds.keys().next().zip(seconds.keys().next_back()).unwrap();
            let (busiest, length) = (seconds.values().max().unwrap(), ends.1 - ends.0 + 1);
            assert!(i64::from(*busiest) * length <= 3 * 10_000, "{busiest} in a second, all in {length}");
        }
    }

    #[test]
    fn a_pods_certificate_is_cut_to_what_its_authority_may_sign() {
        let now: Timestamp = "2026-12-01T00:00:00Z".parse().unwrap();
        let hour = SignedDuration::from_hours(1);
        let long = Lifetime::read(now, later(now, hour * 9)).unwrap();
        let authority = |length| Lifetime::read(earlier(now, hour), later(now, length)).unwrap();
        assert_eq!(long.within(authority(hour * 99)), Some(long));
        assert_eq!(long.within(authority(hour * 17)).map(Lifetime::length), Some(hour * 3));
        assert_eq!(long.within(authority(hour * 4)), None);
    }

    #[test]
    fn the_end_of_time_holds() {
        let now: Timestamp = "9999-12-30T00:00:00Z".parse().unwrap();
        let authority = Lifetime::of_authority(now, SignedDuration::MAX, Timestamp::MAX);
        assert!(authority.not_after <= Timestamp::MAX);
        assert!(!Lifetime::of_authority(now, SignedDuration::ZERO, now).exceeds(SignedDuration::MAX / 2));
    }
}
