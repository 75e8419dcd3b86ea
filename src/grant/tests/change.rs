//! What a grant depends on changes under it: less is less at once, and more is for people to agree to.

use jiff::SignedDuration;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::deciding::{ONE, about};
use super::seen::{condition, events, problem, says, status_of, told};
use super::world::{World, agreement, at};
use crate::api::condition::Reason;
use crate::api::contract::Egress;
use crate::api::decision::DecisionAction;
use crate::api::effective::EffectivePolicy;
use crate::api::grant::OpeningState;
use crate::api::record::{RecordEvent, RecordReason};
use crate::api::value::{Cidr, Line};
use crate::api::{Stage, name};
use crate::plan::objects::{Key, Kind};
use crate::policy::Agreement;

pub(super) const TWO: &str = "v1:sha256:two";
pub(super) const THREE: &str = "v1:sha256:three";

/// Stages of 100 hours each, so that what is kept for a day is seen to go before they end.
pub(super) fn long(digest: &str, change: impl Fn(&mut EffectivePolicy)) -> Agreement {
    let mut agreed = agreement(digest);
    agreed.not_after = at(10_000_000);
    for terms in agreed.stages.values_mut() {
        terms.duration = SignedDuration::from_hours(100);
        terms.ceiling = SignedDuration::from_hours(200);
        terms.policy.time.not_after = Time(agreed.not_after);
        change(&mut terms.policy);
    }
    agreed
}

pub(super) fn less(policy: &mut EffectivePolicy) {
    policy.destination.egress[0].cidr = Cidr("192.0.2.0/29".to_owned());
    policy.people.clear();
}

pub(super) fn more(policy: &mut EffectivePolicy) {
    let ports = policy.destination.egress[0].ports.clone();
    policy.destination.egress.push(Egress { cidr: Cidr("198.51.100.0/28".to_owned()), ports, reason: None });
}

/// A grant whose only stage is open for a hundred hours.
pub(super) fn open(stage: Stage) -> World {
    let mut world = World::new(stage);
    world.agreement = Ok(long(ONE, |_| ()));
    world.settle();
    if stage == Stage::Production {
        world.forward(10);
        world.settle();
    }
    assert_eq!(open_stages(&world), [stage]);
    world
}

/// The stage of each opening that can be used.
pub(super) fn open_stages(world: &World) -> Vec<Stage> {
    let openings = status_of(world).openings;
    let open = openings.iter().filter(|opening| opening.state == OpeningState::Open);
    let mut stages: Vec<Stage> = open.map(|opening| opening.stage).collect();
    stages.sort();
    stages
}

pub(super) fn destinations(world: &World) -> Vec<String> {
    let policies = world.live.iter().filter(|(key, _)| key.kind == Kind::NetworkPolicy);
    let text: Vec<String> = policies.map(|(_, live)| live.value().to_string()).collect();
    let known = ["192.0.2.0/28", "192.0.2.0/29", "198.51.100.0/28"];
    known
        .iter()
        .filter(|cidr| text.iter().any(|text| text.contains(*cidr)))
        .map(ToString::to_string)
        .collect()
}

pub(super) fn agreed_to(world: &mut World, stage: Stage, digest: &str, person: &str) {
    let decision = about(world, DecisionAction::Approve, person, stage, digest);
    world.decided(decision);
}

#[test]
fn what_becomes_less_is_less_at_once_and_comes_back_when_it_is_put_back() {
    let mut world = open(Stage::Production);
    assert_eq!((destinations(&world), world.bindings()), (vec!["192.0.2.0/28".to_owned()], 1));
    let end = world.journal().openings[2].end;
    world.agreement = Ok(long(TWO, less));
    world.settle();
    assert_eq!(open_stages(&world), [Stage::Production], "what both allow stays");
    assert_eq!((destinations(&world), world.bindings()), (vec!["192.0.2.0/29".to_owned()], 0));
    let record = world.records.last().expect("it is written down");
    assert_eq!((record.event, record.stands.as_deref()), (RecordEvent::Narrowed, Some(TWO)));
    let message = record.message.clone().unwrap_or_default();
    assert!(message.contains("egress 192.0.2.8/29:443: removed"), "{message}");
    assert_eq!(condition(&world, "Ready"), says("True", Reason::Open), "nothing is asked for");
    let status = status_of(&world);
    assert_eq!(status.pending, None);
    let lost: Vec<&str> = status.openings[2].narrowed.iter().map(|line| line.0.as_str()).collect();
    assert_eq!(
        lost,
        ["egress 192.0.2.8/29:443: removed", "person ana@northpay.example ModelEngineer: removed"]
    );
    world.agreement = Ok(long(ONE, |_| ()));
    world.settle();
    assert_eq!((destinations(&world), world.bindings()), (vec!["192.0.2.0/28".to_owned()], 1));
    assert_eq!(events(&world).last(), Some(&(RecordEvent::Resumed, Some(Stage::Production))));
    assert_eq!(world.journal().openings[2].end, end);
}

