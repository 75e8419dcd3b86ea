//! What was rehearsed of a grant, as its journal has it. Only what is here counts: a report that was
//! deleted after the journal took it has shown what it showed.

use std::collections::BTreeMap;

use kube::ResourceExt as _;

use super::append::Entry;
use crate::api::RehearsalReport;
use crate::api::condition::Reason;
use crate::api::contract::RehearsalRequirement;
use crate::api::record::{GrantIdentity, GrantRecordSpec, RecordEvent, TakenReport};
use crate::api::report::CaseOutcome;
use crate::api::stage::Stage;
use crate::api::value::CaseName;
use crate::policy::digest::report_digest;

/// How many names of cases the journal takes.
const NAMED: usize = 8;

/// What was rehearsed, by the digest of what was tried.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rehearsals {
    /// The number of the newest record that asks for a rehearsal.
    causes: BTreeMap<String, i64>,
    /// The newest report.
    reports: BTreeMap<String, TakenReport>,
    /// The number of the newest record that tells of one.
    newest_told: Option<i64>,
}

/// What a rehearsal showed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Shown<'a> {
    /// Nothing yet: it has to be rehearsed, or rehearsed again.
    Nothing,
    /// Everything that counts came out as it had to.
    Passed(&'a TakenReport),
    /// Something came out otherwise.
    Failed(&'a TakenReport),
    /// Something can't be executed here, and the contract asks for all of it.
    Incomplete(&'a TakenReport),
}

impl<'a> Shown<'a> {
    /// What a report shows, by what its contract asks for.
    pub const fn of(report: &'a TakenReport, require: RehearsalRequirement) -> Self {
        let counts = report.counts;
        match require {
            _ if counts.failed > 0 || counts.passed == 0 => Self::Failed(report),
            RehearsalRequirement::All if counts.not_executable > 0 => Self::Incomplete(report),
            RehearsalRequirement::All | RehearsalRequirement::Executable => Self::Passed(report),
        }
    }

    /// The same in a word.
    pub const fn reason(&self) -> Reason {
        match self {
            Self::Nothing => Reason::RehearsalPending,
            Self::Passed(_) => Reason::Rehearsed,
            Self::Failed(_) => Reason::RehearsalFailed,
            Self::Incomplete(_) => Reason::RehearsalIncomplete,
        }
    }
}

impl std::fmt::Display for Shown<'_> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Nothing => write!(
                out,
                "what is agreed now has yet to be tried; `comity rehearse` does that as soon as Rehearsal is open for it"
            ),
            Self::Passed(report) => write!(out, "{report} (report {})", report.name),
            Self::Failed(report) => write!(
                out,
                "{report} (report {}); mend what is told there, then have it tried again by a GrantDecision Rehearse",
                report.name
            ),
            Self::Incomplete(report) => write!(
                out,
                "{report} (report {}); the contract asks for all of them: say rehearsal.require: Executable there, or \
                 make them executable",
                report.name
            ),
        }
    }
}

impl Rehearsals {
    /// The number of the record that asks for a rehearsal of this digest which nobody has done yet. Each
    /// opening of the stage asks for one, also one that was closed for a while: who knows what has changed.
    pub fn due(&self, digest: &str) -> Option<i64> {
        let cause = self.causes.get(digest).copied();
        let told = self.reports.get(digest).map(|report| report.cause);
        cause.filter(|cause| told.is_none_or(|told| told < *cause))
    }

    /// The newest report of this digest, also where another one is due.
    pub fn newest(&self, digest: &str) -> Option<&TakenReport> {
        self.reports.get(digest)
    }

    /// The number of the newest record that says what a rehearsal showed.
    pub const fn newest_told(&self) -> Option<i64> {
        self.newest_told
    }

