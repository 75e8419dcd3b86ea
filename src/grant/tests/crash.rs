//! A process that dies at any request, heard or not, and one that comes too late: what stands in the
//! end is what one leaves that lives on.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde_json::Value;

use super::play::{GRANT, Play};
use crate::plan::objects::Kind;
use crate::testing::api::FakeApi;
use crate::testing::known::{Known, now};

/// How many passes are enough for anything.
const ENOUGH: usize = 12;

/// What others do between passes, and what a watch tells of the grant.
fn others_act(play: &mut Play) {
    let stored = [GRANT.to_owned(), format!("{GRANT}/status")].map(|part| play.api.get(&part));
    let [Some(grant), status] = stored else { panic!("the grant is there") };
    play.grant.metadata.finalizers = serde_json::from_value(grant["metadata"]["finalizers"].clone()).unwrap();
    play.grant.status =
        status.and_then(|mut status| serde_json::from_value(status["status"].take()).unwrap());
    match play.place() {
        Some(place) if play.grant.metadata.deletion_timestamp.is_some() => play.known.certificates_go(&place),
        _ => play.others_act(),
    }
}

/// Passes until there is nothing left to do. Gives how many requests that took, Events aside.
async fn settle(play: &mut Play) -> usize {
    let mut requests = 0;
    for _ in 0..ENOUGH {
        others_act(play);
        match play.pass().await.len() {
            0 => return requests,
            sent => requests += sent,
        }
    }
    panic!("it never comes to rest")
}

/// Passes of a process that is dying: whatever it tries fails.
async fn falter(play: &mut Play) {
    for _ in 0..3 {
        others_act(play);
        drop(play.try_pass().await);
    }
    play.api.heal();
    play.api.requests();
}

/// Another process, which knows what stands and nothing else.
fn restarted(play: &Play) -> Play {
    let known = Known::story();
    for (path, object) in play.api.objects() {
        let is_of = |kind: &Kind| path.contains(&format!("/{}/", kind.api().plural));
        if let Some(record) = path.split_once("/grantrecords/").map(|(_, name)| name) {
            let spec = serde_json::from_value(object["spec"].clone()).unwrap();
            known.catalogue.records.put("risk-data", record, spec);
        } else if path.matches('/').count() == 4 && path.contains("/namespaces/") {
            known.catalogue.objects.put(Kind::Namespace, object);
        } else if let Some(kind) = Kind::ALL.into_iter().filter(|kind| *kind != Kind::Namespace).find(is_of) {
            known.catalogue.objects.put(kind, object);
        }
    }
    Play::at(play.api.clone(), play.grant.clone(), known)
}

/// All that is stored, but for what differs from run to run.
fn stored(api: &FakeApi) -> BTreeMap<String, Value> {
    let mut objects = api.objects();
    objects.retain(|path, _| !path.contains("/events"));
    for object in objects.values_mut() {
        for field in ["uid", "resourceVersion"] {
            object["metadata"][field] = Value::Null;
        }
    }
    objects
}

async fn opened() -> Play {
    let mut play = Play::new();
    settle(&mut play).await;
    play
}

async fn deleted() -> Play {
    let mut play = opened().await;
    play.grant.metadata.deletion_timestamp = Some(Time(now()));
    play
}

/// Dies at each request of what is left to do, and compares with one that lives on.
async fn dies_at_each_request(begin: impl AsyncFn() -> Play) {
    let mut whole = begin().await;
    let requests = settle(&mut whole).await;
    let expected = stored(&whole.api);
    assert!(requests > 10, "there is something to die at: {requests}");
    for crash in 0..requests {
        for die in [FakeApi::crash_after, FakeApi::crash_unheard_after] {
            let mut play = begin().await;
            die(&play.api, crash);
            falter(&mut play).await;
            let mut play = restarted(&play);
            settle(&mut play).await;
            assert_same(&stored(&play.api), &expected, crash);
        }
    }
}

fn assert_same(found: &BTreeMap<String, Value>, expected: &BTreeMap<String, Value>, crash: usize) {
    let paths = found.keys().chain(expected.keys());
    let differ = paths.filter(|path| found.get(*path) != expected.get(*path));
    let differ: Vec<_> = differ.map(|path| (path, found.get(path), expected.get(path))).collect();
    assert!(differ.is_empty(), "dead at request {crash}: {differ:#?}");
}

#[tokio::test]
async fn an_opening_that_died_at_any_request_comes_to_the_same() {
    dies_at_each_request(async || Play::new()).await;
}

#[tokio::test]
async fn a_closing_that_died_at_any_request_comes_to_the_same() {
    dies_at_each_request(deleted).await;
}

#[tokio::test]
async fn a_gate_is_never_set_on_a_namespace_that_went_or_is_another() {
    for comes_back in [false, true] {
        let mut play = Play::new();
        play.pass().await;
        let namespace = format!("/api/v1/namespaces/{}", play.place().unwrap());
        let mut another = play.api.get(&namespace).unwrap();
        play.api.remove(&namespace);
        if comes_back {
            another["metadata"]["uid"] = Value::from("another");
            play.api.put(&namespace, &another);
        }
        others_act(&mut play);
        let error = play.try_pass().await.unwrap_err();
        assert!(error.to_string().starts_with("applying Namespace"), "{error}");
        let left = play.api.get(&namespace).map(|namespace| namespace["metadata"]["labels"].clone());
        let as_it_was = comes_back.then(|| another["metadata"]["labels"].clone());
        assert_eq!(left, as_it_was, "no watch has told of it, and it is left alone");
    }
}
