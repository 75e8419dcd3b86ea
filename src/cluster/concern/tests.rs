//! Who is told of what.

use super::*;
use crate::api::Stage;
use crate::policy::testing::World;
use crate::testing::known::Known;

/// The story, its grant told of, and the ends of the queues.
fn story() -> (Known, Concerned, Queues) {
    let mut known = Known::story();
    known.tell(&Known::grant(Stage::Sandbox));
    let (senders, queues) = queues();
    let told = Concerned { catalogue: Arc::clone(&known.catalogue), senders };
    (known, told, queues)
}

/// Which kinds have something to look at: grants, contracts, datasets, partners, boundaries, leftovers.
fn concerned(queues: &mut Queues) -> [bool; 6] {
    [
        queues.grants.try_recv().is_ok(),
        queues.contracts.try_recv().is_ok(),
        queues.datasets.try_recv().is_ok(),
        queues.partners.try_recv().is_ok(),
        queues.boundaries.try_recv().is_ok(),
        queues.leftovers.try_recv().is_ok(),
    ]
}

#[test]
fn a_status_concerns_nobody_but_its_own_object() {
    let (_known, told, mut queues) = story();
    let contract = World::story().contract;
    told.changed(Some(&contract), &contract);
    assert_eq!(concerned(&mut queues), [false, true, false, false, false, false]);
    let mut changed = contract.clone();
    changed.metadata.generation = Some(2);
    told.changed(Some(&contract), &changed);
    assert_eq!(concerned(&mut queues), [true, true, false, false, false, false]);
}

#[test]
fn mending_one_object_reaches_all_that_depend_on_it() {
    let (_known, told, mut queues) = story();
    let mut world = World::story();
    told.changed(None, world.boundary());
    assert_eq!(concerned(&mut queues), [true, true, false, false, true, false]);
    told.changed(None, world.dataset());
    assert_eq!(concerned(&mut queues), [true, true, true, false, false, false]);
    told.changed(None, &world.partner);
    assert_eq!(concerned(&mut queues), [true, false, false, true, false, false]);
    told.service(Some("risk-data"));
    assert_eq!(concerned(&mut queues), [true, true, true, false, false, false]);
    told.service(Some("elsewhere"));
    assert_eq!(concerned(&mut queues), [false; 6]);
}

#[test]
fn what_a_grant_that_is_gone_left_calls_for_the_sweeper() {
    let (_known, told, mut queues) = story();
    let grant = Known::grant(Stage::Sandbox);
    let labels = |uid: &str| {
        BTreeMap::from([
            (name::LABEL_GRANT_UID.to_owned(), uid.to_owned()),
            (name::LABEL_GRANT.to_owned(), grant.name_any()),
            (name::LABEL_GRANT_NAMESPACE.to_owned(), "risk-data".to_owned()),
        ])
    };
    let place = "comity-northpay-fraud-sandbox-00000000".to_owned();
    let key = Key { kind: Kind::Namespace, namespace: place.clone(), name: place };
    told.object(&key, &labels(&grant.uid().unwrap()));
    assert_eq!(concerned(&mut queues), [true, false, false, false, false, false]);
    told.object(&key, &labels("another, of the same name"));
    assert_eq!(concerned(&mut queues), [true, false, false, false, false, true]);
    let identity = |uid: &str| GrantIdentity { name: "northpay-fraud".into(), uid: uid.into() };
    told.journal("risk-data", &identity(&grant.uid().unwrap()));
    assert_eq!(concerned(&mut queues), [true, false, false, false, false, false]);
    told.journal("risk-data", &identity("another, of the same name"));
    assert_eq!(concerned(&mut queues), [true, false, false, false, false, true]);
}
