//! The records that stand, by grant. Fed by a watch, and at once by what was just appended.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::{Arc, PoisonError, RwLock};

use jiff::Timestamp;
use kube::ResourceExt as _;

use crate::api::effective::EffectivePolicy;
use crate::api::record::{GrantIdentity, GrantRecordSpec, RecordEvent};
use crate::api::{PartnerGrant, name};
use crate::journal::{Broken, Journal, Opening};

/// A grant: the namespace that it and its records are in, and its UID. A record elsewhere, or under
/// another name than its number gives it, is no line of its journal, whoever wrote it.
type Owner = (String, String);

/// A record, in little room.
#[derive(Debug)]
struct Line {
    at: Timestamp,
    event: RecordEvent,
    /// The record without its policy, as JSON.
    rest: Box<str>,
    /// Its policy, which the journal has too: it is long, and kept once.
    policy: Option<Arc<EffectivePolicy>>,
}

impl Line {
    /// The record without its policy. `None` can't be: what is kept was a record.
    fn rest(&self) -> Option<GrantRecordSpec> {
        serde_json::from_str(&self.rest).ok()
    }

    /// The record.
    fn whole(&self) -> Option<GrantRecordSpec> {
        Some(GrantRecordSpec { policy: self.policy.as_deref().cloned(), ..self.rest()? })
    }
}

/// The records of one grant, and what they say.
#[derive(Debug)]
struct Lines {
    /// By number.
    records: BTreeMap<i64, Line>,
    /// The numbers of those that can't be read. The journal doesn't hold while there are any: what
    /// they say may end what the others open.
    unreadable: BTreeSet<i64>,
    /// All of them folded: a journal is asked for far more often than it grows.
    folded: Result<Journal, Broken>,
}

impl Default for Lines {
    fn default() -> Self {
        Self { records: BTreeMap::new(), unreadable: BTreeSet::new(), folded: Ok(Journal::empty()) }
    }
}

impl Lines {
    /// Takes a record: where it is the next one, by itself, else all are folded anew. Whether it is
    /// news: what was just written is known when a watch tells of it.
    fn put(&mut self, mut record: GrantRecordSpec) -> bool {
        let policy = record.policy.take();
        let rest = serde_json::to_string(&record).unwrap_or_default().into_boxed_str();
        let (sequence, at, event) = (record.sequence, record.at.0, record.event);
        let was_unreadable = self.unreadable.remove(&sequence);
        let known = self.records.get(&sequence);
        if known.is_some_and(|known| known.rest == rest && known.policy.as_deref() == policy.as_ref()) {
            return false;
        }
        let is_newest = self.records.last_key_value().is_none_or(|(last, _)| *last < sequence);
        record.policy = policy;
        let taken = match &mut self.folded {
            Ok(journal) if is_newest && !was_unreadable => journal.take(&record).is_ok(),
            _ => false,
        };
        let policy = record.policy.map(|policy| self.shared(Arc::new(policy)));
        self.records.insert(sequence, Line { at, event, rest, policy });
        if !taken {
            self.fold();
        }
        true
    }

    /// Keeps the records of which `keep` says so. The grant that lost some, if it did.
    fn retain(&mut self, keep: impl Fn(i64) -> bool) -> Option<GrantIdentity> {
        let had_unreadable = self.unreadable.len();
        self.unreadable.retain(|sequence| keep(*sequence));
        let lost = self.records.iter().find(|(sequence, _)| !keep(**sequence));
        let lost = lost.map(|(_, line)| line.rest()).or_else(|| {
            let is_poorer = self.unreadable.len() < had_unreadable;
            is_poorer.then(|| self.records.values().next().and_then(Line::rest))
        })?;
        self.records.retain(|sequence, _| keep(*sequence));
        self.fold();
        Some(lost?.grant)
    }

    /// Takes that a record can't be read. Whether it is news.
    fn spoil(&mut self, sequence: i64) -> bool {
        let is_news = self.unreadable.insert(sequence);
        self.records.remove(&sequence);
        self.fold();
        is_news
    }

