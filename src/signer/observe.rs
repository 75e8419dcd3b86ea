//! What stands of a grant and all that it depends on, read from the API server at this moment,
//! because what is signed can't be unsigned.

mod consent;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::future::try_join_all;
use futures::try_join;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Namespace, Service};
use kube::runtime::reflector::ObjectRef;
use kube::{Resource, ResourceExt as _};

use self::consent::{Case, Consent};
use super::derive::{Derived, derive};
use super::error::SignError;
use super::heed::heeded;
use super::opening::Opening;
use super::site::Site;
use super::talk::{Namespaced, Talk};
use super::together::Together;
use crate::api::record::GrantRecordSpec;
use crate::api::{
    Dataset, GrantDecision, GrantRecord, Partner, PartnerGrant, SharingBoundary, SharingContract, name,
};
use crate::cluster::catalogue::Catalogue;
use crate::cluster::services;
use crate::journal::{Broken, Journal};
use crate::plan::objects::{Key, Kind, Live};
use crate::policy::standing::Outlook;
use crate::policy::{Operands, OtherGrant};

/// Reads live what the signer goes by.
#[derive(Clone)]
pub struct Observer {
    talk: Talk,
    catalogue: Arc<Catalogue>,
    consent: Consent,
    /// Those who read what all grants under a contract stand on, by its namespace and name.
    readers: Arc<Together<(String, String), Common>>,
    /// Those who read a partner, by its name.
    partners: Arc<Together<String, Option<Partner>>>,
}

/// Whose a namespace is, as far as the watches told.
#[derive(Clone, Debug)]
pub enum Found {
    /// No stage's.
    Nobodys,
    /// Nobody knows yet.
    Unknown,
    /// The stage's of this grant.
    Stage(Arc<PartnerGrant>, Box<Opening>),
}

/// Records by number.
type NewRecords = BTreeMap<i64, GrantRecordSpec>;

/// What all grants under a contract depend on, as it was just read.
#[derive(Default)]
struct Common {
    contract: Option<SharingContract>,
    boundaries: Vec<SharingBoundary>,
    datasets: Vec<Dataset>,
    services: Vec<Service>,
    namespace_labels: BTreeMap<String, String>,
}

/// Everything that a grant depends on, as it was just read.
struct Ground {
    common: Arc<Common>,
    partner: Arc<Option<Partner>>,
    others: Vec<OtherGrant>,
}

impl Observer {
    /// Reads through `talk`; what no one object says comes from the catalogue.
    /// What it has to remember is kept in the namespace `system`.
    pub fn new(talk: Talk, catalogue: Arc<Catalogue>, system: &str) -> Self {
        let consent = Consent::new(talk.clone(), Arc::clone(&catalogue), system);
        Self { talk, catalogue, consent, readers: Arc::default(), partners: Arc::default() }
    }

    /// What the watches last told of a grant comes to. A journal that is broken opens nothing.
    pub fn cached(&self, grant: &PartnerGrant, now: Timestamp) -> Derived {
        let gathered = self.catalogue.gather(grant);
        let outlook = Outlook::of(&gathered.operands(grant), now);
        match self.cached_journal(grant) {
            Ok(journal) => {
                let case = Case { grant, journal: &journal, outlook: &outlook, now };
                let doubt = self.consent.cached_doubt(case);
                derive(grant, &self.heeded(case), &outlook, now).doubted(doubt.as_ref())
            }
            Err(broken) => {
                tracing::warn!(%broken, "the journal of this grant is broken: nothing is signed");
                Derived::default()
            }
        }
    }

    /// Whether people decided something that has to be compared with the journal of a grant.
    pub fn has_news(&self, grant: &PartnerGrant) -> bool {
        self.cached_journal(grant).is_ok_and(|journal| self.consent.has_news(grant, &journal))
    }

    /// Compares the journal of a grant with what people decided, before that is gone.
    pub async fn witness(&self, grant: &PartnerGrant, now: Timestamp) -> Result<(), SignError> {
        let Ok(journal) = self.cached_journal(grant) else { return Ok(()) };
        let gathered = self.catalogue.gather(grant);
        let outlook = Outlook::of(&gathered.operands(grant), now);
        let case = Case { grant, journal: &journal, outlook: &outlook, now };
        self.consent.compare(case, BTreeMap::new()).await.map(drop)
    }

    /// Forgets what is remembered of grants that are gone.
    pub async fn sweep(&self) -> Result<(), SignError> {
        self.consent.sweep().await
    }

