//! What the API leaves open, what can't be read, and what wasn't given: as far as it may reach where something has to be
//! shut, and no farther than is certain where something has to be open.

use k8s_openapi::api::networking::v1::NetworkPolicy;
use serde_json::{Value, json};

use super::super::known::{all, any, not};
use super::super::{Reading, Transport};
use super::{Model, outside, pod};

/// Whether `x/a` reaches `y/b` at 80 by TCP, by the widest and by the narrowest reading.
fn readings(specs: &[Value]) -> (bool, bool) {
    of(&Model::with(specs))
}

fn of(model: &Model) -> (bool, bool) {
    let open = |reading| model.verdict(&pod("x/a"), &pod("y/b"), Transport::Tcp, 80, reading).is_open();
    (open(Reading::Widest), open(Reading::Narrowest))
}

fn egress(rules: &Value) -> Value {
    json!({"podSelector": {}, "policyTypes": ["Egress"], "egress": rules})
}

const UNCLEAR: (bool, bool) = (true, false);
const SHUT: (bool, bool) = (false, false);
const OPEN: (bool, bool) = (true, true);

#[test]
fn whether_a_block_means_a_pod_is_up_to_whoever_implements_it() {
    let block =
        |cidr: &str, except: Value| egress(&json!([{"to": [{"ipBlock": {"cidr": cidr, "except": except}}]}]));
    assert_eq!(readings(&[block("10.0.0.0/8", json!([]))]), UNCLEAR);
    assert_eq!(readings(&[block("fd00::/8", json!([]))]), UNCLEAR, "one of its addresses is enough");
    assert_eq!(readings(&[block("10.0.0.0/8", json!(["10.0.1.0/24"]))]), SHUT);
    assert_eq!(readings(&[block("192.0.2.0/24", json!([]))]), SHUT);
    let by_name = egress(&json!([{"to": [{"namespaceSelector": {"matchLabels": {"ns": "y"}}}]}]));
    assert_eq!(readings(&[block("10.0.0.0/8", json!([])), by_name]), OPEN);
}

#[test]
fn a_pod_whose_address_isnt_known_may_have_any() {
    let model = Model::with(&[egress(&json!([{"to": [{"ipBlock": {"cidr": "192.0.2.0/28"}}]}]))]);
    let mut to = pod("y/b");
    let super::End::Pod(target) = &mut to else { panic!("it is a pod") };
    target.addresses.clear();
    let open = |reading| model.verdict(&pod("x/a"), &to, Transport::Tcp, 80, reading).is_open();
    assert!(open(Reading::Widest) && !open(Reading::Narrowest));
}

#[test]
fn a_pod_whose_further_labels_arent_known_may_have_any() {
    let among = |selector: Value, is_selected: bool| {
        let rule = json!([{"to": [{"namespaceSelector": {}, "podSelector": selector}]}]);
        let few = json!({"podSelector": selector, "policyTypes": ["Egress"], "egress": [{}]});
        let model = Model::with(&[egress(&json!([])), if is_selected { few } else { egress(&rule) }]);
        let (mut from, mut to) = (pod("x/a"), pod("y/b"));
        for end in [&mut from, &mut to] {
            let super::End::Pod(pod) = end else { panic!("it is a pod") };
            pod.further_labels = true;
            // Both are called the same, so that one selector is for either.
            pod.labels.insert("pod".to_owned(), "a".to_owned());
        }
        let open = |reading| model.verdict(&from, &to, Transport::Tcp, 80, reading).is_open();
        (open(Reading::Widest), open(Reading::Narrowest))
    };
    for is_selected in [true, false] {
        let seen = |selector: Value| among(selector, is_selected);
        assert_eq!(seen(json!({"matchLabels": {"app": "any"}})), UNCLEAR);
        assert_eq!(seen(json!({"matchLabels": {"app": "any", "pod": "a"}})), UNCLEAR);
        assert_eq!(seen(json!({"matchLabels": {"app": "any", "pod": "b"}})), SHUT);
        assert_eq!(seen(json!({"matchLabels": {"pod": "a"}})), OPEN);
        for (operator, values) in
            [("In", json!(["any"])), ("NotIn", json!(["any"])), ("DoesNotExist", json!([]))]
        {
            let one = json!({"key": "app", "operator": operator, "values": values});
            assert_eq!(seen(json!({"matchExpressions": [one]})), UNCLEAR, "{operator}");
        }
    }
}