    fn fold(&mut self) {
        let records: Vec<GrantRecordSpec> = self.records.values().filter_map(Line::whole).collect();
        let first_unreadable = self.unreadable.first();
        self.folded = first_unreadable
            .map_or_else(|| Journal::fold(&records), |number| Err(Broken::Unreadable { sequence: *number }));
        let mut records = std::mem::take(&mut self.records);
        for line in records.values_mut() {
            line.policy = line.policy.take().map(|policy| self.shared(policy));
        }
        self.records = records;
    }

    /// This policy as the journal has it, if it does.
    fn shared(&self, policy: Arc<EffectivePolicy>) -> Arc<EffectivePolicy> {
        let openings = self.folded.iter().flat_map(|journal| &journal.openings);
        let mut known = openings.map(|opening| &opening.policy).filter(|known| **known == policy);
        known.next().map_or(policy, Arc::clone)
    }
}

/// The records that stand, by the namespace and the UID of their grant.
#[derive(Debug, Default)]
pub struct Records {
    lines: RwLock<HashMap<String, HashMap<String, Lines>>>,
    told: RwLock<Option<HashSet<(Owner, i64)>>>,
}

impl Records {
    /// What the records of this grant say.
    pub fn journal(&self, namespace: &str, grant_uid: &str) -> Result<Journal, Broken> {
        let lines = self.lines.read().unwrap_or_else(PoisonError::into_inner);
        let lines = lines.get(namespace).and_then(|lines| lines.get(grant_uid));
        lines.map_or_else(|| Ok(Journal::empty()), |lines| lines.folded.clone())
    }

    /// The records of this grant, in the order of their numbers.
    pub fn of_grant(&self, namespace: &str, grant_uid: &str) -> Vec<GrantRecordSpec> {
        let lines = self.lines.read().unwrap_or_else(PoisonError::into_inner);
        let lines = lines.get(namespace).and_then(|lines| lines.get(grant_uid));
        lines.into_iter().flat_map(|lines| lines.records.values()).filter_map(Line::whole).collect()
    }

    /// The time of the first record of a grant whose journal doesn't end; `None` where there is no
    /// record, or where it ends. Says nothing of whether the journal holds.
    pub fn live_since(&self, namespace: &str, grant_uid: &str) -> Option<Timestamp> {
        let lines = self.lines.read().unwrap_or_else(PoisonError::into_inner);
        let mut records = lines.get(namespace)?.get(grant_uid)?.records.values();
        let first = records.next()?;
        let last = records.next_back().unwrap_or(first);
        (last.event != RecordEvent::Ended).then_some(first.at)
    }

    /// Whether another grant was opened before in the same namespace, for the same partner, contract
    /// and purpose.
    pub fn has_another(&self, grant: &PartnerGrant) -> bool {
        let (own, namespace) = (grant.uid().unwrap_or_default(), grant.namespace().unwrap_or_default());
        let spec = &grant.spec;
        let is_same = |opening: &Opening| {
            let policy = &opening.policy;
            (&policy.partner, &policy.contract, &policy.purpose)
                == (&spec.partner_ref.name, &spec.contract_ref.name, &spec.purpose)
        };
        let lines = self.lines.read().unwrap_or_else(PoisonError::into_inner);
        let others = lines.get(&namespace).into_iter().flatten().filter(|(uid, _)| **uid != own);
        others.into_iter().any(|(_, lines)| match &lines.folded {
            Ok(journal) => journal.openings.iter().any(is_same),
            // What can't be read may have been the same.
            Err(_) => true,
        })
    }

    /// The grants whose journal doesn't end: UID, name and namespace of each.
    pub fn unended(&self) -> Vec<(String, String, String)> {
        let lines = self.lines.read().unwrap_or_else(PoisonError::into_inner);
        let all =
            lines.iter().flat_map(|(home, grants)| grants.iter().map(move |(uid, own)| (home, uid, own)));
        let last =
            all.filter_map(|(home, uid, lines)| Some((home, uid, lines.records.values().next_back()?)));
        last.filter(|(.., line)| line.event != RecordEvent::Ended)
            .filter_map(|(home, uid, line)| Some((uid.clone(), line.rest()?.grant.name.0, home.clone())))
            .collect()
    }