#[test]
fn less_is_given_although_it_cant_be_written_down() {
    let mut world = open(Stage::Production);
    world.agreement = Ok(long(TWO, less));
    world.unwritable = true;
    world.settle();
    assert_eq!((destinations(&world), world.bindings()), (vec!["192.0.2.0/29".to_owned()], 0));
}

#[test]
fn whoever_changes_a_contract_back_and_forth_doesnt_fill_the_journal() {
    let mut world = open(Stage::Production);
    let before = world.records.len();
    for _ in 0..40 {
        world.agreement = Ok(long(TWO, less));
        world.settle();
        assert_eq!(destinations(&world), ["192.0.2.0/29"], "less is never delayed");
        world.agreement = Ok(long(ONE, |_| ()));
        world.settle();
    }
    assert_eq!(world.records.len(), before + 9);
    let waits = world.decide().look_again;
    assert!(waits.iter().any(|moment| *moment < world.now + SignedDuration::from_hours(1)), "{waits:?}");
}

#[test]
fn whoever_asks_for_something_else_in_a_loop_doesnt_fill_the_journal_either() {
    let mut world = open(Stage::Production);
    let before = world.records.len();
    for time in 0..40 {
        world.agreement = Ok(long(&format!("v1:sha256:{time}"), more));
        world.settle();
        assert_eq!(open_stages(&world), [Stage::Production]);
    }
    assert_eq!(world.records.len(), before + 9);
    let ready = told(&world, "Ready");
    assert_eq!((ready.status.as_str(), ready.reason.as_str()), ("True", "ConsentPending"));
    assert!(ready.message.contains("asked for again at"), "{}", ready.message);
    world.forward(1);
    world.settle();
    assert_eq!(world.records.len(), before + 10, "and then it is");
}

#[test]
fn what_was_lost_doesnt_come_back_beside_what_was_opened_for_it_since() {
    let mut world = open(Stage::Production);
    world.agreement = Err(vec![problem()]);
    world.settle();
    world.forward(24 * 3600);
    world.settle();
    world.agreement = Ok(long(TWO, more));
    world.settle();
    agreed_to(&mut world, Stage::Rehearsal, TWO, "olga");
    world.forward(10);
    world.settle();
    agreed_to(&mut world, Stage::Production, TWO, "olga");
    assert_eq!(open_stages(&world), [Stage::Production]);
    let lines = world.records.len();
    world.agreement = Ok(long(ONE, |_| ()));
    let quotas = |key: &Key| key.kind == Kind::ResourceQuota;
    world.live.retain(|key, _| !quotas(key));
    world.settle();
    assert_eq!(open_stages(&world), [Stage::Production], "the one for the newer digest, narrowed");
    let later: Vec<_> = events(&world)[lines..].to_vec();
    assert_eq!(later, [(RecordEvent::Narrowed, Some(Stage::Production))]);
}

