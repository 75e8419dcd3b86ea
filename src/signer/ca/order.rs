//! What people want done with the authorities of a contract's stage: a ConfigMap in Comity's own namespace,
//! which admission lets nobody write who may not rotate, and in nobody else's name.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::ledger::Chest;
use crate::api::name;

/// What is to be done.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Action {
    /// Make and publish the next one.
    Prepare,
    /// Have the next one sign; `now`: as soon as it has been published for the margin.
    Activate {
        /// Although some may not know it yet.
        now: bool,
    },
    /// Give one up, and have the next one sign.
    Taint {
        /// Which one; `None`: the one that signs.
        number: Option<u32>,
    },
    /// Take one out of what is published; `now`: although something lives that it signed.
    Retire {
        /// Which one.
        number: u32,
        /// Although something lives that it signed.
        now: bool,
    },
}

impl Action {
    /// In one word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Prepare => "prepare",
            Self::Activate { .. } => "activate",
            Self::Taint { .. } => "taint",
            Self::Retire { .. } => "retire",
        }
    }
}

/// An order.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Order {
    /// Its UID, by which its answer is known.
    pub uid: String,
    /// Who gave it.
    pub by: String,
    /// Why.
    pub reason: String,
    /// What is to be done.
    pub action: Action,
}

/// In the ConfigMap: who gives the order. Admission sees to it that this is who writes it.
const BY: &str = "by";
/// In the ConfigMap: why.
const REASON: &str = "reason";
/// In the ConfigMap: what is to be done.
const ACTION: &str = "action";
/// In the ConfigMap: with which authority.
const NUMBER: &str = "authority";
/// In the ConfigMap: whether without waiting.
const NOW: &str = "now";

impl Order {
    /// The order in a ConfigMap. What can't be read is told as the reason.
    pub fn read(found: &ConfigMap) -> Result<Self, String> {
        let part = |key: &str| found.data.as_ref().and_then(|data| data.get(key)).map(String::as_str);
        let number = part(NUMBER).map(|text| text.parse().map_err(|_discarded| wrong(NUMBER))).transpose()?;
        let now = match part(NOW) {
            None | Some("false") => false,
            Some("true") => true,
            Some(_) => return Err(wrong(NOW)),
        };
        let action = match part(ACTION) {
            Some("prepare") => Action::Prepare,
            Some("activate") => Action::Activate { now },
            Some("taint") => Action::Taint { number },
            Some("retire") => Action::Retire { number: number.ok_or_else(|| wrong(NUMBER))?, now },
            _ => return Err(wrong(ACTION)),
        };
        let text = |key| part(key).unwrap_or_default().to_owned();
        let uid = found.metadata.uid.clone().unwrap_or_default();
        Ok(Self { uid, by: text(BY), reason: text(REASON), action })
    }

    /// The ConfigMap that gives it.
    pub fn written(&self, system: &str, chest: &Chest) -> ConfigMap {
        let mut data = vec![(BY, self.by.clone()), (REASON, self.reason.clone())];
        data.push((ACTION, self.action.word().to_owned()));
        let (number, now) = match self.action {
            Action::Prepare => (None, false),
            Action::Activate { now } => (None, now),
            Action::Taint { number } => (number, false),
            Action::Retire { number, now } => (Some(number), now),
        };
        data.extend(number.map(|number| (NUMBER, number.to_string())));
        data.extend(now.then(|| (NOW, now.to_string())));
        let label = (name::LABEL_AUTHORITY.to_owned(), name::ORDER.to_owned());
        ConfigMap {
            metadata: ObjectMeta {
                name: Some(chest.order()),
                namespace: Some(system.to_owned()),
                labels: Some([label].into()),
                ..ObjectMeta::default()
            },
            data: Some(data.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()),
            ..ConfigMap::default()
        }
    }
}

fn wrong(key: &str) -> String {
    format!("what the order says under {key} can't be read")
}

/// An order as it was found, or why it can't be read.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Found {
    /// The object's UID.
    pub uid: String,
    /// When it was given, by the API server's clock.
    pub given: Option<Timestamp>,
    /// What it says.
    pub said: Result<Order, String>,
}

impl From<&ConfigMap> for Found {
    fn from(found: &ConfigMap) -> Self {
        let given = found.metadata.creation_timestamp.as_ref().map(|given| given.0);
        Self { uid: found.metadata.uid.clone().unwrap_or_default(), given, said: Order::read(found) }
    }
}
