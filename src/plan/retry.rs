//! When to look again.

use jiff::{SignedDuration, Timestamp};

/// The longest that nothing is looked at. Watches tell of changes; this is for what they miss.
pub const LONGEST: SignedDuration = SignedDuration::from_hours(6);

/// How long to wait after the `failures`-th failure in a row: from 250 ms, doubling, to a minute.
pub fn backoff(failures: u32) -> SignedDuration {
    let milliseconds = 250_i64.saturating_mul(1_i64 << failures.min(8));
    SignedDuration::from_millis(milliseconds.min(60_000))
}

/// How often something has failed in a row, and when it is tried again.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Setbacks {
    times: u32,
    until: Option<Timestamp>,
}

impl Setbacks {
    /// It failed again. What was tried sooner than it had to be, since something happened to it,
    /// isn't a setback more: a burst of events doesn't make the wait longer.
    pub fn note(&mut self, now: Timestamp) {
        if self.until.is_none_or(|until| until <= now) {
            self.times = self.times.saturating_add(1);
            self.until = now.checked_add(backoff(self.times)).ok();
        }
    }

    /// How long it is until it is tried again.
    pub fn wait(&self, now: Timestamp) -> SignedDuration {
        until_earliest(self.until, now)
    }
}

/// Why a pass failed.
pub trait Failure: std::error::Error {
    /// When it has to be tried again, however often it has failed.
    fn at_the_latest(&self) -> Option<Timestamp> {
        None
    }
}

/// How long from `now` until the earliest of `moments`, at most [`LONGEST`], at least nothing.
pub fn until_earliest(moments: impl IntoIterator<Item = Timestamp>, now: Timestamp) -> SignedDuration {
    moments
        .into_iter()
        .map(|moment| moment.duration_since(now))
        .min()
        .unwrap_or(LONGEST)
        .clamp(SignedDuration::ZERO, LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earliest_moment_wins_and_the_past_is_now() {
        let now = Timestamp::UNIX_EPOCH;
        let later = |seconds| Timestamp::from_second(seconds).expect("in range");
        assert_eq!(until_earliest([later(9), later(3)], now), SignedDuration::from_secs(3));
        assert_eq!(until_earliest([later(-9)], now), SignedDuration::ZERO);
        assert_eq!(until_earliest([], now), LONGEST);
    }

    #[test]
    fn a_burst_of_failures_is_one_setback() {
        let (mut setbacks, start) = (Setbacks::default(), Timestamp::UNIX_EPOCH);
        let at = |milliseconds| start + SignedDuration::from_millis(milliseconds);
        for moment in 0..200 {
            setbacks.note(at(moment));
        }
        assert_eq!(setbacks.wait(at(200)), SignedDuration::from_millis(300), "as after the first");
        setbacks.note(at(500));
        assert_eq!(setbacks.wait(at(500)), backoff(2));
        setbacks.note(at(1500));
        assert_eq!(setbacks.wait(at(1500)), backoff(3));
        assert_eq!(setbacks.wait(at(100_000)), SignedDuration::ZERO);
    }

    #[test]
    fn failures_wait_longer_but_never_more_than_a_minute() {
        assert!(backoff(1) > backoff(0));
        assert_eq!(backoff(40), SignedDuration::from_secs(60));
    }
}
