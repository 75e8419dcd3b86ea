//! Decisions, as they were seen when they were made; deleting them undoes nothing.

use comity::api::Stage;
use jiff::Timestamp;
use serde_json::Value;

use super::super::history::{moment, text};
use super::{Checker, stage, uid};

/// A decision.
#[derive(Clone, Debug)]
pub struct Decided {
    pub uid: String,
    /// The UID of the grant that it is about.
    pub grant: String,
    pub action: String,
    pub stage: Option<Stage>,
    pub digest: Option<String>,
    /// The new end.
    pub end: Option<Timestamp>,
    /// Who really made it; nobody, where nobody knows.
    pub person: Option<String>,
    /// Who it says made it.
    pub stamp: String,
    /// The group that it is for, if the person is in it.
    pub group: Option<String>,
    /// When it was made, in whole seconds, as the API server has it.
    pub made: Timestamp,
    /// When it was seen.
    pub seen: Timestamp,
}

impl Decided {
    /// Reads a decision, with who really made it.
    pub fn of(decision: &Value, checker: &Checker) -> Self {
        let spec = &decision["spec"];
        let known = checker.deeds.decided.get(uid(decision));
        let group = spec["onBehalfOf"].as_str();
        let is_in = |group: &&str| known.is_some_and(|(_, groups)| groups.contains(group));
        Self {
            uid: uid(decision).to_owned(),
            grant: text(&spec["grantRef"]["uid"]).to_owned(),
            action: text(&spec["action"]).to_owned(),
            stage: stage(&spec["stage"]),
            digest: spec["digest"].as_str().map(str::to_owned),
            end: moment(&spec["expiresAt"]),
            person: known.map(|(person, _)| person.clone()),
            stamp: text(&decision["metadata"]["annotations"]["comity.dev/decided-by"]).to_owned(),
            group: group.filter(is_in).map(str::to_owned),
            made: moment(&decision["metadata"]["creationTimestamp"]).unwrap_or(checker.now),
            seen: checker.now,
        }
    }

    /// Whether a person made it, and not automation.
    pub fn is_by_a_person(&self) -> bool {
        self.person.as_ref().is_some_and(|person| !person.starts_with("system:"))
    }
}
