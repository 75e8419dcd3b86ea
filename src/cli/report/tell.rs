//! A report as it is told: what failed first, and what the journal says of it. Pure.

use std::sync::Arc;

use kube::ResourceExt as _;
use serde::Serialize;

use crate::api::condition::ConditionType;
use crate::api::contract::RehearsalRequirement;
use crate::api::record::{RecordEvent, TakenReport};
use crate::api::report::{CaseOutcome, Counts, RehearsalReportSpec, TriedCase};
use crate::api::{RehearsalReport, name};
use crate::cli::grant::{Picture, Seen};
use crate::cli::moment::Watch;
use crate::cli::page::{Page, Style};
use crate::cli::person::{FAILED, Stop, UNREHEARSED};
use crate::cli::table::Table;
use crate::cluster::reading::Reading;
use crate::cluster::records::Records;
use crate::journal::rehearsal::{Shown, Told as Counted};
use crate::policy::digest::report_digest;

/// What was read beside reports of a grant.
#[derive(Debug, Default)]
pub(in crate::cli) struct Beside {
    /// The UID of the grant that has the name now, if there is one that may be read.
    pub(super) living: Option<String>,
    /// What is agreed now.
    pub(super) today: Today,
    /// The journals of the namespace, where they may be read.
    pub(super) records: Option<Arc<Records>>,
    /// Which cases the contract asks for, where it may be read.
    pub(super) require: Option<RehearsalRequirement>,
}

/// What a grant asks for now, as far as somebody may see it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) enum Today {
    /// The grant may not be read.
    #[default]
    Unread,
    /// There is no grant of that name.
    Gone,
    /// It isn't agreed, for this reason.
    NotAgreed(String),
    /// This revision of it is.
    Agreed(String),
}

impl Beside {
    /// What there is to know of a grant that was read.
    pub(super) fn of(reading: &Reading) -> Self {
        let picture = Picture::of(reading);
        let today = match (picture.seen(), picture.digest()) {
            (Seen::Differs(digest), _) => Today::Agreed(digest),
            (Seen::NotAgreed(why), _) => Today::NotAgreed(why),
            (Seen::Same | Seen::Unread, Some(digest)) => Today::Agreed(digest.to_owned()),
            (Seen::Same | Seen::Unread, None) => {
                let said = picture.condition(ConditionType::Accepted).map(|said| said.message.clone());
                Today::NotAgreed(said.unwrap_or_else(|| "Comity hasn't said so yet".to_owned()))
            }
        };
        Self {
            living: reading.grant.uid(),
            today,
            records: reading.has_journal().then(|| Arc::clone(&reading.records)),
            require: reading.contract.as_ref().map(|contract| {
                contract.spec.rehearsal.as_ref().map_or_else(Default::default, |rule| rule.require)
            }),
        }
    }

    /// Whether a report is of what is agreed now.
    fn is_of_today(&self, report: &RehearsalReport) -> bool {
        matches!(&self.today, Today::Agreed(digest) if report.spec.digest.as_str() == digest)
    }

    /// Why nothing opens by a report, whatever it shows; `None` also where that may not be read.
    fn opens_nothing(&self, report: &RehearsalReport) -> Option<String> {
        match &self.today {
            Today::Gone => return Some("there is no grant of that name any more".to_owned()),
            Today::NotAgreed(why) => return Some(format!("what the grant asks for isn't agreed: {why}")),
            Today::Agreed(digest) if !self.is_of_today(report) => {
                return Some(format!("what is agreed now is {digest}, another revision"));
            }
            Today::Agreed(_) | Today::Unread => {}
        }
        let spec = &report.spec;
        let namespace = report.namespace().unwrap_or_default();
        let journal = match self.records.as_ref()?.journal(&namespace, &spec.grant.uid.0) {
            Ok(journal) => journal,
            Err(broken) => return Some(format!("the journal doesn't hold: {broken}")),
        };
        let digest = spec.digest.as_str();
        match (journal.rehearsals.newest(digest), journal.rehearsals.due(digest)) {
            (_, Some(cause)) if cause > spec.cause => {
                Some(format!("record {cause} asks for another rehearsal, which isn't in the journal yet"))
            }
            (Some(taken), None) if Some(&taken.uid) == report.uid().as_ref() => None,
            (Some(taken), None) if taken.cause > spec.cause => {
                Some(format!("the journal goes by {}, which is newer", taken.name))
            }
            _ => Some("no record takes this report".to_owned()),
        }
    }
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
    /// Why nothing opens by it, whatever it shows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) opens_nothing: Option<String>,
    /// What it says.
    pub(super) report: RehearsalReportSpec,
    #[serde(skip)]
    records_unread: bool,
    #[serde(skip)]
    counted: Option<TakenReport>,
}

impl Told {
    /// The newest of these reports of a grant: of the one that has the name now, or where there is none, of whichever
    /// had it. What is agreed now comes before what was agreed once.
    pub(in crate::cli) fn newest(grant: &str, reports: &[RehearsalReport], beside: &Beside) -> Option<Self> {
        let of_grant = reports.iter().filter(|report| {
            let spec = &report.spec;
            let is_its_own = report.name_any() == name::report(&spec.grant.uid.0, spec.cause);
            let is_living = beside.living.as_ref().is_none_or(|uid| spec.grant.uid.0 == *uid);
            is_its_own && is_living && spec.grant.name.0 == grant
        });
        let newest = of_grant.max_by_key(|report| {
            (beside.is_of_today(report), report.spec.finished_at.0, report.spec.cause)
        })?;
        let digest = report_digest(&newest.spec);
        let namespace = newest.namespace().unwrap_or_default();
        let records =
            beside.records.iter().flat_map(|all| all.of_grant(&namespace, &newest.spec.grant.uid.0));
        let taken = records.filter(|record| record.event == RecordEvent::Rehearsed);
        let uid = newest.uid();
        let mut taken = taken.filter_map(|record| Some((record.sequence, record.report?)));
        let taken = taken.find(|(_, report)| Some(&report.uid) == uid.as_ref());
        Some(Self {
            name: newest.name_any(),
            taken_by: taken.as_ref().map(|(sequence, _)| *sequence),
            is_as_taken: taken.as_ref().map(|(_, report)| report.digest.as_str() == digest),
            opens_nothing: beside.opens_nothing(newest),
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
            Shown::Nothing | Shown::Passed(_) => {
                let why = self.opens_nothing.as_ref()?;
                format!("production doesn't open by {}: {why}", self.name)
            }
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
        if let Some(why) = &self.opens_nothing {
            page.styled(Style::Warn, format!("  opens     nothing: {why}"));
        }
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
            _ => (Style::Warn, "no record takes this report".to_owned()),
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
