//! A plan, on the lines of the files: each stage as a note where the grant asks for it, and what can't be planned
//! as what is found of it. Pure.

use super::stage::{GrantPlan, Plan, StagePlan};
use super::tell::{long, opens};
use crate::cli::files::finding::{Finding, Severity};
use crate::cli::files::read::Source;
use crate::cli::files::world::Identity;
use crate::cli::validate::{self, Examination};

/// The rule of a note that tells a stage.
const PLANNED: &str = "Planned";

/// Everything that there is to say of the lines of some files.
pub(super) fn findings(plan: &Plan, examination: &Examination, sources: &[Source]) -> Vec<Finding> {
    let planned = plan.grants.iter().flat_map(|grant| {
        let before = std::iter::once(None).chain(grant.stages.iter().map(Some));
        let told = grant.stages.iter().zip(before);
        told.filter_map(|(stage, before)| note(grant, stage, before, examination, sources))
            .collect::<Vec<_>>()
    });
    let mut findings: Vec<Finding> = planned.chain(examination.findings.iter().cloned()).collect();
    findings.sort_by(|one, other| one.order().cmp(&other.order()));
    findings
}

/// What would be made of a stage, in a sentence, where the grant says how far the partner may come.
fn note(
    grant: &GrantPlan,
    stage: &StagePlan,
    before: Option<&StagePlan>,
    examination: &Examination,
    sources: &[Source],
) -> Option<Finding> {
    let known = examination.world.grants.get(&(grant.namespace.clone(), grant.name.clone()))?;
    let path = "spec.stage".to_owned();
    let (file, place) = examination.find(sources, known.document, &path)?;
    let message = format!(
        "{} would open for {}, {}: {} objects in {}, and {} by comity sign",
        stage.stage,
        long(stage),
        opens(stage, before),
        stage.objects.len(),
        stage.namespace,
        stage.signed.len()
    );
    Some(Finding {
        severity: Severity::Note,
        rule: PLANNED.to_owned(),
        message,
        object: Some(Identity::new("PartnerGrant", &grant.namespace, &grant.name)),
        path,
        file: file.to_owned(),
        line: place.line,
        column: place.column,
    })
}

/// What a rule of these findings is about.
pub(super) fn about(rule: &str) -> String {
    if rule == PLANNED {
        "What Comity would make of a grant at a stage".to_owned()
    } else {
        validate::about(rule)
    }
}
