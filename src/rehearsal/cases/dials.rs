//! What is dialled for real, from a pod of the stage: that what has to be open is, and what has to be shut is, whatever is
//! stored. A cluster whose network plugin holds nobody to policies stores them all the same.
//!
//! Only what is known to listen is dialled where it has to be shut: that nobody answers shows nothing elsewhere.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use k8s_openapi::api::discovery::v1::{Endpoint, EndpointSlice};
use serde_json::{Value, json};

use super::pods;
use super::{Case, Ground};
use crate::api::contract::Protocol;
use crate::api::effective::{EffectiveEndpoint, EffectivePolicy};
use crate::api::stage::Stage;
use crate::rehearsal::case::{Attempt, Expected, Observed};

/// The Service of the API server, which listens in every cluster.
pub const API_SERVER: (&str, &str) = ("default", "kubernetes");

/// How long each address is dialled, over and over, until it answers.
pub const WITHIN: Duration = Duration::from_secs(5);
/// How long a probe may take from when it is asked for to when it has told, in seconds.
pub const DEADLINE: i32 = 40;
/// The most addresses that one probe dials: what it tells has to fit in 4096 bytes.
const MOST: usize = 32;

const DATASET: &str = "dataScope.datasets.name";
const EGRESS: &str = "destination.egress";

/// Where something is to be dialled.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    name: String,
    clause: &'static str,
    tried: String,
    /// Where it listens; or why that can't be dialled.
    to: Result<SocketAddr, String>,
    expected: Expected,
}

/// What a probe told.
#[derive(Clone, Debug, PartialEq)]
pub enum Told {
    /// What came of each address.
    Dialled(BTreeMap<SocketAddr, String>),
    /// Nobody could dial, for this reason.
    Untried(String),
    /// Nobody did, although somebody could have, for this reason.
    Nothing(String),
}

/// What is said of an address that mustn't be reached. Names have no spaces, so none says it.
const SILENT: &str = "nobody answers there";

/// A Service, by namespace and name.
pub type Service = (String, String);

/// The Services whose addresses have to be known.
pub fn services(policy: &EffectivePolicy, others: &[(Stage, &EffectivePolicy)]) -> BTreeSet<Service> {
    let mut all: BTreeSet<Service> = BTreeSet::from([(API_SERVER.0.to_owned(), API_SERVER.1.to_owned())]);
    let policies = others.iter().map(|(_, policy)| *policy).chain([policy]);
    all.extend(policies.flat_map(endpoints).map(|(_, endpoint)| of(endpoint)));
    all
}

/// What is dialled, by what stands behind each of those Services.
pub fn targets(
    policy: &EffectivePolicy,
    others: &[(Stage, &EffectivePolicy)],
    behind: &BTreeMap<Service, Vec<EndpointSlice>>,
) -> Vec<Target> {
    let agreed: Vec<&EffectiveEndpoint> = endpoints(policy).map(|(_, endpoint)| endpoint).collect();
    let mut targets = vec![api_server(behind)];
    targets.extend(endpoints(policy).map(|(dataset, endpoint)| Target {
        name: format!("dial-dataset-{dataset}"),
        clause: DATASET,
        tried: format!("a pod of the stage dials what serves {dataset}"),
        to: listens(endpoint, behind),
        expected: Expected::Allowed,
    }));
    for (stage, policy) in others.iter().filter(|(stage, _)| *stage != Stage::Rehearsal) {
        // Just what is agreed for this stage may be reached. Another Service that leads to the same pods may not.
        let foreign = endpoints(policy).filter(|(_, endpoint)| !agreed.contains(endpoint));
        targets.extend(foreign.map(|(dataset, endpoint)| Target {
            name: format!("dial-dataset-{dataset}-of-{}", stage.lower()),
            clause: DATASET,
            tried: format!("a pod of the stage dials what serves {dataset} at {stage:?}"),
            to: listens(endpoint, behind),
            expected: Expected::Refused(SILENT),
        }));
    }
    for target in targets.iter_mut().skip(MOST) {
        target.to = Err(format!("one probe dials {MOST} addresses, and this is one more"));
    }
    targets
}

