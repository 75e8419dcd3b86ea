//! What a stage's objects give, read as the API server and a network plugin read them.

use comity::api::name;
use serde_json::{Value, json};

use super::super::history::{Kind, list, text};
use super::Checker;
use super::allowed::{ADDRESSES, Allowed, amount, dataset, holds, port, registries, workloads};

/// What a stage's objects give.
#[derive(Clone, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is something that is so or isn't")]
pub struct Reading {
    /// Its gate says that pods are admitted; neither closing nor going.
    pub is_gate_open: bool,
    pub is_closing: bool,
    pub is_going: bool,
    /// People can act there.
    pub is_bound: bool,
    /// Its pods reach something, or are reached.
    pub has_paths: bool,
    /// What admission holds pods to is there. Without it none is let in.
    pub has_rules: bool,
    pub denies_by_default: bool,
    pub has_quota: bool,
    pub is_quota_in_force: bool,
    pub has_certificates: bool,
    /// All that it gives.
    pub gives: Allowed,
}

impl Reading {
    /// Whether anybody can do anything there.
    pub fn is_usable(&self) -> bool {
        self.is_bound || self.has_paths || (self.is_gate_open && self.has_rules)
    }

    /// Whether it denies by default, and is limited.
    pub fn is_closed_off(&self) -> bool {
        self.denies_by_default && self.has_rules && self.has_quota
    }
}

impl Checker {
    /// What the objects of a stage's namespace give.
    pub fn reading(&self, place: &str) -> Reading {
        let mut reading = Reading::default();
        if let Some(namespace) = self.object(Kind::Namespace, place, place) {
            reading.of_namespace(namespace);
        }
        for binding in self.objects_in(Kind::RoleBinding, place) {
            reading.of_binding(binding, place);
        }
        for policy in self.objects_in(Kind::NetworkPolicy, place) {
            reading.of_path(policy);
        }
        let quota = self.object(Kind::ResourceQuota, place, name::QUOTA);
        if let Some(quota) = quota {
            let hard = &quota["spec"]["hard"];
            reading.has_quota = true;
            reading.is_quota_in_force = hard.is_object() && *hard == quota["status"]["hard"];
            reading.gives.pods = amount(&hard["pods"]);
        }
        if let Some(rules) = self.object(Kind::StagePolicy, place, name::STAGE_POLICY) {
            let spec = &rules["spec"];
            reading.has_rules = true;
            let things = registries(spec).chain(workloads(&spec["workloads"]));
            reading.gives.things.extend(things);
            reading.gives.things.insert(format!("purpose {}", text(&spec["purpose"])));
        }
        let trust = self.object(Kind::ConfigMap, place, name::TRUST_CONFIG_MAP);
        reading.has_certificates = trust.is_some_and(|trust| trust["data"]["ca.crt"].is_string());
        self.lets_in(place, &mut reading);
        reading
    }

    /// What serves datasets lets a stage in by policies in their own namespace.
    fn lets_in(&self, place: &str, reading: &mut Reading) {
        let policies = self.objects.range((Kind::NetworkPolicy, String::new(), String::new())..);
        let policies = policies.take_while(|((kind, ..), _)| *kind == Kind::NetworkPolicy);
        for ((_, namespace, _), policy) in policies.filter(|((_, namespace, _), _)| namespace != place) {
            let from = json!({"matchLabels": {"kubernetes.io/metadata.name": place}});
            for rule in list(&policy["spec"]["ingress"]) {
                if list(&rule["from"]).iter().any(|peer| peer["namespaceSelector"] == from) {
                    let selector = &policy["spec"]["podSelector"]["matchLabels"];
                    let open =
                        list(&rule["ports"]).iter().map(|open| dataset(namespace, selector, &port(open)));
                    reading.gives.things.extend(open);
                    reading.has_paths = true;
                }
            }
        }
    }
}

impl Reading {
    /// What a namespace's own labels say.
    pub fn of_namespace(&mut self, namespace: &Value) {
        let metadata = &namespace["metadata"];
        let labels = &metadata["labels"];
        self.is_going = metadata["deletionTimestamp"].is_string();
        self.is_closing = labels[name::LABEL_CLOSING].is_string();
        self.is_gate_open = labels[name::LABEL_PODS] == name::PODS_OPEN && !self.is_closing && !self.is_going;
    }

    fn of_binding(&mut self, binding: &Value, place: &str) {
        if binding["metadata"]["name"] == name::SIGNER_BINDING || is_rehearsers(binding, place) {
            return;
        }
        self.is_bound = true;
        for subject in list(&binding["subjects"]) {
            let role = text(&subject["name"]).strip_prefix("role-").filter(|_| subject["namespace"] == place);
            self.gives
                .things
                .insert(role.map_or_else(|| format!("subject {subject}"), |role| format!("role {role}")));
        }
    }

    fn of_path(&mut self, policy: &Value) {
        let spec = &policy["spec"];
        let (out, within) = (list(&spec["egress"]), list(&spec["ingress"]));
        if out.is_empty() && within.is_empty() {
            let both = list(&spec["policyTypes"]).len() == 2;
            self.denies_by_default |=
                both && spec["podSelector"].as_object().is_none_or(serde_json::Map::is_empty);
            return;
        }
        self.has_paths = true;
        for rule in out {
            self.of_way_out(rule);
        }
        let stays_within = |rule: &&Value| list(&rule["from"]) == [json!({"podSelector": {}})];
        let from_elsewhere = within.iter().filter(|rule| !stays_within(rule));
        self.gives.things.extend(from_elsewhere.map(|rule| format!("ingress {rule}")));
    }

    fn of_way_out(&mut self, rule: &Value) {
        let ports: Vec<String> = list(&rule["ports"]).iter().map(port).collect();
        if list(&rule["to"]).is_empty() {
            self.gives.things.insert("egress anywhere".to_owned());
        }
        for peer in list(&rule["to"]) {
            let (block, namespace) = (&peer["ipBlock"], &peer["namespaceSelector"]);
            let home = text(&namespace["matchLabels"]["kubernetes.io/metadata.name"]);
            let things: Vec<String> = if block.is_object() {
                let reached = ADDRESSES.iter().filter(|address| is_in(block, address));
                reached
                    .flat_map(|address| ports.iter().map(move |port| format!("egress {address} {port}")))
                    .collect()
            } else if namespace.is_null() {
                Vec::new()
            } else if home == "kube-system" && ports.iter().all(|port| port.starts_with("53/")) {
                vec!["DNS".to_owned()]
            } else {
                ports.iter().map(|port| dataset(home, &peer["podSelector"]["matchLabels"], port)).collect()
            };
            self.gives.things.extend(things);
        }
    }
}

/// Whether a block of addresses holds one.
fn is_in(block: &Value, address: &str) -> bool {
    holds(&block["cidr"], address) && !list(&block["except"]).iter().any(|except| holds(except, address))
}

/// Whether a binding lets `comity rehearse` try things, and nobody else, where things are rehearsed.
fn is_rehearsers(binding: &Value, place: &str) -> bool {
    let [subject] = list(&binding["subjects"]) else { return false };
    binding["metadata"]["name"] == name::REHEARSER_BINDING
        && binding["roleRef"]["name"] == name::REHEARSER_CLUSTER_ROLE
        && subject["kind"] == "ServiceAccount"
        && subject["name"] == name::REHEARSE
        && subject["namespace"] == name::DEFAULT_SYSTEM_NAMESPACE
        && place.contains("-rehearsal-")
}
