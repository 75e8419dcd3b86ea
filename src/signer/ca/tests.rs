//! The life of authorities, step by step: what holds in whatever order things happen, and the ordinary run.

mod brought;
mod world;

use jiff::SignedDuration;
use proptest::prelude::*;

use super::order::Found;
use super::outlook::outlook;
use super::*;
use crate::pki::{PkiError, Trust, rotation};
use crate::signer::custody::signs;
use crate::signer::testing::{now, opening};
use world::{LIFETIME, TTL, World, made};

/// Something that happens.
#[derive(Clone, Debug)]
enum Event {
    Wait(i64),
    Sign,
    Ask(Action),
    SpoilNext,
    LoseNext,
    Crash(usize),
    Bring(bool),
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let action = prop_oneof![
        Just(Action::Prepare),
        any::<bool>().prop_map(|now| Action::Activate { now }),
        proptest::option::of(1_u32..6).prop_map(|number| Action::Taint { number }),
        (1_u32..6, any::<bool>()).prop_map(|(number, now)| Action::Retire { number, now }),
    ];
    let event = prop_oneof![
        4 => (1_i64..400).prop_map(Event::Wait),
        4 => Just(Event::Sign),
        3 => action.prop_map(Event::Ask),
        1 => Just(Event::SpoilNext),
        1 => Just(Event::LoseNext),
        2 => (0_usize..4).prop_map(Event::Crash),
        1 => any::<bool>().prop_map(Event::Bring),
    ];
    proptest::collection::vec(event, 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever happens, and wherever a process dies: what lives is believed, one signs at most, and only one
    /// that was published for long enough.
    #[test]
    fn what_lives_is_believed_and_nothing_signs_that_was_not_published(events in events()) {
        let mut world = World::new();
        for event in events {
            match event {
                Event::Wait(minutes) => world.wait(SignedDuration::from_mins(minutes)),
                Event::Sign => {
                    world.settle();
                    world.sign();
                }
                Event::Ask(action) => world.ask(action),
                Event::SpoilNext => {
                    let slot = world.ledger.active().map_or(Slot::First, |active| active.slot.other());
                    world.spoil(slot, Key::Unusable(PkiError::NotAKey));
                }
                Event::LoseNext => {
                    let slot = world.ledger.active().map_or(Slot::First, |active| active.slot.other());
                    world.spoil(slot, Key::Absent);
                }
                Event::Bring(second) => {
                    let slot = if second { Slot::Second } else { Slot::First };
                    if *world.keys.of(slot) == Key::Absent {
                        world.bring(slot, Ok(made(99, world.now)));
                    }
                }
                Event::Crash(steps) => {
                    world.steps(steps);
                }
            }
            world.holds();
        }
        world.settle();
        let claimed = |slot| world.ledger.authorities.iter().any(|entry| entry.slot == slot && entry.phase.has_key());
        for slot in Slot::BOTH {
            let is_held = matches!(world.keys.of(slot), Key::Held(_));
            prop_assert!(!is_held || claimed(slot), "a key is kept that nothing needs");
        }
    }

}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3))]

    /// Without anybody's doing there is always one that signs, looked at only when it says so itself.
    #[test]
    fn left_alone_one_signs_at_every_moment(seconds in 1_i64..60) {
        let mut world = World::new();
        let end = world.now + LIFETIME * 4;
        while world.now < end {
            world.settle();
            prop_assert!(world.sign(), "nothing signs: {:?}", world.ledger);
            let next = world.look(|look| look.look_again(world.now)).unwrap();
            let told = outlook(&world.ledger, world.now);
            prop_assert!(told.iter().all(|told| told.at >= world.now));
            world.now = next.min(world.now + TTL) + SignedDuration::from_secs(seconds);
        }
        prop_assert!(world.ledger.last >= 5, "{:?}", world.phases());
        prop_assert!(world.ledger.authorities.len() <= 3);
    }
}

#[test]
fn the_ordinary_run() {
    let mut world = World::new();
    world.settle();
    let life = world.ledger.active().unwrap().certificate.lifetime();
    world.now = rotation::prepare_at(life) - SignedDuration::from_secs(1);
    world.settle();
    assert_eq!(world.phases(), [(1, Phase::Active)]);
    world.now = rotation::prepare_at(life);
    world.settle();
    assert_eq!(world.phases(), [(1, Phase::Active), (2, Phase::Prepared)]);
    let both = world.ledger.trust().pem().to_owned();
    assert_eq!(both.matches("BEGIN CERTIFICATE").count(), 2);
    world.now = rotation::take_over_at(life);
    world.sign();
    world.settle();
    assert_eq!(world.phases(), [(1, Phase::Retiring), (2, Phase::Active)]);
    assert_eq!(world.ledger.trust().pem(), both, "what verifiers are given stays as it is");
    assert_eq!(world.keys.first, Key::Absent, "and the old key is destroyed");
    let over = world.ledger.authorities[0].ends_in_others().unwrap();
    world.now = over - SignedDuration::from_millis(1);
    world.settle();
    assert_eq!(world.phases().len(), 2);
    world.now = over;
    world.settle();
    assert_eq!(world.phases(), [(2, Phase::Active)]);
}