fn api_server(behind: &BTreeMap<Service, Vec<EndpointSlice>>) -> Target {
    let service = (API_SERVER.0.to_owned(), API_SERVER.1.to_owned());
    Target {
        name: "dial-api-server".to_owned(),
        clause: EGRESS,
        tried: "a pod of the stage dials the API server".to_owned(),
        to: address(behind.get(&service), None),
        expected: Expected::Refused(SILENT),
    }
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

fn listens(
    endpoint: &EffectiveEndpoint,
    behind: &BTreeMap<Service, Vec<EndpointSlice>>,
) -> Result<SocketAddr, String> {
    if endpoint.target.protocol != Protocol::Tcp {
        return Err("only TCP is dialled".to_owned());
    }
    address(behind.get(&of(endpoint)), endpoint.target.number)
}

/// The first address that is ready, at this port, or at the only one: which of several a name means, only pods know.
fn address(slices: Option<&Vec<EndpointSlice>>, number: Option<i32>) -> Result<SocketAddr, String> {
    let found = slices.into_iter().flatten().find_map(|slice| {
        let ports: Vec<i32> = slice.ports.iter().flatten().filter_map(|port| port.port).collect();
        let port = match (number, ports.as_slice()) {
            (Some(number), ports) => ports.iter().copied().find(|port| *port == number)?,
            (None, [only]) => *only,
            (None, _) => return None,
        };
        let ready = slice.endpoints.iter().flatten().find(|endpoint| is_ready(endpoint))?;
        let address = ready.addresses.first()?.parse().ok()?;
        Some(SocketAddr::new(address, u16::try_from(port).ok()?))
    });
    found.ok_or_else(|| "nothing that is ready listens there".to_owned())
}

/// Unknown counts as ready (discovery.k8s.io/v1, `EndpointConditions`).
fn is_ready(endpoint: &Endpoint) -> bool {
    endpoint.conditions.as_ref().and_then(|conditions| conditions.ready).unwrap_or(true)
}

/// Each address that a probe has to dial.
pub fn addresses(targets: &[Target]) -> BTreeSet<SocketAddr> {
    targets.iter().filter_map(|target| target.to.clone().ok()).collect()
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
pub fn pod(ground: &Ground<'_>, dialled: &BTreeSet<SocketAddr>) -> Result<Value, String> {
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

/// What came of each address, as `comity dial` tells it: a line for each.
pub fn read(told: &str) -> BTreeMap<SocketAddr, String> {
    let lines = told.lines().filter_map(|line| line.split_once(' '));
    lines.filter_map(|(address, came)| Some((address.parse().ok()?, came.to_owned()))).collect()
}

/// A case for each target, by what a probe told. Silence shows something only of a probe that reached somebody.
pub fn cases(targets: Vec<Target>, told: &Told) -> Vec<Case> {
    let answers = |target: &Target| {
        target.expected == Expected::Allowed
            && target.to.as_ref().is_ok_and(|address| told.word(address) == Some(OPEN))
    };
    let reached = targets.iter().any(answers);
    let judged = targets.into_iter().map(|target| {
        let attempt = match (told, &target.to) {
            (Told::Untried(why), _) | (_, Err(why)) => Attempt::Nothing(why.clone()),
            (told, Ok(address)) => told.of((*address, target.expected), reached),
        };
        let Target { name, clause, tried, expected, .. } = target;
        Case { name, clause, tried, attempt, expected }
    });
    judged.collect()
}

/// What `comity dial` says of who answers.
const OPEN: &str = "open";
/// What it says of who doesn't, where that shows that nothing gets there. One that refuses may have been reached.
const SHUT: [&str; 3] = ["no answer", "unreachable", "not permitted"];

impl Told {
    fn word(&self, address: &SocketAddr) -> Option<&str> {
        match self {
            Self::Dialled(told) => told.get(address).map(String::as_str),
            Self::Untried(_) | Self::Nothing(_) => None,
        }
    }

    fn of(&self, (address, expected): (SocketAddr, Expected), reached: bool) -> Attempt {
        let refused = |why: String| Attempt::Seen(Observed::Refused(why));
        if let Self::Nothing(why) = self {
            return refused(format!("nobody dialled: {why}"));
        }
        match self.word(&address) {
            None => refused(format!("the probe said nothing of {address}")),
            Some(OPEN) => Attempt::Seen(Observed::AllowedBy(format!("{address} answers"))),
            Some(word) if expected == Expected::Allowed => refused(format!("{address}: {word}")),
            Some(word) if !SHUT.contains(&word) => {
                Attempt::Nothing(format!("{address}: {word}, by what holds the pod or by what it reached"))
            }
            Some(_) if !reached => {
                Attempt::Nothing("nothing answered that has to, so silence shows nothing".to_owned())
            }
            Some(word) => refused(format!("{SILENT}: {address}: {word}")),
        }
    }
}

#[cfg(test)]
mod tests;