    fn cached_journal(&self, grant: &PartnerGrant) -> Result<Journal, Broken> {
        let records = &self.catalogue.records;
        records.journal(&grant.namespace().unwrap_or_default(), &grant.uid().unwrap_or_default())
    }

    /// The namespaces that were made for a grant, as the watches last told.
    pub fn cached_places(&self, grant: &PartnerGrant) -> Vec<String> {
        self.catalogue.objects.places(grant.metadata.uid.as_deref().unwrap_or_default())
    }

    /// The namespace of an opening as the watches last told, if there is one.
    pub fn cached_site(&self, place: &str) -> Option<Site> {
        self.catalogue.objects.namespace(place).map(|live| site(place, &live))
    }

    /// Whose a namespace is, as the watches last told.
    pub fn found(&self, place: &str, now: Timestamp) -> Found {
        let Some(site) = self.cached_site(place) else { return Found::Unknown };
        if !site.is_a_stages() {
            return Found::Nobodys;
        }
        let label = |label: &str| site.labels.get(label).map(String::as_str).unwrap_or_default();
        let grant = ObjectRef::new(label(name::LABEL_GRANT)).within(label(name::LABEL_GRANT_NAMESPACE));
        let grant = self.catalogue.grants.get(&grant);
        let Some(grant) =
            grant.filter(|grant| grant.uid().unwrap_or_default() == label(name::LABEL_GRANT_UID))
        else {
            return Found::Unknown;
        };
        let openings = self.cached(&grant, now).openings;
        let opening = openings.into_iter().find(|opening| opening.place() == place);
        opening.map_or(Found::Unknown, |opening| Found::Stage(grant, Box::new(opening)))
    }

    /// Whether the platform lets Comity write in a namespace of datasets, as the watches last told. Whether it
    /// has the right to is for the API server to say.
    pub fn has_opted_in(&self, namespace: &str) -> bool {
        let site = self.cached_site(namespace).filter(|site| !site.terminating && !site.is_a_stages());
        let label = site.and_then(|site| site.labels.get(name::LABEL_DATASET_INGRESS).cloned());
        label.as_deref() == Some(name::YES)
    }

    /// Every grant, as the watches last told.
    pub fn grants(&self) -> Vec<Arc<PartnerGrant>> {
        self.catalogue.grants.state()
    }

    /// A grant, as the watches last told.
    pub fn grant(&self, namespace: &str, name: &str) -> Option<Arc<PartnerGrant>> {
        self.catalogue.grants.get(&ObjectRef::new(name).within(namespace))
    }

    /// What people decided about just this grant, as the watches last told.
    pub fn decided(&self, grant: &PartnerGrant) -> Vec<Arc<GrantDecision>> {
        self.catalogue.docket.about(grant, 0).decisions
    }

    /// A partner, as the watches last told.
    pub fn partner(&self, name: &str) -> Option<Arc<Partner>> {
        self.catalogue.partners.get(&ObjectRef::new(name))
    }

    /// Whether there is a decision with this UID, or was lately, as the watches last told.
    pub fn knows_decision(&self, uid: &str) -> bool {
        self.catalogue.docket.decision(uid).is_some()
    }

    /// Whether the signer was let into a namespace, as the watches last told.
    pub fn is_let_in(&self, place: &str) -> bool {
        let door = Key {
            kind: Kind::RoleBinding,
            namespace: place.to_owned(),
            name: name::SIGNER_BINDING.to_owned(),
        };
        self.catalogue.objects.is_known(&door)
    }

    /// What an opening is, and its namespace, read at this moment.
    pub async fn live(
        &self,
        grant: &PartnerGrant,
        opening: &Opening,
        now: Timestamp,
    ) -> Result<(Opening, Option<Site>), SignError> {
        let place = opening.place();
        // First: what it is compared with is never older than what it says.
        let journal = self.journal(opening).await?;
        let (live, ground, site) = try_join!(
            self.talk.get::<PartnerGrant>(&opening.namespace, &opening.grant),
            self.ground(grant),
            self.talk.get_cluster_wide::<Namespace>(&place),
        )?;
        let site = site.map(Site::from);
        let live = live.filter(|live| live.metadata.uid == grant.metadata.uid);
        let (Some(live), Some((journal, newer))) = (live, journal) else {
            return Ok((opening.clone().gone(), site));
        };
        let outlook = Outlook::of(&ground.operands(&live, journal.requested), now);
        let case = Case { grant: &live, journal: &journal, outlook: &outlook, now };
        let (compared, doubt) = self.consent.compare(case, newer).await?;
        let derived = derive(&live, &self.heeded(case), &outlook, now).doubted(doubt.as_ref());
        let found = derived.openings.into_iter().find(|found| found.place() == place);
        let found = found.map(|found| Opening { compared: Some(compared), ..found });
        Ok((found.unwrap_or_else(|| opening.clone().gone()), site))
    }

