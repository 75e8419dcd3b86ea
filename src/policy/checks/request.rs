//! More than the contract offers.

use super::{GrantInput, list, longer, problem};
use crate::api::Stage;
use crate::api::condition::Reason;
use crate::api::contract::{Actor, OperationName, StageRule};
use crate::api::value::Duration;
use crate::policy::Problem;

/// What people do about something that the contract doesn't offer.
const REMEDY: &str = "ask for less in the grant, or agree on more in the contract";

/// The grant goes further than the contract.
pub fn stage_not_offered(input: &GrantInput<'_>) -> Vec<Problem> {
    let spec = &input.grant.spec;
    let asked =
        |stage: Stage| stage <= spec.stage || spec.stages.iter().any(|request| request.stage == stage);
    let missing: Vec<Stage> =
        Stage::ALL.into_iter().filter(|stage| asked(*stage) && rule(input, *stage).is_none()).collect();
    if missing.is_empty() {
        return Vec::new();
    }
    let offered = list(input.terms.contract.spec.stages.iter().map(|rule| rule.stage));
    let sides = format!(
        "the grant goes up to {} and needs {}, but {} offers only: {offered}",
        spec.stage,
        list(missing),
        input.terms.subject()
    );
    vec![problem(Reason::BeyondContract, "stages", sides, REMEDY)]
}

/// The grant keeps a stage open for longer than the contract.
pub fn duration_beyond_contract(input: &GrantInput<'_>) -> Vec<Problem> {
    let requests = input.grant.spec.stages.iter();
    requests
        .filter_map(|request| {
            let most = &rule(input, request.stage)?.max_duration;
            let sides = format!(
                "the grant asks for {}, but {} gives at most {most}",
                request.duration,
                input.terms.subject()
            );
            let clause = format!("stages[{}].maxDuration", request.stage);
            longer(&request.duration, most).then(|| problem(Reason::BeyondContract, clause, sides, REMEDY))
        })
        .collect()
}

/// A stage would end before the next one, which the grant wants, could open.
pub fn soak_out_of_reach(input: &GrantInput<'_>) -> Vec<Problem> {
    let spec = &input.grant.spec;
    let before = spec.stages.iter().filter(|request| request.stage < spec.stage);
    before
        .filter_map(|request| {
            let soak: &Duration = rule(input, request.stage)?.soak.as_ref()?;
            let sides = format!(
                "the grant ends the stage after {}, but {} asks for a soak of {soak} before the next one",
                request.duration,
                input.terms.subject()
            );
            let clause = format!("stages[{}].soak", request.stage);
            let remedy = "lengthen the stage in the grant, or agree on a shorter soak in the contract";
            longer(soak, &request.duration).then(|| problem(Reason::BeyondContract, clause, sides, remedy))
        })
        .collect()
}

/// The grant's purpose isn't one of the contract's.
pub fn purpose_beyond_contract(input: &GrantInput<'_>) -> Vec<Problem> {
    let (asked, offered) = (&input.grant.spec.purpose, &input.terms.contract.spec.purposes);
    if offered.contains(asked) {
        return Vec::new();
    }
    let sides =
        format!("the grant is for {asked}, but {} is only for: {}", input.terms.subject(), list(offered));
    vec![problem(Reason::BeyondContract, "purposes", sides, REMEDY)]
}

/// The grant does what the contract doesn't allow.
pub fn operation_beyond_contract(input: &GrantInput<'_>) -> Vec<Problem> {
    let offered = &input.terms.contract.spec.operations;
    let beyond: Vec<String> = input
        .grant
        .spec
        .operations
        .iter()
        .filter(|asked| !offered.iter().any(|operation| operation.name == **asked))
        .map(|asked| format!("{asked:?}"))
        .collect();
    if beyond.is_empty() {
        return Vec::new();
    }
    let sides = format!(
        "the grant asks for {}, but {} allows only: {}",
        list(beyond),
        input.terms.subject(),
        list(offered.iter().map(|operation| format!("{:?}", operation.name)))
    );
    vec![problem(Reason::BeyondContract, "operations", sides, REMEDY)]
}

/// A workload does what the contract doesn't let workloads do, or the grant doesn't ask for.
pub fn workload_not_an_actor(input: &GrantInput<'_>) -> Vec<Problem> {
    let spec = &input.grant.spec;
    let allowed = |operation: &OperationName| {
        let offered = input.terms.contract.spec.operations.iter();
        let mut actors = offered.filter(|offer| offer.name == *operation).flat_map(|offer| &offer.actors);
        spec.operations.contains(operation) && actors.any(|actor| *actor == Actor::Workload)
    };
    let workloads = spec.workloads.iter();
    workloads
        .filter_map(|workload| {
            let beyond = workload.operations.iter().filter(|operation| !allowed(operation));
            let beyond: Vec<String> = beyond.map(|operation| format!("{operation:?}")).collect();
            let sides = format!(
                "the grant's workload {} is to {}, but {} doesn't name Workload among the actors of it",
                workload.name,
                list(&beyond),
                input.terms.subject()
            );
            (!beyond.is_empty()).then(|| problem(Reason::BeyondContract, "operations.actors", sides, REMEDY))
        })
        .collect()
}

/// What the contract says of a stage.
fn rule<'a>(input: &GrantInput<'a>, stage: Stage) -> Option<&'a StageRule> {
    input.terms.contract.spec.stages.iter().find(|rule| rule.stage == stage)
}
