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

/// How many bytes what is told of all cases may take, beside their names. etcd takes 1.5 MiB of an object at most,
/// and the API server adds to it who wrote each field.
const ROOM: usize = 400_000;

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rehearsal::case::{Attempt, Expected};
    use crate::rehearsal::cases::MOST;

    #[test]
    fn the_largest_report_fits_the_api_server() {
        let long = "somebody said \"no\" ".repeat(200);
        let tried: Vec<Tried> = (0..MOST)
            .map(|number| {
                let case = Case {
                    name: format!("access-workload-{}-{number}", "w".repeat(63)),
                    clause: "destination.compute.registries",
                    tried: long.clone(),
                    attempt: Attempt::Nothing(String::new()),
                    expected: Expected::Allowed,
                };
                (case, Observed::Refused(long.clone()), 1)
            })
            .collect();
        let about = Rehearsed {
            grant: GrantIdentity { name: "g".into(), uid: "u".into() },
            digest: "v1:sha256:0",
            cause: 1,
            namespace: "comity-g-rehearsal-00000000",
            started: Timestamp::UNIX_EPOCH,
            finished: Timestamp::UNIX_EPOCH,
        };
        let report = report(&about, &tried);
        assert_eq!(report.statement.predicate.cases.len(), MOST);
        let size = serde_json::to_string(&report).unwrap().len();
        // Half a MiB is left for what the API server writes down of who wrote each case.
        assert!(size < 1 << 20, "{size} bytes");
        assert!(report.statement.predicate.cases[0].observed.len() > 150, "it still says what was said");
    }
}
