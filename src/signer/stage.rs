//! Tending one stage: reads what stands in its namespace, decides, and does it.
//!
//! What the caches say is enough to find that nothing has to be done. Before anything is signed,
//! published or taken back, what it rests on is read again from the API server.

use std::collections::{BTreeMap, HashMap};
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::ResourceExt as _;

use super::Now;
use super::authority::{Authorities, Issuer, Standing, Terms};
use super::build;
use super::custody::{Cause, Refusal};
use super::decide::{self, Decision, Doomed, Issue, Keep, Place, Why};
use super::error::SignError;
use super::keyring::Keyring;
use super::opening::Opening;
use super::site::Site;
use super::talk::Talk;
use crate::api::name;
use crate::pki::rotation::later;
use crate::pki::{self, Anchor, Leaf, PkiError, Trust};

/// What became of a stage.
#[derive(Debug, Default)]
pub struct Outcome {
    /// The certificates that were made.
    pub issued: Vec<Made>,
    /// How many objects were taken back.
    pub removed: usize,
    /// Why nothing may be signed, if so.
    pub refused: Option<Refusal>,
    /// Whether that, or anything else, was published just now.
    pub published: bool,
    /// When the first certificate is to be renewed.
    pub renew_at: Option<Timestamp>,
}

/// A certificate that was made.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Made {
    /// For whom.
    pub workload: String,
    /// Why.
    pub why: Why,
    /// How long making the key and the certificate took.
    pub took: Duration,
    /// The number of the authority that signed it.
    pub authority: u32,
}

/// Whoever tends stages.
pub struct Tender {
    talk: Talk,
    authorities: Authorities,
    trust_domain: String,
    stopwatch: Now,
    /// The anchor that was last seen in what verifiers of a stage are given, by its namespace.
    published: Mutex<HashMap<String, String>>,
}

impl Tender {
    /// Tends stages, with authorities on these terms. The stopwatch only times: for deciding, what time
    /// it is comes with each call.
    pub fn new(talk: Talk, terms: Terms, stopwatch: Now) -> Self {
        let trust_domain = terms.trust_domain.clone();
        let authorities = Authorities::new(talk.clone(), terms);
        Self { talk, authorities, trust_domain, stopwatch, published: Mutex::default() }
    }

    /// The same with the keys of authorities on this ring.
    #[must_use]
    pub fn with_keys(self, keyring: Arc<dyn Keyring>) -> Self {
        Self { authorities: self.authorities.with_keys(keyring), ..self }
    }

    /// Whether the verifiers of a stage are given this anchor: nothing is signed there before.
    pub async fn is_published(&self, place: &str, anchor: &Anchor) -> Result<bool, SignError> {
        let fingerprint = anchor.fingerprint();
        if self.seen().get(place) == Some(&fingerprint) {
            return Ok(true);
        }
        let found: Option<ConfigMap> = self.talk.get(place, name::TRUST_CONFIG_MAP).await?;
        let is_published = holds(found.as_ref(), anchor);
        if is_published {
            self.seen().insert(place.to_owned(), fingerprint);
        }
        Ok(is_published)
    }

    /// Forgets what was seen of stages that aren't in `wanted`.
    pub fn retain(&self, wanted: &dyn Fn(&str) -> bool) {
        self.seen().retain(|place, _| wanted(place));
    }

    fn seen(&self) -> MutexGuard<'_, HashMap<String, String>> {
        self.published.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The trust domain that is spoken for.
    pub(super) fn trust_domain(&self) -> &str {
        &self.trust_domain
    }

    /// The authorities that are held.
    pub const fn authorities(&self) -> &Authorities {
        &self.authorities
    }

    /// Tends one stage. `confirm` reads live what the opening and its namespace are; it is asked
    /// only if something has to be done.
    pub async fn tend<F>(
        &self,
        opening: &Opening,
        site: &Site,
        now: Timestamp,
        confirm: impl FnOnce() -> F,
    ) -> Result<Outcome, SignError>
    where
        F: Future<Output = Result<(Opening, Option<Site>), SignError>>,
    {
        if !opening.owns(site) {
            return Ok(Outcome::default());
        }
        let mut place = self.read(opening, site.clone()).await?;
        let standing = self.standing(opening, now).await?;
        let decision = self.decide(opening, &place, standing.as_ref(), now)?;
        if is_rest(opening, &decision, &place, standing.as_ref()) {
            return Ok(outcome_at_rest(&decision, standing));
        }
        let (opening, site) = confirm().await?;
        place.site = site;
        let standing = self.standing(&opening, now).await?;
        let decision = self.decide(&opening, &place, standing.as_ref(), now)?;
        self.act(&opening, decision, &place, standing, now).await
    }

    /// Reads what stands in the namespace of a stage, as far as it is the signer's.
    async fn read(&self, opening: &Opening, site: Site) -> Result<Place, SignError> {
        let at = opening.place();
        let mut place = Place { site: Some(site), ..Place::default() };
        place.trust = self.talk.get(&at, name::TRUST_CONFIG_MAP).await?;
        for workload in &opening.workloads {
            if let Some(secret) = self.talk.get(&at, &name::workload_secret(workload)).await? {
                place.secrets.insert(workload.clone(), secret);
            }
        }
        Ok(place)
    }

