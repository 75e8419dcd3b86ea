//! What a process was told when it was started. `cli` fills it in; nothing else reads flags or
//! environment.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use jiff::SignedDuration;

/// What a process was told when it was started.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Settings {
    /// The cluster to talk to; `None`: the one that the process runs in.
    pub kubeconfig: Option<PathBuf>,
    /// Where health and metrics are served.
    pub listen: SocketAddr,
    /// The namespace that Comity is installed in.
    pub system_namespace: String,
    /// The SPIFFE trust domain of the identities that are issued.
    pub trust_domain: String,
    /// How long an authority lives, unless what it signs lives for more than a sixth of it.
    pub authority_lifetime: SignedDuration,
    /// Where workloads on the partner's side enrol; `None`: nowhere.
    pub enrolment: Option<Endpoint>,
    /// How many objects of a kind are worked on at once.
    pub workers: u16,
    /// The cluster's own networks (pods, services, nodes), which no egress may reach.
    pub cluster_cidrs: Vec<String>,
    /// The namespace of the cluster's DNS.
    pub dns_namespace: String,
    /// The labels of the pods of the cluster's DNS.
    pub dns_selector: BTreeMap<String, String>,
}

/// Where callers from outside are served.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Endpoint {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Where callers find it.
    pub url: String,
    /// The host names and addresses that they may call it by.
    pub names: Vec<String>,
}
