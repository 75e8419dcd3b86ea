//! The records that stand, by grant. Fed by a watch, and at once by what was just appended.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, PoisonError, RwLock};

use crate::api::name;
use crate::api::record::{GrantIdentity, GrantRecordSpec, RecordEvent};
use crate::journal::{Broken, Journal};

/// A grant: the namespace that it and its records are in, and its UID. A record elsewhere, or under
/// another name than its number gives it, is no line of its journal, whoever wrote it.
type Owner = (String, String);

/// The records of one grant, by number.
type Lines = BTreeMap<i64, Arc<GrantRecordSpec>>;

/// The records that stand, by their grant.
#[derive(Debug, Default)]
pub struct Records {
    lines: RwLock<HashMap<Owner, Lines>>,
    told: RwLock<Option<HashSet<(Owner, i64)>>>,
}

impl Records {
    /// What the records of this grant say.
    pub fn journal(&self, namespace: &str, grant_uid: &str) -> Result<Journal, Broken> {
        let lines = self.lines.read().unwrap_or_else(PoisonError::into_inner);
        match lines.get(&(namespace.to_owned(), grant_uid.to_owned())) {
            Some(records) => Journal::fold(records.values().map(AsRef::as_ref)),
            None => Ok(Journal::empty()),
        }
    }

    /// Whether anything was ever written of this grant.
    pub fn has_any(&self, namespace: &str, grant_uid: &str) -> bool {
        let owner = (namespace.to_owned(), grant_uid.to_owned());
        self.lines.read().unwrap_or_else(PoisonError::into_inner).contains_key(&owner)
    }

    /// The grants whose journal doesn't end: UID, name and namespace of each.
    pub fn unended(&self) -> Vec<(String, String, String)> {
        let lines = self.lines.read().unwrap_or_else(PoisonError::into_inner);
        let last = lines.iter().filter_map(|(owner, records)| Some((owner, records.values().next_back()?)));
        last.filter(|(_, record)| record.event != RecordEvent::Ended)
            .map(|((namespace, uid), record)| (uid.clone(), record.grant.name.0.clone(), namespace.clone()))
            .collect()
    }

    /// Takes a record called `name` of a grant in `namespace`.
    pub fn put(&self, namespace: &str, name: &str, record: GrantRecordSpec) {
        let Some(owner) = owner(namespace, name, &record) else { return };
        let sequence = record.sequence;
        if let Some(told) = self.told.write().unwrap_or_else(PoisonError::into_inner).as_mut() {
            told.insert((owner.clone(), sequence));
        }
        let mut lines = self.lines.write().unwrap_or_else(PoisonError::into_inner);
        lines.entry(owner).or_default().insert(sequence, Arc::new(record));
    }

    /// Takes that a record is gone.
    pub fn remove(&self, namespace: &str, name: &str, record: &GrantRecordSpec) {
        let Some(owner) = owner(namespace, name, record) else { return };
        let mut lines = self.lines.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(records) = lines.get_mut(&owner) {
            records.remove(&record.sequence);
        }
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
        for (owner, records) in lines.iter_mut() {
            let is_there = |sequence: i64| told.contains(&(owner.clone(), sequence));
            if let Some((_, lost)) = records.iter().find(|(sequence, _)| !is_there(**sequence)) {
                poorer.push((owner.0.clone(), lost.grant.clone()));
                records.retain(|sequence, _| is_there(*sequence));
            }
        }
        lines.retain(|_, records| !records.is_empty());
        poorer
    }
}

/// Whose line a record is; `None` where it isn't called as a line of that number is, of which the
/// API server keeps one.
fn owner(namespace: &str, name: &str, record: &GrantRecordSpec) -> Option<Owner> {
    let uid = &record.grant.uid.0;
    (name == name::record(uid, record.sequence)).then(|| (namespace.to_owned(), uid.clone()))
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

    use super::*;
    use crate::journal::append::{Entry, next_record};

    #[test]
    fn a_line_is_known_by_its_name_and_place_and_nothing_else_replaces_it() {
        let records = Records::default();
        let grant = crate::api::record::GrantIdentity { name: "g".into(), uid: "uid".into() };
        let entry = Entry::of_grant(RecordEvent::Requested, None, "");
        let line = next_record(&Journal::empty(), &entry, &grant, None, jiff::Timestamp::UNIX_EPOCH);
        let forged = GrantRecordSpec { at: Time(jiff::Timestamp::MAX), ..line.clone() };
        let name = name::record("uid", 1);
        records.put("home", &name, line.clone());
        let genuine = records.journal("home", "uid");
        records.put("elsewhere", &name, forged.clone());
        records.put("home", "another-name", forged.clone());
        assert_eq!(records.journal("home", "uid"), genuine);
        records.remove("elsewhere", &name, &forged);
        records.remove("home", "another-name", &forged);
        assert_eq!(records.journal("home", "uid"), genuine, "nor takes it away");
        assert!(!records.has_any("nowhere", "uid"));
    }

    #[test]
    fn a_relist_tells_whose_lines_are_gone() {
        let records = Records::default();
        let entry = Entry::of_grant(RecordEvent::Requested, None, "");
        let line = |uid: &str| {
            let grant = crate::api::record::GrantIdentity { name: "g".into(), uid: uid.into() };
            next_record(&Journal::empty(), &entry, &grant, None, jiff::Timestamp::UNIX_EPOCH)
        };
        let put = |uid: &str| records.put("home", &name::record(uid, 1), line(uid));
        put("kept");
        put("lost");
        records.begin();
        put("kept");
        let told: Vec<_> = records.end().into_iter().map(|(home, grant)| (home, grant.uid.0)).collect();
        assert_eq!(told, [("home".to_owned(), "lost".to_owned())]);
        assert!(records.has_any("home", "kept") && !records.has_any("home", "lost"));
        records.begin();
        put("kept");
        assert!(records.end().is_empty());
    }
}
