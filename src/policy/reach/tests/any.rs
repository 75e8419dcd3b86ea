//! Policies as the API server would let them in, of all kinds, about the pods of the model.

use k8s_openapi::api::networking::v1::{
    IPBlock, NetworkPolicy, NetworkPolicyEgressRule, NetworkPolicyIngressRule, NetworkPolicyPeer,
    NetworkPolicyPort, NetworkPolicySpec,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, LabelSelectorRequirement, ObjectMeta};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use proptest::collection::vec;
use proptest::option::{of, weighted};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use super::{NAMESPACES, PODS};

/// Some of the policies of a cluster.
pub(super) fn policies() -> impl Strategy<Value = Vec<NetworkPolicy>> {
    vec(policy(), 0..5).prop_map(|policies| {
        let named = |(number, mut policy): (usize, NetworkPolicy)| {
            policy.metadata.name = Some(format!("policy-{number}"));
            policy
        };
        policies.into_iter().enumerate().map(named).collect()
    })
}

fn policy() -> impl Strategy<Value = NetworkPolicy> {
    let rules = (of(vec(ingress(), 0..3)), of(vec(egress(), 0..3)));
    let types = of(subsequence(vec!["Ingress".to_owned(), "Egress".to_owned()], 0..=2));
    (select(NAMESPACES.to_vec()), weighted(0.9, of_pods()), rules, types).prop_map(
        |(namespace, pod_selector, (ingress, egress), policy_types)| NetworkPolicy {
            metadata: ObjectMeta { namespace: Some(namespace.to_owned()), ..ObjectMeta::default() },
            spec: Some(NetworkPolicySpec { egress, ingress, pod_selector, policy_types }),
        },
    )
}

fn ingress() -> impl Strategy<Value = NetworkPolicyIngressRule> {
    (of(vec(peer(), 0..3)), of(vec(port(), 0..3)))
        .prop_map(|(from, ports)| NetworkPolicyIngressRule { from, ports })
}

fn egress() -> impl Strategy<Value = NetworkPolicyEgressRule> {
    (of(vec(peer(), 0..3)), of(vec(port(), 0..3)))
        .prop_map(|(to, ports)| NetworkPolicyEgressRule { ports, to })
}

fn peer() -> impl Strategy<Value = NetworkPolicyPeer> {
    let plain = NetworkPolicyPeer::default;
    prop_oneof![
        block().prop_map(move |block| NetworkPolicyPeer { ip_block: Some(block), ..plain() }),
        of_pods().prop_map(move |pods| NetworkPolicyPeer { pod_selector: Some(pods), ..plain() }),
        of_namespaces().prop_map(move |all| NetworkPolicyPeer { namespace_selector: Some(all), ..plain() }),
        (of_namespaces(), of_pods()).prop_map(move |(all, pods)| NetworkPolicyPeer {
            namespace_selector: Some(all),
            pod_selector: Some(pods),
            ..plain()
        }),
    ]
}

/// Blocks about the addresses of pods, and of those outside.
fn block() -> impl Strategy<Value = IPBlock> {
    let block = |cidr: &str, except: &[&str]| {
        let cidr = cidr.to_owned();
        let inside: Vec<String> = except.iter().map(|text| (*text).to_owned()).collect();
        let count = inside.len();
        of(subsequence(inside, 0..=count)).prop_map(move |except| IPBlock { cidr: cidr.clone(), except })
    };
    prop_oneof![
        block("0.0.0.0/0", &["10.0.0.0/8", "192.0.2.128/25", "10.0.1.2/32"]),
        block("10.0.0.0/16", &["10.0.1.0/24", "10.0.2.0/30"]),
        block("192.0.2.0/24", &["192.0.2.0/25", "192.0.2.192/26"]),
        block("192.0.2.77/26", &["192.0.2.0/30"]),
        block("::/0", &["2001:db8::/33", "fd00::/127"]),
        block("fd00::/111", &["fd00::1:0/112"]),
    ]
}

fn port() -> impl Strategy<Value = NetworkPolicyPort> {
    let protocol = of(select(vec!["TCP".to_owned(), "UDP".to_owned(), "SCTP".to_owned()]));
    let name = select(vec!["serve-80-tcp", "serve-81-udp", "serve-80-sctp", "absent"]);
    let which = prop_oneof![
        Just((None, None)),
        (79..=82).prop_map(|number| (Some(IntOrString::Int(number)), None)),
        (79..=82, 0..=2).prop_map(|(first, more)| (Some(IntOrString::Int(first)), Some(first + more))),
        name.prop_map(|name| (Some(IntOrString::String(name.to_owned())), None)),
    ];
    (protocol, which).prop_map(|(protocol, (port, end_port))| NetworkPolicyPort { end_port, port, protocol })
}

fn of_pods() -> impl Strategy<Value = LabelSelector> {
    selector("pod", PODS)
}

fn of_namespaces() -> impl Strategy<Value = LabelSelector> {
    selector("ns", NAMESPACES)
}

/// One about a label that there is, or about one that there isn't.
fn selector(key: &'static str, values: [&'static str; 3]) -> impl Strategy<Value = LabelSelector> {
    let equal = (label(key), select(values.to_vec())).prop_map(|(key, value)| (key, value.to_owned()));
    let match_labels = weighted(0.4, vec(equal, 0..2).prop_map(|pairs| pairs.into_iter().collect()));
    let match_expressions = weighted(0.4, vec(requirement(key, values), 0..3));
    (match_labels, match_expressions)
        .prop_map(|(match_labels, match_expressions)| LabelSelector { match_expressions, match_labels })
}

fn label(key: &'static str) -> impl Strategy<Value = String> {
    prop_oneof![9 => Just(key.to_owned()), 1 => Just("absent".to_owned())]
}

fn requirement(
    key: &'static str,
    values: [&'static str; 3],
) -> impl Strategy<Value = LabelSelectorRequirement> {
    let values: Vec<String> = values.iter().map(|value| (*value).to_owned()).collect();
    let among = (select(vec!["In", "NotIn"]), subsequence(values, 1..=3).prop_map(Some));
    let there = (select(vec!["Exists", "DoesNotExist"]), Just(None));
    (label(key), prop_oneof![3 => among, 1 => there]).prop_map(|(key, (operator, values))| {
        LabelSelectorRequirement { key, operator: operator.to_owned(), values }
    })
}
