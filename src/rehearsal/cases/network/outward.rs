//! Ways out of the cluster: DNS, where production sends to, and where nobody may.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::place::{agreed, own, serving};
use super::{Expected, Passage, Rehearsed, Way, beside, others, pod};
use crate::api::boundary::Dns;
use crate::api::effective::EffectivePolicy;
use crate::api::stage::Stage;
use crate::grant::build::network::closed;
use crate::policy::network::Network;
use crate::policy::reach::{End, Transport};

/// Where it may send to outside the cluster.
pub(super) const EGRESS: &str = "destination.egress";
/// Whether it may ask the cluster's DNS.
const DNS: &str = "destination.dns";
/// The port of DNS (RFC 1035), and one that its pods have for other things (RFC 7858).
const DNS_PORT: u16 = 53;
const OTHER_DNS_PORT: u16 = 853;
/// Where it is tried whether something answers by HTTPS, or by HTTP as metadata services do.
const HTTPS: u16 = 443;
const HTTP: u16 = 80;

/// Addresses outside that everybody knows: public resolvers, of which one that no contract names is taken.
const OUTSIDE: [(&str, [&str; 3]); 2] = [
    ("ipv4", ["1.1.1.1", "8.8.8.8", "9.9.9.9"]),
    ("ipv6", ["2606:4700:4700::1111", "2001:4860:4860::8888", "2620:fe::9"]),
];

/// Addresses that nobody gets to, whatever a contract says: metadata services give whoever asks the node's identity.
const NOWHERE: [(&str, &str); 8] = [
    ("metadata-service", "169.254.169.254"),
    ("metadata-service-by-ipv6", "fd00:ec2::254"),
    ("metadata-service-by-nat64", "64:ff9b::a9fe:a9fe"),
    ("metadata-service-of-google-by-ipv6", "fd20:ce::254"),
    ("metadata-service-of-alibaba", "100.100.100.200"),
    ("platform-service-of-azure", "168.63.129.16"),
    ("link", "169.254.0.1"),
    ("link-by-ipv6", "fe80::1"),
];

/// A network, and a port there.
type Place = (Network, u16, Transport);

/// The networks and ports that a policy names.
fn named_by(policy: &EffectivePolicy) -> impl Iterator<Item = Place> + '_ {
    let entries = policy.destination.egress.iter();
    let read = entries.filter_map(|egress| Some((Network::parse(&egress.cidr.0)?, &egress.ports)));
    read.flat_map(|(network, ports)| {
        let numbered = ports.iter().filter_map(|port| Some((u16::try_from(port.port).ok()?, port.protocol)));
        numbered.map(move |(port, protocol)| (network, port, protocol.into()))
    })
}

/// The networks and ports that are named for any stage.
fn named(rehearsed: &Rehearsed<'_>) -> BTreeSet<Place> {
    let others = rehearsed.others.iter().flat_map(|(_, policy)| named_by(policy));
    named_by(rehearsed.policy).chain(others).collect()
}

/// For each family, an address outside that the contract doesn't name.
pub(super) fn outside(rehearsed: &Rehearsed<'_>) -> Vec<(&'static str, IpAddr)> {
    let named = named(rehearsed);
    let is_free = |address: &IpAddr| !named.iter().any(|(network, ..)| network.holds(*address));
    let of = |(family, known): (&'static str, [&str; 3])| {
        let mut addresses = known.iter().filter_map(|text| text.parse().ok());
        addresses.find(is_free).map(|address| (family, address))
    };
    OUTSIDE.into_iter().filter_map(of).collect()
}

fn out(rehearsed: &Rehearsed<'_>, address: IpAddr, protocol: Transport, port: u16) -> Way {
    Way { from: own(rehearsed), to: End::Outside(address), protocol, port }
}

/// The cluster's own resolver is asked where the contract says so, and nothing else.
pub(super) fn dns(rehearsed: &Rehearsed<'_>) -> Vec<Expected> {
    let (space, selector) = (&rehearsed.installation.dns_namespace, &rehearsed.installation.dns_selector);
    let is_asked = rehearsed.policy.destination.dns == Dns::Cluster;
    let expect = if is_asked { Passage::Open } else { Passage::Shut };
    let to = End::Pod(pod(space, selector));
    let way = Way { from: own(rehearsed), to, protocol: Transport::Udp, port: DNS_PORT };
    let by_tcp = Way { protocol: Transport::Tcp, ..way.clone() };
    let mut cases = vec![
        way.clone().expected("dns-by-udp", DNS, expect),
        by_tcp.clone().expected("dns-by-tcp", DNS, expect),
    ];
    for (family, address) in outside(rehearsed) {
        let way = out(rehearsed, address, Transport::Udp, DNS_PORT);
        cases.push(way.shut(&format!("dns-outside-by-{family}"), DNS));
    }
    if !is_asked {
        return cases;
    }
    for (protocol, way) in [("udp", way.clone()), ("tcp", by_tcp)] {
        let name = format!("dns-at-another-port-by-{protocol}");
        cases.push(Way { port: OTHER_DNS_PORT, ..way }.shut(&name, DNS));
    }
    cases.push(way.clone().with_target_elsewhere("dns-in-another-namespace", DNS));
    for (number, labels) in others(selector).enumerate() {
        let to = End::Pod(pod(space, &labels));
        let name = format!("dns-of-other-pods-{}", number.saturating_add(1));
        cases.push(Way { to, ..way.clone() }.shut(&name, DNS));
    }
    cases
}

