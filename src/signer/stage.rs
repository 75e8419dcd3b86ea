//! Tending one stage: reads what stands in its namespace, decides, and does it.
//!
//! What the caches say is enough to find that nothing has to be done. Before anything is signed,
//! published or taken back, what it rests on is read again from the API server.

use std::future::Future;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::ResourceExt as _;

use super::Now;
use super::authority::{Authorities, Standing};
use super::build;
use super::custody::{Cause, Chest, Refusal};
use super::decide::{self, Decision, Doomed, Issue, Keep, Place, Why};
use super::error::SignError;
use super::opening::Opening;
use super::site::Site;
use super::talk::Talk;
use crate::api::name;
use crate::pki::{self, Anchor, PkiError};

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
    /// SHA-256 of the certificate, in hexadecimal digits.
    pub fingerprint: String,
    /// Until when it is valid.
    pub not_after: Timestamp,
}

/// Whoever tends stages.
pub struct Tender {
    talk: Talk,
    authorities: Authorities,
    trust_domain: String,
    stopwatch: Now,
}

impl Tender {
    /// Tends stages, with authorities in the namespace `system`, for this trust domain. The
    /// stopwatch only times: for deciding, what time it is comes with each call.
    pub fn new(talk: Talk, system: &str, trust_domain: &str, stopwatch: Now) -> Self {
        let authorities = Authorities::new(talk.clone(), system, trust_domain);
        Self { talk, authorities, trust_domain: trust_domain.to_owned(), stopwatch }
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
            let cause = Cause::Doubted(doubt.clone());
            return Ok(Some(Err(Refusal { chest: Chest::of(opening), cause })));
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
        Ok(decide::decide(opening, place, anchor(standing), &self.trust_domain, now)?)
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
                Some(Err(refusal)) => self.refuse(opening, refusal, place).await,
                Some(Ok(authority)) => self.keep(opening, keep, place, &authority, now).await,
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

    async fn refuse(&self, opening: &Opening, refusal: Refusal, place: &Place) -> Result<Outcome, SignError> {
        let wanted = build::refusal(opening, &refusal.published());
        let published = self.publish(&wanted, place.trust.as_ref()).await?;
        Ok(Outcome { refused: Some(refusal), published, ..Outcome::default() })
    }

    async fn keep(
        &self,
        opening: &Opening,
        keep: Keep,
        place: &Place,
        authority: &pki::Authority,
        now: Timestamp,
    ) -> Result<Outcome, SignError> {
        let mut outcome = Outcome { renew_at: keep.renew_at, ..Outcome::default() };
        let mut chains = keep.serving;
        for issue in &keep.issue {
            if let Some(issued) = self.issue(opening, issue, place, authority, now).await? {
                outcome.renew_at = decide::earliest(outcome.renew_at, issued.renew_at);
                let (workload, why) = (issue.workload.clone(), issue.why);
                let Stored { chain, took, fingerprint, not_after, .. } = issued;
                outcome.issued.push(Made { workload, why, took, fingerprint, not_after });
                chains.insert(issue.workload.clone(), chain);
            }
        }
        let wanted = build::trust(opening, authority.anchor(), &chains);
        outcome.published = self.publish(&wanted, place.trust.as_ref()).await?;
        Ok(outcome)
    }

    /// Issues one certificate and stores it. `None`: so little time is left that none makes sense.
    async fn issue(
        &self,
        opening: &Opening,
        issue: &Issue,
        place: &Place,
        authority: &pki::Authority,
        now: Timestamp,
    ) -> Result<Option<Stored>, SignError> {
        let id = opening.identity(&self.trust_domain, &issue.workload)?;
        let began = (self.stopwatch)();
        let issued = match pki::issue(authority, &id, now, opening.ttl, opening.end) {
            Err(PkiError::NothingLeft { .. }) => return Ok(None),
            issued => issued?,
        };
        let took = (self.stopwatch)().duration_since(began).unsigned_abs();
        let mut read = place.secrets.get(&issue.workload);
        if let Some(doomed) = &issue.in_the_way {
            self.talk.delete::<Secret>(&opening.place(), doomed).await?;
            read = None;
        }
        let secret = build::workload_secret(opening, &issue.workload, &issued);
        self.talk.put(&secret, read).await?;
        let wanted =
            pki::check::Wanted { id: &id, anchor: authority.anchor(), ttl: opening.ttl, end: opening.end };
        let renew_at = pki::check::renewal(&issued.leaf, &wanted);
        let (fingerprint, not_after) = (issued.leaf.fingerprint(), issued.leaf.lifetime().not_after());
        Ok(Some(Stored { chain: issued.certificate, renew_at, took, fingerprint, not_after }))
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

/// A certificate that was just stored.
struct Stored {
    chain: String,
    renew_at: Option<Timestamp>,
    took: Duration,
    fingerprint: String,
    not_after: Timestamp,
}

fn anchor(standing: Option<&Standing>) -> Option<&Anchor> {
    standing?.as_ref().ok().map(|authority| authority.anchor())
}

/// Whether nothing has to be done.
fn is_rest(opening: &Opening, decision: &Decision, place: &Place, standing: Option<&Standing>) -> bool {
    match decision {
        Decision::Leave => true,
        Decision::Remove { secrets, trust } => secrets.is_empty() && trust.is_none(),
        Decision::Keep(keep) => {
            let wanted = match standing {
                None => return true,
                Some(Err(refusal)) => build::refusal(opening, &refusal.published()),
                Some(Ok(authority)) => build::trust(opening, authority.anchor(), &keep.serving),
            };
            keep.issue.is_empty() && !decide::differs(&wanted, place.trust.as_ref())
        }
    }
}

fn outcome_at_rest(decision: &Decision, standing: Option<Standing>) -> Outcome {
    let renew_at = match decision {
        Decision::Keep(Keep { renew_at, .. }) => *renew_at,
        _ => None,
    };
    Outcome { renew_at, refused: standing.and_then(Result::err), ..Outcome::default() }
}

#[cfg(test)]
mod tests;
