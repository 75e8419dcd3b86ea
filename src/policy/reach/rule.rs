//! One rule of a policy: any of its peers, at any of its ports.

use std::net::IpAddr;

use k8s_openapi::api::networking::v1::{IPBlock, NetworkPolicyPeer, NetworkPolicyPort, NetworkPolicySpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::{Connection, End, Pod, Stored, Transport, Way, known, selector};
use crate::policy::network::Network;

/// What a rule names. Without peers it means everybody, without ports every port of every protocol.
pub(super) struct Rule<'a> {
    peers: &'a [NetworkPolicyPeer],
    ports: &'a [NetworkPolicyPort],
}

/// The rules of a policy for one direction.
pub(super) fn rules(spec: &NetworkPolicySpec, way: Way) -> impl Iterator<Item = Rule<'_>> {
    let ingress = spec.ingress.iter().flatten().filter(move |_| way == Way::Ingress);
    let egress = spec.egress.iter().flatten().filter(move |_| way == Way::Egress);
    let ingress = ingress.map(|rule| Rule::of(rule.from.as_deref(), rule.ports.as_deref()));
    ingress.chain(egress.map(|rule| Rule::of(rule.to.as_deref(), rule.ports.as_deref())))
}

impl<'a> Rule<'a> {
    fn of(peers: Option<&'a [NetworkPolicyPeer]>, ports: Option<&'a [NetworkPolicyPort]>) -> Self {
        Self { peers: peers.unwrap_or_default(), ports: ports.unwrap_or_default() }
    }

    /// Whether it lets a connection pass at `own`, with `other` at its other end.
    pub(super) fn lets(
        &self,
        stored: &Stored<'_>,
        own: &Pod,
        other: &End,
        connection: &Connection<'_>,
    ) -> Option<bool> {
        let peers = self.peers.iter().map(|peer| names(peer, stored, &own.namespace, other));
        let ports = self.ports.iter().map(|port| fits(port, connection));
        known::both(
            if self.peers.is_empty() { Some(true) } else { known::any(peers) },
            if self.ports.is_empty() { Some(true) } else { known::any(ports) },
        )
    }
}

/// Whether a peer, of a policy in `namespace`, means this end.
fn names(peer: &NetworkPolicyPeer, stored: &Stored<'_>, namespace: &str, end: &End) -> Option<bool> {
    match (&peer.ip_block, &peer.namespace_selector, &peer.pod_selector, end) {
        (Some(block), None, None, End::Outside(address)) => holds(block, *address),
        (Some(block), None, None, End::Pod(pod)) => may_hold(block, pod),
        // The API server lets neither in.
        (Some(_), ..) | (None, None, None, _) => None,
        (None, _, _, End::Outside(_)) => Some(false),
        (None, namespaces, pods, End::Pod(pod)) => {
            let place = match namespaces {
                Some(selector) => means(selector, stored, &pod.namespace),
                None => Some(pod.namespace == namespace),
            };
            let itself = pods.as_ref().map_or(Some(true), |selector| selector::means_pod(selector, pod));
            known::both(place, itself)
        }
    }
}

/// Whether a selector means a namespace, whose labels may not be known.
fn means(selector: &LabelSelector, stored: &Stored<'_>, namespace: &str) -> Option<bool> {
    match stored.namespaces.get(namespace) {
        Some(labels) => selector::matches(selector, labels),
        None => selector::means_all(selector).then_some(true),
    }
}

/// Whether a block has an address.
fn holds(block: &IPBlock, address: IpAddr) -> Option<bool> {
    let within = |text: &String| Network::meant(text).map(|network| network.holds(address));
    let excepted = block.except.iter().flatten().map(within);
    known::both(within(&block.cidr), known::not(known::any(excepted)))
}

/// Whether a block means a pod: not if it has none of its addresses, and otherwise the API leaves it to its
/// implementations, since a pod's address changes on the way in some of them.
fn may_hold(block: &IPBlock, pod: &Pod) -> Option<bool> {
    let held = known::any(pod.addresses.iter().map(|address| holds(block, *address)));
    if pod.addresses.is_empty() { None } else { held.filter(|held| !held) }
}

/// Whether a port of a rule is that of a connection. Names are those of the target's containers, in both directions.
fn fits(port: &NetworkPolicyPort, connection: &Connection<'_>) -> Option<bool> {
    let protocol = port.protocol.as_deref().unwrap_or(Transport::Tcp.as_str());
    let protocol = Transport::ALL.into_iter().find(|known| known.as_str() == protocol)?;
    if protocol != connection.protocol {
        return Some(false);
    }
    let number = |number: i32| u16::try_from(number).ok().filter(|number| *number > 0);
    match (&port.port, port.end_port) {
        (None, None) => Some(true),
        (Some(IntOrString::Int(only)), None) => number(*only).map(|only| only == connection.port),
        (Some(IntOrString::Int(first)), Some(last)) => {
            let range = number(*first)?..=number(last)?;
            (!range.is_empty()).then(|| range.contains(&connection.port))
        }
        (Some(IntOrString::String(name)), None) => Some(is_called(connection, name)),
        _ => None,
    }
}

/// Whether the target's containers call the port of a connection by this name.
fn is_called(connection: &Connection<'_>, name: &str) -> bool {
    let End::Pod(pod) = connection.to else { return false };
    let mut ports = pod.ports.iter().filter(|port| port.name == name);
    ports.any(|port| port.protocol == connection.protocol && port.number == connection.port)
}
