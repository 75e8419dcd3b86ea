//! Nothing opens without those who have to agree, and what people decide has its effect and no other.

use std::sync::Arc;

use jiff::SignedDuration;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::deciding::{ONE, about, approval, asked, asking, decision, is_open, unheard, waiting};
use super::world::{World, at, written};
use crate::api::Stage;
use crate::api::condition::Reason;
use crate::api::contract::{Quarantine, QuarantinedPods, Reviews};
use crate::api::decision::DecisionAction;
use crate::api::record::{RecordEvent, RecordReason, RevisedKind};
use crate::api::value::OpeningDigest;
use crate::policy::consent::ConsentRule;

#[test]
fn production_opens_when_two_people_agree_and_not_before() {
    let mut world = asked();
    world.approved("olga", "security");
    assert!(!is_open(&world, Stage::Production));
    world.approved("olga", "data-owners");
    assert!(!is_open(&world, Stage::Production), "one person counts once");
    assert_eq!(unheard(&world, &approval(&world, "olga", "data-owners")), Reason::Repeated);
    world.approved("per", "data-owners");
    assert!(is_open(&world, Stage::Production));
    let opened = world.records.iter().rfind(|record| record.event == RecordEvent::Opened).expect("opened");
    assert_eq!(opened.revisions.len(), 2, "it says which revisions were agreed to");
}

#[test]
fn a_decision_that_is_deleted_has_its_effect_still_and_is_taken_once() {
    let mut world = asked();
    world.approved("olga", "security");
    let lines = world.records.len();
    world.settle();
    assert_eq!(world.records.len(), lines, "it isn't taken twice");
    world.decisions.clear();
    world.approved("per", "data-owners");
    assert!(is_open(&world, Stage::Production));
}

#[test]
fn who_asked_or_wrote_may_not_agree() {
    let mut world = asked();
    for person in ["ada", "ben"] {
        assert_eq!(unheard(&world, &approval(&world, person, "security")), Reason::OwnRequest);
    }
    world.approved("olga", "security").approved("per", "data-owners");
    // Whoever writes it after they agreed has agreed to their own.
    let mut late = asked();
    late.approved("olga", "security");
    if let Ok(agreement) = &mut late.agreement {
        agreement.authorship = vec![written(RevisedKind::PartnerGrant, "1 ada\n2 olga")];
    }
    late.approved("per", "data-owners");
    assert!(!is_open(&late, Stage::Production));
}

#[test]
fn where_nobody_knows_who_wrote_it_nobody_may_agree() {
    let mut world = asked();
    if let Ok(agreement) = &mut world.agreement {
        agreement.authorship[1].writers = None;
    }
    assert_eq!(unheard(&world, &approval(&world, "olga", "security")), Reason::OwnRequest);
}

#[test]
fn what_automation_asks_for_needs_a_person_who_may_not_agree_as_well() {
    let mut world = World::new(Stage::Production);
    let mut agreed = asking();
    let robot = "1 system:serviceaccount:flux-system:kustomize-controller";
    agreed.authorship = vec![written(RevisedKind::PartnerGrant, robot)];
    world.agreement = Ok(agreed);
    world.settle();
    world.forward(11);
    world.settle();
    world.approved("olga", "security").approved("per", "data-owners");
    assert!(!is_open(&world, Stage::Production), "nobody has taken responsibility");
    let mut sponsor = decision(&world, DecisionAction::Sponsor, "per");
    sponsor.spec.digest = Some(OpeningDigest::from(ONE));
    world.decided(sponsor);
    assert!(!is_open(&world, Stage::Production), "who sponsors it doesn't agree to it as well");
    world.approved("eva", "data-owners");
    assert!(is_open(&world, Stage::Production));
}

#[test]
fn an_approval_counts_for_its_digest_and_its_time() {
    let mut world = asked();
    let mut old = approval(&world, "olga", "security");
    old.spec.digest = Some(OpeningDigest::from("v1:sha256:two"));
    assert_eq!(unheard(&world, &old), Reason::OutOfDate);
    let early = approval(&world, "olga", "security");
    world.approved("per", "data-owners");
    world.forward(31);
    assert_eq!(unheard(&world, &early), Reason::OutOfDate, "older than validFor");
    world.approved("olga", "security");
    assert!(!is_open(&world, Stage::Production), "per's has run out meanwhile");
    world.approved("per", "data-owners");
    assert!(is_open(&world, Stage::Production));
}

