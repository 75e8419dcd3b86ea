//! What an approval would open, and by which rules: against what this very stage was opened with, or
//! whole where it never was. What an earlier stage was opened with may be approved by nobody. Pure.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use super::preview::fact;
use super::wish::Choice;
use crate::api::boundary::{Dns, Quota};
use crate::api::contract::{AfterPromotion, Compute, Destination, Retention, Security, TimeTerms};
use crate::api::effective::{EffectiveDataset, EffectivePolicy};
use crate::api::stage::Stage;
use crate::api::value::Duration;
use crate::cli::grant::{Picture, clusterroles_to_read};
use crate::cli::moment::{Watch, length};
use crate::cli::page::{Page, Style};
use crate::grant::gate::stage_before;
use crate::policy::lattice::{self, Change, Comparison, Difference};
use crate::policy::{Agreement, StageTerms};

/// What would be opened, and by which rules.
pub(super) fn request(page: &mut Page, picture: &Picture<'_>, choice: &Choice, watch: &Watch) {
    let stage = choice.stage.unwrap_or(picture.reading.grant.spec.stage);
    let Some(Ok(agreement)) = &picture.agreement else {
        let unread = picture.reading.unread.join(", ");
        let role = clusterroles_to_read(&picture.reading.unread);
        let said = format!(
            "  you may not read {unread}, so what this revision is made of can't be shown, nor compared with its \
             digest; {role}"
        );
        page.styled(Style::Warn, said);
        return;
    };
    let Some(terms) = agreement.stages.get(&stage) else { return };
    if choice.stage.is_some() {
        rules(page, stage, terms, agreement, watch);
    }
    let openings = picture.sound_journal().map_or(&[][..], |journal| &journal.openings);
    if let Some(before) = openings.iter().rfind(|opening| opening.stage == stage) {
        let title =
            format!("What changes against {}, opened {}:", before.stage, watch.tell(before.opened_at));
        page.line(format!("  {title}"));
        changes(page, &lattice::diff(Some(&before.policy), Some(&terms.policy)));
    } else {
        page.line(format!("  What it allows, since {stage} was never opened before:"));
        whole(page, &terms.policy);
    }
}

/// How long, after what, and what becomes of what else is open.
pub(super) fn rules(page: &mut Page, stage: Stage, terms: &StageTerms, agreement: &Agreement, watch: &Watch) {
    let last = watch.absolute(agreement.not_after);
    fact(page, "open for", format!("{} from its opening, and never after {last}", length(terms.duration)));
    if terms.ceiling > terms.duration {
        fact(page, "extended", format!("to {} at the most", length(terms.ceiling)));
    }
    fact(page, "comes after", comes_after(stage, agreement));
    if agreement.stages.keys().any(|later| *later > stage) {
        let soak = match terms.soak {
            none if none.is_zero() => "none: the next stage doesn't wait for it".to_owned(),
            soak => format!("{} without interruption, before the next stage opens", length(soak)),
        };
        fact(page, "soak", soak);
        let promoted = match terms.after_promotion {
            AfterPromotion::Close => "it closes when a later stage opens",
            AfterPromotion::Keep => "it stays open beside a later stage, until its own end",
        };
        fact(page, "promotion", promoted);
    }
    let overlap = match terms.overlap {
        none if none.is_zero() => "none: what was opened of it for another revision closes then".to_owned(),
        overlap => format!("{}: so long stays what was opened of it for another revision", length(overlap)),
    };
    fact(page, "overlap", overlap);
}

/// What has to have been open before a stage is.
fn comes_after(stage: Stage, agreement: &Agreement) -> String {
    let earlier =
        stage_before(stage, agreement).and_then(|before| Some((before, agreement.stages.get(&before)?)));
    match earlier {
        Some((before, earlier)) if earlier.soak.is_zero() => format!("{before}, once that is open"),
        Some((before, earlier)) => {
            format!("{before}, once that was open for {} without interruption", length(earlier.soak))
        }
        None if stage.before().is_none() => "nothing: it is the first".to_owned(),
        None => "nothing: the contract offers no earlier stage, so nothing has to be tried before".to_owned(),
    }
}

/// Everything that a policy allows.
fn whole(page: &mut Page, policy: &EffectivePolicy) {
    page.styled(Style::Warn, format!("    + purpose {}", policy.purpose));
    for dataset in &policy.datasets {
        page.styled(Style::Warn, format!("    + {}", contents(dataset)));
    }
    for change in lattice::diff(Some(&nothing(policy)), Some(policy)) {
        let said = match &change.how {
            Difference::Became { new, .. } => format!("{}: {new}", change.what),
            Difference::Added | Difference::Removed => change.what.clone(),
        };
        page.styled(Style::Warn, format!("    + {said}"));
    }
}

/// Which version of a dataset, and which of its rows.
fn contents(dataset: &EffectiveDataset) -> String {
    let EffectiveDataset { name, version, rows, .. } = dataset;
    let mut limits = Vec::new();
    if let Some(rows) = rows {
        limits.extend(rows.from.as_ref().map(|from| format!("from {}", from.0)));
        limits.extend(rows.to.as_ref().map(|to| format!("before {}", to.0)));
        let segments: Vec<&str> = rows.segments.iter().map(crate::api::value::Word::as_str).collect();
        limits.extend((!segments.is_empty()).then(|| format!("of {}", segments.join(", "))));
    }
    let rows = if limits.is_empty() { "all rows".to_owned() } else { format!("rows {}", limits.join(" ")) };
    format!("dataset {name} {version}, {rows}")
}

/// A policy of the same partner and contract under which nothing can be reached, done or kept.
fn nothing(policy: &EffectivePolicy) -> EffectivePolicy {
    let never = || Some(Duration::from("0s"));
    let none = |(resource, _): (&String, &Quantity)| (resource.clone(), Quantity("0".to_owned()));
    let compute = Compute { registries: Vec::new(), ..policy.destination.compute.clone() };
    let destination =
        Destination { egress: Vec::new(), dns: Dns::None, compute, ..policy.destination.clone() };
    let kept = Retention { inputs: never(), artifacts: never(), ..policy.time.retention.clone() };
    EffectivePolicy {
        operations: Vec::new(),
        models: Vec::new(),
        datasets: policy.datasets.iter().map(out_of_reach).collect(),
        people: Vec::new(),
        workloads: Vec::new(),
        destination,
        time: TimeTerms { retention: kept, ..policy.time.clone() },
        security: Security { credential_ttl: never(), ..policy.security.clone() },
        quota: Quota { hard: policy.quota.hard.iter().map(none).collect::<BTreeMap<_, _>>() },
        ..policy.clone()
    }
}

/// A dataset of which nothing is shared.
fn out_of_reach(dataset: &EffectiveDataset) -> EffectiveDataset {
    EffectiveDataset { fields: Vec::new(), artifacts: Vec::new(), endpoint: None, ..dataset.clone() }
}

fn changes(page: &mut Page, changes: &[Change]) {
    if changes.is_empty() {
        page.line("    nothing");
    }
    for change in changes {
        let (style, sign) = match change.effect {
            Comparison::Wider => (Style::Warn, '+'),
            Comparison::Narrower => (Style::Good, '-'),
            Comparison::Both => (Style::Warn, '~'),
            Comparison::Equal => (Style::Faint, '='),
        };
        page.styled(style, format!("    {sign} {}", change.said()));
    }
}
