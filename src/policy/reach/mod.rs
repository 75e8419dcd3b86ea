//! Whether a connection passes, by NetworkPolicies of `networking.k8s.io/v1` as the API server stores them: what that
//! API says of them, and not what a network plugin makes of it.
//!
//! A connection passes where both of its ends let it: an end that policies isolate needs one of them to name the
//! other end. What a node sends to its own pods, and a pod to itself, passes whatever policies say, and pods in the
//! network of their node have none: neither is an end here.

mod known;
mod rule;
mod selector;

use std::collections::BTreeMap;
use std::fmt::{Display, Formatter};
use std::net::IpAddr;

use k8s_openapi::api::networking::v1::{NetworkPolicy, NetworkPolicySpec};

use crate::api::contract::Protocol;

/// The most policies that are named for people.
const NAMED: usize = 4;

/// Labels by key.
pub type Labels = BTreeMap<String, String>;

/// How that is taken which can't be known: what the API leaves to its implementations (whether an `ipBlock` means pods
/// too), what can't be read, and what wasn't given (a namespace's labels, a pod's address, its further labels).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Reading {
    /// As far as it may reach: for what has to be shut.
    Widest,
    /// No farther than is certain: for what has to be open.
    Narrowest,
}

/// A transport protocol that NetworkPolicies know.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Transport {
    /// RFC 9293.
    Tcp,
    /// RFC 768.
    Udp,
    /// RFC 9260.
    Sctp,
}

/// A port that a container of a pod gives a name.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NamedPort {
    /// Its name, `https`.
    pub name: String,
    /// Its number.
    pub number: u16,
    /// Its protocol.
    pub protocol: Transport,
}

/// A pod in a network of its own.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Pod {
    /// Its namespace.
    pub namespace: String,
    /// Its labels.
    pub labels: Labels,
    /// Whether it may have any others beside these, as far as anybody knows: whoever makes it chooses them.
    pub further_labels: bool,
    /// Its addresses; none: they aren't known.
    pub addresses: Vec<IpAddr>,
    /// The ports that its containers name.
    pub ports: Vec<NamedPort>,
}

/// One end of a connection.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum End {
    /// A pod.
    Pod(Pod),
    /// An address that no pod has.
    Outside(IpAddr),
}

/// A connection that somebody tries.
#[derive(Clone, Copy, Debug)]
pub struct Connection<'a> {
    /// Who dials.
    pub from: &'a End,
    /// Who is dialled: the pod itself, and not a Service in front of it.
    pub to: &'a End,
    /// By which protocol.
    pub protocol: Transport,
    /// At which port of the target.
    pub port: u16,
}

/// What the API server has stored.
#[derive(Clone, Copy, Debug)]
pub struct Stored<'a> {
    /// The policies, those of both ends' namespaces at least.
    pub policies: &'a [NetworkPolicy],
    /// The labels of namespaces, by name; those of one that is missing aren't known.
    pub namespaces: &'a BTreeMap<String, Labels>,
}

/// What an end makes of a connection. Policies are named `namespace/name`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Side {
    /// No policy isolates it, so everything passes.
    Free,
    /// It is isolated, and these let the connection pass.
    Open(Vec<String>),
    /// It is isolated by these, and none lets the connection pass.
    Shut(Vec<String>),
}

/// Whether a connection passes, and by what.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Verdict {
    /// What the source makes of it.
    pub egress: Side,
    /// What the target makes of it.
    pub ingress: Side,
}

/// Whether a connection passes.
pub fn reach(stored: &Stored<'_>, connection: &Connection<'_>, reading: Reading) -> Verdict {
    let side = |way| stored.side(way, connection, reading);
    Verdict { egress: side(Way::Egress), ingress: side(Way::Ingress) }
}

/// A direction, seen from the pod that a policy selects.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Way {
    Egress,
    Ingress,
}

