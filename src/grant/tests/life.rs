//! The life of a grant, one sentence a test.

use super::seen::{condition, events, open_stages, other, problem, says, told};
use super::world::{World, agreement, at};
use crate::api::condition::Reason;
use crate::api::record::{RecordEvent, RecordReason};
use crate::api::{Stage, name};
use crate::grant::decide::Step;
use crate::plan::objects::{Key, Kind, Live};

#[test]
fn the_end_is_recorded_before_the_first_object() {
    let mut world = World::new(Stage::Sandbox);
    while world.live.is_empty() {
        assert!(world.step());
    }
    assert_eq!(world.records.last().map(|record| record.event), Some(RecordEvent::Opened));
}

#[test]
fn the_binding_comes_last_of_all() {
    let mut world = World::new(Stage::Sandbox);
    while world.bindings() == 0 {
        let before = world.clone();
        world.step();
        world.others_act();
        if world.bindings() > 0 {
            let gate = Key {
                kind: Kind::Namespace,
                namespace: before.namespaces()[0].clone(),
                name: before.namespaces()[0].clone(),
            };
            assert_eq!(before.live[&gate].label(name::LABEL_PODS).as_deref(), Some(name::PODS_OPEN));
            assert!(before.live.keys().any(|key| key.name == name::DEFAULT_DENY));
        }
    }
}

#[test]
fn pods_are_not_allowed_before_the_quota_is_in_force() {
    let mut world = World::new(Stage::Sandbox);
    while world.step() {}
    assert_eq!(world.decide().waiting.map(|waiting| waiting.reason), Some(Reason::CertificatePending));
    assert!(world.bindings() == 0);
}

#[test]
fn a_partner_walks_from_sandbox_to_production_and_ends() {
    let mut world = World::new(Stage::Production);
    world.settle();
    assert_eq!(open_stages(&world), [Stage::Rehearsal], "Sandbox needs no soak, Rehearsal does");
    assert_eq!(condition(&world, "Ready"), says("True", Reason::WaitingForTime));
    world.forward(10);
    world.settle();
    assert_eq!(open_stages(&world), [Stage::Production]);
    assert_eq!(condition(&world, "Active"), says("True", Reason::Open));
    world.forward(100);
    world.settle();
    assert_eq!(open_stages(&world), []);
    assert!(!world.any_access() && world.namespaces().is_empty() && !world.finalized);
    assert_eq!(condition(&world, "Active"), says("False", Reason::Expired));
    assert_eq!(condition(&world, "Ready"), says("True", Reason::Ended));
    assert_eq!(events(&world).last(), Some(&(RecordEvent::Ended, None)));
}

#[test]
fn a_stage_that_gave_way_does_not_come_back_when_the_later_one_ends() {
    let mut long = agreement("v1:sha256:one");
    for stage in [Stage::Sandbox, Stage::Rehearsal] {
        long.stages.get_mut(&stage).expect("is offered").duration = jiff::SignedDuration::from_secs(5000);
    }
    let mut world = World::new(Stage::Production);
    world.agreement = Ok(long);
    world.settle();
    world.forward(10);
    world.settle();
    assert_eq!(open_stages(&world), [Stage::Production]);
    let mut lowered = world.clone();
    world.forward(100);
    world.settle();
    assert!(!world.any_access() && world.namespaces().is_empty());
    assert_eq!(condition(&world, "Ready"), says("True", Reason::Ended));
    lowered.grant.spec.stage = Stage::Rehearsal;
    lowered.settle();
    assert_eq!(open_stages(&lowered), [Stage::Rehearsal], "who lowers the stage asks for the one below");
}

#[test]
fn lowering_the_stage_closes_what_is_above_and_raising_it_opens_within_the_recorded_end() {
    let mut world = World::new(Stage::Rehearsal);
    world.settle();
    let end = world.journal().openings[1].end;
    world.grant.spec.stage = Stage::Sandbox;
    world.settle();
    assert_eq!(open_stages(&world), [Stage::Sandbox]);
    world.forward(50);
    world.grant.spec.stage = Stage::Rehearsal;
    world.settle();
    assert_eq!(open_stages(&world), [Stage::Rehearsal]);
    assert_eq!(world.journal().openings[1].end, end);
    world.forward(50);
    world.settle();
    assert!(!world.any_access());
}

#[test]
fn what_has_ended_stays_ended_whatever_the_spec_says_then() {
    let mut world = World::new(Stage::Sandbox);
    world.settle();
    world.forward(100);
    world.settle();
    let records = world.records.len();
    world.settle();
    world.grant.spec.stage = Stage::Production;
    world.grant.metadata.generation = Some(2);
    world.settle();
    assert_eq!(world.records.len(), records);
    assert!(world.live.is_empty());
    assert_eq!(condition(&world, "Accepted"), says("False", Reason::Ended));
    assert_eq!(condition(&world, "Stalled"), says("True", Reason::Ended));
}

