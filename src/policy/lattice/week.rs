//! A week as people write it: windows of days and times, by time zone, as seconds since Monday.

use std::collections::BTreeMap;

use super::spans::Spans;
use crate::api::contract::{Weekday, Window};
use crate::api::value::TimeOfDay;

/// The seconds of a day.
pub(super) const DAY: i64 = 86_400;

/// The seconds of a week.
pub(super) const WEEK: i64 = 7 * DAY;

/// The most windows that one list may hold.
const MOST_WINDOWS: usize = 16;

const DAYS: [Weekday; 7] = [
    Weekday::Monday,
    Weekday::Tuesday,
    Weekday::Wednesday,
    Weekday::Thursday,
    Weekday::Friday,
    Weekday::Saturday,
    Weekday::Sunday,
];

/// For each time zone, the seconds since Monday, by its own clocks, that some window holds.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Week(BTreeMap<String, Spans>);

impl Week {
    /// What some windows come to. One that can't be read holds nothing.
    pub(super) fn of(windows: &[Window]) -> Self {
        let mut zones: BTreeMap<String, Spans> = BTreeMap::new();
        for window in windows {
            let known = zones.entry(window.time_zone.clone()).or_default();
            *known = known.join(&spans(window));
        }
        Self(zones)
    }

    /// The zones that it speaks of.
    pub(super) fn zones(&self) -> impl Iterator<Item = &String> {
        self.0.keys()
    }

    /// The seconds of the week in UTC, where each zone is so far ahead of it. A zone that isn't
    /// known holds nothing.
    pub(super) fn in_utc(&self, offsets: &BTreeMap<String, i64>) -> Spans {
        let known = self.0.iter().filter_map(|(zone, spans)| Some(shifted(spans, -*offsets.get(zone)?)));
        known.fold(Spans::default(), |open, spans| open.join(&spans))
    }

    /// What both hold, where both speak of one and the same zone, and anything is left.
    pub(super) fn meet(&self, other: &Self) -> Option<Self> {
        match (self.0.iter().collect::<Vec<_>>().as_slice(), other.0.iter().collect::<Vec<_>>().as_slice()) {
            ([(zone, one)], [(same, other)]) if zone == same => {
                let met = one.meet(other);
                (!met.is_empty()).then(|| Self([((*zone).clone(), met)].into()))
            }
            _ => None,
        }
    }

    /// Windows that say the same, in an order that is always the same. `None` where there would
    /// be too many, or none, which would mean something else.
    pub(super) fn windows(&self) -> Option<Vec<Window>> {
        let windows: Vec<Window> = self.0.iter().flat_map(|(zone, spans)| written(zone, spans)).collect();
        (1..=MOST_WINDOWS).contains(&windows.len()).then_some(windows)
    }
}

impl std::fmt::Display for Week {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let of_zone = |(zone, spans): (&String, &Spans)| {
            let times = written(zone, spans).iter().map(times).collect::<Vec<_>>().join(", ");
            if times.is_empty() { format!("never {zone}") } else { format!("{times} {zone}") }
        };
        out.write_str(&self.0.iter().map(of_zone).collect::<Vec<_>>().join(" or "))
    }
}

/// The days and times of a window, for people.
fn times(window: &Window) -> String {
    format!("{} {}–{}", days(&window.days), window.from, window.to)
}

/// Days, for people: `Monday–Friday`, `Monday, Wednesday`, `every day`.
fn days(days: &[Weekday]) -> String {
    let numbers: Vec<usize> =
        days.iter().filter_map(|day| DAYS.iter().position(|known| known == day)).collect();
    let in_a_row = numbers.windows(2).all(|pair| pair[0] + 1 == pair[1]);
    match days {
        [_, _, _, _, _, _, _] if in_a_row => "every day".to_owned(),
        [first, _, .., last] if in_a_row && days.len() > 2 => format!("{first:?}–{last:?}"),
        _ => days.iter().map(|day| format!("{day:?}")).collect::<Vec<_>>().join(", "),
    }
}

/// The seconds since Monday that a window holds.
fn spans(window: &Window) -> Spans {
    let (Some(from), Some(to)) = (second(&window.from), second(&window.to)) else { return Spans::default() };
    let numbers = DAYS.iter().zip(0_i64..).filter(|(day, _)| window.days.contains(day));
    Spans::of(numbers.filter(|_| from < to).map(|(_, number)| {
        let midnight = number * DAY;
        ((midnight + from).unsigned_abs().into(), (midnight + to - 1).unsigned_abs().into())
    }))
}

