//! The authorities that the signer holds: read from its own namespace, taken step by step to where they
//! should be, refused where what is kept can't be gone by.

mod begin;
mod contents;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use tokio::sync::Mutex as AsyncMutex;

use super::build;
use super::ca::order::Found;
use super::ca::step::Look;
use super::ca::{Chest, Entry, Key, Ledger, Need, Owner, Slot, Step};
use super::custody::{Cause, Refusal, Unwritten, signs, unwritten};
use super::decide::{doomed, earliest};
use super::error::SignError;
use super::keyring::{InSecrets, Keyring};
use super::opening::Opening;
use super::talk::Talk;
use crate::pki::{Authority, Lifetime, SpiffeId, Trust, rotation};
use contents::{Contents, Wiped};

/// How long what was read counts as live, so that many stages of one contract don't read it each.
const FRESH: SignedDuration = SignedDuration::from_secs(3);
/// Taking over takes a few steps. More means that somebody else writes them, too.
const STEPS: usize = 12;
/// When it is tried again to destroy a key that somebody holds on to.
const STUCK: SignedDuration = SignedDuration::from_mins(10);
/// How much of a credential lifetime is written down ahead as signed, so that it isn't written for each.
const AHEAD: i32 = 2;

/// What stands of the authorities of a contract and stage.
#[derive(Clone, Debug)]
pub struct Standing {
    /// What verifiers are given; `None`: nobody can say.
    pub trust: Option<Arc<Trust>>,
    /// What signs, or why nothing does.
    pub issuer: Result<Arc<Issuer>, Refusal>,
}

impl Standing {
    /// Nothing is signed, and nobody can say what is believed.
    pub fn refused(refusal: Refusal) -> Self {
        Self { trust: None, issuer: Err(refusal) }
    }
}

/// What signs.
#[derive(Debug)]
pub struct Issuer {
    /// Its number.
    pub number: u32,
    /// The authority.
    pub authority: Authority,
}

/// How authorities are kept.
#[derive(Clone, Debug)]
pub struct Terms {
    /// Comity's own namespace.
    pub system: String,
    /// The trust domain that is spoken for.
    pub trust_domain: String,
    /// How long an authority lives.
    pub lifetime: SignedDuration,
}

/// All authorities, each contract's and stage's behind a lock of its own.
pub struct Authorities {
    talk: Talk,
    terms: Terms,
    keyring: Arc<dyn Keyring>,
    chests: Mutex<BTreeMap<Chest, Arc<AsyncMutex<Option<Looked>>>>>,
}

/// What was last seen of a chest.
struct Looked {
    at: Timestamp,
    need: Need,
    ledger: Option<Ledger>,
    standing: Standing,
}

/// What a chest is looked at for.
struct Errand<'a> {
    chest: &'a Chest,
    owner: Owner,
    need: Option<Need>,
    order: Option<&'a ConfigMap>,
    id: SpiffeId,
    now: Timestamp,
}

impl Authorities {
    /// Keeps authorities on these terms, with keys in Secrets.
    pub fn new(talk: Talk, terms: Terms) -> Self {
        Self { talk, terms, keyring: Arc::new(InSecrets), chests: Mutex::default() }
    }

    /// The same with keys on this ring.
    #[must_use]
    pub fn with_keys(self, keyring: Arc<dyn Keyring>) -> Self {
        Self { keyring, ..self }
    }

    /// What stands for an opening, read no longer than a moment ago.
    pub async fn of(&self, opening: &Opening, now: Timestamp) -> Result<Standing, SignError> {
        let chest = opening.chest();
        let slot = self.slot(&chest);
        let mut slot = slot.lock().await;
        self.looked(&mut slot, opening, &chest, now).await.map(|looked| looked.standing.clone())
    }

    /// Writes down that the authority of this number signs something that lives until then, before it does;
    /// whether it still signs.
    pub async fn cover(
        &self,
        opening: &Opening,
        number: u32,
        until: Timestamp,
        now: Timestamp,
    ) -> Result<bool, SignError> {
        let chest = opening.chest();
        let slot = self.slot(&chest);
        let mut slot = slot.lock().await;
        let looked = self.looked(&mut slot, opening, &chest, now).await?;
        let (Ok(_), Some(ledger)) = (&looked.standing.issuer, &looked.ledger) else { return Ok(false) };
        let Some(active) = ledger.active().filter(|active| active.number == number) else { return Ok(false) };
        if active.issued_until.is_some_and(|issued| until <= issued) {
            return Ok(true);
        }
        let ahead = until.duration_since(now) / AHEAD;
        let last = rotation::later(until, ahead).min(active.certificate.lifetime().not_after());
        let covered = Entry { issued_until: Some(last.max(until)), ..active.clone() };
        let ledger = ledger.clone().with(&covered);
        let read: Option<ConfigMap> = self.talk.get(&self.terms.system, &chest.ledger()).await?;
        let Some(seen) = slot.take().filter(|seen| read.as_ref().and_then(Ledger::found) == seen.ledger)
        else {
            return Ok(false);
        };
        self.talk.put(&ledger.kept(&self.terms.system, &chest), read.as_ref()).await?;
        *slot = Some(Looked { ledger: Some(ledger), ..seen });
        Ok(true)
    }