#[test]
fn what_becomes_more_waits_and_is_rehearsed_beside_what_is_live() {
    let mut world = open(Stage::Production);
    let mut wider = long(TWO, more);
    wider.stages.get_mut(&Stage::Production).expect("is offered").overlap = SignedDuration::from_secs(60);
    world.agreement = Ok(wider);
    world.settle();
    assert_eq!(open_stages(&world), [Stage::Production]);
    assert_eq!(destinations(&world), ["192.0.2.0/28"], "more isn't given");
    let pending = status_of(&world).pending.expect("it is told what waits");
    assert_eq!((pending.digest.as_str(), pending.next), (TWO, Stage::Rehearsal));
    assert_eq!(pending.changes, [Line("egress 198.51.100.0/28:443: added".to_owned())]);
    let ready = told(&world, "Ready");
    assert_eq!((ready.status.as_str(), ready.reason.as_str()), ("True", "ConsentPending"));
    assert!(ready.message.starts_with("Rehearsal waits for 1 more person"), "{}", ready.message);
    agreed_to(&mut world, Stage::Rehearsal, TWO, "olga");
    assert_eq!(open_stages(&world), [Stage::Rehearsal, Stage::Production], "beside the live one");
    assert_eq!(condition(&world, "Ready"), says("True", Reason::WaitingForTime), "it has to soak");
    world.forward(10);
    world.settle();
    assert_eq!(condition(&world, "Ready"), says("True", Reason::ConsentPending));
    agreed_to(&mut world, Stage::Production, TWO, "olga");
    assert_eq!(open_stages(&world), [Stage::Production, Stage::Production], "both, for the overlap");
    assert_eq!(destinations(&world), ["192.0.2.0/28", "198.51.100.0/28"]);
    assert!(world.decide().look_again.contains(&(world.now + SignedDuration::from_secs(60))));
    world.forward(60);
    world.settle();
    assert_eq!(open_stages(&world), [Stage::Production]);
    let closed: Vec<_> = world.journal().openings.iter().map(crate::journal::Opening::closed_for).collect();
    let (promoted, superseded) = (Some(RecordReason::Promoted), Some(RecordReason::Superseded));
    assert_eq!(closed, [promoted, promoted, superseded, promoted, None]);
    assert_eq!(world.namespaces().len(), 1);
}

#[test]
fn the_old_one_never_stays_past_its_own_end() {
    let mut world = open(Stage::Production);
    let mut wider = long(TWO, more);
    wider.stages.get_mut(&Stage::Production).expect("is offered").overlap = SignedDuration::from_hours(50);
    world.forward(99 * 3600);
    world.agreement = Ok(wider);
    world.settle();
    agreed_to(&mut world, Stage::Rehearsal, TWO, "olga");
    world.forward(10);
    world.settle();
    agreed_to(&mut world, Stage::Production, TWO, "olga");
    assert_eq!(open_stages(&world).len(), 2);
    world.forward(3600);
    world.settle();
    assert_eq!(open_stages(&world), [Stage::Production]);
    assert_eq!(world.journal().openings[2].closed_for(), Some(RecordReason::Expired));
}

#[test]
fn what_is_open_until_then_is_never_more_than_what_was_agreed() {
    let mut world = open(Stage::Sandbox);
    world.agreement = Ok(long(TWO, more));
    world.grant.spec.stage = Stage::Production;
    world.settle();
    assert_eq!(open_stages(&world), [Stage::Rehearsal], "a new digest starts at Rehearsal");
    let openings = world.journal().openings;
    assert_eq!((openings[1].digest.as_str(), openings[1].policy.destination.egress.len()), (TWO, 2));
    assert_eq!(openings[0].closed_for(), Some(RecordReason::Promoted), "its contract asks for nobody");
}

#[test]
fn where_the_sandbox_is_all_that_is_asked_for_it_is_opened_anew() {
    let mut world = open(Stage::Sandbox);
    world.agreement = Ok(long(TWO, more));
    world.settle();
    assert_eq!(condition(&world, "Ready"), says("True", Reason::ConsentPending));
    agreed_to(&mut world, Stage::Sandbox, TWO, "olga");
    assert_eq!(open_stages(&world), [Stage::Sandbox]);
    let openings = world.journal().openings;
    assert_eq!(openings[0].closed_for(), Some(RecordReason::Superseded), "without an overlap at once");
    assert_eq!((openings[1].digest.as_str(), openings.len()), (TWO, 2));
}

#[test]
fn what_is_missing_closes_access_and_resumes_with_the_same_digest_only() {
    let mut world = open(Stage::Production);
    let namespaces = world.namespaces();
    world.agreement = Err(vec![problem()]);
    world.settle();
    assert!(!world.any_access());
    assert_eq!(world.namespaces(), namespaces, "the namespace is kept");
    let mut other = world.clone();
    world.forward(3600);
    world.agreement = Ok(long(ONE, |_| ()));
    world.settle();
    assert_eq!(open_stages(&world), [Stage::Production], "the same digest resumes");
    other.agreement = Ok(long(TWO, less));
    other.settle();
    assert!(!other.any_access(), "another waits, although it is less");
    assert_eq!(condition(&other, "Ready").1, Reason::PolicyChanged.to_string());
    agreed_to(&mut other, Stage::Rehearsal, TWO, "olga");
    assert_eq!(open_stages(&other), [Stage::Rehearsal]);
}

