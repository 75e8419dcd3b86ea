//! Ten thousand decisions about one grant: each is heard a few times, few of them are written down, and
//! the one that matters has its effect.

use std::sync::Arc;

use jiff::SignedDuration;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt as _;

use super::deciding::{ONE, about, approval, asked, asking, decision, is_open, unheard};
use super::play::Play;
use super::world::{World, at};
use crate::api::condition::Reason;
use crate::api::decision::DecisionAction;
use crate::api::record::RecordEvent;
use crate::api::stamp::Writers;
use crate::api::{GrantDecision, Stage, name};
use crate::journal::allowance::{AT_ONCE, ONE_EACH};
use crate::testing::known::{Known, now};

/// How many records one person's decisions make at once.
const BURST: usize = AT_ONCE.unsigned_abs() as usize;

/// Files decisions without taking a step yet.
fn filed(world: &mut World, made: impl IntoIterator<Item = GrantDecision>) {
    for (number, mut decision) in made.into_iter().enumerate() {
        let action = decision.spec.action.verb();
        decision.metadata.uid = Some(format!("{action}-{number}"));
        decision.metadata.name = Some(format!("{action}-{number}"));
        world.decisions.push(Arc::new(decision));
    }
}

fn written(world: &World, event: RecordEvent) -> usize {
    world.records.iter().filter(|record| record.event == event).count()
}

#[tokio::test]
async fn what_was_heard_in_vain_is_not_heard_again_for_each_that_comes() {
    let mut play = Play::new();
    let asked = [(name::ANNOTATION_REQUESTED_BY.to_owned(), Writers::default().with("ada", 1).to_string())];
    play.grant.metadata.annotations = Some(asked.into());
    play.open().await;
    let mut counted = Vec::new();
    let since = play.context.clock.now().duration_since(now()).as_secs() + 1;
    for number in 0..600 {
        let decision = Known::decision(&format!("d-{number}"), &play.grant, since + number);
        play.context.catalogue.docket.put(Arc::new(decision));
        play.pass().await;
        if number % 200 == 199 {
            counted.push(play.counts.heard());
        }
    }
    let [first, second, third] = counted[..] else { panic!("{counted:?}") };
    assert_eq!(third - second, 200, "each once, and none again");
    assert_eq!(second - first, 200);
    let records = &play.context.catalogue.records;
    let journal = records.journal(&play.grant.namespace().unwrap(), &play.grant.uid().unwrap()).unwrap();
    let written = usize::try_from(journal.next - 1).unwrap();
    assert_eq!(written, 2 + BURST, "records");
    // What merely waits has its turn, and all are heard anew for it.
    play.forward(ONE_EACH.as_secs() + 1);
    play.pass().await;
    assert!(play.counts.heard() >= third + 500);
}

#[tokio::test]
async fn what_was_decided_and_couldnt_be_written_down_is_tried_again_soon() {
    let mut play = Play::new();
    let asked = [(name::ANNOTATION_REQUESTED_BY.to_owned(), Writers::default().with("ada", 1).to_string())];
    play.grant.metadata.annotations = Some(asked.into());
    play.open().await;
    let since = play.context.clock.now().duration_since(now()).as_secs() + 1;
    play.context.catalogue.docket.put(Arc::new(Known::decision("attested", &play.grant, since)));
    play.api.fail("POST /apis/comity.dev/v1alpha1/namespaces/risk-data/grantrecords", 500, 1);
    let again = play.try_pass().await.unwrap();
    let soon = kube::runtime::controller::Action::requeue(std::time::Duration::from_secs(10));
    assert_eq!(again, soon, "nothing else may happen that it would be heard for");
    let records = &play.context.catalogue.records;
    let length = || {
        let home = play.grant.namespace().unwrap();
        records.journal(&home, &play.grant.uid().unwrap()).unwrap().next - 1
    };
    assert_eq!(length(), 2);
}

#[test]
fn ten_thousand_decisions_make_few_records_and_the_one_that_matters_is_heard() {
    let mut world = asked();
    let before = world.records.len();
    let same = approval(&world, "olga", "security");
    filed(&mut world, (0..8_000).map(|_| same.clone()));
    let attest = decision(&world, DecisionAction::Attest, "olga");
    filed(&mut world, (0..1_000).map(|_| attest.clone()));
    let mut old = approval(&world, "eva", "security");
    old.spec.digest = Some("v1:sha256:old".into());
    old.metadata.generate_name = Some("old".to_owned());
    old.spec.action = DecisionAction::Deny;
    filed(&mut world, (0..999).map(|_| old.clone()));
    let mut decisive = approval(&world, "per", "data-owners");
    decisive.metadata.uid = Some("decisive".to_owned());
    world.decisions.insert(5_000, Arc::new(decisive));
    assert_eq!(world.decisions.len(), 10_000);
    world.settle();
    assert!(is_open(&world, Stage::Production));
    assert_eq!(written(&world, RecordEvent::Approved), 2);
    assert_eq!(written(&world, RecordEvent::Attested), 1, "what is confirmed is confirmed");
    assert!(world.records.len() - before <= 6, "{:?}", world.events());
}