    /// The journal with what people closed since, as the watches last told.
    fn heeded<'a>(&self, case: Case<'a>) -> Cow<'a, Journal> {
        let filed = self.catalogue.docket.about(case.grant, 0);
        heeded(case.journal, &filed.decisions, case.outlook, case.now)
    }

    /// The journal as it stands, and its records that the watches haven't told of: those that are known
    /// never change, so only those after them have to be asked for. `None`: it is broken.
    async fn journal(&self, opening: &Opening) -> Result<Option<(Journal, NewRecords)>, SignError> {
        let Ok(mut journal) = self.catalogue.records.journal(&opening.namespace, &opening.grant_uid) else {
            return Ok(None);
        };
        let mut newer = NewRecords::new();
        loop {
            let next = name::record(&opening.grant_uid, journal.next);
            let Some(record) = self.talk.get::<GrantRecord>(&opening.namespace, &next).await? else {
                return Ok(Some((journal, newer)));
            };
            if journal.take(&record.spec).is_err() {
                return Ok(None);
            }
            newer.insert(record.spec.sequence, record.spec);
        }
    }

    async fn ground(&self, grant: &PartnerGrant) -> Result<Ground, SignError> {
        let at = grant.namespace().unwrap_or_default();
        let (contract, partner) = (&grant.spec.contract_ref.name.0, &grant.spec.partner_ref.name.0);
        let (common, partner) = try_join!(
            self.readers.read((at.clone(), contract.clone()), || self.common(&at, contract)),
            self.partners.read(partner.clone(), || self.talk.get_cluster_wide::<Partner>(partner)),
        )?;
        let others = self.catalogue.others(grant, true);
        Ok(Ground { common, partner, others })
    }

    async fn common(&self, at: &str, contract: &str) -> Result<Common, SignError> {
        let (contract, boundaries, namespace) = try_join!(
            self.talk.get::<SharingContract>(at, contract),
            self.talk.list_cluster_wide::<SharingBoundary>(),
            self.talk.get_cluster_wide::<Namespace>(at),
        )?;
        let contract = contract.filter(is_there);
        let named = contract.iter().flat_map(|contract| &contract.spec.data_scope.datasets);
        let named = named.map(|scoped| scoped.name.0.clone()).collect();
        let datasets: Vec<Dataset> = self.all(at, named).await?;
        let behind = datasets.iter().flat_map(|dataset| &dataset.spec.endpoints);
        let behind = behind.map(|endpoint| endpoint.service.name.0.clone()).collect();
        Ok(Common {
            contract,
            boundaries: boundaries.into_iter().filter(is_there).collect(),
            datasets,
            services: self.all(at, behind).await?,
            namespace_labels: namespace.and_then(|namespace| namespace.metadata.labels).unwrap_or_default(),
        })
    }

    /// Those of the objects with these names that exist, and stay.
    async fn all<K: Namespaced>(
        &self,
        namespace: &str,
        names: BTreeSet<String>,
    ) -> Result<Vec<K>, SignError> {
        let read = names.iter().map(|name| self.talk.get::<K>(namespace, name));
        let found = try_join_all(read).await?;
        Ok(found.into_iter().flatten().filter(is_there).collect())
    }
}

impl Ground {
    fn operands<'a>(&'a self, grant: &'a PartnerGrant, requested: Option<Timestamp>) -> Operands<'a> {
        let facts = |service: &Service| (service.name_any(), services::facts(service));
        let common = &self.common;
        Operands {
            grant,
            contract: common.contract.as_ref(),
            partner: self.partner.as_ref().as_ref().filter(|partner| is_there(*partner)),
            datasets: common.datasets.iter().map(|dataset| (dataset.name_any(), dataset)).collect(),
            services: common.services.iter().map(facts).collect(),
            boundaries: common.boundaries.iter().collect(),
            namespace_labels: common.namespace_labels.clone(),
            requested,
            others: Cow::Borrowed(&self.others),
        }
    }
}

/// What is being deleted is no ground to stand on.
fn is_there<K: Resource>(object: &K) -> bool {
    object.meta().deletion_timestamp.is_none()
}

fn site(place: &str, live: &Live) -> Site {
    Site {
        name: place.to_owned(),
        uid: live.uid.clone(),
        labels: live.labels.as_ref().clone(),
        terminating: live.terminating,
    }
}
