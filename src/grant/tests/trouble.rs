//! What is open and isn't held any more by all that should hold it says so, and nothing opens.

use super::change::{TWO, less};
use super::seen::{condition, says, told};
use super::world::{World, agreement, at};
use crate::api::condition::Reason;
use crate::api::record::RecordReason;
use crate::api::{Stage, name};
use crate::grant::decide::Step;
use crate::grant::decide::confined::Unconfined;
use crate::plan::objects::{Key, Kind, Live};

#[test]
fn no_pods_are_allowed_while_admission_isnt_in_force() {
    let mut world = World::new(Stage::Sandbox);
    world.lacking = Some("there is no policy comity-pods".to_owned());
    world.settle();
    assert_eq!(world.bindings(), 0);
    assert_eq!(condition(&world, "Ready"), says("False", Reason::Unguarded));
    assert!(told(&world, "Ready").message.ends_with("there is no policy comity-pods"));
    world.lacking = None;
    world.settle();
    assert_eq!(condition(&world, "Ready"), says("True", Reason::Open));
    world.lacking = Some("there is no policy comity-pods".to_owned());
    assert_eq!(world.decide().step, None, "what is open stays so");
    assert_eq!(condition(&world, "Ready"), says("False", Reason::Unguarded));
    assert_eq!(condition(&world, "Active"), says("True", Reason::Open));
}

#[test]
fn what_cant_be_confined_is_closed_after_a_while_and_opens_once_it_can() {
    let mut world = World::new(Stage::Sandbox);
    world.settle();
    let end = world.journal().openings[0].end;
    let known = Unconfined { since: at(0), last: at(29), why: "a webhook says no".to_owned() };
    world.aside.unconfined.insert(world.namespaces()[0].clone(), known);
    let mut narrower = agreement(TWO);
    narrower.stages.values_mut().for_each(|terms| less(&mut terms.policy));
    world.agreement = Ok(narrower.clone());
    world.now = at(29);
    world.settle();
    assert!(world.any_access() && world.decide().look_again.contains(&at(30)));
    world.now = at(30);
    world.settle();
    assert!(!world.any_access());
    let last = world.records.last().expect("a record");
    assert_eq!(last.reason, Some(RecordReason::Unconfined), "and nobody is asked for what is less");
    assert_eq!(condition(&world, "Ready"), says("False", Reason::Refused));
    assert!(told(&world, "Ready").message.contains("a webhook says no; it is tried again every half minute"));
    assert!(world.decide().look_again.contains(&at(59)));
    // It has to be confined even more since: what it may reach is closed until that is done.
    for terms in narrower.stages.values_mut() {
        terms.policy.quota.hard.values_mut().for_each(|amount| amount.0 = "1".to_owned());
    }
    world.agreement = Ok(narrower);
    world.now = at(59);
    let Some(Step::Apply(tried)) = world.decide().step else { panic!("it is tried before it is open") };
    assert!(!tried.is_empty() && tried.iter().all(|object| object.key.kind != Kind::NetworkPolicy));
    world.settle();
    assert!(world.any_access());
    assert_eq!(world.journal().openings[0].end, end);
}

#[test]
fn an_open_stage_whose_certificates_are_refused_says_so_until_they_arent() {
    let mut world = World::new(Stage::Sandbox);
    world.settle();
    let open = [("Ready", "True"), ("Provisioned", "True"), ("Active", "True"), ("Reconciling", "False")];
    let stands = |world: &World| {
        open.map(|(kind, _)| (kind, if condition(world, kind).0 == "True" { "True" } else { "False" }))
    };
    assert_eq!(stands(&world), open);
    let trust = world.live.iter().find(|(key, _)| key.kind == Kind::ConfigMap);
    let (key, before) = trust.map(|(key, live)| (key.clone(), live.clone())).expect("it was published");
    let mut refused = before.value();
    refused["data"] = serde_json::json!({name::TRUST_REFUSED: "the key of the authority is gone"});
    world.live.insert(key.clone(), Live::from_value(refused));
    let told_of = [("Ready", "False"), ("Provisioned", "False"), ("Active", "True"), ("Reconciling", "True")];
    assert_eq!(stands(&world), told_of);
    for kind in ["Ready", "Provisioned", "Reconciling"] {
        assert_eq!(condition(&world, kind).1, Reason::CertificateRefused.to_string());
        assert!(told(&world, kind).message.ends_with("the key of the authority is gone"));
    }
    assert_eq!(world.decide().step, None, "what is open stays so");
    world.live.insert(key, before);
    assert_eq!(stands(&world), open);
}

#[test]
fn a_stage_that_is_asked_for_again_while_it_closes_is_cleared_first_as_any_other_is() {
    let mut world = World::new(Stage::Rehearsal);
    world.settle();
    world.grant.spec.stage = Stage::Sandbox;
    let is_closing = |world: &World| {
        world.live.values().any(|live| live.label(name::LABEL_CLOSING).is_some() && !live.terminating)
    };
    while !is_closing(&world) {
        assert!(world.step(), "rehearsal closes");
    }
    world.grant.spec.stage = Stage::Rehearsal;
    let mut looked = false;
    loop {
        match world.decide().step.expect("it is cleared") {
            Step::CountPods(_) => looked = true,
            Step::DeleteNamespace(..) => break,
            _ => {}
        }
        if !world.step() {
            world.others_act();
        }
    }
    assert!(looked, "P5: its pods go before its default deny, which goes with the namespace");
    let paths = |key: &Key| key.kind == Kind::NetworkPolicy && key.name != name::DEFAULT_DENY;
    let left = world.live.keys().filter(|key| paths(key) && key.namespace.contains("rehearsal"));
    assert_eq!(left.count(), 0, "P5: and so do its paths");
    world.settle();
    assert_eq!(condition(&world, "Ready"), says("True", Reason::Open));
}
