//! The effective policy of an opening: everything that it allows, resolved, as its record keeps it.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use kube::KubeSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::boundary::Quota;
use super::contract::{
    Approval, Artifact, Authentication, Destination, EgressPort, KeyDelivery, Model, NarrowedPods, Narrowing,
    Operation, Prohibited, Prohibition, Quarantine, Reviews, Rows, Security, TimeTerms, Window,
};
use super::grant::{Person, Workload};
use super::value::{ContentDigest, Name, Word};

/// Everything that an opening allows.
#[derive(Clone, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EffectivePolicy {
    /// Who.
    pub partner: Name,
    /// Under which contract.
    pub contract: Name,
    /// The contract's UID, which its certificate authority is named after.
    pub contract_uid: Name,
    /// What for.
    pub purpose: Name,
    /// What may be done.
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    #[schemars(length(max = 5))]
    pub operations: Vec<Operation>,
    /// What may never be done.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Set)]
    #[schemars(length(max = 16))]
    pub prohibitions: Vec<Prohibition>,
    /// With which models.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    #[schemars(length(max = 16))]
    pub models: Vec<Model>,
    /// With which data.
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into(), "version".into()]))]
    #[schemars(length(max = 8))]
    pub datasets: Vec<EffectiveDataset>,
    /// What is never shared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prohibited: Option<Prohibited>,
    /// When.
    pub time: TimeTerms,
    /// Where.
    pub destination: Destination,
    /// What has to be held up.
    pub security: Security,
    /// With how much.
    #[schemars(with = "EffectiveQuota")]
    pub quota: Quota,
    /// The partner's people.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    #[schemars(length(max = 32))]
    pub people: Vec<Person>,
    /// The partner's programs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    #[schemars(length(max = 16))]
    pub workloads: Vec<Workload>,
    /// Who has to agree before a stage opens: the stricter of contract and boundaries, for each stage.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["stage".into()]))]
    #[schemars(length(max = 3))]
    pub approvals: Vec<Approval>,
    /// How often somebody has to confirm that it is still wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reviews: Option<Reviews>,
    /// What becomes of pods under quarantine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quarantine: Option<Quarantine>,
    /// What becomes of pods that run and that a narrower policy doesn't allow any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub narrowing: Option<Narrowing>,
    /// What has to hold too, where several policies hold at once and have no single form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub further: Option<Further>,
}

/// What has to hold beside `time.windows` and `security.authentication`: windows in two time zones
/// can't be written as one list, nor can two lists of which one entry each is needed.
#[derive(Clone, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Further {
    /// Each allows only what one of its windows does.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    #[schemars(length(max = 8))]
    pub schedules: Vec<Schedule>,
    /// Each asks for one of its contexts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    #[schemars(length(max = 8))]
    pub authentication: Vec<Authentication>,
}

/// Parts of the week of which one is enough.
#[derive(Clone, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Schedule {
    /// The parts.
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    #[schemars(length(min = 1, max = 16))]
    pub windows: Vec<Window>,
}

/// The form of a policy, by which is told whether one can be written down.
static FORM: LazyLock<Value> = LazyLock::new(|| schemars::schema_for!(EffectivePolicy).to_value());

impl EffectivePolicy {
    /// Whether no list of it is longer than its form allows, so that records and objects can hold it:
    /// what two policies allow together may take more to say than each.
    pub fn fits(&self) -> bool {
        serde_json::to_value(self).is_ok_and(|policy| fits(&policy, &FORM))
    }

    /// What becomes of pods that run and that it doesn't allow.
    pub fn unlawful_pods(&self) -> NarrowedPods {
        self.narrowing.as_ref().map_or(NarrowedPods::Keep, |narrowing| narrowing.pods)
    }

    /// The workloads that may have certificates, whoever makes their keys.
    pub fn certified(&self) -> &[Workload] {
        if self.security.key_delivery.is_empty() { &[] } else { &self.workloads }
    }

    /// The workloads whose keys may be delivered in this way: all of them, or none.
    pub fn workloads_with(&self, way: KeyDelivery) -> &[Workload] {
        if self.security.key_delivery.contains(&way) { &self.workloads } else { &[] }
    }
}