#[test]
fn suspending_closes_access_and_keeps_the_namespace_and_the_end() {
    let mut world = World::new(Stage::Sandbox);
    world.settle();
    let (end, namespaces) = (world.journal().openings[0].end, world.namespaces());
    world.grant.spec.suspend = true;
    world.settle();
    assert!(!world.any_access());
    assert_eq!(world.namespaces(), namespaces);
    assert_eq!(condition(&world, "Ready"), says("True", Reason::Suspended));
    let until = format!("issued before end by themselves, at most 30s after access was closed, and by {end}");
    assert!(told(&world, "Active").message.ends_with(&until), "{:?}", told(&world, "Active"));
    world.grant.spec.suspend = false;
    world.forward(60);
    world.settle();
    assert_eq!(open_stages(&world), [Stage::Sandbox]);
    assert_eq!(world.journal().openings[0].end, end);
}

#[test]
fn a_contract_that_leaves_nothing_closes_access_and_putting_it_back_resumes_within_the_end() {
    let mut world = World::new(Stage::Sandbox);
    world.settle();
    world.agreement = Ok(other());
    world.settle();
    assert!(!world.any_access());
    assert_eq!(condition(&world, "Stalled"), says("True", Reason::PolicyChanged));
    world.agreement = Ok(agreement("v1:sha256:one"));
    world.forward(99);
    world.settle();
    assert_eq!(open_stages(&world), [Stage::Sandbox]);
    world.forward(1);
    world.settle();
    assert!(!world.any_access());
}

#[test]
fn what_is_no_longer_accepted_closes_and_says_that_it_can_heal() {
    let mut world = World::new(Stage::Sandbox);
    world.settle();
    world.agreement = Err(vec![problem()]);
    world.settle();
    assert!(!world.any_access());
    assert_eq!(condition(&world, "Accepted"), says("False", Reason::UnknownPartner));
    assert_eq!(condition(&world, "Reconciling"), says("True", Reason::UnknownPartner));
    assert_eq!(condition(&world, "Stalled").0, "False");
}

#[test]
fn of_a_grant_that_was_never_accepted_nothing_is_written_and_nothing_keeps_it() {
    let mut world = World::new(Stage::Sandbox);
    world.agreement = Err(vec![problem()]);
    world.settle();
    assert!(world.records.is_empty() && !world.finalized);
    assert_eq!(condition(&world, "Accepted"), says("False", Reason::UnknownPartner));
    assert_eq!(condition(&world, "Ready"), says("False", Reason::UnknownPartner));
    let mut deleted = world.clone();
    deleted.grant.metadata.deletion_timestamp =
        Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(at(1)));
    deleted.settle();
    assert!(deleted.records.is_empty());
    world.agreement = Ok(agreement("v1:sha256:one"));
    assert!(world.step() && !world.finalized);
    assert_eq!(events(&world), [(RecordEvent::Requested, None)], "the record comes first");
    world.agreement = Err(vec![problem()]);
    world.settle();
    assert!(world.finalized && world.records.len() == 1, "what has a journal is kept until it ends");
    assert_eq!(condition(&world, "Accepted"), says("False", Reason::UnknownPartner));
}

#[test]
fn deleting_closes_and_clears_everything_before_the_object_goes() {
    let mut world = World::new(Stage::Sandbox);
    world.settle();
    world.grant.metadata.deletion_timestamp =
        Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(at(1)));
    world.settle();
    assert!(world.gone && world.live.is_empty());
    assert_eq!(world.records.last().and_then(|record| record.reason), Some(RecordReason::Deleted));
}

#[test]
fn closing_never_waits_for_a_record_that_cant_be_written() {
    let mut world = World::new(Stage::Sandbox);
    world.settle();
    world.unwritable = true;
    world.records.clear();
    world.grant.metadata.deletion_timestamp =
        Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(at(1)));
    world.settle();
    assert!(world.gone && world.live.is_empty());
}

#[test]
fn a_grant_that_is_over_keeps_its_finalizer_until_its_end_is_written() {
    let mut world = World::new(Stage::Sandbox);
    world.settle();
    world.unwritable = true;
    world.forward(100);
    world.settle();
    assert!(!world.any_access() && world.namespaces().is_empty() && world.finalized);
    world.unwritable = false;
    world.settle();
    assert!(!world.finalized);
    assert_eq!(events(&world).last(), Some(&(RecordEvent::Ended, None)));
}

#[test]
fn a_namespace_of_somebody_else_is_never_taken_over() {
    let mut world = World::new(Stage::Sandbox);
    while !matches!(world.decide().step, Some(Step::CreateNamespace(_))) {
        world.step();
    }
    let namespace = world.journal().openings[0].namespace.clone();
    let key = Key { kind: Kind::Namespace, namespace: namespace.clone(), name: namespace.clone() };
    let theirs =
        serde_json::json!({"metadata": {"name": namespace, "uid": "theirs", "labels": {"team": "other"}}});
    world.live.insert(key.clone(), Live::from_value(theirs));
    let before = world.live.clone();
    while world.step() {}
    assert_eq!(world.live, before);
    assert_eq!(condition(&world, "Stalled"), says("True", Reason::NamespaceConflict));
    world.forward(100);
    while world.step() {}
    assert_eq!(world.live[&key].uid, "theirs", "nor is it deleted at the end");
}

