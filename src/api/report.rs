//! `RehearsalReport`: what a rehearsal tried and saw. Immutable, written only by `comity rehearse`.
//!
//! What it states is an in-toto Statement v1 with the predicate `test-result/v0.1`
//! (<https://github.com/in-toto/attestation/blob/main/spec/predicates/test-result.md>), so that tools that
//! aren't ours can read it. Each case stands in the predicate's `cases`, which that specification lets us add.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use super::record::GrantIdentity;
use super::value::{CaseName, Name, OpeningDigest};

/// What a rehearsal of a grant tried and saw. Its name is the grant's UID and the number of the record that
/// asked for it, so that nothing is rehearsed twice. It has no owner, so it outlives the grant.
#[derive(Clone, CustomResource, Debug, Deserialize, KubeSchema, PartialEq, Serialize)]
#[kube(
    group = "comity.dev",
    version = "v1alpha1",
    kind = "RehearsalReport",
    plural = "rehearsalreports",
    shortname = "rr",
    category = "comity",
    namespaced,
    derive = "PartialEq",
    doc = "What a rehearsal tried and saw: immutable, and written only by comity rehearse.",
    printcolumn(name = "Grant", type_ = "string", json_path = ".spec.grant.name"),
    printcolumn(name = "Result", type_ = "string", json_path = ".spec.statement.predicate.result"),
    printcolumn(name = "Passed", type_ = "integer", json_path = ".spec.counts.passed"),
    printcolumn(name = "Failed", type_ = "integer", json_path = ".spec.counts.failed"),
    printcolumn(name = "Not-Executable", type_ = "integer", json_path = ".spec.counts.notExecutable"),
    printcolumn(name = "Finished", type_ = "string", json_path = ".spec.finishedAt"),
    printcolumn(name = "Digest", type_ = "string", json_path = ".spec.digest", priority = 1)
)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("self == oldSelf", "a report never changes: rehearse again"))]
pub struct RehearsalReportSpec {
    /// The grant that was rehearsed.
    pub grant: GrantIdentity,
    /// The digest of what was rehearsed: a report of one digest is none of another.
    pub digest: OpeningDigest,
    /// The number of the journal's record that asked for it: the opening, or somebody's decision.
    #[schemars(range(min = 1, max = 999_999))]
    pub cause: i64,
    /// The namespace of the stage in which it was tried.
    pub namespace: Name,
    /// When it began.
    pub started_at: Time,
    /// When the last case was through.
    pub finished_at: Time,
    /// How many cases came out how.
    pub counts: Counts,
    /// What is stated, for whoever reads such statements.
    pub statement: Statement,
}

/// How many cases came out how.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Counts {
    /// As they had to.
    #[schemars(range(min = 0, max = 1024))]
    pub passed: i32,
    /// Otherwise.
    #[schemars(range(min = 0, max = 1024))]
    pub failed: i32,
    /// Not at all, since nothing can execute them here.
    #[schemars(range(min = 0, max = 1024))]
    pub not_executable: i32,
}

/// An in-toto Statement v1.
#[derive(Clone, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Statement {
    /// `https://in-toto.io/Statement/v1`.
    #[serde(rename = "_type")]
    #[schemars(length(max = 64))]
    pub type_: String,
    /// What it is about: the digest that was rehearsed.
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    #[schemars(length(min = 1, max = 1))]
    pub subject: Vec<Subject>,
    /// `https://in-toto.io/attestation/test-result/v0.1`.
    #[schemars(length(max = 64))]
    pub predicate_type: String,
    /// What came out.
    pub predicate: TestResult,
}

/// What a statement is about: an in-toto `ResourceDescriptor`.
#[derive(Clone, Debug, Default, Deserialize, Eq, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Subject {
    /// Its name.
    #[schemars(length(max = 253))]
    pub name: String,
    /// Its digest.
    pub digest: SubjectDigest,
}

/// A digest, by its algorithm.
#[derive(Clone, Debug, Default, Deserialize, Eq, KubeSchema, PartialEq, Serialize)]
pub struct SubjectDigest {
    /// SHA-256, in hexadecimal.
    #[schemars(length(min = 64, max = 64))]
    pub sha256: String,
}

/// The predicate `test-result/v0.1`.
#[derive(Clone, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TestResult {
    /// What came out over all.
    pub result: TestOutcome,
    /// By what it was tried.
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    #[schemars(length(max = 8))]
    pub configuration: Vec<Subject>,
    /// The names of the cases that passed.
    #[x_kube(merge_strategy = ListMerge::Set)]
    #[schemars(length(max = 1024))]
    pub passed_tests: Vec<CaseName>,
    /// The names of those that nothing can execute here.
    #[x_kube(merge_strategy = ListMerge::Set)]
    #[schemars(length(max = 1024))]
    pub warned_tests: Vec<CaseName>,
    /// The names of those that failed.
    #[x_kube(merge_strategy = ListMerge::Set)]
    #[schemars(length(max = 1024))]
    pub failed_tests: Vec<CaseName>,
    /// Each case, in the order in which they are told.
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    #[schemars(length(max = 1024))]
    pub cases: Vec<TriedCase>,
}

/// What came out over all, in the words of `test-result/v0.1`.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, schemars::JsonSchema, PartialEq, Serialize)]
pub enum TestOutcome {
    /// Every case was tried, and came out as it had to.
    #[serde(rename = "PASSED")]
    Passed,
    /// Every case that could be tried came out as it had to, and some couldn't be.
    #[serde(rename = "WARNED")]
    Warned,
    /// At least one case came out otherwise.
    #[default]
    #[serde(rename = "FAILED")]
    Failed,
}

/// One case, and what came out.
#[derive(Clone, Debug, Default, Deserialize, Eq, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TriedCase {
    /// Its name.
    pub name: CaseName,
    /// The clause of the contract that it tries, as `status.enforcement` names it.
    #[schemars(length(max = 128))]
    pub clause: String,
    /// What was tried, for people.
    #[schemars(length(max = 512))]
    pub tried: String,
    /// What had to come out.
    #[schemars(length(max = 512))]
    pub expected: String,
    /// What came out; why, where it couldn't be tried.
    #[schemars(length(max = 1024))]
    pub observed: String,
    /// Whether that is what had to.
    pub outcome: CaseOutcome,
    /// How long it took.
    #[schemars(range(min = 0, max = 3_600_000))]
    pub milliseconds: i32,
}

/// Whether a case came out as it had to.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, schemars::JsonSchema, PartialEq, Serialize)]
pub enum CaseOutcome {
    /// It did.
    Passed,
    /// It didn't.
    #[default]
    Failed,
    /// Nothing can try it here.
    NotExecutable,
}
