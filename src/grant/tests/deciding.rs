//! People who decide about the grant of a [`World`].

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::SignedDuration;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::world::{UID, World, agreement};
use crate::api::condition::Reason;
use crate::api::decision::{DecisionAction, GrantDecisionSpec};
use crate::api::record::{GrantIdentity, RecordEvent};
use crate::api::value::OpeningDigest;
use crate::api::{GrantDecision, Stage, name};
use crate::grant::hear::Unheard;
use crate::journal::Recorded;
use crate::policy::Agreement;
use crate::policy::consent::ConsentRule;

pub const ONE: &str = "v1:sha256:one";

/// Two people have to agree to production, of them one from security; asked for 50 seconds at most.
pub fn asking() -> Agreement {
    let mut agreed = agreement(ONE);
    let rule = ConsentRule {
        required: 2,
        groups: BTreeMap::from([("security".to_owned(), 1)]),
        pending_for: Some(SignedDuration::from_secs(50)),
        valid_for: Some(SignedDuration::from_secs(30)),
    };
    for terms in agreed.stages.values_mut() {
        terms.policy.approvals = vec![rule.to_approval(Stage::Production)];
    }
    agreed.stages.get_mut(&Stage::Production).expect("there is one").consent = rule;
    agreed
}

/// A grant up to production that has come to where people are asked.
pub fn asked() -> World {
    let mut world = World::new(Stage::Production);
    world.agreement = Ok(asking());
    world.settle();
    world.forward(11);
    world.settle();
    assert_eq!(waiting(&world), Some(Reason::ConsentPending), "{:?}", world.decide());
    world
}

pub fn waiting(world: &World) -> Option<Reason> {
    world.decide().waiting.map(|waiting| waiting.reason)
}

pub fn decision(world: &World, action: DecisionAction, person: &str) -> GrantDecision {
    let spec = GrantDecisionSpec {
        grant_ref: GrantIdentity { name: "northpay-fraud".into(), uid: UID.into() },
        action,
        stage: None,
        digest: None,
        on_behalf_of: None,
        expires_at: None,
        enrolment: None,
        reason: "looked at".into(),
    };
    let number = 1000 * world.records.len() + world.decisions.len();
    let mut decision = GrantDecision::new(&format!("decision-{number}"), spec);
    let metadata = &mut decision.metadata;
    metadata.namespace.clone_from(&world.grant.metadata.namespace);
    metadata.uid = Some(format!("decision-uid-{number}"));
    metadata.creation_timestamp = Some(Time(world.now));
    metadata.annotations =
        Some(BTreeMap::from([(name::ANNOTATION_DECIDED_BY.to_owned(), person.to_owned())]));
    decision
}

pub fn about(
    world: &World,
    action: DecisionAction,
    person: &str,
    stage: Stage,
    digest: &str,
) -> GrantDecision {
    let mut decision = decision(world, action, person);
    decision.spec.stage = Some(stage);
    decision.spec.digest = Some(OpeningDigest::from(digest));
    decision
}

pub fn approval(world: &World, person: &str, group: &str) -> GrantDecision {
    let mut decision = about(world, DecisionAction::Approve, person, Stage::Production, ONE);
    decision.spec.on_behalf_of = Some(group.into());
    decision
}

pub fn is_open(world: &World, stage: Stage) -> bool {
    world.journal().openings.iter().any(|opening| opening.stage == stage && opening.state == Recorded::Open)
        && world.any_access()
}

/// What is said against a decision.
pub fn unheard(world: &World, decision: &GrantDecision) -> Reason {
    let scene = world.scene();
    let heard = scene.hearing().expect("the journal holds").hear(decision);
    let Unheard { reason, message, .. } = heard.expect_err("it changes nothing");
    assert!(!message.is_empty());
    reason
}

impl World {
    /// Somebody decides, and Comity does what follows.
    pub fn decided(&mut self, decision: GrantDecision) -> &mut Self {
        self.decisions.push(Arc::new(decision));
        self.settle();
        self
    }

    pub fn approved(&mut self, person: &str, group: &str) -> &mut Self {
        let decision = approval(self, person, group);
        self.decided(decision)
    }

    pub fn events(&self) -> Vec<RecordEvent> {
        self.records.iter().map(|record| record.event).collect()
    }
}
