//! Where traffic may go, as sets of addresses: for each protocol and port, or as a whole.

use std::collections::{BTreeMap, BTreeSet};

use super::change::{Comparison, Difference};
use super::spans::Spans;
use super::walk::{Clause, Walk};
use crate::api::contract::{Egress, EgressPort, Protocol};
use crate::api::value::{Cidr, Line};
use crate::policy::network::Network;

/// The most networks that are named for one change.
const SHOWN: usize = 8;

/// A set of addresses of both families.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
struct Addresses {
    v4: Spans,
    v6: Spans,
}

impl Addresses {
    /// The addresses of some networks. A text that names none holds none.
    fn of<'a>(networks: impl IntoIterator<Item = &'a Cidr>) -> Self {
        let read = networks.into_iter().filter_map(|cidr| Network::parse(&cidr.0));
        let (v4, v6): (Vec<Network>, Vec<Network>) = read.partition(|network| network.is_v4());
        let spans = |networks: Vec<Network>| Spans::of(networks.into_iter().map(Network::bounds));
        Self { v4: spans(v4), v6: spans(v6) }
    }

    fn both(&self, other: &Self, of: impl Fn(&Spans, &Spans) -> Spans) -> Self {
        Self { v4: of(&self.v4, &other.v4), v6: of(&self.v6, &other.v6) }
    }

    fn is_empty(&self) -> bool {
        self.v4.is_empty() && self.v6.is_empty()
    }

    /// The fewest networks that hold exactly these.
    fn networks(&self) -> Vec<Network> {
        let cover = |is_v4: bool, spans: &Spans| {
            let spans = spans.spans().iter();
            spans.flat_map(|(first, last)| Network::cover(is_v4, *first, *last)).collect::<Vec<_>>()
        };
        [cover(true, &self.v4), cover(false, &self.v6)].concat()
    }
}

/// What may be sent to: for each protocol and port, the addresses.
type Reach = BTreeMap<(Protocol, i32), Addresses>;

/// What some entries come to.
fn reach(entries: &[Egress]) -> Reach {
    let mut reach = Reach::new();
    for entry in entries {
        let addresses = Addresses::of([&entry.cidr]);
        for port in &entry.ports {
            let known = reach.entry((port.protocol, port.port)).or_default();
            *known = known.both(&addresses, Spans::join);
        }
    }
    reach.retain(|_, addresses| !addresses.is_empty());
    reach
}

/// Where production may send to, in the fewest entries that say it.
pub(super) fn egress(walk: &mut Walk, old: &[Egress], new: &[Egress]) -> Vec<Egress> {
    let (before, after) = (reach(old), reach(new));
    let ports: BTreeSet<(Protocol, i32)> = before.keys().chain(after.keys()).copied().collect();
    let nowhere = Addresses::default();
    let mut met = Reach::new();
    for port in ports {
        let addresses = |reach: &Reach| reach.get(&port).unwrap_or(&nowhere).clone();
        let (from, to) = (addresses(&before), addresses(&after));
        let named = |network: &Network| endpoint(network, port);
        told(walk, ("egress", "egress"), &from, &to, named);
        met.insert(port, from.both(&to, Spans::meet));
    }
    reasons(walk, old, new);
    entries(&met, &[old, new].concat())
}

/// Which networks may be sent to, whatever the port.
pub(super) fn networks(walk: &mut Walk, clause: Clause, old: &[Cidr], new: &[Cidr]) {
    told(walk, clause, &Addresses::of(old), &Addresses::of(new), Network::to_string);
}

/// Writes down which addresses are gone and which are new.
fn told(
    walk: &mut Walk,
    clause: Clause,
    old: &Addresses,
    new: &Addresses,
    name: impl Fn(&Network) -> String,
) {
    let lists = [(old.both(new, Spans::without), false), (new.both(old, Spans::without), true)];
    let [gone, come] = lists.map(|(addresses, _)| {
        let networks = addresses.networks();
        let mut shown: Vec<String> = networks.iter().take(SHOWN).map(&name).collect();
        if networks.len() > SHOWN {
            shown.push(format!("to {} more networks", networks.len() - SHOWN));
        }
        shown
    });
    walk.swapped(clause, &gone, &come, false);
}

/// Reasons are for people: they allow nothing by themselves.
fn reasons(walk: &mut Walk, old: &[Egress], new: &[Egress]) {
    for entry in old {
        let now = new.iter().find(|other| other.cidr == entry.cidr);
        if let Some(now) = now.filter(|now| now.reason != entry.reason) {
            let text = |reason: &Option<Line>| reason.as_ref().map_or("none", Line::as_str).to_owned();
            let how = Difference::Became { old: text(&entry.reason), new: text(&now.reason) };
            let item = format!("for {}", entry.cidr.0);
            walk.note(("egress", "reason"), &item, how, Comparison::Equal);
        }
    }
}

/// A network and a port: `192.0.2.0/28:443`, `[2001:db8::]/32:53/UDP`.
fn endpoint(network: &Network, (protocol, port): (Protocol, i32)) -> String {
    let text = network.to_string();
    let address = match text.split_once('/') {
        Some((address, prefix)) if !network.is_v4() => format!("[{address}]/{prefix}"),
        _ => text,
    };
    let protocol = if protocol == Protocol::Tcp { "" } else { "/UDP" };
    format!("{address}:{port}{protocol}")
}

/// Entries that allow exactly `reach`, each with the reason that one of `known` has for it.
fn entries(reach: &Reach, known: &[Egress]) -> Vec<Egress> {
    let mut ports: BTreeMap<Network, Vec<EgressPort>> = BTreeMap::new();
    for ((protocol, port), addresses) in reach {
        for network in addresses.networks() {
            ports.entry(network).or_default().push(EgressPort { port: *port, protocol: *protocol });
        }
    }
    let reason = |network: Network| {
        let holds =
            |entry: &&Egress| Network::parse(&entry.cidr.0).is_some_and(|wide| wide.contains(network));
        known.iter().filter(holds).filter_map(|entry| entry.reason.clone()).min()
    };
    let entry = |(network, ports): (Network, Vec<EgressPort>)| Egress {
        cidr: Cidr(network.to_string()),
        ports,
        reason: reason(network),
    };
    ports.into_iter().map(entry).collect()
}
