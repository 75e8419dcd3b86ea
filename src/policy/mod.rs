//! L1, what a contract means: from the objects that people wrote to what is allowed now.
//!
//! [`resolve`](resolve::resolve) takes everything that a grant depends on, as it stands, and
//! gives an [`Agreement`], or every [`Problem`] there is. It reads no clock and no cluster.

pub mod authorship;
pub mod boundary;
pub mod checks;
pub mod consent;
pub mod digest;
pub mod lattice;
pub mod network;
pub mod public;
pub mod quantity;
pub mod quota;
pub mod reach;
pub mod resolve;
pub mod scope;
pub mod standing;
mod terms;

use std::borrow::Cow;
use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt as _;

use self::authorship::Authorship;
use self::consent::ConsentRule;
use crate::api::condition::Reason;
use crate::api::contract::{AfterPromotion, RehearsalRequirement};
use crate::api::effective::{EffectivePolicy, TargetPort};
use crate::api::{Dataset, Partner, PartnerGrant, SharingBoundary, SharingContract, Stage};

/// Everything that a grant's policy depends on, as it stands. What doesn't exist is absent.
#[derive(Clone, Debug)]
pub struct Operands<'a> {
    /// The grant.
    pub grant: &'a PartnerGrant,
    /// Its contract.
    pub contract: Option<&'a SharingContract>,
    /// Its partner.
    pub partner: Option<&'a Partner>,
    /// The datasets that the contract names, by name.
    pub datasets: BTreeMap<String, &'a Dataset>,
    /// The Services in the grant's namespace that the datasets name, by name.
    pub services: BTreeMap<String, ServiceFacts>,
    /// The boundaries that there are; those that select the namespace count.
    pub boundaries: Vec<&'a SharingBoundary>,
    /// The labels of the grant's namespace.
    pub namespace_labels: BTreeMap<String, String>,
    /// When the grant was first accepted, by its journal; `None`: it never was.
    pub requested: Option<Timestamp>,
    /// The other grants that are live: accepted once, not ended, and not this one.
    pub others: Cow<'a, [OtherGrant]>,
}

/// What matters of a Service.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ServiceFacts {
    /// Its selector; empty where it has none.
    pub selector: BTreeMap<String, String>,
    /// For each of its ports, the port of the pods behind it.
    pub targets: BTreeMap<i32, TargetPort>,
}

/// What matters of another grant that is live.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct OtherGrant {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its partner.
    pub partner: String,
    /// Its contract.
    pub contract: String,
    /// Its purpose.
    pub purpose: String,
    /// When it was first accepted, by its journal; between two of one age, the lesser UID is the elder.
    pub requested: Timestamp,
    /// Its UID.
    pub uid: String,
}

impl OtherGrant {
    /// A grant whose journal begins at `requested`.
    pub fn new(grant: &PartnerGrant, requested: Timestamp) -> Self {
        Self {
            namespace: grant.namespace().unwrap_or_default(),
            name: grant.name_any(),
            partner: grant.spec.partner_ref.name.0.clone(),
            contract: grant.spec.contract_ref.name.0.clone(),
            purpose: grant.spec.purpose.0.clone(),
            requested,
            uid: grant.uid().unwrap_or_default(),
        }
    }
}

/// What is agreed, as everything stands now.
#[derive(Clone, Debug, PartialEq)]
pub struct Agreement {
    /// The digest of all of it (DESIGN, "Digest").
    pub digest: String,
    /// What each stage that can be opened allows. A stage that contract or boundary don't name is absent.
    pub stages: BTreeMap<Stage, StageTerms>,
    /// Nothing opens before.
    pub not_before: Option<Timestamp>,
    /// Nothing stays open after.
    pub not_after: Timestamp,
    /// When a control that it depends on runs out, so that it has to be looked at again.
    pub review_at: Option<Timestamp>,
    /// Whether what a rehearsal can't execute keeps production from opening.
    pub rehearsal: RehearsalRequirement,
    /// Everything that it is made of, and who wrote that: they may not approve it.
    pub authorship: Vec<Authorship>,
}

/// What one stage allows.
#[derive(Clone, Debug, PartialEq)]
pub struct StageTerms {
    /// How long it is open, from its opening.
    pub duration: SignedDuration,
    /// The longest that it can be open, also when it is extended.
    pub ceiling: SignedDuration,
    /// Who has to agree before it opens.
    pub consent: ConsentRule,
    /// How long it has to have been open before the next one opens.
    pub soak: SignedDuration,
    /// How long what was opened for an older digest stays beside what takes over from it.
    pub overlap: SignedDuration,
    /// What becomes of it when the next one opens.
    pub after_promotion: AfterPromotion,
    /// How long its certificates are valid.
    pub credential_ttl: SignedDuration,
    /// Everything that it allows.
    pub policy: EffectivePolicy,
}

/// Why there is no agreement.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Problem {
    /// In a word.
    pub reason: Reason,
    /// Which clause: the path in the object that it is about.
    pub clause: String,
    /// Both sides of it, and what to do.
    pub message: String,
    /// When it may heal by itself, if time alone can heal it.
    pub until: Option<Timestamp>,
}

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
