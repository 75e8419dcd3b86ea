//! A plan, for people. Pure.

use std::collections::BTreeMap;

use super::stage::{GrantPlan, Plan, StagePlan};
use crate::cli::diff::people;
use crate::cli::grant::clauses;
use crate::cli::moment::{Watch, length};
use crate::cli::page::{Page, Style};

/// All of it.
pub(super) fn page(plan: &Plan, watch: &Watch) -> Page {
    let mut page = Page::default();
    for (index, grant) in plan.grants.iter().enumerate() {
        if index > 0 {
            page.gap();
        }
        tell_grant(&mut page, grant, watch);
    }
    page
}

fn tell_grant(page: &mut Page, grant: &GrantPlan, watch: &Watch) {
    let GrantPlan { name, namespace, partner, contract, purpose, digest, not_before, not_after, .. } = grant;
    page.styled(Style::Strong, format!("{name} in {namespace}"));
    page.then(Style::Plain, format!(", for {partner} under {contract}, for {purpose}"));
    page.line(format!("  revision  {digest}"));
    if let Some(moment) = not_before {
        page.line(format!("  begins    {}", watch.tell(*moment)));
    }
    page.line(format!("  over      {}", watch.tell(*not_after)));
    let mut before: Option<&StagePlan> = None;
    for stage in &grant.stages {
        tell_stage(page, stage, before);
        before = Some(stage);
    }
    clauses(page, "What would hold each clause of the contract", &grant.enforcement);
}

fn tell_stage(page: &mut Page, stage: &StagePlan, before: Option<&StagePlan>) {
    page.gap()
        .styled(Style::Strong, stage.stage.to_string())
        .then(Style::Plain, format!(", open for {}, {}", long(stage), opens(stage, before)));
    page.styled(Style::Faint, format!("  in {}", stage.namespace));
    let mut kinds: Vec<(&str, Vec<String>)> = Vec::new();
    for object in &stage.objects {
        let word =
            |pointer: &str| object.pointer(pointer).and_then(serde_json::Value::as_str).unwrap_or_default();
        let place = word("/metadata/namespace");
        let elsewhere =
            if place.is_empty() || place == stage.namespace { String::new() } else { format!(" in {place}") };
        let name = format!("{}{elsewhere}", word("/metadata/name"));
        match kinds.last_mut() {
            Some((kind, names)) if *kind == word("/kind") => names.push(name),
            _ => kinds.push((word("/kind"), vec![name])),
        }
    }
    for (kind, names) in kinds {
        page.line(format!("  {kind:<15} ")).then(Style::Plain, names.join(", "));
    }
    let mut signed: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for object in &stage.signed {
        signed.entry(object.kind.as_str()).or_default().push(&object.name);
    }
    for (kind, names) in signed {
        page.line(format!("  {kind:<15} "))
            .then(Style::Plain, names.join(", "))
            .then(Style::Faint, ", by comity sign");
    }
}

/// How long it is open.
pub(super) fn long(stage: &StagePlan) -> String {
    stage.duration.length().map_or_else(|| stage.duration.to_string(), length)
}

/// When it opens.
pub(super) fn opens(stage: &StagePlan, before: Option<&StagePlan>) -> String {
    let mut gates = Vec::new();
    if let Some(before) = before {
        let soak = stage.after_soak.as_ref().and_then(crate::api::value::Duration::length);
        gates.push(match soak {
            Some(soak) => format!("{} has been open for {} without interruption", before.stage, length(soak)),
            None => format!("{} is open", before.stage),
        });
    }
    if !stage.approvals.rule.is_empty() {
        gates.push(format!("it is agreed to by {}", people(&stage.approvals.rule)));
    }
    let opens = if gates.is_empty() { "at once".to_owned() } else { format!("once {}", gates.join(" and ")) };
    match before {
        Some(before) if before.closes_at_promotion => format!("{opens}; {} closes then", before.stage),
        _ => opens,
    }
}
