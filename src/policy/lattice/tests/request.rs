//! What a policy means: one thing that somebody does, and whether the policy allows it. Each is
//! judged by itself, from the words of the policy and without anything that the lattice is made of.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::api::boundary::{Dns, PodSecurity};
use crate::api::contract::{
    Actor, Artifact, EncryptionKeys, Evaluation, KeyDelivery, OperationName, Prohibition, Protocol, Reuse,
    SinkFailure, Weekday, Window,
};
use crate::api::effective::{EffectiveDataset, EffectivePolicy, TargetPort};
use crate::api::grant::Role;
use crate::policy::quantity::Amount;

/// A row, by when it is from and its segment.
pub type Row = (Timestamp, String);

/// A dataset, by name, version and digest.
pub type Data = (String, String, String);

/// One thing that somebody does.
#[derive(Clone, Debug)]
pub enum Request {
    /// Act for this partner, under this contract, for this purpose.
    Act([String; 4]),
    /// Have this operation done by such an actor.
    Do(OperationName, Actor),
    /// Ask so often a minute, for so much at once, so many records, so many bytes.
    Ask(OperationName, [i32; 4]),
    /// Get an answer about so many people.
    Learn(OperationName, i32),
    /// Do what a prohibition names.
    Practise(Prohibition),
    /// Use this model, with these figures in millionths.
    Model(String, String, BTreeMap<String, u32>),
    /// Take such a row.
    Take(Data, Row),
    /// Name a field of such a row.
    Name(Data, Row, String),
    /// Read a field of such a row.
    Read(Data, Row, String),
    /// Share a field, of whichever dataset.
    Share(String),
    /// Make something of such a row.
    Make(Data, Row, Artifact),
    /// Share what was made.
    Ship(Artifact),
    /// Reach a pod with these labels, for such a row.
    Reach(Data, Row, Pod),
    /// Have access at this instant.
    Have(Timestamp),
    /// Use it at this instant.
    Use(Timestamp),
    /// Keep inputs, artifacts, or anything after the end, for so long.
    Keep([SignedDuration; 3]),
    /// Use again what is kept.
    Reuse,
    /// Run in a region.
    Settle(String),
    /// Ask the cluster's DNS.
    Resolve,
    /// Send to an address.
    Send(IpAddr, i32, Protocol),
    /// Run an image under a runtime class, on a node with these labels.
    Run(String, Option<String>, BTreeMap<String, String>),
    /// Go without a control.
    Lack(String),
    /// Have namespaces of such a Pod Security Standard.
    Harden(PodSecurity),
    /// Hold a certificate for so long.
    Hold(SignedDuration),
    /// Get a key in this way.
    Deliver(KeyDelivery),
    /// Let somebody hold the keys at rest.
    Encrypt(EncryptionKeys),
    /// Log like this, or not at all.
    Log(Option<SinkFailure>),
    /// Log in, and show these contexts.
    LogIn(BTreeSet<String>),
    /// Use so much of a resource.
    Spend(String, Amount),
    /// Be a person in a role.
    Be(String, Role),
    /// Be a program.
    Program(String),
    /// Have a program do something.
    Perform(String, OperationName),
}

/// A pod that serves a dataset.
#[derive(Clone, Debug)]
pub struct Pod {
    pub namespace: String,
    pub service: String,
    pub target: TargetPort,
    pub labels: BTreeMap<String, String>,
}

/// Whether a policy allows it.
pub fn allows(policy: &EffectivePolicy, request: &Request) -> bool {
    match request {
        Request::Act(who) => {
            *who == [&policy.partner, &policy.contract, &policy.contract_uid, &policy.purpose]
                .map(|name| name.0.clone())
        }
        Request::Practise(practice) => !policy.prohibitions.contains(practice),
        Request::Share(field) => !prohibits_field(policy, field),
        Request::Ship(artifact) => !prohibits_artifact(policy, *artifact),
        Request::Have(at) => has(policy, *at),
        Request::Use(at) => has(policy, *at) && open(policy, *at),
        Request::Settle(region) => policy.destination.regions.iter().any(|known| known.0 == *region),
        Request::Resolve => policy.destination.dns == Dns::Cluster,
        Request::Send(address, port, protocol) => sends(policy, *address, *port, *protocol),
        Request::Run(image, class, labels) => runs(policy, image, class.as_deref(), labels),
        Request::Spend(resource, amount) => {
            let most = policy.quota.hard.get(resource);
            most.is_none_or(|most| Amount::of(most).is_some_and(|most| *amount <= most))
        }
        Request::Be(name, role) => policy.people.iter().any(|one| one.name == *name && one.role == *role),
        Request::Program(name) => policy.workloads.iter().any(|one| one.name.0 == *name),
        Request::Perform(name, operation) => {
            policy.workloads.iter().any(|one| one.name.0 == *name && one.operations.contains(operation))
        }
        Request::Keep(_) | Request::Reuse => keeps(policy, request),
        Request::Do(..) | Request::Ask(..) | Request::Learn(..) | Request::Model(..) => does(policy, request),
        Request::Take(data, ..)
        | Request::Name(data, ..)
        | Request::Read(data, ..)
        | Request::Make(data, ..)
        | Request::Reach(data, ..) => {
            let known = |one: &&EffectiveDataset| {
                (&one.name.0, &one.version.0, &one.digest.0) == (&data.0, &data.1, &data.2)
            };
            policy.datasets.iter().filter(known).any(|dataset| gives(policy, dataset, request))
        }
        _ => secures(policy, request),
    }
}

