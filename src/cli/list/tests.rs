//! What `comity list` lists, in which order, and that nothing that can't be read is left out.

use jiff::SignedDuration;
use jiff::tz::TimeZone;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, ObjectMeta, Time};

use super::row::List;
use crate::api::condition::{ConditionType, Reason};
use crate::api::{PartnerGrant, Stage};
use crate::cli::moment::Watch;
use crate::cluster::readable::{Readable, Unreadable};
use crate::policy::testing::{World, instant};

const NOW: &str = "2026-12-01T12:00:00Z";

fn condition(kind: ConditionType, reason: Reason) -> Condition {
    Condition {
        type_: kind.as_str().to_owned(),
        status: "True".to_owned(),
        reason: reason.to_string(),
        message: String::new(),
        last_transition_time: Time(instant(NOW)),
        observed_generation: None,
    }
}

/// A grant that is open for so many hours more; `None`: nothing is open.
fn grant(name: &str, hours: Option<i64>, reason: Reason) -> PartnerGrant {
    let mut grant = World::story().grant;
    grant.metadata.name = Some(name.to_owned());
    let status = grant.status.get_or_insert_default();
    status.conditions = vec![condition(ConditionType::Ready, reason)];
    if let Some(hours) = hours {
        status.open_stages = vec![Stage::Sandbox];
        status.expires_at = Some(Time(instant(NOW) + SignedDuration::from_hours(hours)));
    }
    grant
}

fn all() -> Vec<Readable<PartnerGrant>> {
    let mut asked = grant("asked", Some(24 * 40), Reason::Open);
    asked
        .status
        .get_or_insert_default()
        .conditions
        .push(condition(ConditionType::Approved, Reason::ConsentPending));
    let metadata = ObjectMeta {
        name: Some("strange".to_owned()),
        namespace: Some("risk-data".to_owned()),
        ..ObjectMeta::default()
    };
    let strange = Readable(Err(Unreadable { metadata, error: "missing field `spec`".to_owned() }));
    let readable = [
        asked,
        grant("late", Some(24 * 6), Reason::Open),
        grant("over", None, Reason::Ended),
        grant("soon", Some(2), Reason::Open),
        grant("new", None, Reason::ConsentPending),
    ];
    readable.into_iter().map(|grant| Readable(Ok(grant))).chain([strange]).collect()
}

fn names(within: Option<i64>, ended: bool) -> Vec<String> {
    let list = List::of(&all(), instant(NOW)).narrowed(within.map(SignedDuration::from_hours), ended);
    list.rows.into_iter().map(|row| row.name).collect()
}

#[test]
fn what_ends_soonest_comes_first_and_what_cannot_be_read_before_it() {
    assert_eq!(names(None, false), ["strange", "soon", "late", "asked", "new"]);
    assert_eq!(names(None, true).len(), 6);
    assert_eq!(names(Some(24 * 7), false), ["strange", "soon", "late"]);
    assert_eq!(names(Some(1), true), ["strange"], "nobody knows when it ends");
}

#[test]
fn people_are_shown_a_table() {
    let watch = Watch { now: instant(NOW), zone: TimeZone::get("Europe/Stockholm").expect("a zone") };
    let list = List::of(&all(), instant(NOW)).narrowed(None, false);
    insta::assert_snapshot!(list.page(&watch, true).text(false));
    let none = List::of(&[], instant(NOW)).narrowed(None, false);
    assert_eq!(none.page(&watch, false).text(false), "no grant is like that\n");
}

#[test]
fn programs_get_the_same() {
    let list = List::of(&all(), instant(NOW)).narrowed(None, false);
    let told = serde_json::to_value(&list).expect("JSON");
    assert_eq!((told["rows"].as_array().map(Vec::len), told["ended"].as_u64()), (Some(5), Some(1)));
    assert_eq!(told["rows"][0]["unreadable"], "missing field `spec`");
    assert_eq!(told["rows"][1]["ends"], "2026-12-01T14:00:00Z");
}

#[test]
fn a_thousand_grants_are_listed_in_no_time() {
    let many: Vec<_> = (0..1000)
        .map(|number| Readable(Ok(grant(&format!("g-{number}"), Some(number), Reason::Open))))
        .collect();
    let clock = crate::cluster::clock::Clock::default();
    let begun = clock.now();
    let watch = Watch { now: instant(NOW), zone: TimeZone::get("Europe/Stockholm").expect("a zone") };
    let text = List::of(&many, instant(NOW)).narrowed(None, false).page(&watch, false).text(false);
    let took = clock.now().duration_since(begun);
    assert_eq!(text.lines().count(), 1001);
    println!("1000 grants: {took:?}");
    assert!(took < SignedDuration::from_secs(2), "{took:?}");
}

#[test]
fn what_somebody_has_to_confirm_is_listed_with_when_it_closes() {
    let lapse = instant(NOW) + SignedDuration::from_hours(24 * 3);
    let rows = || {
        let mut list = List::of(&all(), instant(NOW));
        list.rows = list
            .rows
            .into_iter()
            .filter(|row| row.name == "asked")
            .map(|row| row.asked_for(vec![Stage::Production]).reviewed_by(Some(lapse)))
            .collect();
        list
    };
    let watch = Watch { now: instant(NOW), zone: TimeZone::UTC };
    let text = rows().narrowed(None, false).page(&watch, false).text(false);
    let words = "Production; attest before 2026-12-04 12:00:00 UTC (in 3 days)";
    assert!(text.contains("WAITS FOR") && text.contains(words), "{text}");
    let soon = |days: i64| rows().narrowed(Some(SignedDuration::from_hours(24 * days)), false).rows.len();
    assert_eq!([soon(2), soon(3)], [0, 1], "although its end is forty days off");
    let told = serde_json::to_value(rows()).expect("JSON");
    assert_eq!(told["rows"][0]["reviewLapses"], "2026-12-04T12:00:00Z");
    assert!(!List::of(&all(), instant(NOW)).rows.iter().any(super::row::Row::waits));
}
