//! What is allowed, as a list of things that can be had or reached, whoever says so: a policy that was
//! agreed to, what stands of contract, boundary, dataset and grant, or the objects themselves.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use comity::api::Stage;
use serde_json::Value;

use super::super::history::{list, text};
use super::operands::Operands;
use super::stage;

/// What of the network is looked at: some address in every network of the story, and some outside.
pub const ADDRESSES: [&str; 5] = ["192.0.2.1", "192.0.2.9", "192.0.2.17", "192.0.2.200", "198.51.100.1"];

/// What is allowed.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Allowed {
    /// Each thing in words.
    pub things: BTreeSet<String>,
    /// How many pods.
    pub pods: u64,
}

impl Allowed {
    /// What was agreed to for a stage.
    pub fn agreed(policy: &Value, of: Stage) -> Self {
        let mut things = BTreeSet::from([purpose(&policy["purpose"])]);
        things.extend(roles(&policy["people"]));
        things.extend(registries(&policy["destination"]["compute"]));
        things.extend(workloads(&policy["workloads"]));
        if policy["destination"]["dns"] == "Cluster" {
            things.insert("DNS".to_owned());
        }
        things.extend(egress(&policy["destination"]["egress"], of, |_| true));
        for served in list(&policy["datasets"]).iter().map(|dataset| &dataset["endpoint"]) {
            if served.is_object() {
                things.insert(dataset(
                    text(&served["namespace"]),
                    &served["selector"],
                    &port(&served["target"]),
                ));
            }
        }
        Self { things, pods: amount(&policy["quota"]["hard"]["pods"]) }
    }

    /// What contract, boundary, dataset and grant allow at a stage as they stand; or why it is nothing.
    /// `service` finds a Service of the dataset's namespace.
    pub fn standing<'a>(
        operands: &Operands<'_>,
        of: Stage,
        service: impl Fn(&str) -> Option<&'a Value>,
    ) -> Result<Self, String> {
        let there = |operand: Option<&Value>, what: &str| {
            operand.map(|found| found["spec"].clone()).ok_or_else(|| format!("there is no {what}"))
        };
        let (grant, contract) = (there(operands.grant, "grant")?, there(operands.contract, "contract")?);
        let (boundary, catalogue) =
            (there(operands.boundary, "boundary")?, there(operands.dataset, "dataset")?);
        there(operands.partner, "partner")?;
        let is_permitted = |by: &Value| list(by).contains(&grant["purpose"]);
        if !is_permitted(&contract["purposes"]) {
            return Err(format!("the contract is for {}", contract["purposes"]));
        }
        let mut things = BTreeSet::from([purpose(&grant["purpose"])]);
        things.extend(roles(&grant["people"]));
        things.extend(registries(&contract["destination"]["compute"]));
        things.extend(workloads(&grant["workloads"]));
        let dns =
            [&contract["destination"], &boundary["ceilings"]["egress"]].map(|one| one["dns"] == "Cluster");
        if dns == [true, true] {
            things.insert("DNS".to_owned());
        }
        let cidrs = list(&boundary["ceilings"]["egress"]["cidrs"]);
        things.extend(egress(&contract["destination"]["egress"], of, |address| {
            cidrs.iter().any(|cidr| holds(cidr, address))
        }));
        if is_permitted(&catalogue["permitted"]["purposes"]) {
            things.extend(endpoint(&catalogue, of).and_then(|endpoint| served(endpoint, service)));
        }
        let pods = [&contract["stages"], &boundary["ceilings"]["stages"]].map(|stages| most_pods(stages, of));
        Ok(Self { things, pods: pods[0].min(pods[1]) })
    }

    /// What it has that the other hasn't.
    pub fn beyond(&self, other: &Self) -> Vec<String> {
        let mut more: Vec<String> = self.things.difference(&other.things).cloned().collect();
        if self.pods > other.pods {
            more.push(format!("{} pods instead of {}", self.pods, other.pods));
        }
        more
    }

    /// The same without what serves datasets.
    pub fn without_datasets(mut self) -> Self {
        self.things.retain(|thing| !thing.starts_with("dataset "));
        self
    }
}

fn purpose(value: &Value) -> String {
    format!("purpose {}", text(value))
}

