//! The report of a rehearsal, from its cases and what came out. Pure.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::case::{Case, Observed};
use super::judge::outcome;
use crate::api::condition::{cut, whole_seconds};
use crate::api::record::GrantIdentity;
use crate::api::report::{
    CaseOutcome, Counts, RehearsalReportSpec, Statement, Subject, SubjectDigest, TestOutcome, TestResult,
    TriedCase,
};
use crate::api::value::CaseName;
use crate::policy::digest::hexadecimal;

/// The type of every statement (in-toto Attestation Framework, Statement v1).
const STATEMENT: &str = "https://in-toto.io/Statement/v1";
/// The type of what is stated (in-toto, `test-result/v0.1`).
const PREDICATE: &str = "https://in-toto.io/attestation/test-result/v0.1";

/// What was rehearsed, and when.
#[derive(Clone, Debug)]
pub struct Rehearsed<'a> {
    /// The grant.
    pub grant: GrantIdentity,
    /// The digest of what was agreed.
    pub digest: &'a str,
    /// The number of the record that asked for it.
    pub cause: i64,
    /// The namespace of the stage.
    pub namespace: &'a str,
    /// When the first case began.
    pub started: Timestamp,
    /// When the last was through.
    pub finished: Timestamp,
}

/// A case, what came out, and how long that took, in milliseconds.
pub type Tried = (Case, Observed, i32);

/// The report of what was tried.
pub fn report(about: &Rehearsed<'_>, tried: &[Tried]) -> RehearsalReportSpec {
    let room = ROOM / tried.len().max(1);
    let cases: Vec<TriedCase> = tried.iter().map(|one| written(one, room)).collect();
    let named = |outcome: CaseOutcome| -> Vec<CaseName> {
        cases.iter().filter(|case| case.outcome == outcome).map(|case| case.name.clone()).collect()
    };
    let (passed, failed) = (named(CaseOutcome::Passed), named(CaseOutcome::Failed));
    let untried = named(CaseOutcome::NotExecutable);
    let count = |names: &[CaseName]| i32::try_from(names.len()).unwrap_or(i32::MAX);
    let counts = Counts { passed: count(&passed), failed: count(&failed), not_executable: count(&untried) };
    RehearsalReportSpec {
        grant: about.grant.clone(),
        digest: about.digest.into(),
        cause: about.cause,
        namespace: about.namespace.into(),
        started_at: Time(whole_seconds(about.started)),
        finished_at: Time(whole_seconds(about.finished)),
        counts,
        statement: Statement {
            type_: STATEMENT.to_owned(),
            subject: vec![subject(about)],
            predicate_type: PREDICATE.to_owned(),
            predicate: TestResult {
                result: result(counts),
                configuration: vec![configuration(tried)],
                passed_tests: passed,
                warned_tests: untried,
                failed_tests: failed,
                cases,
            },
        },
    }
}

/// How many bytes all texts of a report may take: etcd stores 1.5 MiB of it at most.
const ROOM: usize = 600_000;

/// What came out over all. Where nothing was tried, nothing passed.
const fn result(counts: Counts) -> TestOutcome {
    match counts {
        Counts { failed: 1.., .. } | Counts { passed: 0, .. } => TestOutcome::Failed,
        Counts { not_executable: 1.., .. } => TestOutcome::Warned,
        _ => TestOutcome::Passed,
    }
}

/// What was rehearsed, as the statement names it: a digest of `v1:sha256:` says which form of it was digested.
fn subject(about: &Rehearsed<'_>) -> Subject {
    let (version, sha256) = about.digest.split_once(":sha256:").unwrap_or(("v1", about.digest));
    let name = format!("comity.dev/{version}/{}", about.grant.uid.0);
    Subject { name, digest: SubjectDigest { sha256: sha256.to_owned() } }
}

/// What was to be tried, whatever came out: two reports with the same one tried the same.
fn configuration(tried: &[Tried]) -> Subject {
    let cases: Vec<String> =
        tried.iter().map(|(case, ..)| format!("{} {} {}", case.name, case.clause, case.expected)).collect();
    let sha256 = hexadecimal(cases.join("\n").as_bytes());
    Subject { name: "comity.dev/cases".to_owned(), digest: SubjectDigest { sha256 } }
}

/// A case as a report holds it. Partners read it: what others said is cut to what one line holds, and where
/// there are very many cases to `room` bytes for each.
fn written((case, observed, milliseconds): &Tried, room: usize) -> TriedCase {
    TriedCase {
        name: cut(&case.name, 128).as_str().into(),
        clause: case.clause.to_owned(),
        tried: cut(&case.tried, (room / 4).min(512)),
        expected: cut(&case.expected.to_string(), (room / 4).min(512)),
        observed: cut(&observed.to_string(), (room / 2).min(1024)),
        outcome: outcome(case, observed),
        milliseconds: (*milliseconds).clamp(0, 3_600_000),
    }
}
