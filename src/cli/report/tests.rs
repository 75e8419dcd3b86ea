//! Which report is the newest, and how it is told.

use std::sync::Arc;

use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::tell::{Beside, Order, Today, Told};
use crate::api::contract::RehearsalRequirement;
use crate::api::effective::EffectivePolicy;
use crate::api::record::{GrantIdentity, RecordEvent, RecordReason, TakenReport};
use crate::api::{RehearsalReport, Stage};
use crate::cli::moment::Watch;
use crate::cli::person::{FAILED, Stop, UNREHEARSED};
use crate::cluster::records::Records;
use crate::journal::Journal;
use crate::journal::append::{Entry, next_record};
use crate::journal::rehearsal::Told as Counted;
use crate::policy::testing::instant;

const UID: &str = "6f0c1a2b-0000-4000-8000-000000000001";
const DIGEST: &str = "v1:sha256:00";
const OTHER: &str = "v1:sha256:01";
const OLD: &str = "6f0c1a2b-0000-4000-8000-000000000000";

fn case(name: &str, outcome: &str) -> Value {
    json!({"name": name, "clause": "security.podSecurity", "tried": "a privileged pod", "expected": "refused",
        "observed": "stored\u{1b}[2J", "outcome": outcome, "milliseconds": 12})
}

/// A report for the record `cause`, finished in that minute.
fn report(uid: &str, cause: i64, failed: i32) -> RehearsalReport {
    let cases = [case("a/passes", "Passed"), case("b/waits", "NotExecutable")];
    let failing = (failed > 0).then(|| case("c/fails", "Failed"));
    let cases: Vec<Value> = cases.into_iter().chain(failing).collect();
    let report = json!({
        "apiVersion": "comity.dev/v1alpha1", "kind": "RehearsalReport",
        "metadata": {"name": crate::api::name::report(uid, cause), "uid": format!("report-{cause}")},
        "spec": {
            "grant": {"name": "northpay-fraud", "uid": uid},
            "digest": DIGEST, "cause": cause,
            "namespace": "comity-northpay-fraud-rehearsal-0123abcd",
            "startedAt": format!("2026-12-01T12:{cause:02}:00Z"),
            "finishedAt": format!("2026-12-01T12:{cause:02}:05Z"),
            "counts": {"passed": 1, "failed": failed, "notExecutable": 1},
            "statement": {"_type": "x", "subject": [], "predicateType": "x", "predicate": {
                "result": "FAILED", "configuration": [], "passedTests": [], "warnedTests": [], "failedTests": [],
                "cases": cases,
            }},
        },
    });
    serde_json::from_value(report).expect("a report")
}

fn opened() -> Entry {
    let end = instant("2026-12-31T00:00:00Z");
    Entry::opened(Stage::Rehearsal, DIGEST, end, &EffectivePolicy::default())
}

fn asked() -> Entry {
    let entry = Entry::of_grant(RecordEvent::RehearsalRequested, Some(RecordReason::Decided), "");
    Entry { digest: Some(DIGEST.to_owned()), ..entry }
}

/// What the journal takes of the report for the record `cause`, as one of that digest.
fn taken(cause: i64, digest: &str) -> Entry {
    let told = Counted::of(&report(UID, cause, 0)).expect("it counts right");
    let taken = TakenReport { digest: digest.into(), ..told.taken.clone() };
    Entry { report: Some(taken), ..told.entry() }
}

/// Journals, of which one has these lines; the first that are kept can be left out.
fn journals(lines: &[Entry], lost: usize) -> Arc<Records> {
    let grant = GrantIdentity { name: "northpay-fraud".into(), uid: UID.into() };
    let (records, mut journal) = (Records::default(), Journal::empty());
    for (index, entry) in lines.iter().enumerate() {
        let record = next_record(&journal, entry, &grant, None, instant("2026-12-01T12:30:00Z"));
        journal.take(&record).expect("it makes sense");
        if index >= lost {
            records.put("", &crate::api::name::record(UID, record.sequence), record);
        }
    }
    Arc::new(records)
}

fn beside(today: Today, records: Option<Arc<Records>>) -> Beside {
    let require = Some(RehearsalRequirement::Executable);
    Beside { living: Some(UID.to_owned()), today, records, require }
}

fn agreed() -> Today {
    Today::Agreed(DIGEST.to_owned())
}

fn newest(reports: &[RehearsalReport], beside: &Beside) -> Option<Told> {
    Told::newest("northpay-fraud", reports, beside)
}

fn noon() -> Watch {
    Watch { now: instant("2026-12-05T12:00:00Z"), zone: TimeZone::UTC }
}

#[test]
fn the_newest_of_the_grant_that_has_the_name_is_told() {
    let mut stranger = report(UID, 9, 0);
    stranger.metadata.name = Some("mine".to_owned());
    let reports = [report(UID, 4, 0), report(UID, 3, 1), report(OLD, 8, 0), stranger];
    let cause = |living: Option<&str>| {
        let beside = Beside { living: living.map(str::to_owned), ..Beside::default() };
        newest(&reports, &beside).map(|told| told.report.cause)
    };
    assert_eq!(cause(Some(UID)), Some(4));
    assert_eq!(cause(None), Some(8), "where none has the name, whichever had it");
    assert_eq!(cause(Some("another")), None);
}

#[test]
fn what_is_agreed_now_comes_before_what_was_agreed_once() {
    let mut other = report(UID, 4, 0);
    other.spec.digest = OTHER.into();
    let reports = [report(UID, 1, 0), other];
    for (digest, cause) in [(DIGEST, 1), (OTHER, 4), ("v1:sha256:02", 4)] {
        let told = newest(&reports, &beside(Today::Agreed(digest.to_owned()), None)).expect("there is one");
        assert_eq!(told.report.cause, cause, "{digest}");
    }
}

