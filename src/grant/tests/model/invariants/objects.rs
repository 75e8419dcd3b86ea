//! What the objects that stand allow, read as the API server and the network would.

use std::collections::BTreeMap;

use serde_json::Value;

use super::super::story::ADDRESSES;
use crate::api::name;
use crate::plan::objects::{Key, Kind, Live, LiveObjects};

/// What the objects of each stage's namespace allow.
pub type Readings = BTreeMap<String, Reading>;

/// What the objects of a namespace allow.
#[derive(Clone, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is something that is so or isn't")]
pub struct Reading {
    /// People can act there: a binding of theirs stands.
    pub is_bound: bool,
    /// Its gate is open: neither closing nor going.
    pub is_gate_open: bool,
    pub is_closing: bool,
    /// Its pods reach something, or are reached.
    pub has_paths: bool,
    /// The policy that admission holds pods to is there. Without it none is let in.
    pub has_rules: bool,
    pub denies_by_default: bool,
    pub has_quota: bool,
    pub is_quota_in_force: bool,
    pub has_certificates: bool,
    pub most_pods: Option<u32>,
    /// Those of [`ADDRESSES`] that its pods reach.
    pub reaches: Vec<&'static str>,
}

impl Reading {
    pub fn admits_pods(&self) -> bool {
        self.is_gate_open && self.has_rules
    }

    /// Whether anybody can do anything there.
    pub fn is_usable(&self) -> bool {
        self.is_bound || self.admits_pods() || self.has_paths
    }

    /// Whether it denies by default, and is limited.
    pub fn is_closed_off(&self) -> bool {
        self.denies_by_default && self.has_rules && self.has_quota
    }

    /// Whether all that a place should have is there: people, pods and paths.
    pub fn is_whole(&self) -> bool {
        self.is_bound && self.admits_pods() && self.has_paths && self.is_closed_off()
    }
}

/// What the objects of each stage's namespace allow.
pub fn readings(live: &LiveObjects) -> Readings {
    let places = live.iter().filter(|(key, _)| key.kind == Kind::Namespace);
    places.map(|(key, namespace)| (key.name.clone(), reading(live, &key.name, namespace))).collect()
}

fn reading(live: &LiveObjects, place: &str, namespace: &Live) -> Reading {
    let is_closing = namespace.label(name::LABEL_CLOSING).is_some();
    let open = namespace.label(name::LABEL_PODS).as_deref() == Some(name::PODS_OPEN);
    let has = |kind, called: &str| in_place(live, kind, place).find(|(key, _)| key.name == called);
    let others = |kind, called: &str| in_place(live, kind, place).any(|(key, _)| key.name != called);
    let quota = has(Kind::ResourceQuota, name::QUOTA).map(|(_, quota)| quota.value());
    let hard = quota.as_ref().map(|quota| (&quota["spec"]["hard"], &quota["status"]["hard"]));
    Reading {
        is_bound: others(Kind::RoleBinding, name::SIGNER_BINDING),
        is_gate_open: open && !is_closing && !namespace.terminating,
        is_closing,
        has_paths: others(Kind::NetworkPolicy, name::DEFAULT_DENY),
        has_rules: has(Kind::StagePolicy, name::STAGE_POLICY).is_some(),
        denies_by_default: has(Kind::NetworkPolicy, name::DEFAULT_DENY).is_some(),
        has_quota: quota.is_some(),
        is_quota_in_force: hard.is_some_and(|(spec, status)| !spec.is_null() && spec == status),
        has_certificates: has(Kind::ConfigMap, name::TRUST_CONFIG_MAP).is_some(),
        most_pods: hard.and_then(|(spec, _)| spec["pods"].as_str()?.parse().ok()),
        reaches: ADDRESSES.into_iter().filter(|address| reaches(live, place, address)).collect(),
    }
}

fn in_place<'a>(
    live: &'a LiveObjects,
    kind: Kind,
    place: &'a str,
) -> impl Iterator<Item = (&'a Key, &'a Live)> {
    live.iter().filter(move |(key, _)| key.kind == kind && key.namespace == place)
}

/// Whether a policy of a place lets its pods send to an address.
fn reaches(live: &LiveObjects, place: &str, address: &str) -> bool {
    let policies = in_place(live, Kind::NetworkPolicy, place).map(|(_, live)| live.value());
    policies.into_iter().any(|policy| {
        let rules = policy["spec"]["egress"].as_array().cloned().unwrap_or_default();
        let peers = rules.iter().flat_map(|rule| rule["to"].as_array().cloned().unwrap_or_default());
        peers.into_iter().any(|peer| is_in(&peer["ipBlock"], address))
    })
}

fn is_in(block: &Value, address: &str) -> bool {
    let holds = |cidr: &Value| cidr.as_str().is_some_and(|cidr| is_in_cidr(cidr, address));
    let except = block["except"].as_array().cloned().unwrap_or_default();
    holds(&block["cidr"]) && !except.iter().any(holds)
}

fn is_in_cidr(cidr: &str, address: &str) -> bool {
    let bits = |text: &str| text.parse::<std::net::Ipv4Addr>().map(u32::from).ok();
    let Some((network, length)) = cidr.split_once('/') else { return false };
    let (Some(network), Some(address), Ok(length)) = (bits(network), bits(address), length.parse::<u32>())
    else {
        return false;
    };
    let outside = 32 - length.min(32);
    network.checked_shr(outside) == address.checked_shr(outside)
}

#[test]
fn an_address_is_in_its_network() {
    assert!(is_in_cidr("192.0.2.0/29", "192.0.2.1") && !is_in_cidr("192.0.2.0/29", "192.0.2.9"));
    assert!(is_in_cidr("192.0.2.0/28", "192.0.2.9") && !is_in_cidr("192.0.2.0/28", "192.0.2.17"));
    assert!(is_in_cidr("0.0.0.0/0", "192.0.2.17"));
}
