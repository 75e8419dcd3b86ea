//! What somebody would try who may write a contract, a decision about another grant, or a record.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::change::{THREE, TWO, less, long, more, open};
use super::deciding::{ONE, approval, asked, asking, decision, is_open};
use super::seen::{events, status_of};
use super::world::World;
use crate::api::Stage;
use crate::api::contract::{AfterPromotion, Reviews};
use crate::api::decision::DecisionAction;
use crate::api::effective::EffectivePolicy;
use crate::api::grant::{Person, Role};
use crate::api::record::{RecordEvent, RecordReason};
use crate::grant::decide::Step;
use crate::journal::Opening;
use crate::journal::forum::Forum;
use crate::plan::objects::{Key, Kind};
use crate::policy::consent::ConsentRule;

#[test]
fn a_decision_is_about_the_grant_that_the_api_server_asked_about() {
    let mut world = asked();
    let mut about_another = approval(&world, "olga", "security");
    about_another.spec.grant_ref.name = "toy".into();
    world.decided(about_another);
    assert!(events(&world).iter().all(|(event, _)| *event != RecordEvent::Approved));
    world.approved("olga", "security").approved("per", "data-owners");
    assert!(is_open(&world, Stage::Production));
}

#[test]
fn who_closes_access_waits_for_no_record() {
    for action in [DecisionAction::Quarantine, DecisionAction::Expire] {
        let mut world = open(Stage::Production);
        world.unwritable = true;
        world.decided(decision(&world, action, "rex"));
        assert!(!world.any_access(), "{action:?}");
        world.unwritable = false;
        world.settle();
        let wanted =
            if action == DecisionAction::Expire { RecordEvent::Shortened } else { RecordEvent::Quarantined };
        assert!(
            events(&world).iter().any(|(event, _)| *event == wanted),
            "it is written down as soon as it can be"
        );
        assert!(!world.any_access());
    }
}

#[test]
fn a_decision_whose_record_is_refused_mutes_no_other() {
    let mut world = open(Stage::Production);
    world.refused.insert("poison".to_owned());
    let mut poison = decision(&world, DecisionAction::Shorten, "rex");
    poison.metadata.uid = Some("poison".to_owned());
    poison.spec.stage = Some(Stage::Production);
    poison.spec.expires_at = Some(Time(world.now + SignedDuration::from_hours(1)));
    world.decided(poison);
    let mut later = world.clone();
    later.forward(3600);
    later.settle();
    assert!(!later.any_access(), "what it closes is closed all the same");
    world.decided(decision(&world, DecisionAction::Quarantine, "eve"));
    assert!(world.journal().consents.quarantined.is_some());
}

#[test]
fn a_denial_whose_record_is_refused_holds_all_the_same() {
    let mut world = asked();
    world.approved("olga", "security");
    world.refused.insert("poison".to_owned());
    let mut denial = approval(&world, "rex", "security");
    denial.metadata.uid = Some("poison".to_owned());
    denial.spec.action = DecisionAction::Deny;
    world.decided(denial).approved("per", "data-owners");
    assert!(!is_open(&world, Stage::Production));
    let mut mute = asked();
    mute.unwritable = true;
    mute.approved("olga", "security").approved("per", "data-owners");
    assert!(!is_open(&mute, Stage::Production), "nothing opens while nothing can be written down");
    world.refused.clear();
    world.settle();
    assert!(events(&world).iter().any(|(event, _)| *event == RecordEvent::Denied));
    assert!(!is_open(&world, Stage::Production));
}

#[test]
fn an_extension_takes_those_whom_opening_took_although_the_rule_was_weakened_since() {
    let mut world = asked();
    world.approved("olga", "security").approved("per", "data-owners");
    let mut journal = world.journal();
    let mut weak = asking();
    weak.digest = "v1:sha256:weak".to_owned();
    let lenient = ConsentRule { required: 1, ..ConsentRule::default() };
    let production = weak.stages.get_mut(&Stage::Production).expect("there is one");
    production.policy.approvals = vec![lenient.to_approval(Stage::Production)];
    production.consent = lenient;
    let mut opening = journal.opening(Stage::Production, ONE).expect("it is open").clone();
    opening.digest.clone_from(&weak.digest);
    opening.policy = Arc::new(production.policy.clone());
    let end = opening.end;
    journal.openings.push(opening);
    let now = world.now;
    let forum = Forum { journal: &journal, agreement: &weak, made_again: false, now };
    let missing = forum.extension(Stage::Production, end).expect_err("nobody has agreed");
    assert_eq!(missing.people, 2, "it was opened by the old rule");
}

#[test]
fn an_end_before_it_was_decided_is_now() {
    let mut world = open(Stage::Production);
    let mut early = decision(&world, DecisionAction::Shorten, "rex");
    early.spec.stage = Some(Stage::Production);
    early.spec.expires_at = Some(Time(Timestamp::MIN));
    let now = world.now;
    world.decided(early);
    assert_eq!(world.journal().openings[2].end, now);
    assert!(!world.any_access());
}

