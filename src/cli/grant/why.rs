//! `comity explain`: why a grant stands as it does, what holds each clause of its contract, and what to
//! do next. Pure.

use std::collections::BTreeMap;

use super::review::who_confirms;
use super::tree::{agreed, missing, tree, who_can};
use super::view::{GrantView, Said};
use crate::api::condition::Reason;
use crate::api::enforcement::{EnforcedClause, EnforcementState};
use crate::cli::moment::Watch;
use crate::cli::page::{Page, Style};

/// Everything.
pub(in crate::cli) fn why(view: &GrantView, watch: &Watch, program: &str) -> Page {
    let mut page = tree(view, watch, program);
    request(&mut page, view);
    conditions(&mut page, &view.conditions, watch);
    consents(&mut page, view, watch);
    clauses(&mut page, "What holds each clause of the contract", &view.enforcement);
    page.gap().styled(Style::Strong, "You");
    page.line(format!("  {}", you(view)));
    page.gap().styled(Style::Strong, "What to do next");
    for step in next_steps(view, program) {
        page.line(format!("  {step}"));
    }
    page
}

fn request(page: &mut Page, view: &GrantView) {
    let told = [("why", &view.justification), ("ticket", &view.ticket)];
    let told: Vec<_> = told.into_iter().filter_map(|(name, text)| Some((name, text.as_ref()?))).collect();
    if told.is_empty() {
        return;
    }
    page.gap().styled(Style::Strong, "What is asked for");
    for (name, text) in told {
        page.line(format!("  {name:<9}{text}"));
    }
}

fn conditions(page: &mut Page, conditions: &[Said], watch: &Watch) {
    page.gap().styled(Style::Strong, "How it stands");
    for said in conditions {
        let (word, style) = match (said.condition.as_str(), said.status.as_str()) {
            ("Stalled", "True") => ("yes", Style::Bad),
            (_, "True") => ("yes", Style::Good),
            ("Stalled" | "Reconciling", "False") => ("no", Style::Faint),
            (_, "False") => ("no", Style::Warn),
            _ => ("unknown", Style::Warn),
        };
        page.line(format!("  {:<13}", said.condition)).then(style, format!("{word:<5}"));
        page.then(Style::Plain, format!("{}, since {}", said.reason, watch.tell(said.since)));
        if !said.message.is_empty() {
            page.styled(Style::Faint, format!("  {:18}{}", "", said.message));
        }
    }
}

fn consents(page: &mut Page, view: &GrantView, watch: &Watch) {
    page.gap().styled(Style::Strong, "Who has to agree");
    if view.waiting.is_empty() {
        page.line("  nobody is asked now");
    }
    for waiting in &view.waiting {
        page.line(format!("  to {}, asked since {}", waiting.stage, watch.tell(waiting.since)));
        for approval in &waiting.approvals {
            page.styled(Style::Good, format!("    {}", agreed(approval, watch)));
        }
        page.styled(Style::Warn, format!("    {}", missing(waiting)));
        page.line("    nobody who asked for it, or wrote what it depends on since it was last agreed to");
    }
}

/// The clauses of the contract, by what holds them.
pub(in crate::cli) fn clauses(page: &mut Page, title: &str, clauses: &[EnforcedClause]) {
    if clauses.is_empty() {
        return;
    }
    page.gap().styled(Style::Strong, title);
    let mut held: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for clause in clauses.iter().filter(|clause| clause.state == EnforcementState::Enforced) {
        let by: Vec<String> = clause.by.iter().map(|by| format!("{by:?}")).collect();
        held.entry(by.join(" and ")).or_default().push(&clause.clause);
    }
    for (by, clauses) in held {
        page.styled(Style::Good, format!("  {by}")).then(Style::Plain, format!(": {}", clauses.join(", ")));
    }
    for (state, style, title) in [
        (EnforcementState::Pending, Style::Warn, "not all there yet"),
        (EnforcementState::DeclaredOnly, Style::Warn, "nothing, it is only written down"),
        (EnforcementState::NotUsed, Style::Faint, "not used by the contract"),
    ] {
        let told: Vec<&EnforcedClause> = clauses.iter().filter(|clause| clause.state == state).collect();
        let said = told.iter().any(|clause| clause.message.is_some());
        if told.is_empty() {
            continue;
        }
        page.styled(style, format!("  {title}"));
        if !said {
            let names: Vec<&str> = told.iter().map(|clause| clause.clause.as_str()).collect();
            page.then(Style::Plain, format!(": {}", names.join(", ")));
        }
        for clause in told.into_iter().filter(|_| said) {
            let message = clause.message.as_ref().map_or_else(String::new, |message| format!(": {message}"));
            page.line(format!("    {}{message}", clause.clause));
        }
    }
}

fn you(view: &GrantView) -> String {
    let groups: Vec<&str> = view.you.groups.iter().map(String::as_str).collect();
    let groups = if groups.is_empty() { String::new() } else { format!(", in {}", groups.join(", ")) };
    let may = if view.you.may.is_empty() {
        "may decide nothing about this grant".to_owned()
    } else {
        format!("may {}", view.you.may.join(", "))
    };
    format!("{}{groups}: {may}", view.you.name)
}

/// What somebody could do now.
pub(super) fn next_steps(view: &GrantView, program: &str) -> Vec<String> {
    let mut steps: Vec<String> = view.waiting.iter().map(|waiting| who_can(view, waiting, program)).collect();
    let at = format!("{} --namespace {}", view.name, view.namespace);
    if view.reviews().next().is_some() {
        let who = who_confirms(&view.namespace, &view.name, program);
        steps.push(format!("confirm that it is still wanted, {who}"));
    }
    if let Some(quarantined) = &view.quarantined {
        steps.push(format!("somebody other than {}: {program} release {at}", quarantined.by));
    }
    if let Some(accepted) = view.conditions.iter().find(|said| said.condition == "Accepted")
        && accepted.status == "False"
    {
        steps.push(format!("mend what keeps it from being accepted: {}", accepted.message));
    }
    let reason = view.ready.as_ref().map_or("", |ready| ready.reason.as_str());
    let is = |wanted: Reason| reason == wanted.to_string();
    if is(Reason::Suspended) {
        steps.push("take spec.suspend out of the grant to give access again".to_owned());
    }
    if is(Reason::Ended) || is(Reason::ConsentRefused) {
        steps.push("what is over stays so: change what is asked for, or make a new grant".to_owned());
    }
    if steps.is_empty() {
        steps.push(match &view.ready {
            Some(ready) if ready.status == "True" && is(Reason::Open) => {
                format!("nothing; before it ends: {program} extend {at} --by 24h; to end it: {program} expire {at}")
            }
            Some(ready) => format!("{reason}: {}", ready.message),
            None => "see whether comity run is running".to_owned(),
        });
    }
    steps
}
