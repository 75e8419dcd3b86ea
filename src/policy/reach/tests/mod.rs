//! What a connection meets: tables as upstream's own suite has them, what isn't clear, and properties against an oracle
//! that goes another way.

mod any;
mod oracle;
mod properties;
mod table;
mod unclear;

use std::collections::BTreeMap;

use k8s_openapi::api::networking::v1::NetworkPolicy;
use serde_json::{Value, json};

use super::{Connection, End, Labels, NamedPort, Pod, Reading, Stored, Transport, Verdict, reach};

/// A policy of a namespace, from its spec.
fn policy(namespace: &str, name: &str, spec: &Value) -> NetworkPolicy {
    let written = json!({"metadata": {"namespace": namespace, "name": name}, "spec": spec});
    serde_json::from_value(written).expect("a policy")
}

fn labels(pairs: &[(&str, &str)]) -> Labels {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn outside(address: &str) -> End {
    End::Outside(address.parse().expect("an address"))
}

/// Three namespaces with three pods each, as upstream's suite has them: pod `a` of namespace `x` is `x/a`. Each pod
/// listens on 80 and 81, which it calls `serve-80-tcp` and so on, by every protocol.
struct Model {
    policies: Vec<NetworkPolicy>,
    namespaces: BTreeMap<String, Labels>,
}

const NAMESPACES: [&str; 3] = ["x", "y", "z"];
const PODS: [&str; 3] = ["a", "b", "c"];

impl Model {
    /// With policies of the namespace `x`.
    fn with(specs: &[Value]) -> Self {
        let named = |(number, spec)| policy("x", &format!("policy-{number}"), spec);
        let label = |name: &&str| {
            ((*name).to_owned(), labels(&[("ns", name), ("kubernetes.io/metadata.name", name)]))
        };
        Self {
            policies: specs.iter().enumerate().map(named).collect(),
            namespaces: NAMESPACES.iter().map(label).collect(),
        }
    }

    fn verdict(&self, from: &End, to: &End, protocol: Transport, port: u16, reading: Reading) -> Verdict {
        let stored = Stored { policies: &self.policies, namespaces: &self.namespaces };
        reach(&stored, &Connection { from, to, protocol, port }, reading)
    }

    fn passes(&self, from: &End, to: &End, protocol: Transport, port: u16) -> bool {
        let [widest, narrowest] = [Reading::Widest, Reading::Narrowest]
            .map(|reading| self.verdict(from, to, protocol, port, reading).is_open());
        assert_eq!(widest, narrowest, "{from:?} to {to:?} at {port}/{protocol} isn't clear");
        widest
    }

    /// Who reaches a pod, in the order of their names.
    fn who_reaches(&self, to: &str, protocol: Transport, port: u16) -> String {
        Self::others(to, |other| self.passes(&pod(other), &pod(to), protocol, port))
    }

    /// Whom a pod reaches.
    fn out_of(&self, from: &str, protocol: Transport, port: u16) -> String {
        Self::others(from, |other| self.passes(&pod(from), &pod(other), protocol, port))
    }

    fn others(but: &str, is_meant: impl Fn(&str) -> bool) -> String {
        let all = NAMESPACES.iter().flat_map(|space| PODS.iter().map(move |pod| format!("{space}/{pod}")));
        all.filter(|other| other != but && is_meant(other)).collect::<Vec<_>>().join(" ")
    }
}

/// The pod `a` of the namespace `x` is `x/a`, at 10.0.0.1; `y/b` is at 10.0.1.2 and `fd00::1:2`.
fn pod(name: &str) -> End {
    let (namespace, pod) = name.split_once('/').expect("a namespace and a pod");
    let place = |names: [&str; 3], name: &str| {
        names.iter().position(|known| *known == name).expect("it is one of the model's")
    };
    let (third, fourth) = (place(NAMESPACES, namespace), place(PODS, pod) + 1);
    let addresses = [format!("10.0.{third}.{fourth}"), format!("fd00::{third}:{fourth}")];
    let named = |number: u16, protocol: Transport| NamedPort {
        name: format!("serve-{number}-{}", protocol.as_str().to_lowercase()),
        number,
        protocol,
    };
    let ports = [80, 81].into_iter().flat_map(|port| Transport::ALL.map(|protocol| named(port, protocol)));
    End::Pod(Pod {
        namespace: namespace.to_owned(),
        labels: labels(&[("pod", pod)]),
        further_labels: false,
        addresses: addresses.iter().map(|text| text.parse().expect("an address")).collect(),
        ports: ports.collect(),
    })
}
