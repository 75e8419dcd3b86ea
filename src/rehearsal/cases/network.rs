//! What an opening has to reach and mustn't, from its policy: a list of connections, each with the clause that it tries.
//!
//! What must be shut differs from what is agreed in one thing: another port, another pod, another namespace, another
//! stage. What a contract leaves out is tried too, so that every clause is seen to hold. A stage is tried against
//! the policies as the API server stores them ([`Expected::seen`]), whoever made them.

pub mod judged;
mod outward;
mod place;
pub mod summary;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{Display, Formatter};

use crate::api::effective::EffectivePolicy;
use crate::api::name::LABEL_NAMESPACE_NAME;
use crate::api::stage::Stage;
use crate::grant::build::Installation;
use crate::policy::reach::{Connection, End, Labels, Pod, Reading, Stored, Transport, Verdict, reach};

/// A namespace that isn't there. It has all labels of another one but its name, which only the API server sets.
pub const ELSEWHERE: &str = "somebody-else";
/// The most labels of a selector that are tried each by itself, since a report has an end.
const LABELS: usize = 4;

/// An opening that is rehearsed, in its surroundings.
#[derive(Clone, Copy, Debug)]
pub struct Rehearsed<'a> {
    /// Its stage.
    pub stage: Stage,
    /// Its namespace.
    pub namespace: &'a str,
    /// What it allows.
    pub policy: &'a EffectivePolicy,
    /// What the grant's other stages allow, which this one doesn't reach.
    pub others: &'a [(Stage, &'a EffectivePolicy)],
    /// The grant's namespace.
    pub grant_namespace: &'a str,
    /// The datasets whose pods are isolated already, and where Comity lets this opening in.
    pub ingress: &'a BTreeSet<String>,
    /// How Comity is installed.
    pub installation: &'a Installation,
}

/// What is expected of a connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Passage {
    /// It passes.
    Open,
    /// It doesn't.
    Shut,
}

/// A connection that is tried, and what has to come of it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Expected {
    /// Its name among all cases: kebab case, the same in every rehearsal of what is agreed.
    pub name: String,
    /// The clause that it tries, as `status.enforcement` names it; what isn't of the contract begins with the kind
    /// that says it.
    pub clause: &'static str,
    /// Who dials. Addresses of pods aren't known, so any `ipBlock` may mean them.
    pub from: End,
    /// Who is dialled.
    pub to: End,
    /// By which protocol.
    pub protocol: Transport,
    /// At which port of the pods.
    pub port: u16,
    /// What has to come of it.
    pub expect: Passage,
    /// The namespace whose labels [`ELSEWHERE`] has, where an end is there.
    pub imitated: Option<String>,
}

/// Every connection that a rehearsal of this opening tries, by name.
pub fn expected(rehearsed: &Rehearsed<'_>) -> Vec<Expected> {
    let mut cases = place::of_the_stage(rehearsed);
    cases.extend(place::datasets(rehearsed));
    cases.extend(outward::dns(rehearsed));
    cases.extend(outward::egress(rehearsed));
    cases.extend(outward::nowhere(rehearsed));
    // What another clause agrees to isn't refused.
    cases.retain(|case| case.expect == Passage::Open || !outward::is_agreed(rehearsed, case));
    cases
}

/// The namespaces whose labels and policies have to be known to judge these.
pub fn namespaces(cases: &[Expected]) -> BTreeSet<String> {
    cases.iter().flat_map(Expected::places).map(str::to_owned).collect()
}

impl Expected {
    /// What becomes of it by the policies that are stored, taken the worse way where that isn't clear.
    pub fn seen(&self, stored: &Stored<'_>) -> Verdict {
        let reading = if self.expect == Passage::Open { Reading::Narrowest } else { Reading::Widest };
        let mut namespaces: BTreeMap<String, Labels> = BTreeMap::new();
        for end in [&self.from, &self.to] {
            let End::Pod(pod) = end else { continue };
            let known = match pod.namespace.as_str() {
                ELSEWHERE => self.elsewhere(stored),
                there => stored.namespaces.get(there).cloned(),
            };
            namespaces.extend(known.map(|labels| (pod.namespace.clone(), labels)));
        }
        let stored = Stored { policies: stored.policies, namespaces: &namespaces };
        let connection =
            Connection { from: &self.from, to: &self.to, protocol: self.protocol, port: self.port };
        reach(&stored, &connection, reading)
    }

