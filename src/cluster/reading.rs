//! Everything that a grant depends on, read once and by a person with their own rights. What they may
//! not read is told apart from what isn't there.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Namespace, Service};
use kube::{Resource, ResourceExt as _};

use super::caller::{CallError, Caller, Identity};
use super::readable::Readable;
use super::records::Records;
use super::services::facts;
use crate::api::{Dataset, GrantRecord, Partner, PartnerGrant, SharingBoundary, SharingContract};
use crate::policy::{Operands, ServiceFacts};

/// What somebody could read of a grant.
#[derive(Debug)]
pub struct Reading {
    /// The grant.
    pub grant: PartnerGrant,
    /// Its contract, if it is there.
    pub contract: Option<SharingContract>,
    /// Its partner, if it is there.
    pub partner: Option<Partner>,
    /// The datasets of its namespace, by name.
    pub datasets: BTreeMap<String, Dataset>,
    /// The Services of its namespace, by name.
    pub services: BTreeMap<String, ServiceFacts>,
    /// Every boundary.
    pub boundaries: Vec<SharingBoundary>,
    /// The labels of its namespace.
    pub namespace_labels: BTreeMap<String, String>,
    /// The journals of its namespace.
    pub records: Arc<Records>,
    /// Who reads.
    pub identity: Identity,
    /// The resources that they may not read.
    pub unread: Vec<&'static str>,
    /// Objects that they may read and that can't be read, and why.
    pub unreadable: Vec<String>,
    /// When it was read.
    pub now: Timestamp,
}

impl Reading {
    /// Reads everything that a grant depends on.
    pub async fn of(caller: &Caller, name: &str) -> Result<Self, CallError> {
        let grant: Readable<PartnerGrant> = caller.get(name).await?;
        let grant = grant.0.map_err(|unreadable| CallError::Unreadable {
            what: format!("PartnerGrant {name}"),
            error: unreadable.error,
        })?;
        let (contract, partner, datasets, services, boundaries, namespace, records, identity) = futures::join!(
            caller.get::<Readable<SharingContract>>(&grant.spec.contract_ref.name.0),
            caller.get_anywhere::<Readable<Partner>>(&grant.spec.partner_ref.name.0),
            caller.list::<Readable<Dataset>>(),
            caller.list::<Readable<Service>>(),
            caller.list_everywhere::<Readable<SharingBoundary>>(),
            caller.get_anywhere::<Namespace>(&caller.namespace),
            caller.list::<Readable<GrantRecord>>(),
            caller.identity(),
        );
        let mut note = Note::default();
        let contract = note.readable_one("sharingcontracts", contract)?.filter(is_there);
        let partner = note.readable_one("partners", partner)?.filter(is_there);
        let datasets = note.readable("datasets", datasets)?.into_iter().filter(is_there);
        let services = note.readable("services", services)?.into_iter();
        let boundaries = note.readable("sharingboundaries", boundaries)?;
        let namespace = note.one("namespaces", namespace)?;
        let records = Arc::new(records_of(note.all("grantrecords", records)?));
        let identity = note.one("selfsubjectreviews", identity)?.unwrap_or_default();
        Ok(Self {
            contract,
            partner,
            datasets: datasets.map(|dataset| (dataset.name_any(), dataset)).collect(),
            services: services.map(|service| (service.name_any(), facts(&service))).collect(),
            boundaries: boundaries.into_iter().filter(is_there).collect(),
            namespace_labels: namespace.and_then(|found| found.metadata.labels).unwrap_or_default(),
            records,
            identity,
            unread: note.unread,
            unreadable: note.unreadable,
            now: caller.now(),
            grant,
        })
    }

