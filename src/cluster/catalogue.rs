//! Everything that a grant depends on, as the watches last told it.

use std::collections::BTreeMap;
use std::sync::Arc;

use kube::ResourceExt as _;
use kube::runtime::reflector::{ObjectRef, Store};

use super::objects::Objects;
use super::records::Records;
use super::services::Services;
use crate::api::contract::SharingContract;
use crate::api::{Dataset, Partner, PartnerGrant, SharingBoundary, name};
use crate::policy::{Operands, OtherGrant, ServiceFacts};

/// What the watches last told.
#[derive(Debug)]
pub struct Catalogue {
    /// Grants.
    pub grants: Store<PartnerGrant>,
    /// Contracts.
    pub contracts: Store<SharingContract>,
    /// Partners.
    pub partners: Store<Partner>,
    /// Datasets.
    pub datasets: Store<Dataset>,
    /// Boundaries.
    pub boundaries: Store<SharingBoundary>,
    /// Journals.
    pub records: Records,
    /// What Comity made, and every namespace.
    pub objects: Objects,
    /// Services.
    pub services: Services,
}

/// What one grant depends on, kept together so that it can be referred to.
#[derive(Debug)]
pub struct Gathered {
    contract: Option<Arc<SharingContract>>,
    partner: Option<Arc<Partner>>,
    datasets: Vec<Arc<Dataset>>,
    boundaries: Vec<Arc<SharingBoundary>>,
    services: BTreeMap<String, ServiceFacts>,
    namespace_labels: BTreeMap<String, String>,
    others: Vec<OtherGrant>,
}

impl Catalogue {
    /// What `grant` depends on. References never leave its namespace, but to its partner.
    pub fn gather(&self, grant: &PartnerGrant) -> Gathered {
        let namespace = grant.namespace().unwrap_or_default();
        let contract = self
            .contracts
            .get(&ObjectRef::new(&grant.spec.contract_ref.name.0).within(&namespace))
            .filter(is_there);
        Gathered {
            datasets: contract.as_deref().map(|contract| self.datasets_of(contract)).unwrap_or_default(),
            contract,
            partner: self.partners.get(&ObjectRef::new(&grant.spec.partner_ref.name.0)).filter(is_there),
            boundaries: self.every_boundary(),
            services: self.services.of_namespace(&namespace),
            namespace_labels: self.namespace_labels(&namespace),
            others: self.others(grant),
        }
    }

    /// The datasets that a contract names, where they exist.
    pub fn datasets_of(&self, contract: &SharingContract) -> Vec<Arc<Dataset>> {
        let namespace = contract.namespace().unwrap_or_default();
        let named = contract.spec.data_scope.datasets.iter();
        named
            .filter_map(|scoped| self.datasets.get(&ObjectRef::new(&scoped.name.0).within(&namespace)))
            .filter(is_there)
            .collect()
    }

    /// Every boundary that there is.
    pub fn every_boundary(&self) -> Vec<Arc<SharingBoundary>> {
        self.boundaries.state().into_iter().filter(is_there).collect()
    }

    /// The labels of a namespace; none where it doesn't exist.
    pub fn namespace_labels(&self, namespace: &str) -> BTreeMap<String, String> {
        let live = self.objects.namespace(namespace);
        live.and_then(|live| serde_json::from_value(live.value().pointer("/metadata/labels")?.clone()).ok())
            .unwrap_or_default()
    }

    /// The grants beside this one that haven't ended.
    fn others(&self, grant: &PartnerGrant) -> Vec<OtherGrant> {
        let uid = grant.uid();
        let (namespace, partner) = (grant.namespace(), &grant.spec.partner_ref);
        self.grants
            .state()
            .into_iter()
            .filter(|other| other.uid() != uid)
            .filter(|other| other.namespace() == namespace || other.spec.partner_ref == *partner)
            .filter(|other| self.is_live(other))
            .map(|other| OtherGrant::from(other.as_ref()))
            .collect()
    }

    /// Whether a grant hasn't ended: it carries the finalizer, or nothing was written of it yet.
    fn is_live(&self, grant: &PartnerGrant) -> bool {
        grant.finalizers().iter().any(|finalizer| finalizer == name::FINALIZER)
            || !self.records.has_any(&grant.namespace().unwrap_or_default(), &grant.uid().unwrap_or_default())
    }
}

impl Gathered {
    /// The contract, if there is one.
    pub fn contract(&self) -> Option<&Arc<SharingContract>> {
        self.contract.as_ref()
    }

    /// What `policy::resolve` goes by.
    pub fn operands<'a>(&'a self, grant: &'a PartnerGrant) -> Operands<'a> {
        Operands {
            grant,
            contract: self.contract.as_deref(),
            partner: self.partner.as_deref(),
            datasets: self.datasets.iter().map(|dataset| (dataset.name_any(), dataset.as_ref())).collect(),
            services: self.services.clone(),
            boundaries: self.boundaries.iter().map(AsRef::as_ref).collect(),
            namespace_labels: self.namespace_labels.clone(),
            others: self.others.clone(),
        }
    }
}

/// What is being deleted is no ground to stand on.
fn is_there<K: kube::Resource>(object: &Arc<K>) -> bool {
    object.meta().deletion_timestamp.is_none()
}
