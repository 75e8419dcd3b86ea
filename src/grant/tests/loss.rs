//! What is lost: a whole journal, and then nothing opens, whatever else is left; or, for a moment, what a grant
//! stands on.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::change::{THREE, TWO, destinations, long, more, open, open_stages};
use super::seen::{condition, problem};
use super::world::{World, at};
use crate::api::Stage;
use crate::api::condition::Reason;
use crate::grant::status::status;

/// Settles, and tells how it stands in its status, as the conductor does.
fn settle(world: &mut World) {
    world.settle();
    let (scene, names) = (world.scene(), world.names());
    let told = status(&scene.view(&names), &world.decide(), &[], Some(1), Vec::new());
    world.grant.status = Some(told);
}

fn reason(world: &World, kind: &str) -> (String, String, String) {
    let told = world.grant.status.clone().expect("it was told");
    let found = told.conditions.into_iter().find(|condition| condition.type_ == kind).expect("is told");
    (found.status, found.reason, found.message)
}

/// Nothing is open, and it says why and what to do, however often it is looked at.
#[track_caller]
fn holds(world: &mut World) {
    for _ in 0..3 {
        settle(world);
        assert!(!world.any_access() && world.records.is_empty(), "{:?}", world.records);
        let (stalled, why, message) = reason(world, "Stalled");
        assert_eq!((stalled.as_str(), why), ("True", Reason::JournalBroken.to_string()));
        assert!(
            message.contains("every record of it is gone") && message.contains("make a new one"),
            "{message}"
        );
    }
}

#[test]
fn a_grant_that_lost_its_journal_is_closed_and_not_begun_anew() {
    let mut world = World::new(Stage::Sandbox);
    settle(&mut world);
    let namespaces = world.namespaces();
    world.records.clear();
    holds(&mut world);
    assert_eq!(world.namespaces(), namespaces, "what is there may be looked at");
    // Nor where the finalizer, or the status, is gone too.
    world.finalized = false;
    holds(&mut world);
    world.grant.status = None;
    holds(&mut world);
    world.grant.metadata.deletion_timestamp = Some(Time(at(1)));
    world.settle();
    assert!(world.live.is_empty() && world.records.is_empty() && !world.finalized);
}

#[test]
fn records_that_are_put_back_open_it_again_within_its_end() {
    let mut world = World::new(Stage::Sandbox);
    settle(&mut world);
    let (records, end) = (world.records.clone(), world.journal().openings[0].end);
    world.records.clear();
    holds(&mut world);
    world.records = records;
    settle(&mut world);
    assert_eq!(reason(&world, "Active").0, "True");
    assert_eq!(world.journal().openings[0].end, end);
}

#[test]
fn a_grant_that_has_ended_and_then_lost_its_journal_stays_ended() {
    let mut world = World::new(Stage::Sandbox);
    settle(&mut world);
    world.forward(100);
    settle(&mut world);
    assert!(!world.finalized && world.namespaces().is_empty());
    assert_eq!(reason(&world, "Ready").1, Reason::Ended.to_string());
    world.records.clear();
    holds(&mut world);
}

#[test]
fn a_grant_that_was_only_asked_for_has_nothing_to_lose() {
    let mut world = World::new(Stage::Sandbox);
    assert!(world.step() && !world.finalized);
    world.records.clear();
    settle(&mut world);
    assert_eq!(reason(&world, "Active").0, "True");
}

#[test]
fn what_is_gone_for_a_moment_while_more_is_asked_for_takes_nobodys_word_anew() {
    let mut world = open(Stage::Production);
    world.agreement = Ok(long(TWO, more));
    world.settle();
    assert_eq!(condition(&world, "Approved").1, Reason::ConsentPending.to_string());
    world.agreement = Err(vec![problem()]);
    world.settle();
    assert!(!world.any_access());
    let mut other = world.clone();
    world.agreement = Ok(long(TWO, more));
    world.settle();
    assert_eq!(open_stages(&world), [Stage::Production]);
    assert_eq!(destinations(&world), ["192.0.2.0/28"], "and no more than was agreed to");
    other.agreement = Ok(long(THREE, more));
    other.settle();
    assert!(!other.any_access(), "that never stood");
}

#[test]
fn what_changed_nothing_is_remembered_while_it_is_gone() {
    for (remembered, resumes) in [(Some(TWO), true), (None, false)] {
        let mut world = open(Stage::Production);
        world.agreement = Ok(long(TWO, |_| ()));
        let before = world.records.len();
        world.settle();
        assert_eq!((world.records.len(), open_stages(&world)), (before, vec![Stage::Production]));
        world.aside.stood = remembered.map(str::to_owned);
        world.agreement = Err(vec![problem()]);
        world.settle();
        world.agreement = Ok(long(TWO, |_| ()));
        world.settle();
        assert_eq!(world.any_access(), resumes);
    }
}
