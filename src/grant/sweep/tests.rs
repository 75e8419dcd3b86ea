//! What is swept, and above all what isn't.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde_json::json;

use super::orphan::{ghost, left_behind, ours, suspects};
use crate::api::record::RecordEvent;
use crate::api::{Stage, name};
use crate::grant::tests::world::{UID, World};
use crate::plan::objects::{Key, Kind, Live, LiveObjects};

/// A sandbox as it stands when it is open.
fn left() -> (World, LiveObjects) {
    let mut world = World::new(Stage::Sandbox);
    world.settle();
    let live = world.live.clone();
    (world, live)
}

fn kinds(live: &LiveObjects) -> BTreeMap<Kind, usize> {
    live.keys().fold(BTreeMap::new(), |mut count, key| {
        *count.entry(key.kind).or_default() += 1;
        count
    })
}

/// Changes one object of a kind, in a stage's namespace or outside of all.
fn spoil(
    live: &mut LiveObjects,
    kind: Kind,
    inside: bool,
    change: impl Fn(&mut Key, &mut serde_json::Value),
) {
    let is_it = |key: &&Key| key.kind == kind && key.namespace.starts_with("comity-") == inside;
    let mut key = live.keys().find(is_it).unwrap().clone();
    let mut body = live.remove(&key).unwrap().value();
    change(&mut key, &mut body);
    live.insert(key, Live::from_value(body));
}

#[test]
fn all_of_a_stage_is_known_again_by_labels_and_names() {
    let (world, live) = left();
    let (names, found) = left_behind(UID, &live).unwrap();
    assert_eq!(names, world.names());
    assert_eq!(kinds(&found), kinds(&live), "nothing is left out");
    let at_the_dataset = found.keys().filter(|key| key.namespace == "risk-data").count();
    assert_eq!(at_the_dataset, 1, "also the ingress policy in the dataset's namespace");
}

#[test]
fn a_namespace_that_only_carries_labels_isnt_touched_nor_is_anything_in_it() {
    for label in [name::LABEL_MANAGED_BY, name::LABEL_STAGE, name::LABEL_GRANT, name::LABEL_GRANT_NAMESPACE] {
        let (world, mut live) = left();
        spoil(&mut live, Kind::Namespace, true, |_, body| {
            body["metadata"]["labels"].as_object_mut().unwrap().remove(label);
        });
        let found = ours(&world.names(), &live);
        assert_eq!(kinds(&found), BTreeMap::from([(Kind::NetworkPolicy, 1)]), "without {label}");
    }
}

#[test]
fn a_namespace_of_another_name_isnt_touched() {
    let (world, live) = left();
    let renamed: LiveObjects = live
        .iter()
        .filter(|(key, _)| key.namespace.starts_with("comity-"))
        .map(|(key, object)| {
            let key = match key.kind {
                Kind::Namespace => {
                    Key { namespace: "payments".into(), name: "payments".into(), ..key.clone() }
                }
                _ => Key { namespace: "payments".into(), ..key.clone() },
            };
            (key, object.clone())
        })
        .collect();
    assert!(ours(&world.names(), &renamed).is_empty());
    assert_eq!(left_behind(UID, &renamed), None);
}

#[test]
fn an_ingress_policy_of_another_name_or_purpose_isnt_touched() {
    let (world, mut live) = left();
    spoil(&mut live, Kind::NetworkPolicy, false, |key, _| key.name = "comity-from-the-office".to_owned());
    assert!(ours(&world.names(), &live).keys().all(|key| key.namespace != "risk-data"));
    let (world, mut live) = left();
    spoil(&mut live, Kind::NetworkPolicy, false, |_, body| {
        body["spec"]["ingress"][0]["from"] = json!([{"podSelector": {}}]);
    });
    assert!(ours(&world.names(), &live).keys().all(|key| key.namespace != "risk-data"));
}

#[test]
fn what_is_left_is_closed_in_order_and_cleared_and_the_journal_ends() {
    for records_are_lost in [false, true] {
        let (mut world, _) = left();
        world.grant = ghost(&world.names(), Time(world.now));
        world.agreement = Err(Vec::new());
        world.finalized = false;
        if records_are_lost {
            world.records.clear();
        }
        while world.any_access() {
            assert!(world.step(), "something is open and nothing is done about it");
            assert_eq!(world.namespaces().len(), 1, "the namespace goes after all access");
        }
        assert_eq!(world.bindings(), 0);
        world.settle();
        world.forward(10);
        world.settle();
        assert!(world.live.is_empty(), "{:?}", world.live.keys());
        let ended = world.records.last().map(|record| record.event);
        assert_eq!(ended, (!records_are_lost).then_some(RecordEvent::Ended), "none is made up either");
        assert!(!world.finalized);
    }
}

#[test]
fn the_journal_of_a_grant_that_went_before_it_got_its_finalizer_is_ended() {
    let mut world = World::new(Stage::Sandbox);
    assert!(world.step() && world.records.len() == 1 && !world.finalized, "asked for, and no more");
    world.grant = ghost(&world.names(), Time(world.now));
    world.agreement = Err(Vec::new());
    world.settle();
    let events: Vec<RecordEvent> = world.records.iter().map(|record| record.event).collect();
    assert_eq!(events, [RecordEvent::Requested, RecordEvent::Ended]);
}

#[test]
fn who_stands_isnt_suspected_and_who_only_left_a_journal_is() {
    let (world, live) = left();
    let objects = || [(UID.to_owned(), live.clone())];
    assert_eq!(suspects(objects(), [], &|_| false), [world.names()]);
    assert!(suspects(objects(), [world.names()], &|uid| uid == UID).is_empty());
    assert_eq!(suspects([], [world.names()], &|_| false), [world.names()]);
}