#[test]
fn a_contract_that_ends_first_needs_no_other_one() {
    let mut world = World::new();
    world.ledger.need.until = now() + LIFETIME - TTL * 2;
    world.need = world.ledger.need;
    world.now = now() + LIFETIME - TTL;
    world.settle();
    assert_eq!(world.phases(), [(1, Phase::Active)]);
    // Prolonged, it does.
    world.need.until += LIFETIME;
    world.settle();
    assert_eq!(world.phases().len(), 2);
}

#[test]
fn a_next_one_that_can_not_sign_leaves_the_current_one_alone_until_somebody_replaces_it() {
    for broken in [Key::Unusable(PkiError::NotAKey), Key::Absent, Key::Held(made(9, now()))] {
        let mut world = World::new();
        assert_eq!(world.answer(Action::Prepare).0, ledger::Outcome::Done);
        assert_eq!(world.phases(), [(1, Phase::Active), (2, Phase::Prepared)]);
        world.spoil(Slot::Second, broken.clone());
        world.wait(LIFETIME / 6 * 5);
        world.settle();
        assert!(world.sign(), "{broken:?}");
        assert_eq!(world.phases(), [(1, Phase::Active), (2, Phase::Prepared)], "{broken:?}");
        let (outcome, message) = world.answer(Action::Activate { now: true });
        assert!(outcome == ledger::Outcome::Refused && message.contains("can't be used"), "{message}");
        assert_eq!(world.answer(Action::Prepare).0, ledger::Outcome::Done);
        assert_eq!(world.phases(), [(1, Phase::Active), (3, Phase::Prepared)], "{broken:?}");
        assert!(matches!(world.keys.second, Key::Held(_)));
    }
}

#[test]
fn an_old_key_that_somebody_puts_back_is_never_the_next_one() {
    for old in [1, 2, 9] {
        let mut world = World::new();
        world.answer(Action::Prepare);
        world.answer(Action::Retire { number: 2, now: true });
        world.settle();
        *world.key(Slot::Second) = Key::Held(made(old, world.now));
        let life = world.ledger.active().unwrap().certificate.lifetime();
        world.now = rotation::take_over_at(life);
        world.settle();
        assert_eq!(world.phases(), [(1, Phase::Active)], "{old}");
        world.answer(Action::Prepare);
        assert_eq!(
            world.phases(),
            [(1, Phase::Active), (3, Phase::Prepared)],
            "{old}: when somebody says so"
        );
    }
}

#[test]
fn one_that_was_made_by_a_clock_that_was_ahead_is_refused_and_said() {
    let mut world = World::new();
    let chest = opening().chest();
    let begin = world.ledger.active().unwrap().certificate.lifetime().not_before();
    world.now = begin - SignedDuration::from_hours(1);
    assert!(world.look(|look| signs(look, &chest, world.now).is_ok()), "set back for a while");
    world.now = begin - SignedDuration::from_hours(3);
    let refusal = world.look(|look| signs(look, &chest, world.now).cloned().unwrap_err());
    assert_eq!(refusal.word(), "AuthorityNotYetValid");
    assert!(refusal.to_string().contains("Set the clock right"), "{refusal}");
}

#[test]
fn one_that_is_given_up_signs_nothing_and_the_next_one_signs_as_soon_as_it_may() {
    let mut world = World::new();
    world.sign();
    let old = world.keys.first.clone();
    world.answer(Action::Taint { number: None });
    assert_eq!(world.phases(), [(1, Phase::Tainted), (2, Phase::Prepared)]);
    assert!(world.keys.first != old && world.keys.second == Key::Absent, "its key is destroyed");
    assert!(!world.sign(), "the next one isn't known yet");
    let chest = opening().chest();
    let refusal = world.look(|look| signs(look, &chest, world.now).cloned().unwrap_err());
    assert_eq!(refusal.word(), "AuthorityGivenUp");
    let margin = rotation::margin(world.ledger.prepared().unwrap().certificate.lifetime());
    world.wait(margin);
    world.settle();
    assert_eq!(world.phases(), [(1, Phase::Tainted), (2, Phase::Active)]);
    assert!(world.sign());
    let (outcome, message) = world.answer(Action::Retire { number: 1, now: false });
    assert!(outcome == ledger::Outcome::Refused && message.contains("by itself"), "{message}");
    world.answer(Action::Retire { number: 1, now: true });
    assert_eq!(world.phases(), [(2, Phase::Active)]);
}

