//! A bounded pace: so many turns a second, over the whole process.

use std::sync::atomic::{AtomicI64, Ordering};

use jiff::Timestamp;

/// Gives turns, no two closer together than its gap.
#[derive(Debug)]
pub struct Pace {
    gap: i64,
    next: AtomicI64,
}

impl Pace {
    /// A pace of at most `turns` a second.
    pub fn per_second(turns: i64) -> Self {
        Self { gap: 1000 / turns.clamp(1, 1000), next: AtomicI64::new(i64::MIN) }
    }

    /// Whether there is a turn at `now`; it is taken if so.
    pub fn may_go(&self, now: Timestamp) -> bool {
        let now = now.as_millisecond();
        let take = |next: i64| (now >= next).then_some(now.saturating_add(self.gap));
        self.next.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_are_no_closer_than_the_pace() {
        let pace = Pace::per_second(10);
        let at = |milliseconds| Timestamp::from_millisecond(milliseconds).expect("in range");
        let turns = (0..1000).filter(|milliseconds| pace.may_go(at(*milliseconds))).count();
        assert_eq!(turns, 10);
    }
}