    /// The authority, where one is needed.
    async fn standing(&self, opening: &Opening, now: Timestamp) -> Result<Option<Standing>, SignError> {
        if !opening.open || !opening.is_certified() || opening.end <= now {
            return Ok(None);
        }
        if let Some(doubt) = &opening.doubt {
            return Ok(Some(Standing::refused(Refusal::of(opening, Cause::Doubted(doubt.clone())))));
        }
        self.authorities.of(opening, now).await.map(Some)
    }

    fn decide(
        &self,
        opening: &Opening,
        place: &Place,
        standing: Option<&Standing>,
        now: Timestamp,
    ) -> Result<Decision, SignError> {
        let trust = standing.and_then(|standing| standing.trust.as_deref());
        Ok(decide::decide(opening, place, trust, &self.trust_domain, now)?)
    }

    async fn act(
        &self,
        opening: &Opening,
        decision: Decision,
        place: &Place,
        standing: Option<Standing>,
        now: Timestamp,
    ) -> Result<Outcome, SignError> {
        match decision {
            Decision::Leave => Ok(Outcome::default()),
            Decision::Remove { secrets, trust } => self.remove(opening, &secrets, trust.as_ref()).await,
            Decision::Keep(keep) => match standing {
                None => Ok(Outcome::default()),
                Some(standing) => self.keep(opening, keep, place, &standing, now).await,
            },
        }
    }

    /// Secrets first: whoever waits for the ConfigMap to go can be sure that they are gone.
    async fn remove(
        &self,
        opening: &Opening,
        secrets: &[Doomed],
        trust: Option<&Doomed>,
    ) -> Result<Outcome, SignError> {
        let at = opening.place();
        for doomed in secrets {
            self.talk.delete::<Secret>(&at, doomed).await?;
        }
        if let Some(doomed) = trust {
            self.talk.delete::<ConfigMap>(&at, doomed).await?;
        }
        Ok(Outcome { removed: secrets.len() + usize::from(trust.is_some()), ..Outcome::default() })
    }

    async fn keep(
        &self,
        opening: &Opening,
        keep: Keep,
        place: &Place,
        standing: &Standing,
        now: Timestamp,
    ) -> Result<Outcome, SignError> {
        let mut outcome = Outcome { renew_at: keep.renew_at, ..Outcome::default() };
        let mut live = place.trust.clone();
        let mut chains = keep.serving;
        match (&standing.trust, &standing.issuer) {
            (Some(trust), Ok(issuer)) => {
                let signing = Signing { opening, place, issuer, trust, now };
                if !keep.issue.is_empty() {
                    live = self.introduce(&signing, &chains, live).await?;
                }
                for issue in &keep.issue {
                    self.issue(&signing, issue, &mut chains, &mut outcome).await?;
                }
            }
            (_, Err(refusal)) => {
                outcome.renew_at = decide::earliest(outcome.renew_at, refusal.is_over_at());
                outcome.refused = Some(refusal.clone());
            }
            (None, Ok(_)) => {}
        }
        if let Some(trust) = &standing.trust {
            self.pass_on(place, &keep.outdated, trust).await?;
        }
        let wanted = wanted(opening, standing, &chains, live.as_ref());
        outcome.published = match wanted {
            Some(wanted) => self.publish(&wanted, live.as_ref()).await?,
            None => false,
        };
        Ok(outcome)
    }

    /// Sees to it that whoever verifies here knows the authority before it signs anything for here; what is
    /// published then.
    async fn introduce(
        &self,
        signing: &Signing<'_>,
        chains: &BTreeMap<String, String>,
        live: Option<ConfigMap>,
    ) -> Result<Option<ConfigMap>, SignError> {
        let Signing { opening, issuer, trust, .. } = *signing;
        if live.is_none() || holds(live.as_ref(), issuer.authority.anchor()) {
            return Ok(live);
        }
        self.publish(&build::trust(opening, trust, chains, None), live.as_ref()).await?;
        self.talk.get(&opening.place(), name::TRUST_CONFIG_MAP).await
    }

    /// Puts the anchors that are believed now beside certificates that serve.
    async fn pass_on(&self, place: &Place, outdated: &[String], trust: &Trust) -> Result<(), SignError> {
        for secret in outdated.iter().filter_map(|workload| place.secrets.get(workload)) {
            self.talk.put(&build::with_anchors(secret, trust), Some(secret)).await?;
        }
        Ok(())
    }

