//! What is dialled for real, from a pod of the stage: that what has to be open is, and what has to be shut is, whatever is
//! stored. A cluster whose network plugin holds nobody to policies stores them all the same.
//!
//! Only what is known to listen is dialled where it has to be shut: that nobody answers shows nothing elsewhere.

mod place;
mod told;
pub mod word;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use k8s_openapi::api::discovery::v1::{Endpoint, EndpointPort, EndpointSlice};
use serde_json::{Value, json};

pub use self::place::Place;
pub use self::told::{Told, cases};
use super::{Ground, pods};
use crate::api::boundary::Dns;
use crate::api::contract::Protocol;
use crate::api::effective::{EffectiveEndpoint, EffectivePolicy};
use crate::api::stage::Stage;
use crate::grant::build::Installation;
use crate::policy::ServiceFacts;
use crate::rehearsal::case::Expected;

/// The Service of the API server, which listens in every cluster.
pub const API_SERVER: (&str, &str) = ("default", "kubernetes");

/// How long each address is dialled, over and over, until it answers.
pub const WITHIN: Duration = Duration::from_secs(5);
/// How long a probe may take from when it is asked for to when it has told, in seconds.
pub const DEADLINE: i32 = 40;
/// The most addresses that one probe dials: what it tells has to fit in the 4096 bytes of a termination message.
pub const MOST: usize = 48;
/// How many addresses of a Service are dialled. A plugin may hold the pods of one node, or one family of addresses, and not
/// another's.
const EACH: usize = 3;
/// How many Services are looked at that lead to the cluster's DNS, and how many of another stage.
const RESOLVERS: usize = 4;
const NEIGHBOURS: usize = 2;
/// The port of DNS (RFC 1035), which is asked by datagrams, and by connections as well (RFC 7766).
const DNS_PORT: i32 = 53;

const DATASET: &str = "dataScope.datasets.name";
const EGRESS: &str = "destination.egress";
const DNS: &str = "destination.dns";
const STAGE: &str = "PartnerGrant.stage";

/// Where something is to be dialled.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    name: String,
    clause: &'static str,
    tried: String,
    /// Where it listens, at one place at least; or why that can't be dialled.
    to: Result<Vec<Place>, String>,
    expected: Expected,
}

/// What is said of an address that mustn't be reached. Names have no spaces, so none says it.
const SILENT: &str = "nobody answers there";

/// A Service, by namespace and name.
pub type Service = (String, String);

/// Who is known to stand in the cluster.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// The Services that lead to the cluster's DNS.
    pub dns: Vec<Service>,
    /// Some Services in the namespaces of the grant's other stages, each with the name of its stage.
    pub neighbours: Vec<(&'static str, Service)>,
    /// What stands behind each Service.
    pub behind: BTreeMap<Service, Vec<EndpointSlice>>,
}

/// The Services that lead to the cluster's DNS, of those that stand in its namespace. It is found the way in which policies
/// let pods ask it, by the labels of its pods: whom a Service selects by these labels, and more, has them.
pub fn resolvers(installation: &Installation, standing: &BTreeMap<String, ServiceFacts>) -> Vec<Service> {
    let is_one = |facts: &ServiceFacts| {
        let has_labels =
            installation.dns_selector.iter().all(|(label, value)| facts.selector.get(label) == Some(value));
        let asked = facts.targets.values().any(|to| to.number == Some(DNS_PORT) || to.name.is_some());
        !facts.selector.is_empty() && has_labels && asked
    };
    let found = standing.iter().filter(|(_, facts)| is_one(facts)).take(RESOLVERS);
    found.map(|(name, _)| (installation.dns_namespace.clone(), name.clone())).collect()
}

/// Some Services of another stage of the grant, of those that stand in its namespace: such as lead to pods there, and so to
/// nobody elsewhere.
pub fn neighbours(
    (stage, namespace): (Stage, &str),
    standing: &BTreeMap<String, ServiceFacts>,
) -> impl Iterator<Item = (&'static str, Service)> {
    let led = standing.iter().filter(|(_, facts)| !facts.selector.is_empty()).take(NEIGHBOURS);
    led.map(move |(name, _)| (stage.lower(), (namespace.to_owned(), name.clone())))
}

/// The Services whose addresses have to be known.
pub fn services(
    policy: &EffectivePolicy,
    others: &[(Stage, &EffectivePolicy)],
    known: &Known,
) -> BTreeSet<Service> {
    let mut all: BTreeSet<Service> = BTreeSet::from([(API_SERVER.0.to_owned(), API_SERVER.1.to_owned())]);
    let policies = others.iter().map(|(_, policy)| *policy).chain([policy]);
    all.extend(policies.flat_map(endpoints).map(|(_, endpoint)| of(endpoint)));
    all.extend(known.dns.iter().cloned());
    all.extend(known.neighbours.iter().map(|(_, service)| service.clone()));
    all
}

