//! However many pods there are, and whatever they say, all of them are seen.
#![expect(clippy::disallowed_types, reason = "a writer is given a client")]

use std::sync::{Arc, Mutex};

use http::{Request as HttpRequest, Response};
use kube::Client;
use kube::client::Body;
use serde_json::json;

use super::*;
use crate::testing::known::Known;

/// What is asked for: the number of objects on a page, and from which on.
type Asked = Arc<Mutex<Vec<(usize, usize)>>>;

/// A hand at an API server that has these pods, and answers each list page by page.
fn writer(pods: Vec<Value>) -> (Writer, Asked) {
    let (service, mut handle) = tower_test::mock::pair::<HttpRequest<Body>, Response<Body>>();
    let asked = Asked::default();
    let seen = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Some((request, respond)) = handle.next_request().await {
            let query = request.uri().query().unwrap_or_default();
            let number = |name: &str| {
                let found = query.split('&').find_map(|part| part.strip_prefix(&format!("{name}=")));
                found.map_or(0, |number| number.parse().unwrap())
            };
            let (limit, from) = (number("limit"), number("continue"));
            seen.lock().unwrap().push((limit, from));
            let items: Vec<&Value> = pods.iter().skip(from).take(limit).collect();
            let is_more = from + limit < pods.len();
            let next = if is_more { (from + limit).to_string() } else { String::new() };
            let page = json!({"metadata": {"resourceVersion": "1", "continue": next}, "items": items});
            respond.send_response(Response::new(Body::from(page.to_string().into_bytes())));
        }
    });
    (Writer::new(Client::new(service, "default"), Known::story().catalogue), asked)
}

fn pod(name: &str) -> Value {
    json!({"metadata": {"name": name, "uid": name}, "spec": {"containers": []}})
}

/// Pods that are there and on their way out, and what is said of each is as it mustn't be read.
fn poisoned() -> Vec<Value> {
    let managed = |name: &str, managed: Value| {
        let mut pod = pod(name);
        pod["metadata"]["managedFields"] = managed;
        pod
    };
    let deep = (0..1000).fold(json!({}), |inner, _| json!({"f:x": inner}));
    let mut beyond = pod("beyond");
    beyond["metadata"]["deletionTimestamp"] = json!("9999-12-31T23:59:59Z");
    beyond["metadata"]["deletionGracePeriodSeconds"] = json!(1e300);
    let mut odd = pod("odd");
    odd["spec"] = json!({"containers": 7});
    let mut status = pod("status");
    status["status"] = json!({"phase": "Succeeded", "startTime": "9999-12-31T23:59:59Z"});
    vec![
        managed("time", json!([{"manager": "x", "time": "9999-12-31T23:59:59Z"}])),
        managed("depth", json!([{"manager": "x", "fieldsV1": deep}])),
        beyond,
        odd,
        status,
    ]
}

#[tokio::test]
async fn nothing_that_a_pod_says_hides_it_or_others() {
    let (writer, _) = writer([poisoned(), vec![pod("last")]].concat());
    let left = writer.pods("place").await.unwrap();
    let told: Vec<(&str, bool)> = left.iter().map(|pod| (pod.uid.as_str(), pod.ending)).collect();
    let all = ["time", "depth", "beyond", "odd", "status", "last"];
    assert_eq!(told, all.map(|name| (name, false)));
}

#[tokio::test]
async fn a_pod_that_cannot_be_read_is_objected_to_as_one() {
    let (writer, _) = writer([poisoned(), vec![pod("last")]].concat());
    let against = writer.pods_against("place", |pod| pod.is_none().then_some(())).await.unwrap();
    let unread: Vec<String> = against.into_iter().map(|(left, ())| left.name).collect();
    assert_eq!(unread, ["beyond", "odd"], "a status aside, and who set which field, which nobody asks");
    let ended = |pod: &Pod| pod.status.as_ref().is_some_and(|status| status.phase.is_some());
    let against = writer.pods_against("place", |pod| pod.filter(|pod| ended(pod)).map(drop)).await.unwrap();
    assert!(against.is_empty(), "an end that can't be read is none");
}

#[tokio::test]
async fn all_pods_are_seen_however_many_of_them_stay_where_they_are() {
    let stuck = |number: usize| {
        let mut pod = pod(&format!("a-{number:04}"));
        pod["metadata"]["deletionTimestamp"] = json!("2026-11-20T12:00:00Z");
        pod["metadata"]["deletionGracePeriodSeconds"] = json!(0);
        pod
    };
    let pods: Vec<Value> = (0..1100).map(stuck).chain([pod("z")]).collect();
    let (writer, asked) = writer(pods);
    let left = writer.pods("place").await.unwrap();
    assert_eq!(left.len(), 1101);
    let runs: Vec<&Left> = left.iter().filter(|pod| !pod.ending).collect();
    assert_eq!(runs.iter().map(|pod| pod.name.as_str()).collect::<Vec<_>>(), ["z"]);
    assert_eq!(*asked.lock().unwrap(), [(500, 0), (500, 500), (500, 1000)]);
}