    /// Takes the authorities in a chest a step on, if it is time or somebody wants it so; when to look again.
    /// What somebody wanted is read again first: they may have taken it back.
    pub async fn keep(
        &self,
        chest: &Chest,
        owner: Owner,
        order: Option<&ConfigMap>,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, SignError> {
        let slot = self.slot(chest);
        let mut slot = slot.lock().await;
        let id = SpiffeId::of_trust_domain(&self.terms.trust_domain)?;
        // What changes is read by the next who asks.
        *slot = None;
        let order = match order {
            Some(_) => self.talk.get::<ConfigMap>(&self.terms.system, &chest.order()).await?,
            None => None,
        };
        let errand = Errand { chest, owner, need: None, order: order.as_ref(), id, now };
        self.settle(&errand).await.map(|settled| settled.2)
    }

    /// Forgets authorities that no stage in `wanted` asks for any more, keys and all.
    pub fn retain(&self, wanted: &dyn Fn(&Chest) -> bool) {
        self.chests.lock().unwrap_or_else(PoisonError::into_inner).retain(|chest, _| wanted(chest));
    }

    fn slot(&self, chest: &Chest) -> Arc<AsyncMutex<Option<Looked>>> {
        let mut chests = self.chests.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(chests.entry(chest.clone()).or_default())
    }

    async fn looked<'a>(
        &self,
        slot: &'a mut Option<Looked>,
        opening: &Opening,
        chest: &Chest,
        now: Timestamp,
    ) -> Result<&'a Looked, SignError> {
        let need = opening.need();
        let fresh = slot.take().filter(|looked| looked.is_fresh(need, now));
        let looked = if let Some(looked) = fresh {
            looked
        } else {
            let id = SpiffeId::of_trust_domain(&self.terms.trust_domain)?;
            let errand = Errand { chest, owner: opening.owner(), need: Some(need), order: None, id, now };
            let (ledger, standing, _) = self.settle(&errand).await?;
            Looked { at: now, need, ledger, standing }
        };
        Ok(slot.insert(looked))
    }

    /// Reads, and does the next step, until there is none.
    async fn settle(
        &self,
        errand: &Errand<'_>,
    ) -> Result<(Option<Ledger>, Standing, Option<Timestamp>), SignError> {
        let Errand { chest, now, .. } = *errand;
        let mut order = errand.order.map(Found::from);
        let mut destroyed = None;
        for _ in 0..STEPS {
            let contents =
                contents::read(&self.talk, self.keyring.as_ref(), &self.terms.system, chest).await?;
            let Some(marker) = &contents.marker else {
                match self.begin(errand, &contents).await? {
                    None => continue,
                    Some(refusal) => return Ok((None, Standing::refused(refusal), None)),
                }
            };
            let need = errand.need.unwrap_or(Need { ttl: SignedDuration::ZERO, until: now });
            let Some(ledger) = Ledger::read(marker, &errand.owner, need, now) else {
                return Ok((None, Standing::refused(unreadable(chest)), None));
            };
            let (keys, need) = (&contents.keys, errand.need);
            let look = Look { ledger: &ledger, keys, need, order: order.as_ref(), id: &errand.id, chest };
            // One of an earlier version is written down in full first of all.
            let step = if Ledger::found(marker).is_none() {
                Step::Record(Box::new(ledger.clone()))
            } else {
                look.step(now)
            };
            // What somebody doesn't let go, or can't be read, takes nothing from the one that signs.
            let is_stuck = matches!(step, Step::Destroy(slot) if destroyed.replace(slot) == Some(slot));
            if is_stuck || step == Step::Rest {
                let standing = standing(&look, &contents, chest, now)?;
                let again = earliest(look.look_again(now), is_stuck.then(|| tries_again(chest, now)));
                return Ok((Some(ledger), standing, again));
            }
            order = order.filter(|_| step != Step::Dismiss);
            self.take(errand, &ledger, &contents, step).await?;
        }
        Err(SignError::Unsettled { secret: chest.ledger() })
    }

    /// What to do where nothing is written down; `None`: look again.
    async fn begin(&self, errand: &Errand<'_>, contents: &Contents) -> Result<Option<Refusal>, SignError> {
        let Errand { chest, now, .. } = *errand;
        let Some(need) = errand.need else { return Ok(Some(unreadable(chest))) };
        match unwritten(&contents.keys, &errand.owner) {
            Unwritten::Nothing => self.make(errand, need, Slot::First, 1).await?,
            Unwritten::Stored(slot) => {
                let Key::Held(found) = contents.keys.of(slot) else { return Ok(None) };
                let ledger = Ledger::first(errand.owner.clone(), need, found.clone(), slot, now);
                let kept = ledger.kept(&self.terms.system, chest);
                lost_races_are_fine(self.talk.put(&kept, None).await)?;
            }
            Unwritten::Brought(brought) => return self.begin_with(errand, need, &brought).await,
            Unwritten::Refuse(slot, cause) => {
                return Ok(Some(Refusal { chest: chest.clone(), slot, cause, bring: None }));
            }
        }
        Ok(None)
    }

    async fn take(
        &self,
        errand: &Errand<'_>,
        ledger: &Ledger,
        contents: &Contents,
        step: Step,
    ) -> Result<(), SignError> {
        let chest = errand.chest;
        match step {
            Step::Rest => Ok(()),
            Step::Make { slot, number } => self.make(errand, ledger.need, slot, number).await,
            Step::Claim { slot, number } => match contents.keys.of(slot) {
                Key::Brought(brought) => self.claim(chest, brought, number).await,
                _ => Ok(()),
            },
            Step::Record(next) => {
                let kept = next.kept(&self.terms.system, chest);
                let written = self.talk.put(&kept, contents.marker.as_ref()).await;
                if written.is_ok() {
                    build::tell(chest, ledger, &next);
                }
                lost_races_are_fine(written)
            }
            Step::Destroy(slot) => match contents.destroy(slot, self.keyring.as_ref()).await? {
                Some(doomed) => self.talk.delete::<Secret>(&self.terms.system, &doomed).await,
                None => Ok(()),
            },
            Step::Dismiss => match errand.order.and_then(|order| doomed(&order.metadata)) {
                Some(doomed) => self.talk.delete::<ConfigMap>(&self.terms.system, &doomed).await,
                None => Ok(()),
            },
        }
    }

    /// Makes an authority, and stores its key.
    async fn make(&self, errand: &Errand<'_>, need: Need, slot: Slot, number: u32) -> Result<(), SignError> {
        let Errand { now, owner, chest, id, .. } = errand;
        let lifetime = Lifetime::of_authority(*now, need.ttl, rotation::later(*now, self.terms.lifetime));
        let name = owner.common_name(number);
        let made = Authority::make(self.keyring.make(&name).await?, id, &name, lifetime).await?;
        let secret = build::authority_secret(&self.terms.system, owner, &chest.secret(slot), number, &made);
        let secret = Wiped(secret);
        let written = self.talk.write(&secret.0).await.map(drop);
        if written.as_ref().is_err_and(|error| error.code() == Some(409)) {
            // Another one was faster: nobody knows of this key.
            self.keyring.destroy(made.stored().reveal().as_bytes()).await?;
        }
        lost_races_are_fine(written)
    }
}

