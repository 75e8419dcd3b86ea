//! What is open and isn't held any more by all that should hold it says so, and nothing opens.

use super::seen::{condition, says, told};
use super::world::World;
use crate::api::condition::Reason;
use crate::api::{Stage, name};
use crate::plan::objects::{Kind, Live};

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
