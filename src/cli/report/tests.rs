//! Which report is the newest, and how it is told.

use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::tell::{Beside, Order, Told};
use crate::api::contract::RehearsalRequirement;
use crate::api::{GrantRecord, RehearsalReport};
use crate::cli::moment::Watch;
use crate::cli::person::{FAILED, Stop, UNREHEARSED};
use crate::policy::testing::instant;

const UID: &str = "6f0c1a2b-0000-4000-8000-000000000001";
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
            "digest": "v1:sha256:00", "cause": cause,
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

/// The record that takes a report of that digest.
fn record(report: &str, digest: &str) -> GrantRecord {
    let record = json!({
        "apiVersion": "comity.dev/v1alpha1", "kind": "GrantRecord", "metadata": {"name": "x"},
        "spec": {
            "grant": {"name": "northpay-fraud", "uid": UID}, "sequence": 7, "at": "2026-12-01T12:30:00Z",
            "event": "Rehearsed", "digest": "v1:sha256:00",
            "report": {"name": "x", "uid": report, "digest": digest, "cause": 4,
                "counts": {"passed": 1, "failed": 0, "notExecutable": 1}},
        },
    });
    serde_json::from_value(record).expect("a record")
}

fn newest(
    living: Option<&str>,
    reports: &[RehearsalReport],
    records: Option<&[GrantRecord]>,
) -> Option<Told> {
    let living = living.map(str::to_owned);
    let beside = Beside {
        living,
        records: records.map(<[_]>::to_vec),
        require: Some(RehearsalRequirement::Executable),
    };
    Told::newest("northpay-fraud", reports, &beside)
}

fn noon() -> Watch {
    Watch { now: instant("2026-12-05T12:00:00Z"), zone: TimeZone::UTC }
}

#[test]
fn the_newest_of_the_grant_that_has_the_name_is_told() {
    let mut stranger = report(UID, 9, 0);
    stranger.metadata.name = Some("mine".to_owned());
    let reports = [report(UID, 4, 0), report(UID, 3, 1), report(OLD, 8, 0), stranger];
    let cause = |living| newest(living, &reports, None).map(|told| told.report.cause);
    assert_eq!(cause(Some(UID)), Some(4));
    assert_eq!(cause(None), Some(8), "where none has the name, whichever had it");
    assert_eq!(cause(Some("another")), None);
}

#[test]
fn what_the_journal_says_of_it_is_told() {
    let reports = [report(UID, 4, 0)];
    let digest = newest(Some(UID), &reports, None).expect("there is one").digest;
    let forged = record("report-4", &format!("sha256:{}", "0".repeat(64)));
    for (records, fault, words) in [
        (None, false, "you may not read it"),
        (Some(vec![]), false, "no record takes this report"),
        (Some(vec![record("report-3", &digest)]), false, "no record takes this report"),
        (Some(vec![record("report-4", &digest)]), false, "record 7 takes this report"),
        (Some(vec![forged]), true, "said something else"),
    ] {
        let told = newest(Some(UID), &reports, records.as_deref()).expect("there is one");
        assert_eq!(told.fault().map(|stop| stop.code()), fault.then_some(FAILED), "{words}");
        let text = told.page(&noon(), Order::FailedFirst).text(false);
        assert!(text.contains(words), "{text}");
    }
}

#[test]
fn what_failed_comes_where_it_is_looked_for_and_draws_nothing() {
    let told = newest(Some(UID), &[report(UID, 3, 1)], Some(&[])).expect("there is one");
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
    let told = newest(Some(UID), &[miscounted], None).expect("there is one");
    assert_eq!(told.fault().map(|stop| stop.code()), Some(FAILED));
}
