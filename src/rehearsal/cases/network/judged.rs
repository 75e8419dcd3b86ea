//! What becomes of each connection by the policies that were read. What wasn't read shows nothing, and is said.

use std::collections::BTreeMap;

use k8s_openapi::api::networking::v1::NetworkPolicy;

use super::{Expected, Passage};
use crate::policy::reach::{Labels, Stored, Verdict};
use crate::rehearsal::case::{self, Attempt, Case, Observed};
use crate::rehearsal::judge::SHUT;

/// What was read of network policies.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Looked {
    /// All policies of the namespaces that were read.
    pub policies: Vec<NetworkPolicy>,
    /// The labels of those namespaces, by name.
    pub namespaces: BTreeMap<String, Labels>,
    /// The namespaces that couldn't be read, and why.
    pub unread: BTreeMap<String, String>,
}

/// A case for each connection.
pub fn cases(expected: &[Expected], looked: &Looked) -> Vec<Case> {
    let stored = Stored { policies: &looked.policies, namespaces: &looked.namespaces };
    let judged = expected.iter().map(|one| {
        let unread = one.places().find_map(|place| looked.why_not(place));
        let attempt = unread.map_or_else(|| Attempt::Seen(observed(&one.seen(&stored))), Attempt::Nothing);
        written(one, attempt)
    });
    judged.collect()
}

fn written(one: &Expected, attempt: Attempt) -> Case {
    let expected = match one.expect {
        Passage::Open => case::Expected::Allowed,
        Passage::Shut => case::Expected::Refused(SHUT),
    };
    Case { name: one.name.clone(), clause: one.clause, tried: one.connection(), attempt, expected }
}

fn observed(verdict: &Verdict) -> Observed {
    let words = verdict.to_string();
    if verdict.is_open() { Observed::AllowedBy(words) } else { Observed::Refused(words) }
}

impl Looked {
    /// Why nothing can be said of a namespace, if so.
    fn why_not(&self, place: &str) -> Option<String> {
        let unread = || self.unread.get(place).cloned();
        let unasked = || (!self.namespaces.contains_key(place)).then(|| format!("{place} wasn't looked at"));
        unread().or_else(unasked)
    }
}