    /// Takes a record called `name` of a grant in `namespace`. Whether it is news.
    pub fn put(&self, namespace: &str, name: &str, record: GrantRecordSpec) -> bool {
        let Some(owner) = owner(namespace, name, &record) else { return false };
        if let Some(told) = self.told.write().unwrap_or_else(PoisonError::into_inner).as_mut() {
            told.insert((owner.clone(), record.sequence));
        }
        let mut lines = self.lines.write().unwrap_or_else(PoisonError::into_inner);
        let (namespace, uid) = owner;
        lines.entry(namespace).or_default().entry(uid).or_default().put(record)
    }

    /// Takes that a record is gone.
    pub fn remove(&self, namespace: &str, name: &str, record: &GrantRecordSpec) {
        let Some((namespace, uid)) = owner(namespace, name, record) else { return };
        let mut lines = self.lines.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(lines) = lines.get_mut(&namespace).and_then(|lines| lines.get_mut(&uid)) {
            lines.retain(|sequence| sequence != record.sequence);
        }
    }

    /// Takes that the record called `name` can't be read. The UID of its grant, if that is news.
    pub fn spoil(&self, namespace: &str, name: &str) -> Option<String> {
        let (uid, sequence) = line_called(name)?;
        let owner = (namespace.to_owned(), uid.clone());
        if let Some(told) = self.told.write().unwrap_or_else(PoisonError::into_inner).as_mut() {
            told.insert((owner, sequence));
        }
        let mut lines = self.lines.write().unwrap_or_else(PoisonError::into_inner);
        let grants = lines.entry(namespace.to_owned()).or_default();
        grants.entry(uid.clone()).or_default().spoil(sequence).then_some(uid)
    }

    /// Takes that the record called `name`, which couldn't be read, is gone. The UID of its grant.
    pub fn forget(&self, namespace: &str, name: &str) -> Option<String> {
        let (uid, sequence) = line_called(name)?;
        let mut lines = self.lines.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(lines) = lines.get_mut(namespace).and_then(|lines| lines.get_mut(&uid)) {
            lines.retain(|number| number != sequence);
        }
        Some(uid)
    }

    /// A watch begins to tell of all records anew.
    pub fn begin(&self) {
        *self.told.write().unwrap_or_else(PoisonError::into_inner) = Some(HashSet::new());
    }

    /// A watch has told of all records: what it didn't tell of is gone. Gives the grants that lost
    /// some of theirs, with their namespaces.
    pub fn end(&self) -> Vec<(String, GrantIdentity)> {
        let told = self.told.write().unwrap_or_else(PoisonError::into_inner).take();
        let Some(told) = told else { return Vec::new() };
        let mut lines = self.lines.write().unwrap_or_else(PoisonError::into_inner);
        let mut poorer = Vec::new();
        for (namespace, grants) in lines.iter_mut() {
            for (uid, lines) in grants.iter_mut() {
                let owner = (namespace.clone(), uid.clone());
                let lost = lines.retain(|sequence| told.contains(&(owner.clone(), sequence)));
                poorer.extend(lost.map(|grant| (namespace.clone(), grant)));
            }
            grants.retain(|_, lines| !lines.records.is_empty() || !lines.unreadable.is_empty());
        }
        lines.retain(|_, grants| !grants.is_empty());
        poorer
    }
}

/// Whose line a record is; `None` where it isn't called as a line of that number is, of which the
/// API server keeps one.
fn owner(namespace: &str, name: &str, record: &GrantRecordSpec) -> Option<Owner> {
    let uid = &record.grant.uid.0;
    (name == name::record(uid, record.sequence)).then(|| (namespace.to_owned(), uid.clone()))
}

/// The UID of the grant whose line a record of this name is, and its number.
fn line_called(name: &str) -> Option<(String, i64)> {
    let (uid, number) = name.rsplit_once('-')?;
    let sequence = number.parse().ok()?;
    (name == name::record(uid, sequence)).then(|| (uid.to_owned(), sequence))
}

#[cfg(test)]
mod tests;
