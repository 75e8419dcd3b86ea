//! Which of Comity's own admission policies stand, as far as the watches have told. They are
//! written by whoever installs Comity; here they are only looked at.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::Value;

use crate::generate::admission::force::{Part, PartName, Required};

/// Comity's own admission policies.
#[derive(Debug, Default)]
pub struct Admission {
    required: Required,
    told: Mutex<Told>,
}

/// What the watches have told.
#[derive(Debug, Default)]
struct Told {
    /// What stands, and whether it says what it has to say.
    standing: BTreeMap<PartName, bool>,
    /// What a watch that tells of everything anew has told so far.
    relisted: BTreeMap<Part, BTreeSet<String>>,
    /// What isn't in force by that, kept since every pass asks.
    lacking: Option<String>,
}

impl Admission {
    /// Those of a Comity in the namespace `system`. By default none is required.
    pub fn of(system: &str) -> Self {
        let admission = Self { required: Required::of(system), told: Mutex::default() };
        admission.changed(&mut admission.told());
        admission
    }

    /// Whether there is anything to watch.
    pub fn is_required(&self) -> bool {
        !self.required.is_empty()
    }

    /// What isn't in force, if anything.
    pub fn lacking(&self) -> Option<String> {
        self.told().lacking.clone()
    }

    /// Takes an object; tells whether that matters.
    pub fn put(&self, part: Part, name: &str, object: &Value) -> bool {
        let key = (part, name.to_owned());
        let Some(is_met) = self.required.is_met(&key, object) else { return false };
        let mut told = self.told();
        if let Some(names) = told.relisted.get_mut(&part) {
            names.insert(key.1.clone());
        }
        let is_news = told.standing.insert(key, is_met) != Some(is_met);
        is_news && self.changed(&mut told)
    }

    /// Takes that an object is gone; tells whether that matters.
    pub fn remove(&self, part: Part, name: &str) -> bool {
        let mut told = self.told();
        told.standing.remove(&(part, name.to_owned())).is_some() && self.changed(&mut told)
    }

    /// A watch begins to tell of all objects of a kind anew. Until it has, the old ones stand.
    pub fn begin(&self, part: Part) {
        self.told().relisted.insert(part, BTreeSet::new());
    }

    /// A watch has told of all objects of a kind: what it didn't tell of is gone. Tells whether
    /// that matters.
    pub fn end(&self, part: Part) -> bool {
        let mut told = self.told();
        let Some(names) = told.relisted.remove(&part) else { return false };
        let before = told.standing.len();
        told.standing.retain(|(kind, name), _| *kind != part || names.contains(name));
        told.standing.len() < before && self.changed(&mut told)
    }

    /// Works out what isn't in force; tells whether that is something else than before.
    fn changed(&self, told: &mut Told) -> bool {
        let before = told.lacking.take();
        told.lacking = self.required.lacking(&told.standing);
        before != told.lacking
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate::admission::objects;

    fn filled() -> Admission {
        let admission = Admission::of("comity-system");
        assert!(admission.lacking().is_some(), "before anything is told nothing is in force");
        for object in objects("comity-system") {
            let part = Part::ALL.into_iter().find(|part| object["kind"] == part.kind());
            let Some(part) = part else { continue };
            admission.put(part, object["metadata"]["name"].as_str().unwrap(), &object);
            assert!(!admission.put(part, object["metadata"]["name"].as_str().unwrap(), &object), "no news");
        }
        admission
    }

    #[test]
    fn what_is_deleted_is_lacking_also_where_no_watch_told_of_it() {
        let admission = filled();
        assert_eq!(admission.lacking(), None);
        assert!(admission.remove(Part::Binding, "comity-pods"));
        assert!(admission.lacking().unwrap().ends_with("comity-pods"));
        let admission = filled();
        admission.begin(Part::Policy);
        assert_eq!(admission.lacking(), None, "the old ones stand meanwhile");
        assert!(admission.end(Part::Policy));
        assert!(admission.lacking().is_some());
        assert_eq!(Admission::default().lacking(), None);
    }
}
