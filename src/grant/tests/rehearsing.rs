//! What is tried before production, one sentence a test.

use super::change::{TWO, agreed_to, long, more, open};
use super::deciding::{ONE, about, asked};
use super::seen::{condition, events, open_stages, says, told};
use super::world::{World, agreement};
use crate::api::condition::Reason;
use crate::api::contract::RehearsalRequirement;
use crate::api::decision::DecisionAction;
use crate::api::record::{GrantRecordSpec, RecordEvent};
use crate::api::{Stage, name};
use crate::testing::rehearsed::Observed;

/// A grant that is to go to production, and a rehearsal whose cases all come out so.
fn rehearsed(observed: Observed) -> World {
    let mut world = World::new(Stage::Production);
    world.rehearsal = observed;
    world.settle();
    world.forward(10);
    world.settle();
    world
}

fn failing() -> Observed {
    Observed::Refused("it went wrong".to_owned())
}

fn is_let_in(world: &World) -> bool {
    world.live.keys().any(|key| key.name == name::REHEARSER_BINDING)
}

#[test]
fn it_is_let_in_only_while_it_has_something_to_try() {
    let mut world = World::new(Stage::Production);
    let mut seen = Vec::new();
    for _ in 0..200 {
        let more = world.step();
        seen.push((is_let_in(&world), world.records.len()));
        if !more && !world.others_act() {
            break;
        }
    }
    let first = seen.iter().position(|(let_in, _)| *let_in).expect("it is let in");
    assert!(seen[first..].iter().any(|(let_in, _)| !let_in), "and out again");
    assert!(!is_let_in(&world));
    let opened = world.records.iter().position(|one| one.stage == Some(Stage::Rehearsal)).unwrap();
    assert!(seen[first].1 > opened, "after its end was recorded");
    assert_eq!(condition(&world, "Rehearsed"), says("True", Reason::Rehearsed));
}

#[test]
fn what_failed_keeps_production_closed_and_names_what_failed() {
    let mut world = rehearsed(failing());
    assert_eq!(open_stages(&world), [Stage::Rehearsal]);
    assert_eq!(condition(&world, "Rehearsed"), says("False", Reason::RehearsalFailed));
    assert_eq!(condition(&world, "Ready"), says("True", Reason::RehearsalFailed), "it waits for people");
    assert!(told(&world, "Rehearsed").message.contains("1 failed: pod-conforms"));
    world.rehearsal = Observed::Allowed;
    world.forward(10);
    world.settle();
    assert_eq!(open_stages(&world), [Stage::Rehearsal], "nobody asked for another one");
    assert!(!events(&world).contains(&(RecordEvent::Opened, Some(Stage::Production))));
}

#[test]
fn what_is_missing_is_told_whole_and_whose_word_comes_after_it() {
    let mut world = asked();
    let again = |world: &mut World| {
        world.rehearsal = failing();
        for suspend in [true, false] {
            world.grant.spec.suspend = suspend;
            world.settle();
        }
        told(world, "Ready").message
    };
    let message = again(&mut world);
    let rest = "; then it waits for 2 more people";
    for part in
        ["1 failed: pod-conforms", "; Production waits until Rehearsal has been open for its soak", rest]
    {
        assert!(message.contains(part), "{message}");
    }
    let mut world = asked();
    let denial = about(&world, DecisionAction::Deny, "olga", Stage::Production, ONE);
    world.decided(denial);
    let message = again(&mut world);
    assert!(message.contains("; Production was refused, for good") && !message.contains(rest), "{message}");
}

#[test]
fn what_nothing_can_execute_keeps_it_closed_where_the_contract_asks_for_all() {
    let untried = || Observed::Untried("nothing runs here".to_owned());
    let world = rehearsed(untried());
    assert_eq!(condition(&world, "Rehearsed"), says("False", Reason::RehearsalFailed), "nothing was tried");
    let mut strict = agreement("v1:sha256:one");
    strict.rehearsal = RehearsalRequirement::All;
    let mut world = World::new(Stage::Production);
    world.agreement = Ok(strict);
    world.settle();
    world.forward(10);
    world.settle();
    assert_eq!(open_stages(&world), [Stage::Production], "where all is tried, all is well");
}

#[test]
fn what_stands_later_is_rehearsed_again() {
    let mut world = open(Stage::Production);
    world.rehearsal = failing();
    world.agreement = Ok(long(TWO, more));
    world.settle();
    agreed_to(&mut world, Stage::Rehearsal, TWO, "olga");
    world.forward(10);
    world.settle();
    assert_eq!(open_stages(&world), [Stage::Rehearsal, Stage::Production], "what was agreed to stays");
    assert_eq!(condition(&world, "Rehearsed"), says("False", Reason::RehearsalFailed));
    let is_production =
        |one: &&GrantRecordSpec| one.event == RecordEvent::Opened && one.stage == Some(Stage::Production);
    assert_eq!(world.records.iter().filter(is_production).count(), 1);
}

#[test]
fn a_contract_without_rehearsal_never_comes_to_production() {
    let mut none = agreement("v1:sha256:one");
    none.stages.remove(&Stage::Rehearsal);
    let mut world = World::new(Stage::Production);
    world.agreement = Ok(none);
    world.settle();
    world.forward(10);
    world.settle();
    assert_eq!(open_stages(&world), [Stage::Sandbox]);
    assert!(told(&world, "Ready").message.contains("offers no Rehearsal"), "{:?}", told(&world, "Ready"));
}
