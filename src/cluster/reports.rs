//! What rehearsals showed, as a watch tells: of each report the few words that the journal takes of it,
//! and not its cases, of which there may be hundreds.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use kube::ResourceExt as _;

use super::concern::Concerned;
use crate::api::RehearsalReport;
use crate::journal::rehearsal::Told;

/// Every report, by its namespace and name.
#[derive(Debug, Default)]
pub struct Reports(RwLock<HashMap<(String, String), Told>>);

impl Reports {
    /// The report of this name, if there is one.
    pub fn report(&self, namespace: &str, name: &str) -> Option<Told> {
        let reports = self.0.read().unwrap_or_else(PoisonError::into_inner);
        reports.get(&(namespace.to_owned(), name.to_owned())).cloned()
    }

    /// Takes a report that there is.
    pub fn put(&self, report: &RehearsalReport) {
        let (key, told) = (key(report), Told::of(report));
        let mut reports = self.0.write().unwrap_or_else(PoisonError::into_inner);
        match told {
            Some(told) => reports.insert(key, told),
            None => reports.remove(&key),
        };
    }

    /// Takes that a report is gone.
    pub fn remove(&self, key: &(String, String)) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).remove(key);
    }
}

/// By what a report is known.
pub fn key(report: &RehearsalReport) -> (String, String) {
    (report.namespace().unwrap_or_default(), report.name_any())
}

impl Concerned {
    /// A report concerns the grant that was rehearsed.
    pub fn report(&self, report: &RehearsalReport) {
        self.grant(&report.spec.grant.name.0, &report.namespace().unwrap_or_default());
    }
}