#[test]
fn what_opens_nothing_is_told_and_ends_so() {
    let digest = newest(&[report(UID, 1, 0)], &beside(agreed(), None)).expect("there is one").digest;
    let (opened, asked, by, newer) = (opened(), asked(), taken(1, &digest), taken(3, &digest));
    let forged = taken(1, &format!("sha256:{}", "0".repeat(64)));
    let lines = |lines: &[&Entry]| Some(journals(&lines.iter().copied().cloned().collect::<Vec<_>>(), 0));
    let whole = lines(&[&opened, &by]);
    let broken = Some(journals(&[opened.clone(), by.clone()], 1));
    let another = Today::Agreed(OTHER.to_owned());
    let refused = Today::NotAgreed("the contract is over".to_owned());
    for (today, records, code, words) in [
        (agreed(), None, None, "you may not read it"),
        (agreed(), whole.clone(), None, "record 2 takes this report"),
        (Today::Unread, whole.clone(), None, "record 2 takes this report"),
        (agreed(), lines(&[]), Some(UNREHEARSED), "no record takes this report"),
        (agreed(), lines(&[&opened]), Some(UNREHEARSED), "no record takes this report"),
        (agreed(), lines(&[&opened, &forged]), Some(FAILED), "said something else"),
        (agreed(), lines(&[&opened, &by, &asked]), Some(UNREHEARSED), "record 3 asks for another rehearsal"),
        (agreed(), lines(&[&opened, &asked]), Some(UNREHEARSED), "record 2 asks for another rehearsal"),
        (agreed(), lines(&[&opened, &by, &asked, &newer]), Some(UNREHEARSED), "the journal goes by"),
        (agreed(), broken, Some(UNREHEARSED), "the journal doesn't hold"),
        (another.clone(), whole.clone(), Some(UNREHEARSED), "another revision"),
        (another, None, Some(UNREHEARSED), "another revision"),
        (refused, whole.clone(), Some(UNREHEARSED), "the contract is over"),
        (Today::Gone, whole, Some(UNREHEARSED), "no grant of that name"),
    ] {
        let told = newest(&[report(UID, 1, 0)], &beside(today, records)).expect("there is one");
        let text = told.page(&noon(), Order::FailedFirst).text(false);
        assert!(text.contains(words), "{words}: {text}");
        let fault = told.fault();
        assert_eq!(fault.as_ref().map(Stop::code), code, "{words}");
        let said = fault.map(|stop| stop.to_string()).unwrap_or_default();
        assert!(code != Some(UNREHEARSED) || said.contains(words), "{words}: {said}");
    }
}

#[test]
fn what_was_closed_for_a_while_is_due_again() {
    let digest = newest(&[report(UID, 1, 0)], &beside(agreed(), None)).expect("there is one").digest;
    let before = [opened(), taken(1, &digest)];
    let mut journal = Journal::empty();
    let first =
        next_record(&journal, &before[0], &GrantIdentity::default(), None, instant("2026-12-01T12:00:00Z"));
    journal.take(&first).expect("it is the first");
    let held = [RecordEvent::Suspended, RecordEvent::Resumed]
        .map(|event| Entry::of_opening(event, &journal.openings[0], RecordReason::Suspended, String::new()));
    let records = journals(&[&before[..], &held[..]].concat(), 0);
    let told = newest(&[report(UID, 1, 0)], &beside(agreed(), Some(records))).expect("there is one");
    let fault = told.fault().expect("nothing opens by it");
    assert_eq!(fault.code(), UNREHEARSED);
    assert!(fault.to_string().contains("record 4 asks for another rehearsal"), "{fault}");
}

#[test]
fn what_failed_comes_where_it_is_looked_for_and_draws_nothing() {
    let told = newest(&[report(UID, 3, 1)], &beside(agreed(), None)).expect("there is one");
    let places = |order: Order| {
        let text = told.page(&noon(), order).text(false);
        assert!(text.contains("1 of 3 passed, 1 failed, 1 not executable"), "{text}");
        assert!(text.contains("  asked by  record 3\n") && !text.contains('\u{1b}'), "{text}");
        ["c/fails", "b/waits", "a/passes"].map(|case| text.find(case).expect("it is told"))
    };
    assert!(places(Order::FailedFirst).is_sorted());
    assert!(places(Order::FailedLast).iter().rev().is_sorted());
}

#[test]
fn it_ends_as_the_gate_before_production_takes_it() {
    use RehearsalRequirement::{All, Executable};
    for (failed, require, says) in [
        (0, Some(Executable), None),
        (0, Some(All), Some("the contract asks for all of them")),
        (0, None, Some("can't be read")),
        (1, Some(Executable), Some("1 failed: c/fails")),
        (1, None, Some("1 failed: c/fails")),
    ] {
        let beside = Beside { require, ..Beside::default() };
        let told = Told::newest("northpay-fraud", &[report(UID, 3, failed)], &beside).expect("there is one");
        let fault = told.fault();
        assert_eq!(fault.as_ref().map(Stop::code), says.map(|_| UNREHEARSED), "{require:?}");
        let said = fault.map(|stop| stop.to_string()).unwrap_or_default();
        assert!(said.contains(says.unwrap_or_default()), "{said}");
    }
    let mut miscounted = report(UID, 3, 0);
    miscounted.spec.counts.passed = 7;
    let told = newest(&[miscounted], &beside(agreed(), None)).expect("there is one");
    assert_eq!(told.fault().map(|stop| stop.code()), Some(FAILED));
}