#[test]
fn a_refusal_is_final_for_its_digest() {
    let mut world = asked();
    let denial = about(&world, DecisionAction::Deny, "olga", Stage::Production, ONE);
    world.decided(denial);
    assert_eq!(waiting(&world), Some(Reason::ConsentRefused));
    assert_eq!(unheard(&world, &approval(&world, "per", "security")), Reason::Repeated);
    assert!(is_open(&world, Stage::Rehearsal), "what is open stays");
}

#[test]
fn a_request_that_nobody_answers_ends_by_itself() {
    let mut world = asked();
    world.forward(51);
    world.settle();
    assert_eq!(waiting(&world), Some(Reason::ConsentRefused));
    let denied = world.records.iter().rfind(|record| record.event == RecordEvent::Denied).expect("denied");
    assert_eq!(denied.reason, Some(RecordReason::Unanswered));
}

#[test]
fn the_clock_of_a_stage_starts_when_it_opens_and_not_when_it_is_asked_for() {
    let mut world = asked();
    world.forward(20);
    world.approved("olga", "security").approved("per", "data-owners");
    let journal = world.journal();
    let production = journal.opening(Stage::Production, ONE).expect("it is open");
    assert_eq!(production.end, world.now.checked_add(SignedDuration::from_secs(100)).expect("in range"));
}

#[test]
fn a_rule_that_was_weakened_is_not_used_before_it_is_agreed_to_under_the_old_one() {
    let mut world = asked();
    let mut weak = asking();
    weak.digest = "v1:sha256:weak".to_owned();
    let lenient = ConsentRule { required: 1, ..ConsentRule::default() };
    weak.stages.get_mut(&Stage::Production).expect("there is one").consent = lenient.clone();
    let scene = world.scene();
    let forum = crate::journal::forum::Forum {
        journal: scene.journal.as_ref().expect("it holds"),
        agreement: &weak,
        made_again: false,
        now: world.now,
    };
    let rule = forum.rule(Stage::Production).expect("it is offered");
    assert_eq!((rule.required, rule.groups.get("security")), (2, Some(&1)), "the old one is asked for");
    let sandbox = forum.rule(Stage::Sandbox).expect("it is offered");
    assert_eq!(sandbox.required, 1, "and nothing opens for another digest without anybody");
    world.settle();
}

#[test]
fn a_grant_that_was_made_again_needs_somebody_for_every_stage() {
    let mut world = World::new(Stage::Sandbox);
    world.made_again = true;
    world.settle();
    assert_eq!(waiting(&world), Some(Reason::ConsentPending));
    let mut consent = about(&world, DecisionAction::Approve, "olga", Stage::Sandbox, ONE);
    consent.spec.on_behalf_of = Some("security".into());
    world.decided(consent);
    assert!(is_open(&world, Stage::Sandbox));
}

#[test]
fn an_end_moves_later_only_with_those_who_agreed_to_open_and_never_past_the_ceiling() {
    let mut world = asked();
    world.approved("olga", "security").approved("per", "data-owners");
    let end = world.journal().opening(Stage::Production, ONE).expect("open").end;
    let later = |seconds| end.checked_add(SignedDuration::from_secs(seconds)).expect("in range");
    let extend = |world: &World, person: &str, group: &str, seconds| {
        let mut wish = about(world, DecisionAction::Extend, person, Stage::Production, ONE);
        wish.spec.on_behalf_of = Some(group.into());
        wish.spec.expires_at = Some(Time(later(seconds)));
        wish
    };
    assert_eq!(unheard(&world, &extend(&world, "olga", "security", 101)), Reason::BeyondContract);
    assert_eq!(unheard(&world, &extend(&world, "ada", "security", 50)), Reason::OwnRequest);
    assert_eq!(unheard(&world, &extend(&world, "olga", "security", 0)), Reason::NothingToDecide);
    let one = extend(&world, "olga", "security", 50);
    world.decided(one);
    let other = extend(&world, "per", "data-owners", 60);
    world.decided(other);
    assert_eq!(world.journal().opening(Stage::Production, ONE).expect("open").end, end, "not the same end");
    let same = extend(&world, "per", "data-owners", 50);
    world.decided(same);
    assert_eq!(world.journal().opening(Stage::Production, ONE).expect("open").end, later(50));
    world.now = later(49);
    world.settle();
    assert!(is_open(&world, Stage::Production), "no gap and no early cut");
    world.now = later(50);
    world.settle();
    assert!(!world.any_access());
}