/// The second of the day that a time of day says.
fn second(time: &TimeOfDay) -> Option<i64> {
    let (hours, minutes) = time.0.split_once(':')?;
    let number = |text: &str| {
        let plain = text.len() == 2 && text.bytes().all(|letter| letter.is_ascii_digit());
        plain.then(|| text.parse::<i64>().ok()).flatten()
    };
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    let exists = hours < 24 && minutes < 60 || hours == 24 && minutes == 0;
    exists.then_some(hours * 3_600 + minutes * 60)
}

/// Windows of one zone that hold exactly these seconds since Monday: days with the same times
/// are written together.
fn written(zone: &str, spans: &Spans) -> Vec<Window> {
    let mut days: BTreeMap<(i64, i64), Vec<Weekday>> = BTreeMap::new();
    for (day, number) in DAYS.iter().zip(0_i64..) {
        let midnight = number * DAY;
        let whole = Spans::of([(midnight.unsigned_abs().into(), (midnight + DAY - 1).unsigned_abs().into())]);
        for (first, last) in spans.meet(&whole).spans() {
            let second = |at: u128| i64::try_from(at).unwrap_or(WEEK) - midnight;
            days.entry((second(*first), second(*last) + 1)).or_default().push(*day);
        }
    }
    let time = |second: i64| TimeOfDay(format!("{:02}:{:02}", second / 3_600, second / 60 % 60));
    let window =
        |((from, to), days)| Window { days, from: time(from), to: time(to), time_zone: zone.to_owned() };
    days.into_iter().map(window).collect()
}

/// Seconds of a week, so many seconds later; what passes the end of the week begins it.
pub(super) fn shifted(spans: &Spans, by: i64) -> Spans {
    let week = WEEK.unsigned_abs();
    let by = u128::from(by.rem_euclid(WEEK).unsigned_abs());
    let later = spans.spans().iter().map(|(first, last)| (first + by, last + by));
    Spans::of(later.flat_map(|(first, last)| {
        let end = u128::from(week) - 1;
        // Nothing is longer than a week, so it passes the end at most once.
        let wrapped = |second: u128| second.saturating_sub(end + 1);
        let before = (first <= end).then(|| (first, last.min(end)));
        let after = (last > end).then(|| (wrapped(first), wrapped(last)));
        before.into_iter().chain(after)
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(days: &[Weekday], from: &str, to: &str) -> Window {
        let time_zone = "Europe/Stockholm".to_owned();
        Window { days: days.to_vec(), from: from.into(), to: to.into(), time_zone }
    }

    #[test]
    fn windows_are_written_in_one_form_and_said_in_words() {
        for (windows, told) in [
            (vec![window(&DAYS[..5], "06:00", "20:00")], "Monday–Friday 06:00–20:00 Europe/Stockholm"),
            (
                vec![window(&DAYS[..3], "06:00", "12:00"), window(&DAYS[..3], "12:00", "24:00")],
                "Monday–Wednesday 06:00–24:00 Europe/Stockholm",
            ),
            (vec![window(&DAYS, "00:00", "24:00")], "every day 00:00–24:00 Europe/Stockholm"),
            (
                vec![window(&[DAYS[2], DAYS[0]], "06:00", "08:00"), window(&DAYS[5..], "00:00", "01:00")],
                "Saturday, Sunday 00:00–01:00, Monday, Wednesday 06:00–08:00 Europe/Stockholm",
            ),
            (vec![window(&DAYS, "20:00", "06:00")], "never Europe/Stockholm"),
            (vec![window(&DAYS, "6:00", "25:00")], "never Europe/Stockholm"),
        ] {
            let week = Week::of(&windows);
            assert_eq!(week.to_string(), told);
            if let Some(again) = week.windows() {
                assert_eq!(Week::of(&again), week);
            }
        }
    }

    #[test]
    fn the_week_turns() {
        let sunday_evening = Week::of(&[window(&DAYS[6..], "22:00", "24:00")]);
        let utc = sunday_evening.in_utc(&[("Europe/Stockholm".to_owned(), -3_600)].into());
        assert_eq!(utc.spans(), [(0, 3_599), (601_200, 604_799)], "an hour of it is on Monday");
        let early = Week::of(&[window(&DAYS[..1], "00:00", "02:00")]);
        let utc = early.in_utc(&[("Europe/Stockholm".to_owned(), 3_600)].into());
        assert_eq!(utc.spans(), [(0, 3_599), (601_200, 604_799)], "an hour of it is on Sunday");
    }
}
