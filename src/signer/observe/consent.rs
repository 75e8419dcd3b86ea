//! Compares the journals of grants with what people decided, and remembers up to where it did.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use kube::ResourceExt as _;

use crate::api::record::GrantRecordSpec;
use crate::api::{GrantDecision, GrantRecord, PartnerGrant, RehearsalReport, name};
use crate::cluster::catalogue::Catalogue;
use crate::journal::rehearsal::Told;
use crate::journal::{self, Journal};
use crate::policy::standing::Outlook;
use crate::signer::decide::Doomed;
use crate::signer::error::SignError;
use crate::signer::heed::{ahead, alien};
use crate::signer::talk::Talk;
use crate::signer::testimony::{self, Kept, Known, Testimonies};
use crate::signer::witness::{Doubt, Testimony, Witness, gives, is_asked, is_late};

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

    /// Whether people decided something about a grant, or it was rehearsed, and that wasn't compared with its
    /// journal yet, as the watches last told. It is, as soon as it can be: both may be deleted.
    pub fn has_news(&self, grant: &PartnerGrant, journal: &Journal) -> bool {
        let Some(newest) = journal.newest_told() else { return false };
        let known = self.testimonies.of(&grant.uid().unwrap_or_default());
        let doubted = journal.head.clone().map(|head| (head, self.catalogue.docket.told()));
        known.is_none_or(|known| known.testimony.through < newest && known.doubted != doubted)
    }

    /// What is doubted of a journal, as the watches last told.
    pub fn cached_doubt(&self, case: Case<'_>) -> Option<Doubt> {
        if let Some(doubt) = unbelievable(case) {
            return Some(doubt);
        }
        let known = self.testimonies.of(&case.grant.uid().unwrap_or_default()).unwrap_or_default();
        let is_looked_at = known.testimony.head.is_some() && known.testimony.head == case.journal.head;
        if is_looked_at || !self.is_asked(case) {
            return None;
        }
        let records = self.records(case, BTreeMap::new());
        self.look(case, &records, &Fetched::default(), &known).1
    }

    /// How far a journal is believed, and what is doubted of it then, compared with what people decided at
    /// this moment. What holds is remembered. `newer` are the records that the watches haven't told of.
    pub async fn compare(
        &self,
        case: Case<'_>,
        newer: BTreeMap<i64, GrantRecordSpec>,
    ) -> Result<(Testimony, Option<Doubt>), SignError> {
        if let Some(doubt) = unbelievable(case) {
            return Ok((Testimony::default(), Some(doubt)));
        }
        if !self.is_asked(case) {
            let through = case.journal.next - 1;
            return Ok((Testimony { through, head: case.journal.head.clone() }, None));
        }
        let uid = case.grant.uid().unwrap_or_default();
        let mut known = self.known(&uid).await?;
        let before = known.testimony.clone();
        let records = self.records(case, newer);
        // Before they are looked at: one that comes meanwhile is looked at again.
        let told = self.catalogue.docket.told();
        let (reached, doubt) = self.look_live(case, &records, &mut known).await?;
        let news = records.iter().filter(|record| record.sequence > before.through);
        if news.into_iter().any(|record| record.sequence <= reached.through && gives(record.event)) {
            let wanted = testimony::kept(&self.system, &case.grant.name_any(), &uid, &reached);
            known.kept =
                self.keep(&wanted, &known.kept).await.inspect_err(|_| self.testimonies.forget(&uid))?;
        }
        known.doubted = doubt.as_ref().and_then(|_| Some((case.journal.head.clone()?, told)));
        known.testimony = reached.clone();
        known.remember(case.journal, case.outlook.agreement.as_ref().ok());
        self.testimonies.note(&uid, known);
        Ok((reached, doubt))
    }

    /// Compares, and where something is doubted once more from where the journal was believed when something
    /// was first signed by it: rules may have become stricter since.
    async fn look_live(
        &self,
        case: Case<'_>,
        records: &[GrantRecordSpec],
        known: &mut Known,
    ) -> Result<(Testimony, Option<Doubt>), SignError> {
        let fetched = self.fetch(case, records, &known.testimony).await?;
        let (reached, doubt) = self.look(case, records, &fetched, known);
        let Some(doubt) = doubt else { return Ok((reached, None)) };
        let noted = self.noted(case).await?;
        if noted.through < doubt.sequence {
            return Ok((reached, Some(doubt)));
        }
        known.testimony = noted;
        Ok(self.look(case, records, &fetched, known))
    }

    /// How far the journal was believed when something was last published of one of its stages. Only the
    /// signer writes there.
    async fn noted(&self, case: Case<'_>) -> Result<Testimony, SignError> {
        let mut furthest = Testimony::default();
        for opening in case.journal.openings.iter().filter(|opening| !opening.is_closed()) {
            if !self.is_its_own(case.grant, opening).await? {
                continue;
            }
            let published = self.talk.get::<ConfigMap>(&opening.namespace, name::TRUST_CONFIG_MAP).await;
            let published = match published {
                Err(error) if error.code() == Some(403) => continue,
                published => published?,
            };
            let noted = published.as_ref().map(testimony::read_noted).unwrap_or_default();
            if noted.through > furthest.through {
                furthest = noted;
            }
        }
        Ok(furthest)
    }

    /// Whether the namespace of an opening, which has the name of this grant's, is one that Comity made for it: whoever may make
    /// namespaces makes one of that name, and its label only Comity sets.
    async fn is_its_own(&self, grant: &PartnerGrant, opening: &journal::Opening) -> Result<bool, SignError> {
        let live: Option<Namespace> = self.talk.get_cluster_wide(&opening.namespace).await?;
        Ok(live.is_some_and(|live| live.labels().get(name::LABEL_GRANT_UID) == grant.metadata.uid.as_ref()))
    }

    /// What is known of a grant, read where nobody has looked yet.
    async fn known(&self, uid: &str) -> Result<Known, SignError> {
        let known = self.testimonies.of(uid).unwrap_or_default();
        if known.kept != Kept::Unread {
            return Ok(known);
        }
        let kept: Option<ConfigMap> = self.talk.get(&self.system, &name::consent_config_map(uid)).await?;
        let testimony = kept.as_ref().map(testimony::read).unwrap_or_default();
        let kept = kept.map_or(Kept::Absent, |kept| Kept::At(kept.resource_version().unwrap_or_default()));
        Ok(Known { testimony, kept, ..known })
    }

    /// Keeps a testimony, unless somebody else kept another one since it was read.
    async fn keep(&self, wanted: &ConfigMap, before: &Kept) -> Result<Kept, SignError> {
        let mut wanted = wanted.clone();
        if let Kept::At(version) = before {
            wanted.metadata.resource_version = Some(version.clone());
        }
        match self.talk.write(&wanted).await {
            Err(error) if error.code() == Some(409) => self.is_kept(&wanted).await?.ok_or(error),
            written => written.map(Kept::At),
        }
    }

    /// Whether the same is kept already: another look at the same grant may have come first.
    async fn is_kept(&self, wanted: &ConfigMap) -> Result<Option<Kept>, SignError> {
        let found: Option<ConfigMap> = self.talk.get(&self.system, &wanted.name_any()).await?;
        let same = found.filter(|found| testimony::read(found) == testimony::read(wanted));
        Ok(same.map(|same| Kept::At(same.resource_version().unwrap_or_default())))
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

    fn is_asked(&self, case: Case<'_>) -> bool {
        let agreement = case.outlook.agreement.as_ref().ok();
        is_asked(case.journal, agreement, &|| self.catalogue.records.has_another(case.grant))
    }

    /// Compares with what the watches told of, and with what they haven't.
    fn look(
        &self,
        case: Case<'_>,
        records: &[GrantRecordSpec],
        fetched: &Fetched,
        known: &Known,
    ) -> (Testimony, Option<Doubt>) {
        let find = |uid: &str| {
            let found = self.catalogue.docket.decision(uid).or_else(|| fetched.decisions.get(uid).cloned());
            found.filter(|found| found.is_about(case.grant))
        };
        let stored = |sequence: i64| fetched.stored.as_ref()?.get(&sequence).copied();
        let home = case.grant.namespace().unwrap_or_default();
        let report = |name: &str| {
            let known = self.catalogue.reports.report(&home, name);
            known.or_else(|| fetched.reports.get(name).cloned())
        };
        let witness = Witness {
            decision: &find,
            report: &report,
            agreement: case.outlook.agreement.as_ref().ok(),
            agreed: &known.agreed,
            stored: fetched.stored.as_ref().map(|_| &stored as &dyn Fn(i64) -> Option<Timestamp>),
            made_again: self.catalogue.records.has_another(case.grant),
            now: case.now,
        };
        witness.look(records, &known.testimony)
    }

    /// The records that make a journal.
    fn records(&self, case: Case<'_>, newer: BTreeMap<i64, GrantRecordSpec>) -> Vec<GrantRecordSpec> {
        let home = case.grant.namespace().unwrap_or_default();
        let known = self.catalogue.records.of_grant(&home, &case.grant.uid().unwrap_or_default());
        let mut all = newer;
        all.extend(known.into_iter().map(|record| (record.sequence, record)));
        all.into_values().filter(|record| record.sequence < case.journal.next).collect()
    }

    /// Those decisions that records speak of and the watches haven't told of, and when records were stored
    /// that claim to be old.
    async fn fetch(
        &self,
        case: Case<'_>,
        records: &[GrantRecordSpec],
        before: &Testimony,
    ) -> Result<Fetched, SignError> {
        let home = case.grant.namespace().unwrap_or_default();
        let uid = case.grant.uid().unwrap_or_default();
        let (mut decisions, mut stored) = (Decisions::new(), HashMap::new());
        for record in records.iter().filter(|record| record.sequence > before.through) {
            let taken = record
                .decision
                .as_ref()
                .filter(|taken| gives(record.event) && self.catalogue.docket.decision(&taken.uid).is_none());
            if let Some(taken) = taken {
                let found: Option<GrantDecision> = self.talk.get(&home, &taken.name).await?;
                decisions.extend(found.and_then(|found| Some((found.uid()?, Arc::new(found)))));
            }
            if is_late(record, case.now) {
                let found: Option<GrantRecord> =
                    self.talk.get(&home, &name::record(&uid, record.sequence)).await?;
                let created = found.and_then(|found| Some(found.creation_timestamp()?.0));
                stored.extend(created.map(|created| (record.sequence, created)));
            }
        }
        let reports = self.fetch_reports(&home, records, before).await?;
        Ok(Fetched { decisions, reports, stored: Some(stored) })
    }

    /// Those reports that records speak of and the watches haven't told of.
    async fn fetch_reports(
        &self,
        home: &str,
        records: &[GrantRecordSpec],
        before: &Testimony,
    ) -> Result<HashMap<String, Told>, SignError> {
        let mut reports = HashMap::new();
        let news = records.iter().filter(|record| record.sequence > before.through);
        for taken in news.filter_map(|record| record.report.as_ref()) {
            if self.catalogue.reports.report(home, &taken.name).is_none() {
                let found: Option<RehearsalReport> = self.talk.get(home, &taken.name).await?;
                reports.extend(found.as_ref().and_then(Told::of).map(|told| (taken.name.clone(), told)));
            }
        }
        Ok(reports)
    }
}

/// Why nothing of a journal is believed, whether anybody was asked or not.
fn unbelievable(case: Case<'_>) -> Option<Doubt> {
    let uid = case.grant.uid().unwrap_or_default();
    ahead(case.journal, case.now).or_else(|| alien(case.journal, &case.grant.name_any(), &uid))
}

/// What no watch has told of.
#[derive(Default)]
struct Fetched {
    /// Decisions that records speak of.
    decisions: Decisions,
    /// Reports that records speak of, by name.
    reports: HashMap<String, Told>,
    /// When records were stored, by their numbers; `None`: nobody asked.
    stored: Option<HashMap<i64, Timestamp>>,
}
