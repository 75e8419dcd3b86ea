//! Everything that a grant depends on, read once and by a person with their own rights. What they may
//! not read is told apart from what isn't there.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Namespace, Service};
use kube::{Resource, ResourceExt as _};

use super::caller::{CallError, Caller, Identity};
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
    pub records: Records,
    /// Who reads.
    pub identity: Identity,
    /// The resources that they may not read.
    pub unread: Vec<&'static str>,
    /// When it was read.
    pub now: Timestamp,
}

impl Reading {
    /// Reads everything that a grant depends on.
    pub async fn of(caller: &Caller, name: &str) -> Result<Self, CallError> {
        let grant: PartnerGrant = caller.get(name).await?;
        let (contract, partner, datasets, services, boundaries, namespace, records, identity) = futures::join!(
            caller.get::<SharingContract>(&grant.spec.contract_ref.name.0),
            caller.get_anywhere::<Partner>(&grant.spec.partner_ref.name.0),
            caller.list::<Dataset>(),
            caller.list::<Service>(),
            caller.list_everywhere::<SharingBoundary>(),
            caller.get_anywhere::<Namespace>(&caller.namespace),
            caller.list::<GrantRecord>(),
            caller.identity(),
        );
        let mut unread = Vec::new();
        let mut note = Note(&mut unread);
        let contract = note.one("sharingcontracts", contract)?.filter(is_there);
        let partner = note.one("partners", partner)?.filter(is_there);
        let datasets = note.all("datasets", datasets)?.into_iter().filter(is_there);
        let services = note.all("services", services)?.into_iter();
        let boundaries = note.all("sharingboundaries", boundaries)?.into_iter().filter(is_there).collect();
        let namespace = note.one("namespaces", namespace)?;
        let told = note.all("grantrecords", records)?;
        let identity = note.one("selfsubjectreviews", identity)?.unwrap_or_default();
        let records = Records::default();
        for record in told {
            records.put(&caller.namespace, &record.name_any(), record.spec);
        }
        Ok(Self {
            contract,
            partner,
            datasets: datasets.map(|dataset| (dataset.name_any(), dataset)).collect(),
            services: services.map(|service| (service.name_any(), facts(&service))).collect(),
            boundaries,
            namespace_labels: namespace.and_then(|found| found.metadata.labels).unwrap_or_default(),
            records,
            identity,
            unread,
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
            others: Vec::new(),
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

/// Notes what may not be read.
struct Note<'a>(&'a mut Vec<&'static str>);

impl Note<'_> {
    fn one<T>(
        &mut self,
        resource: &'static str,
        answer: Result<T, CallError>,
    ) -> Result<Option<T>, CallError> {
        match answer {
            Ok(found) => Ok(Some(found)),
            Err(CallError::Absent { .. }) => Ok(None),
            Err(CallError::Forbidden { .. }) => {
                self.0.push(resource);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    fn all<T>(
        &mut self,
        resource: &'static str,
        answer: Result<Vec<T>, CallError>,
    ) -> Result<Vec<T>, CallError> {
        Ok(self.one(resource, answer)?.unwrap_or_default())
    }
}

/// What is being deleted is no ground to stand on.
fn is_there<K: Resource>(object: &K) -> bool {
    object.meta().deletion_timestamp.is_none()
}
