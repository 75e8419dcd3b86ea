//! What is left of what was approved, when what it depends on is narrowed under it.

use proptest::prelude::*;
use proptest::sample::Index;

use super::super::lattice::{Comparison, compare, diff, meet};
use super::super::standing::standing;
use super::super::testing::World;
use super::leaves::{schema, variants};
use crate::api::boundary::{Dns, ReviewFloor};
use crate::api::contract::Reviews;
use crate::api::dataset::Sharing;
use crate::api::effective::EffectivePolicy;
use crate::api::value::Cidr;
use crate::api::{Dataset, SharingBoundary, SharingContract, Stage};

fn stands(world: &World) -> Option<EffectivePolicy> {
    standing(&world.operands(), world.now).remove(&Stage::Production).map(|terms| terms.policy)
}

/// What the story approved, and what is left of it after a change: the changes, as people are told.
fn left(change: impl FnOnce(&mut World)) -> Vec<String> {
    let mut world = World::story();
    let approved = world.agreed().stages[&Stage::Production].policy.clone();
    change(&mut world);
    let live = meet(Some(&approved), stands(&world).as_ref());
    let changes = diff(Some(&approved), live.as_ref());
    assert!(!Comparison::of_all(&changes).gains(), "{changes:#?}");
    changes.iter().map(ToString::to_string).collect()
}

#[test]
fn what_nothing_was_changed_of_stands_as_it_was() {
    assert_eq!(left(|_| ()), Vec::<String>::new());
}

#[test]
fn only_what_is_not_allowed_any_more_is_lost() {
    let lost = left(|world| world.dataset().spec.fields[2].sharing = Sharing::Prohibited);
    assert_eq!(lost, ["field device_hash of transactions: removed"]);
    let lost = left(|world| world.dataset().spec.retention.max = "100h".into());
    assert_eq!(lost, ["artifacts kept for: 720h → 100h (narrower)"]);
    let lost = left(|world| world.dataset().spec.permitted.operations.clear());
    assert_eq!(lost, ["operation Infer: removed", "operation Infer of scorer: removed"]);
    let lost = left(|world| world.dataset().spec.permitted.purposes.clear());
    assert_eq!(lost.len(), 1, "{lost:?}");
    assert!(lost[0].starts_with("dataset transactions 2026-10 sha256:"), "{lost:?}");
    let narrow = vec![Cidr("192.0.2.0/29".to_owned())];
    let lost = left(|world| world.boundary().spec.ceilings.egress.cidrs = narrow);
    assert_eq!(lost, ["egress 192.0.2.8/29:443: removed"]);
    let lost = left(|world| world.boundary().spec.ceilings.egress.dns = Dns::None);
    assert_eq!(lost, ["DNS: Cluster → None (narrower)"]);
    let lost = left(|world| world.boundary().spec.ceilings.runtime_class_names.clear());
    assert_eq!(lost, ["images from registry.retail.example/partners: removed"]);
    let lost = left(|world| world.boundary().spec.ceilings.credential_ttl = "1h".into());
    assert_eq!(lost, ["certificates valid for: 2h → 1h (narrower)"]);
    let lost = left(|world| drop(world.services.remove("tx-features")));
    assert_eq!(lost, ["served by risk-data/tx-features:8443/TCP of transactions: removed"]);
    let lost = left(|world| world.contract.spec.operations[0].actors.clear());
    assert_eq!(lost, ["actor Workload of Infer: removed", "operation Infer of scorer: removed"]);
}

#[test]
fn a_boundary_that_asks_for_more_reviews_is_held_to_although_the_contract_asks_for_fewer() {
    let every = |world: &mut World, every: &str| {
        let floors = world.boundary().spec.floors.get_or_insert_default();
        floors.reviews = Some(ReviewFloor { every: every.into() });
    };
    let lost = left(|world| every(world, "240h"));
    assert_eq!(lost, ["reviewed every: 720h → 240h (narrower)"]);
    assert_eq!(left(|world| every(world, "721h")), Vec::<String>::new(), "the contract's are stricter");
    let mut world = World::story();
    world.contract.spec.reviews = None;
    every(&mut world, "240h");
    let reviews = stands(&world).expect("the rest stands").reviews;
    assert_eq!(reviews, Some(Reviews { every: "240h".into(), grace: "0s".into() }), "it asked for none");
}

#[test]
fn a_missing_one_leaves_nothing() {
    let everything = ["everything that was agreed: removed"];
    let changes: [fn(&mut World); 7] = [
        |world| world.partner.spec.controls.clear(),
        |world| world.partner.spec.allowed_namespaces = None,
        |world| world.contract.spec.partners.clear(),
        |world| world.contract.spec.purposes = vec!["model-quality".into()],
        |world| world.boundaries.clear(),
        |world| world.datasets.clear(),
        |world| drop(world.boundary().spec.ceilings.stages.pop()),
    ];
    for change in changes {
        assert_eq!(left(change), everything);
    }
    let mut world = World::story();
    let operands = super::super::Operands { contract: None, ..world.operands() };
    assert!(standing(&operands, world.now).is_empty());
    let operands = super::super::Operands { partner: None, ..world.operands() };
    assert!(standing(&operands, world.now).is_empty());
    world.now = super::super::testing::instant("2036-02-01T00:00:00Z");
    assert_eq!(stands(&world), None, "its controls have run out");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn it_is_what_is_agreed_where_anything_is_and_never_more(kind in 0_usize..3, at in any::<Index>()) {
        let mut world = World::story();
        let spec = match kind {
            0 => serde_json::to_value(&world.contract.spec).map(|spec| (schema::<SharingContract>(), spec)),
            1 => serde_json::to_value(&world.datasets[0].spec).map(|spec| (schema::<Dataset>(), spec)),
            _ => serde_json::to_value(&world.boundaries[0].spec).map(|spec| (schema::<SharingBoundary>(), spec)),
        };
        let (schema, spec) = spec.expect("JSON");
        let mut all = variants(&schema, &spec);
        let changed = all.swap_remove(at.index(all.len()));
        match kind {
            0 => world.contract.spec = serde_json::from_value(changed.spec).expect("a contract"),
            1 => world.dataset().spec = serde_json::from_value(changed.spec).expect("a dataset"),
            _ => world.boundary().spec = serde_json::from_value(changed.spec).expect("a boundary"),
        }
        let stands = stands(&world);
        if let Ok(agreed) = world.resolve() {
            let agreed = agreed.stages.get(&Stage::Production).map(|terms| terms.policy.clone());
            let changes = diff(agreed.as_ref(), stands.as_ref());
            prop_assert_eq!(compare(agreed.as_ref(), stands.as_ref()), Comparison::Equal, "{}: {:#?}", changed.path, changes);
        }
    }
}