#[test]
fn what_had_been_narrowed_before_it_was_missing_resumes_as_narrow_as_it_was() {
    let mut world = open(Stage::Production);
    world.agreement = Ok(long(TWO, less));
    world.settle();
    world.agreement = Err(vec![problem()]);
    world.settle();
    assert!(!world.any_access());
    let mut other = world.clone();
    world.agreement = Ok(long(TWO, less));
    world.settle();
    assert_eq!(
        (open_stages(&world), destinations(&world)),
        (vec![Stage::Production], vec!["192.0.2.0/29".to_owned()])
    );
    other.agreement = Ok(long(THREE, less));
    other.settle();
    assert!(!other.any_access());
}

#[test]
fn after_a_day_the_namespace_goes_and_what_comes_back_after_that_is_made_anew() {
    let mut world = open(Stage::Production);
    let end = world.journal().openings[2].end;
    world.agreement = Err(vec![problem()]);
    world.settle();
    let day = world.now + SignedDuration::from_hours(24);
    assert!(world.decide().look_again.contains(&day));
    world.forward(24 * 3600 - 1);
    world.settle();
    assert_eq!(world.namespaces().len(), 1);
    world.forward(1);
    world.settle();
    assert!(world.namespaces().is_empty());
    assert_eq!(world.journal().openings[2].closed_for(), Some(RecordReason::NotAccepted));
    assert_eq!(world.journal().ended, None, "it may still come back");
    assert!(world.decide().look_again.contains(&end), "then it is over, though nothing else happens");
    world.agreement = Ok(long(ONE, |_| ()));
    world.settle();
    assert_eq!(open_stages(&world), [Stage::Production]);
    assert_eq!(world.journal().openings[2].end, end, "what is left of its time");
    world.agreement = Err(vec![problem()]);
    world.forward(100 * 3600);
    world.settle();
    assert!(world.journal().ended.is_some() && !world.any_access());
}

#[test]
fn suspending_for_long_doesnt_use_up_the_day_that_a_namespace_is_kept() {
    let mut world = open(Stage::Production);
    world.grant.spec.suspend = true;
    world.settle();
    world.forward(48 * 3600);
    world.grant.spec.suspend = false;
    world.agreement = Err(vec![problem()]);
    world.settle();
    assert_eq!(world.namespaces().len(), 1);
    world.forward(24 * 3600);
    world.settle();
    assert!(world.namespaces().is_empty());
}

#[test]
fn less_time_is_less_too_and_the_recorded_end_stands() {
    let mut world = open(Stage::Production);
    let end = world.journal().openings[2].end;
    world.forward(3600);
    let mut shorter = long(TWO, |_| ());
    shorter.stages.get_mut(&Stage::Production).expect("is offered").duration = SignedDuration::from_hours(2);
    world.agreement = Ok(shorter);
    world.settle();
    assert_eq!(open_stages(&world), [Stage::Production], "an hour is left");
    world.forward(3601);
    world.settle();
    assert!(!world.any_access());
    world.agreement = Ok(long(ONE, |_| ()));
    world.settle();
    assert_eq!(open_stages(&world), [Stage::Production]);
    assert_eq!(world.journal().openings[2].end, end);
}

#[test]
fn a_boundary_that_was_narrowed_leaves_what_it_still_allows() {
    let mut world = open(Stage::Production);
    world.agreement = Err(vec![problem()]);
    world.standing = long(TWO, less).stages;
    world.settle();
    assert_eq!(
        (open_stages(&world), destinations(&world)),
        (vec![Stage::Production], vec!["192.0.2.0/29".to_owned()])
    );
    assert_eq!(condition(&world, "Accepted").0, "False", "nothing new is opened under it");
    assert_eq!(condition(&world, "Active"), says("True", Reason::Open));
}

#[test]
fn a_contract_that_was_made_again_and_says_something_else_leaves_nothing() {
    let mut world = open(Stage::Production);
    world.agreement = Ok(long(TWO, |policy| policy.contract_uid = "another".into()));
    world.settle();
    assert!(!world.any_access());
    assert!(events(&world).contains(&(RecordEvent::Suspended, Some(Stage::Production))));
    assert!(world.live.keys().any(|key| key.name == name::DEFAULT_DENY), "it is kept, and closed off");
}
