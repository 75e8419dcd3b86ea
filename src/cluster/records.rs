//! The records that stand, by grant. Fed by a watch, and at once by what was just appended.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, PoisonError, RwLock};

use crate::api::record::{GrantRecordSpec, RecordEvent};
use crate::journal::{Broken, Journal};

/// The records of one grant, by number.
type Lines = BTreeMap<i64, Arc<GrantRecordSpec>>;

/// The records that stand, by their grant's UID.
#[derive(Debug, Default)]
pub struct Records {
    lines: RwLock<HashMap<String, Lines>>,
    /// The namespace that each grant's records are in.
    places: RwLock<HashMap<String, String>>,
    told: RwLock<Option<HashSet<(String, i64)>>>,
}

impl Records {
    /// What the records of this grant say.
    pub fn journal(&self, grant_uid: &str) -> Result<Journal, Broken> {
        let lines = self.lines.read().unwrap_or_else(PoisonError::into_inner);
        match lines.get(grant_uid) {
            Some(records) => Journal::fold(records.values().map(AsRef::as_ref)),
            None => Ok(Journal::empty()),
        }
    }

    /// Whether anything was ever written of this grant.
    pub fn has_any(&self, grant_uid: &str) -> bool {
        self.lines.read().unwrap_or_else(PoisonError::into_inner).contains_key(grant_uid)
    }

    /// The grants whose journal doesn't end: UID, name and namespace of each.
    pub fn unended(&self) -> Vec<(String, String, String)> {
        let lines = self.lines.read().unwrap_or_else(PoisonError::into_inner);
        let places = self.places.read().unwrap_or_else(PoisonError::into_inner);
        let last = lines.iter().filter_map(|(uid, records)| Some((uid, records.values().next_back()?)));
        last.filter(|(_, record)| record.event != RecordEvent::Ended)
            .map(|(uid, record)| {
                (uid.clone(), record.grant.name.0.clone(), places.get(uid).cloned().unwrap_or_default())
            })
            .collect()
    }

    /// Takes a record of a grant in `namespace`.
    pub fn put(&self, namespace: &str, record: GrantRecordSpec) {
        let place = (record.grant.uid.0.clone(), record.sequence);
        if let Some(told) = self.told.write().unwrap_or_else(PoisonError::into_inner).as_mut() {
            told.insert(place.clone());
        }
        let mut places = self.places.write().unwrap_or_else(PoisonError::into_inner);
        places.entry(place.0.clone()).or_insert_with(|| namespace.to_owned());
        drop(places);
        let mut lines = self.lines.write().unwrap_or_else(PoisonError::into_inner);
        lines.entry(place.0).or_default().insert(place.1, Arc::new(record));
    }

    /// Takes that a record is gone.
    pub fn remove(&self, record: &GrantRecordSpec) {
        let mut lines = self.lines.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(records) = lines.get_mut(&record.grant.uid.0) {
            records.remove(&record.sequence);
        }
    }

    /// A watch begins to tell of all records anew.
    pub fn begin(&self) {
        *self.told.write().unwrap_or_else(PoisonError::into_inner) = Some(HashSet::new());
    }

    /// A watch has told of all records: what it didn't tell of is gone.
    pub fn end(&self) {
        let Some(told) = self.told.write().unwrap_or_else(PoisonError::into_inner).take() else { return };
        let mut lines = self.lines.write().unwrap_or_else(PoisonError::into_inner);
        for (uid, records) in lines.iter_mut() {
            records.retain(|sequence, _| told.contains(&(uid.clone(), *sequence)));
        }
        lines.retain(|_, records| !records.is_empty());
        self.places.write().unwrap_or_else(PoisonError::into_inner).retain(|uid, _| lines.contains_key(uid));
    }
}
