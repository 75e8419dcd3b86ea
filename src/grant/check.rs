//! How far what stands is from what is wanted, one opening at a time. Pure.

mod inspector;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub use inspector::{Inspected, Inspector};

use super::build::{self, Site};
use crate::api::contract::KeyDelivery;
use crate::api::name;
use crate::plan::objects::{Key, Kind, Live, LiveObjects, Wanted};

/// An object that has to go, told from a namesake by its UID.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Doomed {
    /// Which.
    pub key: Key,
    /// Its UID.
    pub uid: String,
}

/// What has to be applied, and what has to go, for a part of a stage to be as wanted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Part {
    /// Objects that are missing or differ.
    pub missing: Vec<Arc<Wanted>>,
    /// Objects that nobody asks for any more.
    pub stray: Vec<Doomed>,
}

/// Where a stage's namespace stands.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum NamespaceStanding {
    /// There is none of that name.
    #[default]
    Absent,
    /// There is one, and it isn't this grant's.
    Foreign,
    /// It is this grant's.
    Ours {
        /// Whether it is just as wanted with its gate open.
        as_wanted_open: bool,
        /// Whether its gate is closed.
        pods_closed: bool,
        /// Whether it is labelled as closing, which is never taken back.
        closing: bool,
        /// Whether it is being deleted.
        terminating: bool,
        /// Its UID.
        uid: String,
    },
}

/// Where a stage's certificates stand, as `comity sign` publishes it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum Certificates {
    /// None has been published.
    #[default]
    None,
    /// Some are missing.
    Pending,
    /// Every workload has one.
    Ready,
    /// `comity sign` refuses, and says why.
    Refused(String),
}

/// Where a stage stands.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Standing {
    /// Its namespace.
    pub namespace: NamespaceStanding,
    /// Quota, limits, admission parameters, network policies.
    pub confinement: Part,
    /// Of these, what may allow more than it may: all that is missing or differs, but for paths that aren't
    /// there, which allow nothing.
    pub too_wide: Vec<Arc<Wanted>>,
    /// The same without any path, for while nobody may use it.
    pub without_paths: Part,
    /// The workloads' `ServiceAccounts`, and the signer's binding.
    pub identities: Part,
    /// The workloads' certificates.
    pub certificates: Certificates,
    /// Whether the quota is in force: its status has what its spec asks for.
    pub quota_in_force: bool,
    /// The people's `RoleBindings`: those that are missing or stray while the stage is open.
    pub bindings: Part,
    /// All of the people's `RoleBindings` that are there.
    pub all_bindings: Vec<Doomed>,
}

impl Standing {
    /// Whether all that the stage is made of is there, and it can be used.
    pub fn is_complete(&self) -> bool {
        let open = matches!(
            self.namespace,
            NamespaceStanding::Ours { as_wanted_open: true, terminating: false, .. }
        );
        open && self.confinement.missing.is_empty()
            && self.identities.missing.is_empty()
            && self.bindings.missing.is_empty()
            && self.bindings.stray.is_empty()
    }

    /// Whether nobody can use the stage: no binding, no pod admitted, no path.
    pub fn is_shut(&self) -> bool {
        let gate_closed = match self.namespace {
            NamespaceStanding::Ours { pods_closed, terminating, .. } => pods_closed || terminating,
            NamespaceStanding::Absent | NamespaceStanding::Foreign => true,
        };
        gate_closed && self.all_bindings.is_empty() && self.paths().is_empty()
    }

    /// The network policies that still allow something.
    pub fn paths(&self) -> Vec<Doomed> {
        self.without_paths
            .stray
            .iter()
            .filter(|doomed| doomed.key.kind == Kind::NetworkPolicy)
            .cloned()
            .collect()
    }
}

/// What stands in one place.
type Here<'a> = BTreeMap<&'a Key, &'a Live>;

/// Where a namespace stands that Comity made for this grant and that no record speaks of.
pub fn orphan(namespace: &str, live: &LiveObjects) -> Standing {
    let here: Here<'_> = live.iter().filter(|(key, _)| key.namespace == namespace).collect();
    let key = Key::namespace(namespace);
    Standing {
        namespace: live.get(&key).map_or(NamespaceStanding::Absent, |found| ours(found, false)),
        without_paths: Part { missing: Vec::new(), stray: doomed(&here, is_path) },
        all_bindings: doomed(&here, is_role_binding),
        certificates: if here.keys().any(|key| key.kind == Kind::ConfigMap) {
            Certificates::Pending
        } else {
            Certificates::None
        },
        ..Standing::default()
    }
}

