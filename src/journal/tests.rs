//! What records come to, and which make no sense after those before them.

use jiff::SignedDuration;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::append::{Entry, next_record};
use super::*;
use crate::api::effective::EffectivePolicy;
use crate::api::record::{GrantIdentity, TakenDecision};

const DIGEST: &str = "v1:sha256:00";

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).expect("in range")
}

/// What comes of one more record, written at this second.
fn take(journal: &mut Journal, entry: &Entry, second: i64) -> Result<(), Broken> {
    let record = next_record(journal, entry, &GrantIdentity::default(), None, at(second));
    journal.take(&record)
}

/// A journal whose sandbox was opened at second 1000, until second 9000.
fn opened() -> Journal {
    let mut journal = Journal::empty();
    let entry = Entry::opened(Stage::Sandbox, DIGEST, at(9000), &EffectivePolicy::default());
    take(&mut journal, &entry, 1000).expect("it is the first");
    journal
}

fn of_sandbox(journal: &Journal, event: RecordEvent, reason: RecordReason) -> Entry {
    Entry::of_opening(event, &journal.openings[0], reason, String::new())
}

#[test]
fn a_clock_that_was_set_back_past_the_newest_record_is_not_believed() {
    let journal = Journal { newest: Some(at(5000)), ..Journal::empty() };
    assert_eq!(journal.time(at(1400)), at(5000));
    assert_eq!(journal.time(at(5001)), at(5001));
    assert_eq!(Journal::empty().time(at(1400)), at(1400));
}

#[test]
fn no_record_is_older_than_the_one_before_it() {
    let journal = opened();
    let entry = of_sandbox(&journal, RecordEvent::Suspended, RecordReason::Suspended);
    let mut record = next_record(&journal, &entry, &GrantIdentity::default(), None, at(1001));
    for (second, makes_sense) in [(1000, true), (999, false)] {
        record.at = Time(at(second));
        assert_eq!(journal.clone().take(&record).is_ok(), makes_sense, "{second}");
    }
}

#[test]
fn what_was_closed_for_good_isnt_opened_again() {
    for (reason, reopens) in [
        (RecordReason::Superseded, false),
        (RecordReason::Expired, false),
        (RecordReason::ReviewLapsed, false),
        (RecordReason::Demoted, true),
    ] {
        let mut closed = opened();
        let entry = of_sandbox(&closed, RecordEvent::Closed, reason);
        take(&mut closed, &entry, 2000).expect("it was open");
        let again = Entry::opened(Stage::Sandbox, DIGEST, at(9000), &EffectivePolicy::default());
        let resumed = of_sandbox(&closed, RecordEvent::Resumed, RecordReason::Suspended);
        for entry in [again, resumed] {
            let taken = take(&mut closed.clone(), &entry, 3000);
            assert_eq!(taken.is_ok(), reopens, "{reason:?} {:?}", entry.event);
        }
    }
}

#[test]
fn only_what_people_decide_takes_a_decision() {
    let decision = TakenDecision {
        name: "quarantine".to_owned(),
        uid: "decision".to_owned(),
        by: "rosa".to_owned(),
        on_behalf_of: None,
        made: Time(at(0)),
        until: None,
    };
    for (event, makes_sense) in [
        (RecordEvent::Quarantined, true),
        (RecordEvent::Requested, false),
        (RecordEvent::Suspended, false),
        (RecordEvent::Ended, false),
    ] {
        let mut journal = opened();
        let entry = of_sandbox(&journal, event, RecordReason::Suspended);
        let entry = Entry { decision: Some(decision.clone()), ..entry };
        let taken = take(&mut journal, &entry, SignedDuration::from_mins(50).as_secs());
        assert_eq!(taken.is_ok(), makes_sense, "{event:?}");
    }
}