fn does(policy: &EffectivePolicy, request: &Request) -> bool {
    let named = |name: &OperationName| policy.operations.iter().find(|one| one.name == *name);
    match request {
        Request::Do(name, actor) => named(name).is_some_and(|one| one.actors.contains(actor)),
        Request::Ask(name, amounts) => named(name).is_some_and(|one| {
            let limits = one.limits.clone().unwrap_or_default();
            let most = [
                limits.requests_per_minute,
                limits.concurrency,
                limits.max_records_per_request,
                limits.max_response_bytes,
            ];
            amounts.iter().zip(most).all(|(amount, most)| most.is_none_or(|most| *amount <= most))
        }),
        Request::Learn(name, people) => named(name).is_some_and(|one| {
            let least = one.limits.as_ref().and_then(|limits| limits.minimum_group_size);
            least.is_none_or(|least| *people >= least)
        }),
        Request::Model(name, digest, figures) => policy.models.iter().any(|model| {
            let passed = |evaluation: &Evaluation| {
                figures.get(&evaluation.metric.0).is_some_and(|figure| {
                    let bound = |text: &str| (text.parse::<f64>().expect("a ratio") * 1e6).round();
                    let figure = f64::from(*figure);
                    evaluation.at_most.as_ref().is_none_or(|most| figure <= bound(&most.0))
                        && evaluation.at_least.as_ref().is_none_or(|least| figure >= bound(&least.0))
                })
            };
            model.name.0 == *name && model.digest.0 == *digest && model.evaluations.iter().all(passed)
        }),
        _ => unreachable!("not about operations: {request:?}"),
    }
}

fn gives(policy: &EffectivePolicy, dataset: &EffectiveDataset, request: &Request) -> bool {
    let holds = |(at, segment): &Row| {
        dataset.rows.as_ref().is_none_or(|rows| {
            rows.from.as_ref().is_none_or(|from| *at >= from.0)
                && rows.to.as_ref().is_none_or(|to| *at < to.0)
                && (rows.segments.is_empty() || rows.segments.iter().any(|known| known.0 == *segment))
        })
    };
    let names = |field: &String| dataset.fields.iter().any(|known| known.0 == *field);
    match request {
        Request::Take(_, row) => holds(row),
        Request::Name(_, row, field) => holds(row) && names(field),
        Request::Read(_, row, field) => holds(row) && names(field) && !prohibits_field(policy, field),
        Request::Make(_, row, artifact) => holds(row) && dataset.artifacts.contains(artifact),
        Request::Reach(_, row, pod) => {
            holds(row)
                && dataset.endpoint.as_ref().is_some_and(|one| {
                    one.namespace.0 == pod.namespace
                        && one.service.0 == pod.service
                        && one.target == pod.target
                        && one.selector.iter().all(|(key, value)| pod.labels.get(key) == Some(value))
                })
        }
        _ => unreachable!("not about data: {request:?}"),
    }
}

fn prohibits_field(policy: &EffectivePolicy, field: &str) -> bool {
    policy.prohibited.as_ref().is_some_and(|never| never.fields.iter().any(|known| known.0 == field))
}

fn prohibits_artifact(policy: &EffectivePolicy, artifact: Artifact) -> bool {
    policy.prohibited.as_ref().is_some_and(|never| never.artifacts.contains(&artifact))
}

fn has(policy: &EffectivePolicy, at: Timestamp) -> bool {
    policy.time.not_before.as_ref().is_none_or(|begin| at >= begin.0) && at < policy.time.not_after.0
}

