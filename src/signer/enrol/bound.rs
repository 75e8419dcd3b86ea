//! What a token is good for: which decision let it be made, for whom, and until when. Pure.

use std::sync::Arc;

use jiff::Timestamp;
use kube::ResourceExt as _;

use super::answer::Refusal;
use super::ask::Target;
use crate::api::decision::{DecisionAction, Enrolment};
use crate::api::stage::Stage;
use crate::api::{GrantDecision, name};
use crate::pki::Token;

/// What a token is good for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Bound {
    /// The decision.
    pub decision: String,
    /// Its UID.
    pub decision_uid: String,
    /// The namespace of the grant.
    pub namespace: String,
    /// The UID of the grant.
    pub grant_uid: String,
    /// The stage.
    pub stage: Stage,
    /// The digest of what is open.
    pub digest: String,
    /// The workload.
    pub workload: String,
    /// Until when it may be used.
    pub until: Timestamp,
}

/// The decision that a token is of, among those about one grant. All of them are looked at, so that how long
/// it takes says nothing of where it is.
pub fn decision_of(decisions: &[Arc<GrantDecision>], token: &Token) -> Option<Arc<GrantDecision>> {
    let is_its = |decision: &&Arc<GrantDecision>| {
        enrolment(decision).is_some_and(|it| token.is_of(it.token_digest.as_str()))
    };
    decisions.iter().filter(is_its).fold(None, |first, one| first.or_else(|| Some(Arc::clone(one))))
}

fn enrolment(decision: &GrantDecision) -> Option<&Enrolment> {
    let is_one = decision.spec.action == DecisionAction::Enrol;
    decision.spec.enrolment.as_ref().filter(|_| is_one)
}

impl Bound {
    /// What the token of a decision is good for; refused where that isn't what is asked for, or is over.
    pub fn of(decision: &GrantDecision, target: &Target, now: Timestamp) -> Result<Self, Refusal> {
        let spec = &decision.spec;
        let made = decision.creation_timestamp().ok_or(Refusal::Unknown)?.0;
        let is_stamped =
            decision.annotations().get(name::ANNOTATION_DECIDED_BY).is_some_and(|by| !by.is_empty());
        let (Some(enrolment), Some(stage), Some(digest), true) =
            (enrolment(decision), spec.stage, &spec.digest, is_stamped)
        else {
            return Err(Refusal::Unknown);
        };
        let workload = enrolment.workload.as_str();
        if stage != target.stage || workload != target.workload {
            return Err(Refusal::Elsewhere);
        }
        let until = enrolment.until(made);
        if until <= now {
            return Err(Refusal::Ended(until));
        }
        Ok(Self {
            decision: decision.name_any(),
            decision_uid: decision.uid().unwrap_or_default(),
            namespace: decision.namespace().unwrap_or_default(),
            grant_uid: spec.grant_ref.uid.as_str().to_owned(),
            stage,
            digest: digest.as_str().to_owned(),
            workload: workload.to_owned(),
            until,
        })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use jiff::SignedDuration;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
    use serde_json::json;

    use super::*;
    use crate::signer::testing::now;

    /// A decision that lets the workload `scorer` enrol for the sandbox by this token.
    pub(in crate::signer::enrol) fn decision(name: &str, token: &Token) -> GrantDecision {
        let decision = json!({
            "apiVersion": "comity.dev/v1alpha1", "kind": "GrantDecision",
            "metadata": {
                "name": name, "namespace": "risk-data", "uid": format!("uid-{name}"),
                "creationTimestamp": now(), "annotations": {name::ANNOTATION_DECIDED_BY: "ada"},
            },
            "spec": {
                "grantRef": {"name": "northpay-fraud", "uid": "grant"}, "action": "Enrol", "stage": "Sandbox",
                "digest": "v1:sha256:00", "reason": "their new cluster",
                "enrolment": {"workload": "scorer", "tokenDigest": token.digest(),
                    "expiresAt": now() + SignedDuration::from_hours(1)},
            },
        });
        serde_json::from_value(decision).unwrap()
    }

    fn target() -> Target {
        Target {
            namespace: "risk-data".to_owned(),
            grant: "northpay-fraud".to_owned(),
            stage: Stage::Sandbox,
            workload: "scorer".to_owned(),
        }
    }

    fn word(decision: &GrantDecision, target: &Target, now: Timestamp) -> &'static str {
        Bound::of(decision, target, now).map_or_else(|refusal| refusal.word(), |_| "Bound")
    }

    #[test]
    fn a_token_is_good_for_one_workload_of_one_stage_until_its_end() {
        let good = decision("one", &Token::make().unwrap());
        assert_eq!(word(&good, &target(), now()), "Bound");
        let other = Target { workload: "trainer".to_owned(), ..target() };
        assert_eq!(word(&good, &other, now()), "TokenForAnother");
        let other = Target { stage: Stage::Production, ..target() };
        assert_eq!(word(&good, &other, now()), "TokenForAnother");
        assert_eq!(word(&good, &target(), now() + SignedDuration::from_hours(1)), "TokenEnded");
        let mut long = good.clone();
        long.spec.enrolment.as_mut().unwrap().expires_at = Time(now() + SignedDuration::from_hours(9000));
        assert_eq!(word(&long, &target(), now() + Enrolment::LONGEST), "TokenEnded");
        let mut unstamped = good.clone();
        unstamped.metadata.annotations = None;
        assert_eq!(word(&unstamped, &target(), now()), "Unknown");
        let mut another = good;
        another.spec.action = DecisionAction::Approve;
        assert_eq!(word(&another, &target(), now()), "Unknown");
    }

    #[test]
    fn a_token_is_found_by_its_digest_alone() {
        let (one, other) = (Token::make().unwrap(), Token::make().unwrap());
        let all = [&one, &other].map(|token| Arc::new(decision(&token.digest(), token)));
        let found = |token: &Token| decision_of(&all, token).map(|found| found.name_any());
        assert_eq!(found(&one), Some(one.digest()));
        assert_eq!(found(&other), Some(other.digest()));
        assert_eq!(found(&Token::make().unwrap()), None);
    }
}
