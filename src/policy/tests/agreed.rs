//! What is agreed where nothing stands against it.

use jiff::SignedDuration;

use super::super::testing::{World, instant};
use crate::api::Stage;
use crate::api::boundary::PodSecurity;
use crate::api::contract::AfterPromotion;

#[test]
fn the_story_is_agreed() {
    let agreed = World::story().agreed();
    assert_eq!(agreed.stages.keys().copied().collect::<Vec<_>>(), Stage::ALL);
    assert_eq!(agreed.not_after, instant("2035-10-31T00:00:00Z"));
    assert_eq!(agreed.review_at, Some(instant("2036-01-31T00:00:00Z")));
    let sandbox = &agreed.stages[&Stage::Sandbox];
    assert_eq!(sandbox.duration, SignedDuration::from_hours(168));
    assert_eq!(sandbox.after_promotion, AfterPromotion::Close);
    assert_eq!(sandbox.credential_ttl, SignedDuration::from_hours(2));
    assert_eq!(sandbox.soak, SignedDuration::ZERO);
    assert_eq!(agreed.stages[&Stage::Rehearsal].soak, SignedDuration::from_hours(24));
}

#[test]
fn only_production_sends_to_outside_the_cluster() {
    let agreed = World::story().agreed();
    let leaves = |stage: Stage| !agreed.stages[&stage].policy.destination.egress.is_empty();
    assert!(!leaves(Stage::Sandbox) && !leaves(Stage::Rehearsal) && leaves(Stage::Production));
}

#[test]
fn each_stage_reaches_only_the_pods_that_serve_it() {
    let agreed = World::story().agreed();
    for (stage, name) in [
        (Stage::Sandbox, "tx-synthetic"),
        (Stage::Rehearsal, "tx-masked"),
        (Stage::Production, "tx-features"),
    ] {
        let endpoint = agreed.stages[&stage].policy.datasets[0].endpoint.as_ref().expect("served");
        assert_eq!(endpoint.namespace.as_str(), "risk-data");
        assert_eq!(endpoint.service.as_str(), name);
        assert_eq!(endpoint.selector["app.kubernetes.io/name"], name);
        assert_eq!(endpoint.target.number, Some(8443));
    }
}

#[test]
fn what_contract_and_grant_leave_out_is_the_boundarys_or_the_datasets() {
    let mut world = World::story();
    world.grant.spec.stages.clear();
    world.contract.spec.security.credential_ttl = None;
    world.contract.spec.time.retention.inputs = None;
    world.contract.spec.stages[0].quota = None;
    world.contract.spec.stages[1].quota.as_mut().expect("a quota").hard.remove("pods");
    let agreed = world.agreed();
    let sandbox = &agreed.stages[&Stage::Sandbox];
    assert_eq!(sandbox.duration, SignedDuration::from_hours(336), "the contract's");
    assert_eq!(sandbox.credential_ttl, SignedDuration::from_hours(4), "the boundary's");
    assert_eq!(sandbox.policy.security.credential_ttl, Some("4h".into()), "and it is written down");
    assert_eq!(sandbox.policy.time.retention.inputs, Some("720h".into()), "the dataset's");
    assert_eq!(sandbox.policy.quota.hard["requests.memory"].0, "16Gi", "the boundary's");
    assert_eq!(agreed.stages[&Stage::Rehearsal].policy.quota.hard["pods"].0, "20", "never unlimited");
}

#[test]
fn pods_are_held_to_the_stronger_standard() {
    let mut world = World::story();
    world.boundary().spec.ceilings.pod_security = PodSecurity::Baseline;
    world.contract.spec.security.pod_security = PodSecurity::Restricted;
    let policy = world.agreed().stages.remove(&Stage::Sandbox).expect("open").policy;
    assert_eq!(policy.security.pod_security, PodSecurity::Restricted);
}

#[test]
fn a_grant_gets_the_operations_that_it_asks_for_and_no_others() {
    let mut world = World::story();
    let mut embed = world.contract.spec.operations[0].clone();
    embed.name = crate::api::contract::OperationName::Embed;
    world.contract.spec.operations.push(embed);
    let policy = world.agreed().stages.remove(&Stage::Sandbox).expect("open").policy;
    assert_eq!(policy.operations, world.contract.spec.operations[..1]);
}