fn open(policy: &EffectivePolicy, at: Timestamp) -> bool {
    let further = policy.further.iter().flat_map(|further| &further.schedules);
    let mut lists = further.map(|schedule| &schedule.windows).chain([&policy.time.windows]);
    lists.all(|windows| windows.is_empty() || windows.iter().any(|window| is_in(window, at)))
}

/// Whether an instant is in a window, by what a clock on the wall shows.
pub fn is_in(window: &Window, at: Timestamp) -> bool {
    const DAYS: [Weekday; 7] = [
        Weekday::Monday,
        Weekday::Tuesday,
        Weekday::Wednesday,
        Weekday::Thursday,
        Weekday::Friday,
        Weekday::Saturday,
        Weekday::Sunday,
    ];
    let Some(clock) = on_the_wall(&window.time_zone, at) else { return false };
    let day = DAYS[usize::try_from(clock.date().weekday().to_monday_zero_offset()).expect("a day")];
    let time = format!("{:02}:{:02}", clock.hour(), clock.minute());
    window.days.contains(&day) && window.from.0 <= time && time < window.to.0
}

/// What a clock shows in a zone.
fn on_the_wall(zone: &str, at: Timestamp) -> Option<DateTime> {
    thread_local!(static KNOWN: RefCell<BTreeMap<String, Option<TimeZone>>> = const { RefCell::new(BTreeMap::new()) });
    KNOWN.with_borrow_mut(|known| {
        let read = || super::super::window::zone(zone);
        let zone = known.entry(zone.to_owned()).or_insert_with(read).as_ref();
        zone.map(|zone| zone.to_datetime(at))
    })
}

fn keeps(policy: &EffectivePolicy, request: &Request) -> bool {
    let kept = &policy.time.retention;
    let Request::Keep(lengths) = request else { return kept.reuse == Reuse::SamePurpose };
    let most = [&kept.inputs, &kept.artifacts, &kept.delete_within];
    lengths.iter().zip(most).all(|(length, most)| {
        most.as_ref().is_none_or(|most| most.length().is_some_and(|most| *length <= most))
    })
}

fn sends(policy: &EffectivePolicy, address: IpAddr, port: i32, protocol: Protocol) -> bool {
    let bits = |address: IpAddr| match address {
        IpAddr::V4(address) => u128::from(address.to_bits()) << 96,
        IpAddr::V6(address) => address.to_bits(),
    };
    policy.destination.egress.iter().any(|egress| {
        let (network, prefix) = egress.cidr.0.split_once('/').expect("a network");
        let network: IpAddr = network.parse().expect("an address");
        let differ = bits(network) ^ bits(address);
        let prefix: u32 = prefix.parse().expect("a prefix");
        network.is_ipv4() == address.is_ipv4()
            && differ.leading_zeros() >= prefix
            && egress.ports.iter().any(|known| known.port == port && known.protocol == protocol)
    })
}

fn runs(
    policy: &EffectivePolicy,
    image: &str,
    class: Option<&str>,
    labels: &BTreeMap<String, String>,
) -> bool {
    let compute = &policy.destination.compute;
    compute.registries.iter().any(|registry| image.starts_with(&format!("{registry}/")))
        && compute.runtime_class_name.as_ref().map(|name| name.0.as_str()) == class
        && compute.node_selector.iter().all(|(key, value)| labels.get(key) == Some(value))
}

fn secures(policy: &EffectivePolicy, request: &Request) -> bool {
    let security = &policy.security;
    match request {
        Request::Lack(control) => !security.required_controls.iter().any(|known| known.0 == *control),
        Request::Harden(standard) => *standard >= security.pod_security,
        Request::Hold(length) => security
            .credential_ttl
            .as_ref()
            .is_none_or(|most| most.length().is_some_and(|most| *length <= most)),
        Request::Deliver(way) => security.key_delivery.contains(way),
        Request::Encrypt(holder) => security.encryption_keys.is_none_or(|asked| asked == *holder),
        Request::Log(how) => match security.logging.as_ref().map(|logging| logging.on_sink_failure) {
            None => true,
            Some(SinkFailure::Buffer) => how.is_some(),
            Some(SinkFailure::Refuse) => *how == Some(SinkFailure::Refuse),
        },
        Request::LogIn(shown) => {
            let further = policy.further.iter().flat_map(|further| &further.authentication);
            security.authentication.iter().chain(further).all(|asked| {
                asked.contexts.is_empty() || asked.contexts.iter().any(|one| shown.contains(&one.0))
            })
        }
        _ => unreachable!("not about security: {request:?}"),
    }
}
