//! What is written down of the authorities of a contract and stage.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::{Deserialize, Serialize};

use super::brought::Maker;
use crate::api::name;
use crate::api::stage::Stage;
use crate::pki::{Anchor, Belief, Trust, rotation};

/// In the ledger's ConfigMap: all anchors that are believed, as PEM.
const BUNDLE: &str = "ca.crt";
/// In the ledger's ConfigMap: the ledger.
const LEDGER: &str = "authorities.json";

/// Where the authorities of a contract and stage are kept: what all their names end with.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Chest(String);

impl Chest {
    /// Where those of a contract's stage are kept.
    pub fn of(contract_uid: &str, stage: Stage) -> Self {
        Self(name::ca(contract_uid, stage))
    }

    /// The chest that a ledger of this name is of.
    pub fn of_ledger(name: &str) -> Option<Self> {
        name::of_ca_config_map(name).map(|name| Self(name.to_owned()))
    }

    /// The chest that an order of this name is about.
    pub fn of_order(name: &str) -> Option<Self> {
        name::of_ca_order(name).map(|name| Self(name.to_owned()))
    }

    /// The ConfigMap with the ledger.
    pub fn ledger(&self) -> String {
        name::ca_config_map(&self.0)
    }

    /// The Secret with the key in a slot.
    pub fn secret(&self, slot: Slot) -> String {
        name::ca_secret(&self.0, slot == Slot::Second)
    }

    /// The ConfigMap with what people want done.
    pub fn order(&self) -> String {
        name::ca_order(&self.0)
    }
}

impl std::fmt::Display for Chest {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(&self.0)
    }
}

/// For whom authorities are: people know them by this.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Owner {
    /// The contract's namespace.
    pub namespace: String,
    /// The contract.
    pub contract: String,
    /// The stage.
    pub stage: Stage,
}

impl Owner {
    /// What people call an authority of this number.
    pub fn common_name(&self, number: u32) -> String {
        let Self { contract, stage, .. } = self;
        match number {
            0 | 1 => format!("Comity {} {contract}", stage.lower()),
            _ => format!("Comity {} {number} {contract}", stage.lower()),
        }
    }
}

/// Which of the two Secrets holds a key.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub enum Slot {
    /// The one that the first authority was kept in.
    First,
    /// The other one.
    Second,
}

impl Slot {
    /// Both.
    pub const BOTH: [Self; 2] = [Self::First, Self::Second];

    /// The other one.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::First => Self::Second,
            Self::Second => Self::First,
        }
    }
}

/// How far an authority is in its life.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Phase {
    /// Published, and signs nothing yet.
    Prepared,
    /// Signs.
    Active,
    /// Signed, until another one took over.
    Retiring,
    /// Signed, until it was given up.
    Tainted,
    /// Taken out of what is published; its key is about to be destroyed.
    Retired,
}

impl Phase {
    /// What is thought of what it signed; `None`: verifiers aren't given it.
    pub const fn belief(self) -> Option<Belief> {
        match self {
            Self::Prepared | Self::Active | Self::Retiring => Some(Belief::Full),
            Self::Tainted => Some(Belief::GivenUp),
            Self::Retired => None,
        }
    }

    /// Whether it has a key.
    pub const fn has_key(self) -> bool {
        matches!(self, Self::Prepared | Self::Active)
    }
}

/// What is asked of the authorities of a contract's stage.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Need {
    /// How long the certificates live that are signed.
    pub ttl: SignedDuration,
    /// Until when they are needed.
    pub until: Timestamp,
}

impl Need {
    /// What satisfies both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self { ttl: self.ttl.max(other.ttl), until: self.until.max(other.until) }
    }
}

/// One authority.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// Its number: no other one of this contract and stage ever has the same.
    pub number: u32,
    /// How far it is.
    pub phase: Phase,
    /// Which Secret its key is in, while it has one.
    pub slot: Slot,
    /// Since when it is published.
    pub published_at: Timestamp,
    /// Since when it is in this phase.
    pub since: Timestamp,
    /// Until when the last certificate lives, at the latest, that it has signed. It never goes back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issued_until: Option<Timestamp>,
    /// Who made it.
    #[serde(default, skip_serializing_if = "Maker::is_comity")]
    pub maker: Maker,
    /// Its certificate.
    #[serde(with = "as_pem")]
    pub certificate: Anchor,
}