    /// What `policy::resolve` goes by; `None` where a part of it may not be read. Whether there is
    /// another grant for the same isn't looked at: that is Comity's to say.
    pub fn operands(&self) -> Option<Operands<'_>> {
        const NEEDED: [&str; 6] =
            ["sharingcontracts", "partners", "datasets", "services", "sharingboundaries", "namespaces"];
        if self.unread.iter().any(|resource| NEEDED.contains(resource)) {
            return None;
        }
        let namespace = self.grant.namespace().unwrap_or_default();
        let uid = self.grant.uid().unwrap_or_default();
        Some(Operands {
            grant: &self.grant,
            contract: self.contract.as_ref(),
            partner: self.partner.as_ref(),
            datasets: self.datasets_of_contract(),
            services: self.services.clone(),
            boundaries: self.boundaries.iter().collect(),
            namespace_labels: self.namespace_labels.clone(),
            requested: self.records.live_since(&namespace, &uid),
            others: Cow::default(),
        })
    }

    /// Whether the journals could be read.
    pub fn has_journal(&self) -> bool {
        !self.unread.contains(&"grantrecords")
    }

    fn datasets_of_contract(&self) -> BTreeMap<String, &Dataset> {
        let named = self.contract.iter().flat_map(|contract| &contract.spec.data_scope.datasets);
        let there = named.filter_map(|scoped| self.datasets.get_key_value(scoped.name.as_str()));
        there.map(|(name, dataset)| (name.clone(), dataset)).collect()
    }
}

/// Notes what may not be read, and what can't be.
#[derive(Debug, Default)]
pub(super) struct Note {
    /// The resources that may not be read.
    pub(super) unread: Vec<&'static str>,
    /// Objects that may be read and can't be, and why.
    pub(super) unreadable: Vec<String>,
}

impl Note {
    pub(super) fn one<T>(
        &mut self,
        resource: &'static str,
        answer: Result<T, CallError>,
    ) -> Result<Option<T>, CallError> {
        match answer {
            Ok(found) => Ok(Some(found)),
            Err(CallError::Absent { .. }) => Ok(None),
            Err(CallError::Forbidden { .. }) => {
                self.unread.push(resource);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    pub(super) fn all<T>(
        &mut self,
        resource: &'static str,
        answer: Result<Vec<T>, CallError>,
    ) -> Result<Vec<T>, CallError> {
        Ok(self.one(resource, answer)?.unwrap_or_default())
    }

    /// One object; one that can't be read isn't there, as it isn't for Comity, and is noted.
    fn readable_one<K: Resource<DynamicType = ()>>(
        &mut self,
        resource: &'static str,
        answer: Result<Readable<K>, CallError>,
    ) -> Result<Option<K>, CallError> {
        Ok(self.one(resource, answer)?.and_then(|object| self.understood(object)))
    }

    /// All objects; those that can't be read aren't there, and are noted.
    pub(super) fn readable<K: Resource<DynamicType = ()>>(
        &mut self,
        resource: &'static str,
        answer: Result<Vec<Readable<K>>, CallError>,
    ) -> Result<Vec<K>, CallError> {
        let found = self.all(resource, answer)?;
        Ok(found.into_iter().filter_map(|object| self.understood(object)).collect())
    }

    fn understood<K: Resource<DynamicType = ()>>(&mut self, object: Readable<K>) -> Option<K> {
        let name = object.name_any();
        let told = |error: &str| format!("{} {name}: {error}", K::kind(&()));
        object.0.inspect_err(|unreadable| self.unreadable.push(told(&unreadable.error))).ok()
    }
}

/// Journals of these records. One with a record that can't be read doesn't hold.
pub fn records_of(told: Vec<Readable<GrantRecord>>) -> Records {
    let records = Records::default();
    for record in told {
        let (namespace, name) = (record.namespace().unwrap_or_default(), record.name_any());
        match record.0 {
            Ok(record) => drop(records.put(&namespace, &name, record.spec)),
            Err(_) => drop(records.spoil(&namespace, &name)),
        }
    }
    records
}

/// What is being deleted is no ground to stand on.
pub(super) fn is_there<K: Resource>(object: &K) -> bool {
    object.meta().deletion_timestamp.is_none()
}
