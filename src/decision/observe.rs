//! What a decision is judged by: the journal of the grant that it is about.

use std::sync::Arc;

use kube::ResourceExt as _;
use kube::runtime::reflector::ObjectRef;

use crate::api::GrantDecision;
use crate::api::decision::DecisionAction;
use crate::cluster::catalogue::Catalogue;
use crate::grant::build::Installation;
use crate::grant::hear::Unheard;
use crate::grant::observe;

/// What came of a decision.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// This record of the journal took it.
    Taken(i64),
    /// It will be taken next.
    Pending,
    /// It changes nothing, and why.
    Unheard(Unheard),
    /// There is no such grant, or only another one of its name.
    NoGrant,
    /// The journal of the grant is broken.
    NoJournal,
}

/// A decision, and what came of it.
#[derive(Clone, Debug)]
pub struct Scene {
    /// The decision.
    pub decision: Arc<GrantDecision>,
    /// What came of it.
    pub outcome: Outcome,
}

impl Scene {
    /// Looks at a decision at `now`.
    pub fn observe(decision: Arc<GrantDecision>, catalogue: &Catalogue, now: jiff::Timestamp) -> Self {
        let outcome = outcome(&decision, catalogue, now);
        Self { decision, outcome }
    }
}

fn outcome(decision: &GrantDecision, catalogue: &Catalogue, now: jiff::Timestamp) -> Outcome {
    let about = &decision.spec.grant_ref;
    let namespace = decision.namespace().unwrap_or_default();
    let grant = catalogue.grants.get(&ObjectRef::new(&about.name.0).within(&namespace));
    let Some(grant) = grant.filter(|grant| grant.metadata.uid.as_deref() == Some(about.uid.as_str())) else {
        return Outcome::NoGrant;
    };
    // How Comity is installed has no say in what a decision changes.
    let installation = Installation::default();
    let scene = observe::Scene::undecided(&grant, &installation, catalogue, now);
    let Some(hearing) = scene.hearing() else { return Outcome::NoJournal };
    match (hearing.record_of(decision), hearing.hear(decision)) {
        (Some(record), _) => Outcome::Taken(record),
        // Whoever quarantined it again since isn't in the journal: only here it is worth looking for.
        (None, Ok(_)) if decision.spec.action == DecisionAction::Release => {
            let all = catalogue.decisions_about(&grant);
            hearing.among(&all).hear(decision).map_or_else(Outcome::Unheard, |_| Outcome::Pending)
        }
        (None, Ok(_)) => Outcome::Pending,
        (None, Err(unheard)) => Outcome::Unheard(unheard),
    }
}
