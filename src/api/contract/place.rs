//! Part 5 of a contract: where it may go and run.

use std::collections::BTreeMap;

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::api::boundary::Dns;
use crate::api::value::{Cidr, Line, Name, Registry, Word};

/// Where it may go and run.
#[derive(Clone, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Destination {
    /// Regions; the words are the platform's own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Set)]
    #[schemars(length(max = 16))]
    pub regions: Vec<Word>,
    /// Whether the cluster's DNS may be asked: DNS is a way out too.
    #[serde(default)]
    pub dns: Dns,
    /// Where production may send to outside the cluster; absent: nowhere.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["cidr".into()]))]
    #[schemars(length(max = 16))]
    pub egress: Vec<Egress>,
    /// What it may run on.
    pub compute: Compute,
}

/// A network that production may send to.
#[derive(Clone, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Egress {
    /// The network.
    pub cidr: Cidr,
    /// The ports.
    #[x_kube(merge_strategy = ListMerge::Map(vec!["port".into(), "protocol".into()]))]
    #[schemars(length(min = 1, max = 16))]
    pub ports: Vec<EgressPort>,
    /// What for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Line>,
}

/// A port that production may send to.
#[derive(Clone, Debug, Default, Deserialize, Eq, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EgressPort {
    /// Its number.
    #[schemars(range(min = 1, max = 65535))]
    pub port: i32,
    /// Its protocol.
    #[serde(default)]
    #[schemars(extend("default" = "TCP"))]
    pub protocol: Protocol,
}

/// A transport protocol.
#[derive(
    Clone, Copy, Debug, Default, Deserialize, Eq, schemars::JsonSchema, Ord, PartialEq, PartialOrd, Serialize,
)]
pub enum Protocol {
    /// RFC 9293.
    #[default]
    #[serde(rename = "TCP")]
    Tcp,
    /// RFC 768.
    #[serde(rename = "UDP")]
    Udp,
}

impl Protocol {
    /// As NetworkPolicies write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "TCP",
            Self::Udp => "UDP",
        }
    }
}

/// What pods may run on, and what they may be made of.
#[derive(Clone, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Compute {
    /// The runtime class that every pod has to have; absent: none may be named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runtime_class_name: Option<Name>,
    /// The node labels that every pod has to select.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 8, "additionalProperties" = {"type": "string", "maxLength": 63}))]
    pub node_selector: BTreeMap<String, String>,
    /// Where images may come from; absent: nowhere, so no pod runs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Set)]
    #[schemars(length(max = 16))]
    pub registries: Vec<Registry>,
    /// How images have to be named.
    #[serde(default)]
    pub image_reference: ImageReference,
}

/// How images have to be named.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, schemars::JsonSchema, PartialEq, Serialize)]
pub enum ImageReference {
    /// By digest. A tag can be moved.
    #[default]
    Digest,
}
