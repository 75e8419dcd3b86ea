//! The conductor against a recording API server: which requests an opening and a closing take, in
//! which order, and that a pass over what stands takes none.

use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt as _;
use serde_json::{Value, json};

use super::play::{GRANT, Play};
use crate::api::record::RecordReason;
use crate::api::{PartnerGrant, Stage, name};
use crate::grant::reconcile::reconcile;
use crate::journal::Recorded;
use crate::plan::objects::Kind;
use crate::plan::retry::Failure as _;
use crate::testing::api::merge;
use crate::testing::known::now;

#[tokio::test]
async fn one_opening_takes_these_requests_in_this_order() {
    let mut play = Play::new();
    let requests = play.open().await;
    insta::assert_snapshot!(requests.join("\n"));
    assert_eq!(play.counts.taken(), ["Written", "Written", "open [Sandbox until 2026-12-08T00:00:00Z]"]);
}

#[tokio::test]
async fn a_pass_over_what_stands_sends_nothing() {
    let mut play = Play::new();
    play.open().await;
    for _ in 0..3 {
        assert_eq!(play.pass().await, Vec::<String>::new());
    }
    assert_eq!(play.counts.taken().len(), 3, "nor is anything counted");
}

#[tokio::test]
async fn one_closing_takes_these_requests_in_this_order() {
    let mut play = Play::new();
    play.open().await;
    play.counts.taken();
    play.grant.metadata.deletion_timestamp = Some(Time(now()));
    let mut requests = play.pass().await;
    requests.push("(comity sign takes its certificates back)".to_owned());
    play.known.certificates_go(&play.place().unwrap());
    requests.extend(play.pass().await);
    insta::assert_snapshot!(requests.join("\n"));
    assert_eq!(play.counts.taken(), ["Written", "open []", "Written"]);
}

#[tokio::test]
async fn what_somebody_takes_away_is_put_back_and_nothing_else_is_sent() {
    let mut play = Play::new();
    play.open().await;
    let place = play.place().unwrap();
    let path =
        format!("/apis/networking.k8s.io/v1/namespaces/{place}/networkpolicies/{}", name::DEFAULT_DENY);
    let gone = play.api.get(&path).unwrap();
    play.api.remove(&path);
    play.context.catalogue.objects.remove(Kind::NetworkPolicy, &gone);
    let requests = play.pass().await;
    let put_back = "POST /apis/networking.k8s.io/v1/namespaces/STAGE/networkpolicies";
    assert_eq!(requests, [put_back]);
    assert!(play.api.get(&path).is_some());
    assert_eq!(play.pass().await, Vec::<String>::new());
    // As where somebody made it and no watch has told of that yet.
    play.context.catalogue.objects.remove(Kind::NetworkPolicy, &play.api.get(&path).unwrap());
    let applied = format!("PATCH {}", path.replace(&place, "STAGE"));
    assert_eq!(play.pass().await, [put_back.to_owned(), applied], "what is there after all is applied");
    assert_eq!(play.pass().await, Vec::<String>::new());
}

#[tokio::test]
async fn how_late_an_end_was_is_counted_once() {
    let mut play = Play::new();
    play.open().await;
    play.counts.taken();
    let (namespace, uid) = (play.grant.namespace().unwrap(), play.grant.uid().unwrap());
    let end = play.context.catalogue.records.journal(&namespace, &uid).unwrap().openings[0].end;
    play.context.clock.saw(end);
    play.pass().await;
    assert_eq!(play.counts.taken(), ["expired", "Written", "open []"]);
    play.pass().await;
    assert_eq!(play.counts.taken(), Vec::<String>::new());
}

#[tokio::test]
async fn of_two_that_are_accepted_at_once_only_one_is_opened() {
    let mut play = Play::new();
    let mut rival = play.grant.clone();
    rival.metadata.name = Some("rival".to_owned());
    rival.metadata.uid = Some("ffffffff-rival".to_owned());
    play.api.put(&GRANT.replace("northpay-fraud", "rival"), &rival);
    let (one, other) = (play.known.tell(&play.grant), play.known.tell(&rival));
    // Neither has a record when the other is looked at.
    let both = futures::join!(
        reconcile(one, Arc::clone(&play.context)),
        reconcile(other, Arc::clone(&play.context))
    );
    both.0.unwrap();
    both.1.unwrap();
    let lines = |grant: &PartnerGrant| {
        let records = &play.context.catalogue.records;
        records.journal(&grant.namespace().unwrap(), &grant.uid().unwrap()).unwrap().next - 1
    };
    assert_eq!((lines(&play.grant), lines(&rival)), (2, 1), "both were asked for, and one was opened");
}

