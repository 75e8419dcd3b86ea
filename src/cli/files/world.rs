//! The objects in files, each read as its type, as far as they stand for themselves: what one is
//! judged by, or planned from, without a cluster. Pure.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Namespace, Service};
use kube::ResourceExt as _;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::api::effective::EffectivePolicy;
use crate::api::name::LABEL_NAMESPACE_NAME;
use crate::api::{Dataset, Partner, PartnerGrant, SharingBoundary, SharingContract};

use crate::cluster::objects::Objects;
use crate::cluster::services::facts;
use crate::contract::check::Ground;
use crate::grant::observe::isolated_datasets;
use crate::plan::objects;
use crate::policy::{Operands, OtherGrant, ServiceFacts};

/// Which object.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub(in crate::cli) struct Identity {
    /// Its kind.
    pub(in crate::cli) kind: String,
    /// Its namespace; empty where it has none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(in crate::cli) namespace: String,
    /// Its name.
    pub(in crate::cli) name: String,
}

impl Identity {
    /// An object of this kind.
    pub(in crate::cli) fn new(kind: &str, namespace: &str, name: &str) -> Self {
        Self { kind: kind.to_owned(), namespace: namespace.to_owned(), name: name.to_owned() }
    }
}

impl std::fmt::Display for Identity {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { kind, namespace, name } = self;
        if namespace.is_empty() {
            write!(out, "{kind} {name}")
        } else {
            write!(out, "{kind} {namespace}/{name}")
        }
    }
}

/// A namespace and a name.
pub(in crate::cli) type Named = (String, String);

/// An object, and which of the documents it is.
#[derive(Clone, Debug)]
pub(in crate::cli) struct Known<K> {
    pub(in crate::cli) document: usize,
    pub(in crate::cli) object: K,
}

/// Every object that stands.
#[derive(Debug, Default)]
pub(in crate::cli) struct World {
    pub(in crate::cli) boundaries: BTreeMap<String, Known<SharingBoundary>>,
    pub(in crate::cli) partners: BTreeMap<String, Known<Partner>>,
    pub(in crate::cli) datasets: BTreeMap<Named, Known<Dataset>>,
    pub(in crate::cli) contracts: BTreeMap<Named, Known<SharingContract>>,
    pub(in crate::cli) grants: BTreeMap<Named, Known<PartnerGrant>>,
    services: BTreeMap<Named, ServiceFacts>,
    namespaces: BTreeMap<String, BTreeMap<String, String>>,
    /// Those that are in the files, and that the API server wouldn't take.
    faulty: BTreeSet<Identity>,
    /// The network policies, which say what is isolated.
    objects: Objects,
    /// Every grant in the order of the files: an earlier one is elder.
    order: Vec<OtherGrant>,
}

