//! The matrix of every example, that what Comity makes holds it, and that nothing of what it makes can be missing or
//! wider without a case that fails.

mod stored;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use k8s_openapi::api::networking::v1::NetworkPolicy;
use serde_json::{Value, json};

use super::{Expected, Passage, Rehearsed, expected, namespaces};
use crate::api::boundary::Dns;
use crate::api::effective::EffectivePolicy;
use crate::api::stage::Stage;
use crate::api::value::Cidr;
use crate::grant::build::{Installation, Site, confinement};
use crate::journal::{Narrowed, Opening, Recorded};
use crate::plan::objects::Kind;
use crate::policy::Agreement;
use crate::policy::reach::{Labels, Stored};
use crate::policy::testing::{World, labels, read};

fn installation() -> Installation {
    Installation {
        system_namespace: "comity-system".to_owned(),
        cluster_networks: vec!["10.96.0.0/12".to_owned(), "fd00:10::/64".to_owned()],
        dns_namespace: "kube-system".to_owned(),
        dns_selector: labels(&[("k8s-app", "kube-dns")]),
    }
}

/// What is agreed, as a test may change it, and who lets Comity in.
struct Told {
    agreement: Agreement,
    ingress: BTreeSet<String>,
    installation: Installation,
}

impl Told {
    fn of(world: &World) -> Self {
        let ingress = BTreeSet::from(["transactions".to_owned()]);
        Self { agreement: world.agreed(), ingress, installation: installation() }
    }

    fn policy(&mut self, stage: Stage) -> &mut EffectivePolicy {
        &mut self.agreement.stages.get_mut(&stage).expect("it can be opened").policy
    }

    fn expected(&self, stage: Stage) -> Vec<Expected> {
        let all: Vec<(Stage, &EffectivePolicy)> =
            self.agreement.stages.iter().map(|(stage, terms)| (*stage, &terms.policy)).collect();
        expected(&Rehearsed {
            stage,
            namespace: &namespace(stage),
            policy: &self.agreement.stages[&stage].policy,
            others: &all,
            grant_namespace: "risk-data",
            ingress: &self.ingress,
            installation: &self.installation,
        })
    }

    /// The policies that Comity makes for a stage, and, where Comity adds to it, the one that the dataset's owner has.
    fn made(&self, stage: Stage) -> Vec<Value> {
        let policy = &self.agreement.stages[&stage].policy;
        let opening = opening(stage, policy);
        let site = Site {
            opening: &opening,
            policy,
            grant: "northpay-fraud",
            grant_namespace: "risk-data",
            grant_uid: "6f0c1a2b-0000-4000-8000-000000000001",
            installation: &self.installation,
            ingress: &self.ingress,
            rehearsing: false,
        };
        let made = confinement(&site).into_iter().filter(|object| object.key.kind == Kind::NetworkPolicy);
        let deny = json!({
            "metadata": {"namespace": "risk-data", "name": "transactions-default-deny"},
            "spec": {"podSelector": {"matchLabels": {"app.kubernetes.io/part-of": "transactions"}}, "policyTypes": ["Ingress"]},
        });
        let deny = (!self.ingress.is_empty()).then_some(deny);
        made.map(|object| object.body).chain(deny).collect()
    }
}

fn namespace(stage: Stage) -> String {
    format!("comity-northpay-fraud-{}-0123abcd", stage.lower())
}

fn opening(stage: Stage, policy: &EffectivePolicy) -> Opening {
    let at = Timestamp::UNIX_EPOCH;
    Opening {
        stage,
        digest: "v1:sha256:one".to_owned(),
        namespace: namespace(stage),
        opened_at: at,
        end: at,
        policy: std::sync::Arc::new(policy.clone()),
        state: Recorded::Open,
        open_since: at,
        interrupted: None,
        extended: false,
        moved_at: None,
        narrowed: Narrowed::default(),
    }
}

/// The names of the cases that don't hold by these policies.
fn failing(cases: &[Expected], policies: &[Value]) -> Vec<String> {
    let policies: Vec<NetworkPolicy> =
        policies.iter().map(|body| serde_json::from_value(body.clone()).expect("a policy")).collect();
    let known = |name: String| {
        let mut own = labels(&[("kubernetes.io/metadata.name", &name)]);
        own.extend(name.starts_with("comity-").then(|| ("comity.dev/stage".to_owned(), "any".to_owned())));
        (name, own)
    };
    let known: BTreeMap<String, Labels> = namespaces(cases).into_iter().map(known).collect();
    let stored = Stored { policies: &policies, namespaces: &known };
    let fails = |case: &&Expected| !case.holds(&case.seen(&stored));
    cases.iter().filter(fails).map(|case| format!("{case}, and seen is {}", case.seen(&stored))).collect()
}

