//! What was decided while nobody was there to hear it: whoever closed last has closed.

use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::consent::reviewed;
use super::deciding::{ONE, about, decision, unheard};
use super::world::{World, at};
use crate::api::condition::Reason;
use crate::api::decision::DecisionAction;
use crate::api::{GrantDecision, Stage};

/// A grant whose sandbox is open, until second 100.
fn sandbox() -> World {
    let mut world = World::new(Stage::Sandbox);
    world.settle();
    world
}

/// Somebody decides, and Comity isn't there.
fn unnoticed(world: &mut World, decision: GrantDecision) {
    world.decisions.push(Arc::new(decision));
    world.forward(10);
}

#[test]
fn a_release_does_not_undo_a_quarantine_that_came_after_it() {
    let mut world = sandbox();
    let first = decision(&world, DecisionAction::Quarantine, "olga");
    world.decided(first);
    world.forward(10);
    let release = decision(&world, DecisionAction::Release, "per");
    unnoticed(&mut world, release.clone());
    let second = decision(&world, DecisionAction::Quarantine, "kim");
    unnoticed(&mut world, second);
    world.settle();
    assert!(!world.any_access(), "kim has closed it after per released it");
    assert_eq!(unheard(&world, &release), Reason::OutOfDate);
    let again = decision(&world, DecisionAction::Release, "per");
    world.decided(again);
    assert!(world.any_access());
}

#[test]
fn a_quarantine_that_came_before_a_release_does_not_stop_it() {
    let mut world = sandbox();
    for person in ["olga", "kim"] {
        let quarantine = decision(&world, DecisionAction::Quarantine, person);
        unnoticed(&mut world, quarantine);
    }
    world.settle();
    assert!(!world.any_access());
    world.forward(1);
    let release = decision(&world, DecisionAction::Release, "per");
    world.decided(release);
    assert!(world.any_access());
}

#[test]
fn who_agreed_to_a_later_end_does_not_undo_an_earlier_one_that_came_after_it() {
    let mut world = sandbox();
    let wish = |world: &World| {
        let mut wish = about(world, DecisionAction::Extend, "olga", Stage::Sandbox, ONE);
        wish.spec.on_behalf_of = Some("security".into());
        wish.spec.expires_at = Some(Time(at(150)));
        wish
    };
    let extend = wish(&world);
    unnoticed(&mut world, extend.clone());
    let mut shorten = decision(&world, DecisionAction::Shorten, "per");
    shorten.spec.stage = Some(Stage::Sandbox);
    shorten.spec.expires_at = Some(Time(at(60)));
    unnoticed(&mut world, shorten);
    world.settle();
    assert_eq!(world.journal().openings[0].end, at(60));
    assert_eq!(unheard(&world, &extend), Reason::OutOfDate);
    let again = wish(&world);
    world.decided(again);
    assert_eq!(world.journal().openings[0].end, at(150), "and may again");
}

#[test]
fn a_review_that_was_answered_in_time_ends_nothing_although_nobody_was_there_to_hear() {
    for (made, is_in_time) in [(35, true), (41, false)] {
        let mut world = reviewed();
        world.forward(made);
        let attest = decision(&world, DecisionAction::Attest, "olga");
        world.decisions.push(Arc::new(attest));
        world.forward(45 - made);
        world.settle();
        assert_eq!(world.any_access(), is_in_time, "answered at second {made}");
    }
}

#[test]
fn of_two_reviews_that_nobody_was_there_to_hear_each_was_answered() {
    for (second, is_in_time) in [(65, true), (71, false)] {
        let mut world = reviewed();
        for made in [35, second] {
            world.now = at(made);
            world.decisions.push(Arc::new(decision(&world, DecisionAction::Attest, "olga")));
        }
        world.now = at(95);
        world.settle();
        assert_eq!(world.any_access(), is_in_time, "answered at second {second}");
    }
}

#[test]
fn two_answers_to_one_late_review_dont_answer_the_next_one() {
    let mut world = reviewed();
    // It was due in second 30. Nobody is there to write down what two people say, until the next one is due.
    for made in [35, 36] {
        world.now = at(made);
        world.decisions.push(Arc::new(decision(&world, DecisionAction::Attest, "olga")));
    }
    world.now = at(62);
    world.settle();
    assert!(world.any_access());
    assert!(world.decide().look_again.contains(&at(76)), "said in second 36, it counts from then");
    world.now = at(76);
    world.settle();
    assert!(!world.any_access());
}

#[test]
fn what_was_said_first_counts_although_it_is_heard_last() {
    let mut world = reviewed();
    for (made, lapses) in [(39, 70), (32, 79)] {
        world.now = at(made);
        world.decisions.push(Arc::new(decision(&world, DecisionAction::Attest, "olga")));
        world.now = at(39);
        world.settle();
        assert!(world.decide().look_again.contains(&at(lapses)), "{made}");
    }
}

#[test]
fn who_answers_late_doesnt_put_off_the_next_review() {
    let mut world = reviewed();
    // It was due in second 30, so the next one is in second 60, and may take ten more. That one is answered
    // early, so the one after it is due thirty seconds later.
    for (answered, lapses) in [(39, 70), (50, 90)] {
        world.now = at(answered);
        let attest = decision(&world, DecisionAction::Attest, "olga");
        world.decided(attest);
        assert!(world.decide().look_again.contains(&at(lapses)), "{answered}");
    }
    world.now = at(89);
    world.settle();
    assert!(world.any_access());
    world.now = at(90);
    world.settle();
    assert!(!world.any_access());
}

#[test]
fn who_releases_in_the_second_of_the_quarantine_isnt_heard() {
    let mut world = World::new(Stage::Sandbox);
    world.settle();
    let quarantine = decision(&world, DecisionAction::Quarantine, "olga");
    world.decided(quarantine);
    let at_once = decision(&world, DecisionAction::Release, "per");
    assert_eq!(unheard(&world, &at_once), Reason::OutOfDate);
    world.decided(at_once);
    world.forward(60);
    world.settle();
    assert!(!world.any_access(), "nor later");
    let release = decision(&world, DecisionAction::Release, "per");
    world.decided(release);
    assert!(world.any_access());
    // One that comes in the second of the release closes again.
    let again = decision(&world, DecisionAction::Quarantine, "rosa");
    world.decided(again);
    assert!(!world.any_access());
}
