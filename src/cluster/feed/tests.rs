//! An object that can't be read hides no other one, and nothing of what it was before stays.

use std::time::Duration;

use futures::StreamExt as _;
use http::{Request, Response};
use kube::client::Body;
use kube::runtime::reflector::ObjectRef;
use serde_json::json;
use tokio::sync::mpsc;

use super::doors::Doors;
use super::*;
use crate::api::Partner;
use crate::cluster::readable::Unreadable;
use crate::journal::Broken;
use crate::policy::boundary::{matching, meet};
use crate::policy::testing::World;
use crate::testing::known::Known;

const SOON: Duration = Duration::from_secs(20);
/// A time as Kubernetes' `date-time` has it, and no reader.
const BEYOND: &str = "9999-12-31T23:59:59Z";

/// Answers each list with what `items` holds for its path. A watch on partners or on `RoleBindings` tells of what
/// comes through the channel it gives, all others of nothing.
fn served(items: BTreeMap<&'static str, Vec<Value>>) -> (Client, mpsc::UnboundedSender<Value>) {
    let (service, mut handle) = tower_test::mock::pair::<Request<Body>, Response<Body>>();
    let (tell, mut told) = mpsc::unbounded_channel::<Value>();
    tokio::spawn(async move {
        let mut silent = Vec::new();
        let mut followed = Vec::new();
        loop {
            tokio::select! {
                Some((request, respond)) = handle.next_request() => {
                    let plural = request.uri().path().rsplit('/').next().unwrap_or_default().to_owned();
                    let watches = request.uri().query().unwrap_or_default().contains("watch=true");
                    if !watches {
                        let items = items.get(plural.as_str()).cloned().unwrap_or_default();
                        let list = json!({"metadata": {"resourceVersion": "1"}, "items": items});
                        respond.send_response(Response::new(Body::from(list.to_string().into_bytes())));
                    } else if ["partners", "rolebindings"].contains(&plural.as_str()) {
                        followed.push(respond);
                    } else {
                        silent.push(respond);
                    }
                }
                // Each watch is answered with one event, and begun again by the client.
                Some(event) = told.recv(), if !followed.is_empty() => {
                    // In the API server's order.
                    let line = format!(r#"{{"type":{},"object":{}}}"#, event["type"], event["object"]);
                    let line = format!("{line}\n").into_bytes();
                    followed.remove(0).send_response(Response::new(Body::from(line)));
                }
                else => return,
            }
        }
    });
    (Client::new(service, "default"), tell)
}

fn partner(name: &str) -> Value {
    let mut partner = serde_json::to_value(World::story().partner).unwrap();
    partner["metadata"] = json!({"name": name, "uid": name, "resourceVersion": "1"});
    partner
}

fn unreadable(name: &str) -> Value {
    let mut partner = partner(name);
    partner["spec"]["controls"] = json!([{"name": "iso27001", "validUntil": BEYOND}]);
    partner
}

/// What is nested deeper than any reader goes.
fn nested(depth: usize) -> Value {
    (0..depth).fold(json!({}), |inner, _| json!({"f:x": inner}))
}

/// What a process knows that was told of these objects, once it was told of everything.
async fn filled(items: BTreeMap<&'static str, Vec<Value>>) -> (Feeds, Queues, mpsc::UnboundedSender<Value>) {
    let (client, tell) = served(items);
    let asked = Watched { kinds: &[], doors: None, admission: Admission::default() };
    let (clock, watches) = (Clock::default(), Watches::default());
    let (mut feeds, queues) = Feeds::start(&client, asked, (&clock, &watches));
    tokio::time::timeout(SOON, feeds.filled()).await.expect("one bad object blocks nothing");
    (feeds, queues, tell)
}

fn known(feeds: &Feeds, name: &str) -> bool {
    feeds.catalogue.partners.get(&ObjectRef::<Partner>::new(name)).is_some()
}

async fn soon(what: impl Future<Output = ()>) {
    tokio::time::timeout(SOON, what).await.expect("it doesn't take long");
}

/// Waits for the next partner that has to be looked at.
async fn next(queues: &mut Queues) -> String {
    let next = tokio::time::timeout(SOON, queues.partners.next()).await;
    next.expect("something is told of").expect("the watches run").name
}

#[tokio::test]
async fn a_list_with_an_object_that_cannot_be_read_fills_and_the_others_are_there() {
    let items = BTreeMap::from([("partners", vec![partner("good"), unreadable("bad"), partner("last")])]);
    let (feeds, ..) = filled(items).await;
    assert_eq!(["good", "bad", "last"].map(|name| known(&feeds, name)), [true, false, true]);
}

#[tokio::test]
async fn an_object_that_cannot_be_read_any_more_is_forgotten_and_noticed_again() {
    let (feeds, mut queues, tell) = filled([("partners", vec![partner("one")])].into()).await;
    assert_eq!(next(&mut queues).await, "one");
    let event = |kind: &str, object: Value| json!({"type": kind, "object": object});
    tell.send(event("MODIFIED", unreadable("one"))).unwrap();
    assert_eq!(next(&mut queues).await, "one");
    assert!(!known(&feeds, "one"), "the old one doesn't stay");
    tell.send(event("MODIFIED", partner("one"))).unwrap();
    assert_eq!(next(&mut queues).await, "one");
    assert!(known(&feeds, "one"), "and it heals");
    tell.send(event("DELETED", unreadable("one"))).unwrap();
    assert_eq!(next(&mut queues).await, "one");
    assert!(!known(&feeds, "one"));
}

#[tokio::test]
async fn neither_field_managers_nor_a_status_keep_an_object_from_being_read() {
    let mut managed = partner("managed");
    managed["metadata"]["managedFields"] = json!([{"manager": "x", "time": BEYOND}]);
    let mut deep = partner("deep");
    deep["metadata"]["managedFields"] = json!([{"manager": "x", "fieldsV1": nested(1000)}]);
    let mut status = partner("status");
    status["status"] = json!({"conditions": [{"type": "Ready", "status": "True", "reason": "R",
        "message": "", "lastTransitionTime": BEYOND}]});
    let mut namespace = json!({"metadata": {"name": "home", "uid": "home", "resourceVersion": "1"}});
    namespace["metadata"]["managedFields"] = json!([{"manager": "x", "time": BEYOND}]);
    let (feeds, mut queues, tell) = filled([("partners", vec![managed, deep.clone(), status])].into()).await;
    assert_eq!(["managed", "deep", "status"].map(|name| known(&feeds, name)), [true; 3]);
    for _ in 0..3 {
        next(&mut queues).await;
    }
    deep["metadata"]["name"] = json!("later");
    tell.send(json!({"type": "ADDED", "object": deep})).unwrap();
    assert_eq!(next(&mut queues).await, "later", "nor from being told of");
    let read: Readable<DynamicObject> = serde_json::from_value(namespace).unwrap();
    assert!(read.0.is_ok());
}

#[tokio::test]
async fn a_record_that_cannot_be_read_breaks_the_journal_of_its_grant() {
    let name = name::record("uid", 1);
    let metadata = json!({"name": name, "namespace": "home", "uid": "r", "resourceVersion": "1"});
    let record = json!({"metadata": metadata, "spec": {"at": BEYOND}});
    let (feeds, ..) = filled([("grantrecords", vec![record])].into()).await;
    let journal = feeds.catalogue.records.journal("home", "uid");
    assert_eq!(journal, Err(Broken::Unreadable { sequence: 1 }));
}

#[tokio::test]
async fn a_boundary_that_cannot_be_read_permits_nothing_to_anybody() {
    let metadata = json!({"name": "broken", "uid": "b", "resourceVersion": "1"});
    let bad = json!({"metadata": metadata, "spec": {"ceilings": "all"}});
    let good = json!(World::story().boundaries[0]);
    let (feeds, ..) = filled([("sharingboundaries", vec![good, bad])].into()).await;
    let all = feeds.catalogue.every_boundary();
    let all: Vec<_> = all.iter().map(AsRef::as_ref).collect();
    let selected = matching(&all, "anywhere", &BTreeMap::new());
    assert_eq!(selected.iter().map(|boundary| boundary.name_any()).collect::<Vec<_>>(), ["broken"]);
    assert!(meet(&selected).is_none());
}

#[test]
fn a_deleted_service_is_forgotten_although_it_cannot_be_read() {
    let known = Known::story();
    let before = known.catalogue.services.of_namespace("risk-data");
    let (name, _) = before.first_key_value().unwrap();
    let bad = json!({"metadata": {"name": name, "namespace": "risk-data"}, "spec": {"ports": "none"}});
    let read: Readable<Service> = serde_json::from_value(bad).unwrap();
    let Unreadable { metadata, .. } = read.0.unwrap_err();
    known.catalogue.services.remove(&metadata);
    assert_eq!(known.catalogue.services.of_namespace("risk-data").len(), before.len() - 1);
}

/// A `RoleBinding` in this namespace that lets somebody in.
fn door(namespace: &str) -> Value {
    let role = json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "let-in"});
    json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "roleRef": role,
        "metadata": {"name": "let-in", "namespace": namespace, "uid": namespace, "resourceVersion": "1"}})
}

#[tokio::test]
async fn nobody_is_let_in_once_the_last_door_is_gone() {
    let (client, tell) = served([("rolebindings", vec![door("one"), door("other")])].into());
    let (clock, watches) = (Clock::default(), Watches::default());
    let mut doors = Doors::start(&client, "let-in", (&clock, &watches));
    soon(doors.filled()).await;
    soon(doors.any()).await;
    tell.send(json!({"type": "DELETED", "object": door("one")})).unwrap();
    tell.send(json!({"type": "DELETED", "object": door("other")})).unwrap();
    soon(doors.none_for(Duration::from_millis(1))).await;
    tell.send(json!({"type": "ADDED", "object": door("third")})).unwrap();
    soon(doors.any()).await;
    let waiting = tokio::time::timeout(Duration::from_millis(50), doors.none_for(Duration::ZERO));
    assert!(waiting.await.is_err(), "somebody is let in");
    assert!(watches.unreadable().contains_key("Door"));
    drop(doors);
    assert!(watches.unreadable().is_empty(), "nobody knows any more how it would fare");
}