/// The examples' contracts.
fn examples() -> Vec<(&'static str, Told)> {
    let mut demo = World::story();
    demo.contract = read(include_str!("../../../../examples/fraud-scoring/demo/05-contract.yaml"));
    demo.grant =
        read(include_str!("../../../../examples/fraud-scoring/demo/promotions/grant-3-production.yaml"));
    let mut gitops = World::story();
    gitops.contract = read(include_str!("../../../../examples/gitops/base/contract.yaml"));
    gitops.datasets = vec![read(include_str!("../../../../examples/gitops/base/dataset.yaml"))];
    gitops.boundaries = vec![read(include_str!("../../../../examples/gitops/platform/boundary.yaml"))];
    for world in [&mut demo, &mut gitops] {
        world.contract.metadata.uid = Some("6f0c1a2b-0000-4000-8000-000000000002".to_owned());
    }
    [("story", World::story()), ("demo", demo), ("gitops", gitops)]
        .map(|(name, world)| (name, Told::of(&world)))
        .into()
}

fn told(cases: &[Expected]) -> String {
    let lines = cases.iter().flat_map(|case| [case.to_string(), format!("  {}", case.clause)]);
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn the_storys_rehearsal_tries_these_connections() {
    let (_, story) = &examples()[0];
    insta::assert_snapshot!(told(&story.expected(Stage::Rehearsal)));
}

#[test]
fn the_storys_production_would_be_tried_by_these() {
    let (_, story) = &examples()[0];
    insta::assert_snapshot!(told(&story.expected(Stage::Production)));
}

#[test]
fn the_other_examples_agree_to_the_same() {
    let examples = examples();
    let [(_, story), others @ ..] = examples.as_slice() else { panic!("there are examples") };
    for (name, other) in others {
        for stage in Stage::ALL {
            assert_eq!(told(&other.expected(stage)), told(&story.expected(stage)), "{name} at {stage}");
        }
    }
}

#[test]
fn what_comity_makes_of_every_example_holds_at_every_stage() {
    for (name, told) in examples() {
        for stage in Stage::ALL {
            let failing = failing(&told.expected(stage), &told.made(stage));
            assert!(failing.is_empty(), "{name} at {stage}: {failing:#?}");
        }
    }
}

#[test]
fn names_are_kebab_case_and_none_is_given_twice() {
    for stage in Stage::ALL {
        let cases = examples()[0].1.expected(stage);
        let names: BTreeSet<&str> = cases.iter().map(|case| case.name.as_str()).collect();
        assert_eq!(names.len(), cases.len(), "{stage}");
        for name in names {
            let plain =
                |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-';
            assert!(name.starts_with("network-") && name.chars().all(plain) && name.len() <= 128, "{name}");
        }
    }
}

/// The policies that Comity makes, each once without some field or item of its rules.
fn mutants(made: &[Value]) -> Vec<(String, Vec<Value>)> {
    let mut mutants = Vec::new();
    for (number, policy) in made.iter().enumerate() {
        for rules in ["ingress", "egress"] {
            let mut paths = Vec::new();
            walk(&policy["spec"][rules], &format!("/spec/{rules}"), &mut paths);
            for path in paths {
                let mut changed = made.to_vec();
                take_out(&mut changed[number], &path);
                mutants.push((format!("{} without {path}", policy["metadata"]["name"]), changed));
            }
        }
    }
    mutants
}

fn walk(value: &Value, path: &str, found: &mut Vec<String>) {
    let inner: Vec<(String, &Value)> = match value {
        Value::Array(items) => items.iter().enumerate().map(|(at, item)| (at.to_string(), item)).collect(),
        Value::Object(fields) => {
            fields.iter().map(|(key, field)| (key.replace('~', "~0").replace('/', "~1"), field)).collect()
        }
        _ => Vec::new(),
    };
    for (key, item) in inner {
        let path = format!("{path}/{key}");
        walk(item, &path, found);
        found.push(path);
    }
}

fn take_out(value: &mut Value, path: &str) {
    let (above, last) = path.rsplit_once('/').expect("a path");
    match value.pointer_mut(above).expect("it is there") {
        Value::Array(items) => drop(items.remove(last.parse().expect("a number"))),
        Value::Object(fields) => drop(fields.remove(&last.replace("~1", "/").replace("~0", "~"))),
        _ => panic!("nothing is below {above}"),
    }
}

#[test]
fn no_rule_can_be_missing_or_wider_without_a_case_that_fails() {
    let (_, let_in) = examples().swap_remove(0);
    let (_, mut alone) = examples().swap_remove(0);
    alone.ingress.clear();
    let mut tried = 0;
    for (told, stage) in [&let_in, &alone].into_iter().flat_map(|told| Stage::ALL.map(|stage| (told, stage)))
    {
        let cases = told.expected(stage);
        for (name, policies) in mutants(&told.made(stage)) {
            // One end is enough to shut: what the dataset's side holds too is tried where it doesn't.
            let is_way = name.contains("comity-allow-dataset-");
            let is_door = name.contains("comity-from-") && name.contains("/ports");
            let is_held_twice = !told.ingress.is_empty() && (is_way || is_door);
            // TCP is the default.
            if name.ends_with("/protocol") || is_held_twice {
                continue;
            }
            tried += 1;
            assert!(!failing(&cases, &policies).is_empty(), "{stage}: {name} is noticed by nobody");
        }
    }
    assert!(tried > 100, "{tried}");
}

#[test]
fn without_any_policy_everything_that_has_to_be_shut_is_seen_open() {
    let (_, told) = &examples()[0];
    let cases = told.expected(Stage::Rehearsal);
    let shut = cases.iter().filter(|case| case.expect == Passage::Shut).count();
    assert_eq!(failing(&cases, &[]).len(), shut);
}

#[test]
fn what_isnt_known_of_namespaces_fails() {
    let (_, told) = &examples()[0];
    let cases = told.expected(Stage::Rehearsal);
    let policies: Vec<NetworkPolicy> = told
        .made(Stage::Rehearsal)
        .into_iter()
        .map(|body| serde_json::from_value(body).expect("a policy"))
        .collect();
    let nothing = BTreeMap::new();
    let stored = Stored { policies: &policies, namespaces: &nothing };
    let dataset = |case: &&Expected| case.name == "network-dataset-transactions-open";
    let case = cases.iter().find(dataset).expect("it is tried");
    assert!(!case.holds(&case.seen(&stored)));
}

#[test]
fn without_dns_nobody_is_asked_and_without_datasets_nobody_is_reached() {
    let (_, mut told) = examples().swap_remove(0);
    let policy = told.policy(Stage::Rehearsal);
    policy.destination.dns = Dns::None;
    policy.datasets.clear();
    let cases = told.expected(Stage::Rehearsal);
    assert!(failing(&cases, &told.made(Stage::Rehearsal)).is_empty());
    let named = |name: &str| cases.iter().any(|case| case.name == name);
    assert!(named("network-dns-by-udp-shut") && named("network-dns-by-tcp-shut"));
    assert!(!named("network-dataset-transactions-open"));
    assert!(named("network-dataset-transactions-of-production-shut"));
}

#[test]
fn what_another_clause_agrees_to_isnt_refused() {
    let (_, mut told) = examples().swap_remove(0);
    let shared = told.policy(Stage::Sandbox).datasets.clone();
    told.policy(Stage::Rehearsal).datasets = shared;
    let mut wide = told.policy(Stage::Production).destination.egress[0].clone();
    wide.cidr = Cidr("0.0.0.0/0".to_owned());
    told.policy(Stage::Production).destination.egress.push(wide);
    for stage in [Stage::Rehearsal, Stage::Production] {
        let cases = told.expected(stage);
        let failing = failing(&cases, &told.made(stage));
        let is_pod = |name: &String| name.contains("pods (") && name.contains(" at 443/");
        assert!(failing.iter().all(is_pod), "{stage}: {failing:#?}");
        let of_sandbox = "network-dataset-transactions-of-sandbox-shut";
        assert_eq!(cases.iter().any(|case| case.name == of_sandbox), stage == Stage::Production);
        assert!(!cases.iter().any(|case| case.name.ends_with("-behind-shut") && stage == Stage::Rehearsal));
    }
}

#[test]
fn a_port_that_has_only_a_name_is_whatever_the_pods_call_so() {
    let (_, mut told) = examples().swap_remove(0);
    let endpoint = told.policy(Stage::Rehearsal).datasets[0].endpoint.as_mut().expect("it is served");
    endpoint.target.number = None;
    endpoint.target.name = Some("https".into());
    let cases = told.expected(Stage::Rehearsal);
    let failing = failing(&cases, &told.made(Stage::Rehearsal));
    assert!(failing.is_empty(), "{failing:#?}");
}
