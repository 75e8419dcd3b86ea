//! Windows compared by meaning: against every half hour, around the days when clocks change.

use jiff::{Timestamp, ToSpan as _};
use proptest::prelude::*;

use super::super::Comparison;
use super::super::window::{Period, Schedules};
use super::any::any_windows;
use super::request::is_in;
use crate::api::contract::Window;
use crate::policy::testing::{instant, read};

/// When clocks change somewhere: in Europe, in America, on Lord Howe, in Morocco around Ramadan.
const CHANGES: [&str; 6] = [
    "2026-10-25T01:00:00Z",
    "2026-11-01T06:00:00Z",
    "2027-03-28T01:00:00Z",
    "2027-04-03T15:00:00Z",
    "2026-02-15T02:00:00Z",
    "2085-03-25T01:00:00Z",
];

fn between(from: Timestamp, to: Timestamp) -> Period {
    Period::common([Some(from), None], [to, to])
}

fn schedules(lists: &[Vec<Window>]) -> Schedules {
    Schedules::of(lists.iter().map(Vec::as_slice))
}

fn is_open(lists: &[Vec<Window>], at: Timestamp) -> bool {
    lists.iter().all(|list| list.is_empty() || list.iter().any(|window| is_in(window, at)))
}

/// Every half hour of some days before and after an instant.
fn half_hours(from: Timestamp, to: Timestamp) -> impl Iterator<Item = Timestamp> {
    std::iter::successors(Some(from), |at| Some(*at + 30.minutes())).take_while(move |at| *at < to)
}

fn lists() -> impl Strategy<Value = Vec<Vec<Window>>> {
    prop::collection::vec(any_windows(), 0..3)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn they_compare_and_meet_as_their_instants_do(
        one in lists(), other in lists(), alike in any::<bool>(), change in 0_usize..6,
        before in 1_i64..120, after in 1_i64..120,
    ) {
        let other = if alike { [&one[..], &other].concat() } else { other };
        let middle = instant(CHANGES[change]);
        let (from, to) = (middle - before.hours(), middle + after.hours());
        let period = between(from, to);
        let found = schedules(&one).compare(&schedules(&other), &period);
        let met = schedules(&one).meet(&schedules(&other), &period).lists();
        let (mut lost, mut gained) = (false, false);
        for at in half_hours(from, to) {
            let (first, second) = (is_open(&one, at), is_open(&other, at));
            lost |= first && !second;
            gained |= second && !first;
            prop_assert_eq!(is_open(&met, at), first && second, "{}", at);
        }
        prop_assert_eq!(found, Comparison::of(lost, gained));
    }
}

fn windows(yaml: &str) -> Schedules {
    let windows: Vec<Window> = read(yaml);
    Schedules::of([windows.as_slice()])
}

const STOCKHOLM: &str = "[{days: [Monday, Tuesday], from: '06:00', to: '20:00', timeZone: Europe/Stockholm}]";

#[test]
fn two_zones_are_alike_for_as_long_as_their_rules_are() {
    let (from, winter, summer) = ("2026-12-01T00:00:00Z", "2027-03-01T00:00:00Z", "2027-06-01T00:00:00Z");
    let lagos = STOCKHOLM.replace("Europe/Stockholm", "Africa/Lagos");
    let berlin = STOCKHOLM.replace("Europe/Stockholm", "Europe/Berlin");
    let until = |end: &str| between(instant(from), instant(end));
    let compare = |other: &str, end: &str| windows(STOCKHOLM).compare(&windows(other), &until(end));
    assert_eq!(compare(&berlin, "9999-01-01T00:00:00Z"), Comparison::Equal);
    assert_eq!(compare(&lagos, winter), Comparison::Equal, "an hour ahead of UTC both");
    assert_eq!(compare(&lagos, summer), Comparison::Both, "only one of them has summer time");
}

#[test]
fn a_part_of_a_week_does_not_stand_for_all_of_it() {
    // It begins on the last weekend of summer time, of which no window is a part, and goes on
    // until it is summer again.
    let period = between(instant("2026-10-24T00:00:00Z"), instant("2027-09-01T00:00:00Z"));
    let winter =
        STOCKHOLM.replace("06:00", "05:00").replace("20:00", "19:00").replace("Europe/Stockholm", "UTC");
    assert_eq!(windows(STOCKHOLM).compare(&windows(&winter), &period), Comparison::Both);
}

#[test]
fn what_can_be_said_in_one_list_is() {
    let period = between(instant("2026-01-01T00:00:00Z"), instant("2030-01-01T00:00:00Z"));
    let later = STOCKHOLM.replace("06:00", "08:00").replace("20:00", "22:00");
    let met = windows(STOCKHOLM).meet(&windows(&later), &period);
    assert_eq!(met.to_string(), "Monday, Tuesday 08:00–20:00 Europe/Stockholm");
    let utc = later.replace("Europe/Stockholm", "UTC");
    let met = windows(STOCKHOLM).meet(&windows(&utc), &period);
    assert_eq!(
        met.to_string(),
        "Monday, Tuesday 06:00–20:00 Europe/Stockholm, and within Monday, Tuesday 08:00–22:00 UTC"
    );
    let never = STOCKHOLM.replace("Monday, Tuesday", "Sunday");
    let met = windows(STOCKHOLM).meet(&windows(&never), &period);
    assert_eq!(met.clone().lists().len(), 2, "nothing is left, which no one list can say");
    assert_eq!(met.compare(&windows(STOCKHOLM), &period), Comparison::Wider);
}

#[test]
fn what_cannot_be_read_holds_no_instant() {
    let period = between(instant("2026-01-01T00:00:00Z"), instant("2030-01-01T00:00:00Z"));
    for wrong in [
        STOCKHOLM.replace("Stockholm", "Atlantis"),
        STOCKHOLM.replace("06:00", "6"),
        STOCKHOLM.replace("20:00", "05:00"),
        STOCKHOLM.replace("20:00", "25:00"),
    ] {
        assert_eq!(windows(STOCKHOLM).compare(&windows(&wrong), &period), Comparison::Narrower, "{wrong}");
        let met = windows(STOCKHOLM).meet(&windows(&wrong), &period);
        assert_eq!(met.compare(&windows(STOCKHOLM), &period), Comparison::Wider, "{wrong}");
    }
}

#[test]
fn the_far_future_is_looked_at_and_takes_no_time() {
    let period = between(instant("2026-01-01T00:00:00Z"), instant("9999-12-30T00:00:00Z"));
    let zones = ["Europe/London", "America/New_York", "Asia/Tehran", "America/Sao_Paulo", "Pacific/Chatham"];
    let each = |zone: &str| STOCKHOLM.replace("Europe/Stockholm", zone);
    let list = |zones: &[&str]| -> Vec<Window> {
        zones.iter().flat_map(|zone| read::<Vec<Window>>(&each(zone))).collect()
    };
    let (all, fewer) = (list(&zones), list(&zones[..4]));
    let compare =
        |one: &[Window], other: &[Window]| Schedules::of([one]).compare(&Schedules::of([other]), &period);
    assert_eq!(compare(&all, &fewer), Comparison::Narrower);
    assert_eq!(compare(&all, &all.iter().rev().cloned().collect::<Vec<_>>()), Comparison::Equal);
}
