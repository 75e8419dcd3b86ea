//! The requests that can tell two policies apart: for each clause, what stands at its edges.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use jiff::{SignedDuration, Timestamp, ToSpan as _};

use super::request::{Data, Pod, Request, Row};
use crate::api::boundary::PodSecurity;
use crate::api::contract::{
    Actor, Artifact, EncryptionKeys, KeyDelivery, OperationName, Prohibition, Protocol, SinkFailure,
};
use crate::api::effective::{EffectiveDataset, EffectivePolicy};
use crate::api::grant::Role;
use crate::api::value::Duration;
use crate::policy::network::Network;
use crate::policy::quantity::Amount;

const OPERATIONS: [OperationName; 3] = [OperationName::Infer, OperationName::Train, OperationName::Embed];
const ARTIFACTS: [Artifact; 3] = [Artifact::Features, Artifact::Scores, Artifact::RawRows];

/// What stands at the edges of either.
pub fn requests(policies: &[&EffectivePolicy]) -> Vec<Request> {
    let mut all = Vec::new();
    for part in [identity, operations, data, when, place, pods, held, logins, people] {
        part(policies, &mut all);
    }
    all
}

fn identity(policies: &[&EffectivePolicy], all: &mut Vec<Request>) {
    all.extend(policies.iter().map(|it| {
        Request::Act([&it.partner, &it.contract, &it.contract_uid, &it.purpose].map(|name| name.0.clone()))
    }));
    let practices = [Prohibition::ThirdPartySharing, Prohibition::ReIdentification, Prohibition::Linkage];
    all.extend(practices.map(Request::Practise));
    all.extend(ARTIFACTS.map(Request::Ship));
    all.extend(["a", "b", "c", "d"].map(|field| Request::Share(field.to_owned())));
}

fn operations(policies: &[&EffectivePolicy], all: &mut Vec<Request>) {
    for name in OPERATIONS {
        for actor in [Actor::Workload, Actor::Person, Actor::Agent] {
            all.push(Request::Do(name, actor));
        }
        let limits = policies.iter().flat_map(|policy| &policy.operations).filter_map(|it| it.limits.clone());
        let mut edges = vec![1, i32::MAX];
        for limit in limits {
            let known = [
                limit.requests_per_minute,
                limit.concurrency,
                limit.max_records_per_request,
                limit.max_response_bytes,
                limit.minimum_group_size,
            ];
            edges.extend(known.into_iter().flatten().flat_map(|edge| [edge - 1, edge, edge + 1]));
        }
        for edge in edges {
            all.extend((0..4).map(|which| {
                let mut amounts = [0; 4];
                amounts[which] = edge;
                Request::Ask(name, amounts)
            }));
            all.push(Request::Learn(name, edge));
        }
    }
    for model in policies.iter().flat_map(|policy| &policy.models) {
        for figures in figures(policies) {
            all.push(Request::Model(model.name.0.clone(), model.digest.0.clone(), figures));
        }
    }
}

/// Figures at the edges of every measure, for two metrics at once.
fn figures(policies: &[&EffectivePolicy]) -> Vec<BTreeMap<String, u32>> {
    let edges = |metric: &str| {
        let evaluations =
            policies.iter().flat_map(|policy| &policy.models).flat_map(|model| &model.evaluations);
        let bounds = evaluations
            .filter(|one| one.metric.0 == metric)
            .flat_map(|one| one.at_most.iter().chain(&one.at_least).map(|ratio| ratio.0.clone()));
        let millionths = bounds.map(|text| {
            let fraction = text.split_once('.').map_or("", |(_, fraction)| fraction);
            format!("{fraction:0<6}").parse::<u32>().expect("a ratio")
        });
        let near = millionths.flat_map(|edge| [edge - 1, edge, edge + 1]);
        near.map(Some).chain([None, Some(0), Some(1_000_000)]).collect::<BTreeSet<_>>()
    };
    let (first, second) = (edges("auc"), edges("loss"));
    let pairs = first.iter().flat_map(|one| second.iter().map(move |other| (*one, *other)));
    pairs
        .map(|(auc, loss)| {
            let named = [("auc", auc), ("loss", loss)];
            named.into_iter().filter_map(|(name, figure)| Some((name.to_owned(), figure?))).collect()
        })
        .collect()
}