#[test]
fn a_namespace_whose_labels_arent_known_may_have_any() {
    let unknown = |selector: Value| {
        let mut model = Model::with(&[egress(&json!([{"to": [{ "namespaceSelector": selector }]}]))]);
        model.namespaces.remove("y");
        of(&model)
    };
    assert_eq!(unknown(json!({"matchLabels": {"ns": "y"}})), UNCLEAR);
    assert_eq!(unknown(json!({"matchLabels": {"ns": "z"}})), UNCLEAR);
    assert_eq!(unknown(json!({})), OPEN, "an empty selector means every namespace");
}

#[test]
fn a_rule_that_cant_be_read_may_let_through_and_may_not() {
    for peer in [
        json!({"ipBlock": {"cidr": "10.0.0.0"}}),
        json!({"ipBlock": {"cidr": "010.0.0.0/8"}}),
        json!({"ipBlock": {"cidr": "::ffff:10.0.0.0/104"}}),
        json!({"ipBlock": {"cidr": "10.0.0.0/8", "except": ["nowhere"]}}),
        json!({"ipBlock": {"cidr": "192.0.2.0/24"}, "podSelector": {}}),
        json!({}),
        json!({"namespaceSelector": {"matchExpressions": [{"key": "ns", "operator": "Near", "values": ["y"]}]}}),
        json!({"namespaceSelector": {"matchExpressions": [{"key": "ns", "operator": "In", "values": []}]}}),
        json!({"namespaceSelector": {"matchExpressions": [{"key": "ns", "operator": "Exists", "values": ["y"]}]}}),
    ] {
        assert_eq!(readings(&[egress(&json!([{ "to": [peer] }]))]), UNCLEAR, "{peer}");
        assert_eq!(readings(&[egress(&json!([{ "to": [peer], "ports": [{"port": 81}] }]))]), SHUT, "{peer}");
    }
    for port in [
        json!({"port": 0}),
        json!({"port": 65536}),
        json!({"port": 81, "endPort": 80}),
        json!({"port": "http", "endPort": 80}),
        json!({"endPort": 80}),
        json!({"port": 80, "protocol": "tcp"}),
    ] {
        assert_eq!(readings(&[egress(&json!([{ "ports": [port] }]))]), UNCLEAR, "{port}");
    }
    let elsewhere = json!({"ipBlock": {"cidr": "192.0.2.0/24", "except": ["nowhere"]}});
    assert_eq!(readings(&[egress(&json!([{ "to": [elsewhere] }]))]), SHUT, "it isn't in there anyway");
}

#[test]
fn a_policy_that_may_not_hold_holds_only_where_that_is_the_worse() {
    let unreadable = json!({"matchExpressions": [{"key": "pod", "operator": "Near"}]});
    let deny = json!({"podSelector": unreadable, "policyTypes": ["Egress"]});
    assert_eq!(readings(&[deny]), UNCLEAR);
    let allow = json!({"podSelector": unreadable, "policyTypes": ["Egress"], "egress": [{}]});
    assert_eq!(readings(std::slice::from_ref(&allow)), UNCLEAR);
    assert_eq!(readings(&[egress(&json!([])), allow]), UNCLEAR, "it may be about another pod");
    let ways = json!({"podSelector": {}, "policyTypes": ["egress"], "egress": []});
    assert_eq!(readings(&[ways]), UNCLEAR);
    let other_way = json!({"podSelector": {}, "policyTypes": ["Ingress"]});
    assert_eq!(readings(&[other_way]), OPEN);
}

#[test]
fn a_policy_without_a_spec_holds_every_pod_for_ingress() {
    let mut model = Model::with(&[json!({})]);
    let mut bare = NetworkPolicy::default();
    bare.metadata.namespace = Some("y".to_owned());
    model.policies = vec![bare];
    assert_eq!(of(&model), SHUT);
    assert!(model.passes(&pod("y/b"), &outside("192.0.2.1"), Transport::Tcp, 80));
}

#[test]
fn many_policies_are_told_in_few_words() {
    let model = Model::with(&vec![egress(&json!([])); 6]);
    let told = model.verdict(&pod("x/a"), &pod("y/b"), Transport::Tcp, 80, Reading::Widest).to_string();
    assert!(told.ends_with("x/policy-3 and 2 more hold, no policy holds the way in"), "{told}");
}

#[test]
fn what_isnt_known_stays_so_until_it_doesnt_matter() {
    assert_eq!(any([Some(false), None]), None);
    assert_eq!(any([None, Some(true)]), Some(true));
    assert_eq!(any([]), Some(false));
    assert_eq!(all([Some(true), None]), None);
    assert_eq!(all([None, Some(false)]), Some(false));
    assert_eq!(all([]), Some(true));
    assert_eq!((not(None), not(Some(true))), (None, Some(false)));
}
