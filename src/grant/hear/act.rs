//! One decision as it is looked at: who made it, when, and what it says. Pure.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt as _;

use crate::api::condition::{Reason, whole_seconds};
use crate::api::record::TakenDecision;
use crate::api::stage::Stage;
use crate::api::value::OpeningDigest;
use crate::api::{GrantDecision, name};
use crate::policy::Agreement;

/// Why a decision changes nothing, or nothing yet.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Unheard {
    /// In a word.
    pub reason: Reason,
    /// For who decided: what is wrong, and what to do.
    pub message: String,
    /// When it is taken all the same, where it merely waits.
    pub until: Option<Timestamp>,
}

impl Unheard {
    /// It changes nothing.
    pub(super) fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into(), until: None }
    }
}

/// A decision, with who made it and when.
#[derive(Clone, Copy)]
pub(super) struct Act<'a> {
    pub(super) decision: &'a GrantDecision,
    pub(super) person: &'a str,
    pub(super) made: Timestamp,
}

impl<'a> Act<'a> {
    /// A decision of which the API server has noted by whom and when.
    pub(super) fn of(decision: &'a GrantDecision) -> Result<Self, Unheard> {
        let person = decision.annotations().get(name::ANNOTATION_DECIDED_BY).filter(|by| !by.is_empty());
        let (Some(person), Some(made)) = (person, decision.creation_timestamp()) else {
            let message = "nobody knows who decided: the API server hasn't noted it";
            return Err(Unheard::new(Reason::Invalid, message));
        };
        Ok(Self { decision, person, made: made.0 })
    }

    pub(super) fn stage(&self) -> Result<Stage, Unheard> {
        let missing = || Unheard::new(Reason::Invalid, "it doesn't say which stage");
        self.decision.spec.stage.ok_or_else(missing)
    }

    pub(super) fn end(&self) -> Result<Timestamp, Unheard> {
        let missing = || Unheard::new(Reason::Invalid, "it doesn't say which end");
        self.decision.spec.expires_at.as_ref().map(|end| whole_seconds(end.0)).ok_or_else(missing)
    }

    /// The group that it counts for.
    pub(super) fn group(&self) -> Option<&'a str> {
        self.decision.spec.on_behalf_of.as_ref().map(|group| group.0.as_str())
    }

    /// The decision, as the journal keeps it.
    pub(super) fn taken(&self, until: Option<Timestamp>) -> TakenDecision {
        TakenDecision {
            name: self.decision.name_any(),
            uid: self.decision.uid().unwrap_or_default(),
            by: self.person.to_owned(),
            on_behalf_of: self.decision.spec.on_behalf_of.clone(),
            made: Time(self.made),
            until: until.map(Time),
        }
    }

    /// Refused where it isn't about what is asked for now. What is asked for now isn't told: else each
    /// change of that would be a change of what is said of every decision there ever was.
    pub(super) fn is_todays(&self, agreement: &Agreement) -> Result<(), Unheard> {
        let about = self.decision.spec.digest.as_ref().map(OpeningDigest::as_str);
        if about == Some(agreement.digest.as_str()) {
            return Ok(());
        }
        let message = format!(
            "it is about {}, and what is asked for now is something else, see status.requestDigest of the grant: \
             look at what has changed and decide again",
            about.unwrap_or("no digest")
        );
        Err(Unheard::new(Reason::OutOfDate, message))
    }

    /// Until when it counts as an agreement; refused where it is too old to count at all.
    pub(super) fn counts_until(
        &self,
        valid_for: Option<SignedDuration>,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, Unheard> {
        let Some(valid_for) = valid_for else { return Ok(None) };
        let until = whole_seconds(self.made.checked_add(valid_for).unwrap_or(self.made));
        if now < until {
            return Ok(Some(until));
        }
        let message = format!("it counted until {until}: look at it and decide again");
        Err(Unheard::new(Reason::OutOfDate, message))
    }
}

/// It changes nothing.
pub(super) fn unheard<T>(reason: Reason, message: impl Into<String>) -> Result<T, Unheard> {
    Err(Unheard::new(reason, message))
}