/// A dataset, by the pods and the port that serve it.
pub fn dataset(namespace: &str, selector: &Value, port: &str) -> String {
    format!("dataset {namespace} {selector} {port}")
}

/// A port: `443/TCP`.
pub fn port(value: &Value) -> String {
    let number =
        [&value["number"], &value["port"], &value["name"]].into_iter().find(|found| !found.is_null());
    let number = number.map(|found| found.as_str().map_or_else(|| found.to_string(), str::to_owned));
    format!("{}/{}", number.unwrap_or_default(), value["protocol"].as_str().unwrap_or("TCP"))
}

/// What an amount comes to; what can't be read is without limit.
pub fn amount(value: &Value) -> u64 {
    value.as_str().and_then(|amount| amount.parse().ok()).unwrap_or(u64::MAX)
}

fn roles(people: &Value) -> impl Iterator<Item = String> {
    list(people).iter().map(|person| format!("role {}", kebab(text(&person["role"]))))
}

/// `ModelEngineer` as `model-engineer`.
fn kebab(role: &str) -> String {
    role.chars().fold(String::new(), |mut kebab, letter| {
        if letter.is_uppercase() && !kebab.is_empty() {
            kebab.push('-');
        }
        kebab.extend(letter.to_lowercase());
        kebab
    })
}

/// Where images come from.
pub fn registries(compute: &Value) -> impl Iterator<Item = String> {
    list(&compute["registries"]).iter().map(|registry| format!("images of {}", text(registry)))
}

/// The programs.
pub fn workloads(workloads: &Value) -> impl Iterator<Item = String> {
    list(workloads).iter().map(|workload| format!("program {}", text(&workload["name"])))
}

/// Which addresses are reached, and on which ports. Only production sends anything anywhere.
fn egress(clauses: &Value, of: Stage, may: impl Fn(&str) -> bool) -> Vec<String> {
    let mut reached = Vec::new();
    for clause in list(clauses).iter().filter(|_| of == Stage::Production) {
        for address in ADDRESSES.iter().filter(|address| holds(&clause["cidr"], address) && may(address)) {
            reached
                .extend(list(&clause["ports"]).iter().map(|open| format!("egress {address} {}", port(open))));
        }
    }
    reached
}

/// Whether a network holds an address.
pub fn holds(cidr: &Value, address: &str) -> bool {
    let bits = |text: &str| text.parse::<Ipv4Addr>().map(u32::from).ok();
    let network = text(cidr)
        .split_once('/')
        .and_then(|(network, length)| Some((bits(network)?, length.parse::<u32>().ok()?)));
    let (Some((network, length)), Some(address)) = (network, bits(address)) else { return false };
    let outside = 32 - length.min(32);
    network.checked_shr(outside) == address.checked_shr(outside)
}

fn endpoint(catalogue: &Value, of: Stage) -> Option<&Value> {
    list(&catalogue["endpoints"]).iter().find(|endpoint| stage(&endpoint["stage"]) == Some(of))
}

/// What serves a dataset by a Service, if that is there.
fn served<'a>(endpoint: &Value, service: impl Fn(&str) -> Option<&'a Value>) -> Option<String> {
    let found = service(text(&endpoint["service"]["name"]))?;
    let open =
        list(&found["spec"]["ports"]).iter().find(|open| open["port"] == endpoint["service"]["port"])?;
    let target = format!("{}/{}", open["targetPort"], text(&open["protocol"]));
    Some(dataset(text(&found["metadata"]["namespace"]), &found["spec"]["selector"], &target))
}

fn most_pods(stages: &Value, of: Stage) -> u64 {
    let found = list(stages).iter().find(|rule| stage(&rule["stage"]) == Some(of));
    found.map_or(0, |rule| amount(&rule["quota"]["hard"]["pods"]))
}

#[test]
fn an_address_is_in_its_network() {
    let holds = |cidr: &str, address| holds(&Value::from(cidr), address);
    assert!(holds("192.0.2.0/29", "192.0.2.1") && !holds("192.0.2.0/29", "192.0.2.9"));
    assert!(holds("192.0.2.0/27", "192.0.2.17") && !holds("192.0.2.0/28", "192.0.2.17"));
    assert!(holds("0.0.0.0/0", "198.51.100.1") && !holds("none", "192.0.2.1"));
    assert_eq!(kebab("ModelEngineer"), "model-engineer");
}