impl Stored<'_> {
    /// What the end on one side makes of a connection.
    fn side(&self, way: Way, connection: &Connection<'_>, reading: Reading) -> Side {
        let (own, other) = match way {
            Way::Egress => (connection.from, connection.to),
            Way::Ingress => (connection.to, connection.from),
        };
        let End::Pod(pod) = own else { return Side::Free };
        let unsaid = NetworkPolicySpec::default();
        let (mut isolating, mut letting) = (Vec::new(), Vec::new());
        let near = |policy: &&NetworkPolicy| policy.metadata.namespace.as_ref() == Some(&pod.namespace);
        for policy in self.policies.iter().filter(near) {
            let spec = policy.spec.as_ref().unwrap_or(&unsaid);
            let concerned = known::both(selects(spec, pod), way.is_meant(spec));
            let lets = known::any(rule::rules(spec, way).map(|rule| rule.lets(self, pod, other, connection)));
            // Who may be isolated is, by the narrowest reading, and who may be let pass isn't.
            if concerned.unwrap_or(reading == Reading::Narrowest) {
                isolating.push(name(policy));
            }
            if known::both(concerned, lets).unwrap_or(reading == Reading::Widest) {
                letting.push(name(policy));
            }
        }
        match (isolating.is_empty(), letting.is_empty()) {
            (true, _) => Side::Free,
            (false, false) => Side::Open(letting),
            (false, true) => Side::Shut(isolating),
        }
    }
}

/// Whether a policy of the pod's namespace is about that pod.
fn selects(spec: &NetworkPolicySpec, pod: &Pod) -> Option<bool> {
    spec.pod_selector.as_ref().map_or(Some(true), |selector| selector::means_pod(selector, pod))
}

impl Way {
    /// Whether a policy isolates in this direction. Where it doesn't say, all isolate for ingress, and those with rules
    /// for egress for that too.
    fn is_meant(self, spec: &NetworkPolicySpec) -> Option<bool> {
        let types = spec.policy_types.as_deref().unwrap_or_default();
        if types.is_empty() {
            let has_egress = spec.egress.as_ref().is_some_and(|rules| !rules.is_empty());
            return Some(self == Self::Ingress || has_egress);
        }
        let own = if self == Self::Egress { "Egress" } else { "Ingress" };
        known::any(types.iter().map(|word| match word.as_str() {
            word if word == own => Some(true),
            "Egress" | "Ingress" => Some(false),
            _ => None,
        }))
    }
}

fn name(policy: &NetworkPolicy) -> String {
    let part = |text: &Option<String>| text.clone().unwrap_or_default();
    format!("{}/{}", part(&policy.metadata.namespace), part(&policy.metadata.name))
}

impl Verdict {
    /// Whether it passes.
    pub fn is_open(&self) -> bool {
        ![&self.egress, &self.ingress].into_iter().any(|side| matches!(side, Side::Shut(_)))
    }
}

impl Display for Verdict {
    fn fmt(&self, out: &mut Formatter<'_>) -> std::fmt::Result {
        let word = if self.is_open() { "open" } else { "shut" };
        write!(out, "{word}: {}, {}", side(&self.egress, "out"), side(&self.ingress, "in"))
    }
}

/// What a side makes of it, for people.
fn side(side: &Side, way: &str) -> String {
    match side {
        Side::Free => format!("no policy holds the way {way}"),
        Side::Open(policies) => format!("let {way} by {}", listed(policies)),
        Side::Shut(policies) => format!("not let {way}, where {} hold", listed(policies)),
    }
}

fn listed(policies: &[String]) -> String {
    let named = policies.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
    match policies.len().saturating_sub(NAMED) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}

impl Transport {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Tcp, Self::Udp, Self::Sctp];

    /// As NetworkPolicies write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "TCP",
            Self::Udp => "UDP",
            Self::Sctp => "SCTP",
        }
    }
}

impl From<Protocol> for Transport {
    fn from(protocol: Protocol) -> Self {
        match protocol {
            Protocol::Tcp => Self::Tcp,
            Protocol::Udp => Self::Udp,
        }
    }
}

impl Display for Transport {
    fn fmt(&self, out: &mut Formatter<'_>) -> std::fmt::Result {
        out.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests;
