//! What has been seen of the grant so far. Pure: watches tell it, and everything that is shown or
//! proven is asked of it.

use std::collections::{BTreeMap, BTreeSet};

use comity::{
    api::{
        grant::PartnerGrant,
        name,
        record::{GrantRecord, GrantRecordSpec, RecordEvent},
        stage::Stage,
    },
    journal::{Broken, Journal, Opening},
};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::ObjectMeta;

use super::{certificate::Certificate, words};
use crate::Result;

/// What has been seen.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// The grant, as it stands.
    pub(super) grant: Option<PartnerGrant>,
    /// Its journal by the lines' numbers, each with the version of the store that it came with.
    pub(super) records: BTreeMap<i64, (u64, GrantRecordSpec)>,
    /// Everything that was made and taken away, as it was seen.
    pub(super) changes: Vec<Change>,
    /// Every certificate that was published.
    pub(super) certificates: Vec<Published>,
    /// The objects that are there now, by UID, as they were made.
    present: BTreeMap<String, Change>,
    /// Namespaces that let pods in, by UID.
    letting: BTreeSet<String>,
}

/// Something that happened to an object of a stage.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Change {
    /// Of which stage it is.
    pub(super) stage: Stage,
    /// The version of the store at which it happened: one counter for all objects.
    pub(super) version: u64,
    /// What happened.
    pub(super) deed: Deed,
    /// To what, for people.
    pub(super) what: String,
}

/// What happens to an object.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Deed {
    /// It was made, or pods were let in.
    Made,
    /// It was taken away, or pods were shut out.
    Taken,
}

/// A certificate, with what was published along with it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Published {
    /// Of which stage.
    pub(super) stage: Stage,
    /// The certificate.
    pub(super) certificate: Certificate,
    /// What its verifiers get, in PEM.
    pub(super) anchor: String,
}

impl Seen {
    /// A line of the journal; what it says, where it is new.
    pub(super) fn record(&mut self, record: &GrantRecord) -> Option<String> {
        let spec = record.spec.clone();
        let told = tell(&spec);
        let known = self.records.insert(spec.sequence, (version(&record.metadata), spec));
        known.is_none().then_some(told)
    }

    /// An object of a stage as it stands now.
    pub(super) fn object(&mut self, kind: &str, metadata: &ObjectMeta) {
        let (Some(stage), Some(uid)) = (stage_of(metadata), metadata.uid.clone()) else { return };
        let change = |deed, what| Change { stage, version: version(metadata), deed, what };
        if !self.present.contains_key(&uid) {
            let made = change(Deed::Made, describe(kind, metadata));
            self.changes.push(made.clone());
            self.present.insert(uid.clone(), made);
        }
        let labels = metadata.labels.as_ref();
        let pods = labels.and_then(|labels| labels.get(name::LABEL_PODS));
        if pods.is_some_and(|pods| pods == name::PODS_OPEN) {
            if self.letting.insert(uid) {
                self.changes.push(change(Deed::Made, "pods let in".to_owned()));
            }
        } else if self.letting.remove(&uid) {
            self.changes.push(change(Deed::Taken, "pods shut out".to_owned()));
        }
    }

    /// An object of a stage that is gone.
    pub(super) fn gone(&mut self, kind: &str, metadata: &ObjectMeta) {
        let made = metadata.uid.as_ref().and_then(|uid| self.present.remove(uid));
        let Some(Change { stage, .. }) = made else { return };
        let (version, what) = (version(metadata), describe(kind, metadata));
        self.changes.push(Change { stage, version, deed: Deed::Taken, what });
    }

    /// What was published in a stage's namespace; what is new in it.
    pub(super) fn published(&mut self, trust: &ConfigMap) -> Result<Vec<Published>> {
        let Some(stage) = stage_of(&trust.metadata) else { return Ok(Vec::new()) };
        let mut new = Vec::new();
        let data = trust.data.clone().unwrap_or_default();
        let Some(anchor) = data.get("ca.crt") else { return Ok(new) };
        for (key, chain) in data.iter().filter(|(key, _)| *key != "ca.crt") {
            if key == name::TRUST_REFUSED {
                continue;
            }
            let published =
                Published { stage, certificate: Certificate::parse(chain)?, anchor: anchor.clone() };
            if !self.certificates.contains(&published) {
                self.certificates.push(published.clone());
                new.push(published);
            }
        }
        Ok(new)
    }

