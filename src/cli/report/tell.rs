//! A report as it is told: what failed first, and what the journal says of it. Pure.

use kube::ResourceExt as _;
use serde::Serialize;

use crate::api::contract::RehearsalRequirement;
use crate::api::record::{RecordEvent, TakenReport};
use crate::api::report::{CaseOutcome, Counts, RehearsalReportSpec, TriedCase};
use crate::api::{GrantRecord, RehearsalReport, name};
use crate::cli::moment::Watch;
use crate::cli::page::{Page, Style};
use crate::cli::person::{FAILED, Stop, UNREHEARSED};
use crate::cli::table::Table;
use crate::journal::rehearsal::{Shown, Told as Counted};
use crate::policy::digest::report_digest;

/// What was read beside reports of a grant.
#[derive(Debug, Default)]
pub(in crate::cli) struct Beside {
    /// The UID of the grant that has the name now, if there is one that may be read.
    pub(in crate::cli) living: Option<String>,
    /// The records of the namespace, where they may be read.
    pub(in crate::cli) records: Option<Vec<GrantRecord>>,
    /// Which cases the contract asks for, where it may be read.
    pub(in crate::cli) require: Option<RehearsalRequirement>,
}

/// In which order cases are told.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::cli) enum Order {
    /// Those that failed first, where somebody begins to read.
    FailedFirst,
    /// Those that failed last, where somebody looks who waited for them.
    FailedLast,
}

/// A report, with what the journal says of it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::cli) struct Told {
    /// Its name.
    pub(super) name: String,
    /// Its digest, worked out anew.
    pub(super) digest: String,
    /// The record that takes it; where it is missing, none does, or records may not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) taken_by: Option<i64>,
    /// Whether the record that takes it has just this digest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) is_as_taken: Option<bool>,
    /// Which cases the contract asks for as it stands; where it is missing, it can't be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) require: Option<RehearsalRequirement>,
    /// What it says.
    pub(super) report: RehearsalReportSpec,
    #[serde(skip)]
    records_unread: bool,
    #[serde(skip)]
    counted: Option<TakenReport>,
}

impl Told {
    /// The newest of these reports of a grant: of the one that has the name now, or where there is none, of whichever
    /// had it.
    pub(in crate::cli) fn newest(grant: &str, reports: &[RehearsalReport], beside: &Beside) -> Option<Self> {
        let of_grant = reports.iter().filter(|report| {
            let spec = &report.spec;
            let is_its_own = report.name_any() == name::report(&spec.grant.uid.0, spec.cause);
            let is_living = beside.living.as_ref().is_none_or(|uid| spec.grant.uid.0 == *uid);
            is_its_own && is_living && spec.grant.name.0 == grant
        });
        let newest = of_grant.max_by_key(|report| (report.spec.finished_at.0, report.spec.cause))?;
        let digest = report_digest(&newest.spec);
        let taken = beside.records.iter().flatten().filter(|record| {
            let spec = &record.spec;
            spec.event == RecordEvent::Rehearsed && spec.grant == newest.spec.grant
        });
        let uid = newest.uid();
        let mut taken = taken.filter_map(|record| Some((record.spec.sequence, record.spec.report.as_ref()?)));
        let taken = taken.find(|(_, report)| Some(&report.uid) == uid.as_ref());
        Some(Self {
            name: newest.name_any(),
            taken_by: taken.map(|(sequence, _)| sequence),
            is_as_taken: taken.map(|(_, report)| report.digest.as_str() == digest),
            digest,
            require: beside.require,
            report: newest.spec.clone(),
            records_unread: beside.records.is_none(),
            counted: Counted::of(newest).map(|counted| counted.taken),
        })
    }