/// A sandbox that is open and a rehearsal beside it that is being opened.
async fn two_places(play: &mut Play) -> [String; 2] {
    play.grant.spec.stage = Stage::Rehearsal;
    play.open().await;
    let (namespace, uid) = (play.grant.namespace().unwrap(), play.grant.uid().unwrap());
    let journal = play.context.catalogue.records.journal(&namespace, &uid).unwrap();
    let [sandbox, rehearsal] = journal.openings.as_slice() else { panic!("{journal:?}") };
    [sandbox.namespace.clone(), rehearsal.namespace.clone()]
}

#[tokio::test]
async fn what_cant_be_closed_holds_up_nothing_else() {
    for code in [500, 403] {
        let mut play = Play::new();
        let [sandbox, rehearsal] = two_places(&mut play).await;
        let binding = format!("DELETE /apis/rbac.authorization.k8s.io/v1/namespaces/{sandbox}/rolebindings");
        play.grant.metadata.deletion_timestamp = Some(Time(now()));
        play.api.fail(&binding, code, 1);
        play.counts.taken();
        let error = play.try_pass().await.unwrap_err();
        assert!(error.to_string().starts_with("deleting RoleBinding"), "the failure is told: {error}");
        let writes = play.api.writes();
        for done in [
            format!("PATCH /api/v1/namespaces/{sandbox}"),
            format!(
                "DELETE /apis/networking.k8s.io/v1/namespaces/{sandbox}/networkpolicies/{}",
                name::ALLOW_DNS
            ),
            format!("PATCH /api/v1/namespaces/{rehearsal}"),
            format!(
                "DELETE /apis/networking.k8s.io/v1/namespaces/{rehearsal}/networkpolicies/{}",
                name::ALLOW_DNS
            ),
        ] {
            assert!(writes.contains(&done), "{done} is missing in {writes:#?}");
        }
        assert!(!writes.iter().any(|write| write == &format!("DELETE /api/v1/namespaces/{sandbox}")));
        let written = play.counts.taken().iter().filter(|count| *count == "Written").count();
        assert_eq!(written, 1, "only what is closed is recorded as closed");
        play.known.certificates_go(&sandbox);
        play.known.certificates_go(&rehearsal);
        play.forward(1);
        let rest = play.pass().await;
        assert!(rest.iter().any(|request| request.contains("/rolebindings/")), "{rest:#?}");
        assert!(
            rest.iter().any(|request| request == &format!("DELETE /api/v1/namespaces/{sandbox}")),
            "{rest:#?}"
        );
    }
}

#[tokio::test]
async fn what_somebody_refuses_to_narrow_is_closed_after_a_while_and_tried_again_now_and_then() {
    let mut play = Play::new();
    play.open().await;
    let place = play.place().unwrap();
    play.grant.spec.workloads.clear();
    play.api.fail(&format!("PATCH /apis/comity.dev/v1alpha1/namespaces/{place}/stagepolicies"), 403, 1000);
    let is_bound = |play: &Play| play.api.objects().keys().any(|path| path.contains("comity-role-"));
    let (namespace, uid) = (play.grant.namespace().unwrap(), play.grant.uid().unwrap());
    let state =
        |play: &Play| play.context.catalogue.records.journal(&namespace, &uid).unwrap().openings[0].state;
    let is_closed =
        |play: &Play| matches!(state(play), Recorded::Suspended { reason: RecordReason::Unconfined, .. });
    for seconds in [1, 14, 14] {
        play.try_pass().await.unwrap_err();
        assert!(is_bound(&play) && !is_closed(&play));
        play.forward(seconds);
    }
    play.forward(1);
    play.pass().await;
    assert!(!is_bound(&play) && is_closed(&play));
    assert_eq!(
        play.pass().await,
        Vec::<String>::new(),
        "and then nothing is done about it for half a minute"
    );
    for _ in 0..3 {
        play.forward(60);
        play.try_pass().await.unwrap_err();
        play.pass().await;
        assert!(!is_bound(&play) && is_closed(&play));
    }
    play.restart();
    play.try_pass().await.unwrap_err();
    assert!(!is_bound(&play) && is_closed(&play), "another process knows nothing, and opens nothing");
    play.api.heal();
    play.forward(60);
    play.pass().await;
    assert_eq!((is_bound(&play), state(&play)), (true, Recorded::Open));
}

