//! Everything that a grant depends on, as the watches last told it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;
use kube::ResourceExt as _;
use kube::api::ObjectMeta;
use kube::runtime::reflector::{ObjectRef, Store};

use super::admission::Admission;
use super::docket::Docket;
use super::objects::Objects;
use super::records::Records;
use super::reports::Reports;
use super::services::Services;
use super::status::Said;
use crate::api::contract::SharingContract;
use crate::api::grant::PartnerGrantSpec;
use crate::api::{Dataset, GrantDecision, Partner, PartnerGrant, SharingBoundary};
use crate::journal::{Broken, Journal};
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
    /// What people decided about grants.
    pub decisions: Store<GrantDecision>,
    /// The same, by the grant that they are about.
    pub docket: Docket,
    /// How often anything was told of that a decision is judged by.
    pub turns: Turns,
    /// Journals.
    pub records: Records,
    /// What rehearsals showed.
    pub reports: Reports,
    /// What Comity made, and every namespace.
    pub objects: Objects,
    /// Services.
    pub services: Services,
    /// Comity's own admission policies.
    pub admission: Admission,
    /// What Comity just said of all those.
    pub said: Arc<Said>,
}

/// How often something changed.
#[derive(Debug, Default)]
pub struct Turns(AtomicU64);

impl Turns {
    /// Something changed.
    pub fn note(&self) {
        self.0.fetch_add(1, Ordering::Release);
    }

    /// How often so far.
    pub fn count(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }
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
    requested: Option<Timestamp>,
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
        let boundaries = self.every_boundary();
        // How many there are is asked only where a boundary says how many there may be.
        let are_counted = boundaries.iter().any(|boundary| boundary.spec.ceilings.live_grants.is_some());
        Gathered {
            datasets: contract.as_deref().map(|contract| self.datasets_of(contract)).unwrap_or_default(),
            contract,
            partner: self.partners.get(&ObjectRef::new(&grant.spec.partner_ref.name.0)).filter(is_there),
            services: self.services.of_namespace(&namespace),
            namespace_labels: self.namespace_labels(&namespace),
            requested: self.live_since(grant),
            others: self.others(grant, are_counted),
            boundaries,
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
        self.objects.namespace(namespace).map(|live| live.labels.as_ref().clone()).unwrap_or_default()
    }

    /// The grants beside this one that are live. Anybody who may write grants may write any number
    /// that nobody accepts: they count for nothing. Where it isn't counted how many there are, only
    /// those for the very same.
    pub fn others(&self, grant: &PartnerGrant, are_counted: bool) -> Vec<OtherGrant> {
        let (own, spec) = (&grant.metadata, &grant.spec);
        let is_the_same = |other: &PartnerGrantSpec| {
            (&other.partner_ref, &other.contract_ref, &other.purpose)
                == (&spec.partner_ref, &spec.contract_ref, &spec.purpose)
        };
        self.grants
            .state()
            .into_iter()
            .filter(|other| other.metadata.uid != own.uid)
            .filter(|other| {
                other.metadata.namespace == own.namespace || other.spec.partner_ref == spec.partner_ref
            })
            .filter(|other| are_counted || is_the_same(&other.spec))
            .filter_map(|other| Some(OtherGrant::new(&other, self.live_since(&other)?)))
            .collect()
    }

    /// What the records of a grant say.
    pub fn journal(&self, grant: &PartnerGrant) -> Result<Journal, Broken> {
        let ObjectMeta { namespace, uid, .. } = &grant.metadata;
        self.records.journal(namespace.as_deref().unwrap_or_default(), uid.as_deref().unwrap_or_default())
    }

    /// Since when a grant is live: it was accepted once, which only Comity writes down, and hasn't
    /// ended.
    pub fn live_since(&self, grant: &PartnerGrant) -> Option<Timestamp> {
        let ObjectMeta { namespace, uid, .. } = &grant.metadata;
        self.records.live_since(namespace.as_deref().unwrap_or_default(), uid.as_deref().unwrap_or_default())
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
            requested: self.requested,
            others: Cow::Borrowed(&self.others),
        }
    }
}

/// What is being deleted is no ground to stand on.
fn is_there<K: kube::Resource>(object: &Arc<K>) -> bool {
    object.meta().deletion_timestamp.is_none()
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

    use super::*;
    use crate::api::record::{GrantIdentity, RecordEvent, RecordReason};
    use crate::api::{Stage, name};
    use crate::journal::append::{Entry, next_record};
    use crate::testing::known::{Known, now};

    /// Another grant for the very same, created long before.
    fn rival() -> PartnerGrant {
        let mut grant = Known::grant(Stage::Sandbox);
        grant.metadata.name = Some("rival".to_owned());
        grant.metadata.uid = Some("00000000-rival".to_owned());
        grant.metadata.creation_timestamp = Some(Time(Timestamp::UNIX_EPOCH));
        grant
    }

    /// Writes the next line of a grant's journal.
    fn write(known: &Known, grant: &PartnerGrant, entry: &Entry, at: Timestamp) {
        let (namespace, uid) = (grant.namespace().unwrap(), grant.uid().unwrap());
        let journal = known.catalogue.records.journal(&namespace, &uid).unwrap_or_else(|_| Journal::empty());
        let identity = GrantIdentity { name: grant.name_any().as_str().into(), uid: uid.as_str().into() };
        let record = next_record(&journal, entry, &identity, Some(1), at);
        known.catalogue.records.put(&namespace, &name::record(&uid, record.sequence), record);
    }

    #[test]
    fn only_a_grant_that_was_accepted_and_has_not_ended_counts() {
        let mut known = Known::story();
        let (grant, rival) = (Known::grant(Stage::Sandbox), rival());
        known.tell(&grant);
        known.tell(&rival);
        let told = |known: &Known| {
            let gathered = known.catalogue.gather(&grant);
            let others = gathered.operands(&grant).others;
            (gathered.requested, others.iter().map(|other| other.requested).collect::<Vec<_>>())
        };
        assert_eq!(told(&known), (None, vec![]), "anybody can write a grant");
        let asked = Entry::of_grant(RecordEvent::Requested, None, "");
        write(&known, &rival, &asked, now());
        assert_eq!(told(&known), (None, vec![now()]));
        let later = now() + jiff::SignedDuration::from_secs(1);
        write(&known, &grant, &asked, later);
        assert_eq!(told(&known), (Some(later), vec![now()]));
        let over = Entry::of_grant(RecordEvent::Ended, Some(RecordReason::NothingLeft), "");
        write(&known, &rival, &over, later);
        assert_eq!(told(&known), (Some(later), vec![]));
    }

    #[test]
    fn where_nobody_counts_only_those_for_the_very_same_are_told_of() {
        let mut known = Known::story();
        let (grant, rival) = (Known::grant(Stage::Sandbox), rival());
        let mut another = rival.clone();
        another.metadata.name = Some("another".to_owned());
        another.metadata.uid = Some("00000000-another".to_owned());
        another.spec.purpose = "something-else".into();
        let asked = Entry::of_grant(RecordEvent::Requested, None, "");
        for other in [&rival, &another] {
            known.tell(other);
            write(&known, other, &asked, now());
        }
        let told = |are_counted| {
            let others = known.catalogue.others(&grant, are_counted).into_iter();
            others.map(|other| other.name).collect::<std::collections::BTreeSet<_>>()
        };
        assert_eq!(told(false), ["rival".to_owned()].into());
        assert_eq!(told(true), ["another".to_owned(), "rival".to_owned()].into());
    }
}
