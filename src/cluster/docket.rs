//! What people decided, by the grant that it is about, as a watch tells: a pass over a grant looks at
//! its own decisions and at nobody else's, however many there are.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use kube::ResourceExt as _;
use kube::runtime::reflector::ObjectRef;

use crate::api::{GrantDecision, PartnerGrant};

/// What was decided about every grant.
#[derive(Debug, Default)]
pub struct Docket(RwLock<Cases>);

#[derive(Debug, Default)]
struct Cases {
    /// By the namespace and the name of a grant, whatever its UID.
    by_grant: HashMap<Subject, BTreeMap<u64, Arc<GrantDecision>>>,
    /// By the UID of a decision: what it is about, and its number.
    known: HashMap<String, (Subject, u64)>,
    /// The number that the next decision gets: later ones have greater numbers.
    next: u64,
}

/// The namespace and the name of a grant.
type Subject = (String, String);

/// Decisions about one grant that have yet to be looked at.
#[derive(Clone, Debug, Default)]
pub struct Filed {
    /// In the order in which people decided.
    pub decisions: Vec<Arc<GrantDecision>>,
    /// The number after the last one that was there.
    pub next: u64,
}

impl Docket {
    /// Takes a decision. One that was told of before keeps its number: a decision never changes, only
    /// what is said of it does.
    pub fn put(&self, decision: Arc<GrantDecision>) {
        let mut cases = self.write();
        let uid = decision.uid().unwrap_or_default();
        let subject = subject(&decision);
        let next = cases.next;
        let (subject, number) = cases.known.entry(uid).or_insert((subject, next)).clone();
        cases.next = next.max(number.saturating_add(1));
        cases.by_grant.entry(subject).or_default().insert(number, decision);
    }

    /// Takes that a decision is gone.
    pub fn remove(&self, decision: &GrantDecision) {
        let mut cases = self.write();
        let Some((subject, number)) = cases.known.remove(&decision.uid().unwrap_or_default()) else { return };
        let Some(case) = cases.by_grant.get_mut(&subject) else { return };
        case.remove(&number);
        if case.is_empty() {
            cases.by_grant.remove(&subject);
        }
    }

    /// What was decided about just this grant, from this number on.
    pub fn about(&self, grant: &PartnerGrant, from: u64) -> Filed {
        let cases = self.read();
        let subject = (grant.namespace().unwrap_or_default(), grant.name_any());
        let case = cases.by_grant.get(&subject).into_iter().flat_map(|case| case.range(from..));
        let own = case.map(|(_, decision)| decision).filter(|decision| decision.is_about(grant));
        let mut decisions: Vec<_> = own.cloned().collect();
        let next = cases.next;
        drop(cases);
        decisions.sort_by_cached_key(|decision| (decision.creation_timestamp(), decision.uid()));
        Filed { decisions, next }
    }

    /// The decisions about grants of this name.
    pub fn of_name(&self, namespace: &str, grant: &str) -> Vec<ObjectRef<GrantDecision>> {
        let cases = self.read();
        let case = cases.by_grant.get(&(namespace.to_owned(), grant.to_owned()));
        case.into_iter().flatten().map(|(_, decision)| ObjectRef::from_obj(decision.as_ref())).collect()
    }

    fn read(&self) -> RwLockReadGuard<'_, Cases> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Cases> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The grant that a decision is about, by its name.
fn subject(decision: &GrantDecision) -> Subject {
    (decision.namespace().unwrap_or_default(), decision.spec.grant_ref.name.0.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Stage;
    use crate::testing::known::Known;

    fn names(filed: &Filed) -> Vec<String> {
        filed.decisions.iter().map(|decision| decision.name_any()).collect()
    }

    #[test]
    fn a_grant_is_given_its_own_and_only_what_is_new() {
        let (docket, grant) = (Docket::default(), Known::grant(Stage::Sandbox));
        let mut other = grant.clone();
        other.metadata.name = Some("other".to_owned());
        let mut again = grant.clone();
        again.metadata.uid = Some("made-again".to_owned());
        let put = |name: &str, grant: &PartnerGrant, made: i64| {
            docket.put(Arc::new(Known::decision(name, grant, made)));
        };
        put("second", &grant, 2);
        put("first", &grant, 1);
        put("others", &other, 1);
        put("of-the-same-name", &again, 1);
        let filed = docket.about(&grant, 0);
        assert_eq!(names(&filed), ["first", "second"], "in the order in which people decided");
        assert_eq!(names(&docket.about(&again, 0)), ["of-the-same-name"]);
        put("third", &grant, 3);
        put("first", &grant, 1);
        assert_eq!(names(&docket.about(&grant, filed.next)), ["third"], "a status is no new decision");
        docket.remove(&Known::decision("second", &grant, 2));
        assert_eq!(names(&docket.about(&grant, 0)), ["first", "third"]);
        assert_eq!(docket.of_name(&grant.namespace().unwrap(), &grant.name_any()).len(), 3);
    }

    #[test]
    fn nothing_is_left_of_what_is_gone() {
        let (docket, grant) = (Docket::default(), Known::grant(Stage::Sandbox));
        docket.put(Arc::new(Known::decision("one", &grant, 1)));
        docket.remove(&Known::decision("one", &grant, 1));
        assert!(docket.read().by_grant.is_empty() && docket.read().known.is_empty());
    }
}