#[test]
fn an_end_moves_earlier_by_one_person_and_expire_is_now() {
    let mut world = World::new(Stage::Sandbox);
    world.settle();
    let mut shorten = decision(&world, DecisionAction::Shorten, "olga");
    shorten.spec.stage = Some(Stage::Sandbox);
    shorten.spec.expires_at = Some(Time(at(150)));
    assert_eq!(unheard(&world, &shorten), Reason::NothingToDecide, "never later");
    shorten.spec.expires_at = Some(Time(at(40)));
    world.decided(shorten);
    assert_eq!(world.journal().openings[0].end, at(40));
    assert!(world.any_access());
    let expire = decision(&world, DecisionAction::Expire, "olga");
    world.decided(expire);
    assert!(!world.any_access());
    assert_eq!(world.events().last(), Some(&RecordEvent::Ended));
}

#[test]
fn an_end_that_was_brought_forward_does_not_move_back_by_itself() {
    let mut world = World::new(Stage::Sandbox);
    world.settle();
    let extend = |world: &World, person: &str, end| {
        let mut wish = about(world, DecisionAction::Extend, person, Stage::Sandbox, ONE);
        wish.spec.on_behalf_of = Some("security".into());
        wish.spec.expires_at = Some(Time(end));
        wish
    };
    let wish = extend(&world, "olga", at(150));
    world.decided(wish);
    assert_eq!(world.journal().openings[0].end, at(150));
    let mut shorten = decision(&world, DecisionAction::Shorten, "per");
    shorten.spec.stage = Some(Stage::Sandbox);
    shorten.spec.expires_at = Some(Time(at(60)));
    world.decided(shorten);
    assert_eq!(world.journal().openings[0].end, at(60), "those who agreed to 150 agreed before");
    let again = extend(&world, "olga", at(150));
    world.decided(again);
    assert_eq!(world.journal().openings[0].end, at(150), "and may again");
}

#[test]
fn what_was_decided_of_another_time_is_not_taken_up_later() {
    let mut world = World::new(Stage::Sandbox);
    let early = decision(&world, DecisionAction::Attest, "olga");
    world.forward(5);
    world.settle();
    assert_eq!(unheard(&world, &early), Reason::NothingToDecide, "nothing was open then");
    let (first, second) = ("olga", "eva");
    let quarantine = decision(&world, DecisionAction::Quarantine, first);
    world.decided(quarantine);
    let late = decision(&world, DecisionAction::Quarantine, second);
    assert_eq!(unheard(&world, &late), Reason::Repeated);
    world.forward(1);
    let release = decision(&world, DecisionAction::Release, "per");
    world.decided(release);
    assert_eq!(unheard(&world, &late), Reason::OutOfDate, "the release came after it");
    world.decided(late);
    assert!(world.any_access());
}

#[test]
fn a_stage_that_is_opened_again_keeps_what_was_agreed_to() {
    let mut world = asked();
    world.approved("olga", "security").approved("per", "data-owners");
    let agreed = world.journal().consents.approved;
    world.grant.spec.stage = Stage::Rehearsal;
    world.settle();
    world.grant.spec.stage = Stage::Production;
    world.settle();
    assert!(is_open(&world, Stage::Production));
    assert_eq!(world.journal().consents.approved, agreed);
}

#[test]
fn a_grant_that_is_being_deleted_hears_nothing_more() {
    let mut world = World::new(Stage::Sandbox);
    world.made_again = true;
    world.settle();
    let lines = world.records.len();
    world.grant.metadata.deletion_timestamp = Some(Time(world.now));
    let quarantine = decision(&world, DecisionAction::Quarantine, "olga");
    world.decided(quarantine);
    let said: Vec<RecordEvent> = world.events().split_off(lines);
    assert_eq!(said, [RecordEvent::Ended]);
}

