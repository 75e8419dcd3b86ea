//! The next record of a journal.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::{Journal, Opening};
use crate::api::condition::{cut, whole_seconds};
use crate::api::effective::EffectivePolicy;
use crate::api::record::{GrantIdentity, GrantRecordSpec, RecordEvent, RecordReason};
use crate::api::stage::Stage;

/// What is to be written down.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// What happened.
    pub event: RecordEvent,
    /// To which stage, and with which digest.
    pub stage: Option<(Stage, String)>,
    /// With `Opened`: when it ends, and everything that it allows.
    pub opened: Option<(Timestamp, Box<EffectivePolicy>)>,
    /// With `Requested`: the digest of what was asked for.
    pub digest: Option<String>,
    /// Why, in a word.
    pub reason: Option<RecordReason>,
    /// Why, for people.
    pub message: String,
}

impl Entry {
    /// Something that happened to the grant as a whole.
    pub fn of_grant(event: RecordEvent, reason: Option<RecordReason>, message: impl Into<String>) -> Self {
        Self { event, stage: None, opened: None, digest: None, reason, message: message.into() }
    }

    /// Something that happened to one opening.
    pub fn of_opening(event: RecordEvent, opening: &Opening, reason: RecordReason, message: String) -> Self {
        let stage = Some((opening.stage, opening.digest.clone()));
        Self { event, stage, opened: None, digest: None, reason: Some(reason), message }
    }

    /// A stage is opened.
    pub fn opened(stage: Stage, digest: &str, end: Timestamp, policy: &EffectivePolicy) -> Self {
        Self {
            event: RecordEvent::Opened,
            stage: Some((stage, digest.to_owned())),
            opened: Some((end, Box::new(policy.clone()))),
            digest: None,
            reason: None,
            message: format!("{stage} is open until {end}"),
        }
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
        stage: entry.stage.as_ref().map(|(stage, _)| *stage),
        digest: entry.stage.as_ref().map(|(_, digest)| digest.clone()).or_else(|| entry.digest.clone()),
        expires_at: entry.opened.as_ref().map(|(end, _)| Time(whole_seconds(*end))),
        reason: entry.reason,
        message: (!entry.message.is_empty()).then(|| cut(&entry.message, 1024)),
        policy: entry.opened.as_ref().map(|(_, policy)| policy.as_ref().clone()),
    }
}
