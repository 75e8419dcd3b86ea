//! What is told of all that two sides hold: each object beside what it was, and what it comes to. Pure.

use serde_json::{Value, json};

use super::report::{Approvals, Both, Report, people};
use super::side::Side;
use crate::api::SharingBoundary;
use crate::cli::files::finding::{Finding, Severity};
use crate::cli::page::Page;
use crate::policy::lattice::{Change, Comparison};

/// What is told of two sides.
#[derive(Debug)]
pub(super) struct Whole<'a> {
    both: Both<'a>,
    /// Of what each side holds one of.
    is_one: bool,
    /// Every object that differs, as NEW has them, then those that are gone; where each side holds one, that.
    reports: Vec<Report<'a>>,
    /// How many say the same.
    same: usize,
    pub(super) comparison: Comparison,
}

impl<'a> Whole<'a> {
    /// What is told of `old` and `new`, where `boundaries` select every namespace.
    pub(super) fn of(
        old: &'a Side,
        new: &'a Side,
        boundaries: &'a [&'a SharingBoundary],
    ) -> Result<Self, String> {
        let both = Both { old, new, boundaries };
        if let (Some(before), Some(after)) = (old.only(), new.only()) {
            let report = both.changed(before, after)?;
            let comparison = report.comparison;
            return Ok(Self { both, is_one: true, reports: vec![report], same: 0, comparison });
        }
        let kept = new.entries.iter().map(|entry| match old.get(&entry.identity) {
            Some(before) => both.changed(before, entry),
            None => both.alone(entry, false),
        });
        let gone = old.entries.iter().filter(|entry| new.get(&entry.identity).is_none());
        let reports: Vec<Report<'a>> =
            kept.chain(gone.map(|entry| both.alone(entry, true))).collect::<Result<_, _>>()?;
        let comparison = reports.iter().fold(Comparison::Equal, |sum, report| sum.and(report.comparison));
        let all = reports.len();
        let reports: Vec<_> = reports.into_iter().filter(|report| !report.changes.is_empty()).collect();
        let same = all - reports.len();
        Ok(Self { both, is_one: false, reports, same, comparison })
    }

    /// In sentences.
    pub(super) fn page(&self) -> Page {
        let mut page = Page::default();
        for (index, report) in self.reports.iter().enumerate() {
            if index > 0 {
                page.gap();
            }
            report.tell(&mut page);
        }
        if self.is_one {
            return page;
        }
        if !self.reports.is_empty() {
            page.gap();
        }
        let (changed, same) = (self.reports.len(), self.same);
        page.line(format!("All of it: {}; {changed} changed, {same} the same", self.comparison));
        page
    }

    /// As one JSON object.
    pub(super) fn json(&self) -> Value {
        let objects: Vec<Value> = self.reports.iter().map(Report::json).collect();
        json!({"comparison": self.comparison, "same": self.same, "objects": objects})
    }

    /// Each change on the line where it stands, for those who look at files line by line.
    pub(super) fn findings(&self) -> Vec<Finding> {
        let mut findings: Vec<Finding> = self
            .reports
            .iter()
            .flat_map(|report| report.changes.iter().map(|change| self.finding(report, change)))
            .collect();
        findings.sort_by(|one, other| one.order().cmp(&other.order()));
        findings
    }

    fn finding(&self, report: &Report<'_>, change: &Change) -> Finding {
        let side = if report.is_gone { self.both.old } else { self.both.new };
        let path = if change.clause.is_empty() { String::new() } else { format!("spec.{}", change.clause) };
        let (file, place) = side.find(report.entry, &path);
        let (severity, rule) = match change.effect {
            Comparison::Equal => (Severity::Note, "Reworded"),
            Comparison::Narrower => (Severity::Note, "Narrower"),
            Comparison::Wider => (Severity::Warning, "Wider"),
            Comparison::Both => (Severity::Warning, "Different"),
        };
        let message = format!("{}{}", change.said(), after(change, report));
        let object = Some(report.entry.identity.clone());
        let rule = rule.to_owned();
        Finding {
            severity,
            rule,
            message,
            object,
            path,
            file: file.to_owned(),
            line: place.line,
            column: place.column,
        }
    }
}

/// What a change waits for.
fn after(change: &Change, report: &Report<'_>) -> String {
    let until = match change.effect {
        Comparison::Equal => return String::new(),
        Comparison::Narrower => return "; at once, and for every grant that is live".to_owned(),
        Comparison::Wider => "; once it is approved",
        Comparison::Both => "; until it is approved only what both allow is left",
    };
    let Approvals::Known { stages, .. } = &report.approvals else { return until.to_owned() };
    let by: Vec<String> = stages.iter().map(|(stage, rule)| format!("{stage} by {}", people(rule))).collect();
    format!("{until}: {}", by.join(", "))
}

/// What a rule of these findings is about.
pub(super) fn about(rule: &str) -> String {
    match rule {
        "Narrower" => "It allows less, at once and for every grant that is live",
        "Wider" => "It allows more, once it is rehearsed and approved",
        "Different" => "It allows something else, so only what both allow is left until it is approved",
        _ => "It says the same in other words",
    }
    .to_owned()
}
