//! What a decision is judged by: the journal of the grant that it is about.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt as _;
use kube::runtime::reflector::ObjectRef;

use crate::api::decision::DecisionAction;
use crate::api::{GrantDecision, PartnerGrant};
use crate::cluster::catalogue::Catalogue;
use crate::grant::build::Installation;
use crate::grant::hear::enrol::Allowed;
use crate::grant::hear::{Hearing, Unheard};
use crate::grant::observe;
use crate::journal::{Broken, Journal};
use crate::policy::{Agreement, Problem};

/// For how long what decisions are judged by is kept although nothing is told of: time alone changes it.
const KEPT_FOR: SignedDuration = SignedDuration::from_secs(1);

/// What came of a decision.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// This record of the journal took it.
    Taken(i64),
    /// It stands by itself, and makes no record: somebody may enrol by it.
    Stands(Allowed),
    /// It will be taken next.
    Pending,
    /// It changes nothing, or nothing yet, and why.
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
    pub fn observe(
        decision: Arc<GrantDecision>,
        catalogue: &Catalogue,
        bench: &Bench,
        now: Timestamp,
    ) -> Self {
        let about = &decision.spec.grant_ref;
        let about = ObjectRef::new(&about.name.0).within(&decision.namespace().unwrap_or_default());
        let ground = bench.ground(&about, catalogue, now);
        let outcome = ground.map_or(Outcome::NoGrant, |ground| ground.outcome(&decision, now));
        Self { decision, outcome }
    }
}

/// What all decisions about one grant are judged by.
#[derive(Debug)]
struct Ground {
    uid: String,
    agreement: Result<Agreement, Vec<Problem>>,
    journal: Result<Journal, Broken>,
    made_again: bool,
    /// Whoever quarantined it again isn't in the journal.
    quarantined_again: Option<Timestamp>,
}

impl Ground {
    fn of(about: &ObjectRef<PartnerGrant>, catalogue: &Catalogue, now: Timestamp) -> Option<Self> {
        let grant = catalogue.grants.get(about)?;
        // How Comity is installed has no say in what a decision changes.
        let installation = Installation::default();
        let mut scene = observe::Scene::observe(&grant, &installation, catalogue, now);
        scene.call(&catalogue.docket, None);
        let quarantined_again = scene.hearing().and_then(|hearing| hearing.quarantined_again);
        Some(Self {
            quarantined_again,
            uid: grant.uid().unwrap_or_default(),
            agreement: scene.outlook.agreement,
            journal: scene.journal,
            made_again: scene.made_again,
        })
    }

    fn outcome(&self, decision: &GrantDecision, now: Timestamp) -> Outcome {
        if decision.spec.grant_ref.uid.as_str() != self.uid {
            return Outcome::NoGrant;
        }
        let now = self.journal.as_ref().map_or(now, |journal| journal.time(now));
        let hearing = Hearing::of(&self.journal, &self.agreement, self.made_again, now);
        let Some(hearing) = hearing.map(|hearing| hearing.among(&[], self.quarantined_again)) else {
            return Outcome::NoJournal;
        };
        if decision.spec.action == DecisionAction::Enrol && self.is_going_on() {
            return hearing.enrolment(decision).map_or_else(Outcome::Unheard, Outcome::Stands);
        }
        match (hearing.record_of(decision), hearing.hear(decision)) {
            (Some(record), _) => Outcome::Taken(record),
            (None, Ok(_)) => Outcome::Pending,
            (None, Err(unheard)) => Outcome::Unheard(unheard),
        }
    }

    /// Whether the grant hasn't ended.
    fn is_going_on(&self) -> bool {
        self.journal.as_ref().is_ok_and(|journal| journal.ended.is_none())
    }
}

/// What decisions are judged by, kept until something changes: ten thousand about one grant are judged
/// by the same.
#[derive(Debug, Default)]
pub struct Bench(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    /// Since when, and after how many changes.
    since: Option<(Timestamp, u64)>,
    grounds: HashMap<ObjectRef<PartnerGrant>, Option<Arc<Ground>>>,
    /// How often one had to be laid.
    laid: u64,
}

impl Bench {
    fn ground(
        &self,
        about: &ObjectRef<PartnerGrant>,
        catalogue: &Catalogue,
        now: Timestamp,
    ) -> Option<Arc<Ground>> {
        // Counted before anything is read: what changes while it is read is read again.
        let turn = catalogue.turns.count();
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_kept = kept.since.is_some_and(|(since, then)| {
            then == turn && since <= now && now.duration_since(since) < KEPT_FOR
        });
        if !is_kept {
            kept.since = Some((now, turn));
            kept.grounds.clear();
        }
        if let Some(known) = kept.grounds.get(about) {
            return known.clone();
        }
        kept.laid += 1;
        let ground = Ground::of(about, catalogue, now).map(Arc::new);
        kept.grounds.insert(about.clone(), ground.clone());
        ground
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Stage;
    use crate::api::condition::Reason;
    use crate::testing::known::{Known, now};

    #[test]
    fn ten_thousand_decisions_about_one_grant_are_judged_by_what_was_gathered_once() {
        let mut known = Known::story();
        let grant = Known::grant(Stage::Sandbox);
        known.tell(&grant);
        let bench = Bench::default();
        let judge = |known: &Known, number: i64, at| {
            let decision = Arc::new(Known::decision(&format!("d-{number}"), &grant, number));
            Scene::observe(decision, &known.catalogue, &bench, at).outcome
        };
        for number in 0..10_000 {
            let Outcome::Unheard(unheard) = judge(&known, number, now()) else { panic!("nothing is open") };
            assert_eq!(unheard.reason, Reason::NothingToDecide);
        }
        assert_eq!(bench.0.lock().unwrap().laid, 1);
        let mut again = grant.clone();
        again.metadata.uid = Some("made-again".to_owned());
        known.tell(&again);
        known.catalogue.turns.note();
        assert_eq!(judge(&known, 1, now()), Outcome::NoGrant, "what changes is seen at once");
        known.tell(&grant);
        assert_eq!(judge(&known, 1, now() + KEPT_FOR), judge(&known, 2, now() + KEPT_FOR));
        assert_eq!(bench.0.lock().unwrap().laid, 3, "and nothing is believed for long");
    }
}
