//! Beyond what the boundary gives in time, amount and credentials, and past the contract's own end.

use super::super::boundary;
use super::super::network::Network;
use super::super::quantity::Amount;
use super::{ContractInput, longer, named, positive, problem};
use crate::api::SharingBoundary;
use crate::api::Stage;
use crate::api::boundary::{Ceilings, StageCeiling};
use crate::api::condition::Reason;
use crate::api::contract::StageRule;
use crate::api::value::Duration;
use crate::policy::Problem;

/// The contract's own time is over.
pub fn contract_ended(input: &ContractInput<'_>) -> Vec<Problem> {
    let end = input.contract.spec.time.not_after.0;
    if end > input.now {
        return Vec::new();
    }
    // The time now has no place in a message: it would be another one with every look.
    let sides = format!("{} ended at {end}", input.subject());
    vec![problem(
        Reason::ContractEnded,
        "time.notAfter",
        sides,
        "agree on a later end, or make a new contract",
    )]
}

/// A boundary holds a value that can't be compared, so nothing can be within it.
pub fn boundary_unreadable(input: &ContractInput<'_>) -> Vec<Problem> {
    input
        .boundaries
        .iter()
        .filter(|boundary| boundary::meet(&[*boundary]).is_none())
        .map(|boundary| {
            let sides = format!(
                "{} holds a duration or a quantity that can't be read, so nothing that {} asks for is within it",
                named(boundary),
                input.subject()
            );
            problem(Reason::BeyondBoundary, "ceilings", sides, "ask the platform team to correct the boundary")
        })
        .collect()
}

/// The values of a boundary that can't be read, each by its clause.
pub fn values_unreadable(boundary: &SharingBoundary) -> Vec<Problem> {
    let Ceilings { stages, credential_ttl, egress, .. } = &boundary.spec.ceilings;
    let reviews = boundary.spec.floors.as_ref().and_then(|floors| floors.reviews.as_ref());
    let length = |path: String, text: &Duration| {
        (positive(text).is_none())
            .then(|| (path, text.0.clone(), "write durations as 720h, longer than nothing"))
    };
    let mut wrong: Vec<(String, String, &str)> = Vec::new();
    for ceiling in stages {
        let stage = format!("ceilings.{}", clause(ceiling.stage, ""));
        wrong.extend(length(format!("{stage}.maxDuration"), &ceiling.max_duration));
        let amounts = ceiling.quota.hard.iter().filter(|(_, amount)| Amount::of(amount).is_none());
        wrong.extend(amounts.map(|(resource, amount)| {
            (format!("{stage}.quota.hard[{resource}]"), amount.0.clone(), "write quantities as 500m or 16Gi")
        }));
    }
    wrong.extend(length("ceilings.credentialTTL".to_owned(), credential_ttl));
    let networks = egress.cidrs.iter().filter(|cidr| Network::parse(&cidr.0).is_none());
    wrong.extend(
        networks.map(|cidr| {
            ("ceilings.egress.cidrs".to_owned(), cidr.0.clone(), "write networks as 192.0.2.0/24")
        }),
    );
    wrong.extend(reviews.and_then(|floor| length("floors.reviews.every".to_owned(), &floor.every)));
    let told = wrong.into_iter().map(|(path, text, remedy)| {
        let sides =
            format!("{} says {text:?}, which can't be read, so nothing is within it", named(boundary));
        problem(Reason::Invalid, path, sides, remedy)
    });
    told.collect()
}

/// The contract offers a stage that the boundary doesn't name.
pub fn stage_beyond_boundary(input: &ContractInput<'_>) -> Vec<Problem> {
    let mut problems = Vec::new();
    for boundary in input.boundaries {
        for rule in &input.contract.spec.stages {
            if ceiling(boundary, rule.stage).is_none() {
                let sides = format!(
                    "{} offers {}, but {} has no ceiling for it, which allows nothing",
                    input.subject(),
                    rule.stage,
                    named(boundary)
                );
                let remedy = "take the stage from the contract, or ask the platform team for a ceiling";
                problems.push(problem(Reason::BeyondBoundary, clause(rule.stage, ""), sides, remedy));
            }
        }
    }
    problems
}

/// The contract keeps a stage open for longer than the boundary allows.
pub fn duration_beyond_boundary(input: &ContractInput<'_>) -> Vec<Problem> {
    each_ceiling(input, |boundary, rule, ceiling| {
        let beyond = longer(&rule.max_duration, &ceiling.max_duration);
        let sides = format!(
            "{} gives {}, but {} at most {}",
            input.subject(),
            rule.max_duration,
            named(boundary),
            ceiling.max_duration
        );
        let remedy = "shorten it in the contract, or ask the platform team for a longer ceiling";
        let found = || problem(Reason::BeyondBoundary, clause(rule.stage, ".maxDuration"), sides, remedy);
        beyond.then(found).into_iter().collect()
    })
}

/// A stage would end before it has been open for as long as the next one asks.
pub fn soak_longer_than_stage(input: &ContractInput<'_>) -> Vec<Problem> {
    let stages = input.contract.spec.stages.iter();
    stages
        .filter_map(|rule| {
            let soak = rule.soak.as_ref()?;
            let sides = format!("{} asks for a soak of {soak}", input.subject());
            let sides = format!("{sides}, but ends the stage after {}", rule.max_duration);
            longer(soak, &rule.max_duration).then(|| {
                let remedy = "shorten the soak, or lengthen maxDuration";
                problem(Reason::Invalid, clause(rule.stage, ".soak"), sides, remedy)
            })
        })
        .collect()
}

/// The contract's certificates are valid for longer than the boundary allows.
pub fn credentials_beyond_boundary(input: &ContractInput<'_>) -> Vec<Problem> {
    let Some(asked) = &input.contract.spec.security.credential_ttl else { return Vec::new() };
    input
        .boundaries
        .iter()
        .filter(|boundary| longer(asked, &boundary.spec.ceilings.credential_ttl))
        .map(|boundary| {
            let most = &boundary.spec.ceilings.credential_ttl;
            let sides = format!(
                "{} asks for {asked}, but {} allows at most {most}",
                input.subject(),
                named(boundary)
            );
            let remedy = "shorten it in the contract, or ask the platform team for a longer ceiling";
            problem(Reason::BeyondBoundary, "security.credentialTTL", sides, remedy)
        })
        .collect()
}

/// What `check` finds of each stage that both the contract and a boundary name.
pub(super) fn each_ceiling(
    input: &ContractInput<'_>,
    check: impl Fn(&SharingBoundary, &StageRule, &StageCeiling) -> Vec<Problem>,
) -> Vec<Problem> {
    let mut problems = Vec::new();
    for boundary in input.boundaries {
        for rule in &input.contract.spec.stages {
            if let Some(ceiling) = ceiling(boundary, rule.stage) {
                problems.extend(check(boundary, rule, ceiling));
            }
        }
    }
    problems
}

/// What a boundary gives a stage at most.
fn ceiling(boundary: &SharingBoundary, stage: Stage) -> Option<&StageCeiling> {
    boundary.spec.ceilings.stages.iter().find(|ceiling| ceiling.stage == stage)
}

/// The path of a stage's rule in a contract.
pub(super) fn clause(stage: Stage, rest: &str) -> String {
    format!("stages[{stage}]{rest}")
}