/// What is dialled, by who is known to stand there.
pub fn targets(policy: &EffectivePolicy, others: &[(Stage, &EffectivePolicy)], known: &Known) -> Vec<Target> {
    let agreed: Vec<&EffectiveEndpoint> = endpoints(policy).map(|(_, endpoint)| endpoint).collect();
    let mut targets = vec![api_server(known)];
    targets.extend(endpoints(policy).map(|(dataset, endpoint)| Target {
        name: format!("dial-dataset-{dataset}"),
        clause: DATASET,
        tried: format!("a pod of the stage dials what serves {dataset}"),
        to: listens(endpoint, known),
        expected: Expected::Allowed,
    }));
    for (stage, policy) in others.iter().filter(|(stage, _)| *stage != Stage::Rehearsal) {
        // Just what is agreed for this stage may be reached. Another Service that leads to the same pods may not.
        let foreign = endpoints(policy).filter(|(_, endpoint)| !agreed.contains(endpoint));
        targets.extend(foreign.map(|(dataset, endpoint)| Target {
            name: format!("dial-dataset-{dataset}-of-{}", stage.lower()),
            clause: DATASET,
            tried: format!("a pod of the stage dials what serves {dataset} at {stage:?}"),
            to: listens(endpoint, known),
            expected: Expected::Refused(SILENT),
        }));
    }
    targets.extend([Protocol::Udp, Protocol::Tcp].map(|protocol| resolver(policy, known, protocol)));
    targets.extend(known.neighbours.iter().filter_map(|neighbour| pods_of(neighbour, known)));
    fit(&mut targets);
    targets
}

/// Leaves of the targets what one probe can dial: the first address of each before the second of any.
fn fit(targets: &mut [Target]) {
    let mut dialled = BTreeSet::new();
    for place in 0..EACH {
        for target in targets.iter_mut() {
            let Ok(to) = &mut target.to else { continue };
            let Some(address) = to.get(place).copied() else { continue };
            if dialled.len() < MOST {
                dialled.insert(address);
            }
            if !dialled.contains(&address) {
                to.truncate(place);
            }
        }
    }
    for target in targets {
        if target.to.as_ref().is_ok_and(Vec::is_empty) {
            target.to = Err(format!("one probe dials {MOST} addresses, and this is one more"));
        }
    }
}

fn api_server(known: &Known) -> Target {
    let service = (API_SERVER.0.to_owned(), API_SERVER.1.to_owned());
    Target {
        name: "dial-api-server".to_owned(),
        clause: EGRESS,
        tried: "a pod of the stage dials the API server".to_owned(),
        to: listening(known.slices(&service), Protocol::Tcp, None),
        expected: Expected::Refused(SILENT),
    }
}

/// The cluster's DNS, which answers where the contract lets pods ask it, and nowhere else.
fn resolver(policy: &EffectivePolicy, known: &Known, protocol: Protocol) -> Target {
    let is_asked = policy.destination.dns == Dns::Cluster;
    let slices = known.dns.iter().flat_map(|service| known.slices(service));
    let to = if known.dns.is_empty() {
        Err("no Service leads to the pods that are said to be the cluster's DNS".to_owned())
    } else {
        listening(slices, protocol, Some(DNS_PORT))
    };
    Target {
        name: format!("dial-dns-by-{}", protocol.as_str().to_lowercase()),
        clause: DNS,
        tried: format!("a pod of the stage asks the cluster's DNS by {}", protocol.as_str()),
        to,
        expected: if is_asked { Expected::Allowed } else { Expected::Refused(SILENT) },
    }
}

/// Pods of another stage of the grant, where any listen: nobody has to run any.
fn pods_of((stage, service): &(&str, Service), known: &Known) -> Option<Target> {
    let to = listening(known.slices(service), Protocol::Tcp, None).ok()?;
    Some(Target {
        name: format!("dial-pods-of-{stage}"),
        clause: STAGE,
        tried: format!("a pod of the stage dials pods of the {stage}, behind Service {}", service.1),
        to: Ok(to),
        expected: Expected::Refused(SILENT),
    })
}

/// What serves each dataset, once for all of its versions.
fn endpoints(policy: &EffectivePolicy) -> impl Iterator<Item = (&str, &EffectiveEndpoint)> {
    let datasets = policy.datasets.iter();
    let served: BTreeMap<&str, &EffectiveEndpoint> =
        datasets.filter_map(|dataset| Some((dataset.name.as_str(), dataset.endpoint.as_ref()?))).collect();
    served.into_iter()
}

fn of(endpoint: &EffectiveEndpoint) -> Service {
    (endpoint.namespace.0.clone(), endpoint.service.0.clone())
}

fn listens(endpoint: &EffectiveEndpoint, known: &Known) -> Result<Vec<Place>, String> {
    if endpoint.target.protocol != Protocol::Tcp {
        return Err("only TCP is dialled".to_owned());
    }
    listening(known.slices(&of(endpoint)), Protocol::Tcp, endpoint.target.number)
}