#[test]
fn as_many_as_like_may_agree_and_only_who_brings_it_closer_is_written_down() {
    let mut world = asked();
    let people = (0..500).map(|number| approval(&world, &format!("owner-{number}"), "data-owners"));
    let people: Vec<_> = people.collect();
    filed(&mut world, people);
    world.settle();
    assert_eq!(written(&world, RecordEvent::Approved), 1, "security has to agree too");
    assert_eq!(unheard(&world, &approval(&world, "lea", "data-owners")), Reason::NothingToDecide);
    // Whoever spoke in vain is heard once the one that was heard counts no longer.
    world.forward(20);
    let late = approval(&world, "late", "data-owners");
    world.decided(late);
    assert_eq!(written(&world, RecordEvent::Approved), 1);
    world.forward(11);
    world.settle();
    assert_eq!(written(&world, RecordEvent::Approved), 2);
    world.approved("olga", "security");
    assert!(is_open(&world, Stage::Production));
}

#[test]
fn whoever_moves_an_end_later_and_later_waits_and_holds_up_nobody_else() {
    let mut world = World::new(Stage::Sandbox);
    world.settle();
    let extend = |world: &World, person: &str, seconds| {
        let mut wish = about(world, DecisionAction::Extend, person, Stage::Sandbox, ONE);
        wish.spec.on_behalf_of = Some("security".into());
        wish.spec.expires_at = Some(Time(at(seconds)));
        wish
    };
    let wishes: Vec<_> = (0..60).map(|number| extend(&world, "olga", 101 + number)).collect();
    filed(&mut world, wishes);
    world.settle();
    assert_eq!(written(&world, RecordEvent::Approved), BURST);
    assert_eq!(written(&world, RecordEvent::Extended), 1, "to the latest of them");
    assert_eq!(world.journal().openings[0].end, at(116));
    assert_eq!(unheard(&world, &extend(&world, "olga", 180)), Reason::TooOften);
    let other = extend(&world, "per", 190);
    world.decided(other);
    assert_eq!(world.journal().openings[0].end, at(190));
    let until = world.decide().hears_again;
    assert_eq!(until, None, "what olga wishes for is no later any more");
}

#[test]
fn an_end_brought_forward_in_a_loop_waits_but_never_longer_than_it_leaves_access_open() {
    let mut world = World::new(Stage::Sandbox);
    world.settle();
    let shorten = |world: &World, seconds| {
        let mut shorten = decision(world, DecisionAction::Shorten, "olga");
        shorten.spec.stage = Some(Stage::Sandbox);
        shorten.spec.expires_at = Some(Time(at(seconds)));
        shorten
    };
    for step in 1..=16 {
        let next = shorten(&world, 100 - step);
        world.decided(next);
    }
    assert_eq!(world.journal().openings[0].end, at(84));
    let steps: Vec<_> = (1..=40).map(|step| shorten(&world, 84 - step)).collect();
    filed(&mut world, steps);
    world.settle();
    assert_eq!(world.journal().openings[0].end, at(84), "they wait");
    assert_eq!(world.decide().hears_again, Some(at(4)), "44 is half of what is left then");
    world.forward(4);
    world.settle();
    assert_eq!(world.journal().openings[0].end, at(44), "and what ends soonest makes the others moot");
    assert_eq!(written(&world, RecordEvent::Shortened), BURST + 1);
    let far = shorten(&world, 5);
    world.decided(far);
    assert_eq!(world.journal().openings[0].end, at(5), "what takes more than half never waits");
    let expire = decision(&world, DecisionAction::Expire, "olga");
    world.decided(expire);
    assert!(!world.any_access(), "nor does what ends it");
}

#[test]
fn two_who_quarantine_and_release_in_a_loop_dont_fill_the_journal_and_it_stays_closed() {
    let mut world = World::new(Stage::Sandbox);
    world.settle();
    for turn in 0..60 {
        let quarantine = decision(&world, DecisionAction::Quarantine, "olga");
        world.decided(quarantine);
        assert!(!world.any_access(), "{turn}");
        world.forward(1);
        let release = decision(&world, DecisionAction::Release, "per");
        world.decided(release);
    }
    assert_eq!(written(&world, RecordEvent::Released), BURST);
    assert_eq!(written(&world, RecordEvent::Quarantined), BURST + 1);
    world.forward(1);
    assert_eq!(unheard(&world, &decision(&world, DecisionAction::Release, "per")), Reason::TooOften);
    let release = decision(&world, DecisionAction::Release, "rita");
    world.decided(release);
    assert!(world.journal().consents.quarantined.is_none(), "anybody else may");
}

#[test]
fn what_waits_its_turn_says_when_that_is() {
    let mut world = World::new(Stage::Sandbox);
    world.agreement = Ok(asking());
    world.settle();
    for _ in 0..AT_ONCE {
        world.forward(1);
        let attest = decision(&world, DecisionAction::Attest, "olga");
        world.decided(attest);
    }
    world.forward(1);
    let scene = world.scene();
    let more = decision(&world, DecisionAction::Attest, "olga");
    let waits = scene.hearing().expect("the journal holds").hear(&more).expect_err("it waits");
    let first = at(1).checked_add(ONE_EACH).expect("in range");
    assert_eq!(waits.until, Some(first));
    assert!(waits.message.contains(&first.to_string()), "{}", waits.message);
    assert!(waits.until.is_some_and(|until| until < world.now + SignedDuration::from_mins(11)));
}
