//! What is said of a decision. Pure.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use super::observe::{Outcome, Scene};
use crate::api::condition::{ConditionType, Finding, Reason, merge};
use crate::api::decision::GrantDecisionStatus;
use crate::grant::hear::Unheard;
use crate::grant::hear::enrol::Allowed;
use crate::plan::situation::Situation;

/// The status that a decision should have.
pub fn status(scene: &Scene, old: &[Condition], now: Timestamp) -> GrantDecisionStatus {
    let generation = scene.decision.metadata.generation;
    let taken = taken(&scene.outcome);
    let situation = match &scene.outcome {
        Outcome::Taken(_) | Outcome::Stands(_) => Situation::settled(taken.reason, taken.message.clone()),
        Outcome::Pending | Outcome::Unheard(Unheard { until: Some(_), .. }) => {
            Situation::moving(taken.reason, taken.message.clone())
        }
        _ => Situation::stuck(taken.reason, taken.message.clone()),
    };
    GrantDecisionStatus {
        observed_generation: generation,
        record: match scene.outcome {
            Outcome::Taken(record) => Some(record),
            _ => None,
        },
        conditions: merge(old, &situation.findings(taken), generation, now),
    }
}

fn taken(outcome: &Outcome) -> Finding {
    let no = |reason, message: &str| Finding::no(ConditionType::Taken, reason, message);
    match outcome {
        Outcome::Taken(record) => {
            let message = format!("record {record} of the journal; deleting the decision undoes nothing");
            Finding::yes(ConditionType::Taken, Reason::Taken, message)
        }
        Outcome::Stands(Allowed { workload, until }) => {
            let message = format!(
                "workload {workload} may enrol once, by its token, until {until}; delete the decision to take that back"
            );
            Finding::yes(ConditionType::Taken, Reason::Taken, message)
        }
        Outcome::Pending => no(Reason::ConsentPending, "it is about to be written into the journal"),
        Outcome::Unheard(unheard) => no(unheard.reason, &unheard.message),
        Outcome::NoGrant => no(
            Reason::UnknownGrant,
            "there is no grant of that name and UID: one that was made again is another one, so decide about that",
        ),
        Outcome::NoJournal => no(
            Reason::JournalBroken,
            "the journal of the grant can't be trusted, so nothing is decided by it",
        ),
    }
}
