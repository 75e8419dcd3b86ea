//! Every object that a stage is made of, in the order of promise P5. Pure: the same opening
//! always makes the same objects.

pub mod access;
pub mod confinement;
pub mod identity;
pub mod namespace;
pub mod network;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::api::effective::EffectivePolicy;
use crate::api::name;
use crate::journal::Opening;
use crate::plan::objects::Wanted;

/// How Comity is installed, as far as objects depend on it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Installation {
    /// The namespace that `comity sign` runs in.
    pub system_namespace: String,
    /// Networks of the cluster itself, which no egress may reach: pods, Services, nodes.
    pub cluster_networks: Vec<String>,
    /// The namespace of the cluster's DNS.
    pub dns_namespace: String,
    /// The labels of the pods of the cluster's DNS.
    pub dns_selector: BTreeMap<String, String>,
}

/// An opening in its surroundings: all that its objects depend on.
#[derive(Clone, Copy, Debug)]
pub struct Site<'a> {
    /// The opening.
    pub opening: &'a Opening,
    /// What is allowed of it.
    pub policy: &'a EffectivePolicy,
    /// The grant's name.
    pub grant: &'a str,
    /// The grant's namespace.
    pub grant_namespace: &'a str,
    /// The grant's UID.
    pub grant_uid: &'a str,
    /// How Comity is installed.
    pub installation: &'a Installation,
    /// The datasets whose namespace lets Comity add an ingress policy, and whose pods are
    /// isolated already.
    pub ingress: &'a BTreeSet<String>,
    /// Whether it has to be rehearsed now.
    pub rehearsing: bool,
}

impl Site<'_> {
    /// The labels of everything that is made for this opening.
    pub fn labels(&self) -> BTreeMap<String, String> {
        BTreeMap::from([
            (name::LABEL_GRANT_UID.to_owned(), self.grant_uid.to_owned()),
            (name::LABEL_GRANT.to_owned(), self.grant.to_owned()),
            (name::LABEL_GRANT_NAMESPACE.to_owned(), self.grant_namespace.to_owned()),
            (name::LABEL_STAGE.to_owned(), self.opening.stage.lower().to_owned()),
            (name::LABEL_MANAGED_BY.to_owned(), name::MANAGED_BY.to_owned()),
        ])
    }
}

/// What is made before anything else: limits, the parameters of admission, every network policy, and
/// the quota. That one comes last: each object that Kubernetes itself puts into a new namespace while
/// it is there is a write more to count it.
pub fn confinement(site: &Site<'_>) -> Vec<Wanted> {
    let mut objects = confinement::limits(site);
    objects.extend(network::default_deny(site));
    objects.extend(network::allowed_paths(site));
    objects.push(confinement::quota(site));
    objects
}

/// All that a stage is made of.
#[derive(Clone, Debug, PartialEq)]
pub struct Blueprint {
    /// Its namespace, with its gate open.
    pub namespace: Wanted,
    /// What is made before anything else: see [`confinement`].
    pub confinement: Vec<Arc<Wanted>>,
    /// The workloads' `ServiceAccounts`, and the signer's binding.
    pub identities: Vec<Arc<Wanted>>,
    /// The people's `RoleBindings`.
    pub bindings: Vec<Arc<Wanted>>,
}

impl Blueprint {
    /// What this opening is made of, in its surroundings.
    pub fn of(site: &Site<'_>) -> Self {
        let shared = |objects: Vec<Wanted>| objects.into_iter().map(Arc::new).collect();
        Self {
            namespace: namespace::namespace(site, namespace::Gate::Open),
            confinement: shared(confinement(site)),
            identities: shared(identity::objects(site)),
            bindings: shared(access::role_bindings(site)),
        }
    }
}
