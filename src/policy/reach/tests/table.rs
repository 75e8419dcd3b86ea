//! The cases of upstream's own suite (kubernetes/kubernetes, `test/e2e/network/netpol`), each in a world of three
//! namespaces with three pods.

use serde_json::{Value, json};

use super::super::{Side, Transport};
use super::{Model, outside, pod};

use Transport::{Sctp, Tcp, Udp};

const ALL_OTHERS: &str = "x/b x/c y/a y/b y/c z/a z/b z/c";

/// A policy on `x/a` for ingress from and at these.
fn into_a(rules: &Value) -> Value {
    json!({"podSelector": {"matchLabels": {"pod": "a"}}, "policyTypes": ["Ingress"], "ingress": rules})
}

/// A policy on `x/a` for egress to and at these.
fn out_of_a(rules: &Value) -> Value {
    json!({"podSelector": {"matchLabels": {"pod": "a"}}, "policyTypes": ["Egress"], "egress": rules})
}

/// Who reaches `x/a` at 80 by TCP where one policy has one ingress rule with these peers.
#[track_caller]
fn lets_in(peers: &Value, wanted: &str) {
    let into = Model::with(&[into_a(&json!([{ "from": peers }]))]);
    assert_eq!(into.who_reaches("x/a", Tcp, 80), wanted, "into, {peers}");
    let out = Model::with(&[out_of_a(&json!([{ "to": peers }]))]);
    assert_eq!(out.out_of("x/a", Tcp, 80), wanted, "out of, {peers}");
    assert_eq!(out.who_reaches("x/a", Tcp, 80), ALL_OTHERS, "one direction says nothing of the other");
}

#[test]
fn without_policies_everything_passes() {
    let model = Model::with(&[]);
    assert_eq!(model.who_reaches("x/a", Sctp, 1), ALL_OTHERS);
    let verdict = model.verdict(&pod("x/a"), &outside("192.0.2.1"), Tcp, 80, super::Reading::Narrowest);
    assert_eq!((verdict.egress, verdict.ingress), (Side::Free, Side::Free));
}

#[test]
fn default_deny_holds_every_pod_of_its_namespace_and_no_other() {
    let ingress = Model::with(&[json!({"podSelector": {}, "policyTypes": ["Ingress"]})]);
    assert_eq!(ingress.who_reaches("x/a", Tcp, 80), "");
    assert_eq!(ingress.out_of("x/a", Tcp, 80), "y/a y/b y/c z/a z/b z/c");
    assert_eq!(ingress.who_reaches("y/a", Tcp, 80), "x/a x/b x/c y/b y/c z/a z/b z/c");
    let both = Model::with(&[json!({"podSelector": {}, "policyTypes": ["Ingress", "Egress"]})]);
    assert_eq!(both.out_of("x/b", Udp, 81), "");
    assert!(!both.passes(&pod("x/a"), &outside("192.0.2.1"), Tcp, 443));
    assert!(!both.passes(&outside("192.0.2.1"), &pod("x/a"), Tcp, 443));
    assert!(both.passes(&outside("192.0.2.1"), &pod("y/a"), Tcp, 443));
}

#[test]
fn a_policy_that_doesnt_say_isolates_for_ingress_and_for_egress_where_it_has_such_rules() {
    let ways = |spec: Value| {
        let model = Model::with(&[spec]);
        let (into, out) = (model.who_reaches("x/a", Tcp, 80), model.out_of("x/a", Tcp, 80));
        (into.contains("y/a"), out.contains("y/a"))
    };
    let nobody = json!([{"podSelector": {"matchLabels": {"pod": "nobody"}}}]);
    assert_eq!(ways(json!({})), (false, true), "no selector means every pod");
    assert_eq!(ways(json!({"podSelector": {}, "egress": []})), (false, true));
    assert_eq!(ways(json!({"podSelector": {}, "policyTypes": [], "egress": []})), (false, true));
    assert_eq!(ways(json!({"podSelector": {}, "egress": [{"to": nobody}]})), (false, false));
    assert_eq!(
        ways(json!({"podSelector": {}, "egress": [{"to": nobody}], "policyTypes": ["Egress"]})),
        (true, false)
    );
    let ignored =
        json!({"podSelector": {}, "egress": [{"to": nobody}], "ingress": [{}], "policyTypes": ["Ingress"]});
    assert_eq!(ways(ignored), (true, true), "rules of the other direction say nothing");
}

