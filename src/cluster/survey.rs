//! Many grants and everything that they depend on, read once by a person with their own rights.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::{Namespace, Service};
use kube::{Resource, ResourceExt as _};
use serde::de::DeserializeOwned;

use super::caller::{CallError, Caller, Identity};
use super::readable::Readable;
use super::reading::{Note, Reading, is_there, records_of};
use super::records::Records;
use super::services::facts;
use crate::api::{Dataset, GrantRecord, Partner, PartnerGrant, SharingBoundary, SharingContract};
use crate::policy::ServiceFacts;

/// Objects by namespace and name.
type Placed<T> = BTreeMap<String, BTreeMap<String, T>>;

/// What somebody could read of a namespace, or of all of them.
#[derive(Debug)]
pub struct Survey {
    /// Every grant. One that can't be read is told of as such.
    pub grants: Vec<Readable<PartnerGrant>>,
    /// When it was read.
    pub now: Timestamp,
    contracts: Placed<SharingContract>,
    partners: BTreeMap<String, Partner>,
    datasets: Placed<Dataset>,
    services: Placed<ServiceFacts>,
    boundaries: Vec<SharingBoundary>,
    namespaces: BTreeMap<String, BTreeMap<String, String>>,
    records: Arc<Records>,
    identity: Identity,
    unread: Vec<&'static str>,
    unreadable: Vec<String>,
}

/// All objects of a kind in the caller's namespace, or everywhere.
async fn all<K>(caller: &Caller, everywhere: bool) -> Result<Vec<Readable<K>>, CallError>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + DeserializeOwned + Send + 'static,
{
    if everywhere { caller.list_everywhere().await } else { caller.list().await }
}

/// The namespaces that may be read: all, or the caller's own.
async fn namespaces(caller: &Caller, everywhere: bool) -> Result<Vec<Readable<Namespace>>, CallError> {
    if everywhere {
        return caller.list_everywhere().await;
    }
    caller.get_anywhere(&caller.namespace).await.map(|namespace| vec![namespace])
}

impl Survey {
    /// Reads everything that the grants of a namespace depend on, or those of all namespaces.
    pub async fn of(caller: &Caller, everywhere: bool) -> Result<Self, CallError> {
        let (grants, contracts, partners, datasets, services, boundaries, spaces, records, identity) = futures::join!(
            all::<PartnerGrant>(caller, everywhere),
            all::<SharingContract>(caller, everywhere),
            caller.list_everywhere::<Readable<Partner>>(),
            all::<Dataset>(caller, everywhere),
            all::<Service>(caller, everywhere),
            caller.list_everywhere::<Readable<SharingBoundary>>(),
            namespaces(caller, everywhere),
            all::<GrantRecord>(caller, everywhere),
            caller.identity(),
        );
        let mut note = Note::default();
        let records = records_of(note.all("grantrecords", records)?);
        let survey = Self {
            grants: grants?,
            contracts: placed(note.readable("sharingcontracts", contracts)?, |contract| contract),
            partners: by_name(note.readable("partners", partners)?),
            datasets: placed(note.readable("datasets", datasets)?, |dataset| dataset),
            services: placed(note.readable("services", services)?, |service| facts(&service)),
            boundaries: note
                .readable("sharingboundaries", boundaries)?
                .into_iter()
                .filter(is_there)
                .collect(),
            namespaces: labels(note.readable("namespaces", spaces)?),
            records: Arc::new(records),
            identity: note.one("selfsubjectreviews", identity)?.unwrap_or_default(),
            now: caller.now(),
            unread: note.unread,
            unreadable: note.unreadable,
        };
        Ok(survey)
    }

    /// A grant, if it is there and can be read.
    pub fn grant(&self, namespace: &str, name: &str) -> Option<&PartnerGrant> {
        let mut grants = self.grants.iter().filter_map(|grant| grant.0.as_ref().ok());
        grants.find(|grant| grant.name_any() == name && grant.namespace().as_deref() == Some(namespace))
    }

    /// The same of one grant as if it alone had been read.
    pub fn reading(&self, grant: &PartnerGrant) -> Reading {
        let namespace = grant.namespace().unwrap_or_default();
        let contracts = self.contracts.get(&namespace);
        Reading {
            contract: contracts
                .and_then(|contracts| contracts.get(grant.spec.contract_ref.name.as_str()))
                .cloned(),
            partner: self.partners.get(grant.spec.partner_ref.name.as_str()).cloned(),
            datasets: self.datasets.get(&namespace).cloned().unwrap_or_default(),
            services: self.services.get(&namespace).cloned().unwrap_or_default(),
            boundaries: self.boundaries.clone(),
            namespace_labels: self.namespaces.get(&namespace).cloned().unwrap_or_default(),
            records: Arc::clone(&self.records),
            identity: self.identity.clone(),
            unread: self.unread.clone(),
            unreadable: self.unreadable.clone(),
            now: self.now,
            grant: grant.clone(),
        }
    }
}

fn placed<K: Resource<DynamicType = ()>, T>(objects: Vec<K>, keep: impl Fn(K) -> T) -> Placed<T> {
    let mut placed = Placed::new();
    for object in objects.into_iter().filter(is_there) {
        let (namespace, name) = (object.namespace().unwrap_or_default(), object.name_any());
        placed.entry(namespace).or_default().insert(name, keep(object));
    }
    placed
}

fn by_name(partners: Vec<Partner>) -> BTreeMap<String, Partner> {
    partners.into_iter().filter(is_there).map(|partner| (partner.name_any(), partner)).collect()
}

fn labels(namespaces: Vec<Namespace>) -> BTreeMap<String, BTreeMap<String, String>> {
    let told = namespaces.into_iter();
    told.map(|namespace| (namespace.name_any(), namespace.metadata.labels.unwrap_or_default())).collect()
}
