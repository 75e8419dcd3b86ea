//! What is kept of records is what they say.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::*;
use crate::journal::append::{Entry, next_record};

/// A record of this number, of which a journal knows nothing but that it was written.
fn line(journal: &Journal) -> GrantRecordSpec {
    let grant = crate::api::record::GrantIdentity { name: "g".into(), uid: "uid".into() };
    let entry = Entry::of_grant(RecordEvent::Requested, None, "");
    next_record(journal, &entry, &grant, None, jiff::Timestamp::UNIX_EPOCH)
}

#[test]
fn what_is_kept_folded_is_what_the_records_say_in_whichever_order_they_come() {
    let mut journal = Journal::empty();
    let lines: Vec<GrantRecordSpec> = (0..4)
        .map(|_| {
            let line = line(&journal);
            journal.take(&line).unwrap();
            line
        })
        .collect();
    let orders = [[0, 1, 2, 3], [3, 2, 1, 0], [1, 0, 3, 2], [0, 2, 1, 3]];
    for order in orders {
        let records = Records::default();
        for (step, number) in order.into_iter().enumerate() {
            let record = &lines[number];
            records.put("home", &name::record("uid", record.sequence), record.clone());
            let mut there: Vec<usize> = order[..=step].to_vec();
            there.sort_unstable();
            let folded = Journal::fold(there.iter().map(|number| &lines[*number]));
            assert_eq!(records.journal("home", "uid"), folded, "{order:?} at {step}");
        }
        assert_eq!(records.journal("home", "uid"), Ok(journal.clone()));
        records.remove("home", &name::record("uid", 2), &lines[1]);
        assert_eq!(records.journal("home", "uid"), Err(Broken::Gap { expected: 2, found: 3 }));
    }
}

#[test]
fn a_policy_is_kept_once_and_the_record_is_as_it_was() {
    let grant = crate::api::record::GrantIdentity { name: "g".into(), uid: "uid".into() };
    let policy = EffectivePolicy { purpose: "fraud".into(), ..EffectivePolicy::default() };
    let (end, stage) = (Timestamp::from_second(60).unwrap(), crate::api::Stage::Sandbox);
    let entry = Entry::opened(stage, "v1:sha256:one", end, &policy);
    let opened = next_record(&Journal::empty(), &entry, &grant, Some(1), Timestamp::UNIX_EPOCH);
    let mut lines = Lines::default();
    assert!(lines.put(opened.clone()));
    for _ in 0..2 {
        let journal = lines.folded.as_ref().unwrap();
        let kept = lines.records[&1].policy.as_ref().unwrap();
        assert!(Arc::ptr_eq(kept, &journal.openings[0].policy));
        assert_eq!(lines.records[&1].whole(), Some(opened.clone()));
        assert!(!lines.put(opened.clone()), "it is known");
        lines.fold();
    }
    let wider = EffectivePolicy { purpose: "another".into(), ..policy };
    assert!(lines.put(GrantRecordSpec { policy: Some(wider), ..opened }), "another one is news");
}

#[test]
fn a_line_is_known_by_its_name_and_place_and_nothing_else_replaces_it() {
    let records = Records::default();
    let line = line(&Journal::empty());
    let forged = GrantRecordSpec { at: Time(jiff::Timestamp::MAX), ..line.clone() };
    let name = name::record("uid", 1);
    records.put("home", &name, line.clone());
    let genuine = records.journal("home", "uid");
    records.put("elsewhere", &name, forged.clone());
    records.put("home", "another-name", forged.clone());
    assert_eq!(records.journal("home", "uid"), genuine);
    records.remove("elsewhere", &name, &forged);
    records.remove("home", "another-name", &forged);
    assert_eq!(records.journal("home", "uid"), genuine, "nor takes it away");
    assert_eq!(records.live_since("home", "uid"), Some(Timestamp::UNIX_EPOCH));
    assert_eq!(records.live_since("elsewhere", "uid"), None);
}

#[test]
fn a_relist_tells_whose_lines_are_gone() {
    let records = Records::default();
    let entry = Entry::of_grant(RecordEvent::Requested, None, "");
    let line = |uid: &str| {
        let grant = crate::api::record::GrantIdentity { name: "g".into(), uid: uid.into() };
        next_record(&Journal::empty(), &entry, &grant, None, jiff::Timestamp::UNIX_EPOCH)
    };
    let put = |uid: &str| records.put("home", &name::record(uid, 1), line(uid));
    put("kept");
    put("lost");
    records.begin();
    put("kept");
    let told: Vec<_> = records.end().into_iter().map(|(home, grant)| (home, grant.uid.0)).collect();
    assert_eq!(told, [("home".to_owned(), "lost".to_owned())]);
    assert!(records.live_since("home", "kept").is_some() && records.live_since("home", "lost").is_none());
    records.begin();
    put("kept");
    assert!(records.end().is_empty());
}

#[test]
fn a_record_that_cannot_be_read_breaks_the_journal_also_where_it_is_the_last() {
    let mut journal = Journal::empty();
    let records = Records::default();
    for _ in 0..3 {
        let line = line(&journal);
        journal.take(&line).unwrap();
        records.put("home", &name::record("uid", line.sequence), line);
    }
    let last = name::record("uid", 3);
    let broken = Err(Broken::Unreadable { sequence: 3 });
    assert_eq!(records.spoil("home", &last), Some("uid".to_owned()));
    assert_eq!(records.journal("home", "uid"), broken);
    assert_eq!(records.spoil("home", &last), None, "it is known");
    records.begin();
    let first = line(&Journal::empty());
    records.put("home", &name::record("uid", 1), first);
    records.spoil("home", &last);
    records.end();
    assert_eq!(records.journal("home", "uid"), broken, "a relist tells of it too");
    assert_eq!(records.forget("home", &last), Some("uid".to_owned()));
    assert!(records.journal("home", "uid").is_ok(), "only the first is left");
    assert_eq!(records.spoil("home", "not-a-line"), None);
}

#[test]
fn a_grant_whose_only_record_cannot_be_read_has_no_fresh_start() {
    let records = Records::default();
    records.begin();
    records.spoil("home", &name::record("uid", 1));
    assert!(records.end().is_empty());
    assert_eq!(records.journal("home", "uid"), Err(Broken::Unreadable { sequence: 1 }));
}
