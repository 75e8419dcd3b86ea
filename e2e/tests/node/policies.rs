//! Network policies by chance: of every form that the API has, about the pods and addresses of a story.

use e2e::node::POD_NETWORK;
use serde_json::{Map, Value, json};

use super::dice::Dice;

/// Some policies in some of these namespaces, whose labels are `team`; their pods' are `app`.
pub fn by_chance(dice: &mut Dice, spaces: &[String]) -> Vec<Value> {
    let last = u32::try_from(spaces.len().saturating_sub(1)).unwrap_or_default();
    let count = dice.between(1, 6);
    let one = |number| {
        let space = dice.between(0, last) as usize;
        policy(dice, number, &spaces[space])
    };
    (0..count).map(one).collect()
}

fn policy(dice: &mut Dice, number: u32, space: &str) -> Value {
    let types: &[&[&str]] = &[&[], &["Ingress"], &["Egress"], &["Ingress", "Egress"]];
    let mut spec =
        json!({"podSelector": selector(dice, "app", ["a", "b", "c"]), "policyTypes": dice.one(types)});
    for (rules, peers) in [("ingress", "from"), ("egress", "to")] {
        if dice.chance(70) {
            spec[rules] = some(dice, 3, |dice| rule(dice, peers));
        }
    }
    json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
        "metadata": {"namespace": space, "name": format!("policy-{number}")}, "spec": spec})
}

fn some(dice: &mut Dice, most: u32, mut one: impl FnMut(&mut Dice) -> Value) -> Value {
    let count = dice.between(0, most);
    (0..count).map(|_| one(dice)).collect()
}

fn rule(dice: &mut Dice, peers: &str) -> Value {
    let mut rule = Map::new();
    if dice.chance(80) {
        rule.insert(peers.to_owned(), some(dice, 2, peer));
    }
    if dice.chance(60) {
        rule.insert("ports".to_owned(), some(dice, 2, port));
    }
    rule.into()
}

fn peer(dice: &mut Dice) -> Value {
    let (pods, spaces) = (selector(dice, "app", ["a", "b", "c"]), selector(dice, "team", ["x", "y", "z"]));
    match dice.weighted(&[(2, 0), (2, 1), (2, 2), (1, 3)]) {
        0 => json!({"podSelector": pods}),
        1 => json!({"namespaceSelector": spaces}),
        2 => json!({"podSelector": pods, "namespaceSelector": spaces}),
        _ => json!({"ipBlock": block(dice)}),
    }
}

fn block(dice: &mut Dice) -> Value {
    let (cidr, inside) = dice.one(&[
        ("0.0.0.0/0", "192.0.2.128/25"),
        ("0.0.0.0/0", POD_NETWORK),
        ("192.0.2.0/24", "192.0.2.0/28"),
        (POD_NETWORK, "10.78.0.0/29"),
        ("10.78.0.0/28", "10.78.0.8/29"),
    ]);
    if dice.chance(50) { json!({"cidr": cidr, "except": [inside]}) } else { json!({"cidr": cidr}) }
}

fn port(dice: &mut Dice) -> Value {
    dice.one(&[
        r#"{"port": 8443}"#,
        r#"{"port": 9090, "protocol": "TCP"}"#,
        r#"{"port": 53, "protocol": "UDP"}"#,
        r#"{"port": 8000, "endPort": 9000}"#,
        r#"{"port": 1, "endPort": 443}"#,
        r#"{"protocol": "UDP"}"#,
        r#"{"protocol": "TCP"}"#,
        r#"{"port": "https"}"#,
        r#"{"port": "ask", "protocol": "UDP"}"#,
        r#"{"port": "ask"}"#,
    ])
    .parse()
    .unwrap_or_default()
}

fn selector(dice: &mut Dice, label: &str, values: [&str; 3]) -> Value {
    let (one, other) = (dice.one(&values), dice.one(&values));
    match dice.weighted(&[(3, 0), (4, 1), (1, 2), (1, 3), (1, 4), (1, 5)]) {
        0 => json!({}),
        1 => json!({"matchLabels": {label: one}}),
        2 => json!({"matchExpressions": [{"key": label, "operator": "In", "values": [one, other]}]}),
        3 => json!({"matchExpressions": [{"key": label, "operator": "NotIn", "values": [one]}]}),
        4 => json!({"matchExpressions": [{"key": label, "operator": "Exists"}]}),
        _ => json!({"matchExpressions": [{"key": "absent", "operator": "DoesNotExist"}]}),
    }
}
