//! Who is told of what.

use super::*;
use crate::api::Stage;
use crate::api::partner::PartnerStatus;
use crate::cluster::status::Statuses;
use crate::policy::testing::World;
use crate::testing::api::FakeApi;
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

/// What is told of next has another version, and otherwise differs as `change` says.
fn next(before: &Partner, version: &str, change: impl FnOnce(&mut Partner)) -> Partner {
    let mut next = before.clone();
    next.metadata.resource_version = Some(version.to_owned());
    change(&mut next);
    next
}

#[tokio::test]
async fn what_comity_just_said_itself_is_no_news_and_anything_beside_it_is() {
    let (_known, told, mut queues) = story();
    let api = FakeApi::default();
    let mut before = World::story().partner;
    before.metadata.uid = Some("partner".to_owned());
    let path = format!("/apis/comity.dev/v1alpha1/partners/{}", before.name_any());
    let statuses = Statuses::new(api.client(), &told.catalogue.said);
    let said = async |generation| {
        let status = PartnerStatus { observed_generation: Some(generation), ..PartnerStatus::default() };
        statuses.say(&before, None, &status).await.unwrap();
        let stored = api.get(&format!("{path}/status")).or_else(|| api.get(&path)).unwrap();
        stored["metadata"]["resourceVersion"].as_str().unwrap().to_owned()
    };
    let version = said(1).await;
    let echo = next(&before, &version, |_| ());
    told.changed(Some(&before), &echo);
    assert_eq!(concerned(&mut queues), [false; 6], "whoever wrote it has looked at all the rest");
    told.changed(Some(&before), &echo);
    assert!(concerned(&mut queues)[3], "and it is no echo twice");
    let version = said(2).await;
    told.changed(Some(&before), &next(&before, &version, |now| now.metadata.generation = Some(7)));
    assert!(concerned(&mut queues)[3], "something else was told of with it");
    let version = said(3).await;
    told.changed(Some(&before), &next(&before, &format!("{version}0"), |_| ()));
    assert!(concerned(&mut queues)[3], "somebody wrote over it");
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
