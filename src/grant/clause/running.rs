//! What is said of pods that run although less is allowed than when they were let in: which are kept or
//! deleted, or that nobody could look.

use crate::api::condition::cut;
use crate::api::contract::NarrowedPods;
use crate::api::enforcement::{EnforcedClause, EnforcementState, Enforcer};
use crate::grant::check::NamespaceStanding;
use crate::grant::decide::close::loses_pods;
use crate::grant::decide::{Place, View};
use crate::grant::observe::Scene;
use crate::grant::weigh::Weighed;
use crate::journal::wanted::Wanted;

/// The clause that says what becomes of such pods.
pub(super) const CLAUSE: &str = "narrowing";

/// The longest message of a clause, and the longest name of a pod in it.
const LONGEST: usize = 512;
const LONGEST_NAME: usize = 63;

const SEE: &str = "holds what is made; pods that run aren't all held to it: see narrowing";

/// Says of the clause on narrowing what became of pods, and of those that they go against that they do.
/// What isn't in the contract is said all the same: pods are kept then.
pub(super) fn refine(told: &mut [EnforcedClause], view: &View<'_>, scene: &Scene<'_>) {
    let said: Vec<String> = view.places.iter().filter_map(|place| said_of(place, view, scene)).collect();
    if let Some(clause) = told.iter_mut().find(|told| told.clause == CLAUSE).filter(|_| !said.is_empty()) {
        let is_unknown = view.places.iter().any(|place| scene.unweighed.contains_key(place.namespace));
        clause.by = vec![Enforcer::Controller];
        clause.state = if is_unknown { EnforcementState::Pending } else { EnforcementState::Enforced };
        clause.message = Some(cut(&said.join("; "), LONGEST));
    }
    let known = view.places.iter().filter_map(|place| view.weighed_of(place));
    let broken: Vec<&str> = known.flat_map(|weighed| weighed.clauses.iter().copied()).collect();
    for clause in told.iter_mut().filter(|told| broken.contains(&told.clause.as_str())) {
        let before = clause.message.take().map_or_else(String::new, |message| format!("{message}; "));
        clause.message = Some(cut(&format!("{before}{SEE}"), LONGEST));
    }
}

/// What is said of the pods of a place; `None`: all that run are allowed, as far as is known.
fn said_of(place: &Place<'_>, view: &View<'_>, scene: &Scene<'_>) -> Option<String> {
    let namespace = place.namespace;
    if let Some(why) = scene.unweighed.get(namespace) {
        return Some(format!(
            "which pods in {namespace} aren't allowed any more isn't known, or they stay: {why}"
        ));
    }
    let deletes = place.remains.policy(place.opening?).unlawful_pods() == NarrowedPods::Delete;
    let fate = if deletes { "are being deleted" } else { "are kept" };
    let is_lost = matches!(view.wanted(place), Wanted::Held(reason) if reason.is_loss());
    if is_lost && matches!(place.standing.namespace, NamespaceStanding::Ours { .. }) {
        let fate = if loses_pods(view, place) { "are deleted" } else { "are kept" };
        return Some(format!("nothing is allowed any more in {namespace}: its pods {fate}"));
    }
    let known = view.weighed_of(place).filter(|weighed| weighed.unlawful > 0)?;
    Some(format!("in {namespace} pods {fate} that run and aren't allowed any more: {}", names(known)))
}

/// The first of the pods, each with the clause that it goes against, and how many more there are.
fn names(weighed: &Weighed) -> String {
    let named = weighed.named.iter().map(|(pod, clause)| format!("{} ({clause})", cut(pod, LONGEST_NAME)));
    let named = named.collect::<Vec<_>>().join(", ");
    match weighed.unlawful.saturating_sub(weighed.named.len()) {
        0 => named,
        more => format!("{named}, and {more} more"),
    }
}
