//! What tools that deploy from Git are told of a grant: its status in every situation that they tell apart. How Argo CD
//! and kstatus read these is tried with their own code, in `e2e/health`.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::deciding::{asked, decision};
use super::seen::{other, problem};
use super::world::World;
use crate::api::decision::DecisionAction;
use crate::api::{PartnerGrant, Stage};
use crate::grant::status::status;

/// The grant of a world, with the status that Comity gives it.
fn told(world: &World) -> PartnerGrant {
    let (mut grant, scene, names) = (world.grant.clone(), world.scene(), world.names());
    let generation = grant.metadata.generation;
    grant.status = Some(status(&scene.view(&names), &world.decide(), &[], generation, Vec::new()));
    grant
}

/// A grant whose sandbox is open, and what somebody did then.
fn after(change: impl FnOnce(&mut World)) -> World {
    let mut world = World::new(Stage::Sandbox);
    world.settle();
    change(&mut world);
    world
}

fn ended() -> World {
    let mut world = after(|world| world.forward(1_000_000));
    world.settle();
    world
}

fn quarantined() -> World {
    let mut world = after(|_| ());
    let close = decision(&world, DecisionAction::Quarantine, "olga");
    world.decided(close);
    world
}

/// A grant in each situation.
fn situations() -> BTreeMap<&'static str, PartnerGrant> {
    let mut opening = World::new(Stage::Sandbox);
    let _ = (opening.step(), opening.step(), opening.step());
    let mut changed = told(&after(|_| ()));
    changed.metadata.generation = Some(2);
    let mut changed_after_its_end = ended();
    changed_after_its_end.grant.metadata.generation = Some(2);
    BTreeMap::from([
        ("not looked at yet", World::new(Stage::Sandbox).grant),
        ("being opened", told(&opening)),
        ("open", told(&after(|_| ()))),
        ("changed, and not looked at since", changed),
        ("waits for people", told(&asked())),
        ("suspended", told(&after(|world| world.grant.spec.suspend = true))),
        ("quarantined", told(&quarantined())),
        ("not accepted", told(&after(|world| world.agreement = Err(vec![problem()])))),
        ("nothing is left of what was agreed", told(&after(|world| world.agreement = Ok(other())))),
        ("journal broken", told(&after(|world| drop(world.records.remove(0))))),
        ("ended", told(&ended())),
        ("changed after its end", told(&changed_after_its_end)),
        (
            "being deleted",
            told(&after(|world| world.grant.metadata.deletion_timestamp = Some(Time(world.now)))),
        ),
    ])
}

#[test]
fn every_situation_is_told_like_this() {
    let told: BTreeMap<&str, serde_json::Value> = situations()
        .into_iter()
        .map(|(name, grant)| (name, serde_json::to_value(grant).expect("a grant is JSON")))
        .collect();
    insta::assert_yaml_snapshot!(told);
}
