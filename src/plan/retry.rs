//! When to look again.

use jiff::{SignedDuration, Timestamp};

/// The longest that nothing is looked at. Watches tell of changes; this is for what they miss.
pub const LONGEST: SignedDuration = SignedDuration::from_hours(6);

/// How long to wait after the `failures`-th failure in a row: from 250 ms, doubling, to a minute.
pub fn backoff(failures: u32) -> SignedDuration {
    let milliseconds = 250_i64.saturating_mul(1_i64 << failures.min(8));
    SignedDuration::from_millis(milliseconds.min(60_000))
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
    fn failures_wait_longer_but_never_more_than_a_minute() {
        assert!(backoff(1) > backoff(0));
        assert_eq!(backoff(40), SignedDuration::from_secs(60));
    }
}