/// When it is tried again to destroy a key that somebody holds on to.
fn tries_again(chest: &Chest, now: Timestamp) -> Timestamp {
    tracing::warn!(%chest, "the key of an authority that is over can't be destroyed; it is tried again");
    rotation::later(now, STUCK)
}

/// Nothing is signed where nobody can say what was.
fn unreadable(chest: &Chest) -> Refusal {
    Refusal { chest: chest.clone(), slot: Slot::First, cause: Cause::MarkerUnreadable, bring: None }
}

/// What stands once there is nothing to do.
fn standing(
    look: &Look<'_>,
    contents: &Contents,
    chest: &Chest,
    now: Timestamp,
) -> Result<Standing, SignError> {
    let issuer = match signs(look, chest, now) {
        Err(refusal) => Err(refusal),
        Ok(active) => {
            let unsettled = || SignError::Unsettled { secret: chest.secret(active.slot) };
            let authority = contents.authority(active).ok_or_else(unsettled)??;
            Ok(Arc::new(Issuer { number: active.number, authority }))
        }
    };
    Ok(Standing { trust: Some(Arc::new(look.ledger.trust())), issuer })
}

impl Looked {
    fn is_fresh(&self, need: Need, now: Timestamp) -> bool {
        // An authority that has just expired isn't signed with for a moment more.
        let is_over = self
            .standing
            .issuer
            .as_ref()
            .is_ok_and(|issuer| issuer.authority.anchor().lifetime().not_after() <= now);
        let is_enough = self.need.and(need) == self.need;
        is_enough && !is_over && self.at <= now && now.duration_since(self.at) < FRESH
    }
}

/// Somebody else was faster: what they wrote is read next.
fn lost_races_are_fine(written: Result<(), SignError>) -> Result<(), SignError> {
    match written {
        Err(error) if error.code() == Some(409) => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod brought;
#[cfg(test)]
mod elsewhere;
#[cfg(test)]
mod tests;
