//! What people decided, by the grant that it is about, as a watch tells: a pass over a grant looks at
//! its own decisions and at nobody else's, however many there are.

use std::collections::{BTreeMap, HashMap, VecDeque};
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
    /// Those that were deleted last: what they decided may have taken effect a moment before.
    gone: VecDeque<Arc<GrantDecision>>,
}

/// How many decisions that were deleted are remembered. It takes somebody who may decide to make that
/// many and delete them again, and then the oldest are as if nobody had seen them.
const REMEMBERED: usize = 256;

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
        let gone = case.remove(&number);
        if case.is_empty() {
            cases.by_grant.remove(&subject);
        }
        cases.gone.extend(gone);
        let forgotten = cases.gone.len().saturating_sub(REMEMBERED);
        cases.gone.drain(..forgotten);
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

    /// The decision with this UID, also one that was deleted lately.
    pub fn decision(&self, uid: &str) -> Option<Arc<GrantDecision>> {
        let cases = self.read();
        let Some((subject, number)) = cases.known.get(uid) else {
            return cases.gone.iter().find(|gone| gone.metadata.uid.as_deref() == Some(uid)).cloned();
        };
        cases.by_grant.get(subject)?.get(number).cloned()
    }

    /// How many decisions were told of until now.
    pub fn told(&self) -> u64 {
        self.read().next
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
        assert_eq!(docket.decision("decision-second").map(|it| it.name_any()).as_deref(), Some("second"));
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

    #[test]
    fn those_deleted_last_are_still_found_and_no_more_of_them_than_fit() {
        let (docket, grant) = (Docket::default(), Known::grant(Stage::Sandbox));
        let count = REMEMBERED + 1;
        for number in 0..count {
            let decision = Known::decision(&number.to_string(), &grant, 1);
            docket.put(Arc::new(decision.clone()));
            docket.remove(&decision);
        }
        assert_eq!(docket.told(), count as u64);
        assert_eq!(docket.decision("decision-0"), None, "the oldest is forgotten");
        assert!((1..count).all(|number| docket.decision(&format!("decision-{number}")).is_some()));
        assert!(docket.about(&grant, 0).decisions.is_empty(), "nobody acts on them");
    }
}