    /// Issues one certificate and stores it, unless so little time is left that none makes sense.
    async fn issue(
        &self,
        signing: &Signing<'_>,
        issue: &Issue,
        chains: &mut BTreeMap<String, String>,
        outcome: &mut Outcome,
    ) -> Result<(), SignError> {
        let Signing { opening, place, issuer, trust, now } = *signing;
        let id = opening.identity(&self.trust_domain, &issue.workload)?;
        let life = issuer.authority.anchor().lifetime();
        let last = later(now, opening.ttl).min(opening.end).min(life.not_after());
        if !self.authorities.cover(opening, issuer.number, last, now).await? {
            return Err(SignError::TakenOver);
        }
        let began = (self.stopwatch)();
        let issued = match pki::issue(&issuer.authority, &id, now, opening.ttl, opening.end).await {
            Err(PkiError::NothingLeft { .. }) => return Ok(()),
            issued => issued?,
        };
        let took = (self.stopwatch)().duration_since(began).unsigned_abs();
        let mut read = place.secrets.get(&issue.workload);
        if let Some(doomed) = &issue.in_the_way {
            self.talk.delete::<Secret>(&opening.place(), doomed).await?;
            read = None;
        }
        let secret = build::workload_secret(opening, &issue.workload, &issued, trust);
        note(opening, issue, issuer.number, &issued.leaf);
        self.talk.put(&secret, read).await?;
        let wanted = pki::check::Wanted { id: &id, trust, ttl: opening.ttl, end: opening.end };
        outcome.renew_at = decide::earliest(outcome.renew_at, pki::check::renewal(&issued.leaf, &wanted));
        let (workload, authority) = (issue.workload.clone(), issuer.number);
        outcome.issued.push(Made { workload, why: issue.why, took, authority });
        chains.insert(issue.workload.clone(), issued.certificate);
        Ok(())
    }

    async fn publish(&self, wanted: &ConfigMap, live: Option<&ConfigMap>) -> Result<bool, SignError> {
        if !decide::differs(wanted, live) {
            return Ok(false);
        }
        // How far the journal was believed here stays known, whatever is said of it later.
        let noted = live.and_then(|live| live.annotations().get(name::ANNOTATION_COMPARED).cloned());
        let mut wanted = wanted.clone();
        if let Some(noted) = noted {
            let annotations = wanted.metadata.annotations.get_or_insert_default();
            annotations.entry(name::ANNOTATION_COMPARED.to_owned()).or_insert(noted);
        }
        self.talk.put(&wanted, live).await.map(|()| true)
    }
}

/// What certificates of a stage are signed with.
#[derive(Clone, Copy)]
struct Signing<'a> {
    opening: &'a Opening,
    place: &'a Place,
    issuer: &'a Issuer,
    trust: &'a Trust,
    now: Timestamp,
}

/// Writes down what was signed, before it is handed out: nothing is, of which nobody knows.
fn note(opening: &Opening, issue: &Issue, authority: u32, leaf: &Leaf) {
    tracing::info!(
        target: "comity::issued",
        namespace = opening.place(), grant = opening.grant, grant_uid = opening.grant_uid,
        workload = issue.workload, id = leaf.id().as_str(), serial = leaf.serial(), sha256 = leaf.fingerprint(),
        not_after = %leaf.lifetime().not_after(), chest = %opening.chest(), authority, why = issue.why.word(),
        "a certificate was issued"
    );
}

/// Whether what is published holds the anchor of what signs.
fn holds(published: Option<&ConfigMap>, anchor: &Anchor) -> bool {
    let bundle = published.and_then(|published| published.data.as_ref()?.get(build::ANCHOR_KEY));
    bundle.is_some_and(|bundle| bundle.contains(anchor.pem()))
}

/// What is to be published of a stage.
fn wanted(
    opening: &Opening,
    standing: &Standing,
    chains: &BTreeMap<String, String>,
    published: Option<&ConfigMap>,
) -> Option<ConfigMap> {
    let refused = standing.issuer.as_ref().err().map(Refusal::published);
    match (&standing.trust, refused) {
        (Some(trust), refused) => Some(build::trust(opening, trust, chains, refused.as_deref())),
        (None, Some(why)) => Some(build::refusal(opening, &why, published)),
        (None, None) => None,
    }
}

/// Whether nothing has to be done.
fn is_rest(opening: &Opening, decision: &Decision, place: &Place, standing: Option<&Standing>) -> bool {
    match decision {
        Decision::Leave => true,
        Decision::Remove { secrets, trust } => secrets.is_empty() && trust.is_none(),
        Decision::Keep(keep) => {
            let Some(standing) = standing else { return true };
            // What can't be signed now is waited for.
            let is_signed = keep.issue.is_empty() || standing.issuer.is_err();
            let is_published = wanted(opening, standing, &keep.serving, place.trust.as_ref())
                .is_none_or(|wanted| !decide::differs(&wanted, place.trust.as_ref()));
            is_signed && keep.outdated.is_empty() && is_published
        }
    }
}

fn outcome_at_rest(decision: &Decision, standing: Option<Standing>) -> Outcome {
    let renew_at = match decision {
        Decision::Keep(Keep { renew_at, .. }) => *renew_at,
        _ => None,
    };
    let refused = standing.and_then(|standing| standing.issuer.err());
    let renew_at = decide::earliest(renew_at, refused.as_ref().and_then(Refusal::is_over_at));
    Outcome { refused, renew_at, ..Outcome::default() }
}

#[cfg(test)]
mod tests;
