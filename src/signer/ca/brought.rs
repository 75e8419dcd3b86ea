//! Authorities that the platform brings: it puts a certificate and its key into one of the two Secrets, labelled
//! so, and they are taken for the next one as if they had been made, once they are what an authority has to be.
//! From then on none is made by Comity for this contract's stage: the next one is brought, too.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::{Deserialize, Serialize};

use super::ledger::{Chest, Ledger, Slot};
use super::step::{Key, Look, MOST, SET_BACK, Step, prepared};
use crate::api::name;
use crate::pki::{Anchor, PkiError, rotation};

/// Who made an authority.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub enum Maker {
    /// Comity.
    #[default]
    Comity,
    /// The platform brought it.
    Platform,
}

impl Maker {
    /// Whether Comity made it; the default, which is left out when written.
    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
    pub fn is_comity(&self) -> bool {
        *self == Self::Comity
    }
}

/// What the platform put into a Secret.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Brought {
    /// The authority, if its key belongs to its certificate.
    pub held: Result<Anchor, PkiError>,
    /// For whom its key is used, or was: it is for one contract's stage, once and for all.
    pub claim: Option<Claim>,
}

/// For whom a key that was brought is used.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Claim {
    /// Where the authorities are kept that it is one of; nothing where that can't be read.
    pub chest: Option<Chest>,
    /// As which of them.
    pub number: u32,
}

/// In the ConfigMap: where the authorities are kept that it is one of.
const CHEST: &str = "chest";
/// In the ConfigMap: as which of them.
const NUMBER: &str = "authority";

impl Claim {
    /// The ConfigMap that says for whom this key is used.
    pub fn called(anchor: &Anchor) -> String {
        name::brought_config_map(&anchor.key_fingerprint())
    }

    /// What a ConfigMap says. What can't be read is somebody else's.
    pub fn read(found: &ConfigMap) -> Self {
        let part = |key: &str| found.data.as_ref().and_then(|data| data.get(key)).map(String::as_str);
        let number = part(NUMBER).and_then(|text| text.parse().ok());
        let chest = part(CHEST).and_then(|text| Chest::of_ledger(&format!("{}{text}", name::TRUST_PREFIX)));
        Self { chest: chest.filter(|_| number.is_some()), number: number.unwrap_or_default() }
    }

    /// The ConfigMap that says that a key is used for these authorities, as this one.
    pub fn written(system: &str, chest: &Chest, number: u32, anchor: &Anchor) -> ConfigMap {
        let labels = BTreeMap::from([(name::LABEL_MANAGED_BY.to_owned(), name::MANAGED_BY.to_owned())]);
        let data = [(CHEST, chest.to_string()), (NUMBER, number.to_string())];
        let metadata = ObjectMeta {
            name: Some(Self::called(anchor)),
            namespace: Some(system.to_owned()),
            labels: Some(labels),
            ..ObjectMeta::default()
        };
        let data = data.map(|(key, text)| (key.to_owned(), text));
        ConfigMap { metadata, data: Some(data.into()), ..ConfigMap::default() }
    }
}

/// Why what was brought isn't taken.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Unfit {
    /// It is no authority, or its key isn't its own.
    #[error("{0}")]
    Unusable(PkiError),
    /// It speaks for another trust domain.
    #[error("it speaks for {found}, and Comity for {wanted}")]
    OtherTrustDomain {
        /// What it speaks for.
        found: String,
        /// What it should speak for.
        wanted: String,
    },
    /// Nobody could tell by what it signed which key it has.
    #[error("it has no subject key identifier")]
    Nameless,
    /// It lives for less than six times what it is to sign.
    #[error("it lives for {lives}, which is less than six times the credential lifetime of {ttl}")]
    Short {
        /// How long it lives.
        lives: SignedDuration,
        /// How long what it is to sign lives.
        ttl: SignedDuration,
    },
    /// It isn't valid, or not for long enough to be known before it ends.
    #[error("it is valid from {begin} until {end}, and not now, or not for long enough")]
    NotNow {
        /// From when on it is valid.
        begin: Timestamp,
        /// Until when.
        end: Timestamp,
    },
    /// It is one of those that there are.
    #[error("its key is that of authority {0}: bring another key")]
    Known(u32),
    /// It was one of those that there were.
    #[error("its key was used as authority {0}, and is over: bring another key")]
    Over(u32),
    /// Another contract or stage has it, so it would speak for both.
    #[error("its key is used for another contract or stage: bring another key")]
    Anothers,
}

/// What is to be done with what was brought.
#[derive(Clone, Debug)]
pub enum Fit {
    /// Say first that its key is used for this, so that nobody else uses it.
    Claim,
    /// Take it.
    Take(Box<Anchor>),
}

impl Fit {
    fn of(is_claimed: bool, found: &Anchor) -> Self {
        if is_claimed { Self::Take(Box::new(found.clone())) } else { Self::Claim }
    }
}

