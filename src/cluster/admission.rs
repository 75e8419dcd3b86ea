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
    stamps: Required,
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
    /// What doesn't stamp by that.
    unstamped: Option<String>,
}

impl Admission {
    /// Those of a Comity in the namespace `system`. By default none is required.
    pub fn of(system: &str) -> Self {
        let (required, stamps) = (Required::of(system), Required::default());
        let admission = Self { required, stamps, told: Mutex::default() };
        admission.changed(&mut admission.told());
        admission
    }

    /// The same where the API server can stamp.
    #[must_use]
    pub fn with_stamps(self, system: &str) -> Self {
        let admission = Self { stamps: Required::stamps(system), ..self };
        admission.changed(&mut admission.told());
        admission
    }

    /// What there is to watch.
    pub fn parts(&self) -> impl Iterator<Item = Part> {
        let refusing = Part::REFUSING.into_iter().filter(|_| !self.required.is_empty());
        refusing.chain(Part::STAMPING.into_iter().filter(|_| !self.stamps.is_empty()))
    }

    /// What isn't in force, if anything.
    pub fn lacking(&self) -> Option<String> {
        self.told().lacking.clone()
    }

    /// What doesn't stamp although it could, if anything. What is compared is held all the same.
    pub fn unstamped(&self) -> Option<String> {
        self.told().unstamped.clone()
    }

    /// Takes an object; tells whether that matters.
    pub fn put(&self, part: Part, name: &str, object: &Value) -> bool {
        let key = (part, name.to_owned());
        let is_met = self.required.is_met(&key, object).or_else(|| self.stamps.is_met(&key, object));
        let Some(is_met) = is_met else { return false };
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
        let before = (told.lacking.take(), told.unstamped.take());
        told.lacking = self.required.lacking(&told.standing);
        told.unstamped = self.stamps.lacking(&told.standing);
        before != (told.lacking.clone(), told.unstamped.clone())
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate::admission::{objects, stamps};

    fn filled() -> Admission {
        let admission = Admission::of("comity-system");
        assert!(admission.lacking().is_some(), "before anything is told nothing is in force");
        for object in objects("comity-system") {
            let part = Part::of_kind(object["kind"].as_str().unwrap()).unwrap();
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

    #[test]
    fn what_stamps_is_looked_at_where_the_api_server_can_and_lacks_nothing_else() {
        assert_eq!((filled().unstamped(), filled().parts().count()), (None, 2));
        let admission = filled().with_stamps("comity-system");
        assert_eq!((admission.lacking(), admission.parts().count()), (None, 4));
        assert!(admission.unstamped().is_some());
        for object in stamps("comity-system") {
            let part = Part::of_kind(object["kind"].as_str().unwrap()).unwrap();
            admission.put(part, object["metadata"]["name"].as_str().unwrap(), &object);
        }
        assert_eq!(admission.unstamped(), None);
        assert!(admission.remove(Part::StampBinding, "comity-decisions"), "that is news");
        assert_eq!(
            admission.unstamped().unwrap(),
            "a policy isn't bound: there is no MutatingAdmissionPolicyBinding comity-decisions"
        );
        assert_eq!(admission.lacking(), None);
    }
}