/// Production gets to where the contract says, and not beside that. No other stage gets even there.
pub(super) fn egress(rehearsed: &Rehearsed<'_>) -> Vec<Expected> {
    let (named, closed) = (named(rehearsed), closed(rehearsed.installation));
    let mut cases: BTreeMap<String, Expected> = BTreeMap::new();
    for (network, port, protocol) in &named {
        let Some(first) = network.first_without(&closed).or_else(|| network.first_without(&[])) else {
            continue;
        };
        let name = format!("egress-{}", kebab(&network.to_string()));
        let way = out(rehearsed, first, *protocol, *port);
        let shut = way.clone().shut(&name, EGRESS);
        if !is_agreed(rehearsed, &shut) {
            // One port is enough where all are shut alike.
            cases.entry(name).or_insert(shut);
            continue;
        }
        let name = format!("{name}-at-{port}-by-{}", kebab(protocol.as_str()));
        let others = named.iter().map(|(network, ..)| *network).chain(closed.iter().copied());
        let behind = network.first_behind(&others.collect::<Vec<_>>());
        let behind = behind.map(|address| out(rehearsed, address, *protocol, *port));
        let at = Way { port: beside(*port), ..way.clone() };
        let all = [
            Some(way.expected(&name, EGRESS, Passage::Open)),
            Some(at.shut(&format!("{name}-at-another-port"), EGRESS)),
            behind.map(|way| way.shut(&format!("{name}-behind"), EGRESS)),
        ];
        cases.extend(all.into_iter().flatten().map(|case| (case.name.clone(), case)));
    }
    cases.into_values().collect()
}

/// What no clause can open: the outside as a whole, the cluster's networks, metadata services, the link.
pub(super) fn nowhere(rehearsed: &Rehearsed<'_>) -> Vec<Expected> {
    let named = named(rehearsed);
    // Where the contract names a network around it, at a port of that: then nothing else is different.
    let door = |address: IpAddr, usual: u16| {
        let around = named.iter().find(|(network, ..)| network.holds(address));
        around.map_or((Transport::Tcp, usual), |(_, port, protocol)| (*protocol, *port))
    };
    let shut = |name: String, address: IpAddr, usual: u16| {
        let (protocol, port) = door(address, usual);
        out(rehearsed, address, protocol, port).shut(&name, EGRESS)
    };
    let cluster = rehearsed.installation.cluster_networks.iter();
    let cluster: BTreeSet<Network> = cluster.filter_map(|text| Network::parse(text)).collect();
    let cluster = cluster.into_iter().filter_map(|network| {
        let name = format!("to-the-clusters-{}", kebab(&network.to_string()));
        Some(shut(name, network.first_without(&[])?, HTTPS))
    });
    let known = NOWHERE
        .iter()
        .filter_map(|(name, address)| Some(shut(format!("to-the-{name}"), address.parse().ok()?, HTTP)));
    let outside = outside(rehearsed).into_iter();
    let outside = outside.map(|(family, address)| shut(format!("to-outside-by-{family}"), address, HTTPS));
    outside.chain(cluster).chain(known).collect()
}

/// Whether what is agreed lets the stage dial there.
pub(super) fn is_agreed(rehearsed: &Rehearsed<'_>, case: &Expected) -> bool {
    let End::Pod(from) = &case.from else { return false };
    if from.namespace != rehearsed.namespace {
        return false;
    }
    match &case.to {
        End::Outside(address) => {
            let is_named = named_by(rehearsed.policy).any(|(network, port, protocol)| {
                network.holds(*address) && (port, protocol) == (case.port, case.protocol)
            });
            let is_closed = closed(rehearsed.installation).iter().any(|network| network.holds(*address));
            rehearsed.stage == Stage::Production && is_named && !is_closed
        }
        End::Pod(to) => agreed(rehearsed).into_iter().any(|endpoint| {
            let (serving, port) = serving(endpoint);
            let is_one = serving.labels.iter().all(|(label, value)| to.labels.get(label) == Some(value));
            let door = (port, endpoint.target.protocol.into());
            is_one && serving.namespace == to.namespace && door == (case.port, case.protocol)
        }),
    }
}

/// A text as a part of a name: `192.0.2.0/28` is `192-0-2-0-28`.
fn kebab(text: &str) -> String {
    let letters = text.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '-' });
    letters.collect::<String>().to_lowercase()
}
