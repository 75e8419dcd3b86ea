//! A report as it is told: what failed first, and what the journal says of it. Pure.

use kube::ResourceExt as _;
use serde::Serialize;

use crate::api::record::RecordEvent;
use crate::api::report::{CaseOutcome, Counts, RehearsalReportSpec, TriedCase};
use crate::api::{GrantRecord, RehearsalReport, name};
use crate::cli::moment::Watch;
use crate::cli::page::{Page, Style};
use crate::cli::table::Table;
use crate::policy::digest::report_digest;

/// A report, with what the journal says of it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Told {
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
    /// What it says.
    pub(super) report: RehearsalReportSpec,
    #[serde(skip)]
    records_unread: bool,
}

impl Told {
    /// The newest report of a grant: of the one that has the name now, whose UID is `living`, or where there is
    /// none, of whichever had it. `records` are those of the namespace, where they may be read.
    pub(super) fn newest(
        grant: &str,
        living: Option<&str>,
        reports: &[RehearsalReport],
        records: Option<&[GrantRecord]>,
    ) -> Option<Self> {
        let of_grant = reports.iter().filter(|report| {
            let spec = &report.spec;
            let is_its_own = report.name_any() == name::report(&spec.grant.uid.0, spec.cause);
            let is_meant = spec.grant.name.0 == grant && living.is_none_or(|uid| spec.grant.uid.0 == uid);
            is_its_own && is_meant
        });
        let newest = of_grant.max_by_key(|report| (report.spec.finished_at.0, report.spec.cause))?;
        let digest = report_digest(&newest.spec);
        let taken = records.into_iter().flatten().filter(|record| {
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
            report: newest.spec.clone(),
            records_unread: records.is_none(),
        })
    }

    /// What is wrong with it, if anything is.
    pub(super) fn fault(&self) -> Option<String> {
        if self.is_as_taken == Some(false) {
            return Some(format!("{} isn't what the journal took under that name", self.name));
        }
        let failed = self.report.counts.failed;
        (failed > 0).then(|| format!("{failed} of {} cases failed", total(self.report.counts)))
    }

    /// For people.
    pub(super) fn page(&self, watch: &Watch) -> Page {
        let mut page = Page::default();
        let RehearsalReportSpec { grant, namespace, finished_at, counts, .. } = &self.report;
        page.styled(Style::Strong, format!("{} was rehearsed {}", grant.name, watch.tell(finished_at.0)));
        page.then(Style::Faint, format!(", in {namespace}"));
        page.line(format!("  revision  {}", self.report.digest.as_str()));
        let style = if counts.failed > 0 { Style::Bad } else { Style::Good };
        page.styled(style, format!("  result    {}", counted(*counts)));
        let (style, taken) = self.taken();
        page.styled(style, format!("  journal   {taken}"));
        page.gap();
        self.cases(&mut page);
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

    fn cases(&self, page: &mut Page) {
        let mut cases: Vec<&TriedCase> = self.report.statement.predicate.cases.iter().collect();
        cases.sort_by_key(|case| order(case.outcome));
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

/// In which order cases are told.
const fn order(outcome: CaseOutcome) -> u8 {
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