#[test]
fn what_no_object_can_hold_isnt_open() {
    let labels = |prefix: &str| (0..8).map(|one| (format!("{prefix}-{one}"), "x".to_owned())).collect();
    let mut world = World::new(Stage::Sandbox);
    world.agreement = Ok(long(ONE, |policy| policy.destination.compute.node_selector = labels("a")));
    world.settle();
    assert!(world.any_access());
    world.agreement = Ok(long(TWO, |policy| policy.destination.compute.node_selector = labels("b")));
    world.settle();
    assert!(!world.any_access(), "both together would be sixteen");
}

#[test]
fn who_closes_access_comes_before_what_is_only_confined() {
    let mut world = open(Stage::Production);
    world.agreement = Ok(long(TWO, less));
    let quota = |key: &Key| key.kind == Kind::ResourceQuota;
    world.live.retain(|key, _| !quota(key));
    while !matches!(world.decide().step, Some(Step::Confine(_))) {
        assert!(world.step(), "it is confined");
    }
    world.decisions.push(std::sync::Arc::new(decision(&world, DecisionAction::Quarantine, "rex")));
    let Some(Step::Record(entry)) = world.decide().step else { panic!("{:?}", world.decide().step) };
    assert_eq!(entry.event, RecordEvent::Quarantined);
}

#[test]
fn a_control_that_was_asked_for_counts_although_the_contract_drops_it() {
    let mut world = World::new(Stage::Sandbox);
    world.agreement = Ok(long(ONE, |policy| policy.security.required_controls = vec!["iso27001".into()]));
    world.controls.insert("iso27001".to_owned(), world.now + SignedDuration::from_hours(5));
    world.settle();
    assert!(world.any_access());
    world.agreement = Ok(long(TWO, |_| ()));
    world.settle();
    assert!(world.any_access(), "it is shown still");
    let mut gone = world.clone();
    gone.controls.clear();
    gone.settle();
    assert!(!gone.any_access());
    world.forward(5 * 3600);
    world.settle();
    assert!(!world.any_access(), "it counted until now");
}

#[test]
fn a_record_that_gives_more_than_its_digest_stands_for_gives_only_what_stands() {
    let mut world = World::new(Stage::Sandbox);
    let mut opening = loop {
        match world.decide().step {
            Some(Step::Record(entry)) if entry.event == RecordEvent::Opened => break entry,
            _ => assert!(world.step(), "it opens"),
        }
    };
    let intruder = Person { name: "eve@elsewhere.example".to_owned(), role: Role::DataCurator };
    opening.policy.as_mut().expect("a policy").people.push(intruder);
    world.take(&Step::Record(opening));
    world.settle();
    assert_eq!(world.bindings(), 1, "nobody agreed to another");
    assert_eq!(status_of(&world).openings[0].narrowed.len(), 1, "and it is told");
}

#[test]
fn what_gave_way_doesnt_come_back_because_the_contract_would_keep_it_now() {
    let mut world = open(Stage::Production);
    let mut kept = long(TWO, |_| ());
    kept.stages.values_mut().for_each(|terms| terms.after_promotion = AfterPromotion::Keep);
    world.agreement = Ok(kept);
    world.settle();
    let closed: Vec<_> = world.journal().openings.iter().map(Opening::closed_for).collect();
    assert_eq!(closed, [Some(RecordReason::Promoted), Some(RecordReason::Promoted), None]);
    assert_eq!(world.namespaces().len(), 1);
}

#[test]
fn how_long_both_stay_is_what_was_agreed_to_and_no_later_word() {
    let mut world = open(Stage::Sandbox);
    let overlap = |digest: &str, seconds| {
        let mut agreed = long(digest, more);
        agreed.stages.get_mut(&Stage::Sandbox).expect("offered").overlap = SignedDuration::from_secs(seconds);
        agreed
    };
    world.agreement = Ok(overlap(TWO, 60));
    world.settle();
    let approve = super::deciding::about(&world, DecisionAction::Approve, "olga", Stage::Sandbox, TWO);
    world.decided(approve);
    assert_eq!(world.namespaces().len(), 2);
    world.agreement = Ok(overlap("v1:sha256:three", 100_000));
    world.settle();
    assert_eq!(world.namespaces().len(), 1, "nobody agreed to that");
}

#[test]
fn a_review_that_is_asked_for_since_is_not_put_off_by_what_else_changes() {
    let asks = |every: &'static str| {
        move |policy: &mut EffectivePolicy| {
            policy.reviews = Some(Reviews { every: every.into(), grace: "10s".into() });
        }
    };
    let mut world = open(Stage::Sandbox);
    world.agreement = Ok(long(TWO, asks("30s")));
    world.settle();
    world.forward(20);
    world.agreement = Ok(long(THREE, |policy| {
        less(policy);
        asks("29s")(policy);
    }));
    world.settle();
    world.forward(15);
    world.agreement = Ok(long(TWO, asks("30s")));
    world.settle();
    let narrowed = events(&world).iter().filter(|(event, _)| *event == RecordEvent::Narrowed).count();
    assert_eq!((narrowed, world.any_access()), (3, true));
    world.forward(5);
    world.settle();
    assert!(!world.any_access());
    let closed = world.records.iter().find(|record| record.event == RecordEvent::Closed).expect("closed");
    assert_eq!(closed.reason, Some(RecordReason::ReviewLapsed));
}
