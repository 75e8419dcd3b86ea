//! What was found, told: to people, to programs, to code scanning (SARIF), and to the checks of a pull
//! request. Pure.

use serde_json::{Value, json};

use super::examine::Examination;
use super::finding::{Finding, RULES, Severity};
use crate::cli::files::annotate;
use crate::cli::page::{Page, Style};

/// For people: a line for each finding, as editors understand it, and what it comes to.
pub(super) fn page(examination: &Examination) -> Page {
    let mut page = Page::default();
    for finding in &examination.findings {
        let Finding { severity, message, rule, file, line, column, object, .. } = finding;
        let style = match severity {
            Severity::Error => Style::Bad,
            Severity::Warning => Style::Warn,
            Severity::Note => Style::Faint,
        };
        page.styled(Style::Strong, format!("{file}:{line}:{column}: "));
        page.then(style, format!("{}: ", severity.word())).then(Style::Plain, message.as_str());
        let object = object.as_ref().map_or_else(String::new, |object| format!("{object}: "));
        page.styled(Style::Faint, format!("    {object}{rule}"));
    }
    if !examination.findings.is_empty() {
        page.gap();
    }
    let (style, told) = summary(examination);
    page.styled(style, told);
    page
}

/// What it comes to, in a sentence.
fn summary(examination: &Examination) -> (Style, String) {
    let Examination { objects, others, .. } = examination;
    let [errors, warnings, notes] =
        [Severity::Error, Severity::Warning, Severity::Note].map(|severity| examination.count(severity));
    let beside = if *others == 0 { String::new() } else { format!(" and {}", counted(*others, "other")) };
    let looked = format!("{} of Comity's{beside}", counted(*objects, "object"));
    if errors + warnings > 0 {
        let parts = [counted(errors, "error"), counted(warnings, "warning"), counted(notes, "note")];
        return (
            if errors > 0 { Style::Bad } else { Style::Warn },
            format!("{looked}: {}", parts.join(", ")),
        );
    }
    if *objects == 0 {
        return (Style::Warn, format!("{looked}: there is nothing to look at"));
    }
    if notes > 0 {
        let told =
            format!("{looked}: nothing is wrong with what can be judged here; {}", counted(notes, "note"));
        return (Style::Warn, told);
    }
    (Style::Good, format!("{looked}: nothing is wrong"))
}

/// `1 error`, `2 errors`.
fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

/// For programs: one object.
pub(super) fn json(examination: &Examination) -> Value {
    json!({
        "objects": examination.objects,
        "others": examination.others,
        "errors": examination.count(Severity::Error),
        "warnings": examination.count(Severity::Warning),
        "notes": examination.count(Severity::Note),
        "findings": examination.findings,
    })
}

/// SARIF 2.1.0, as code scanning takes it.
pub(super) fn sarif(examination: &Examination) -> Value {
    annotate::sarif("comity validate", &examination.findings, about)
}

/// Commands of GitHub Actions that annotate the lines of a pull request.
pub(super) fn github(examination: &Examination) -> String {
    annotate::github(&examination.findings)
}

/// What a rule is about.
pub(in crate::cli) fn about(rule: &str) -> String {
    let known = RULES.iter().find(|(known, _)| *known == rule).map(|(_, about)| (*about).to_owned());
    known.unwrap_or_else(|| format!("The condition Accepted would be False, with the reason {rule}"))
}