fn data(policies: &[&EffectivePolicy], all: &mut Vec<Request>) {
    let datasets: Vec<&EffectiveDataset> = policies.iter().flat_map(|policy| &policy.datasets).collect();
    let mut instants: BTreeSet<Timestamp> = [Timestamp::UNIX_EPOCH, Timestamp::MAX].into();
    for rows in datasets.iter().filter_map(|dataset| dataset.rows.as_ref()) {
        instants.extend(rows.from.iter().chain(&rows.to).flat_map(|time| around(time.0)));
    }
    let labels: Vec<_> =
        datasets.iter().filter_map(|it| it.endpoint.as_ref()).map(|it| &it.selector).collect();
    let labels = label_sets(&labels);
    for dataset in &datasets {
        let key: Data = (dataset.name.0.clone(), dataset.version.0.clone(), dataset.digest.0.clone());
        let segments = ["s", "t", "u", "elsewhere"].map(ToOwned::to_owned);
        let rows = instants.iter().flat_map(|at| segments.iter().map(move |segment| (*at, segment.clone())));
        for row in rows {
            let of = || (key.clone(), row.clone());
            let (data, row): (Data, Row) = of();
            all.push(Request::Take(data, row));
            for field in ["a", "b", "c", "d"] {
                all.push(Request::Name(of().0, of().1, field.to_owned()));
                all.push(Request::Read(of().0, of().1, field.to_owned()));
            }
            all.extend(ARTIFACTS.map(|artifact| Request::Make(of().0, of().1, artifact)));
            for endpoint in datasets.iter().filter_map(|it| it.endpoint.as_ref()) {
                for labels in &labels {
                    let pod = Pod {
                        namespace: endpoint.namespace.0.clone(),
                        service: endpoint.service.0.clone(),
                        target: endpoint.target.clone(),
                        labels: labels.clone(),
                    };
                    all.push(Request::Reach(of().0, of().1, pod));
                }
            }
        }
    }
}

/// Each of some sets of labels, none, and all of them, whichever goes first.
fn label_sets(known: &[&BTreeMap<String, String>]) -> Vec<BTreeMap<String, String>> {
    let mut sets: Vec<BTreeMap<String, String>> = known.iter().map(|labels| (*labels).clone()).collect();
    let all = |labels: &mut dyn Iterator<Item = &&BTreeMap<String, String>>| {
        labels.flat_map(|labels| labels.iter().map(|(key, value)| (key.clone(), value.clone()))).collect()
    };
    sets.extend([BTreeMap::new(), all(&mut known.iter()), all(&mut known.iter().rev())]);
    sets.sort_unstable();
    sets.dedup();
    sets
}

fn around(at: Timestamp) -> [Timestamp; 3] {
    [at - 1.second(), at, at + 1.second()]
}

fn when(policies: &[&EffectivePolicy], all: &mut Vec<Request>) {
    for policy in policies {
        let time = &policy.time;
        let bounds = time.not_before.iter().chain([&time.not_after]);
        for at in bounds.flat_map(|bound| around(bound.0)) {
            all.extend([Request::Have(at), Request::Use(at)]);
        }
        let begin = time.not_before.as_ref().map_or(time.not_after.0 - 336.hours(), |begin| begin.0);
        all.extend((0..56).map(|step| Request::Use(begin + (step * 6).hours())));
        all.push(Request::Have(Timestamp::UNIX_EPOCH));
        let kept = &time.retention;
        for (which, most) in [&kept.inputs, &kept.artifacts, &kept.delete_within].into_iter().enumerate() {
            for length in lengths(most.as_ref()) {
                let mut kept = [SignedDuration::ZERO; 3];
                kept[which] = length;
                all.push(Request::Keep(kept));
            }
        }
        for length in lengths(policy.security.credential_ttl.as_ref()) {
            all.push(Request::Hold(length));
        }
    }
    all.push(Request::Reuse);
}

