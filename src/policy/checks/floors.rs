//! Below what the boundary asks for: approvals and reviews.

use super::{ContractInput, longer, named, problem};
use crate::api::boundary::{ApprovalFloor, GroupShare};
use crate::api::condition::Reason;
use crate::api::contract::Approval;
use crate::policy::Problem;

/// The contract opens a stage with fewer approvals than the boundary asks for.
pub fn approvals_below_floor(input: &ContractInput<'_>) -> Vec<Problem> {
    let spec = &input.contract.spec;
    let mut problems = Vec::new();
    for boundary in input.boundaries {
        let floors = boundary.spec.floors.iter().flat_map(|floors| &floors.approvals);
        for floor in floors.filter(|floor| spec.stages.iter().any(|rule| rule.stage == floor.stage)) {
            let given = spec.approvals.iter().find(|approval| approval.stage == floor.stage);
            problems.extend(shortfalls(floor, given).into_iter().map(|(path, has, least)| {
                let sides = format!(
                    "{} asks for {has}, but {} for at least {least}",
                    input.subject(),
                    named(boundary)
                );
                let clause = format!("approvals[{}]{path}", floor.stage);
                problem(Reason::BeyondBoundary, clause, sides, "ask for as many in the contract")
            }));
        }
    }
    problems
}

/// Where `given` stays below `floor`: the path, how many there are, how many there have to be.
fn shortfalls(floor: &ApprovalFloor, given: Option<&Approval>) -> Vec<(String, i32, i32)> {
    let required = given.map_or(0, |approval| approval.required);
    let people = (".required".to_owned(), required, floor.required);
    let groups = floor.groups.iter().map(|least| {
        let has = given.and_then(|approval| share(&approval.groups, least));
        (format!(".groups[{}].atLeast", least.name), has.unwrap_or(0), least.at_least)
    });
    std::iter::once(people).chain(groups).filter(|(_, has, least)| has < least).collect()
}

/// How many approvals `groups` ask for from the group that `least` is about.
fn share(groups: &[GroupShare], least: &GroupShare) -> Option<i32> {
    groups.iter().find(|group| group.name == least.name).map(|group| group.at_least)
}

/// The contract is reviewed less often than the boundary asks for.
pub fn reviews_below_floor(input: &ContractInput<'_>) -> Vec<Problem> {
    let given = input.contract.spec.reviews.as_ref().map(|reviews| &reviews.every);
    let floors = input
        .boundaries
        .iter()
        .filter_map(|boundary| Some((boundary, &boundary.spec.floors.as_ref()?.reviews.as_ref()?.every)));
    floors
        .filter(|(_, floor)| given.is_none_or(|given| longer(given, floor)))
        .map(|(boundary, floor)| {
            let says = given.map_or_else(|| "for none".to_owned(), |given| format!("for one every {given}"));
            let sides = format!(
                "{} asks {says}, but {} for one at least every {floor}",
                input.subject(),
                named(boundary)
            );
            problem(
                Reason::BeyondBoundary,
                "reviews.every",
                sides,
                "review at least as often in the contract",
            )
        })
        .collect()
}