#[test]
fn an_empty_rule_lets_everything_pass_and_no_rule_nothing() {
    assert_eq!(Model::with(&[into_a(&json!([{}]))]).who_reaches("x/a", Sctp, 9), ALL_OTHERS);
    assert_eq!(
        Model::with(&[into_a(&json!([{"from": [], "ports": []}]))]).who_reaches("x/a", Udp, 9),
        ALL_OTHERS
    );
    assert_eq!(Model::with(&[into_a(&json!([]))]).who_reaches("x/a", Tcp, 80), "");
    assert!(Model::with(&[out_of_a(&json!([{}]))]).passes(&pod("x/a"), &outside("2001:db8::1"), Tcp, 80));
}

#[test]
fn selectors_of_one_peer_are_both_needed_and_of_several_peers_one_is_enough() {
    let (pod_b, in_y) = (json!({"matchLabels": {"pod": "b"}}), json!({"matchLabels": {"ns": "y"}}));
    lets_in(&json!([{"podSelector": pod_b}]), "x/b");
    lets_in(&json!([{"namespaceSelector": in_y}]), "y/a y/b y/c");
    lets_in(&json!([{"podSelector": pod_b, "namespaceSelector": in_y}]), "y/b");
    lets_in(&json!([{"podSelector": pod_b}, {"namespaceSelector": in_y}]), "x/b y/a y/b y/c");
}

#[test]
fn an_empty_selector_means_all_and_an_absent_one_the_own_namespace_or_every_pod() {
    lets_in(&json!([{"podSelector": {}}]), "x/b x/c");
    lets_in(&json!([{"namespaceSelector": {}}]), ALL_OTHERS);
    lets_in(&json!([{"namespaceSelector": {}, "podSelector": {"matchLabels": {"pod": "c"}}}]), "x/c y/c z/c");
    lets_in(&json!([{"namespaceSelector": {"matchLabels": {"ns": "z"}}, "podSelector": {}}]), "z/a z/b z/c");
}

#[test]
fn expressions_mean_what_apimachinery_makes_of_them() {
    let namespaces = |expressions: Value| json!([{"namespaceSelector": {"matchExpressions": expressions}}]);
    let name = "kubernetes.io/metadata.name";
    lets_in(&namespaces(json!([{"key": name, "operator": "In", "values": ["y", "w"]}])), "y/a y/b y/c");
    lets_in(&namespaces(json!([{"key": name, "operator": "NotIn", "values": ["y"]}])), "x/b x/c z/a z/b z/c");
    lets_in(&namespaces(json!([{"key": "absent", "operator": "NotIn", "values": ["y"]}])), ALL_OTHERS);
    lets_in(&namespaces(json!([{"key": "ns", "operator": "Exists"}])), ALL_OTHERS);
    lets_in(&namespaces(json!([{"key": "absent", "operator": "Exists"}])), "");
    lets_in(&namespaces(json!([{"key": "absent", "operator": "DoesNotExist"}])), ALL_OTHERS);
    let both = json!([
        {"key": "ns", "operator": "In", "values": ["y", "z"]},
        {"key": "ns", "operator": "NotIn", "values": ["z"]},
    ]);
    lets_in(&namespaces(both), "y/a y/b y/c");
    let mixed =
        json!({"matchLabels": {"pod": "a"}, "matchExpressions": [{"key": "pod", "operator": "Exists"}]});
    lets_in(&json!([{"namespaceSelector": {}, "podSelector": mixed}]), "y/a z/a");
}