impl Entry {
    /// The same in another phase, from now on.
    #[must_use]
    pub fn now_in(self, phase: Phase, now: Timestamp) -> Self {
        Self { phase, since: now, ..self }
    }

    /// The same, which signs from now on: what is asked of it at first is written down as signed.
    #[must_use]
    pub fn signs(self, need: Need, now: Timestamp) -> Self {
        let first = rotation::later(rotation::later(now, need.ttl), need.ttl / 2);
        let issued_until = Some(first.min(self.certificate.lifetime().not_after()));
        Self { issued_until, ..self.now_in(Phase::Active, now) }
    }

    /// Whether something that it signed may live.
    pub fn lives_in_others(&self, now: Timestamp) -> bool {
        self.ends_in_others().is_some_and(|end| now < end)
    }

    /// When nothing lives any more that it signed, by any verifier's clock that isn't far behind.
    pub fn ends_in_others(&self) -> Option<Timestamp> {
        self.issued_until.map(|until| rotation::later(until, GRACE))
    }
}

/// Verifiers' clocks may be behind by this.
const GRACE: SignedDuration = SignedDuration::from_secs(5);

/// What came of an order.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Answer {
    /// The order's UID.
    pub uid: String,
    /// What was asked.
    pub action: String,
    /// Who asked.
    pub by: String,
    /// Why, in their words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// When it was answered.
    pub at: Timestamp,
    /// Whether it was done, was so already, or can't be.
    pub outcome: Outcome,
    /// In words.
    pub message: String,
}

/// How an order ended.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Outcome {
    /// It is done.
    Done,
    /// It was so already.
    Unchanged,
    /// It isn't done.
    Refused,
}

/// All that is written down.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Ledger {
    /// For whom they are.
    pub owner: Owner,
    /// The number of the last one that was made.
    pub last: u32,
    /// What is asked of them.
    pub need: Need,
    /// Those that there are, in the order in which they came.
    pub authorities: Vec<Entry>,
    /// Who makes the next one.
    #[serde(default, skip_serializing_if = "Maker::is_comity")]
    pub maker: Maker,
    /// Whether another one is to be made before its time.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub hurry: bool,
    /// The last order that was answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<Answer>,
}

impl Ledger {
    /// A ledger of one authority, which signs at once: nobody believes another one.
    pub fn first(owner: Owner, need: Need, certificate: Anchor, slot: Slot, now: Timestamp) -> Self {
        let entry = Entry {
            number: 1,
            phase: Phase::Active,
            slot,
            published_at: now,
            since: now,
            issued_until: None,
            maker: Maker::Comity,
            certificate,
        };
        let (entry, maker) = (entry.signs(need, now), Maker::Comity);
        Self { owner, last: 1, need, authorities: vec![entry], maker, hurry: false, answer: None }
    }

    /// The same of authorities that this one makes.
    #[must_use]
    pub fn made_by(mut self, maker: Maker) -> Self {
        self.maker = maker;
        self.authorities.iter_mut().for_each(|entry| entry.maker = maker);
        self
    }

    /// The ledger in a ConfigMap. One that an earlier version wrote holds one certificate, which signs.
    pub fn read(marker: &ConfigMap, owner: &Owner, need: Need, now: Timestamp) -> Option<Self> {
        let data = marker.data.as_ref()?;
        if let Some(text) = data.get(LEDGER) {
            return serde_json::from_str(text).ok();
        }
        let certificate = Anchor::parse(data.get(BUNDLE)?.as_bytes()).ok()?;
        let longest = certificate.lifetime().length() / 6;
        let end = rotation::later(now, longest).min(certificate.lifetime().not_after());
        let mut ledger = Self::first(owner.clone(), need, certificate, Slot::First, now);
        ledger.authorities.iter_mut().for_each(|entry| entry.issued_until = Some(end));
        Some(ledger)
    }