#[test]
fn nothing_opens_before_the_contract_begins() {
    let mut world = World::new(Stage::Sandbox);
    let mut later = agreement("v1:sha256:one");
    later.not_before = Some(at(50));
    world.agreement = Ok(later);
    world.settle();
    assert!(world.live.is_empty());
    assert_eq!(condition(&world, "Ready"), says("True", Reason::NotYet));
    assert!(world.decide().look_again.contains(&at(50)));
    world.forward(50);
    world.settle();
    assert_eq!(open_stages(&world), [Stage::Sandbox]);
}

#[test]
fn the_soak_is_time_without_interruption() {
    let mut world = World::new(Stage::Production);
    world.settle();
    world.forward(9);
    world.grant.spec.suspend = true;
    world.settle();
    world.forward(30);
    world.grant.spec.suspend = false;
    world.settle();
    assert_eq!(open_stages(&world), [Stage::Rehearsal], "nine seconds were open, and thirty were not");
    world.grant.spec.stage = Stage::Sandbox;
    world.settle();
    world.forward(30);
    world.grant.spec.stage = Stage::Production;
    world.settle();
    assert_eq!(open_stages(&world), [Stage::Rehearsal], "nor does it count while it is closed");
    assert!(world.decide().look_again.contains(&at(79)), "{:?}", world.decide());
    world.forward(10);
    world.settle();
    assert_eq!(open_stages(&world), [Stage::Production]);
}

#[test]
fn a_soak_that_cant_be_over_in_time_is_never_over_and_says_so() {
    for soak in [jiff::SignedDuration::from_secs(40), jiff::SignedDuration::MAX] {
        let mut long = agreement("v1:sha256:one");
        long.stages.get_mut(&Stage::Rehearsal).expect("is offered").soak = soak;
        let mut world = World::new(Stage::Production);
        world.agreement = Ok(long);
        world.settle();
        world.forward(61);
        world.grant.spec.suspend = true;
        world.settle();
        world.grant.spec.suspend = false;
        world.settle();
        assert_eq!(open_stages(&world), [Stage::Rehearsal]);
        let ready = told(&world, "Ready");
        assert_eq!((ready.status.as_str(), ready.reason.as_str()), ("True", "WaitingForTime"));
        assert!(ready.message.contains("before its soak is over; make a new grant"), "{}", ready.message);
        world.forward(38);
        world.settle();
        assert_eq!(open_stages(&world), [Stage::Rehearsal]);
        world.forward(1);
        world.settle();
        assert_eq!(condition(&world, "Ready"), says("True", Reason::Ended));
    }
}

/// Closes it in one way and another, and undoes that at once, so many times.
fn toggle(world: &mut World, times: usize) {
    for time in 0..times {
        if time.is_multiple_of(2) {
            world.grant.spec.suspend = true;
        } else {
            world.agreement = Ok(other());
        }
        world.settle();
        assert!(!world.any_access(), "closing is never delayed");
        world.grant.spec.suspend = false;
        world.agreement = Ok(agreement("v1:sha256:one"));
        world.settle();
    }
}

#[test]
fn whoever_turns_a_grant_off_and_on_in_a_loop_waits_and_closing_never_does() {
    let mut world = World::new(Stage::Sandbox);
    world.settle();
    toggle(&mut world, 8);
    assert_eq!(open_stages(&world), [Stage::Sandbox], "the first eight are opened again at once");
    toggle(&mut world, 100);
    // One more closing, that nothing is left of it, and that somebody is asked for what stands instead.
    assert_eq!(world.records.len(), 2 + 8 * 2 + 3, "it waits");
    let ready = told(&world, "Ready");
    assert_eq!((ready.status.as_str(), ready.reason.as_str()), ("True", "Interrupted"));
    assert!(ready.message.contains(&format!("opened again at {}", at(1))), "{}", ready.message);
    assert!(world.decide().look_again.contains(&at(1)), "it is looked at again at that moment");
    world.forward(1);
    world.settle();
    assert_eq!(open_stages(&world), [Stage::Sandbox]);
    toggle(&mut world, 1);
    world.forward(1);
    world.settle();
    assert!(!world.any_access(), "each time twice as long");
    world.forward(1);
    world.settle();
    assert_eq!(open_stages(&world), [Stage::Sandbox]);
    toggle(&mut world, 1);
    world.forward(100);
    world.settle();
    assert_eq!(condition(&world, "Ready"), says("True", Reason::Ended), "and the end stands");
}
