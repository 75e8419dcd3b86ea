//! One decision as it is looked at: who made it, when, and what it asks for. Pure.

use jiff::Timestamp;
use kube::ResourceExt as _;

use super::Unheard;
use crate::api::GrantDecision;
use crate::api::condition::{Reason, whole_seconds};
use crate::api::record::TakenDecision;
use crate::api::stage::Stage;
use crate::policy::Agreement;

/// A decision, with who made it and when.
#[derive(Clone, Copy)]
pub(super) struct Act<'a> {
    pub(super) decision: &'a GrantDecision,
    pub(super) person: &'a str,
    pub(super) made: Timestamp,
}

impl Act<'_> {
    pub(super) fn stage(&self) -> Result<Stage, Unheard> {
        let missing =
            || Unheard { reason: Reason::Invalid, message: "it doesn't say which stage".to_owned() };
        self.decision.spec.stage.ok_or_else(missing)
    }

    pub(super) fn end(&self) -> Result<Timestamp, Unheard> {
        let missing = || Unheard { reason: Reason::Invalid, message: "it doesn't say which end".to_owned() };
        self.decision.spec.expires_at.as_ref().map(|end| whole_seconds(end.0)).ok_or_else(missing)
    }

    /// The decision, as the journal keeps it.
    pub(super) fn taken(&self, until: Option<Timestamp>) -> TakenDecision {
        TakenDecision {
            name: self.decision.name_any(),
            uid: self.decision.uid().unwrap_or_default(),
            by: self.person.to_owned(),
            on_behalf_of: self.decision.spec.on_behalf_of.clone(),
            until: until.map(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time),
        }
    }
}

/// Whether a decision is about what is asked for now.
pub(super) fn is_todays(act: Act<'_>, agreement: &Agreement) -> Result<(), Unheard> {
    let about = act.decision.spec.digest.as_ref().map(crate::api::value::OpeningDigest::as_str);
    if about == Some(agreement.digest.as_str()) {
        return Ok(());
    }
    let message = format!(
        "it is about {}, but what is asked for now is {}: look at what has changed and decide again",
        about.unwrap_or("no digest"),
        agreement.digest
    );
    Err(Unheard { reason: Reason::OutOfDate, message })
}

/// Until when an agreement counts; refused where it is too old to count at all.
pub(super) fn counts_until(
    act: Act<'_>,
    valid_for: Option<jiff::SignedDuration>,
    now: Timestamp,
) -> Result<Option<Timestamp>, Unheard> {
    let Some(valid_for) = valid_for else { return Ok(None) };
    let until = whole_seconds(act.made.checked_add(valid_for).unwrap_or(act.made));
    if now < until {
        return Ok(Some(until));
    }
    let message = format!("it counted until {until}: look at it and decide again");
    Err(Unheard { reason: Reason::OutOfDate, message })
}