    /// What the journal says, its chain checked.
    pub(super) fn journal(&self) -> Result<Journal, Broken> {
        Journal::fold(self.records.values().map(|(_, record)| record))
    }

    /// The opening of a stage, if it was opened.
    pub(super) fn opening(&self, stage: Stage) -> Option<Opening> {
        self.journal().ok()?.openings.into_iter().find(|opening| opening.stage == stage)
    }

    /// The version at which the end of a stage was recorded.
    pub(super) fn recorded(&self, stage: Stage) -> Option<u64> {
        let opened =
            |record: &GrantRecordSpec| record.event == RecordEvent::Opened && record.stage == Some(stage);
        self.records.values().find(|(_, record)| opened(record)).map(|(version, _)| *version)
    }

    /// How many objects of a stage are there now.
    pub(super) fn count(&self, stage: Stage) -> usize {
        self.present.values().filter(|made| made.stage == stage).count()
    }

    /// The objects of a stage that are there now, in the order in which they were made.
    pub(super) fn standing(&self, stage: Stage) -> Vec<&Change> {
        let mut standing: Vec<&Change> = self.present.values().filter(|made| made.stage == stage).collect();
        standing.sort_by_key(|made| made.version);
        standing
    }

    /// Whether pods are let into a stage's namespace.
    pub(super) fn lets_pods_in(&self, stage: Stage) -> bool {
        self.letting.iter().any(|uid| self.present.get(uid).is_some_and(|made| made.stage == stage))
    }

    /// What was taken away of a stage since the last of it was made, in that order.
    pub(super) fn taken_at_last(&self, stage: Stage) -> Vec<&Change> {
        let made = self.deeds(stage, Deed::Made).last().map_or(0, |change| change.version);
        let mut taken = self.deeds(stage, Deed::Taken);
        taken.retain(|change| change.version > made);
        taken
    }

    /// What was done to a stage, in the order in which the store took it.
    pub(super) fn deeds(&self, stage: Stage, deed: Deed) -> Vec<&Change> {
        let wanted = |change: &&Change| change.stage == stage && change.deed == deed;
        let mut changes: Vec<&Change> = self.changes.iter().filter(wanted).collect();
        changes.sort_by_key(|change| change.version);
        changes
    }
}

/// Objects in their order, for people; those alike and next to each other are counted.
pub(super) fn in_order(changes: &[&Change]) -> String {
    words::in_order(changes.iter().map(|change| change.what.clone()), " → ")
}

/// A line of the journal, for people.
pub(super) fn tell(record: &GrantRecordSpec) -> String {
    let stage = record.stage.map(|stage| format!("{stage} ")).unwrap_or_default();
    let event = format!("{:?}", record.event).to_lowercase();
    let reason = record.reason.map(|reason| format!(" ({reason:?})")).unwrap_or_default();
    let end = record.expires_at.as_ref().map(|end| end.0.strftime("%H:%M:%SZ"));
    let end = end.map(|end| format!(", ends at {end} whatever happens")).unwrap_or_default();
    format!("journal #{}: {stage}{event}{reason}{end}", record.sequence)
}

/// Which stage an object is of, by its label.
fn stage_of(metadata: &ObjectMeta) -> Option<Stage> {
    let label = metadata.labels.as_ref()?.get(name::LABEL_STAGE)?;
    Stage::ALL.into_iter().find(|stage| stage.lower() == label)
}

/// The version of the store at which an object was last written.
fn version(metadata: &ObjectMeta) -> u64 {
    metadata.resource_version.as_ref().and_then(|version| version.parse().ok()).unwrap_or_default()
}

/// An object, for people: its kind, and its name where that says more.
fn describe(kind: &str, metadata: &ObjectMeta) -> String {
    let name = metadata.name.as_deref().unwrap_or_default();
    let ours = metadata.namespace.as_deref().is_none_or(|at| at.starts_with(name::NAMESPACE_PREFIX));
    match kind {
        _ if !ours => format!("{kind} in {}", metadata.namespace.as_deref().unwrap_or_default()),
        "RoleBinding" | "ServiceAccount" | "Secret" | "ConfigMap" => format!("{kind} {name}"),
        _ => kind.to_owned(),
    }
}

#[cfg(test)]
#[path = "seen_tests.rs"]
mod tests;