/// Whether what was brought can be the next authority.
pub fn fit(look: &Look<'_>, chest: &Chest, brought: &Brought, now: Timestamp) -> Result<Fit, Unfit> {
    let number = look.ledger.last.saturating_add(1);
    if let Some(known) = brought.held.as_ref().ok().and_then(|found| look.is_known(found)) {
        return Err(Unfit::Known(known.number));
    }
    let ttl = look.need.map_or(look.ledger.need.ttl, |need| need.ttl.max(look.ledger.need.ttl));
    let found = usable(brought, look.id.as_str(), ttl, now)?;
    claimed(brought, chest, number).map(|is_claimed| Fit::of(is_claimed, found))
}

/// Whether what was brought can be the first authority.
pub fn fits_first(
    brought: &Brought,
    chest: &Chest,
    (id, ttl): (&str, SignedDuration),
    now: Timestamp,
) -> Result<Fit, Unfit> {
    let found = usable(brought, id, ttl, now)?;
    claimed(brought, chest, 1).map(|is_claimed| Fit::of(is_claimed, found))
}

/// The authority, if it is what one has to be. That it is signed by itself, signs workloads alone, and has its own
/// key was looked at when it was read.
fn usable<'a>(
    brought: &'a Brought,
    id: &str,
    ttl: SignedDuration,
    now: Timestamp,
) -> Result<&'a Anchor, Unfit> {
    let found = brought.held.as_ref().map_err(|error| Unfit::Unusable(error.clone()))?;
    let life = found.lifetime();
    let (begin, end) = (life.not_before(), life.not_after());
    if found.id().as_str() != id {
        return Err(Unfit::OtherTrustDomain { found: found.id().to_string(), wanted: id.to_owned() });
    }
    if found.key().is_none() {
        return Err(Unfit::Nameless);
    }
    if !life.may_sign(ttl) {
        return Err(Unfit::Short { lives: life.length(), ttl });
    }
    let is_now =
        begin <= rotation::later(now, SET_BACK) && rotation::later(now, rotation::margin(life)) < end;
    is_now.then_some(found).ok_or(Unfit::NotNow { begin, end })
}

/// Whether it was said already that its key is used for this.
fn claimed(brought: &Brought, chest: &Chest, number: u32) -> Result<bool, Unfit> {
    match &brought.claim {
        None => Ok(false),
        Some(claim) if claim.chest.as_ref() != Some(chest) => Err(Unfit::Anothers),
        // Whoever died before it was written down goes on here.
        Some(claim) if claim.number == number => Ok(true),
        Some(claim) => Err(Unfit::Over(claim.number)),
    }
}

/// What was brought and lies ready, and where.
pub fn ready<'a>(look: &Look<'a>) -> Option<(Slot, &'a Brought)> {
    let free = Slot::BOTH.into_iter().filter(|slot| !look.is_claimed(*slot));
    let brought = |slot: Slot| match look.keys.of(slot) {
        // A key that is over is about to be destroyed.
        Key::Brought(brought) if !is_over(look, brought) => Some((slot, brought.as_ref())),
        _ => None,
    };
    free.into_iter().find_map(brought)
}

fn is_over(look: &Look<'_>, brought: &Brought) -> bool {
    brought.held.as_ref().is_ok_and(|found| look.is_known(found).is_some())
}

/// What the platform brought is taken for the next one.
pub fn adopt(look: &Look<'_>, now: Timestamp) -> Option<Step> {
    let ledger = look.ledger;
    if ledger.prepared().is_some() || ledger.authorities.len() >= MOST {
        return None;
    }
    let (slot, brought) = ready(look)?;
    let number = ledger.last.saturating_add(1);
    match fit(look, look.chest, brought, now).ok()? {
        Fit::Claim => Some(Step::Claim { slot, number }),
        Fit::Take(found) => {
            let ledger = prepared(ledger, (*found, Maker::Platform), (slot, number), now);
            Some(Step::Record(Box::new(ledger)))
        }
    }
}

/// Who has a key already, by their ledgers, and as which of them.
pub fn whose(ledgers: &[ConfigMap], anchor: &Anchor) -> Option<(Chest, u32)> {
    ledgers.iter().find_map(|kept| {
        let chest = Chest::of_ledger(kept.metadata.name.as_deref()?)?;
        let entries = Ledger::found(kept)?.authorities;
        let known = entries.iter().find(|entry| entry.certificate.same_authority(anchor))?;
        Some((chest, known.number))
    })
}

/// Which Secret the next one is to be brought in.
pub fn place(ledger: &Ledger, chest: &Chest) -> String {
    let is_free =
        |slot: &Slot| !ledger.authorities.iter().any(|entry| entry.slot == *slot && entry.phase.has_key());
    chest.secret(Slot::BOTH.into_iter().find(is_free).unwrap_or(Slot::Second))
}
