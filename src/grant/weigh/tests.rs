//! What the guard refuses by the policy of a stage is what isn't allowed of pods that run.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::*;
use crate::generate::admission::guard;

/// A pod that `e2e/tests/cage/` tries, and the API server refuses: the one that is let in, with
/// something set.
#[derive(serde::Deserialize)]
struct Variation {
    #[serde(rename = "try")]
    what: String,
    set: BTreeMap<String, Value>,
    says: String,
}

/// What the guard says of the pods that it refuses by the policy of the stage, and whose clause that is.
const BY_POLICY: [(&str, &str); 11] = [
    ("comity.dev/purpose", "purposes"),
    ("isn't from a registry that the contract names", "destination.compute.registries"),
    ("must be named by its digest", "destination.compute.imageReference"),
    ("malformed", "destination.compute.registries"),
    ("names no runtime class", "destination.compute.runtimeClassName"),
    ("nodeSelector must hold", "destination.compute.nodeSelector"),
    ("isn't that of a workload of the grant", "workloads"),
    ("doesn't let nodes make keys", "security.keyDelivery"),
    ("the only Secret that this pod may mount", "workloads"),
    ("may only project the certificate", "workloads"),
    ("violates PodSecurity", "security.podSecurity"),
];

/// Every pod that is tried there.
fn variations() -> Vec<Variation> {
    let guarded = include_str!("../../../e2e/tests/cage/tries/guard.yaml");
    let restricted = include_str!("../../../e2e/tests/cage/tries/guard-restricted.yaml");
    let keys = include_str!("../../../e2e/tests/identity/tries/guard.yaml");
    let read = |text| serde_saphyr::from_str::<Vec<Variation>>(text).expect("the pods that are tried");
    [guarded, restricted, keys].into_iter().flat_map(read).collect()
}

/// A pod that the guard lets in.
fn pod() -> Value {
    serde_saphyr::from_str(include_str!("../../../e2e/tests/cage/pod.yaml")).expect("a pod")
}

/// The policy that it is let in by.
fn policy() -> StagePolicySpec {
    let text = include_str!("../../../e2e/tests/cage/stage.yaml");
    let tries: Vec<Value> = serde_saphyr::from_str(text).expect("the objects of a stage");
    let policies = tries.iter().map(|one| &one["with"]).filter(|object| object["kind"] == "StagePolicy");
    let spec = policies.map(|object| object["spec"].clone()).next().expect("one is a StagePolicy");
    serde_json::from_value(spec).expect("it can be read")
}

/// The pod that is let in, with each of these set.
fn with_all(changes: &BTreeMap<String, Value>) -> Value {
    let mut varied = pod();
    for (pointer, value) in changes {
        set(&mut varied, pointer, value.clone());
    }
    varied
}

fn with(pointer: &str, value: Value) -> Value {
    let mut varied = pod();
    set(&mut varied, pointer, value);
    varied
}

/// Sets what a JSON pointer points at, and makes the way there.
fn set(object: &mut Value, pointer: &str, value: Value) {
    let mut place = object;
    for key in pointer.split('/').skip(1).map(|key| key.replace("~1", "/")) {
        place = match key.parse::<usize>() {
            Ok(index) => {
                if place.is_null() {
                    *place = json!([]);
                }
                let items = place.as_array_mut().expect("a list");
                items.resize(items.len().max(index + 1), Value::Null);
                &mut items[index]
            }
            Err(_) => &mut place[key],
        };
    }
    *place = value;
}

fn broken(pod: &Value, policy: &StagePolicySpec) -> Option<&'static str> {
    let pod: Pod = serde_json::from_value(pod.clone()).unwrap_or_else(|error| panic!("{error}: {pod}"));
    broken_by(&pod, policy).map(|law| law.clause)
}

#[test]
fn every_condition_of_the_guard_on_pod_and_policy_is_a_law() {
    let policies = guard::policies();
    let pods = policies.iter().find(|policy| policy.name == "comity-pods").expect("there is one for pods");
    let speaks_of = |expression: &str, word: &str| {
        let mut text = expression.to_owned();
        for _ in &pods.variables {
            for (name, meaning) in &pods.variables {
                text = text.replace(&format!("variables.{name}"), &format!("({meaning})"));
            }
        }
        text.contains(&format!("{word}."))
    };
    let by_policy = pods
        .validations
        .iter()
        .filter(|rule| speaks_of(rule.expression, "params") && speaks_of(rule.expression, "object"));
    let asked: Vec<&str> = by_policy.map(|rule| rule.message).collect();
    assert!(asked.len() >= 8, "the walk found them: {asked:?}");
    let missing: Vec<_> = asked.iter().filter(|words| !LAWS.iter().any(|law| law.words == **words)).collect();
    assert!(missing.is_empty(), "no law says {missing:?}");
    let known = |law: &&Law| pods.validations.iter().any(|rule| rule.message == law.words);
    let strange: Vec<_> = LAWS.iter().filter(|law| !known(law) && law.words != POD_SECURITY).collect();
    assert!(strange.is_empty(), "the guard doesn't ask for {strange:?}");
}

#[test]
fn guard_and_laws_say_the_same_of_every_pod_that_is_tried() {
    // The API server refuses these before it asks the guard, and baseline what restricted builds on.
    let asked_of_nobody =
        ["say no image", "run as a role of people", "mount the node", "share the node's network", "be root"];
    let variations = variations();
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    for Variation { what, set: changes, says } in &variations {
        let varied = with_all(changes);
        let by_policy = BY_POLICY.iter().find(|(words, _)| says.contains(words));
        if !asked_of_nobody.contains(&what.as_str()) {
            assert_eq!(broken(&varied, &policy()), by_policy.map(|(_, clause)| *clause), "{what}");
        }
        seen.extend(by_policy.map(|(words, _)| *words));
    }
    assert!(variations.len() > 20);
    assert_eq!(seen.len(), BY_POLICY.len(), "each is tried: {seen:?}");
}