/// Ports at which somebody passes, of those from 79 to 82, by each protocol.
fn ports(model: &Model) -> String {
    let all = Transport::ALL.into_iter().flat_map(|protocol| (79..=82).map(move |port| (protocol, port)));
    let open = all.filter(|(protocol, port)| model.passes(&pod("y/a"), &pod("x/a"), *protocol, *port));
    open.map(|(protocol, port)| format!("{port}/{protocol}")).collect::<Vec<_>>().join(" ")
}

#[test]
fn ports_are_numbers_ranges_names_or_all_of_a_protocol() {
    for (port, wanted) in [
        (json!({"port": 80}), "80/TCP"),
        (json!({"port": 80, "protocol": "UDP"}), "80/UDP"),
        (json!({"port": 80, "protocol": "SCTP"}), "80/SCTP"),
        (json!({"protocol": "UDP"}), "79/UDP 80/UDP 81/UDP 82/UDP"),
        (json!({}), "79/TCP 80/TCP 81/TCP 82/TCP"),
        (json!({"port": 80, "endPort": 81}), "80/TCP 81/TCP"),
        (json!({"port": 81, "endPort": 81}), "81/TCP"),
        (json!({"port": 81, "endPort": 65535, "protocol": "SCTP"}), "81/SCTP 82/SCTP"),
        (json!({"port": "serve-81-tcp"}), "81/TCP"),
        (json!({"port": "serve-81-udp", "protocol": "UDP"}), "81/UDP"),
        (json!({"port": "serve-81-udp"}), ""),
        (json!({"port": "absent"}), ""),
    ] {
        assert_eq!(ports(&Model::with(&[into_a(&json!([{"ports": [port]}]))])), wanted, "into, {port}");
        let out = json!({"podSelector": {}, "policyTypes": ["Egress"], "egress": [{"ports": [port]}]});
        let mut model = Model::with(&[out]);
        model.policies[0].metadata.namespace = Some("y".to_owned());
        assert_eq!(ports(&model), wanted, "out of, {port}");
    }
    let two = Model::with(&[into_a(&json!([{"ports": [{"port": 80}, {"port": 82, "protocol": "UDP"}]}]))]);
    assert_eq!(ports(&two), "80/TCP 82/UDP");
}

#[test]
fn the_target_names_the_ports_in_both_directions() {
    let model = Model::with(&[out_of_a(&json!([{"ports": [{"port": "only-b"}]}]))]);
    let (from, mut to) = (pod("x/a"), pod("y/b"));
    assert!(!model.passes(&from, &to, Tcp, 9000));
    let super::End::Pod(target) = &mut to else { panic!("it is a pod") };
    target.ports.push(super::NamedPort { name: "only-b".to_owned(), number: 9000, protocol: Tcp });
    assert!(model.passes(&from, &to, Tcp, 9000));
    assert!(!model.passes(&from, &to, Udp, 9000));
    assert!(!model.passes(&from, &outside("192.0.2.1"), Tcp, 9000), "what is outside names nothing");
}

#[test]
fn a_rule_needs_one_of_its_peers_and_one_of_its_ports() {
    let rule = json!({"from": [{"podSelector": {"matchLabels": {"pod": "b"}}}], "ports": [{"port": 80}]});
    let model = Model::with(&[into_a(
        &json!([rule, {"from": [{"namespaceSelector": {"matchLabels": {"ns": "z"}}}], "ports": [{"port": 81}]}]),
    )]);
    assert_eq!(model.who_reaches("x/a", Tcp, 80), "x/b");
    assert_eq!(model.who_reaches("x/a", Tcp, 81), "z/a z/b z/c", "rules don't lend each other ports");
}

