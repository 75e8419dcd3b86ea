//! What `comity history` tells of a journal that holds, and of each way in which one doesn't.

use jiff::SignedDuration;
use jiff::tz::TimeZone;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use serde_json::json;

use super::line::History;
use crate::api::record::{GrantIdentity, GrantRecordSpec, RecordEvent, RecordReason, TakenDecision};
use crate::api::{GrantRecord, Stage, name};
use crate::cli::moment::Watch;
use crate::cluster::readable::{Readable, Unreadable};
use crate::journal::Journal;
use crate::journal::append::{Entry, next_record};
use crate::policy::testing::{World, instant};

const UID: &str = "6f0c1a2b-0000-4000-8000-000000000001";
const NOW: &str = "2026-12-05T12:00:00Z";

fn watch() -> Watch {
    Watch { now: instant(NOW), zone: TimeZone::get("Europe/Stockholm").expect("a zone") }
}

/// A life: asked for, opened, agreed to, quarantined.
fn life(uid: &str) -> Vec<GrantRecordSpec> {
    let agreed = World::story().agreed();
    let policy = &agreed.stages[&Stage::Sandbox].policy;
    let begun = instant("2026-12-01T12:00:00Z");
    let end = begun + SignedDuration::from_hours(168);
    let decided = |event, stage: Option<Stage>, message: &str| Entry {
        stage: stage.map(|stage| (stage, agreed.digest.clone())),
        decision: Some(TakenDecision {
            name: "ok-1".to_owned(),
            uid: format!("decision-{message}"),
            by: "olga@retail.example".to_owned(),
            on_behalf_of: stage.map(|_| "security".into()),
            made: Time(begun),
            until: None,
        }),
        ..Entry::of_grant(event, Some(RecordReason::Decided), message)
    };
    let entries = [
        Entry {
            digest: Some(agreed.digest.clone()),
            ..Entry::of_grant(RecordEvent::Requested, None, "access was asked for")
        },
        Entry::opened(Stage::Sandbox, &agreed.digest, end, policy),
        decided(RecordEvent::Approved, Some(Stage::Production), "Report read\u{1b}[2J"),
        decided(RecordEvent::Quarantined, None, "Twice the usual volume"),
    ];
    let (mut journal, mut records) = (Journal::empty(), Vec::new());
    for (hour, entry) in entries.iter().enumerate() {
        let identity = GrantIdentity { name: "northpay-fraud".into(), uid: uid.into() };
        let at = begun + SignedDuration::from_hours(i64::try_from(hour).expect("small"));
        let record = next_record(&journal, entry, &identity, Some(1), at);
        journal.take(&record).expect("it follows");
        records.push(record);
    }
    records
}

fn stored(record: GrantRecordSpec) -> Readable<GrantRecord> {
    let called = name::record(record.grant.uid.as_str(), record.sequence);
    Readable(Ok(GrantRecord::new(&called, record)))
}

fn history(records: Vec<Readable<GrantRecord>>) -> History {
    History::of("risk-data", "northpay-fraud", Some(UID), records)
}

fn whole() -> Vec<Readable<GrantRecord>> {
    life(UID).into_iter().map(stored).collect()
}

fn told(history: &History) -> String {
    history.page(&watch()).text(false)
}

#[test]
fn a_journal_that_holds_is_told_line_by_line_in_whatever_order_it_comes() {
    let mut records = whole();
    records.reverse();
    let history = history(records);
    assert_eq!(history.fault(), None);
    insta::assert_snapshot!(told(&history));
}

#[test]
fn each_way_to_break_a_chain_is_found_where_it_breaks() {
    let broken = |change: fn(&mut Vec<Readable<GrantRecord>>)| {
        let mut records = whole();
        change(&mut records);
        let history = history(records);
        let [journal] = history.journals.as_slice() else { panic!("one journal") };
        assert!(!journal.holds && history.fault().is_some());
        assert!(told(&history).contains("what follows can't be trusted"), "{}", told(&history));
        let trusted = journal.records.iter().filter(|line| line.is_trusted).count();
        (journal.broken_at, trusted, journal.records.len(), journal.broken.clone().unwrap_or_default())
    };
    let (at, trusted, all, why) = broken(|records| drop(records.remove(1)));
    assert_eq!((at, trusted, all), (Some(3), 1, 3), "{why}");
    assert!(why.contains("record 2 is missing"), "{why}");
    let (at, trusted, all, why) = broken(|records| {
        let record = records[1].0.as_mut().expect("it can be read");
        record.spec.expires_at =
            Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(instant("2030-01-01T00:00:00Z")));
    });
    assert_eq!((at, trusted, all), (Some(3), 2, 4), "the one after it holds another digest: {why}");
    let (at, trusted, all, why) = broken(|records| {
        let metadata = ObjectMeta { name: Some(name::record(UID, 3)), ..ObjectMeta::default() };
        records[2] = Readable(Err(Unreadable { metadata, error: "missing field `event`".to_owned() }));
    });
    assert_eq!((at, trusted, all), (Some(3), 2, 4));
    assert!(why.contains("record 3 can't be read"), "{why}");
}

#[test]
fn one_that_cannot_be_read_is_shown_and_not_left_out() {
    let mut records = whole();
    let metadata = ObjectMeta { name: Some(name::record(UID, 4)), ..ObjectMeta::default() };
    records[3] = Readable(Err(Unreadable { metadata, error: "unknown variant `Blessed`".to_owned() }));
    let history = history(records);
    assert!(told(&history).contains("can't be read: unknown variant `Blessed`"), "{}", told(&history));
}

#[test]
fn grants_of_that_name_that_are_gone_have_journals_of_their_own_and_others_none() {
    let mut records = whole();
    records.extend(life("00000000-0000-4000-8000-00000000000a").into_iter().map(stored));
    let mut elsewhere = life("00000000-0000-4000-8000-00000000000b");
    for record in &mut elsewhere {
        record.grant.name = "other".into();
    }
    records.extend(elsewhere.into_iter().map(stored));
    let history = history(records);
    let uids: Vec<(&str, bool)> =
        history.journals.iter().map(|journal| (journal.uid.as_str(), journal.is_there)).collect();
    assert_eq!(uids, [("00000000-0000-4000-8000-00000000000a", false), (UID, true)]);
    let mut one = history;
    one.only(UID);
    assert_eq!(one.journals.len(), 1);
    one.only("nobody");
    assert!(one.fault().expect("none").contains("there is no journal"));
}

#[test]
fn a_record_under_another_name_counts_for_nothing_and_is_told() {
    let mut records = whole();
    let mut forged = life(UID).remove(3);
    forged.sequence = 5;
    records.push(Readable(Ok(GrantRecord::new("anything-at-all", forged))));
    let history = history(records);
    assert_eq!(history.fault(), None);
    assert!(told(&history).contains("anything-at-all isn't called as a record"), "{}", told(&history));
}

#[test]
fn programs_get_every_record_with_its_digest() {
    let value = serde_json::to_value(history(whole())).expect("JSON");
    let journal = &value["journals"][0];
    assert_eq!(
        (journal["holds"].as_bool(), journal["records"].as_array().map(Vec::len)),
        (Some(true), Some(4))
    );
    assert_eq!(journal["records"][1]["event"], json!("Opened"));
    assert!(journal["records"][1]["digest"].as_str().is_some_and(|digest| digest.starts_with("sha256:")));
    assert_eq!(journal["records"][2]["onBehalfOf"], json!("security"));
}
