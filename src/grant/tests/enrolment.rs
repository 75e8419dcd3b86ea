//! Who may enrol by a decision, and that it opens nothing and writes nothing.

use jiff::SignedDuration;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::deciding::{ONE, about};
use super::world::{World, agreement};
use crate::api::condition::Reason;
use crate::api::contract::KeyDelivery;
use crate::api::decision::{DecisionAction, Enrolment};
use crate::api::{GrantDecision, Stage};
use crate::grant::hear::Unheard;
use crate::grant::hear::enrol::Allowed;

/// A grant whose sandbox is open, under a contract that lets keys be delivered in this way.
fn opened(way: KeyDelivery) -> World {
    let mut world = World::new(Stage::Sandbox);
    let mut agreed = agreement(ONE);
    for terms in agreed.stages.values_mut() {
        terms.policy.security.key_delivery = vec![way];
    }
    world.agreement = Ok(agreed);
    world.settle();
    world
}

fn enrol(world: &World, workload: &str, digest: &str) -> GrantDecision {
    let mut decision = about(world, DecisionAction::Enrol, "ada", Stage::Sandbox, digest);
    decision.spec.enrolment = Some(Enrolment {
        workload: workload.into(),
        token_digest: format!("sha256:{}", "0".repeat(64)).as_str().into(),
        expires_at: Time(world.now + SignedDuration::from_hours(1)),
    });
    decision
}

fn heard(world: &World, decision: &GrantDecision) -> Result<Allowed, Unheard> {
    world.scene().hearing().expect("the journal holds").enrolment(decision)
}

fn refused(world: &World, decision: &GrantDecision) -> Reason {
    heard(world, decision).expect_err("nobody may enrol").reason
}

#[test]
fn a_workload_of_what_is_open_may_enrol_until_the_token_ends() {
    let world = opened(KeyDelivery::CertificateSigningRequest);
    let decision = enrol(&world, "scorer", ONE);
    let until = world.now + SignedDuration::from_hours(1);
    assert_eq!(heard(&world, &decision), Ok(Allowed { workload: "scorer".to_owned(), until }));
    let mut long = decision.clone();
    long.spec.enrolment.as_mut().unwrap().expires_at = Time(world.now + SignedDuration::from_hours(9000));
    let latest = world.now + Enrolment::LONGEST;
    assert_eq!(heard(&world, &long).map(|allowed| allowed.until), Ok(latest), "whatever it says");
    assert_eq!(refused(&world, &enrol(&world, "miner", ONE)), Reason::NothingToDecide);
    assert_eq!(refused(&world, &enrol(&world, "scorer", "v1:sha256:two")), Reason::NothingToDecide);
    let mut unstamped = decision.clone();
    unstamped.metadata.annotations = None;
    assert_eq!(refused(&world, &unstamped), Reason::Invalid);
    let mut later = decision;
    later.spec.stage = Some(Stage::Production);
    assert_eq!(refused(&world, &later), Reason::NothingToDecide);
}

#[test]
fn nobody_enrols_where_the_contract_names_another_way_alone() {
    let world = opened(KeyDelivery::Secret);
    assert_eq!(refused(&world, &enrol(&world, "scorer", ONE)), Reason::BeyondContract);
}

#[test]
fn it_is_no_line_of_the_journal() {
    let mut world = opened(KeyDelivery::CertificateSigningRequest);
    let lines = world.records.len();
    let decision = enrol(&world, "scorer", ONE);
    world.decided(decision);
    assert_eq!(world.records.len(), lines);
    world.forward(100_000);
    world.settle();
    assert_eq!(refused(&world, &enrol(&world, "scorer", ONE)), Reason::NothingToDecide, "it is over");
}