    /// The ledger in a ConfigMap, as it stands there.
    pub fn found(marker: &ConfigMap) -> Option<Self> {
        serde_json::from_str(marker.data.as_ref()?.get(LEDGER)?).ok()
    }

    /// The ConfigMap that holds it.
    pub fn kept(&self, system: &str, chest: &Chest) -> ConfigMap {
        let text = serde_json::to_string_pretty(self).unwrap_or_default();
        let data = [(BUNDLE, self.trust().pem().to_owned()), (LEDGER, text)];
        let mut metadata = self.metadata(system, chest.ledger());
        let label = (name::LABEL_AUTHORITY.to_owned(), name::LEDGER.to_owned());
        metadata.labels.get_or_insert_default().extend([label]);
        let fingerprint = self.active().map(|active| active.certificate.fingerprint());
        let annotation = fingerprint.map(|text| (name::ANNOTATION_FINGERPRINT.to_owned(), text));
        metadata.annotations.get_or_insert_default().extend(annotation);
        let data = data.map(|(key, value)| (key.to_owned(), value));
        ConfigMap { metadata, data: Some(data.into()), ..ConfigMap::default() }
    }

    /// What everything that is kept of these authorities is labelled with.
    pub fn metadata(&self, system: &str, name: String) -> ObjectMeta {
        metadata(&self.owner, system, name)
    }

    /// What verifiers are given.
    pub fn trust(&self) -> Trust {
        let believed = self.authorities.iter();
        let believed =
            believed.filter_map(|entry| Some((entry.certificate.clone(), entry.phase.belief()?))).collect();
        let issues_until = self.active().map(|active| active.certificate.lifetime().not_after());
        Trust::of(believed, issues_until)
    }

    /// The one that signs.
    pub fn active(&self) -> Option<&Entry> {
        self.in_phase(Phase::Active)
    }

    /// The next one.
    pub fn prepared(&self) -> Option<&Entry> {
        self.in_phase(Phase::Prepared)
    }

    /// The first one in a phase.
    pub fn in_phase(&self, phase: Phase) -> Option<&Entry> {
        self.authorities.iter().find(|entry| entry.phase == phase)
    }

    /// The same with one authority changed.
    #[must_use]
    pub fn with(mut self, changed: &Entry) -> Self {
        for entry in self.authorities.iter_mut().filter(|entry| entry.number == changed.number) {
            entry.clone_from(changed);
        }
        self
    }

    /// The same without an authority.
    #[must_use]
    pub fn without(mut self, number: u32) -> Self {
        self.authorities.retain(|entry| entry.number != number);
        self
    }
}

/// What everything that is kept of the authorities of an owner is labelled with.
pub fn metadata(owner: &Owner, system: &str, name: String) -> ObjectMeta {
    let Owner { namespace, contract, stage } = owner;
    let labels = [(name::LABEL_MANAGED_BY, name::MANAGED_BY), (name::LABEL_STAGE, stage.lower())];
    let labels: BTreeMap<_, _> = labels.map(|(label, value)| (label.to_owned(), value.to_owned())).into();
    let contract = (name::ANNOTATION_CONTRACT.to_owned(), format!("{namespace}/{contract}"));
    ObjectMeta {
        name: Some(name),
        namespace: Some(system.to_owned()),
        labels: Some(labels),
        annotations: Some([contract].into()),
        ..ObjectMeta::default()
    }
}

/// A certificate as the text that it is stored as.
mod as_pem {
    use serde::de::Error as _;
    use serde::{Deserialize as _, Deserializer, Serializer};

    use crate::pki::Anchor;

    pub fn serialize<S: Serializer>(anchor: &Anchor, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(anchor.pem())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Anchor, D::Error> {
        let text = String::deserialize(from)?;
        Anchor::parse(text.as_bytes()).map_err(D::Error::custom)
    }
}
