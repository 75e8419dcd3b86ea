//! Policy as sets with a lattice: what two policies both allow ([`meet`]), which of them allows
//! more ([`compare`]), and what differs, by name ([`diff`]).
//!
//! A policy is the set of everything that it allows: reading a field, sending to an address,
//! holding a certificate for so long. Every clause has its order, in `part/`; a policy is narrower
//! than another one if each of its clauses is. Nothing here reads a clock, and time zones come
//! from the program itself.
//!
//! Why it is as it is: `docs/decisions/20261121-policy-as-sets.md`.

mod address;
mod change;
mod measure;
mod part;
mod show;
mod spans;
mod walk;
mod week;
mod window;

#[cfg(test)]
mod tests;

pub use change::{Change, Comparison, Difference};

use crate::api::boundary::SharingBoundarySpec;
use crate::api::contract::SharingContractSpec;
use crate::api::dataset::DatasetSpec;
use crate::api::effective::EffectivePolicy;
use crate::api::partner::PartnerSpec;
use walk::Walk;

/// What both allow: the most that neither refuses. `None` is the policy that allows nothing: what a
/// missing one is, and what is left where two clauses can't hold at once.
pub fn meet(one: Option<&EffectivePolicy>, other: Option<&EffectivePolicy>) -> Option<EffectivePolicy> {
    let mut walk = Walk::default();
    let both = part::policy(&mut walk, one?, other?);
    walk.contradictions().is_empty().then_some(both)
}

/// How `new` stands to `old`.
pub fn compare(old: Option<&EffectivePolicy>, new: Option<&EffectivePolicy>) -> Comparison {
    Comparison::of_all(&diff(old, new))
}

/// What differs, by name.
pub fn diff(old: Option<&EffectivePolicy>, new: Option<&EffectivePolicy>) -> Vec<Change> {
    let whole = |how, effect| {
        vec![Change { clause: String::new(), what: "everything that was agreed".to_owned(), how, effect }]
    };
    match (old, new) {
        (None, None) => Vec::new(),
        (Some(_), None) => whole(Difference::Removed, Comparison::Narrower),
        (None, Some(_)) => whole(Difference::Added, Comparison::Wider),
        (Some(old), Some(new)) => walked(|walk| drop(part::policy(walk, old, new))),
    }
}

/// The clauses for which nothing is allowed by both, whatever the others say.
pub fn contradictions(one: &EffectivePolicy, other: &EffectivePolicy) -> Vec<String> {
    let mut walk = Walk::default();
    part::policy(&mut walk, one, other);
    walk.contradictions()
}

/// What differs between two contracts.
pub fn diff_contracts(old: &SharingContractSpec, new: &SharingContractSpec) -> Vec<Change> {
    walked(|walk| part::contract(walk, old, new))
}

/// What differs between two boundaries.
pub fn diff_boundaries(old: &SharingBoundarySpec, new: &SharingBoundarySpec) -> Vec<Change> {
    walked(|walk| part::boundary(walk, old, new))
}

/// What differs between two datasets.
pub fn diff_datasets(old: &DatasetSpec, new: &DatasetSpec) -> Vec<Change> {
    walked(|walk| part::dataset(walk, old, new))
}

/// What differs between two partners.
pub fn diff_partners(old: &PartnerSpec, new: &PartnerSpec) -> Vec<Change> {
    walked(|walk| part::partner(walk, old, new))
}

/// Whether windows can be said in a time zone of that name.
pub fn is_time_zone(name: &str) -> bool {
    window::zone(name).is_some()
}

fn walked(through: impl FnOnce(&mut Walk)) -> Vec<Change> {
    let mut walk = Walk::default();
    through(&mut walk);
    walk.changes()
}
