//! Pods that run and that less is allowed of than when they were let in: which are deleted or named,
//! and when they are looked at.

use k8s_openapi::api::core::v1::Pod;
use serde_json::{Value, json};

use super::change::{TWO, long, open};
use super::deciding::{ONE, decision};
use super::play::{GRANT, Play};
use super::seen::status_of;
use super::world::World;
use crate::api::boundary::PodSecurity;
use crate::api::contract::{NarrowedPods, Narrowing};
use crate::api::decision::DecisionAction;
use crate::api::effective::EffectivePolicy;
use crate::api::enforcement::{EnforcedClause, EnforcementState};
use crate::api::{Stage, name};
use crate::grant::clause::enforcement;
use crate::grant::decide::Step;
use crate::testing::api::merge;
use crate::testing::known::Known;

/// A pod of an image below `place`.
fn pod(pod: &str, place: &str) -> Value {
    let context = json!({"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}});
    let image = format!("{place}/it@sha256:{}", "0".repeat(64));
    json!({
        "metadata": {"name": pod, "labels": {name::LABEL_PURPOSE: "fraud-detection"}},
        "spec": {
            "serviceAccountName": "workload-scorer",
            "securityContext": {"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [{"name": "it", "image": image, "securityContext": context}],
        },
    })
}

fn running(world: &World) -> Vec<String> {
    world.running.iter().filter_map(|pod| pod.metadata.name.clone()).collect()
}

/// A place that is open, with a pod from each of two places below the registry.
fn two_pods() -> World {
    let mut world = open(Stage::Sandbox);
    let pods =
        [pod("one", "registry.retail.example/partners/a"), pod("two", "registry.retail.example/partners/b")];
    world.running = pods.map(|pod| serde_json::from_value::<Pod>(pod).expect("a pod")).into();
    world
}

fn only_a(policy: &mut EffectivePolicy) {
    policy.destination.compute.registries = vec!["registry.retail.example/partners/a".into()];
}

fn deletes(policy: &mut EffectivePolicy) {
    policy.narrowing = Some(Narrowing { pods: NarrowedPods::Delete });
}

/// The contract is narrowed, and its pods are looked at as often as they have to be.
fn narrowed(world: &mut World, change: impl Fn(&mut EffectivePolicy)) {
    world.agreement = Ok(long(TWO, change));
    world.settle();
}

fn looked(world: &World) -> bool {
    matches!(world.decide().step, Some(Step::Weigh(_)))
}

#[test]
fn what_isnt_allowed_any_more_is_deleted_where_the_contract_says_so_and_nothing_else_is() {
    let mut world = two_pods();
    narrowed(&mut world, |policy| {
        only_a(policy);
        deletes(policy);
    });
    assert_eq!(running(&world), ["one"]);
    world.forward(5);
    world
        .running
        .push(serde_json::from_value(pod("late", "registry.retail.example/partners/b")).expect("a pod"));
    world.settle();
    assert_eq!(running(&world), ["one"], "what was let in by the guard of before goes too");
}

#[test]
fn what_isnt_allowed_any_more_is_kept_and_known_where_the_contract_says_nothing() {
    let mut world = two_pods();
    narrowed(&mut world, only_a);
    assert!(world.weighed.is_empty(), "the record says it first");
    world.forward(5);
    world.settle();
    assert_eq!(running(&world), ["one", "two"]);
    let known = world.weighed.values().next().expect("it was looked");
    assert_eq!(known.named, [("two".to_owned(), "destination.compute.registries")]);
    // Whoever runs it replaces it.
    world.running.retain(|pod| pod.metadata.name.as_deref() == Some("one"));
    world.forward(30);
    world.settle();
    assert_eq!(world.weighed.values().next().map(|known| known.unlawful), Some(0));
    world.forward(100_000);
    assert!(!looked(&world), "nothing is looked for any more");
}

#[test]
fn pods_are_looked_at_only_where_less_is_allowed_of_pods() {
    let mut world = two_pods();
    world.forward(1000);
    assert!(!looked(&world), "all that was agreed to is allowed");
    narrowed(&mut world, |policy| {
        deletes(policy);
        policy.people.clear();
    });
    world.forward(1000);
    world.settle();
    assert!(world.weighed.is_empty(), "less is allowed, and nothing less of pods");
    world.agreement = Ok(long(ONE, |_| ()));
    world.settle();
    assert!(world.weighed.is_empty());
}

#[test]
fn what_is_narrowed_is_guarded_first_so_that_nothing_follows_what_was_deleted() {
    let mut world = two_pods();
    world.agreement = Ok(long(TWO, |policy| {
        only_a(policy);
        deletes(policy);
    }));
    let mut steps = Vec::new();
    while let Some(step) = world.decide().step {
        steps.push(step.clone());
        world.take(&step);
    }
    let at = |found: fn(&Step) -> bool| steps.iter().position(found).expect("such a step");
    let (guarded, weighed) =
        (at(|step| matches!(step, Step::Confine(_))), at(|step| matches!(step, Step::Weigh(_))));
    let recorded = at(|step| matches!(step, Step::Record(_)));
    assert!(guarded < weighed && weighed < recorded, "{steps:?}");
}

#[test]
fn a_pod_that_pod_security_would_refuse_now_goes_once_the_namespace_says_so() {
    let mut world = World::new(Stage::Sandbox);
    let held = |to| {
        move |policy: &mut EffectivePolicy| {
            policy.security.pod_security = to;
            deletes(policy);
        }
    };
    world.agreement = Ok(long(ONE, held(PodSecurity::Baseline)));
    world.settle();
    let mut lax = pod("lax", "registry.retail.example/partners");
    lax["spec"]["securityContext"] = json!({});
    for pod in [lax, pod("strict", "registry.retail.example/partners")] {
        world.running.push(serde_json::from_value(pod).expect("a pod"));
    }
    world.agreement = Ok(long(TWO, held(PodSecurity::Restricted)));
    let (mut steps, mut kept) = (Vec::new(), Vec::new());
    while let Some(step) = world.decide().step {
        kept.push(running(&world).len());
        world.take(&step);
        steps.push(step);
    }
    let labelled = steps.iter().position(|step| matches!(step, Step::SetGate(..))).expect("it is labelled");
    assert_eq!((kept[labelled], running(&world)), (2, vec!["strict".to_owned()]), "{steps:?}");
}

#[test]
fn pods_under_quarantine_are_for_whoever_looks_into_it() {
    let mut world = two_pods();
    world.grant.spec.suspend = true;
    narrowed(&mut world, |policy| {
        only_a(policy);
        deletes(policy);
    });
    assert_eq!(running(&world), ["one"], "a pause keeps nothing that isn't allowed");
    let mut world = two_pods();
    let quarantine = decision(&world, DecisionAction::Quarantine, "eve");
    world.decided(quarantine);
    narrowed(&mut world, |policy| {
        only_a(policy);
        deletes(policy);
    });
    world.forward(60);
    world.settle();
    assert_eq!(running(&world), ["one", "two"]);
}

#[test]
fn where_nothing_is_left_no_pod_is_allowed() {
    for (fate, left) in [(NarrowedPods::Keep, 2), (NarrowedPods::Delete, 0)] {
        let mut world = two_pods();
        let says = |policy: &mut EffectivePolicy| policy.narrowing = Some(Narrowing { pods: fate });
        world.agreement = Ok(long(ONE, says));
        for record in world.records.iter_mut().filter(|record| record.policy.is_some()) {
            record.policy.as_mut().map(says);
        }
        world.agreement = Ok(long(TWO, |policy| policy.purpose = "another".into()));
        world.settle();
        assert_eq!(world.running.len(), left, "{fate:?}");
        let told = status_of(&world).conditions.into_iter().map(|one| one.message).collect::<Vec<_>>();
        assert_eq!(told.iter().any(|one| one.ends_with("; its pods are deleted")), left == 0, "{told:?}");
    }
}

/// What is said of narrowing, and of the registries.
fn clauses(world: &World, unweighed: bool) -> [EnforcedClause; 2] {
    let (mut scene, names) = (world.scene(), world.names());
    let contract = crate::policy::testing::World::story().contract;
    scene.contract = Some(contract.into());
    if unweighed {
        let place = scene.remains.keys().next().expect("a place").clone();
        scene.unweighed.insert(place, "looking for pods: no".to_owned());
    }
    let told = enforcement(&scene.view(&names), &scene);
    ["narrowing", "destination.compute.registries"]
        .map(|clause| told.iter().find(|told| told.clause == clause).cloned().expect("it is told of"))
}

#[test]
fn what_is_kept_is_named_with_the_clause_that_it_goes_against() {
    let mut world = two_pods();
    let [narrowing, registries] = clauses(&world, false);
    assert_eq!(narrowing.state, EnforcementState::Enforced);
    assert!(narrowing.message.is_some_and(|message| message.contains("found in seconds")));
    assert_eq!(registries.message, None);
    for number in 3..9 {
        let more = pod(&format!("more-{number}"), "registry.retail.example/partners/c");
        world.running.push(serde_json::from_value(more).expect("a pod"));
    }
    narrowed(&mut world, only_a);
    world.forward(5);
    world.settle();
    let [narrowing, registries] = clauses(&world, false);
    let message = narrowing.message.expect("it is said");
    assert!(
        message.contains("pods are kept") && message.contains("two (destination.compute.registries)"),
        "{message}"
    );
    assert!(message.ends_with(", and 4 more") && message.len() <= 512, "{message}");
    assert!(registries.message.is_some_and(|message| message.ends_with("see narrowing")));
    let [narrowing, _] = clauses(&world, true);
    assert_eq!(narrowing.state, EnforcementState::Pending, "what isn't known isn't enforced");
    assert!(narrowing.message.is_some_and(|message| message.contains("looking for pods: no")));
}

/// The sandbox of the story, open, with pods of its program: one that runs, one that has come to its end,
/// and one that is on its way out. The program is then taken from the grant.
async fn played(fate: NarrowedPods) -> (Play, String) {
    let says = |world: &mut crate::policy::testing::World| {
        world.contract.spec.narrowing = Some(Narrowing { pods: fate });
    };
    let mut play = Play::of(Known::changed(says));
    play.open().await;
    let pods = format!("/api/v1/namespaces/{}/pods", play.place().expect("it is open"));
    let ending = json!({"deletionTimestamp": "2026-11-21T00:00:00Z", "deletionGracePeriodSeconds": 5});
    for (name, metadata, phase) in
        [("running", json!({}), "Running"), ("done", json!({}), "Succeeded"), ("ending", ending, "Running")]
    {
        let mut object = pod(name, "registry.retail.example/partners");
        merge(&mut object["metadata"], metadata);
        object["metadata"]["managedFields"] = json!([{"manager": "x", "time": "9999-12-31T23:59:59Z"}]);
        object["status"] = json!({"phase": phase});
        object["spec"]["runtimeClassName"] = json!("kata-cc");
        object["spec"]["nodeSelector"] = json!({"comity.dev/pool": "partner"});
        play.api.put(&format!("{pods}/{name}"), object);
    }
    play.grant.spec.workloads.clear();
    (play, pods)
}

/// What the status says of narrowing.
fn told(play: &Play) -> EnforcedClause {
    let stored = play.api.get(&format!("{GRANT}/status")).expect("a status");
    let clauses = stored["status"]["enforcement"].as_array().expect("clauses");
    let clause = clauses.iter().find(|told| told["clause"] == "narrowing").expect("it is told of");
    serde_json::from_value(clause.clone()).expect("a clause")
}

const LOOK: &str = "GET /api/v1/namespaces/STAGE/pods";

#[tokio::test]
async fn what_runs_and_isnt_allowed_any_more_is_deleted_once_and_looked_for_again() {
    let (mut play, pods) = played(NarrowedPods::Delete).await;
    let requests = play.pass().await;
    let at = |part: &str| requests.iter().position(|request| request.contains(part)).expect(part);
    assert!(at("stagepolicies") < at(LOOK) && at(LOOK) < at("DELETE"), "{requests:#?}");
    assert_eq!(play.pass().await, Vec::<String>::new(), "from others it is taken first");
    play.forward(1);
    let written = play.pass().await;
    assert_eq!(written.len(), 2, "what is less is written down after it is less everywhere: {written:#?}");
    assert!(written[0].contains("grantrecords") && written[1].contains("status"), "{written:#?}");
    let deleted: Vec<&String> = requests.iter().filter(|request| request.contains("/pods/")).collect();
    assert_eq!(deleted, ["DELETE /api/v1/namespaces/STAGE/pods/running"]);
    assert!(play.api.get(&format!("{pods}/running")).is_none());
    assert!(told(&play).message.expect("it is said").contains("are being deleted"));
    assert_eq!(play.pass().await, Vec::<String>::new());
    play.forward(5);
    assert_eq!(play.pass().await, [LOOK.to_owned(), format!("PATCH {GRANT}/status")]);
    let message = told(&play).message.expect("it is said");
    assert!(message.ends_with(": ending (workloads)"), "one is on its way out still: {message}");
    play.api.remove(&format!("{pods}/ending"));
    play.forward(25);
    assert_eq!(play.pass().await, [LOOK.to_owned(), format!("PATCH {GRANT}/status")]);
    assert!(told(&play).message.expect("it is said").contains("found in seconds"));
    play.forward(100_000);
    assert_eq!(play.pass().await, Vec::<String>::new());
}

#[tokio::test]
async fn what_is_kept_is_named_and_a_process_that_starts_says_nothing_new() {
    let (mut play, pods) = played(NarrowedPods::Keep).await;
    let mut requests = play.pass().await;
    play.forward(1);
    requests.extend(play.pass().await);
    assert!(!requests.iter().any(|request| request.contains("/pods")), "{requests:#?}");
    play.forward(5);
    assert_eq!(play.pass().await, [LOOK.to_owned(), format!("PATCH {GRANT}/status")]);
    let message = told(&play).message.expect("it is said");
    assert!(message.contains("ending (workloads), running (workloads)"), "{message}");
    assert!(play.api.get(&format!("{pods}/running")).is_some());
    play.restart();
    assert_eq!(play.pass().await, [LOOK]);
    play.restart();
    for name in ["running", "ending"] {
        play.api.remove(&format!("{pods}/{name}"));
    }
    assert_eq!(play.pass().await, [LOOK.to_owned(), format!("PATCH {GRANT}/status")]);
}

#[tokio::test]
async fn pods_that_cant_be_looked_at_or_deleted_are_said_so_and_tried_again() {
    for (fault, code) in [("GET", 500), ("GET", 403), ("DELETE", 500), ("DELETE", 403)] {
        let (mut play, pods) = played(NarrowedPods::Delete).await;
        play.api.fail(&format!("{fault} {pods}"), code, 1);
        play.try_pass().await.unwrap_err();
        let said = told(&play);
        assert_eq!(said.state, EnforcementState::Pending, "{fault} {code}: {said:?}");
        assert!(
            said.message.as_ref().is_some_and(|message| message.contains("asked for by the test")),
            "{said:?}"
        );
        play.pass().await;
        play.forward(1);
        play.pass().await;
        assert!(play.api.get(&format!("{pods}/running")).is_none(), "{fault} {code}");
        assert_eq!(told(&play).state, EnforcementState::Enforced);
    }
}

#[tokio::test]
async fn a_pod_that_cant_be_read_isnt_allowed_and_goes_too() {
    let (mut play, pods) = played(NarrowedPods::Delete).await;
    play.api.change(&format!("{pods}/done"), |pod| pod["spec"]["containers"] = json!("none"));
    let deleted: Vec<String> =
        play.pass().await.into_iter().filter(|request| request.contains("/pods/")).collect();
    assert_eq!(
        deleted,
        ["done", "running"].map(|name| format!("DELETE /api/v1/namespaces/STAGE/pods/{name}"))
    );
}
