//! Network policies: nothing goes in or out but what the contract names.

use serde_json::{Value, json};

use super::{Installation, Site};
use crate::api::boundary::Dns;
use crate::api::contract::{Egress, Protocol};
use crate::api::effective::{EffectiveDataset, EffectiveEndpoint, TargetPort};
use crate::api::name;
use crate::api::stage::Stage;
use crate::plan::objects::{Kind, Wanted};
use crate::policy::network::Network;

/// Networks that nothing may reach by an egress clause, whatever it says: this machine, the link (with the
/// metadata service of most clouds), both as a NAT64 gateway has them (RFC 6052), and where metadata services
/// have addresses of their own: AWS and Google Cloud by IPv6, Alibaba Cloud, Azure.
const NEVER: [&str; 10] = [
    "127.0.0.0/8",
    "169.254.0.0/16",
    "::1/128",
    "fe80::/10",
    "64:ff9b::7f00:0/104",
    "64:ff9b::a9fe:0/112",
    "fd00:ec2::254/128",
    "fd20:ce::254/128",
    "100.100.100.200/32",
    "168.63.129.16/32",
];

/// The policy that denies everything, both ways.
pub fn default_deny(site: &Site<'_>) -> Vec<Wanted> {
    let spec = json!({"podSelector": {}, "policyTypes": ["Ingress", "Egress"]});
    vec![policy(site, name::DEFAULT_DENY, &spec)]
}

/// Every path that the contract allows.
pub fn allowed_paths(site: &Site<'_>) -> Vec<Wanted> {
    let mut paths = vec![within(site)];
    paths.extend(dns(site));
    for dataset in &site.policy.datasets {
        if let Some(endpoint) = &dataset.endpoint {
            paths.push(to_dataset(site, dataset, endpoint));
            if site.ingress.contains(&dataset.name.0) {
                paths.push(into_dataset(site, dataset, endpoint));
            }
        }
    }
    paths.extend(destinations(site));
    paths
}

/// Whether a network policy with this name denies, rather than allows.
pub fn is_default_deny(name: &str) -> bool {
    name == name::DEFAULT_DENY
}

/// The parts of an egress clause that no policy may open, or `None` where nothing is left of it.
pub fn exceptions(site: &Site<'_>, egress: &Egress) -> Option<Vec<String>> {
    let except = Network::parse(&egress.cidr.0)?.except(&closed(site.installation))?;
    Some(except.iter().map(ToString::to_string).collect())
}

/// The networks that no policy opens, whatever a contract says: those of [`NEVER`], and the cluster's own.
pub fn closed(installation: &Installation) -> Vec<Network> {
    let cluster = installation.cluster_networks.iter().map(String::as_str);
    NEVER.into_iter().chain(cluster).filter_map(Network::parse).collect()
}

fn policy(site: &Site<'_>, name: &str, spec: &Value) -> Wanted {
    let content = json!({ "spec": spec });
    Wanted::new(Kind::NetworkPolicy, &site.opening.namespace, name, &site.labels(), content)
}

/// Pods of the stage reach each other.
fn within(site: &Site<'_>) -> Wanted {
    let spec = json!({
        "podSelector": {},
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [{"from": [{"podSelector": {}}]}],
        "egress": [{"to": [{"podSelector": {}}]}],
    });
    policy(site, name::ALLOW_WITHIN, &spec)
}

/// Pods ask the cluster's DNS, where the contract says so.
fn dns(site: &Site<'_>) -> Option<Wanted> {
    let installation = site.installation;
    let spec = json!({
        "podSelector": {},
        "policyTypes": ["Egress"],
        "egress": [{
            "to": [{
                "namespaceSelector": named(&installation.dns_namespace),
                "podSelector": {"matchLabels": installation.dns_selector},
            }],
            "ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}],
        }],
    });
    (site.policy.destination.dns == Dns::Cluster).then(|| policy(site, name::ALLOW_DNS, &spec))
}

/// Pods reach what serves a dataset at this stage.
fn to_dataset(site: &Site<'_>, dataset: &EffectiveDataset, endpoint: &EffectiveEndpoint) -> Wanted {
    let spec = json!({
        "podSelector": {},
        "policyTypes": ["Egress"],
        "egress": [{
            "to": [{
                "namespaceSelector": named(&endpoint.namespace.0),
                "podSelector": {"matchLabels": endpoint.selector},
            }],
            "ports": [port(&endpoint.target)],
        }],
    });
    policy(site, &name::allow_dataset_policy(&dataset.name.0), &spec)
}

/// What serves a dataset lets just this stage's namespace in.
fn into_dataset(site: &Site<'_>, dataset: &EffectiveDataset, endpoint: &EffectiveEndpoint) -> Wanted {
    let spec = json!({
        "podSelector": {"matchLabels": endpoint.selector},
        "policyTypes": ["Ingress"],
        "ingress": [{
            "from": [{"namespaceSelector": named(&site.opening.namespace)}],
            "ports": [port(&endpoint.target)],
        }],
    });
    let name = name::dataset_ingress_policy(&site.opening.namespace, &dataset.name.0);
    let content = json!({ "spec": spec });
    Wanted::new(Kind::NetworkPolicy, &endpoint.namespace.0, &name, &site.labels(), content)
}

/// Production sends to where the contract says, less what is the cluster's own.
fn destinations(site: &Site<'_>) -> Option<Wanted> {
    let clauses = &site.policy.destination.egress;
    let rules: Vec<Value> = clauses.iter().filter_map(|egress| destination(site, egress)).collect();
    let spec = json!({"podSelector": {}, "policyTypes": ["Egress"], "egress": rules});
    let applies = site.opening.stage == Stage::Production && !rules.is_empty();
    applies.then(|| policy(site, name::ALLOW_DESTINATIONS, &spec))
}

fn destination(site: &Site<'_>, egress: &Egress) -> Option<Value> {
    let except = exceptions(site, egress)?;
    let mut block = json!({"cidr": egress.cidr});
    if !except.is_empty() {
        block["except"] = json!(except);
    }
    let ports: Vec<Value> = egress.ports.iter().map(|open| port(&TargetPort::from(open))).collect();
    Some(json!({"to": [{"ipBlock": block}], "ports": ports}))
}

/// Selects a namespace by the label that only the API server sets.
fn named(namespace: &str) -> Value {
    json!({"matchLabels": {name::LABEL_NAMESPACE_NAME: namespace}})
}

fn port(target: &TargetPort) -> Value {
    let protocol: Protocol = target.protocol;
    match (&target.number, &target.name) {
        (Some(number), _) => json!({"port": number, "protocol": protocol.as_str()}),
        (None, Some(name)) => json!({"port": name, "protocol": protocol.as_str()}),
        (None, None) => json!({"protocol": protocol.as_str()}),
    }
}