#[test]
fn policies_add_up_and_order_doesnt_matter() {
    let (deny, allow_b) =
        (into_a(&json!([])), into_a(&json!([{"from": [{"podSelector": {"matchLabels": {"pod": "b"}}}]}])));
    let allow_all = json!({"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{}]});
    assert_eq!(Model::with(&[deny.clone(), allow_b.clone()]).who_reaches("x/a", Tcp, 80), "x/b");
    assert_eq!(Model::with(&[allow_b, deny.clone()]).who_reaches("x/a", Tcp, 80), "x/b");
    let model = Model::with(&[deny, allow_all]);
    assert_eq!(model.who_reaches("x/a", Tcp, 80), ALL_OTHERS);
    let verdict = model.verdict(&pod("y/a"), &pod("x/a"), Tcp, 80, super::Reading::Widest);
    assert_eq!(verdict.ingress, Side::Open(vec!["x/policy-1".to_owned()]));
    assert_eq!(verdict.to_string(), "open: no policy holds the way out, let in by x/policy-1");
}

#[test]
fn both_ends_have_to_let_it() {
    let from_b = into_a(&json!([{"from": [{"podSelector": {"matchLabels": {"pod": "b"}}}]}]));
    let deny_b = json!({"podSelector": {"matchLabels": {"pod": "b"}}, "policyTypes": ["Egress"]});
    let to_a = json!({"podSelector": {"matchLabels": {"pod": "b"}}, "policyTypes": ["Egress"],
        "egress": [{"to": [{"podSelector": {"matchLabels": {"pod": "a"}}}]}]});
    let (one, both) = (Model::with(&[from_b.clone(), deny_b.clone()]), Model::with(&[from_b, deny_b, to_a]));
    assert!(!one.passes(&pod("x/b"), &pod("x/a"), Tcp, 80));
    let told = one.verdict(&pod("x/b"), &pod("x/a"), Tcp, 80, super::Reading::Widest).to_string();
    assert_eq!(told, "shut: not let out, where x/policy-1 hold, let in by x/policy-0");
    assert!(both.passes(&pod("x/b"), &pod("x/a"), Tcp, 80));
    assert!(!both.passes(&pod("x/c"), &pod("x/a"), Tcp, 80));
}

#[test]
fn a_block_means_addresses_but_those_that_are_excepted() {
    let block = |except: Value| json!({"to": [{"ipBlock": {"cidr": "192.0.2.0/24", "except": except}}]});
    let open = |rules: Value, address: &str| {
        Model::with(&[out_of_a(&rules)]).passes(&pod("x/a"), &outside(address), Tcp, 443)
    };
    let some = json!(["192.0.2.0/28", "192.0.2.64/26"]);
    assert!(open(json!([block(json!([]))]), "192.0.2.5"));
    assert!(!open(json!([block(json!([]))]), "192.0.3.5"));
    assert!(!open(json!([block(some.clone())]), "192.0.2.5"));
    assert!(!open(json!([block(some.clone())]), "192.0.2.127"));
    assert!(open(json!([block(some.clone())]), "192.0.2.128"));
    let overlapping = json!([block(some), {"to": [{"ipBlock": {"cidr": "192.0.2.5/32"}}]}]);
    assert!(open(overlapping, "192.0.2.5"), "what one rule excepts another one may allow");
    let six = json!([{"to": [{"ipBlock": {"cidr": "2001:db8::/32", "except": ["2001:db8:1::/48"]}}]}]);
    assert!(open(six.clone(), "2001:db8::1") && !open(six.clone(), "2001:db8:1::1"));
    assert!(!open(six, "192.0.2.5"));
    let every_v4 = json!([{"to": [{"ipBlock": {"cidr": "0.0.0.0/0"}}]}]);
    assert!(open(every_v4.clone(), "192.0.2.5") && !open(every_v4, "2001:db8::1"));
    let host_bits = json!([{"to": [{"ipBlock": {"cidr": "192.0.2.77/28"}}]}]);
    assert!(open(host_bits.clone(), "192.0.2.64") && !open(host_bits, "192.0.2.5"));
}

#[test]
fn selectors_never_mean_what_is_outside() {
    let everywhere = json!([{"to": [{"namespaceSelector": {}}]}]);
    assert!(!Model::with(&[out_of_a(&everywhere)]).passes(&pod("x/a"), &outside("192.0.2.1"), Tcp, 80));
}
