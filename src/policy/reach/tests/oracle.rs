//! The same answers on another way: by sets. Everything that any policy names is written out, for a world of few ends
//! and ports, and what is left is looked up.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::LazyLock;

use k8s_openapi::api::networking::v1::{
    IPBlock, NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort, NetworkPolicySpec,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::{End, Labels, NAMESPACES, PODS, Transport, labels, outside, pod};

/// The ports that are dialled.
const PORTS: [u16; 3] = [80, 81, 82];

/// Who dials whom, by their numbers, and how.
pub(super) type Dial = (usize, usize, &'static str, u16);

/// Everybody there is: the model's pods, of which `c` calls its 81 as others call 80, and some addresses outside.
pub(super) fn ends() -> &'static [End] {
    static ENDS: LazyLock<Vec<End>> = LazyLock::new(everybody);
    &ENDS
}

fn everybody() -> Vec<End> {
    let names = NAMESPACES.iter().flat_map(|space| PODS.iter().map(move |pod| format!("{space}/{pod}")));
    let mut ends: Vec<End> = names.map(|name| pod(&name)).collect();
    for end in &mut ends {
        if let End::Pod(pod) = end
            && pod.labels["pod"] == "c"
        {
            pod.ports.retain(|port| port.number == 81);
            pod.ports.iter_mut().for_each(|port| port.name = port.name.replace("81", "80"));
        }
    }
    ends.extend(["192.0.2.66", "192.0.2.200", "2001:db8::1"].map(outside));
    ends
}

/// Every dial there is.
pub(super) fn dials() -> &'static BTreeSet<Dial> {
    static DIALS: LazyLock<BTreeSet<Dial>> = LazyLock::new(everything);
    &DIALS
}

fn everything() -> BTreeSet<Dial> {
    let count = ends().len();
    let pairs = (0..count).flat_map(|from| (0..count).map(move |to| (from, to)));
    let of = |(from, to)| words().into_iter().flat_map(move |word| PORTS.map(|port| (from, to, word, port)));
    pairs.filter(|(from, to)| from != to).flat_map(of).collect()
}

fn words() -> [&'static str; 3] {
    Transport::ALL.map(Transport::as_str)
}

/// The dials that pass, where a block means pods too or doesn't.
pub(super) fn passing(policies: &[NetworkPolicy], blocks_mean_pods: bool) -> BTreeSet<Dial> {
    let mut passing = dials().clone();
    for way in ["Egress", "Ingress"] {
        let (mut isolated, mut named) = (BTreeSet::new(), BTreeSet::new());
        for policy in policies.iter().filter(|policy| types(policy).contains(way)) {
            let world = World { namespace: space(policy), blocks_mean_pods };
            let own = world.own(policy);
            for (peers, ports) in rules(policy, way) {
                let others = world.peers(&peers);
                let doors: Vec<_> = ends().iter().map(|end| targets(&ports, end)).collect();
                let fits = |(from, to, word, port): &Dial| {
                    let (one, other) = if way == "Egress" { (from, to) } else { (to, from) };
                    own.contains(one) && others.contains(other) && doors[*to].contains(&(*word, *port))
                };
                named.extend(dials().iter().copied().filter(fits));
            }
            isolated.extend(own);
        }
        let held = |dial: &Dial| isolated.contains(if way == "Egress" { &dial.0 } else { &dial.1 });
        passing.retain(|dial| !held(dial) || named.contains(dial));
    }
    passing
}

fn spec(policy: &NetworkPolicy) -> NetworkPolicySpec {
    policy.spec.clone().expect("there is one")
}

fn space(policy: &NetworkPolicy) -> String {
    policy.metadata.namespace.clone().expect("there is one")
}

fn types(policy: &NetworkPolicy) -> BTreeSet<String> {
    let spec = spec(policy);
    let mut types: BTreeSet<String> = spec.policy_types.into_iter().flatten().collect();
    if types.is_empty() {
        types.insert("Ingress".to_owned());
        if spec.egress.is_some_and(|rules| !rules.is_empty()) {
            types.insert("Egress".to_owned());
        }
    }
    types
}

type NamedRule = (Vec<NetworkPolicyPeer>, Vec<NetworkPolicyPort>);

fn rules(policy: &NetworkPolicy, way: &str) -> Vec<NamedRule> {
    let spec = spec(policy);
    let of =
        |peers: Option<Vec<_>>, ports: Option<Vec<_>>| (peers.unwrap_or_default(), ports.unwrap_or_default());
    match way {
        "Egress" => spec.egress.into_iter().flatten().map(|rule| of(rule.to, rule.ports)).collect(),
        _ => spec.ingress.into_iter().flatten().map(|rule| of(rule.from, rule.ports)).collect(),
    }
}

/// What a policy of a namespace sees.
struct World {
    namespace: String,
    blocks_mean_pods: bool,
}