    /// What is shown of this digest, by what its contract asks for.
    pub fn shown(&self, digest: &str, require: RehearsalRequirement) -> Shown<'_> {
        let report = self.newest(digest).filter(|_| self.due(digest).is_none());
        report.map_or(Shown::Nothing, |report| Shown::of(report, require))
    }

    /// Takes what a record says of rehearsals; `None` where it makes no sense.
    pub(super) fn take(&mut self, record: &GrantRecordSpec) -> Option<()> {
        match record.event {
            RecordEvent::Opened | RecordEvent::Resumed if record.stage == Some(Stage::Rehearsal) => {
                self.causes.insert(record.digest.clone()?, record.sequence);
            }
            RecordEvent::RehearsalRequested => {
                *self.causes.get_mut(record.digest.as_deref()?)? = record.sequence;
            }
            RecordEvent::Rehearsed => {
                let (digest, report) = (record.digest.clone()?, record.report.clone()?);
                // Nothing is rehearsed that nobody asked for, nor twice.
                if self.due(&digest)? != report.cause {
                    return None;
                }
                self.reports.insert(digest, report);
                self.newest_told = Some(record.sequence);
            }
            _ => {}
        }
        Some(())
    }
}

/// What is kept of a report.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Told {
    /// Of which grant.
    pub grant: GrantIdentity,
    /// Of which digest.
    pub digest: String,
    /// What the journal takes of it.
    pub taken: TakenReport,
}

impl Told {
    /// What is kept of `report`; `None` where it doesn't count its cases right, which nobody writes.
    pub fn of(report: &RehearsalReport) -> Option<Self> {
        let spec = &report.spec;
        let cases = &spec.statement.predicate.cases;
        let named = |outcome: CaseOutcome| {
            cases.iter().filter(move |case| case.outcome == outcome).map(|case| case.name.clone())
        };
        let count = |outcome| i32::try_from(named(outcome).count()).ok();
        let counts = spec.counts;
        let is_counted = count(CaseOutcome::Passed)? == counts.passed
            && count(CaseOutcome::Failed)? == counts.failed
            && count(CaseOutcome::NotExecutable)? == counts.not_executable;
        is_counted.then(|| Self {
            grant: spec.grant.clone(),
            digest: spec.digest.as_str().to_owned(),
            taken: TakenReport {
                name: report.name_any(),
                uid: report.uid().unwrap_or_default(),
                digest: report_digest(spec).as_str().into(),
                cause: spec.cause,
                counts,
                failed: named(CaseOutcome::Failed).take(NAMED).collect(),
                not_executable: named(CaseOutcome::NotExecutable).take(NAMED).collect(),
            },
        })
    }

    /// What is written down of it, whatever it shows.
    pub fn entry(&self) -> Entry {
        let entry = Entry::of_grant(RecordEvent::Rehearsed, None, self.taken.to_string());
        let stage = Some((Stage::Rehearsal, self.digest.clone()));
        Entry { stage, report: Some(self.taken.clone()), ..entry }
    }
}

impl std::fmt::Display for TakenReport {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let counts = self.counts;
        write!(out, "{} of {} cases passed", counts.passed, counts.passed.saturating_add(counts.failed))?;
        if counts.failed > 0 {
            write!(out, "; {} failed: {}", counts.failed, named(&self.failed, counts.failed))?;
        }
        if counts.not_executable > 0 {
            let names = named(&self.not_executable, counts.not_executable);
            write!(out, "; {} can't be executed here: {names}", counts.not_executable)?;
        }
        Ok(())
    }
}

#[cfg(test)]
impl Rehearsals {
    /// As if this had been rehearsed, and passed.
    pub fn pass(&mut self, digest: &str) {
        let report = TakenReport {
            name: "passed".to_owned(),
            uid: "passed".to_owned(),
            digest: "".into(),
            cause: 1,
            counts: crate::api::report::Counts { passed: 1, ..Default::default() },
            failed: Vec::new(),
            not_executable: Vec::new(),
        };
        self.causes.insert(digest.to_owned(), 1);
        self.reports.insert(digest.to_owned(), report);
    }
}

/// The names that are told of so many cases.
fn named(names: &[CaseName], all: i32) -> String {
    let more = usize::try_from(all).unwrap_or_default().saturating_sub(names.len());
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    let names: Vec<&str> = names.iter().map(CaseName::as_str).collect();
    format!("{}{more}", names.join(", "))
}

#[cfg(test)]
mod tests;