impl World {
    /// Takes an object that the API server would take. Where it can't be read as its type, why.
    pub(in crate::cli) fn take(
        &mut self,
        identity: &Identity,
        document: usize,
        value: &Value,
    ) -> Result<(), serde_json::Error> {
        let Identity { kind, namespace, name } = identity;
        let key = || (namespace.clone(), name.clone());
        match kind.as_str() {
            "SharingBoundary" => put(&mut self.boundaries, name.clone(), identity, document, value),
            "Partner" => put(&mut self.partners, name.clone(), identity, document, value),
            "Dataset" => put(&mut self.datasets, key(), identity, document, value),
            "SharingContract" => put(&mut self.contracts, key(), identity, document, value),
            "PartnerGrant" => put(&mut self.grants, key(), identity, document, value),
            "Service" => {
                let service: Service = serde_json::from_value(value.clone())?;
                self.services.insert(key(), facts(&service));
                Ok(())
            }
            "Namespace" => {
                let found: Namespace = serde_json::from_value(value.clone())?;
                let mut labels = found.metadata.labels.unwrap_or_default();
                // The API server gives it to each, so files needn't say it.
                labels.insert(LABEL_NAMESPACE_NAME.to_owned(), name.clone());
                self.namespaces.insert(name.clone(), labels);
                Ok(())
            }
            "NetworkPolicy" => {
                let mut policy = value.clone();
                policy["metadata"]["namespace"] = Value::from(namespace.as_str());
                self.objects.put(objects::Kind::NetworkPolicy, policy);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Takes that an object is there that the API server wouldn't take.
    pub(in crate::cli) fn refuse(&mut self, identity: Identity) {
        self.faulty.insert(identity);
    }

    /// Whether an object is there that the API server wouldn't take.
    pub(in crate::cli) fn is_faulty(&self, identity: &Identity) -> bool {
        self.faulty.contains(identity)
    }

    /// Ends taking: from now on it is known which grant came first. All are as if made at `now`.
    pub(in crate::cli) fn settle(&mut self, now: Timestamp) {
        let mut grants: Vec<&Known<PartnerGrant>> = self.grants.values().collect();
        grants.sort_by_key(|known| known.document);
        self.order = grants.into_iter().map(|known| OtherGrant::new(&known.object, now)).collect();
    }

    /// The labels of a namespace; `None` where it isn't among the files.
    pub(in crate::cli) fn labels(&self, namespace: &str) -> Option<&BTreeMap<String, String>> {
        self.namespaces.get(namespace)
    }

    /// Whether a Service is among the files.
    pub(in crate::cli) fn has_service(&self, namespace: &str, name: &str) -> bool {
        self.services.contains_key(&(namespace.to_owned(), name.to_owned()))
    }

    /// A contract of a namespace.
    pub(in crate::cli) fn contract(&self, namespace: &str, name: &str) -> Option<&SharingContract> {
        self.contracts.get(&(namespace.to_owned(), name.to_owned())).map(|known| &known.object)
    }

    /// The contract of a grant.
    pub(in crate::cli) fn contract_of(&self, grant: &PartnerGrant) -> Option<&SharingContract> {
        self.contract(&grant.namespace().unwrap_or_default(), grant.spec.contract_ref.name.as_str())
    }

    /// The datasets that a contract names, by name.
    pub(in crate::cli) fn datasets_of(&self, contract: &SharingContract) -> BTreeMap<String, &Dataset> {
        let namespace = contract.namespace().unwrap_or_default();
        let scoped = contract.spec.data_scope.datasets.iter();
        let found = scoped.filter_map(|scoped| {
            let name = scoped.name.0.clone();
            let known = self.datasets.get(&(namespace.clone(), name.clone()))?;
            Some((name, &known.object))
        });
        found.collect()
    }

    /// The Services that a dataset names, by name.
    pub(in crate::cli) fn services_of(&self, dataset: &Dataset) -> BTreeMap<String, ServiceFacts> {
        let namespace = dataset.namespace().unwrap_or_default();
        let named = dataset.spec.endpoints.iter().map(|endpoint| endpoint.service.name.0.clone());
        let found = named.filter_map(|name| {
            let facts = self.services.get(&(namespace.clone(), name.clone()))?;
            Some((name, facts.clone()))
        });
        found.collect()
    }

    /// What a contract is judged by.
    pub(in crate::cli) fn ground<'a>(&'a self, contract: &'a SharingContract) -> Ground<'a> {
        let datasets = self.datasets_of(contract);
        Ground {
            contract,
            services: datasets.values().flat_map(|dataset| self.services_of(dataset)).collect(),
            datasets,
            boundaries: self.every_boundary(),
            namespace_labels: self.labels_or_none(contract.namespace()),
        }
    }

    /// What a grant is judged by, where an earlier one in the files is elder.
    pub(in crate::cli) fn operands<'a>(&'a self, grant: &'a PartnerGrant, now: Timestamp) -> Operands<'a> {
        let contract = self.contract_of(grant);
        let datasets = contract.map(|contract| self.datasets_of(contract)).unwrap_or_default();
        let uid = grant.uid().unwrap_or_default();
        let elder = self.order.partition_point(|other| other.uid < uid);
        Operands {
            grant,
            contract,
            partner: self.partners.get(grant.spec.partner_ref.name.as_str()).map(|known| &known.object),
            services: datasets.values().flat_map(|dataset| self.services_of(dataset)).collect(),
            datasets,
            boundaries: self.every_boundary(),
            namespace_labels: self.labels_or_none(grant.namespace()),
            requested: Some(now),
            others: Cow::Borrowed(self.order.get(..elder).unwrap_or_default()),
        }
    }

    /// The datasets of a policy whose pods Comity may add an ingress policy for.
    pub(in crate::cli) fn let_in(&self, policy: &EffectivePolicy) -> BTreeSet<String> {
        let labels_of = |namespace: &str| self.labels_or_none(Some(namespace.to_owned()));
        isolated_datasets(policy, labels_of, &self.objects).into_iter().collect()
    }

    fn every_boundary(&self) -> Vec<&SharingBoundary> {
        self.boundaries.values().map(|known| &known.object).collect()
    }

    fn labels_or_none(&self, namespace: Option<String>) -> BTreeMap<String, String> {
        namespace.and_then(|namespace| self.labels(&namespace)).cloned().unwrap_or_default()
    }
}

/// Takes an object under its identity: with a namespace where the file names none, and with a UID, which
/// it gets when it is stored. Those of later ones are greater.
fn put<Key: Ord, K: kube::Resource<DynamicType = ()> + DeserializeOwned>(
    objects: &mut BTreeMap<Key, Known<K>>,
    key: Key,
    identity: &Identity,
    document: usize,
    value: &Value,
) -> Result<(), serde_json::Error> {
    let mut object: K = serde_json::from_value(value.clone())?;
    let metadata = object.meta_mut();
    metadata.namespace = (!identity.namespace.is_empty()).then(|| identity.namespace.clone());
    metadata.uid = Some(format!("file-{document:09}"));
    objects.insert(key, Known { document, object });
    Ok(())
}