impl Known {
    /// What stands behind a Service.
    fn slices(&self, service: &Service) -> impl Iterator<Item = &EndpointSlice> {
        self.behind.get(service).into_iter().flatten()
    }
}

/// A few addresses that are ready, at this port, or at the only one: which of several a name means, only pods know.
fn listening<'a>(
    slices: impl Iterator<Item = &'a EndpointSlice>,
    protocol: Protocol,
    number: Option<i32>,
) -> Result<Vec<Place>, String> {
    let mut found: Vec<_> = slices.flat_map(|slice| ready(slice, protocol, number)).collect();
    // The first of each slice before the second of any: each family of addresses has slices of its own.
    found.sort_by_key(|(place, _)| *place);
    let mut some: Vec<Place> = Vec::new();
    for (_, place) in found {
        if some.len() < EACH && !some.contains(&place) {
            some.push(place);
        }
    }
    if some.is_empty() { Err("nothing that is ready listens there".to_owned()) } else { Ok(some) }
}

/// The places of a slice that are ready, each with its number among them.
fn ready(slice: &EndpointSlice, protocol: Protocol, number: Option<i32>) -> Vec<(usize, Place)> {
    let ports = slice.ports.iter().flatten().filter(|port| is_by(port, protocol));
    let ports: Vec<i32> = ports.filter_map(|port| port.port).collect();
    let port = match (number, ports.as_slice()) {
        (Some(number), ports) => Some(number).filter(|number| ports.contains(number)),
        (None, [only]) => Some(*only),
        (None, _) => None,
    };
    let Some(port) = port.and_then(|port| u16::try_from(port).ok()) else { return Vec::new() };
    let ready = slice.endpoints.iter().flatten().filter(|endpoint| is_ready(endpoint));
    let addresses = ready.filter_map(|endpoint| endpoint.addresses.first()?.parse::<IpAddr>().ok());
    let by = |address| match protocol {
        Protocol::Tcp => Place::Tcp(address),
        Protocol::Udp => Place::Dns(address),
    };
    addresses.map(|address| by(SocketAddr::new(address, port))).enumerate().collect()
}

/// Unknown is TCP (discovery.k8s.io/v1, `EndpointPort`).
fn is_by(port: &EndpointPort, protocol: Protocol) -> bool {
    port.protocol.as_deref().unwrap_or(Protocol::Tcp.as_str()) == protocol.as_str()
}

/// Unknown counts as ready (discovery.k8s.io/v1, `EndpointConditions`).
fn is_ready(endpoint: &Endpoint) -> bool {
    endpoint.conditions.as_ref().and_then(|conditions| conditions.ready).unwrap_or(true)
}

/// Each place that a probe has to dial.
pub fn places(targets: &[Target]) -> BTreeSet<Place> {
    targets.iter().filter_map(|target| target.to.as_ref().ok()).flatten().copied().collect()
}

/// The image that dials; or why there is none.
pub fn image<'a>(ground: &Ground<'a>) -> Result<&'a str, String> {
    let probe = ground.rehearsal.and_then(|rehearsal| rehearsal.probe.as_ref());
    let image = probe.ok_or("the contract names no image that dials: rehearsal.probe.image")?.image.as_str();
    let is_from = |registry: &str| image.starts_with(&format!("{}/", registry.trim_end_matches('/')));
    if !ground.guard.registries.iter().any(|registry| is_from(registry.as_str())) {
        return Err("the image of rehearsal.probe isn't from a registry that the contract names".to_owned());
    }
    Ok(image)
}

/// The pod that dials them, as strictly held as any; or why there is none.
pub fn pod(ground: &Ground<'_>, dialled: &BTreeSet<Place>) -> Result<Value, String> {
    let image = image(ground)?;
    if dialled.is_empty() {
        return Err("nothing listens that could be dialled".to_owned());
    }
    let mut words = vec!["dial".to_owned(), format!("--within={}s", WITHIN.as_secs())];
    words.extend(dialled.iter().map(ToString::to_string));
    let mut pod = pods::running(ground, image).ok_or("the grant has no workload: no pod can run")?;
    pod["spec"]["containers"][0]["args"] = json!(words);
    pod["spec"]["restartPolicy"] = json!("Never");
    Ok(pod)
}

/// What makes that pod, once, and takes it away if nobody else does.
pub fn job(pod: &Value) -> Value {
    let template = json!({"metadata": {"labels": pod["metadata"]["labels"]}, "spec": pod["spec"]});
    json!({
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"generateName": "rehearsal-probe-"},
        "spec": {
            "backoffLimit": 0,
            "activeDeadlineSeconds": DEADLINE,
            "ttlSecondsAfterFinished": DEADLINE,
            "template": template,
        },
    })
}

#[cfg(test)]
mod tests;