#[test]
fn a_grant_of_which_nothing_is_open_can_be_ended_too() {
    let mut world = World::new(Stage::Sandbox);
    world.made_again = true;
    world.settle();
    let expire = decision(&world, DecisionAction::Expire, "olga");
    world.decided(expire);
    assert_eq!(world.events().last(), Some(&RecordEvent::Ended));
}

#[test]
fn who_ends_a_grant_that_somebody_has_ended_adds_nothing_while_it_closes() {
    let mut world = World::new(Stage::Sandbox);
    world.settle();
    let expire = decision(&world, DecisionAction::Expire, "olga");
    world.decisions.push(Arc::new(expire));
    while !world.journal().consents.is_expired {
        assert!(world.step());
    }
    assert_eq!(unheard(&world, &decision(&world, DecisionAction::Expire, "per")), Reason::Repeated);
}

#[test]
fn quarantine_closes_at_once_until_somebody_else_releases_it() {
    let mut world = World::new(Stage::Sandbox);
    world.settle();
    let end = world.journal().openings[0].end;
    let quarantine = decision(&world, DecisionAction::Quarantine, "olga");
    world.decided(quarantine);
    assert!(!world.any_access());
    assert!(!world.namespaces().is_empty(), "what stands is kept for whoever looks into it");
    world.forward(5);
    world.settle();
    assert!(!world.any_access(), "and it stays so");
    assert_eq!(unheard(&world, &decision(&world, DecisionAction::Release, "olga")), Reason::OwnRequest);
    let release = decision(&world, DecisionAction::Release, "per");
    world.decided(release);
    assert!(world.any_access());
    assert_eq!(world.journal().openings[0].end, end, "the end hasn't moved");
}

#[test]
fn a_contract_may_have_quarantined_pods_deleted() {
    for (pods, gone) in [(QuarantinedPods::Delete, true), (QuarantinedPods::Keep, false)] {
        let mut world = World::new(Stage::Sandbox);
        if let Ok(agreement) = &mut world.agreement {
            agreement
                .stages
                .values_mut()
                .for_each(|terms| terms.policy.quarantine = Some(Quarantine { pods }));
        }
        world.settle();
        let quarantine = decision(&world, DecisionAction::Quarantine, "olga");
        world.decisions.push(Arc::new(quarantine));
        let mut counted = false;
        while world.step() {
            counted |= !world.pods.is_empty();
        }
        assert_eq!(counted, gone);
    }
}

/// An open sandbox that is reviewed every 30 seconds, with 10 more to answer.
pub(super) fn reviewed() -> World {
    let mut world = World::new(Stage::Sandbox);
    if let Ok(agreement) = &mut world.agreement {
        let reviews = Reviews { every: "30s".into(), grace: "10s".into() };
        agreement.stages.values_mut().for_each(|terms| terms.policy.reviews = Some(reviews.clone()));
    }
    world.settle();
    world
}

#[test]
fn a_review_that_nobody_answers_ends_access() {
    let mut silent = reviewed();
    assert!(silent.decide().look_again.contains(&at(40)));
    silent.forward(40);
    silent.settle();
    assert!(!silent.any_access());
    let closed = silent.records.iter().find(|record| record.event == RecordEvent::Closed).expect("closed");
    assert_eq!(closed.reason, Some(RecordReason::ReviewLapsed));
    let mut answered = reviewed();
    answered.forward(35);
    assert_eq!(unheard(&answered, &decision(&answered, DecisionAction::Attest, "ada")), Reason::OwnRequest);
    let attest = decision(&answered, DecisionAction::Attest, "olga");
    answered.decided(attest);
    answered.forward(34);
    answered.settle();
    assert!(answered.any_access());
}

#[test]
fn what_nobody_is_known_to_have_decided_changes_nothing() {
    let mut world = asked();
    let mut unstamped = approval(&world, "olga", "security");
    unstamped.metadata.annotations = None;
    assert_eq!(unheard(&world, &unstamped), Reason::Invalid);
    let mut other = approval(&world, "olga", "security");
    other.metadata.creation_timestamp = None;
    assert_eq!(unheard(&world, &other), Reason::Invalid);
    world.settle();
}
