//! The stage as a place of its own, and the pods that serve its datasets.

use std::collections::BTreeMap;

use super::{Expected, Labels, Passage, Rehearsed, Way, beside, others, pod};
use crate::api::effective::{EffectiveEndpoint, EffectivePolicy, TargetPort};
use crate::api::name;
use crate::policy::reach::{End, NamedPort, Pod, Transport};

/// A stage is a place of its own.
const STAGE: &str = "PartnerGrant.stage";
/// Which datasets, and so which pods.
const DATASET: &str = "dataScope.datasets.name";
/// Who else gets to those pods.
const INGRESS: &str = "dataScope.datasets.ingress";
/// Where what is agreed ends, if no clause says more.
const EGRESS: &str = super::outward::EGRESS;
/// Where pods listen, for who dials them anywhere. Also what stands for a port that has only a name.
const PORT: u16 = 8443;

/// A pod of the stage. The partner gives it what labels they like beside the one that it must have.
pub(super) fn own(rehearsed: &Rehearsed<'_>) -> End {
    let purpose = (name::LABEL_PURPOSE.to_owned(), rehearsed.policy.purpose.0.clone());
    End::Pod(Pod { further_labels: true, ..pod(rehearsed.namespace, &Labels::from([purpose])) })
}

/// The same pod, with none but the labels that are known of it.
fn plain(end: End) -> End {
    let End::Pod(pod) = end else { return end };
    End::Pod(Pod { further_labels: false, ..pod })
}

/// Nobody gets in from elsewhere, nobody out to there, and the stage's pods reach each other.
pub(super) fn of_the_stage(rehearsed: &Rehearsed<'_>) -> Vec<Expected> {
    let within = Way { from: own(rehearsed), to: own(rehearsed), protocol: Transport::Tcp, port: PORT };
    let neighbour = End::Pod(pod(rehearsed.grant_namespace, &Labels::new()));
    let mut cases = vec![
        within.clone().expected("within-the-stage", STAGE, Passage::Open),
        within.clone().with_source_elsewhere("from-another-namespace", STAGE),
        within.clone().with_target_elsewhere("to-another-namespace", EGRESS),
        Way { from: neighbour.clone(), ..within.clone() }.shut("from-the-grants-namespace", STAGE),
        Way { to: neighbour, ..within.clone() }.shut("to-the-grants-namespace", EGRESS),
    ];
    for (family, address) in super::outward::outside(rehearsed) {
        let from = End::Outside(address);
        cases.push(Way { from, ..within.clone() }.shut(&format!("from-outside-by-{family}"), STAGE));
    }
    cases
}

/// What serves each dataset at a stage: a contract may name several versions of one.
fn endpoints(policy: &EffectivePolicy) -> BTreeMap<&str, &EffectiveEndpoint> {
    let datasets = policy.datasets.iter();
    datasets.filter_map(|dataset| Some((dataset.name.0.as_str(), dataset.endpoint.as_ref()?))).collect()
}

/// What serves the datasets is reached, at its port, and nothing that is like it.
pub(super) fn datasets(rehearsed: &Rehearsed<'_>) -> Vec<Expected> {
    let own_ones = endpoints(rehearsed.policy);
    let mut cases: Vec<Expected> =
        own_ones.iter().flat_map(|(dataset, endpoint)| dataset_cases(rehearsed, dataset, endpoint)).collect();
    for (stage, policy) in rehearsed.others.iter().filter(|(stage, _)| *stage != rehearsed.stage) {
        for (dataset, endpoint) in endpoints(policy) {
            let way = to(rehearsed, endpoint);
            cases.push(way.shut(&format!("dataset-{dataset}-of-{}", stage.lower()), DATASET));
        }
    }
    cases
}

/// The way from the stage to what serves a dataset.
fn to(rehearsed: &Rehearsed<'_>, endpoint: &EffectiveEndpoint) -> Way {
    let (pod, port) = serving(endpoint);
    let protocol = endpoint.target.protocol.into();
    Way { from: own(rehearsed), to: End::Pod(pod), protocol, port }
}

/// A pod behind an endpoint and its port. Where that has only a name, the pod gives it to a number.
pub(super) fn serving(endpoint: &EffectiveEndpoint) -> (Pod, u16) {
    let TargetPort { number, name, protocol } = &endpoint.target;
    let number = number.and_then(|number| u16::try_from(number).ok()).unwrap_or(PORT);
    let name =
        name.iter().map(|name| NamedPort { name: name.0.clone(), number, protocol: (*protocol).into() });
    (Pod { ports: name.collect(), ..pod(&endpoint.namespace.0, &endpoint.selector) }, number)
}

fn dataset_cases(rehearsed: &Rehearsed<'_>, dataset: &str, endpoint: &EffectiveEndpoint) -> Vec<Expected> {
    let (way, name) = (to(rehearsed, endpoint), |what: &str| format!("dataset-{dataset}{what}"));
    let other_protocol = if way.protocol == Transport::Tcp { Transport::Udp } else { Transport::Tcp };
    let back = Way { from: way.to.clone(), to: own(rehearsed), protocol: Transport::Tcp, port: PORT };
    let mut cases = vec![
        way.clone().expected(&name(""), DATASET, Passage::Open),
        Way { port: beside(way.port), ..way.clone() }.shut(&name("-at-another-port"), DATASET),
        Way { protocol: other_protocol, ..way.clone() }.shut(&name("-by-another-protocol"), DATASET),
        way.clone().with_target_elsewhere(&name("-in-another-namespace"), DATASET),
        back.shut(&name("-to-the-stage"), STAGE),
    ];
    for (number, labels) in others(&endpoint.selector).enumerate() {
        let to = End::Pod(Pod { labels, ..serving(endpoint).0 });
        let name = name(&format!("-of-other-pods-{}", number.saturating_add(1)));
        cases.push(Way { to, ..way.clone() }.shut(&name, DATASET));
    }
    if rehearsed.ingress.contains(dataset) {
        // Whoever has labels that the dataset's owner lets in is let in by the owner.
        let way = Way { from: plain(way.from), ..way };
        cases.push(way.with_source_elsewhere(&name("-from-another-namespace"), INGRESS));
    }
    cases
}

/// The endpoints of the opening, whatever their datasets.
pub(super) fn agreed<'a>(rehearsed: &Rehearsed<'a>) -> Vec<&'a EffectiveEndpoint> {
    rehearsed.policy.datasets.iter().filter_map(|dataset| dataset.endpoint.as_ref()).collect()
}