fn lengths(most: Option<&Duration>) -> [SignedDuration; 3] {
    let most = most.and_then(Duration::length).unwrap_or(SignedDuration::from_hours(26_304));
    [SignedDuration::MAX, most, most + SignedDuration::from_millis(1)]
}

fn place(policies: &[&EffectivePolicy], all: &mut Vec<Request>) {
    all.extend(["r1", "r2", "r3"].map(|region| Request::Settle(region.to_owned())));
    all.push(Request::Resolve);
    for egress in policies.iter().flat_map(|policy| &policy.destination.egress) {
        let network = Network::parse(&egress.cidr.0).expect("a network");
        let (first, last) = network.bounds();
        let most = if network.is_v4() { u128::from(u32::MAX) } else { u128::MAX };
        for bits in [first, last, first.saturating_sub(1), last.saturating_add(1).min(most)] {
            let address: IpAddr = match u32::try_from(bits) {
                Ok(bits) if network.is_v4() => IpAddr::V4(bits.into()),
                _ => IpAddr::V6(bits.into()),
            };
            for port in [53, 443] {
                all.extend(
                    [Protocol::Tcp, Protocol::Udp].map(|protocol| Request::Send(address, port, protocol)),
                );
            }
        }
    }
    for (resource, most) in policies.iter().flat_map(|policy| &policy.quota.hard) {
        let huge = Amount::parse("1000000P").expect("an amount");
        all.extend(
            [Amount::of(most).expect("an amount"), huge]
                .map(|amount| Request::Spend(resource.clone(), amount)),
        );
    }
}

fn pods(policies: &[&EffectivePolicy], all: &mut Vec<Request>) {
    let computes: Vec<_> = policies.iter().map(|policy| &policy.destination.compute).collect();
    let labels = label_sets(&computes.iter().map(|compute| &compute.node_selector).collect::<Vec<_>>());
    for registry in computes.iter().flat_map(|compute| &compute.registries) {
        for image in [format!("{registry}/x"), format!("{registry}-evil/x")] {
            for class in
                computes.iter().map(|compute| compute.runtime_class_name.as_ref().map(|it| it.0.clone()))
            {
                for labels in &labels {
                    all.push(Request::Run(image.clone(), class.clone(), labels.clone()));
                }
            }
        }
    }
}

fn held(_: &[&EffectivePolicy], all: &mut Vec<Request>) {
    all.extend(["c1", "c2", "c3"].map(|control| Request::Lack(control.to_owned())));
    all.extend([PodSecurity::Baseline, PodSecurity::Restricted].map(Request::Harden));
    let ways = [KeyDelivery::PodCertificate, KeyDelivery::CertificateSigningRequest, KeyDelivery::Secret];
    all.extend(ways.map(Request::Deliver));
    let holders = [EncryptionKeys::DataOwner, EncryptionKeys::Partner, EncryptionKeys::Platform];
    all.extend(holders.map(Request::Encrypt));
    all.extend([None, Some(SinkFailure::Refuse), Some(SinkFailure::Buffer)].map(Request::Log));
}

fn logins(_: &[&EffectivePolicy], all: &mut Vec<Request>) {
    let contexts = ["mfa", "hwk", "pin"];
    all.extend((0..8_usize).map(|which| {
        let shown = contexts.iter().enumerate().filter(|(index, _)| which & (1 << index) != 0);
        Request::LogIn(shown.map(|(_, context)| (*context).to_owned()).collect())
    }));
}

fn people(_: &[&EffectivePolicy], all: &mut Vec<Request>) {
    for name in ["ana", "bo"] {
        all.extend([Role::Auditor, Role::ModelEngineer].map(|role| Request::Be(name.to_owned(), role)));
    }
    for name in ["scorer", "trainer"] {
        all.push(Request::Program(name.to_owned()));
        all.extend(OPERATIONS.map(|operation| Request::Perform(name.to_owned(), operation)));
    }
}