#[tokio::test]
async fn a_place_whose_paths_nobody_lets_go_is_written_down_as_closed_all_the_same() {
    let mut play = Play::new();
    play.open().await;
    let place = play.place().unwrap();
    play.grant.spec.workloads.clear();
    let path = format!(
        "/apis/networking.k8s.io/v1/namespaces/{place}/networkpolicies/comity-allow-dataset-transactions"
    );
    play.api.fail(&format!("PATCH /apis/comity.dev/v1alpha1/namespaces/{place}/stagepolicies"), 403, 1000);
    play.api.fail(&format!("DELETE {path}"), 403, 1000);
    for seconds in [1, 14, 15, 0] {
        play.try_pass().await.unwrap_err();
        play.forward(seconds);
    }
    let (namespace, uid) = (play.grant.namespace().unwrap(), play.grant.uid().unwrap());
    let state = play.context.catalogue.records.journal(&namespace, &uid).unwrap().openings[0].state;
    assert!(matches!(state, Recorded::Suspended { reason: RecordReason::Unconfined, .. }), "{state:?}");
    assert!(play.api.get(&path).is_some(), "`comity sign` stops, though a path is left");
}

#[tokio::test]
async fn what_somebody_says_is_gone_and_is_there_is_not_taken_for_gone() {
    for code in [404, 409] {
        let mut play = Play::new();
        play.open().await;
        let place = play.place().unwrap();
        let path = format!(
            "/apis/networking.k8s.io/v1/namespaces/{place}/networkpolicies/comity-allow-dataset-transactions"
        );
        play.grant.spec.suspend = true;
        play.api.fail(&format!("DELETE {path}"), code, 1);
        play.try_pass().await.unwrap_err();
        assert!(play.api.get(&path).is_some());
        play.pass().await;
        assert!(play.api.get(&path).is_none(), "it is deleted once nobody says so");
    }
}

#[tokio::test]
async fn each_of_several_is_deleted_although_the_first_cant_be() {
    let mut play = Play::new();
    play.open().await;
    let place = play.place().unwrap();
    let policy = |name: &str| format!("/apis/networking.k8s.io/v1/namespaces/{place}/networkpolicies/{name}");
    let first = policy("comity-allow-dataset-transactions");
    play.grant.spec.suspend = true;
    play.api.fail(&format!("DELETE {first}"), 500, 1);
    play.counts.taken();
    let halted = play.try_pass().await.unwrap_err();
    let (namespace, uid) = (play.grant.namespace().unwrap(), play.grant.uid().unwrap());
    let end = play.context.catalogue.records.journal(&namespace, &uid).unwrap().openings[0].end;
    assert!(halted.at_the_latest().is_some_and(|due| due <= end), "the end waits for no backoff");
    assert!(play.api.get(&first).is_some() && play.api.get(&policy(name::ALLOW_WITHIN)).is_none());
    assert_eq!(play.counts.taken(), Vec::<String>::new(), "it isn't recorded as suspended yet");
    play.pass().await;
    assert!(play.api.get(&first).is_none());
    assert_eq!(play.counts.taken(), ["Written", "open []"]);
}