#[test]
fn with_a_next_one_that_everybody_knows_nothing_is_refused_in_between() {
    let mut world = World::new();
    world.answer(Action::Prepare);
    let (outcome, message) = world.answer(Action::Activate { now: true });
    assert!(outcome == ledger::Outcome::Refused && message.contains("signs nothing before"), "{message}");
    world.wait(SignedDuration::from_mins(6));
    let (outcome, message) = world.answer(Action::Activate { now: false });
    assert!(outcome == ledger::Outcome::Refused && message.contains("credential lifetime"), "{message}");
    world.wait(TTL);
    let ripe = world.answer(Action::Prepare);
    assert!(ripe.0 == ledger::Outcome::Unchanged, "{}", ripe.1);
    world.answer(Action::Taint { number: None });
    assert_eq!(world.phases(), [(1, Phase::Tainted), (2, Phase::Active)], "at once");
    assert!(world.sign());
    assert_eq!(world.answer(Action::Retire { number: 2, now: true }).0, ledger::Outcome::Refused);
    assert_eq!(world.answer(Action::Taint { number: Some(7) }).0, ledger::Outcome::Refused);
}

#[test]
fn an_order_that_can_not_be_read_is_answered_and_goes() {
    let mut world = World::new();
    world.order = Some(Found { uid: "x".to_owned(), given: None, said: Err("nothing".to_owned()) });
    world.settle();
    assert!(world.order.is_none());
    let answer = world.ledger.answer.unwrap();
    assert_eq!((answer.outcome, answer.message.as_str()), (ledger::Outcome::Refused, "nothing"));
}

#[test]
fn one_that_expired_signs_nothing_and_another_one_is_made() {
    let mut world = World::new();
    world.now = world.ledger.active().unwrap().certificate.lifetime().not_after();
    world.settle();
    assert!(!world.sign());
    let chest = opening().chest();
    let told = world.look(|look| signs(look, &chest, world.now).cloned().unwrap_err()).to_string();
    assert!(told.contains("expired at") && told.contains("signs from"), "{told}");
    world.wait(SignedDuration::from_mins(6));
    world.settle();
    assert!(world.sign());
}

#[test]
fn what_is_lost_of_the_one_that_signs_is_for_people_to_replace() {
    let mut world = World::new();
    world.spoil(Slot::First, Key::Absent);
    world.wait(LIFETIME / 2);
    world.settle();
    assert_eq!(world.phases(), [(1, Phase::Active)], "no other one is made in silence");
    world.answer(Action::Taint { number: None });
    assert_eq!(world.phases(), [(2, Phase::Prepared)], "nothing lives that it signed");
}

#[test]
fn an_order_survives_being_written() {
    let chest = opening().chest();
    for action in [
        Action::Prepare,
        Action::Activate { now: true },
        Action::Taint { number: Some(3) },
        Action::Retire { number: 2, now: false },
    ] {
        let order = Order { uid: String::new(), by: "olga".to_owned(), reason: "why".to_owned(), action };
        let written = order.written("comity-system", &chest);
        assert_eq!(Order::read(&written), Ok(order));
        assert_eq!(Chest::of_order(&kube::ResourceExt::name_any(&written)), Some(chest.clone()));
    }
}

#[test]
fn what_an_earlier_version_wrote_is_one_that_signs() {
    let (first, owner) = (made(1, now()), opening().owner());
    let need = opening().need();
    let marker = k8s_openapi::api::core::v1::ConfigMap {
        data: Some([("ca.crt".to_owned(), first.pem().to_owned())].into()),
        ..Default::default()
    };
    let ledger = Ledger::read(&marker, &owner, need, now()).unwrap();
    let active = ledger.active().unwrap();
    assert_eq!(ledger.trust(), Trust::only(&first));
    assert_eq!(
        active.issued_until,
        Some(now() + first.lifetime().length() / 6),
        "nothing it signed lives longer"
    );
    let kept = ledger.kept("comity-system", &opening().chest());
    assert_eq!(Ledger::found(&kept), Some(ledger));
}