    /// Whether this is what has to come of it.
    pub fn holds(&self, seen: &Verdict) -> bool {
        seen.is_open() == (self.expect == Passage::Open)
    }

    /// The labels of [`ELSEWHERE`], where those that it imitates are known.
    fn elsewhere(&self, stored: &Stored<'_>) -> Option<Labels> {
        let mut labels = stored.namespaces.get(self.imitated.as_ref()?)?.clone();
        labels.insert(LABEL_NAMESPACE_NAME.to_owned(), ELSEWHERE.to_owned());
        Some(labels)
    }
}

impl Display for Expected {
    fn fmt(&self, out: &mut Formatter<'_>) -> std::fmt::Result {
        let word = if self.expect == Passage::Open { "open" } else { "shut" };
        write!(out, "{}: {} is {word}", self.name, self.connection())
    }
}

impl Expected {
    /// The connection, for people.
    pub fn connection(&self) -> String {
        let (from, to) = (self.told(&self.from), self.told(&self.to));
        format!("{from} to {to} at {}/{}", self.port, self.protocol)
    }

    /// The namespaces of which both the labels and the policies have to be known to judge it.
    pub fn places(&self) -> impl Iterator<Item = &str> {
        let pods = [&self.from, &self.to].into_iter().filter_map(|end| match end {
            End::Pod(pod) if pod.namespace != ELSEWHERE => Some(pod.namespace.as_str()),
            _ => None,
        });
        pods.chain(self.imitated.as_deref())
    }

    /// An end, for people.
    fn told(&self, end: &End) -> String {
        let pod = match end {
            End::Outside(address) => return address.to_string(),
            End::Pod(pod) => pod,
        };
        let labels: Vec<String> =
            pod.labels.iter().map(|(label, value)| format!("{label}={value}")).collect();
        let labels = if labels.is_empty() { "without labels".to_owned() } else { labels.join(",") };
        match &self.imitated {
            Some(imitated) if pod.namespace == ELSEWHERE => {
                format!("pods ({labels}) of a namespace that has all labels of {imitated}")
            }
            _ => format!("pods ({labels}) of {}", pod.namespace),
        }
    }
}

/// One connection, without its name and clause.
#[derive(Clone, Debug)]
struct Way {
    from: End,
    to: End,
    protocol: Transport,
    port: u16,
}

impl Way {
    /// This way has to be so.
    fn expected(self, name: &str, clause: &'static str, expect: Passage) -> Expected {
        let word = if expect == Passage::Open { "open" } else { "shut" };
        let Self { from, to, protocol, port } = self;
        let name = format!("network-{name}-{word}");
        Expected { name, clause, from, to, protocol, port, expect, imitated: None }
    }

    /// This way has to be shut.
    fn shut(self, name: &str, clause: &'static str) -> Expected {
        self.expected(name, clause, Passage::Shut)
    }

    /// The same to the same pods, as if they were in a namespace that only has another name.
    fn with_target_elsewhere(mut self, name: &str, clause: &'static str) -> Expected {
        let imitated = moved(&mut self.to);
        Expected { imitated, ..self.shut(name, clause) }
    }

    /// The same from the same pods, as if they were in a namespace that only has another name.
    fn with_source_elsewhere(mut self, name: &str, clause: &'static str) -> Expected {
        let imitated = moved(&mut self.from);
        Expected { imitated, ..self.shut(name, clause) }
    }
}

/// Moves a pod elsewhere, and says where it was.
fn moved(end: &mut End) -> Option<String> {
    let End::Pod(pod) = end else { return None };
    Some(std::mem::replace(&mut pod.namespace, ELSEWHERE.to_owned()))
}

/// A pod of which only these are known.
fn pod(namespace: &str, labels: &Labels) -> Pod {
    Pod { namespace: namespace.to_owned(), labels: labels.clone(), ..Pod::default() }
}

/// Another port than this one.
fn beside(port: u16) -> u16 {
    port.checked_add(1).unwrap_or(1)
}

/// Pods like these in all but the value of one label, for each of their labels, or the first of many.
fn others(selector: &Labels) -> impl Iterator<Item = Labels> + '_ {
    selector.keys().take(LABELS).map(|label| {
        let mut labels = selector.clone();
        labels.insert(label.clone(), ELSEWHERE.to_owned());
        labels
    })
}

#[cfg(test)]
mod tests;