#[test]
fn a_law_that_is_left_out_is_missed() {
    let variations = variations();
    let tried = variations
        .iter()
        .map(|variation| serde_json::from_value::<Pod>(with_all(&variation.set)).expect("a pod"));
    let tried: Vec<Pod> = tried.collect();
    let refuses = |pod: &Pod, law: &Law| !(law.holds)(pod, pod.spec.as_ref().expect("a spec"), &policy());
    for law in &LAWS {
        let alone = |pod: &&Pod| LAWS.iter().all(|other| refuses(pod, other) == (other.words == law.words));
        assert!(tried.iter().any(|pod| alone(&pod)), "without {:?} nothing would be missed", law.words);
    }
}

#[test]
fn what_the_guard_lets_in_breaks_no_law() {
    let image = pod()["spec"]["containers"][0]["image"].clone();
    let own =
        json!([{"secret": {"name": "comity-tls-scorer"}}, {"configMap": {"name": "comity-trust-stage"}}]);
    for (pointer, value) in [
        ("/spec/volumes/1", json!({"name": "v", "projected": {"sources": own}})),
        ("/spec/volumes/1", json!({"name": "v", "image": {"reference": image}})),
        ("/spec/ephemeralContainers/0", pod()["spec"]["containers"][0].clone()),
        ("/spec/nodeSelector/disk", json!("fast")),
        ("/spec/runtimeClassName", Value::Null),
    ] {
        assert_eq!(broken(&with(pointer, value), &policy()), None, "{pointer}");
    }
}

#[test]
fn an_image_is_looked_at_wherever_it_is() {
    let elsewhere = format!("evil.example/x@sha256:{}", "0".repeat(64));
    for pointer in [
        "/spec/containers/0/image",
        "/spec/containers/1/image",
        "/spec/initContainers/0/image",
        "/spec/ephemeralContainers/0/image",
        "/spec/volumes/1/image/reference",
    ] {
        for (image, clause) in
            [(elsewhere.as_str(), "registries"), ("registry.retail.example/partners/x:1", "imageReference")]
        {
            let mut varied = pod();
            let (place, _) = pointer.rsplit_once('/').expect("a path");
            let place = place.strip_suffix("/image").unwrap_or(place);
            if varied.pointer(place).is_none() {
                set(&mut varied, place, json!({"name": "another"}));
            }
            set(&mut varied, pointer, json!(image));
            let found = broken(&varied, &policy());
            assert_eq!(found, Some(format!("destination.compute.{clause}").as_str()), "{pointer}");
        }
    }
}

/// Asks for more.
type Narrow = fn(&mut StagePolicySpec);

#[test]
fn what_a_narrower_policy_asks_for_is_asked_of_what_runs() {
    let narrowed: [(&str, Narrow); 6] = [
        ("destination.compute.registries", |policy| policy.registries.clear()),
        ("destination.compute.registries", |policy| {
            policy.registries = vec!["registry.retail.example/partners/scorer-two".into()];
        }),
        ("destination.compute.runtimeClassName", |policy| policy.runtime_class_name = Some("kata".into())),
        ("destination.compute.nodeSelector", |policy| {
            policy.node_selector.insert("zone".to_owned(), "a".to_owned());
        }),
        ("workloads", |policy| policy.workloads.retain(|one| one.name.as_str() != "scorer")),
        ("purposes", |policy| policy.purpose = "another".into()),
    ];
    let mut lax = pod();
    set(&mut lax, "/spec/securityContext", json!({}));
    let baseline = StagePolicySpec { pod_security: PodSecurity::Baseline, ..policy() };
    assert_eq!((broken(&lax, &baseline), broken(&lax, &policy())), (None, Some("security.podSecurity")));
    for (clause, narrow) in narrowed {
        let mut policy = policy();
        narrow(&mut policy);
        assert_eq!(broken(&pod(), &policy), Some(clause));
    }
    assert_eq!(
        broken(&json!({"metadata": {}}), &policy()),
        Some("purposes"),
        "a pod that says nothing is none"
    );
}

#[test]
fn pods_are_looked_at_thrice_and_then_only_while_any_is_left() {
    let at = |seconds| Timestamp::from_second(seconds).expect("in range");
    let looks = |unlawful: &[(String, &'static str)]| {
        let (mut weighed, mut looks) = (Weighed::now(None, policy(), at(100), unlawful), Vec::new());
        while let Some(again) = weighed.again().filter(|_| looks.len() < 8) {
            looks.push(again.as_second() - 100);
            weighed = Weighed::now(Some(&weighed), policy(), again, unlawful);
        }
        looks
    };
    assert_eq!(looks(&[]), [5, 30]);
    let left = [("scorer".to_owned(), "workloads")];
    assert_eq!(looks(&left), [5, 30, 60, 120, 240, 480, 960, 1560]);
    let mut other = policy();
    other.registries.clear();
    let known = Weighed::now(None, policy(), at(100), &left);
    let anew = Weighed::now(Some(&known), other, at(5000), &[]);
    assert_eq!(anew.again(), Some(at(5005)), "what is narrowed further is looked at anew");
}