    /// How it ends, where that isn't well: in the words, and by the rule, of the gate before production. Whoever may not
    /// read what the contract asks for is told the stricter.
    pub(in crate::cli) fn fault(&self) -> Option<Stop> {
        if self.is_as_taken == Some(false) {
            return Some(Stop::new(
                FAILED,
                format!("{} isn't what the journal took under that name", self.name),
            ));
        }
        let Some(counted) = &self.counted else {
            return Some(Stop::new(FAILED, format!("{} doesn't count its cases right", self.name)));
        };
        let message = match Shown::of(counted, self.require.unwrap_or_default()) {
            Shown::Nothing | Shown::Passed(_) => return None,
            Shown::Incomplete(report) if self.require.is_none() => {
                format!("{report}; whether the contract asks for all of them can't be read")
            }
            shown => shown.to_string(),
        };
        Some(Stop::new(UNREHEARSED, message))
    }

    /// For people.
    pub(in crate::cli) fn page(&self, watch: &Watch, order: Order) -> Page {
        let mut page = Page::default();
        let RehearsalReportSpec { grant, namespace, finished_at, counts, cause, .. } = &self.report;
        page.styled(Style::Strong, format!("{} was rehearsed {}", grant.name, watch.tell(finished_at.0)));
        page.then(Style::Faint, format!(", in {namespace}"));
        page.line(format!("  revision  {}", self.report.digest.as_str()));
        page.line(format!("  asked by  record {cause}"));
        let style = if counts.failed > 0 { Style::Bad } else { Style::Good };
        page.styled(style, format!("  result    {}", counted(*counts)));
        let (style, taken) = self.taken();
        page.styled(style, format!("  journal   {taken}"));
        page.gap();
        self.cases(&mut page, order);
        page
    }

    /// What the journal says of it.
    fn taken(&self) -> (Style, String) {
        match (self.taken_by, self.is_as_taken) {
            (Some(record), Some(true)) => (Style::Plain, format!("record {record} takes this report")),
            (Some(record), _) => {
                (Style::Bad, format!("record {record} takes a report that said something else"))
            }
            _ if self.records_unread => (Style::Warn, "you may not read it".to_owned()),
            _ => (Style::Warn, "no record takes this report: it opens nothing".to_owned()),
        }
    }

    fn cases(&self, page: &mut Page, order: Order) {
        let mut cases: Vec<&TriedCase> = self.report.statement.predicate.cases.iter().collect();
        cases.sort_by_key(|case| match order {
            Order::FailedFirst => rank(case.outcome),
            Order::FailedLast => u8::MAX - rank(case.outcome),
        });
        let mut table = Table::new(&["OUTCOME", "CASE", "CLAUSE", "MS", "OBSERVED"]);
        for case in cases {
            let (style, outcome) = word(case.outcome);
            let observed = match case.outcome {
                CaseOutcome::Failed => {
                    format!("{}: had to be {}; {}", case.tried, case.expected, case.observed)
                }
                CaseOutcome::NotExecutable | CaseOutcome::Passed => case.observed.clone(),
            };
            let (name, clause) = (case.name.0.clone(), case.clause.clone());
            table.row(style, &[outcome.to_owned(), name, clause, case.milliseconds.to_string(), observed]);
        }
        table.tell(page);
    }
}

/// What is looked at before what.
const fn rank(outcome: CaseOutcome) -> u8 {
    match outcome {
        CaseOutcome::Failed => 0,
        CaseOutcome::NotExecutable => 1,
        CaseOutcome::Passed => 2,
    }
}

/// An outcome, in a word.
const fn word(outcome: CaseOutcome) -> (Style, &'static str) {
    match outcome {
        CaseOutcome::Failed => (Style::Bad, "Failed"),
        CaseOutcome::NotExecutable => (Style::Warn, "NotExecutable"),
        CaseOutcome::Passed => (Style::Good, "Passed"),
    }
}

const fn total(counts: Counts) -> i32 {
    counts.passed.saturating_add(counts.failed).saturating_add(counts.not_executable)
}

/// How many came out how.
fn counted(counts: Counts) -> String {
    let Counts { passed, failed, not_executable } = counts;
    format!("{passed} of {} passed, {failed} failed, {not_executable} not executable", total(counts))
}
