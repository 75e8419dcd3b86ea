//! Authorities that the platform brings.

use jiff::SignedDuration;

use super::world::{LIFETIME, TTL, World, id, made};
use super::*;
use crate::pki::testing::at_once;
use crate::pki::{Anchor, Authority, Lifetime, SpiffeId};

/// One that the platform made, which calls it as it likes.
fn platforms(now: jiff::Timestamp) -> Anchor {
    of(&id(), now, LIFETIME)
}

fn of(id: &SpiffeId, now: jiff::Timestamp, lives: SignedDuration) -> Anchor {
    let life = Lifetime::read(now, now + lives).unwrap();
    at_once(Authority::create(id, "Retail Bank issuing CA 7", life)).unwrap().anchor().clone()
}

/// Authorities of which the second one was brought, and signs.
fn brought() -> (World, Anchor) {
    let mut world = World::new();
    let anchor = platforms(world.now);
    world.bring(Slot::Second, Ok(anchor.clone()));
    world.settle();
    assert_eq!(world.phases(), [(1, Phase::Active), (2, Phase::Prepared)], "at once, and signs nothing yet");
    world.wait(TTL + SignedDuration::from_mins(6));
    assert_eq!(world.answer(Action::Activate { now: false }).0, ledger::Outcome::Done);
    assert_eq!(world.phases(), [(1, Phase::Retiring), (2, Phase::Active)]);
    assert!(world.sign());
    (world, anchor)
}

#[test]
fn what_is_brought_is_the_next_one_and_from_then_on_none_is_made() {
    let (mut world, anchor) = brought();
    assert_eq!(world.keys.first, Key::Absent, "the key that was made is destroyed");
    let active = world.ledger.active().unwrap().clone();
    assert!(active.maker == Maker::Platform && active.certificate == anchor);
    world.now = rotation::prepare_at(active.certificate.lifetime());
    world.settle();
    assert!(world.ledger.prepared().is_none(), "{:?}", world.phases());
    assert!(outlook(&world.ledger, world.now).iter().any(|next| next.what.contains("has to be brought")));
    let (outcome, message) = world.answer(Action::Prepare);
    let first = opening().chest().secret(Slot::First);
    assert!(outcome == ledger::Outcome::Refused && message.contains(&first), "{message}");
    world.bring(Slot::First, Ok(platforms(world.now)));
    world.settle();
    assert_eq!(world.ledger.prepared().map(|next| next.number), Some(3));
    world.now = rotation::take_over_at(active.certificate.lifetime()) + TTL;
    world.settle();
    assert_eq!(world.ledger.active().map(|active| active.number), Some(3));
    assert_eq!(world.keys.second, Key::Absent, "what is over is destroyed, whoever brought it");
}

#[test]
fn where_none_is_brought_in_time_nothing_signs_and_it_says_what_to_do() {
    let (mut world, anchor) = brought();
    world.now = anchor.lifetime().not_after();
    world.settle();
    assert!(!world.sign());
    let chest = opening().chest();
    let told = world.look(|look| signs(look, &chest, world.now).cloned().unwrap_err()).to_string();
    assert!(told.contains(&format!("bring one in Secret {}", chest.secret(Slot::First))), "{told}");
    let (mut world, _) = brought();
    world.answer(Action::Taint { number: None });
    world.settle();
    assert!(!world.sign() && world.ledger.prepared().is_none() && !world.ledger.hurry);
}

#[test]
fn what_is_not_what_an_authority_has_to_be_is_not_taken_and_stays_where_it_is() {
    let now = now();
    let elsewhere = SpiffeId::of_trust_domain("elsewhere.example").unwrap();
    let anothers = platforms(now);
    for (held, words) in [
        (Err(PkiError::KeyOfAnother), "not the one of the certificate"),
        (Ok(of(&elsewhere, now, LIFETIME)), "speaks for spiffe://elsewhere.example"),
        (Ok(of(&id(), now, TTL * 5)), "less than six times"),
        (Ok(of(&id(), now - LIFETIME, LIFETIME)), "not now"),
        (Ok(of(&id(), now + LIFETIME, LIFETIME)), "not now"),
        (Ok(anothers.clone()), "another contract or stage"),
    ] {
        let mut world = World::new();
        world.is_anothers(&anothers);
        world.bring(Slot::Second, held);
        let key = world.keys.second.clone();
        world.settle();
        assert!(world.sign(), "{words}: it takes nothing from the one that signs");
        let (outcome, message) = world.answer(Action::Prepare);
        assert!(outcome == ledger::Outcome::Refused && message.contains(words), "{message}");
        assert_eq!(world.phases(), [(1, Phase::Active)]);
        assert_eq!(world.keys.second, key, "what the platform put there isn't destroyed");
    }
}

#[test]
fn a_key_that_is_swapped_signs_nothing_and_is_no_next_one() {
    let (mut world, anchor) = brought();
    world.bring(Slot::Second, Ok(platforms(world.now)));
    world.settle();
    assert!(!world.sign());
    let chest = opening().chest();
    let refusal = world.look(|look| signs(look, &chest, world.now).cloned().unwrap_err());
    assert_eq!(refusal.word(), "AuthorityReplaced");
    assert!(world.ledger.prepared().is_none());
    world.bring(Slot::Second, Err(PkiError::KeyOfAnother));
    world.settle();
    assert!(!world.sign());
    world.bring(Slot::Second, Ok(anchor));
    world.settle();
    assert!(world.sign(), "put back, it signs");
}

#[test]
fn a_key_is_brought_once_and_what_was_given_up_never_comes_back() {
    let (mut world, anchor) = brought();
    world.bring(Slot::First, Ok(anchor.clone()));
    let (outcome, message) = world.answer(Action::Prepare);
    assert!(outcome == ledger::Outcome::Refused && message.contains("put it into Secret"), "{message}");
    world.answer(Action::Taint { number: None });
    world.answer(Action::Retire { number: 2, now: true });
    world.settle();
    assert_eq!((world.keys.first.clone(), world.keys.second.clone()), (Key::Absent, Key::Absent));
    world.bring(Slot::First, Ok(anchor));
    let (outcome, message) = world.answer(Action::Prepare);
    assert!(outcome == ledger::Outcome::Refused && message.contains("used as authority 2"), "{message}");
    world.wait(LIFETIME);
    world.settle();
    assert!(!world.sign());
}

#[test]
fn whoever_dies_after_saying_whose_a_key_is_goes_on_there() {
    let mut world = World::new();
    world.bring(Slot::Second, Ok(made(99, world.now)));
    assert!(!world.steps(1), "it is said whose it is");
    assert_eq!(world.phases(), [(1, Phase::Active)]);
    world.settle();
    assert_eq!(world.phases(), [(1, Phase::Active), (2, Phase::Prepared)]);
}
