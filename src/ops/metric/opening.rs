//! The openings that give access now, kept by grant, so that how many end soon is counted when somebody asks.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};

use crate::api::stage::Stage;
use crate::grant::meter::OpenNow;

/// How soon is soon: as it stands in the label, and how long that is.
pub(super) const WITHIN: [(&str, SignedDuration); 3] = [
    ("1d", SignedDuration::from_hours(24)),
    ("7d", SignedDuration::from_hours(7 * 24)),
    ("30d", SignedDuration::from_hours(30 * 24)),
];

/// How many openings of a stage there are.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Count {
    /// That give access.
    pub(super) open: i64,
    /// Of these, that end within each of [`WITHIN`].
    pub(super) ending: [i64; WITHIN.len()],
    /// Of these, that close within each of [`WITHIN`] unless somebody confirms them.
    pub(super) lapsing: [i64; WITHIN.len()],
}

/// The openings that give access, by the UID of their grant.
#[derive(Debug, Default)]
pub(super) struct Openings(Mutex<HashMap<String, Vec<OpenNow>>>);

impl Openings {
    /// Takes which openings of a grant give access.
    pub(super) fn note(&self, grant: &str, openings: &[OpenNow]) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if openings.is_empty() {
            known.remove(grant);
        } else if known.get(grant).is_none_or(|before| before != openings) {
            known.insert(grant.to_owned(), openings.to_vec());
        }
    }

    /// How many there are of a stage, `now`.
    pub(super) fn count(&self, stage: Stage, now: Timestamp) -> Count {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut count = Count::default();
        for opening in known.values().flatten().filter(|opening| opening.stage == stage) {
            count.open += 1;
            // A review that would come after the end is none.
            let lapses = opening.lapses.filter(|lapses| *lapses < opening.until);
            for (place, (_, soon)) in WITHIN.iter().enumerate() {
                let is_soon = |moment: Timestamp| moment.duration_since(now) <= *soon;
                count.ending[place] += i64::from(is_soon(opening.until));
                count.lapsing[place] += i64::from(lapses.is_some_and(is_soon));
            }
        }
        count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ends_soon_is_counted_by_how_soon_as_time_passes() {
        let (openings, now) = (Openings::default(), Timestamp::UNIX_EPOCH);
        let days = |days: i64| now + SignedDuration::from_hours(24 * days);
        let opening = |until, lapses| OpenNow { stage: Stage::Production, until, lapses };
        openings.note("one", &[opening(days(5), None)]);
        openings.note("other", &[opening(days(90), Some(days(7))), opening(days(1), Some(days(2)))]);
        let count = Count { open: 3, ending: [1, 2, 2], lapsing: [0, 1, 1] };
        assert_eq!(openings.count(Stage::Production, now), count);
        assert_eq!(openings.count(Stage::Production, days(4)).ending, [2, 2, 2]);
        assert_eq!(openings.count(Stage::Sandbox, now), Count::default());
        openings.note("one", &[]);
        assert_eq!(openings.count(Stage::Production, now).ending, [1, 1, 1]);
    }
}
