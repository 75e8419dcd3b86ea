//! Compares the journals of grants with what people decided, and remembers up to where it did.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::ResourceExt as _;

use crate::api::record::GrantRecordSpec;
use crate::api::{GrantDecision, PartnerGrant, name};
use crate::cluster::catalogue::Catalogue;
use crate::journal::Journal;
use crate::policy::standing::Outlook;
use crate::signer::decide::Doomed;
use crate::signer::error::SignError;
use crate::signer::talk::Talk;
use crate::signer::testimony::{self, Known, Testimonies};
use crate::signer::witness::{Doubt, Testimony, Witness, gives, is_needed};

/// Whoever compares.
#[derive(Clone)]
pub(super) struct Consent {
    talk: Talk,
    catalogue: Arc<Catalogue>,
    /// Comity's own namespace.
    system: String,
    testimonies: Arc<Testimonies>,
}

/// A grant, and what it is looked at by.
#[derive(Clone, Copy)]
pub(super) struct Case<'a> {
    /// The grant.
    pub grant: &'a PartnerGrant,
    /// Its journal.
    pub journal: &'a Journal,
    /// What everything that it depends on comes to.
    pub outlook: &'a Outlook,
    /// The time.
    pub now: Timestamp,
}

/// Decisions, by UID.
type Decisions = HashMap<String, Arc<GrantDecision>>;

impl Consent {
    /// Reads and writes through `talk`, and keeps what it has to remember in the namespace `system`.
    pub fn new(talk: Talk, catalogue: Arc<Catalogue>, system: &str) -> Self {
        Self { talk, catalogue, system: system.to_owned(), testimonies: Arc::default() }
    }

    /// Whether people decided something about a grant that wasn't compared with its journal yet, as
    /// the watches last told. It is, as soon as it can be: what was decided may be deleted.
    pub fn has_news(&self, grant: &PartnerGrant, journal: &Journal) -> bool {
        let Some(newest) = journal.consents.newest_taken() else { return false };
        let known = self.testimonies.of(&grant.uid().unwrap_or_default());
        let doubted = journal.head.clone().map(|head| (head, self.catalogue.docket.told()));
        known.is_none_or(|known| known.testimony.through < newest && known.doubted != doubted)
    }

    /// What is doubted of a journal, as the watches last told.
    pub fn cached_doubt(&self, case: Case<'_>) -> Option<Doubt> {
        if !self.is_needed(case) {
            return None;
        }
        let known = self.testimonies.of(&case.grant.uid().unwrap_or_default()).unwrap_or_default();
        let records = self.records(case, BTreeMap::new());
        self.look(case, &records, &Decisions::new(), &known.testimony).1
    }

    /// What is doubted of a journal, compared with what people decided at this moment. What holds is
    /// remembered. `newer` are the records that the watches haven't told of.
    pub async fn doubt(
        &self,
        case: Case<'_>,
        newer: BTreeMap<i64, GrantRecordSpec>,
    ) -> Result<Option<Doubt>, SignError> {
        if !self.is_needed(case) {
            return Ok(None);
        }
        let uid = case.grant.uid().unwrap_or_default();
        let kept: Option<ConfigMap> = self.talk.get(&self.system, &name::consent_config_map(&uid)).await?;
        let before = kept.as_ref().map(testimony::read).unwrap_or_default();
        let records = self.records(case, newer);
        // Before they are looked at: one that comes meanwhile is looked at again.
        let told = self.catalogue.docket.told();
        let untold = self.untold(case.grant, &records, &before).await?;
        let (reached, doubt) = self.look(case, &records, &untold, &before);
        let news = records.iter().filter(|record| record.sequence > before.through);
        if news.into_iter().any(|record| record.sequence <= reached.through && gives(record.event)) {
            let wanted = testimony::kept(&self.system, &case.grant.name_any(), &uid, &reached);
            self.talk.put(&wanted, kept.as_ref()).await?;
        }
        let doubted = doubt.as_ref().and_then(|_| Some((case.journal.head.clone()?, told)));
        self.testimonies.note(&uid, Known { testimony: reached, doubted });
        Ok(doubt)
    }

    /// Forgets grants that are gone, as the watches last told.
    pub async fn sweep(&self) -> Result<(), SignError> {
        let grants = self.catalogue.grants.state();
        let there: std::collections::HashSet<String> =
            grants.iter().filter_map(|grant| grant.uid()).collect();
        self.testimonies.retain(&|uid| there.contains(uid));
        for kept in self.talk.list::<ConfigMap>(&self.system, name::LABEL_GRANT_UID).await? {
            let is_over = testimony::grant_of(&kept).is_some_and(|uid| !there.contains(&uid));
            if let Some(uid) = kept.uid().filter(|_| is_over) {
                self.talk.delete::<ConfigMap>(&self.system, &Doomed { name: kept.name_any(), uid }).await?;
            }
        }
        Ok(())
    }

    fn is_needed(&self, case: Case<'_>) -> bool {
        let agreement = case.outlook.agreement.as_ref().ok();
        is_needed(case.journal, agreement, &|| self.catalogue.records.has_another(case.grant))
    }

    /// Compares with what the watches told of, and with what they haven't.
    fn look(
        &self,
        case: Case<'_>,
        records: &[GrantRecordSpec],
        untold: &Decisions,
        before: &Testimony,
    ) -> (Testimony, Option<Doubt>) {
        let find = |uid: &str| {
            let found = self.catalogue.docket.decision(uid).or_else(|| untold.get(uid).cloned());
            found.filter(|found| found.is_about(case.grant))
        };
        let witness = Witness {
            decision: &find,
            agreement: case.outlook.agreement.as_ref().ok(),
            made_again: self.catalogue.records.has_another(case.grant),
            now: case.now,
        };
        witness.look(records, before)
    }

    /// The records that make a journal.
    fn records(&self, case: Case<'_>, newer: BTreeMap<i64, GrantRecordSpec>) -> Vec<GrantRecordSpec> {
        let home = case.grant.namespace().unwrap_or_default();
        let known = self.catalogue.records.of_grant(&home, &case.grant.uid().unwrap_or_default());
        let mut all = newer;
        all.extend(known.into_iter().map(|record| (record.sequence, record)));
        all.into_values().filter(|record| record.sequence < case.journal.next).collect()
    }

    /// Those decisions that records speak of and the watches haven't told of.
    async fn untold(
        &self,
        grant: &PartnerGrant,
        records: &[GrantRecordSpec],
        before: &Testimony,
    ) -> Result<Decisions, SignError> {
        let home = grant.namespace().unwrap_or_default();
        let news = records.iter().filter(|record| record.sequence > before.through && gives(record.event));
        let mut untold = Decisions::new();
        for taken in news.filter_map(|record| record.decision.as_ref()) {
            if self.catalogue.docket.decision(&taken.uid).is_some() {
                continue;
            }
            let found: Option<GrantDecision> = self.talk.get(&home, &taken.name).await?;
            untold.extend(found.and_then(|found| Some((found.uid()?, Arc::new(found)))));
        }
        Ok(untold)
    }
}