#[tokio::test]
async fn a_namespace_that_cant_be_cleared_holds_up_no_other_and_the_grant_isnt_over_before() {
    let mut play = Play::new();
    let [sandbox, rehearsal] = two_places(&mut play).await;
    play.grant.metadata.deletion_timestamp = Some(Time(now()));
    play.known.certificates_go(&sandbox);
    play.api.fail(&format!("GET /api/v1/namespaces/{sandbox}/pods"), 500, 1);
    play.try_pass().await.unwrap_err();
    let writes = play.api.writes();
    let cleared = |place: &str| writes.contains(&format!("DELETE /api/v1/namespaces/{place}"));
    assert!(cleared(&rehearsal) && !cleared(&sandbox), "{writes:#?}");
    play.forward(1);
    let rest = play.pass().await.join("\n");
    assert!(
        rest.contains(&format!("DELETE /api/v1/namespaces/{sandbox}")) && rest.ends_with(GRANT),
        "{rest}"
    );
}

#[tokio::test]
async fn a_pod_is_deleted_once_and_then_waited_for_ever_more_patiently() {
    let mut play = Play::new();
    play.open().await;
    let place = play.place().unwrap();
    let pods = format!("/api/v1/namespaces/{place}/pods");
    let pod = |name: &str, metadata: Value| {
        let managed = json!([{"manager": "x", "time": "9999-12-31T23:59:59Z"}]);
        let mut pod = json!({"metadata": {"name": name, "namespace": place, "managedFields": managed}});
        merge(&mut pod["metadata"], metadata);
        play.api.put(&format!("{pods}/{name}"), pod);
    };
    let soon = json!({"deletionTimestamp": now(), "deletionGracePeriodSeconds": 5});
    pod("running", json!({}));
    pod("ending", soon.clone());
    pod("dawdling", json!({"deletionTimestamp": now(), "deletionGracePeriodSeconds": 300}));
    play.known.certificates_go(&place);
    play.grant.metadata.deletion_timestamp = Some(Time(now()));
    play.api.keep_what_is_deleted(&pods);
    let mut writes = play.pass().await;
    writes.retain(|request| request.contains("/pods/"));
    let deleted = |name| format!("DELETE {}/{name}", pods.replace(&place, "STAGE"));
    assert_eq!(writes, ["dawdling", "running"].map(deleted));
    assert_eq!(play.pass().await, Vec::<String>::new(), "it isn't even looked for at once");
    for name in ["running", "dawdling"] {
        play.api.change(&format!("{pods}/{name}"), |pod| merge(&mut pod["metadata"], soon.clone()));
    }
    let mut looks = Vec::new();
    for _ in 0..60 {
        play.forward(1);
        looks.extend(play.pass().await);
    }
    let look = format!("GET {}", pods.replace(&place, "STAGE"));
    assert!((3..12).contains(&looks.len()) && looks.iter().all(|request| *request == look), "{looks:?}");
    for name in ["running", "ending", "dawdling"] {
        play.api.remove(&format!("{pods}/{name}"));
    }
    play.forward(60);
    assert!(play.pass().await.contains(&"DELETE /api/v1/namespaces/STAGE".to_owned()));
}

#[tokio::test]
async fn what_has_ended_is_written_once_although_the_watches_lag() {
    let mut play = Play::new();
    play.open().await;
    let (namespace, uid) = (play.grant.namespace().unwrap(), play.grant.uid().unwrap());
    let end = play.context.catalogue.records.journal(&namespace, &uid).unwrap().openings[0].end;
    play.context.clock.saw(end);
    play.known.certificates_go(&play.place().unwrap());
    let last = play.pass().await;
    assert_eq!(last.iter().filter(|request| request.ends_with("/status")).count(), 1, "{last:#?}");
    assert!(last.contains(&format!("PATCH {GRANT}")), "the finalizer goes: {last:#?}");
    assert_eq!(play.pass().await, Vec::<String>::new(), "no watch has told of it yet");
    for part in [GRANT.to_owned(), format!("{GRANT}/status")] {
        let stored = play.api.get(&part).unwrap();
        play.grant.metadata.resource_version =
            stored["metadata"]["resourceVersion"].as_str().map(str::to_owned);
        play.grant.metadata.finalizers = None;
        if part.ends_with("/status") {
            play.grant.status = serde_json::from_value(stored["status"].clone()).unwrap();
        }
        assert_eq!(play.pass().await, Vec::<String>::new(), "a watch has told of {part}");
    }
}
