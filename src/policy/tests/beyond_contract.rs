//! Each way in which a grant can go beyond its contract, or stand in another one's way.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::super::testing::{World, another, instant};
use crate::api::Stage;
use crate::api::condition::Reason;
use crate::api::contract::{Actor, OperationName};

#[test]
fn a_stage_that_the_contract_does_not_offer_is_refused() {
    let mut world = World::story();
    world.contract.spec.stages.retain(|rule| rule.stage != Stage::Rehearsal);
    world.refused(
        Reason::BeyondContract,
        &[
            "stages",
            "goes up to Production and needs Rehearsal",
            "fraud-scoring offers only: Sandbox, Production",
        ],
    );
}

#[test]
fn a_stage_beyond_the_contract_does_not_matter_below_it() {
    let mut world = World::story();
    world.contract.spec.stages.retain(|rule| rule.stage == Stage::Sandbox);
    world.grant.spec.stage = Stage::Sandbox;
    world.grant.spec.stages.retain(|request| request.stage == Stage::Sandbox);
    let agreed = world.agreed();
    assert_eq!(agreed.stages.keys().collect::<Vec<_>>(), [&Stage::Sandbox]);
}

#[test]
fn a_longer_stage_than_the_contract_gives_is_refused() {
    let mut world = World::story();
    world.grant.spec.stages[0].duration = "337h".into();
    world.refused(
        Reason::BeyondContract,
        &["stages[Sandbox].maxDuration", "the grant asks for 337h", "fraud-scoring gives at most 336h"],
    );
}

#[test]
fn a_stage_that_ends_before_its_soak_is_refused() {
    let mut world = World::story();
    world.grant.spec.stages[1].duration = "23h".into();
    world.refused(
        Reason::BeyondContract,
        &["stages[Rehearsal].soak", "ends the stage after 23h", "asks for a soak of 24h"],
    );
    world.grant.spec.stage = Stage::Rehearsal;
    world.agreed();
    let mut world = World::story();
    world.contract.spec.stages[1].soak = Some("73h".into());
    let problems = world.resolve().expect_err("nobody could reach production");
    assert!(problems.iter().any(|problem| problem.reason == Reason::Invalid), "{problems:#?}");
}

#[test]
fn a_purpose_that_the_contract_does_not_name_is_refused() {
    let mut world = World::story();
    world.grant.spec.purpose = "model-quality".into();
    world.refused(
        Reason::BeyondContract,
        &["purposes", "the grant is for model-quality", "fraud-scoring is only for: fraud-detection"],
    );
}

#[test]
fn an_operation_that_the_contract_does_not_allow_is_refused() {
    let mut world = World::story();
    world.grant.spec.operations.push(OperationName::Train);
    world.refused(
        Reason::BeyondContract,
        &["operations", "the grant asks for Train", "fraud-scoring allows only: Infer"],
    );
}

#[test]
fn a_workload_may_do_only_what_workloads_may() {
    let mut world = World::story();
    world.contract.spec.operations[0].actors = vec![Actor::Person];
    world.refused(
        Reason::BeyondContract,
        &["operations.actors", "the grant's workload scorer is to Infer", "doesn't name Workload"],
    );
}

#[test]
fn a_second_live_grant_for_the_same_thing_is_refused_and_the_elder_stays() {
    let mut world = World::story();
    world.others = vec![another("aaa", "2026-11-01T00:00:00Z")];
    world.refused(
        Reason::Duplicate,
        &["northpay-fraud-too", "2026-11-01T00:00:00Z", "northpay under fraud-scoring for fraud-detection"],
    );
    world.others[0].requested = instant("2026-12-02T00:00:00Z");
    world.agreed();
}

#[test]
fn a_grant_that_was_never_accepted_is_younger_than_all_that_were_however_old_it_is() {
    let mut world = World::story();
    world.grant.metadata.creation_timestamp = Some(Time(instant("2026-11-01T00:00:00Z")));
    world.requested = None;
    world.others = vec![another("ffffffff", "2026-12-02T00:00:00Z")];
    world.refused(Reason::Duplicate, &["which is live since 2026-12-02T00:00:00Z"]);
    world.others.clear();
    world.agreed();
}

#[test]
fn of_two_grants_of_one_age_the_lesser_uid_is_the_elder() {
    let mut world = World::story();
    world.others = vec![another("00000000", super::super::testing::NOW)];
    world.refused(Reason::Duplicate, &[]);
    world.others = vec![another("ffffffff", super::super::testing::NOW)];
    world.agreed();
}

#[test]
fn a_grant_for_something_else_or_somewhere_else_is_no_duplicate() {
    let elder = || another("aaa", "2026-11-01T00:00:00Z");
    let mut others = vec![elder(), elder(), elder(), elder()];
    others[0].namespace = "elsewhere".to_owned();
    others[1].partner = "southpay".to_owned();
    others[2].contract = "other".to_owned();
    others[3].purpose = "model-quality".to_owned();
    World { others, ..World::story() }.agreed();
}

#[test]
fn a_contract_that_has_ended_is_refused() {
    let mut world = World::story();
    world.now = world.contract.spec.time.not_after.0;
    let problems = world.resolve().expect_err("it is over");
    assert_eq!(problems[0].reason, Reason::ContractEnded);
    assert!(problems[0].message.contains("time.notAfter: the contract fraud-scoring ended at 2035-10-31"));
    world.now = world.now.checked_sub(jiff::SignedDuration::from_secs(1)).expect("a second before");
    world.agreed();
}

#[test]
fn a_contract_that_has_yet_to_begin_is_agreed_on_all_the_same() {
    let mut world = World::story();
    world.now = instant("2026-01-01T00:00:00Z");
    assert_eq!(world.agreed().not_before, Some(instant("2026-11-01T00:00:00Z")));
}