/// Whether no list and no map in `value` is longer than `form` says.
fn fits(value: &Value, form: &Value) -> bool {
    let named =
        form.get("$ref").and_then(Value::as_str).and_then(|name| FORM.pointer(name.strip_prefix('#')?));
    let form = named.unwrap_or(form);
    let choices = form.get("anyOf").and_then(Value::as_array).into_iter().flatten();
    let most = |word: &str| form.get(word).and_then(Value::as_u64).unwrap_or(u64::MAX);
    let all_choices = choices.filter(|choice| choice.get("$ref").is_some()).all(|choice| fits(value, choice));
    all_choices
        && match value {
            Value::Array(items) => {
                let of_items = form.get("items").unwrap_or(&Value::Null);
                items.len() as u64 <= most("maxItems") && items.iter().all(|item| fits(item, of_items))
            }
            Value::Object(fields) => {
                let of_field = |name: &str| form.get("properties").and_then(|all| all.get(name));
                fields.len() as u64 <= most("maxProperties")
                    && fields.iter().all(|(name, value)| fits(value, of_field(name).unwrap_or(&Value::Null)))
            }
            _ => true,
        }
}

/// The form of what the namespace of an opening may hold: all that contract, boundaries and defaults
/// name, which is more than each of them may.
#[derive(Clone, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EffectiveQuota {
    /// Resource and amount, as in `ResourceQuota.spec.hard`.
    #[schemars(extend("minProperties" = 1, "maxProperties" = 64, "additionalProperties" = {"type": "string", "maxLength": 48, "pattern": "^[0-9]+(\\.[0-9]{1,3})?(m|k|M|G|T|P|Ki|Mi|Gi|Ti|Pi)?$"}))]
    pub hard: BTreeMap<String, Quantity>,
}

/// What an opening allows of one dataset.
#[derive(Clone, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EffectiveDataset {
    /// The `Dataset`.
    pub name: Name,
    /// Its version.
    pub version: Word,
    /// What that version is.
    pub digest: ContentDigest,
    /// The fields.
    #[x_kube(merge_strategy = ListMerge::Set)]
    #[schemars(length(max = 128))]
    pub fields: Vec<Word>,
    /// The rows; absent: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<Rows>,
    /// What may be made of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Set)]
    #[schemars(length(max = 8))]
    pub artifacts: Vec<Artifact>,
    /// What serves it at this stage; absent: nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<EffectiveEndpoint>,
}

/// What serves a dataset at a stage, resolved to pods and their ports.
#[derive(Clone, Debug, Default, Deserialize, Eq, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EffectiveEndpoint {
    /// The namespace of the Service and its pods.
    pub namespace: Name,
    /// The Service.
    pub service: Name,
    /// The labels of the pods behind it.
    #[schemars(extend("maxProperties" = 32, "additionalProperties" = {"type": "string", "maxLength": 63}))]
    pub selector: BTreeMap<String, String>,
    /// The pods' port. NetworkPolicies match these, not the Service's.
    pub target: TargetPort,
}

/// The port of a pod.
#[derive(Clone, Debug, Default, Deserialize, Eq, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("has(self.number) != has(self.name)", "a target port is a number or a name"))]
pub struct TargetPort {
    /// Its number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65535))]
    pub number: Option<i32>,
    /// Its name in the pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Name>,
    /// Its protocol.
    #[serde(default)]
    pub protocol: super::contract::Protocol,
}

impl From<&EgressPort> for TargetPort {
    fn from(port: &EgressPort) -> Self {
        Self { number: Some(port.port), name: None, protocol: port.protocol }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_longer_than_its_form_doesnt_fit_wherever_it_is() {
        let fits = |change: &dyn Fn(&mut EffectivePolicy)| {
            let mut policy = EffectivePolicy::default();
            change(&mut policy);
            policy.fits()
        };
        let labels = |count: u32| (0..count).map(|one| (format!("label-{one}"), "x".to_owned())).collect();
        let egress = |count: u32| {
            let one = json!({"cidr": "192.0.2.0/28", "ports": [{"port": 443, "protocol": "TCP"}]});
            (0..count).map(|_| serde_json::from_value(one.clone()).expect("a destination")).collect()
        };
        assert!(fits(&|_| ()));
        assert!(fits(&|policy| policy.destination.compute.node_selector = labels(8)));
        assert!(!fits(&|policy| policy.destination.compute.node_selector = labels(9)));
        assert!(fits(&|policy| policy.destination.egress = egress(16)));
        assert!(!fits(&|policy| policy.destination.egress = egress(17)));
        let schedules =
            |count: usize| Further { schedules: vec![Schedule::default(); count], ..Further::default() };
        assert!(fits(&|policy| policy.further = Some(schedules(8))));
        assert!(!fits(&|policy| policy.further = Some(schedules(9))), "also where it is optional");
        let fields = |count: u32| (0..count).map(|one| Word(format!("field-{one}"))).collect();
        let dataset = |count| EffectiveDataset { fields: fields(count), ..EffectiveDataset::default() };
        assert!(fits(&|policy| policy.datasets = vec![dataset(128)]));
        assert!(!fits(&|policy| policy.datasets = vec![dataset(129)]), "and within a list");
    }
}
