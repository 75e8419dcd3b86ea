//! What the journal says of rehearsals: which is due, what one showed, and which records make no sense.

use jiff::Timestamp;

use super::*;
use crate::api::effective::EffectivePolicy;
use crate::api::record::{GrantIdentity, RecordReason};
use crate::api::report::Counts;
use crate::journal::append::{Entry, next_record};
use crate::journal::{Broken, Journal};

const DIGEST: &str = "v1:sha256:00";
const OTHER: &str = "v1:sha256:01";
const ALL: RehearsalRequirement = RehearsalRequirement::All;
const EXECUTABLE: RehearsalRequirement = RehearsalRequirement::Executable;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).expect("in range")
}

/// Takes one more record, a second after the one before.
fn take(journal: &mut Journal, entry: &Entry) -> Result<(), Broken> {
    let record = next_record(journal, entry, &GrantIdentity::default(), None, at(1000 + journal.next));
    journal.take(&record)
}

fn opening(stage: Stage, digest: &str) -> Entry {
    Entry::opened(stage, digest, at(9000), &EffectivePolicy::default())
}

/// A journal of which the first record opens Rehearsal.
fn opened() -> Journal {
    let mut journal = Journal::empty();
    take(&mut journal, &opening(Stage::Rehearsal, DIGEST)).expect("it is the first");
    journal
}

fn asked(digest: &str) -> Entry {
    let entry = Entry::of_grant(RecordEvent::RehearsalRequested, Some(RecordReason::Decided), "");
    Entry { digest: Some(digest.to_owned()), ..entry }
}

/// What a rehearsal for the record `cause` showed: so many passed, failed, and couldn't be executed.
fn rehearsed(digest: &str, cause: i64, counts: (i32, i32, i32)) -> Entry {
    let (passed, failed, not_executable) = counts;
    let report = TakenReport {
        name: format!("report-{cause}"),
        uid: format!("uid-{cause}"),
        digest: "sha256:0".into(),
        cause,
        counts: Counts { passed, failed, not_executable },
        failed: Vec::new(),
        not_executable: Vec::new(),
    };
    let entry = Entry::of_grant(RecordEvent::Rehearsed, None, "");
    Entry { digest: Some(digest.to_owned()), report: Some(report), ..entry }
}

#[test]
fn each_opening_of_rehearsal_asks_for_one_and_no_other_stage_does() {
    let mut journal = Journal::empty();
    take(&mut journal, &opening(Stage::Sandbox, DIGEST)).expect("it is the first");
    assert_eq!(journal.rehearsals.due(DIGEST), None);
    take(&mut journal, &opening(Stage::Rehearsal, DIGEST)).expect("it was never open");
    take(&mut journal, &opening(Stage::Production, DIGEST)).expect("it was never open");
    assert_eq!(journal.rehearsals.due(DIGEST), Some(2));
    assert_eq!(journal.rehearsals.due(OTHER), None, "another digest is another matter");
}

#[test]
fn what_was_closed_for_a_while_is_rehearsed_again() {
    let mut journal = opened();
    take(&mut journal, &rehearsed(DIGEST, 1, (1, 0, 0))).expect("it was due");
    for event in [RecordEvent::Suspended, RecordEvent::Resumed] {
        let entry = Entry::of_opening(event, &journal.openings[0], RecordReason::Suspended, String::new());
        take(&mut journal, &entry).expect("it is open");
    }
    assert_eq!(journal.rehearsals.due(DIGEST), Some(4));
    assert_eq!(journal.rehearsals.shown(DIGEST, EXECUTABLE), Shown::Nothing);
    assert_eq!(journal.rehearsals.newest(DIGEST).map(|report| report.cause), Some(1), "it is told still");
    take(&mut journal, &rehearsed(DIGEST, 4, (1, 0, 0))).expect("it was due");
    assert!(
        matches!(journal.rehearsals.shown(DIGEST, EXECUTABLE), Shown::Passed(report) if report.cause == 4)
    );
}

#[test]
fn who_asks_for_another_gets_one() {
    let mut journal = opened();
    take(&mut journal, &rehearsed(DIGEST, 1, (1, 1, 0))).expect("it was due");
    assert_eq!(journal.rehearsals.due(DIGEST), None);
    take(&mut journal, &asked(DIGEST)).expect("it was opened");
    assert_eq!(journal.rehearsals.due(DIGEST), Some(3));
    take(&mut journal, &asked(DIGEST)).expect("once more, before anybody began");
    assert_eq!(journal.rehearsals.due(DIGEST), Some(4), "the newest counts");
    let old = rehearsed(DIGEST, 3, (1, 0, 0));
    assert!(take(&mut journal.clone(), &old).is_err(), "nobody waits for that one any more");
    take(&mut journal, &rehearsed(DIGEST, 4, (1, 0, 0))).expect("it was due");
    assert!(matches!(journal.rehearsals.shown(DIGEST, ALL), Shown::Passed(_)));
}

#[test]
fn what_is_shown_is_what_the_contract_asks_for() {
    /// Which of the four it is.
    fn word(shown: Shown<'_>) -> &'static str {
        match shown {
            Shown::Nothing => "nothing",
            Shown::Passed(_) => "passed",
            Shown::Failed(_) => "failed",
            Shown::Incomplete(_) => "incomplete",
        }
    }
    assert_eq!(opened().rehearsals.shown(DIGEST, EXECUTABLE), Shown::Nothing);
    for (counts, executable, all) in [
        ((41, 0, 0), "passed", "passed"),
        ((41, 0, 1), "passed", "incomplete"),
        ((40, 1, 0), "failed", "failed"),
        ((40, 1, 1), "failed", "failed"),
        // Where nothing was tried nothing was shown.
        ((0, 0, 0), "failed", "failed"),
        ((0, 0, 41), "failed", "failed"),
    ] {
        let mut journal = opened();
        take(&mut journal, &rehearsed(DIGEST, 1, counts)).expect("it was due");
        let shown = [EXECUTABLE, ALL].map(|require| word(journal.rehearsals.shown(DIGEST, require)));
        assert_eq!(shown, [executable, all], "{counts:?}");
    }
}

#[test]
fn what_nobody_asked_for_makes_no_sense() {
    let mut journal = opened();
    for (entry, why) in [
        (rehearsed(DIGEST, 2, (1, 0, 0)), "no record asked for it"),
        (rehearsed(OTHER, 1, (1, 0, 0)), "it is for another digest"),
        (Entry { report: None, ..rehearsed(DIGEST, 1, (1, 0, 0)) }, "it takes no report"),
        (Entry { digest: None, ..rehearsed(DIGEST, 1, (1, 0, 0)) }, "it is about nothing"),
        (asked(OTHER), "that was never opened"),
        (Entry { digest: None, ..asked(DIGEST) }, "it is about nothing"),
    ] {
        let taken = take(&mut journal.clone(), &entry);
        assert_eq!(taken, Err(Broken::Senseless { sequence: 2 }), "{why}");
    }
    let shown = rehearsed(DIGEST, 1, (1, 0, 0));
    take(&mut journal, &shown).expect("it was due");
    assert!(take(&mut journal, &shown).is_err(), "nothing is rehearsed twice");
}
