//! The next record of a journal.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::{Journal, Opening};
use crate::api::condition::{cut, whole_seconds};
use crate::api::effective::EffectivePolicy;
use crate::api::record::{
    GrantIdentity, GrantRecordSpec, RecordEvent, RecordReason, Revision, TakenDecision, TakenReport,
};
use crate::api::stage::Stage;

/// What is to be written down.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// What happened.
    pub event: RecordEvent,
    /// To which stage, and with which digest.
    pub stage: Option<(Stage, String)>,
    /// With `Opened`: when it ends. With what moves an end, or agrees that it be moved: the new one.
    pub end: Option<Timestamp>,
    /// With `Opened` and `Narrowed`: everything that it allows.
    pub policy: Option<Box<EffectivePolicy>>,
    /// With what narrows an opening: the digest of what stands.
    pub stands: Option<String>,
    /// With `Requested`: the digest of what was asked for.
    pub digest: Option<String>,
    /// Why, in a word.
    pub reason: Option<RecordReason>,
    /// With `Shortened`: of which stage, where it isn't of all.
    pub only_stage: Option<Stage>,
    /// With `Opened`: the revisions of what it was made of.
    pub revisions: Vec<Revision>,
    /// With what people decided: the decision.
    pub decision: Option<TakenDecision>,
    /// With `Rehearsed`: the report.
    pub report: Option<TakenReport>,
    /// Why, for people.
    pub message: String,
}

impl Entry {
    /// Something that happened to the grant as a whole.
    pub fn of_grant(event: RecordEvent, reason: Option<RecordReason>, message: impl Into<String>) -> Self {
        Self {
            event,
            stage: None,
            end: None,
            policy: None,
            stands: None,
            digest: None,
            reason,
            only_stage: None,
            revisions: Vec::new(),
            decision: None,
            report: None,
            message: message.into(),
        }
    }

    /// Something that happened to one opening.
    pub fn of_opening(event: RecordEvent, opening: &Opening, reason: RecordReason, message: String) -> Self {
        let stage = Some((opening.stage, opening.digest.clone()));
        Self { stage, ..Self::of_grant(event, Some(reason), message) }
    }

    /// A stage is opened.
    pub fn opened(stage: Stage, digest: &str, end: Timestamp, policy: &EffectivePolicy) -> Self {
        let message = format!("{stage} is open until {end}");
        Self {
            stage: Some((stage, digest.to_owned())),
            end: Some(end),
            policy: Some(Box::new(policy.clone())),
            ..Self::of_grant(RecordEvent::Opened, None, message)
        }
    }

    /// An opening allows this much since, as far as it goes with what stands.
    pub fn narrowed(
        opening: &Opening,
        policy: &EffectivePolicy,
        stands: Option<&str>,
        message: String,
    ) -> Self {
        let entry = Self::of_opening(RecordEvent::Narrowed, opening, RecordReason::PolicyChanged, message);
        Self { policy: Some(Box::new(policy.clone())), stands: stands.map(str::to_owned), ..entry }
    }

    /// A stage that was closed is opened again, within the end that was recorded first.
    pub fn reopened(opening: &Opening) -> Self {
        Self::opened(opening.stage, &opening.digest, opening.end, &opening.policy)
    }
}

/// The record that `entry` makes at the end of `journal`.
pub fn next_record(
    journal: &Journal,
    entry: &Entry,
    grant: &GrantIdentity,
    generation: Option<i64>,
    now: Timestamp,
) -> GrantRecordSpec {
    GrantRecordSpec {
        grant: grant.clone(),
        sequence: journal.next,
        previous: journal.head.clone(),
        at: Time(whole_seconds(journal.time(now))),
        event: entry.event,
        generation,
        stage: entry.stage.as_ref().map(|(stage, _)| *stage).or(entry.only_stage),
        digest: entry.stage.as_ref().map(|(_, digest)| digest.clone()).or_else(|| entry.digest.clone()),
        expires_at: entry.end.map(|end| Time(whole_seconds(end))),
        reason: entry.reason,
        message: (!entry.message.is_empty()).then(|| cut(&entry.message, 1024)),
        policy: entry.policy.as_deref().cloned(),
        stands: entry.stands.clone(),
        revisions: entry.revisions.clone(),
        decision: entry.decision.clone(),
        report: entry.report.clone(),
    }
}