impl World {
    /// The pods that a policy isolates.
    fn own(&self, policy: &NetworkPolicy) -> BTreeSet<usize> {
        let selector = spec(policy).pod_selector.unwrap_or_default();
        &meant(&selector, pod_labels) & &self.neighbours()
    }

    fn neighbours(&self) -> BTreeSet<usize> {
        numbers(|end| matches!(end, End::Pod(pod) if pod.namespace == self.namespace))
    }

    fn peers(&self, peers: &[NetworkPolicyPeer]) -> BTreeSet<usize> {
        if peers.is_empty() {
            return numbers(|_| true);
        }
        peers.iter().flat_map(|peer| self.peer(peer)).collect()
    }

    fn peer(&self, peer: &NetworkPolicyPeer) -> BTreeSet<usize> {
        if let Some(block) = &peer.ip_block {
            return numbers(|end| match end {
                End::Outside(address) => holds(block, *address),
                End::Pod(pod) => {
                    self.blocks_mean_pods && pod.addresses.iter().any(|address| holds(block, *address))
                }
            });
        }
        let places = match &peer.namespace_selector {
            Some(selector) => meant(selector, space_labels),
            None => self.neighbours(),
        };
        match &peer.pod_selector {
            Some(selector) => &places & &meant(selector, pod_labels),
            None => places,
        }
    }
}

fn numbers(is_meant: impl Fn(&End) -> bool) -> BTreeSet<usize> {
    let numbered = ends().iter().enumerate();
    numbered.filter(|(_, end)| is_meant(end)).map(|(number, _)| number).collect()
}

fn pod_labels(end: &End) -> Option<Labels> {
    let End::Pod(pod) = end else { return None };
    Some(pod.labels.clone())
}

fn space_labels(end: &End) -> Option<Labels> {
    let End::Pod(pod) = end else { return None };
    Some(labels(&[("ns", &pod.namespace)]))
}

/// The pods whose labels, or whose namespace's, a selector means.
fn meant(selector: &LabelSelector, of: impl Fn(&End) -> Option<Labels>) -> BTreeSet<usize> {
    let has = |key: &str, value: &str| {
        numbers(|end| of(end).is_some_and(|has| has.get(key).is_some_and(|own| own == value)))
    };
    let with = |key: &str, values: &[String]| {
        values.iter().flat_map(|value| has(key, value)).collect::<BTreeSet<usize>>()
    };
    let mut left = numbers(|end| of(end).is_some());
    for (key, value) in selector.match_labels.iter().flatten() {
        left = &left & &with(key, std::slice::from_ref(value));
    }
    for one in selector.match_expressions.iter().flatten() {
        let there = numbers(|end| of(end).is_some_and(|labels| labels.contains_key(&one.key)));
        let among = with(&one.key, &one.values.clone().unwrap_or_default());
        left = match one.operator.as_str() {
            "In" => &left & &among,
            "NotIn" => &left - &among,
            "Exists" => &left & &there,
            _ => &left - &there,
        };
    }
    left
}

/// Whether a block has an address: by the letters of their bits.
fn holds(block: &IPBlock, address: IpAddr) -> bool {
    let begins = |cidr: &String| {
        let (network, length) = cidr.split_once('/').expect("a network");
        let network: IpAddr = network.parse().expect("an address");
        let length: usize = length.parse().expect("a length");
        network.is_ipv4() == address.is_ipv4() && letters(network)[..length] == letters(address)[..length]
    };
    begins(&block.cidr) && !block.except.iter().flatten().any(begins)
}

fn letters(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => format!("{:032b}", address.to_bits()),
        IpAddr::V6(address) => format!("{:0128b}", address.to_bits()),
    }
}

/// The protocols and ports at which a rule lets somebody reach one end.
fn targets(ports: &[NetworkPolicyPort], target: &End) -> BTreeSet<(&'static str, u16)> {
    let all = || words().into_iter().flat_map(|word| PORTS.map(|port| (word, port)));
    if ports.is_empty() {
        return all().collect();
    }
    let called = |name: &str| match target {
        End::Pod(pod) => pod
            .ports
            .iter()
            .filter(|port| port.name == name)
            .map(|port| (port.protocol.as_str(), port.number))
            .collect(),
        End::Outside(_) => BTreeSet::new(),
    };
    let of = |port: &NetworkPolicyPort| -> BTreeSet<(&'static str, u16)> {
        let protocol = port.protocol.clone().unwrap_or("TCP".to_owned());
        let numbers: BTreeSet<(&'static str, u16)> = match (&port.port, port.end_port) {
            (None, _) => all().collect(),
            (Some(IntOrString::String(name)), _) => called(name),
            (Some(IntOrString::Int(first)), last) => {
                let numbers: BTreeSet<i32> = (*first..=last.unwrap_or(*first)).collect();
                all().filter(|(_, port)| numbers.contains(&i32::from(*port))).collect()
            }
        };
        numbers.into_iter().filter(|(word, _)| *word == protocol).collect()
    };
    ports.iter().flat_map(of).collect()
}
