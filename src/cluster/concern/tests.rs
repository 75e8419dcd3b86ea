//! Who is told of what.

use super::*;
use crate::api::Stage;
use crate::api::condition::{ConditionType, Finding, merge};
use crate::api::grant::PartnerGrantStatus;
use crate::api::partner::PartnerStatus;
use crate::cluster::status::Statuses;
use crate::journal::Journal;
use crate::journal::append::{Entry, next_record};
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

/// One that says that it waits for another like it to go.
fn waiting() -> PartnerGrant {
    let mut grant = Known::grant(Stage::Sandbox);
    grant.metadata.name = Some("waiting".to_owned());
    grant.metadata.uid = Some("waiting".to_owned());
    let finding = Finding::no(ConditionType::Accepted, Reason::Duplicate, "another one is live");
    let conditions = merge(&[], &[finding], Some(1), jiff::Timestamp::UNIX_EPOCH);
    grant.status = Some(PartnerGrantStatus { conditions, ..PartnerGrantStatus::default() });
    grant
}

/// The names of the grants that are to be looked at.
fn called(queues: &mut Queues) -> Vec<String> {
    std::iter::from_fn(|| queues.grants.try_recv().ok()).map(|grant| grant.name).collect()
}

#[test]
fn the_end_of_a_grant_makes_room_also_where_comity_wrote_it_down_itself() {
    let (mut known, told, mut queues) = story();
    known.tell(&waiting());
    let record = |event| {
        let grant = GrantIdentity { name: "northpay-fraud".into(), uid: "u".into() };
        let entry = Entry::of_grant(event, None, "");
        let spec = next_record(&Journal::default(), &entry, &grant, None, jiff::Timestamp::UNIX_EPOCH);
        let mut record = GrantRecord::new("u-000001", spec);
        record.metadata.namespace = Some("risk-data".to_owned());
        record
    };
    told.record(&record(RecordEvent::Requested), false);
    assert_eq!(called(&mut queues), Vec::<String>::new(), "what it wrote itself is no news");
    told.record(&record(RecordEvent::Requested), true);
    assert_eq!(called(&mut queues), ["northpay-fraud"]);
    told.record(&record(RecordEvent::Ended), false);
    assert_eq!(called(&mut queues), ["northpay-fraud", "waiting"]);
}

#[tokio::test]
async fn one_that_says_that_it_waits_is_looked_at_again_for_room_may_have_been_made_meanwhile() {
    let (_known, told, mut queues) = story();
    let api = FakeApi::default();
    let statuses = Statuses::new(api.client(), &told.catalogue.said);
    let (waiting, mut before) = (waiting(), waiting());
    before.status = None;
    statuses.say(&before, None, waiting.status.as_ref().unwrap()).await.unwrap();
    let stored = api.objects().into_values().next().unwrap();
    let mut now = waiting;
    now.metadata.resource_version = stored["metadata"]["resourceVersion"].as_str().map(str::to_owned);
    told.changed(Some(&before), &now);
    assert_eq!(called(&mut queues), ["waiting"]);
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