/// Ingress policies at datasets that none of these stages asks for: what they would have been
/// for is lost with its record.
pub fn unclaimed(sites: &[Site<'_>], live: &LiveObjects) -> Option<Standing> {
    let all: Here<'_> = live.iter().collect();
    let stray = doomed(&all, |key| {
        key.kind == Kind::NetworkPolicy
            && name::is_dataset_ingress_policy(&key.name)
            && !sites.iter().any(|site| is_ingress_of(site, key))
    });
    let without_paths = Part { stray, ..Part::default() };
    (!without_paths.stray.is_empty()).then(|| Standing { without_paths, ..Standing::default() })
}

/// Whether an object is this stage's: in its namespace, or its ingress policy at a dataset.
fn belongs(site: &Site<'_>, key: &Key) -> bool {
    if key.kind == Kind::Namespace {
        return false;
    }
    key.namespace == site.opening.namespace || (key.kind == Kind::NetworkPolicy && is_ingress_of(site, key))
}

/// Whether a policy in a dataset's namespace is there for this stage.
fn is_ingress_of(site: &Site<'_>, key: &Key) -> bool {
    site.opening
        .policy
        .datasets
        .iter()
        .any(|dataset| key.name == name::dataset_ingress_policy(&site.opening.namespace, &dataset.name.0))
}

/// Whether an object lets something in or out.
fn is_path(key: &Key) -> bool {
    key.kind == Kind::NetworkPolicy && !build::network::is_default_deny(&key.name)
}

fn is_role_binding(key: &Key) -> bool {
    key.kind == Kind::RoleBinding && key.name != name::SIGNER_BINDING
}

fn is_confinement(key: &Key) -> bool {
    matches!(key.kind, Kind::ResourceQuota | Kind::LimitRange | Kind::StagePolicy | Kind::NetworkPolicy)
}

fn is_identity(key: &Key) -> bool {
    key.kind == Kind::ServiceAccount || (key.kind == Kind::RoleBinding && key.name == name::SIGNER_BINDING)
}

/// What is missing of `wanted`, and what of the kind that `concerns` says nobody asked for.
fn part(
    wanted: &[Arc<Wanted>],
    here: &Here<'_>,
    concerns: impl Fn(&Key) -> bool,
    mut says: impl FnMut(&Wanted, &Live) -> bool,
) -> Part {
    let mut part = Part::default();
    let mut kept = BTreeSet::new();
    for object in wanted {
        let live = here.get(&object.key);
        let is_there = live.is_some_and(|live| says(object, live));
        if !is_there {
            part.missing.push(Arc::clone(object));
        }
        if is_there || live.is_none_or(|live| !refers_elsewhere(object, live)) {
            kept.insert(&object.key);
        }
    }
    part.stray = doomed(here, |key| concerns(key) && !kept.contains(key));
    part
}

/// Whether a RoleBinding refers to another role than is wanted. That can't be changed, so it has
/// to go before the right one can be made.
fn refers_elsewhere(wanted: &Wanted, live: &Live) -> bool {
    wanted.key.kind == Kind::RoleBinding && wanted.body.get("roleRef") != live.value().get("roleRef")
}

fn doomed(here: &Here<'_>, concerns: impl Fn(&Key) -> bool) -> Vec<Doomed> {
    here.iter()
        .filter(|(key, live)| concerns(key) && !live.terminating)
        .map(|(key, live)| Doomed { key: (*key).clone(), uid: live.uid.clone() })
        .collect()
}

fn namespace_standing(
    site: &Site<'_>,
    live: &LiveObjects,
    as_wanted_open: impl FnOnce(&Live) -> bool,
) -> NamespaceStanding {
    match live.get(&Key::namespace(&site.opening.namespace)) {
        None => NamespaceStanding::Absent,
        Some(found) if found.label(name::LABEL_GRANT_UID).as_deref() != Some(site.grant_uid) => {
            NamespaceStanding::Foreign
        }
        Some(found) => ours(found, as_wanted_open(found)),
    }
}

fn ours(found: &Live, as_wanted_open: bool) -> NamespaceStanding {
    NamespaceStanding::Ours {
        as_wanted_open,
        pods_closed: found.label(name::LABEL_PODS).as_deref() != Some(name::PODS_OPEN),
        closing: found.label(name::LABEL_CLOSING).is_some(),
        terminating: found.terminating,
        uid: found.uid.clone(),
    }
}

/// What `comity sign` has published for this stage.
fn certificates(site: &Site<'_>, here: &Here<'_>) -> Certificates {
    let key = Key {
        kind: Kind::ConfigMap,
        namespace: site.opening.namespace.clone(),
        name: name::TRUST_CONFIG_MAP.to_owned(),
    };
    let Some(published) = here.get(&key).map(|live| live.value()) else {
        let nobody = site.policy.certified().is_empty();
        return if nobody { Certificates::Ready } else { Certificates::None };
    };
    let data = published.get("data");
    if let Some(why) = data.and_then(|data| data.get(name::TRUST_REFUSED)).and_then(serde_json::Value::as_str)
    {
        return Certificates::Refused(why.to_owned());
    }
    let has = |workload: &str| data.is_some_and(|data| data.get(name::trust_key(workload)).is_some());
    let mut kept = site.policy.workloads_with(KeyDelivery::Secret).iter();
    let all = kept.all(|workload| has(&workload.name.0));
    if all { Certificates::Ready } else { Certificates::Pending }
}

/// Whether the quota controller has taken up what the quota asks for. Until then the API server
/// admits without limit: ResourceQuota is no gate.
fn quota_in_force(site: &Site<'_>, here: &Here<'_>) -> bool {
    let key = Key {
        kind: Kind::ResourceQuota,
        namespace: site.opening.namespace.clone(),
        name: name::QUOTA.to_owned(),
    };
    here.get(&key).map(|live| live.value()).is_some_and(|quota| {
        let asked = quota.pointer("/spec/hard");
        asked.is_some() && asked == quota.pointer("/status/hard")
    })
}
